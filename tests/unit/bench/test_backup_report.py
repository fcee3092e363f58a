# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bench/backup says of its records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "A lost row, a member that differs, or a listed backup that cannot be restored is seen in the report of backups."
    ),
]

LOAD = {"acknowledged": 900, "failed": 0, "gap": 0.4, "lost": 0, "same": True}
FULL = {
    "step": "full",
    "load": [1.0, 2.0],
    "before": LOAD,
    "during": LOAD,
    "made": {
        "bytes": {"data": 10_000_000_000, "stored": 5_000_000_000},
        "seconds": {"copy": 50.0, "prepare": 10.0, "store": 60.0, "all": 120.0},
    },
}
FLOOR = {"step": "floor", "load": [1.0, 2.0], "copy": 40.0, "compress": 60.0, "bytes": 4_000_000_000}
RESTORE = {
    "step": "restore",
    "load": [1.0, 2.0],
    "online": 150.0,
    "playbook": 400.0,
    "rows": [7, 7, 7],
    "wanted": 7,
    "tasks": ["Restore 130.0s", "Make a full backup at once 90.55s"],
}
DROP = {
    "step": "fatal_drop",
    "load": [1.0, 2.0],
    "acknowledged": 500,
    "missing": 0,
    "unknown": 0,
    "same": True,
    "seconds": 90.0,
}
CUT = {"step": "source_off", "load": [1.0, 2.0], "problems": [], "left_over": 0, "ended_before": False}
REPLAY = {
    "step": "replay",
    "load": [1.0, 2.0],
    "same": True,
    "transactions": 1000,
    "by_hand": 20.0,
    "seconds": {"apply": 8.0, "look through": 2.0},
}
DRILL = {"step": "drill", "load": [1.0, 2.0], "ok": True, "playbook": 40.0}
WELL = [
    {**run, "size": 10}
    for run in (FULL, FLOOR, RESTORE, {**RESTORE, "step": "by_hand", "online": 100.0}, DROP, CUT, REPLAY, DRILL)
]


def test_what_is_well_is_not_bad(backup_report):
    assert not any(map(backup_report.bad, WELL))


@pytest.mark.parametrize(
    ("run", "change"),
    [
        (FULL, {"during": {**LOAD, "lost": 1}}),
        (FULL, {"during": {**LOAD, "same": False}}),
        (RESTORE, {"rows": [7, 7, 6]}),
        (RESTORE, {"rows": [6, 6, 6]}),
        (DROP, {"missing": 1}),
        (DROP, {"unknown": 1}),
        (DROP, {"same": False}),
        (CUT, {"problems": ["piece-0001 is missing"]}),
        (CUT, {"left_over": 1}),
        (REPLAY, {"same": False}),
        (DRILL, {"ok": False}),
    ],
)
def test_what_must_not_be_is_bad(backup_report, run, change):
    assert backup_report.bad({**run, **change})


def test_the_tables_compare_with_what_is_done_by_hand(backup_report):
    page = backup_report.page(WELL)
    assert "| 120.0 s | 100.0 s: cp -a 40.0 s, tar and zstd 60.0 s | 1.20 |" in page
    assert "at the end of the restore below | 90.55 s | 100.0 s | 0.91 |" in page
    assert "| bytes in the place | 5.00 GB | 4.00 GB | 1.25 |" in page
    assert "| 150.0 s | 100.0 s | 1.50 |" in page
    assert "| 10.0 s, 100/s | 20.0 s, 50/s | 0.50 |" in page
    assert "| 1 | 90.0 s, 90.0 s | 0 of 500 acknowledged rows are missing" in page


def test_of_a_step_that_was_made_again_the_newest_counts(backup_report):
    assert "| 60.0 s | 100.0 s" in backup_report.page(
        [*WELL, {**FULL, "size": 10, "made": {**FULL["made"], "seconds": {"all": 60.0}}}]
    )


def test_what_was_measured_with_other_data_is_in_a_table_of_its_own(backup_report):
    small = {**FULL, "size": 0.5, "made": {**FULL["made"], "seconds": {"all": 7.5}}}
    page = backup_report.page([*WELL, small, {**FLOOR, "size": 0.5, "copy": 2.0, "compress": 3.0}])
    large, _mark, rest = page.partition("SIZE=0.5, the place by SFTP:")
    assert large.startswith("SIZE=10, the place by SFTP:") and "| 120.0 s | 100.0 s" in large
    assert "| 7.5 s | 5.0 s: cp -a 2.0 s, tar and zstd 3.0 s | 1.50 |" in rest and "restore onto" not in rest
    other = backup_report.page([*WELL, {**FULL, "size": 10, "place": "webdav"}])
    assert other.index("SIZE=10, the place by WebDAV without TLS:") < other.index("SIZE=10, the place by SFTP:")


def test_the_page_in_the_docs_is_what_the_records_say(backup_report, plan):
    root = Path(__file__).resolve().parents[3]
    kept = [json.loads(line) for line in (root / "bench/records/backup.jsonl").read_text().splitlines()]
    page = (root / "docs/measurements/backup.md").read_text()
    assert plan.renewed(page, backup_report.page(kept)) == page
