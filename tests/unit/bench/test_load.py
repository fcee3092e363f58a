# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import argparse
import json

import pytest


def event(client, number, start, kind="write", error=None):
    return {"client": client, "kind": kind, "number": number, "start": start, "end": start + 0.01, "error": error}


@pytest.fixture
def journal(tmp_path):
    def write(*events, tail=""):
        lines = [{"run": "r", "origin": 1000.0, "clients": 2}, *events]
        (tmp_path / "writes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + tail)
        return tmp_path

    return write


class Server:
    """Answers every statement with the same rows."""

    def __init__(self, rows):
        self.rows = rows

    def cursor(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_nothing):
        return False

    def execute(self, statement, values=()):
        self.statement = statement

    def fetchall(self):
        return self.rows


def test_line_that_is_still_being_written_is_left_out(load_tool, journal):
    head, events = load_tool.read_journal(str(journal(event(0, 1, 0.1), tail='{"client": 0, "ki')))
    assert (head["run"], len(events)) == ("r", 1)


def test_only_acknowledged_writes_are_expected(load_tool):
    events = [event(0, 1, 0.1), event(0, 2, 0.2, error="x"), event(1, 1, 0.1, kind="read"), event(1, 2, 0.3)]
    assert load_tool.acknowledged(events) == {(0, 1), (1, 2)}


def test_row_that_the_server_lacks_is_lost_and_one_too_many_is_not(load_tool):
    found = load_tool.compare(Server([(0, 1), (0, 9)]), "r", {(0, 1), (0, 2)})
    assert (found["acknowledged"], found["held"], found["lost"], found["first_lost"]) == (2, 2, 1, [(0, 2)])


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([event(0, 1, 5.1), event(1, 1, 5.2)], 0),
        # A success that was begun before the moment says nothing about after it.
        ([event(0, 1, 5.1), event(1, 1, 4.9)], 1),
        ([event(0, 1, 5.1), event(1, 1, 5.2, error="x")], 1),
        ([event(0, 1, 5.1), event(1, 1, 5.2, kind="read")], 1),
        ([event(0, 1, 5.1)], 1),
    ],
)
def test_wait_needs_a_later_success_of_every_client(load_tool, journal, events, code, capsys):
    arguments = ["wait", "--directory", str(journal(*events)), "--since", "1005", "--timeout", "0"]
    assert load_tool.main(arguments) == code
    assert ("in vain" in capsys.readouterr().out) == (code == 1)


def test_longest_gap_counts_the_beginning_and_the_end(load_tool):
    assert load_tool.longest_gap([3.0, 1.0, 4.0], 0.0, 10.0) == 6.0
    assert load_tool.longest_gap([], 0.0, 10.0) == 10.0


def test_actions_that_need_an_account_say_so(load_tool, capsys):
    with pytest.raises(SystemExit):
        load_tool.main(["run", "--directory", "x"])
    assert "run needs --user and --database" in capsys.readouterr().err


def test_watched_states_and_places(watch_tool):
    assert watch_tool.member_answer([("ONLINE", "PRIMARY", 3)]) == {"state": "ONLINE", "role": "PRIMARY", "sees": 3}
    assert watch_tool.member_answer([]) == {"state": "OFFLINE", "role": "", "sees": 0}
    rows = [("2", "10.0.0.1", "3306", "ONLINE"), ("3", "10.0.0.1", "3306", "SHUNNED")]
    assert watch_tool.placement_answer(rows) == {"servers": {"10.0.0.1:3306": {"2": "ONLINE", "3": "SHUNNED"}}}
    assert watch_tool.split("[fd00::1]:3306") == ("fd00::1", 3306)


MEMBER = {"kind": "member", "who": "a:1", "state": "ONLINE", "role": "PRIMARY", "sees": 1, "at": 10.0}
PLACED = {"kind": "placement", "servers": {"a:1": {"2": "ONLINE", "1": "OFFLINE_HARD"}}, "at": 10.0}


@pytest.mark.parametrize(
    ("seen", "now", "expected"),
    [
        ([MEMBER, PLACED], 12.5, True),
        ([MEMBER, PLACED], 11.5, False),
        ([], 12.5, False),
        ([MEMBER, PLACED, dict(MEMBER, state="RECOVERING", at=10.1)], 12.5, False),
        ([MEMBER, dict(MEMBER, who="b:1", sees=2), PLACED], 12.5, False),
        # It was expelled and does not know yet.
        ([MEMBER, dict(MEMBER, who="b:1", sees=2)], 12.5, False),
        ([MEMBER, dict(PLACED, servers=None)], 12.5, False),
        ([MEMBER, dict(PLACED, servers={"a:1": {"1": "ONLINE"}})], 12.5, False),
        # No proxy is watched.
        ([MEMBER], 12.5, True),
    ],
)
def test_settled_needs_every_member_online_and_in_use_for_a_while(watch_tool, seen, now, expected):
    assert watch_tool.settled(seen, now, 1) is expected


def test_stop_waits_for_the_summary(load_tool, tmp_path, capsys):
    arguments = ["stop", "--directory", str(tmp_path), "--timeout", "0"]
    assert load_tool.main(arguments) == 1
    assert "in vain" in capsys.readouterr().out
    (tmp_path / "summary.json").write_text("{}")
    assert load_tool.main(arguments) == 0
    assert (tmp_path / "stop").exists()


def test_a_client_that_lost_its_proxy_goes_on_to_the_next(load_tool, monkeypatch):
    seen = []
    monkeypatch.setattr(load_tool.pymysql, "connect", lambda **where: seen.append((where["host"], where["port"])))
    options = argparse.Namespace(
        host="127.0.0.1", port=6033, also=["192.0.2.127:6033", "[2001:db8::1]:6034"], socket=None, tls=False, ca=None, user="u",
        database="d", timeout=1,
    )  # fmt: skip
    for failures in range(4):
        load_tool.connect(options, failures)
    assert seen == [("127.0.0.1", 6033), ("192.0.2.127", 6033), ("2001:db8::1", 6034), ("127.0.0.1", 6033)]


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), ("no certificate", "no certificate")])
def test_a_ca_that_cannot_be_used_is_named_in_one_sentence(load_tool, tmp_path, capsys, content, reason):
    ca = tmp_path / "ca.pem"
    if content is not None:
        ca.write_text(content)
    arguments = ["run", "--directory", str(tmp_path), "--user", "u", "--database", "d", "--ca", str(ca)]
    with pytest.raises(SystemExit) as ended:
        load_tool.main(arguments)
    assert ended.value.code == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert f"--ca is {ca}, which is no file with CA certificates: " in line and reason.lower() in line.lower()
