# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest

NUMBERS = {"writer": 2, "backup_writer": 4, "reader": 3, "offline": 1}


def event(client, start, end, kind="write", error=None, number=0):
    return {"client": client, "kind": kind, "number": number, "start": start, "end": end, "error": error}


def agreed(**changes):
    found = {"lost": 0, "same_transactions": True, "checksums_agree": True, "checksums": {"db0:3306": {"simkp.t": 1}}}
    return dict(found, **changes)


def run(**changes):
    found = {
        "fault": "kill", "target": "db2", "mode": "multi_primary", "hostgroups": NUMBERS,
        "names": {"10.0.0.2:3306": "db2"},
        "marks": [{"at": 1004.0, "what": "fault: kill"}, {"at": 1006.5, "what": "all members ONLINE"}],
    }  # fmt: skip
    return dict(found, **changes)


HEAD = {"run": "r", "origin": 1000.0, "clients": 2}
# Two clients, a write every 0.5 s; client 1 fails once after the fault and has its next success 2.25 s after the last.
EVENTS = [event(0, at / 2, at / 2 + 0.01) for at in range(21)]
EVENTS += [event(1, at / 2, at / 2 + 0.01) for at in range(9)]
EVENTS += [event(1, 4.5, 6.0, error="(2013, 'Lost connection')"), event(1, 6.2, 6.26)]
EVENTS += [event(1, at / 2, at / 2 + 0.01, kind="read") for at in range(13, 21)]


def test_longest_gap_is_that_of_the_unluckiest_client(report_tool):
    report = report_tool.build(run(), HEAD, EVENTS, [], agreed())
    assert report["longest_gap"] == pytest.approx(2.25)
    assert report["longest_gap_from"] == pytest.approx(4.01)
    assert report["longest_gap_of_all"] == pytest.approx(0.5)
    # Before the fault at 4 s both clients succeed twice a second; the last of it runs from 3.51 s to the fault.
    assert report["longest_gap_before_fault"] == pytest.approx(0.5)
    assert (report["failed_statements"], report["errors"]) == (1, {"(2013, 'Lost connection')": 1})
    assert (report["acknowledged_writes"], report["reads"]) == (31, 8)


def test_a_gap_belongs_to_the_fault_or_to_what_came_after_it(report_tool):
    marks = [{"at": 1002.0, "what": "fault: stop"}, {"at": 1005.0, "what": "undone"}]
    # One success each at 1, 1.9, 3.1 (across the fault), 4.9, 6.2 (across its end), 6.5, 8.4 s and on.
    ends = [1.0, 1.9, 3.1, 4.0, 4.9, 6.2, 6.5, 8.4, 9.0]
    report = report_tool.build(run(marks=marks), HEAD, [event(0, end - 0.1, end) for end in ends], [], agreed())
    assert report["longest_gap_until_undone"] == pytest.approx(1.3)
    assert report["longest_gap_afterwards"] == report["longest_gap"] == pytest.approx(1.9)
    for shown in (report_tool.summary(report), report_tool.page(report)):
        assert all(f"{gap:.3f} s" in shown for gap in (1.3, 1.9))


def test_a_fault_that_was_not_undone_has_no_time_afterwards(report_tool):
    report = report_tool.build(run(), HEAD, EVENTS, [], agreed())
    assert report["longest_gap_until_undone"] == pytest.approx(2.25)
    assert report["longest_gap_afterwards"] == 0


def test_gap_that_never_ends_counts_to_the_end_of_the_run(report_tool):
    events = [event(0, 0, 1), event(0, 2, 3), event(0, 3, 9, error="gone"), event(1, 0, 10)]
    assert report_tool.gaps(events, 0, 10) == {0: (3, 10), 1: (0, 10)}


def test_client_without_any_success_has_a_gap_as_long_as_the_run(report_tool):
    assert report_tool.gaps([event(0, 0, 5, error="x")], 0, 5) == {0: (0, 5)}


@pytest.mark.parametrize(
    ("changes", "passed"),
    [
        ({}, True),
        ({"lost": 1}, False),
        ({"same_transactions": False}, False),
        ({"checksums_agree": False}, False),
    ],
)
def test_verdict_follows_rows_transactions_and_checksums(report_tool, changes, passed):
    report = report_tool.build(run(), HEAD, EVENTS, [], agreed(**changes))
    assert report["passed"] is passed
    assert ("passed" if passed else "FAILED") in report_tool.summary(report).splitlines()[0]


def test_buckets_count_every_statement_once_and_leave_no_hole(report_tool):
    found = report_tool.buckets(EVENTS, 10.01, 0.5)
    assert [slot["at"] for slot in found] == [index / 2 for index in range(21)]
    totals = {key: sum(slot[key] for slot in found) for key in ("writes", "reads", "failed")}
    assert totals == {"writes": 31, "reads": 8, "failed": 1}


def test_intervals_join_equal_neighbours_and_are_cut_to_the_run(report_tool):
    samples = [(3.0, "no answer"), (-2.0, "ONLINE"), (1.0, "ONLINE"), (7.0, "RECOVERING"), (12.0, "ONLINE")]
    assert report_tool.intervals(samples, 10.0) == [
        {"from": 0.0, "to": 3.0, "is": "ONLINE"},
        {"from": 3.0, "to": 7.0, "is": "no answer"},
        {"from": 7.0, "to": 10.0, "is": "RECOVERING"},
    ]


@pytest.mark.parametrize(
    ("hostgroups", "word"),
    [
        ({"2": "ONLINE", "3": "ONLINE"}, "writer"),
        ({"4": "ONLINE", "3": "ONLINE"}, "backup writer"),
        ({"3": "ONLINE"}, "reader"),
        ({"1": "ONLINE", "2": "OFFLINE_HARD"}, "offline"),
        ({"2": "SHUNNED", "3": "SHUNNED"}, "shunned"),
        ({"2": "OFFLINE_SOFT", "3": "OFFLINE_SOFT"}, "drained"),
        ({"2": "OFFLINE_HARD"}, "offline"),
        ({}, "not listed"),
        (None, "not listed"),
    ],
)
def test_place_in_one_word(report_tool, hostgroups, word):
    assert report_tool.place(hostgroups, NUMBERS) == word


def test_lanes_of_members_and_placement(report_tool):
    who = "10.0.0.2:3306"
    watched = [
        {"at": 999.9, "kind": "member", "who": who, "state": "ONLINE", "role": "PRIMARY"},
        {"at": 1004.1, "kind": "member", "who": who, "state": "no answer", "role": ""},
        {"at": 999.9, "kind": "placement", "servers": {who: {"2": "ONLINE", "3": "ONLINE"}}},
        {"at": 1004.5, "kind": "placement", "servers": {who: {"1": "ONLINE"}}},
        {"at": 1008.0, "kind": "placement", "servers": None},
        {"at": 1011.0, "kind": "end"},
    ]
    report = report_tool.build(run(), HEAD, EVENTS, watched, agreed())
    assert [(part["is"], round(part["to"], 1)) for part in report["members"][who]] == [
        ("ONLINE", 4.1),
        ("no answer", 11.0),
    ]
    assert (report["seconds"], report["load_seconds"]) == (11.0, 10.01)
    assert [part["is"] for part in report["placement"][who]] == ["writer", "offline", "proxy silent"]


def test_page_is_one_well_formed_file_without_outside_references(report_tool):
    who = "10.0.0.2:3306"
    watched = [{"at": 1000, "kind": "member", "who": who, "state": "<odd & new>", "role": ""}]
    report = report_tool.build(run(fault="<kill>"), HEAD, EVENTS, watched, agreed())
    text = report_tool.page(report)
    assert "<kill>" not in text and "&lt;kill&gt;" in text
    assert "<odd" not in text and "&lt;odd &amp; new&gt;" in text
    body = text.replace("<!doctype html>", "").replace('<meta charset="utf-8">', "")
    ET.fromstring(body.replace('<meta name="viewport" content="width=device-width, initial-scale=1">', ""))
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_command_writes_both_reports_and_exits_by_the_verdict(report_tool, tmp_path, capsys):
    (tmp_path / "run.json").write_text(json.dumps(run()))
    (tmp_path / "writes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [HEAD, *EVENTS]) + '{"cut o')
    (tmp_path / "watch.jsonl").write_text("")
    (tmp_path / "agree.json").write_text(json.dumps(agreed()))
    assert report_tool.main([str(tmp_path)]) == 0
    assert json.loads((tmp_path / "report.json").read_text())["failed_statements"] == 1
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert "kill (db2, multi_primary): passed" in capsys.readouterr().out
    (tmp_path / "agree.json").write_text(json.dumps(agreed(lost=3)))
    assert report_tool.main([str(tmp_path)]) == 1


def test_time_below_half_is_counted_from_the_fault_on(report_tool):
    def slices(*counts):
        return [{"at": index * 0.5, "writes": count, "reads": 0, "failed": 9} for index, count in enumerate(counts)]

    # 10 a slice before the fault at 2 s (the first second is connecting); then 4, 4, 5, 4; the last one is cut off.
    measured = slices(0, 0, 10, 10, 4, 4, 5, 4, 10, 1)
    assert report_tool.below_half(measured, 2.0, 1.0) == pytest.approx(1.5)
    # What is slow before the fault is not its doing, and without a fault there is nothing to compare with.
    assert report_tool.below_half(slices(10, 1, 10, 10, 10, 10), 2.0) == 0
    assert report_tool.below_half(measured, 0.0, 1.0) == 0
    report = report_tool.build(run(), HEAD, EVENTS, [], agreed())
    assert f"{report['seconds_below_half']:.1f} s" in report_tool.page(report)
    assert f"before the fault {report['seconds_below_half']:8.1f} s" in report_tool.summary(report)
