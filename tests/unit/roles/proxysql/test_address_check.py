# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the check of the shared address says of its proxy: good, worse, or to be left for another one."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import threading

import pymysql
import pytest
from support_certificates import CA, DAY
from support_tls_member import TlsMember

OPTIONS = dict(user="monitor", password="secret", hostgroup=2)


@pytest.fixture(name="program")
def fixture_program(role_program, monkeypatch):
    module = role_program("proxysql/files/address_check.py")
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    return module


def options(directory, **more):
    """The check's options, of a proxy without peers."""
    own = dict(
        own="127.0.0.1:1", peers=[], timeout=0.1, again=0.1, advert=0.25, others=[], members_ca="", address="192.0.2.10"
    )
    return dict(OPTIONS, directory=str(directory), **own, **more)


class Proc:
    """A /proc with a keepalived of two processes, and the files that name them."""

    def __init__(self, directory, vrrp=7, main=6, comm="keepalived"):
        self.directory = directory
        for name, pid in (("vrrp", vrrp), ("keepalived", main)):
            (directory / f"{name}.pid").write_text(f"{pid}\n")
            (directory / str(pid)).mkdir()
            (directory / str(pid) / "comm").write_text(f"{comm}\n")
        self.vrrp = vrrp
        self.switches(1)

    def switches(self, number):
        (self.directory / str(self.vrrp) / "status").write_text(
            f"State:\tT\nvoluntary_ctxt_switches:\t{number}\nnonvoluntary_ctxt_switches:\t0\n"
        )


class Proxy:
    """Answers what it is told to, the last answer again and again; counts its connections."""

    def __init__(self, *answers):
        self.answers, self.asked, self.closed = list(answers), [], 0

    def problem(self, timeout, connect_timeout=None):
        self.asked.append((timeout, connect_timeout))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def close(self):
        self.closed += 1


def check(program, own, *peers):
    return program.Check(own, list(peers), 0.5, 0.4)


def test_a_good_proxy_is_good_at_once_and_asks_no_other(program):
    peer = Proxy("")
    made = check(program, Proxy(""), peer)
    made.step(False)
    assert (made.value, made.reason, peer.asked) == (0, "", [])


def test_a_bad_one_leaves_only_where_another_is_good(program):
    made = check(program, Proxy("refused"), Proxy("no route"), Proxy("refused"))
    made.step(False)
    assert (made.value, made.reason) == (program.WORSE, "refused")
    made = check(program, Proxy("refused"), Proxy("no route"), Proxy(""))
    made.step(False)
    assert (made.value, made.reason) == (program.LEAVE, "refused")


def test_a_second_good_answer_counts(program):
    """Its connection had ended, or a writer came back, which the other proxy has seen before."""
    own, peer = Proxy("", "timed out", ""), Proxy("")
    made = check(program, own, peer)
    made.step(False)
    made.step(False)
    assert (made.value, made.reason, peer.closed) == (program.GOOD, "", 1)
    assert own.asked == [(0.5, None), (0.5, None), (0.4, program.HURRY)]


class Alone:
    """A witness whose members are all silent, or are not."""

    def __init__(self, silent):
        self.silent = silent

    def alone(self):
        return self.silent


@pytest.mark.parametrize(
    ("members", "peer", "value"),
    [(True, True, "LEAVE"), (True, False, "WORSE"), (False, True, "WORSE"), (None, True, "WORSE")],
)
def test_one_that_nothing_answers_is_cut_off_and_leaves_the_address(program, members, peer, value):
    """Another one has taken it. Where a host answers, or members are not asked, it may be the last proxy."""
    other = Proxy("timed out")
    other.silent = peer
    made = program.Check(Proxy("timed out"), [other], 0.5, 0.4, None if members is None else Alone(members))
    made.step(False)
    assert (made.value, made.reason) == (getattr(program, value), "timed out")


def test_that_it_is_cut_off_may_be_seen_later(program, monkeypatch, tmp_path):
    """Within an interval of ten seconds, and without another question."""
    members = Alone(False)
    members.asked, members.look, members.cut = float("inf"), lambda now: None, lambda now: False
    monkeypatch.setattr(program, "witnesses", lambda options, keepalived: members)
    waits = []

    def wait(_proxy, _seconds):
        members.silent = True
        waits.append((tmp_path / "priority").read_text())
        return len(waits) == 3

    def problem(proxy, *_timeouts):
        proxy.silent = True
        if waits:
            raise KeyboardInterrupt
        return "timed out"

    monkeypatch.setattr(program.Proxy, "wait", wait)
    monkeypatch.setattr(program.Proxy, "problem", problem)
    with pytest.raises(KeyboardInterrupt):
        program.run(options(tmp_path, interval=10) | {"peers": ["127.0.0.1:2"]})
    assert waits == ["-100\n", "-254\n", "-254\n"]


def test_one_that_is_cut_from_the_other_leaves_it_there_and_is_good_as_soon_as_it_hears_it(program):
    made = check(program, Proxy(""), Proxy(""))
    for cut, value in ((False, program.GOOD), (True, program.LEAVE), (True, program.LEAVE), (False, program.GOOD)):
        made.step(False, cut)
        assert made.value == value
    made.step(True, True)
    assert made.value == program.LEAVE


def test_which_members_there_are_is_asked_on_the_connection_that_is_there(program, monkeypatch):
    proxy = program.Proxy(OPTIONS, "127.0.0.1:1")
    assert proxy.members() == []
    proxy.connection = Connection(("db0", "3306"))
    assert proxy.members() == [("db0", 3306)]
    proxy.connection = Connection(TimeoutError())
    assert proxy.members() == [] and proxy.connection is None


def test_silence_is_told_from_a_refusal(program):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        proxy = program.Proxy(OPTIONS, f"127.0.0.1:{free.getsockname()[1]}")
        assert proxy.problem(0.5) and not proxy.silent
    proxy.connect = lambda _timeout: (_ for _ in ()).throw(OSError(113, "No route to host"))
    assert proxy.problem(0.5) and proxy.silent


def test_a_cut_ends_the_pause_between_two_questions(program, monkeypatch, tmp_path):
    """Within an interval of ten seconds."""
    cuts = iter([False, False, True, True])
    witness = type(
        "Witness",
        (),
        {
            "asked": float("inf"),
            "look": lambda self, now: None,
            "cut": lambda self, now: next(cuts),
            "alone": lambda self: False,
        },
    )()
    monkeypatch.setattr(program, "witnesses", lambda options, keepalived: witness)
    seen = []

    def step(_check, _lease, cut):
        seen.append(cut)
        if cut:
            raise KeyboardInterrupt

    monkeypatch.setattr(program.Check, "step", step)
    with pytest.raises(KeyboardInterrupt):
        program.run(options(tmp_path, interval=10))
    assert seen == [False, True]


def test_it_is_good_again_after_two_good_answers(program):
    made = check(program, Proxy("refused", "refused", "refused", "refused", ""), Proxy(""))
    for value in (program.LEAVE, program.LEAVE, program.LEAVE, program.GOOD):
        made.step(False)
        assert made.value == value


def test_a_proxy_that_is_about_to_be_restarted_is_worse_and_has_no_connection(program):
    own, peer = Proxy(""), Proxy("")
    made = check(program, own, peer)
    made.step(False)
    made.step(True)
    assert (made.value, made.reason, own.closed, len(own.asked)) == (program.WORSE, "it is about to be restarted", 1, 1)
    for value in (program.WORSE, program.GOOD):
        made.step(False)
        assert made.value == value


def test_a_lease_lasts_as_long_as_its_lock(program, tmp_path):
    path = tmp_path / "lease"
    assert not program.leased(path)
    with path.open("w") as lease:
        assert not program.leased(path)
        fcntl.flock(lease, fcntl.LOCK_EX)
        assert program.leased(path)
    assert not program.leased(path)


class Cursor:
    def __init__(self, row):
        self.row, self.statements = row, []

    def __enter__(self):
        return self

    def __exit__(self, *_details):
        return None

    def execute(self, statement):
        self.statements.append(statement)
        if isinstance(self.row, Exception):
            raise self.row

    def fetchall(self):
        return () if self.row is None else (self.row,)


class Connection:
    def __init__(self, row):
        self.one, self.closed = Cursor(row), False

    def cursor(self):
        return self.one

    def _force_close(self):
        self.closed = True


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("OFF",), ""),
        (("ON",), "super_read_only=ON"),
        (None, "super_read_only=unknown"),
        (
            pymysql.err.OperationalError(9001, "Max connect timeout reached\nwhile reaching hostgroup 2"),
            "timeout reached while",
        ),
        (TimeoutError(), "TimeoutError"),
        (RuntimeError("'cryptography' package is required"), "cryptography"),
    ],
)
def test_a_question_reaches_a_member_that_takes_writes(program, monkeypatch, row, words):
    made, arguments = Connection(row), {}

    def connect(**given):
        arguments.update(given)
        return made

    monkeypatch.setattr(program.pymysql, "connect", connect)
    proxy = program.Proxy(OPTIONS, "[2001:db8::1]:6033")
    assert words in proxy.problem(0.5) if words else proxy.problem(0.5) == ""
    assert (arguments["host"], arguments["port"], arguments["read_timeout"]) == ("2001:db8::1", 6033, 0.5)
    assert made._read_timeout == 0.5
    assert "@@" not in made.one.statements[0] and "hostgroup=2" in made.one.statements[0]
    assert made.closed == (proxy.connection is None) == isinstance(row, Exception)


def test_a_proxy_that_is_not_there_is_a_problem(program):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert "refused" in program.Proxy(OPTIONS, f"127.0.0.1:{free.getsockname()[1]}").problem(0.5)


def test_a_proxy_that_says_nothing_is_a_problem_after_the_timeout(program):
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        assert program.Proxy(OPTIONS, f"127.0.0.1:{frozen.getsockname()[1]}").problem(0.1)


def test_a_connection_that_is_closed_ends_the_pause(program):
    mine, theirs = socket.socketpair()
    proxy = program.Proxy(OPTIONS, "127.0.0.1:1")
    assert not proxy.wait(0)
    proxy.connection = type("Connection", (), {"_sock": mine})
    assert not proxy.wait(0)
    theirs.close()
    assert proxy.wait(5)
    mine.close()


def test_it_writes_what_keepalived_and_systemd_read(program, monkeypatch, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        answers = iter(["", "", "refused"])
        monkeypatch.setattr(program.Proxy, "problem", lambda proxy, *timeouts: next(answers))
        monkeypatch.setattr(program.Proxy, "close", lambda proxy: None)
        # The fourth question ends it.
        with pytest.raises((StopIteration, RuntimeError)):
            program.run(options(tmp_path, interval=0))
        assert systemd.recv(100) == b"READY=1\nWATCHDOG=1"
    assert (tmp_path / "priority").read_text() == "-100\n"
    assert json.loads((tmp_path / "state.json").read_text()) == {"value": -100, "reason": "refused", "advert": 0.25}


def test_a_lease_ends_the_pause_between_two_questions(program, monkeypatch, tmp_path):
    """Within an interval of ten seconds."""
    seen = threading.Event()
    descriptor = os.open(tmp_path / "lease", os.O_WRONLY | os.O_CREAT)

    def step(_check, lease, _cut):
        if lease:
            seen.set()
            raise KeyboardInterrupt
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    monkeypatch.setattr(program.Check, "step", step)
    with pytest.raises(KeyboardInterrupt):
        program.run(options(tmp_path, interval=10))
    os.close(descriptor)
    assert seen.is_set()


def test_a_keepalived_that_does_not_run_any_more_hangs(program, tmp_path):
    proc = Proc(tmp_path)
    kept = program.Keepalived(tmp_path, 0.25, proc=str(tmp_path))
    assert [kept.hangs(look * 0.25) for look in range(4)] == [False] * 4
    proc.switches(2)
    # Since the look at which it had run: one second.
    assert [kept.hangs(1.0 + look * 0.25) for look in range(6)] == [False] * 4 + [True] * 2


def test_one_that_is_stopped_is_known(program, tmp_path):
    proc = Proc(tmp_path)
    kept = program.Keepalived(tmp_path, 0.25, proc=str(tmp_path))
    assert kept.runs() and kept.stopped
    (tmp_path / str(proc.vrrp) / "status").write_text("Name:\tT\nState:\tS (sleeping)\nvoluntary_ctxt_switches:\t1\n")
    assert kept.runs() and not kept.stopped


@pytest.mark.parametrize("state", ["Z (zombie)", "X (dead)"])
def test_one_that_dies_has_not_run(program, tmp_path, state):
    proc = Proc(tmp_path)
    kept = program.Keepalived(tmp_path, 0.25, proc=str(tmp_path))
    (tmp_path / str(proc.vrrp) / "status").write_text(f"Name:\tT\nState:\t{state}\nvoluntary_ctxt_switches:\t2\n")
    assert kept.runs() and kept.stopped


def test_one_that_was_killed_has_not_run_and_the_next_one_has(program, tmp_path, monkeypatch):
    proc = Proc(tmp_path)
    monkeypatch.setattr(program.os, "kill", lambda pid, number: None)
    kept = program.Keepalived(tmp_path, 0.25, proc=str(tmp_path))
    kept.end()
    running = "State:\tR (running)\nvoluntary_ctxt_switches:\t2\n"
    (tmp_path / str(proc.vrrp) / "status").write_text(running)
    assert kept.runs() and kept.stopped
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "comm").write_text("keepalived\n")
    (tmp_path / "8" / "status").write_text(running)
    (tmp_path / "vrrp.pid").write_text("8\n")
    assert kept.runs() and not kept.stopped


def test_few_looks_in_a_long_time_prove_nothing(program, tmp_path):
    """This program itself had no processor meanwhile."""
    Proc(tmp_path)
    kept = program.Keepalived(tmp_path, 0.25, proc=str(tmp_path))
    assert [kept.hangs(look * 10.0) for look in range(5)] == [False] * 4 + [True]


def test_slow_advertisements_are_waited_for(program, tmp_path):
    Proc(tmp_path)
    kept = program.Keepalived(tmp_path, 1, proc=str(tmp_path))
    assert [kept.hangs(look / 2) for look in range(9)] == [False] * 8 + [True]


def test_no_keepalived_and_another_process_of_its_number_do_not_hang(program, tmp_path):
    kept = program.Keepalived(tmp_path, 0.25, proc=str(tmp_path))
    assert not any(kept.hangs(look) for look in range(20))
    Proc(tmp_path, comm="mysqld")
    assert not any(kept.hangs(look) for look in range(20))
    (tmp_path / "7" / "comm").write_text("keepalived\n")
    (tmp_path / "7" / "status").unlink()
    assert not any(kept.hangs(look) for look in range(20))


def test_both_processes_are_killed_the_one_with_the_address_first(program, tmp_path, monkeypatch):
    Proc(tmp_path)
    killed = []
    monkeypatch.setattr(program.os, "kill", lambda pid, number: killed.append((pid, number)))
    kept = program.Keepalived(tmp_path, 0.25, proc=str(tmp_path))
    kept.hangs(0)
    kept.end()
    assert killed == [(7, signal.SIGKILL), (6, signal.SIGKILL)] and not kept.hangs(99)


def test_the_loop_kills_a_keepalived_that_hangs(program, tmp_path, monkeypatch):
    ended = []

    class Hanging(program.Keepalived):
        def hangs(self, now):
            return True

        def end(self):
            ended.append(self.patience)
            raise SystemExit

    monkeypatch.setattr(program, "Keepalived", Hanging)
    with pytest.raises(SystemExit):
        program.run(options(tmp_path, interval=0.01))
    assert ended == [1.0]


@pytest.mark.parametrize("has", [False, True])
def test_one_that_gave_the_address_up_may_stand_still(program, tmp_path, monkeypatch, has):
    """Without advertisements of others it has nothing to do. One that still has the address hangs."""
    ended, looks = [], []

    class Still(program.Keepalived):
        def hangs(self, now):
            looks.append(now)
            if len(looks) == 4:
                raise KeyboardInterrupt
            return len(looks) > 1

        def end(self):
            ended.append(len(looks))

    def step(check, _lease, _cut):
        check.value = program.LEAVE

    monkeypatch.setattr(program, "Keepalived", Still)
    monkeypatch.setattr(program, "present", lambda address: has)
    monkeypatch.setattr(program.Check, "step", step)
    with pytest.raises(KeyboardInterrupt):
        program.run(options(tmp_path, interval=0))
    assert ended == ([2, 3] if has else [])


def test_the_check_of_the_shared_address_refuses_a_certificate_that_has_expired(program, tmp_path):
    """Where clients verify the proxy, it does as they do; a name it does not look at."""
    ca, other = CA(tmp_path, "ca"), CA(tmp_path, "other")
    proxy = TlsMember(ca.issue("proxy", "db.example.com"))
    found = {}
    for what, pair, trusted in (
        ("good", proxy.pair, ca.path),
        ("expired", ca.issue("expired", "db.example.com", ends=-DAY), ca.path),
        ("wrong CA", proxy.pair, other.path),
        ("no file", proxy.pair, str(tmp_path / "missing.pem")),
    ):
        proxy.pair = pair
        asked = program.Proxy(dict(OPTIONS, tls_ca=trusted), f"127.0.0.1:{proxy.port}")
        found[what] = asked.problem(2)
        asked.close()
    # What answers here says "TLS" to every question.
    assert found["good"] == "the member that answers has super_read_only=TLS"
    assert "certificate has expired" in found["expired"]
    assert "unable to get local issuer certificate" in found["wrong CA"] and found["no file"]
    asked = program.Proxy(dict(OPTIONS), f"127.0.0.1:{proxy.port}")
    assert asked.problem(2) == "the member that answers has super_read_only=plain text"
    asked.close()
    proxy.close()
