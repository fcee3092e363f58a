# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From reports of runs with the shared address to records and the table."""

from __future__ import annotations

import json

import pytest

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "Each report of a run with the shared address is recorded once, and the table in the docs is what the records say."
    ),
]

# As the tests write it; an older one has neither versions nor load.
REPORT = {
    "work": "address_killed", "run": 0, "origin": 1795756569.9, "taken": 0.3, "split": 0.0, "none": 0.0, "longest_gap": 0.4,
    "longest_gap_of_all": 0.1, "failed_statements": 1, "acknowledged_writes": 1000, "lost_rows": 0, "same_transactions": True, "checksums_agree": True,
    "passed": False,
}  # fmt: skip


@pytest.fixture
def tool(bench_address, tmp_path, monkeypatch):
    monkeypatch.setattr(bench_address, "RECORDS", tmp_path / "records" / "address.jsonl")
    monkeypatch.setattr(bench_address, "PAGE", tmp_path / "address.md")
    bench_address.PAGE.write_text("Before.\n\n<!-- begin runs -->\nstale\n<!-- end runs -->\n\nAfter.\n")
    return bench_address


def rows(made):
    return [line for line in made.splitlines() if line.startswith("| ")][2:]


def test_a_report_is_recorded_once_and_the_page_is_renewed(tool, tmp_path):
    folder = tmp_path / "address"
    folder.mkdir()
    (folder / "address_killed-2.json").write_text(json.dumps(REPORT))
    (folder / "other-1.json").write_text("{}")
    for _again in range(2):
        assert tool.main(["--docs", "--versions", "MySQL 9.7.4, ProxySQL 2.7.1", str(folder)]) == 0
    (line,) = tool.RECORDS.read_text().splitlines()
    assert json.loads(line)["report"] == "address_killed-2"
    page = tool.PAGE.read_text()
    assert page.startswith(
        "Before.\n\n<!-- begin runs -->\nMySQL 9.7.4, ProxySQL 2.7.1, 2026-11-27; after each run all members hold the same.\n"
    )
    assert page.endswith("|\n<!-- end runs -->\n\nAfter.\n") and "stale" not in page
    (folder / "address_killed-3.json").write_text(json.dumps(REPORT))
    tool.main(["--docs", str(folder)])
    assert len(tool.RECORDS.read_text().splitlines()) == 2
    assert "Versions not noted, 2026-11-27" in tool.PAGE.read_text()


def test_a_row_says_median_and_worst_and_adds_up(tool):
    runs = [
        REPORT,
        {
            **REPORT,
            "taken": 0.5,
            "longest_gap": 1.2,
            "failed_statements": 3,
            "lost_rows": 2,
            "split": 0.006,
            "load": [4.6, 12.2],
        },
        {**REPORT, "taken": 0.4, "longest_gap": 0.6},
    ]
    (row,) = rows(tool.table([tool.record(str(number), one) for number, one in enumerate(runs)]))
    assert (
        row == "| process killed | 3 | 0.4 s, 0.5 s | 0.1 s, 0.1 s | 0.6 s, 1.2 s | 5 | 2 of 3000 | 0.006 s | 5 to 12 |"
    )


def test_what_a_report_lacks_is_a_dash_and_an_unknown_kind_is_shown(tool):
    bare = {key: value for key, value in REPORT.items() if key not in ("taken", "split")}
    made = tool.table(
        [
            tool.record("1", {**bare, "work": "address_new"}),
            tool.record("2", {**bare, "work": "address_preempt", "back": 1.5}),
        ]
    )
    assert rows(made) == [
        "| killed and started again, with preemption | 1 | 1.5 s, 1.5 s | 0.1 s, 0.1 s | 0.4 s, 0.4 s | 1 | 0 of 1000 | – | – |",
        "| new | 1 | – | 0.1 s, 0.1 s | 0.4 s, 0.4 s | 1 | 0 of 1000 | – | – |",
    ]


def test_members_that_differ_are_said(tool):
    assert "1 runs after which members differed" in tool.text(
        [tool.record("1", {**REPORT, "checksums_agree": False}), tool.record("2", REPORT)]
    )


def test_versions_of_the_report_count_before_those_that_are_given(tool):
    assert tool.record("1", {**REPORT, "versions": "MySQL 8.4.7"}, "MySQL 9.7.4")["versions"] == "MySQL 8.4.7"


def test_a_page_without_the_marks_is_refused(tool):
    with pytest.raises(ValueError, match="begin runs"):
        tool.plan.renewed("no marks", "table")


def test_a_folder_that_is_none_is_refused(tool, tmp_path, capsys):
    with pytest.raises(SystemExit):
        tool.main([str(tmp_path / "none")])
    assert "FOLDER is" in capsys.readouterr().err


def test_the_page_in_the_docs_is_what_the_records_say(bench_address):
    kept = [json.loads(line) for line in bench_address.RECORDS.read_text().splitlines()]
    page = bench_address.PAGE.read_text()
    assert bench_address.plan.renewed(page, bench_address.text(kept)) == page
