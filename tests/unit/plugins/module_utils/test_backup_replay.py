# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of binary logs is applied, up to each kind of point."""

from __future__ import annotations

import os
import random

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import replay
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.replay import (
    AFTER,
    BEFORE,
    LATEST,
    ONLY,
    TIME,
    ReplayError,
    Selection,
    Until,
    lay_out,
    select,
)  # fmt: skip
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.transactions import Head, read_log
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from binlog_files import ROTATE, A, B, log, plain, tagged

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "A replay applies exactly the transactions up to the point, whatever logs overlap; a gap is an error before anything is applied."
    ),
]

T = 1795800000000000


def gtids(text):
    return GtidSet(text.replace("A", A).replace("B", B)) if text else GtidSet("")


@pytest.fixture
def files(tmp_path):
    """Writes files: lists of (source, number, time), and what came before each."""

    def write(*given):
        paths = []
        for number, (before, transactions) in enumerate(given, 1):
            path = tmp_path / f"{number:05d}-binlog"
            path.write_bytes(log(*(plain(*one) for one in transactions), before=before, end=ROTATE))
            paths.append(str(path))
        return paths

    return write


# One log of a group: numbers of A, with the seconds at which they were committed.
FIRST = ([], [(A, number, T + number * 1000000) for number in range(1, 6)])
SECOND = ([(A, "", 1, 5)], [(A, number, T + number * 1000000) for number in range(6, 11)])
# The same, cut elsewhere, of another member.
OTHER = ([(A, "", 1, 3)], [(A, number, T + number * 1000000) for number in range(4, 9)])


def applied(selection, tmp_path):
    """The GTIDs in the relay logs, in their order."""
    relay = tmp_path / "relay"
    replay.clean(str(relay))
    first = lay_out(selection.parts, str(relay), lambda path: path)
    names = (relay / "relay-restore.index").read_text().split()
    assert os.path.basename(names[0]) == first
    return [
        one.gtid.replace(A, "A").replace(B, "B")
        for name in names
        for one in read_log(name)
        if not isinstance(one, Head)
    ]


@pytest.mark.parametrize(
    "until, reached, stopped",
    [
        (Until(LATEST), "A:1-10", ""),
        (Until(AFTER, gtids("A:7")), "A:1-7", ""),
        (Until(AFTER, gtids("A:1-10")), "A:1-10", ""),
        (Until(AFTER, gtids("A:1")), "A:1-2", ""),
        (Until(BEFORE, gtids("A:7")), "A:1-6", "A:7"),
        (Until(BEFORE, gtids("A:3")), "A:1-2", "A:3"),
        (Until(TIME, time=T + 8000000), "A:1-8", "A:9"),
        (Until(TIME, time=T + 8999999), "A:1-8", "A:9"),
        (Until(TIME, time=T), "A:1-2", "A:3"),
        (Until(TIME, time=T + 99000000), "A:1-10", ""),
        (Until(ONLY, gtids("A:1-4")), "A:1-4", ""),
        (Until(ONLY, gtids("A:1-4:7")), "A:1-4:7", ""),
    ],
)
def test_the_point_is_exact(files, tmp_path, until, reached, stopped):
    selection = select(files(FIRST, SECOND), gtids("A:1-2"), until)
    assert selection.reached == gtids(reached)
    assert selection.stopped_by.replace(A, "A") == stopped
    assert selection.transactions == gtids(reached).count() - 2
    if selection.parts:
        # What the server has already is skipped by it.
        assert GtidSet(",".join(one.replace("A", A) for one in applied(selection, tmp_path))).union(
            gtids("A:1-2")
        ) == gtids(reached)


def test_overlapping_logs_of_several_members(files, tmp_path):
    selection = select(files(FIRST, OTHER, SECOND), gtids("A:1-2"), Until(BEFORE, gtids("A:9")))
    assert selection.reached == gtids("A:1-8")
    assert len(selection.parts) == 2, "the third file has nothing new before the point"
    assert applied(selection, tmp_path) == [f"A:{n}" for n in (1, 2, 3, 4, 5, 4, 5, 6, 7, 8)]


def test_a_file_without_anything_new_is_left_out(files):
    selection = select(files(FIRST, SECOND), gtids("A:1-5"), Until())
    assert [os.path.basename(part.path) for part in selection.parts] == ["00002-binlog"]


def test_a_gap_is_found_before_anything_is_applied(files):
    with pytest.raises(ReplayError, match=f"before 00001-binlog, 2 transactions are missing: {A}:4-5"):
        select(files(SECOND), gtids("A:1-3"), Until())


def test_a_set_needs_only_its_own_predecessors(files):
    selection = select(
        files(([(A, "", 1, 5), (B, "", 1, 9)], [(A, 6, T), (B, 10, T), (A, 7, T)])),
        gtids("A:1-5"),
        Until(ONLY, gtids("A:1-7")),
    )
    assert selection.reached == gtids("A:1-7")
    assert len(selection.parts[0].ranges) == 2


@pytest.mark.parametrize(
    "have, until, problem",
    [
        ("A:1-2", Until(BEFORE, gtids("A:2")), "is in the full backup already"),
        ("A:1-2", Until(BEFORE, gtids("A:11")), "the logs do not have the transaction"),
        ("A:1-2", Until(AFTER, gtids("A:9-12")), "the logs do not have 2 of the transactions that are wanted"),
        ("A:1-2", Until(ONLY, gtids("A:12")), "the logs do not have 1 of the transactions"),
    ],
)
def test_points_that_are_not_there(files, have, until, problem):
    with pytest.raises(ReplayError, match=problem):
        select(files(FIRST, SECOND), gtids(have), until)


def test_a_point_that_is_reached_already(files):
    assert select(files(FIRST, SECOND), gtids("A:1-8"), Until(AFTER, gtids("A:7"))) == Selection(
        [], gtids("A:1-8"), 0, None, ""
    )


def test_a_half_transaction_at_the_end_is_left_out(tmp_path):
    path = tmp_path / "binlog"
    path.write_bytes(log(plain(A, 1, T), plain(A, 2, T))[:-3])
    selection = select([str(path)], gtids(""), Until())
    assert selection.reached == gtids("A:1")
    assert applied(selection, tmp_path) == ["A:1"]


def test_a_file_that_is_applied_whole_is_not_copied(files, tmp_path):
    paths = files(FIRST)
    with open(paths[0], "r+b") as out:
        out.truncate(os.path.getsize(paths[0]) - len(ROTATE))
    selection = select(paths, gtids(""), Until())
    applied(selection, tmp_path)
    assert os.path.samefile(paths[0], tmp_path / "relay" / "relay-restore.000001")


def test_tags(tmp_path):
    path = tmp_path / "binlog"
    path.write_bytes(log(tagged(A, "blue", 1, T), plain(A, 1, T), tagged(A, "blue", 2, T)))
    assert select([str(path)], gtids("A:blue:1"), Until(BEFORE, gtids("A:blue:2"))).reached == gtids("A:1:blue:1")


def test_random_histories(files, tmp_path):
    """Logs of three members, cut at random, each with what its server had before: exactly the prefix of the group's order comes out."""
    chance = random.Random(7)
    for _run in range(40):
        order = [(chance.choice((A, B)), number, T + number) for number in range(1, 31)]
        given = []
        for _member in range(3):
            cuts = sorted(chance.sample(range(1, 30), 2))
            for begin, end in zip([0, *cuts], [*cuts, 30]):
                given.append(
                    (begin, [(source, "", number, number) for source, number, _time in order[:begin]], order[begin:end])
                )
        given.sort(key=lambda one: one[0])
        point = chance.randrange(1, 30)
        source, number, _time = order[point]
        selection = select(
            files(*(one[1:] for one in given)), GtidSet(""), Until(BEFORE, GtidSet(f"{source}:{number}"))
        )
        assert selection.reached == GtidSet(",".join(f"{one[0]}:{one[1]}" for one in order[:point]))


# -- the server's side -----------------------------------------------------------------------------------------------


class Server:
    """Answers of a private server while it applies."""

    def __init__(self, executed, after=0, running="Yes", state="", error=None, busy=0):
        self.executed, self.after, self.running, self.state, self.error, self.busy = (
            executed,
            after,
            running,
            state,
            error,
            busy,
        )
        self.statements = []

    def query(self, text, args=None):
        self.statements.append(text.split(" FOR CHANNEL")[0].split(" TO ")[0])
        if "WAIT_FOR_EXECUTED" in text:
            self.after -= 1
            return [{"n": int(self.after >= 0)}]
        if text.startswith("SHOW REPLICA STATUS"):
            return [
                {
                    "replica_sql_running": self.running,
                    "replica_sql_running_state": self.state,
                    "last_sql_error": "it ended",
                }
            ]
        if "LAST_ERROR_NUMBER" in text:
            return [self.error] if self.error else []
        if "APPLYING_TRANSACTION" in text:
            return [{"n": self.busy}]
        return [{"g": str(self.executed)}] if "gtid_executed" in text else []


CHOSEN = Selection([], gtids("A:1-9"), 3, None, "")


def test_apply():
    server = Server(gtids("A:1-9"), after=2)
    assert replay.apply(server, "relay-restore.000001", CHOSEN, print) >= 0
    assert server.statements[:3] == ["FLUSH LOCAL PRIVILEGES", "CHANGE REPLICATION SOURCE", "START REPLICA SQL_THREAD"]
    assert [one for one in server.statements if one.startswith(("STOP", "RESET"))] == [
        "STOP REPLICA",
        "RESET REPLICA ALL",
    ]


@pytest.mark.parametrize(
    "server, problem",
    [
        (Server(gtids("A:1-8")), "the end is not exact: missing 'aaaaaaaa-0000-0000-0000-000000000001:9', too many ''"),
        (
            Server(gtids("A:1-10")),
            "the end is not exact: missing '', too many 'aaaaaaaa-0000-0000-0000-000000000001:10'",
        ),
        (
            Server(gtids("A:1-7"), 99, "No", error={"n": 1062, "m": "duplicate"}),
            "the logs cannot be applied: error 1062: duplicate",
        ),
        (Server(gtids("A:1-7"), 99, "No"), "the logs cannot be applied: it ended"),
        (Server(gtids("A:1-7"), 99, state="Replica has read all relay log; waiting"), "2 transactions are missing"),
    ],
)
def test_an_apply_that_does_not_arrive(server, problem):
    with pytest.raises(ReplayError, match=problem):
        replay.apply(server, "relay-restore.000001", CHOSEN, print)


def test_appliers_that_work_are_waited_for(monkeypatch):
    said = []
    monkeypatch.setattr(replay.time, "monotonic", iter(range(0, 99999, 10)).__next__)
    replay.apply(
        Server(gtids("A:1-9"), after=20, state="Replica has read all relay log", busy=1),
        "relay-restore.000001",
        CHOSEN,
        said.append,
    )
    assert said[0] == "0 of 3 transactions are still to be applied"


def test_settings():
    found = replay.settings(
        "/work/relay", 8, {"innodb_page_size": "32768", "sql_mode": "ANSI", "partial_revokes": "ON"}, 1 << 28
    )
    assert found["innodb_page_size"] == "32768" and found["partial_revokes"] == "ON" and "sql_mode" not in found
    assert found["relay_log"] == "/work/relay/relay" and found["replica_preserve_commit_order"] == "ON"


@pytest.mark.parametrize(
    "member, wanted", [("", 256 << 20), ("104857600", 256 << 20), ("2147483648", 2 << 30), (str(1 << 40), 4 << 30)]
)
def test_redo(member, wanted):
    assert replay.redo_for(member) == wanted


@pytest.mark.parametrize("available, wanted", [(0, 128 << 20), (4 << 30, 1 << 30), (1 << 40, 8 << 30)])
def test_memory(available, wanted):
    assert replay.memory_for(available) == wanted
