# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a killed server waits for before it starts, what it asks the group for, and when it starts as it is."""

from __future__ import annotations

import json

import pymysql
import pytest
from support_certificates import CA, DAY
from support_tls_member import TlsMember

ME, PEER, OTHER = "uuid-me", "uuid-peer", "uuid-other"


@pytest.fixture(name="waiting")
def fixture_waiting(role_program):
    return role_program("mysql_gr/files/wait.py")


def rows(**states):
    """The view of PEER: {member: state}."""
    names = {"me": ME, "peer": PEER, "other": OTHER}
    return [(names[name], state, int(name == "peer"), f"{name}:3306") for name, state in states.items()]


WITH_ME = rows(peer="ONLINE", other="ONLINE", me="UNREACHABLE")
WITHOUT_ME = rows(peer="ONLINE", other="ONLINE")


class Peer:
    """A peer whose view changes with the time; its clock goes on only when somebody waits."""

    def __init__(self, module, *views, concurrency=10, patience=30):
        self.module, self.views, self.patience, self.now = module, views, patience, 0.0
        self.values, self.told, self.away = [concurrency], 0, set()

    def view(self):
        """The last of [(from, rows)] that has begun."""
        return [seen for since, seen in self.views if since <= self.now][-1]

    def ask(self, statement):
        if statement == self.module.CONCURRENCY:
            return [(self.values[-1],)]
        if statement == self.module.KILLED.format(ME):
            self.told += 1
            return [(1,)]
        assert statement.startswith("SELECT group_replication_set_write_concurrency(")
        self.values.append(int(statement.rpartition("(")[2].rstrip(")")))
        return [("UDF is asynchronous",)]

    def pause(self, seconds):
        self.now += seconds

    def wait(self):
        def look():
            seen = self.view()
            return [] if seen is None else [(self.ask, seen)], self.away

        return self.module.wait(ME, look, self.patience, clock=lambda: self.now, pause=self.pause)


def test_it_waits_until_the_group_has_expelled_it_then_renews_the_configuration(waiting):
    peer = Peer(waiting, (0, WITH_ME), (5.9, WITHOUT_ME))
    assert peer.wait() == "not in the group, 6.0 s waited"
    assert peer.told == 1, "its guard is told that the member was killed"
    assert peer.values == [10, 11, 10, 11, 10]


def test_one_that_was_away_for_longer_does_not_wait(waiting):
    peer = Peer(waiting, (0, WITHOUT_ME), concurrency=200)
    assert peer.wait() == "not in the group, 0.0 s waited"
    assert peer.told == 0
    assert peer.values == [200, 199, 200, 199, 200]


@pytest.mark.parametrize(
    "seen",
    [
        None,
        rows(peer="OFFLINE"),
        rows(peer="RECOVERING", other="ONLINE"),
        rows(peer="ONLINE", other="UNREACHABLE", me="UNREACHABLE"),
        rows(peer="ERROR", me="ONLINE"),
        rows(peer="ONLINE", other="UNREACHABLE", me="ONLINE"),
        rows(peer="ONLINE", me="ONLINE"),
    ],
    ids=[
        "nobody answers",
        "in no group",
        "joining itself",
        "without quorum",
        "expelled itself",
        "the third is silent",
        "of two",
    ],
)
def test_it_starts_at_once_where_no_group_can_take_it_in(waiting, seen):
    peer = Peer(waiting, (0, seen))
    assert peer.wait() == "no member of a group with quorum answers"
    assert (peer.now, peer.values) == (0.0, [10])


def test_a_majority_was_killed_and_the_view_does_not_show_it_yet(waiting):
    peer = Peer(waiting, (0, rows(peer="ONLINE", other="ONLINE", me="ONLINE")))
    peer.away = {"other:3306"}
    assert peer.wait() == "no member of a group with quorum answers"
    assert (peer.now, peer.told) == (0.0, 0)


def test_the_group_is_lost_while_it_waits(waiting):
    peer = Peer(waiting, (0, WITH_ME), (2, None))
    assert peer.wait() == "no member of a group with quorum answers"
    assert peer.values == [10]


def test_its_patience_ends(waiting):
    peer = Peer(waiting, (0, WITH_ME), patience=30)
    assert peer.wait() == "still in the group after 30 s: started as it is"
    assert (round(peer.now), peer.values) == (30, [10])


def test_peers_that_differ_are_waited_for(waiting):
    """One of two still has it: it is the group's slowest member that counts."""
    peer = Peer(waiting, (0, WITHOUT_ME), patience=1)

    def look():
        return [(peer.ask, WITHOUT_ME), (peer.ask, WITH_ME)], set()

    assert "still in the group" in waiting.wait(ME, look, 1, clock=lambda: peer.now, pause=peer.pause)


def refused():
    """As PyMySQL says it."""
    error = Exception("2003")
    error.original_exception = ConnectionRefusedError()
    return error


@pytest.mark.parametrize(
    ("answer", "away"),
    [
        (OSError("timed out"), set()),
        (refused(), {"fd00::1:3306"}),
        (rows(peer="OFFLINE"), {"fd00::1:3306"}),
        ([], {"fd00::1:3306"}),
        (rows(peer="RECOVERING", me="ONLINE"), set()),
    ],
    ids=["silent", "no server", "in no group", "has no table of members", "joins"],
)
def test_what_a_peer_that_is_no_member_says(waiting, answer, away):
    made = []

    def connect(_options, place):
        made.append(place)
        if place == "db2:3306":
            return lambda statement: WITHOUT_ME
        if isinstance(answer, Exception):
            raise answer
        return lambda statement: answer

    peers = waiting.Peers({"peers": ["[fd00::1]:3306", "db2:3306"]}, connect)
    seen, found = peers.look()
    assert WITHOUT_ME in [one for _ask, one in seen] and found == away
    peers.look()
    assert made.count("db2:3306") == 1 and made.count("[fd00::1]:3306") == 1 + isinstance(answer, Exception)


@pytest.mark.parametrize("has_plugin", [True, False])
def test_a_peer_is_asked_at_once_whether_it_is_a_member(waiting, monkeypatch, has_plugin):
    """Without the plugin, too: it is no member then, which counts."""
    pymysql = pytest.importorskip("pymysql")
    asked = []

    class Session:
        cursor = __enter__ = lambda self: self
        __exit__ = lambda self, *_error: None  # noqa: E731

        def execute(self, statement):
            asked.append(statement)
            if statement == waiting.NO_WAITING and not has_plugin:
                raise pymysql.OperationalError(1193, "Unknown system variable 'group_replication_consistency'")

        def fetchall(self):
            return []

    monkeypatch.setattr(pymysql, "connect", lambda **_options: Session())
    options = {"peers": ["db1:3306"], "user": "u", "password": "p", "ca": ""}
    assert waiting.Peers(options, waiting.connect).look()[1] == {"db1:3306"}
    assert asked == [waiting.NO_WAITING, waiting.VIEW]


def written(tmp_path, peers, uuid):
    if uuid:
        (tmp_path / "auto.cnf").write_text(f"[auto]\nserver-uuid={uuid}\n")
    options = {"peers": peers, "user": "u", "password": "p", "ca": "", "datadir": str(tmp_path), "patience": 1}
    (tmp_path / "options.json").write_text(json.dumps(options))
    return str(tmp_path / "options.json")


@pytest.mark.parametrize(("peers", "uuid"), [([], ME), (["db1:3306"], "")], ids=["no peers", "never started"])
def test_there_is_nothing_to_ask(waiting, tmp_path, capsys, monkeypatch, peers, uuid):
    monkeypatch.setattr(waiting, "wait", lambda *_all: pytest.fail("asked"))
    waiting.main(written(tmp_path, peers, uuid))
    assert capsys.readouterr() == ("", "")


def test_whatever_fails_is_said_and_does_not_count(waiting, tmp_path, capsys, monkeypatch):
    def fail(uuid, *_all):
        raise OSError(f"asked for {uuid}")

    monkeypatch.setattr(waiting, "wait", fail)
    waiting.main(written(tmp_path, ["db1:3306"], ME))
    assert f"not waited for the group: asked for {ME}" in capsys.readouterr().err
    waiting.main(str(tmp_path / "absent.json"))
    assert "not waited for the group" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("good", ""),
        ("wrong CA", "certificate verify failed: unable to get local issuer certificate"),
        ("wrong name", "certificate verify failed: Hostname mismatch"),
        ("expired", "certificate verify failed: certificate has expired"),
        ("plain text", "SSL"),
    ],
)
def test_a_peer_is_verified_before_it_gets_the_password(waiting, tmp_path, kind, words):
    """By CA and name where the inventory gives a CA; in plain text nobody is asked."""
    ca, other = CA(tmp_path, "ca"), CA(tmp_path, "other")
    pairs = {
        "good": lambda: ca.issue("good", "localhost"),
        "wrong CA": lambda: other.issue("other", "localhost"),
        "wrong name": lambda: ca.issue("name", "db9.example.com"),
        "expired": lambda: ca.issue("old", "localhost", ends=-DAY),
        "plain text": lambda: None,
    }
    peer = TlsMember(pairs[kind]())
    options = {"ca": ca.path, "user": "gr_peer", "password": "secret"}
    try:
        waiting.connect(options, f"localhost:{peer.port}")
        said = ""
    except (OSError, pymysql.MySQLError) as error:
        said = str(error)
    finally:
        peer.close()
    assert words in said and bool(words) == bool(said)
    assert peer.logins == ([] if words else [("gr_peer", True)])
