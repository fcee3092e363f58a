# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/versions.py: what is due, what is kept, and what the table says of it."""

from __future__ import annotations

import argparse
import json
import time

import pytest


@pytest.fixture
def versions(tool):
    return tool("versions")


def line(step="site", passed=True, text="47 s", **more):
    return {
        "mysql": "8.4.8", "suite": "trixie", "proxysql": "2.7.1", "writers": "all", "step": step, "passed": passed,
        "text": text, "at": 1795651200, **more,
    }  # fmt: skip


def test_the_table_says_what_passed_what_failed_and_what_was_not_run(versions):
    head, _rule, row = versions.table([line(), line("outage", False, "exit 2\nof | recover")]).splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:3] == ["8.4.8", "trixie", "2.7.1"] and len(cells) == head.count("|") - 1
    assert cells[3].endswith(": 47 s") and cells[4].endswith("**failed**: exit 2 of / recover")
    assert cells[5:] == ["not run"] * (len(versions.STEPS) - 2)


def test_the_short_table_has_days_only(versions):
    row = versions.table([line(), line("outage", False, "exit 2")], versions.in_short).splitlines()[2]
    assert row.split("|")[4:6] == [" 2026-11-26 ", " **failed** 2026-11-26 "]


def test_upgrades_are_told_apart_by_who_writes(versions):
    row = versions.table([line("upgrade"), line("upgrade", writers="primary")]).splitlines()[2]
    assert "(`all`)" in row and "(`primary`)" in row


@pytest.mark.parametrize(("second", "found"), [(9.0, ""), (11.5, "Drain"), (12.5, "Leave"), (99.0, "Leave")])
def test_a_gap_is_in_the_task_that_had_begun(versions, second, found):
    log = "".join(
        f"2026-11-26 08:00:{at},000 p=7 u=root n=ansible INFO| {text}\n"
        for at, text in ((10, "PLAY [x] ***"), (11, "TASK [Drain] ***"), (12, "TASK [Leave] ***"), (13, "ok: [db0]"))
    )
    start = time.mktime(time.strptime("2026-11-26 08:00:00", "%Y-%m-%d %H:%M:%S"))
    assert versions.task_at(log, start + second) == found


@pytest.mark.parametrize(
    ("version", "found"), [("8.0.30", "8.0"), ("8.4.8+repack1", "8.4"), ("9.7.4", "9.7"), ("9.3.0", "innovation")]
)
def test_the_series_is_that_of_the_package_repository(versions, version, found):
    assert versions.series(version) == found


@pytest.fixture
def made(versions, monkeypatch, tmp_path):
    """A combination whose steps are told what comes of them."""
    monkeypatch.setattr(versions, "CACHE", tmp_path)

    class Made(versions.Combination):
        outcome: list[Exception] = []

        def __init__(self):
            self.version, self.suite, self.proxysql, self.writers, self.figures = "8.4.8", "sid", "", "all", {}
            self.folder = "packages"

        def installed(self):
            return ["9.7.4"] * 3

        def site(self):
            for problem in self.outcome:
                raise problem
            return "47 s"

        def upgrade(self):
            self.figures = {"to": "9.7.4", "upgrade to 9.7.4": upgraded()}
            return self.site()

    return Made()


@pytest.mark.parametrize(("folder", "shown"), [("packages", "8.4.8"), ("distribution", "9.7.4")])
def test_a_row_has_the_version_that_ran(versions, made, folder, shown):
    made.folder = folder
    versions.cell(made, "site")
    assert versions.results()[0]["mysql"] == shown


def upgraded(**more):
    return {"gap": 0.8, "failed": 0, "statements": 20000, "lost": 0, "seconds": 201.4, **more}


def options(again=False, runs=1):
    return argparse.Namespace(again=again, runs=runs)


def test_an_upgrade_is_made_several_times_and_all_of_its_runs_are_told(versions, made):
    name = made.name("upgrade")
    versions.cell(made, "upgrade")
    assert [versions.missing(name, "upgrade", options(again, runs)) for again, runs in ((0, 1), (0, 3), (1, 3))] == [
        0,
        2,
        3,
    ]
    made.outcome = [versions.Failed("no server")]
    with pytest.raises(versions.Failed):
        versions.cell(made, "upgrade")
    assert versions.missing(name, "upgrade", options(runs=3)) == 2
    made.outcome = []
    versions.cell(made, "upgrade")
    [row] = versions.table(versions.results()).splitlines()[2:]
    assert "to 9.7.4, 2 runs in 201 to 201 s" in row and "0 of 40000 statements failed" in row
    assert "longest gaps 0.80, 0.80 s" in row and "; **failed**: no server" in row


def test_a_cell_that_passed_is_kept(versions, made):
    versions.cell(made, "site")
    assert not versions.missing(made.name("site"), "site", options()) and versions.results()[0]["text"] == "47 s"


@pytest.mark.parametrize("kind", ["Failed", "AssertionError"])
def test_a_cell_that_failed_is_kept_and_is_due_again(versions, made, kind):
    outcome = getattr(versions, kind, AssertionError)("changed db0: x")
    made.outcome = [outcome]
    with pytest.raises(versions.Failed, match=str(outcome)):
        versions.cell(made, "site")
    assert versions.missing(made.name("site"), "site", options())
    assert json.loads((versions.CACHE / f"{made.name('site')}.json").read_text())["text"] == str(outcome)
