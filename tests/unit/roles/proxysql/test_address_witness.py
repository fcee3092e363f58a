# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a proxy that does not hear the one with the shared address leaves it there: what it hears, has, and is told by members."""

from __future__ import annotations

import socket
import struct
import threading

import pymysql
import pytest
from support_certificates import CA, DAY
from support_tls_member import TlsMember

OPTIONS = dict(
    name="192.0.2.129", others=["192.0.2.127"], address="192.0.2.10", router_id=10, user="monitor", password="secret", members_ca="/ca.pem",
    advert=0.25, timeout=0.5, interval=0.25,
)  # fmt: skip


@pytest.fixture(name="program")
def fixture_program(role_program, monkeypatch):
    module = role_program("proxysql/files/proxysql_address_witness.py")
    # Only root may hear other hosts' packets.
    monkeypatch.setattr(module, "listener", Listener)
    return module


class Listener:
    """Packets that have come, and who sent them."""

    def __init__(self, family):
        self.family, self.packets = family, []

    def recvfrom(self, _size):
        if not self.packets:
            raise BlockingIOError
        return self.packets.pop(0)


class Server:
    """Locks of one member, as its sessions see them; what stands for a thread does one turn when it is told to."""

    def __init__(self):
        self.used = {}

    def session(self, program, witness):
        made = program.Member(witness.options, ("192.0.2.130", 3306), witness)
        made.one = lambda statement, *names: self.one(made, statement, names)
        witness.members[made.address] = made
        return made

    def one(self, session, statement, names):
        if statement.startswith("SELECT GET_LOCK"):
            self.used.setdefault(names[0], session)
            if self.used.get(names[1]) is session:
                del self.used[names[1]]
        elif statement.startswith("SELECT IS_USED_LOCK"):
            return tuple(id(self.used[name]) if name in self.used else None for name in names)
        else:
            self.used = {name: owner for name, owner in self.used.items() if owner is not session}
        return None


class Keepalived:
    number, stopped = 0, False

    def runs(self):
        return self.number


def made(program, **changes):
    return program.Witness({**OPTIONS, **changes}, Keepalived())


def packet(router=10, priority=254, header=20):
    return bytes([0x40 + header // 4]) + bytes(header - 1) + struct.pack("BBBBHH", 0x31, router, priority, 1, 25, 0)


@pytest.fixture(name="clock")
def fixture_clock(program, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(program.time, "monotonic", lambda: now[0])
    return now


def pair(program):
    """(server, the proxy with the address, its session, the other proxy, its session); the other one has heard the first one just now."""
    server = Server()
    holder = made(program)
    other = made(program, name="192.0.2.127", others=["192.0.2.129"])
    holder.has, holder.ran, other.heard = 50.0, 100.0, 100.0
    return server, holder, server.session(program, holder), other, server.session(program, other)


def give_up(holder, shows, looks, clock, after):
    """The proxy with the address gives it up, and its lock back, between two looks of the other one."""
    clock[0] += after
    looks.turn()
    holder.has, holder.heard = None, clock[0]
    shows.turn()
    looks.turn()


def test_one_that_hears_it_asks_nothing_and_one_that_does_not_sees_it_at_a_member(program, clock):
    _server, holder, shows, other, looks = pair(program)
    assert shows.turn() == 0.32 * 0.25 and looks.turn() == program.IDLE and not other.cut(clock[0])
    for _look in range(4):
        clock[0] += 0.2
        holder.ran = clock[0]
        shows.turn()
        looks.turn()
    # Silent for 0.8 s: two looks, of which the second one has seen a change.
    assert other.cut(clock[0])
    other.heard = clock[0]
    assert not other.cut(clock[0])


def test_one_that_died_has_left_a_lock_which_does_not_change(program, clock):
    server, _holder, shows, other, looks = pair(program)
    shows.turn()
    for _look in range(10):
        clock[0] += 0.2
        looks.turn()
        assert not other.cut(clock[0])
    assert len(server.used) == 1


def test_one_whose_keepalived_hangs_shows_itself_no_more(program, clock):
    _server, holder, shows, other, looks = pair(program)
    seen = []
    for _look in range(10):
        clock[0] += 0.1
        shows.turn()
        looks.turn()
        seen.append(other.cut(clock[0]))
    assert not seen[-1] and holder.has is not None


def test_a_change_is_no_evidence_for_ever(program, clock):
    """The proxy dies while the two are cut from each other."""
    _server, holder, shows, other, looks = pair(program)
    clock[0] += 0.5
    for _look in range(3):
        clock[0] += 0.1
        holder.ran = clock[0]
        shows.turn()
        looks.turn()
    assert other.cut(clock[0])
    for _look in range(5):
        clock[0] += 0.1
        looks.turn()
    assert not other.cut(clock[0])


def test_one_that_has_taken_it_just_now_gives_it_back(program, clock):
    """It was too late to see that the other one has it, and works."""
    server, holder, shows, other, looks = pair(program)
    other.has = clock[0] = 100.75
    for _look in range(3):
        clock[0] += 0.1
        holder.ran = other.ran = clock[0]
        shows.turn()
        looks.turn()
        assert looks not in server.used.values()
    assert other.cut(clock[0]) and not holder.looks(clock[0])


def test_one_that_gave_it_up_is_no_sign_of_itself(program, clock):
    """It gives its lock back while the other proxy looks."""
    _server, holder, shows, other, looks = pair(program)
    shows.turn()
    give_up(holder, shows, looks, clock, 0.6)
    assert not other.cut(clock[0])


@pytest.mark.parametrize("before", [1, 2])
def test_a_session_from_before_a_cut_keeps_its_lock_which_says_nothing(program, clock, before):
    """The member has not missed it yet. The proxy shows itself with the other lock, which it gives back in the end."""
    server, holder, shows, other, looks = pair(program)
    lost = server.session(program, holder)
    for _lock in range(before):
        lost.turn()
    clock[0] += 0.6
    seen = []
    for _look in range(4):
        clock[0] += 0.1
        holder.ran = clock[0]
        shows.turn()
        looks.turn()
        seen.append(other.cut(clock[0]))
    assert seen[-1] and lost in server.used.values()
    # No change is new any more, and it gives its lock back, or holds none at this moment.
    for _lock in range(2):
        give_up(holder, shows, looks, clock, 1)
        assert not other.cut(clock[0])


def test_who_has_the_address_looks_for_no_other_and_gives_its_locks_back(program, clock):
    server, holder, shows, _other, _looks = pair(program)
    shows.turn()
    clock[0] += 10
    assert not holder.cut(clock[0]) and server.used
    holder.has, holder.heard = None, clock[0]
    assert shows.turn() == program.IDLE and not server.used


def test_only_the_other_proxies_advertisements_of_this_address_count(program):
    witness = made(program)
    assert witness.listener.family == socket.AF_INET
    for given, sender in ((packet(), "192.0.2.99"), (packet(router=11), "192.0.2.127"), (packet(priority=0), "192.0.2.127"),
                          (packet()[:24], "192.0.2.127"), (b"", "192.0.2.127")):  # fmt: skip
        witness.listener.packets = [(given, (sender, 0))]
        witness.listen(5.0)
        assert witness.heard == float("-inf"), (given, sender)
    witness.listener.packets = [(packet(header=24), ("192.0.2.127", 0)), (packet(router=11), ("192.0.2.127", 0))]
    witness.listen(7.0)
    assert witness.heard == 7.0


def test_with_ipv6_there_is_no_header(program):
    witness = made(program, name="2001:db8::1", others=["fe80::1", "2001:db8::2"], address="2001:db8::10")
    assert witness.listener.family == socket.AF_INET6
    witness.listener.packets = [(packet()[20:], ("fe80::1%eth0", 0, 0, 2))]
    witness.listen(7.0)
    assert witness.heard == 7.0


def test_a_look_at_this_host(program, monkeypatch):
    witness = made(program)
    rung = []
    monkeypatch.setattr(
        witness, "bell", type("Bell", (), {"set": lambda bell: rung.append(1), "clear": lambda bell: None})()
    )
    monkeypatch.setattr(program, "present", lambda address: address == "192.0.2.10")
    witness.look(5.0)
    assert (witness.has, witness.ran, rung) == (5.0, 5.0, [1]) and witness.looks(5.0)
    witness.look(9.0)
    assert (witness.has, witness.ran, rung) == (5.0, 5.0, [1, 1]) and not witness.looks(9.0) and not witness.shows(9.0)
    witness.keepalived.number += 1
    witness.look(10.0)
    assert witness.ran == 10.0 and witness.shows(10.3) and rung == [1, 1]
    # One that was stopped has not run, and one that was killed neither.
    witness.keepalived.number, witness.keepalived.stopped = 7, True
    witness.look(10.4)
    assert witness.ran == 10.0
    witness.keepalived.number = None
    witness.look(10.5)
    assert witness.ran == 10.0
    monkeypatch.setattr(program, "present", lambda address: False)
    witness.look(11.0)
    assert witness.has is None and witness.looks(11.0) and not witness.shows(11.0)


FIB = """Local:
        +-- 192.0.2.0/24 2 0 2
           |-- 192.0.2.10
              /32 {kind}
           |-- 192.0.2.100
              /32 host LOCAL
"""


def test_which_addresses_this_host_has(program, tmp_path):
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "fib_trie").write_text(FIB.format(kind="host LOCAL"))
    (tmp_path / "net" / "if_inet6").write_text("20010db8000000000000000000000010 02 40 00 80     eth0\n")
    found = {
        address: program.present(address, str(tmp_path))
        for address in ("192.0.2.10", "192.0.2.1", "2001:db8::10", "2001:db8::1")
    }
    assert found == {"192.0.2.10": True, "192.0.2.1": False, "2001:db8::10": True, "2001:db8::1": False}
    (tmp_path / "net" / "fib_trie").write_text(FIB.format(kind="link UNICAST"))
    assert not program.present("192.0.2.10", str(tmp_path))
    assert not program.present("192.0.2.10", str(tmp_path / "missing"))


def test_members_come_and_go_and_stay_where_nobody_knows_them(program):
    class Session:
        started = ends = False

        def __init__(self, _options, address, _witness):
            self.address = address

        def start(self):
            self.started = True

    witness = program.Witness(OPTIONS, Keepalived(), Session)
    witness.follow([("db0", 3306), ("db1", 3306)], 1.0)
    first = dict(witness.members)
    assert all(session.started for session in first.values()) and witness.asked == 1.0
    witness.follow([], 2.0)
    assert witness.members == first and not any(session.ends for session in first.values())
    witness.follow([("db1", 3306), ("db2", 3306)], 3.0)
    assert set(witness.members) == {("db1", 3306), ("db2", 3306)} and first["db0", 3306].ends
    assert witness.members["db1", 3306] is first["db1", 3306]


def test_a_host_without_any_answer_is_told_from_one_that_refuses(program):
    refused = pymysql.err.OperationalError(2003, "no")
    refused.original_exception = ConnectionRefusedError()
    late = pymysql.err.OperationalError(2003, "timed out")
    late.original_exception = TimeoutError()
    assert program.unanswered(late) and program.unanswered(OSError("no route"))
    for error in (
        refused,
        ConnectionRefusedError(),
        pymysql.err.OperationalError(1045, "denied"),
        pymysql.err.OperationalError(2013, "lost"),
        ValueError(),
    ):
        assert not program.unanswered(error), error
    witness = made(program)
    assert not witness.alone()
    witness.members = {number: type("Member", (), {"silent": True})() for number in range(2)}
    assert witness.alone()
    witness.members[1].silent = False
    assert not witness.alone()


def run(program, member, turns, condition):
    """The member's thread, until it has had its turns."""
    calls = iter(turns)

    def turn():
        found = next(calls, None)
        if found is None:
            member.ends = True
            return 0
        if isinstance(found, Exception):
            raise found
        return found

    member.turn = turn
    thread = threading.Thread(target=member.run)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert condition()


def test_a_lost_connection_is_made_anew_at_once_and_silence_is_noted(program, monkeypatch):
    witness = made(program)
    pauses, connections = [], []

    class Bell:
        def wait(self, seconds):
            pauses.append(seconds)

    witness.bell = Bell()
    member = program.Member(OPTIONS, ("192.0.2.130", 3306), witness)
    answers = iter([None, pymysql.err.OperationalError(2003, "timed out"), None])

    def connect():
        answer = next(answers)
        connections.append((answer, member.silent))
        if answer is not None:
            raise answer
        member.connection = type("Connection", (), {"_force_close": lambda connection: None})()

    member.connect = connect
    run(program, member, [1, pymysql.err.OperationalError(2013, "lost"), 1], lambda: pauses[:4] == [1, 0, 0.25, 1])
    assert [silent for _answer, silent in connections] == [False, False, True] and member.connection is None


def test_a_member_misses_a_session_soon_and_waits_for_nothing_of_the_group(program, monkeypatch):
    """With MySQL's own wait_timeout, one from before a cut would keep its lock for hours."""
    given = {}
    monkeypatch.setattr(program, "verifying", lambda ca, names: None)
    monkeypatch.setattr(program.pymysql, "connect", lambda **options: given.update(options))
    program.Member(OPTIONS, ("192.0.2.130", 3306), None).connect()
    assert given["init_command"] == "SET SESSION group_replication_consistency = 'EVENTUAL', wait_timeout = 3"
    assert program.IDLE < program.MISSED


def test_a_member_is_verified_by_ca_and_name(program, tmp_path):
    ca, other = CA(tmp_path, "ca"), CA(tmp_path, "other")
    server = TlsMember(ca.issue("good", "127.0.0.1"))
    found = {}
    for what, certificate, trusted in (
        ("good", server.pair, ca.path),
        ("wrong name", ca.issue("name", "192.0.2.99"), ca.path),
        ("expired", ca.issue("expired", "127.0.0.1", ends=-DAY), ca.path),
        ("wrong CA", server.pair, other.path),
    ):
        server.pair = certificate
        member = program.Member({**OPTIONS, "members_ca": str(trusted), "timeout": 2}, ("127.0.0.1", server.port), None)
        try:
            member.connect()
            found[what] = ""
        except pymysql.Error as error:
            found[what] = str(error)
        member.close()
    server.close()
    assert not found["good"], found
    for what, words in (
        ("wrong name", "IP address mismatch"),
        ("expired", "has expired"),
        ("wrong CA", "unable to get local issuer"),
    ):
        assert words in found[what], found


@pytest.mark.parametrize("missing", [{"members_ca": ""}, {"others": []}])
def test_without_verified_members_or_other_proxies_there_is_no_witness(program, missing):
    assert program.witnesses({**OPTIONS, **missing}, Keepalived()) is None


def test_a_host_that_may_not_listen_says_so_and_goes_on(program, monkeypatch, capsys):
    def refuse(_family):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(program, "listener", refuse)
    assert program.witnesses(OPTIONS, Keepalived()) is None
    assert "a cut between proxies is not seen: [Errno 1]" in capsys.readouterr().out
