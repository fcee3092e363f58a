# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of a series: median and worst, and what failed is not hidden."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def series(monkeypatch):
    # Run as a program, it finds its neighbours by itself.
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    spec = importlib.util.spec_from_file_location("failover_series", ROOT / "tools/failover_series.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "versions", lambda: "MySQL 9.7.4, ProxySQL 3.0.6")
    return module


def line(name, gap=None, failed=0, passed=True, lost=0, kind="fault", agree=True):
    made = {"kind": kind, "name": name, "seconds": 70.0, "passed": passed}
    if gap is not None:
        made.update(longest_gap=gap, failed_statements=failed, acknowledged_writes=1000, lost_rows=lost,
                    same_transactions=True, checksums_agree=agree)  # fmt: skip
    return made


def row(text, name):
    return next(one for one in text.splitlines() if one.startswith(f"| `{name}`"))


def test_median_and_worst(series):
    text = series.table(
        [
            dict(line("kill", gap, failed), longest_gap_until_undone=gap, longest_gap_afterwards=gap / 2)
            for gap, failed in ((0.2, 0), (0.9, 4), (0.3, 1))
        ],
        3,
    )
    assert "| 3 of 3 | 0.30 s | 0.90 s | 0.5 s | 0.90 s | 0.45 s | – | 1 | 4 | 3000 | 0 | yes | 70 s |" in row(
        text, "kill"
    )
    assert "3 passed, 0 failed" in text


def test_a_run_without_a_report_and_lost_rows_are_shown(series):
    text = series.table(
        [line("stop", 0.1), line("stop", passed=False), line("stop", 0.2, lost=3, passed=False, agree=False)], 3
    )
    assert "| 1 of 3 |" in row(text, "stop")
    assert "| 2000 | 3 | NO |" in row(text, "stop")
    assert "1 passed, 2 failed" in text


def test_planned_work_has_rows_of_its_own(series):
    text = series.table([line("switch_primary", 0.6, kind="planned")], 1)
    assert "| 1 of 1 | 0.60 s | 0.60 s | 1 s | – | – |" in row(text, "switch_primary")


def test_the_disk_is_that_of_the_worst_gap(series):
    text = series.table(
        [
            dict(line("add_member", gap, kind="planned"), longest_sync_in_gap=sync)
            for gap, sync in ((0.6, 1.5), (1.1, 0.9), (0.7, 0.01))
        ],
        3,
    )
    assert "| 0.70 s | 1.10 s | 1 s | – | – | 900 ms |" in row(text, "add_member")


def test_what_the_machine_did_is_looked_up_by_the_clock_of_the_report(series):
    from machine_watch import Sample

    samples = [Sample(1000.0 + at, 0.0, took, 0.0, 0.0) for at, took in ((1.0, 0.2), (4.0, 0.9), (5.1, 0.01))]
    watch = type("Watch", (), {"samples": samples})
    report = {"origin": 1000.0, "seconds": 9.0, "longest_gap_from": 4.5, "longest_gap": 1.0}
    found = series.beside(report, watch)
    assert found["longest_sync_in_gap"] == 0.9
    assert series.beside(dict(report, longest_gap_from=5.0), watch)["longest_sync_in_gap"] == 0.01
    assert found["longest_sync_in_run"] == 0.9
    assert series.beside({}, watch) == {}


def test_everything_is_made_once_a_round_and_the_mode_is_switched_once(series):
    work = series.Work(None)
    names = [name for names, _mode, _make in series.units(work) for name in names]
    assert sorted(names) == sorted([*series.FAULTS, *series.PLANNED])
    modes = [bool(mode) for _names, mode, _make in series.units(work)]
    assert modes == sorted(modes[:-1]) + [False]
    assert series.units(work)[modes.index(True)][2] == series.units(work)[-1][2] == work.switch_mode


def test_due_counts_the_runs_that_were_made(series, monkeypatch):
    monkeypatch.setattr(
        series, "read", lambda: [line("kill"), line("add_member"), line("remove_member"), line("remove_member")]
    )
    assert not series.due(("kill",), ["kill"], 1)
    assert series.due(("kill",), ["kill"], 2)
    assert series.due(("add_member", "remove_member"), ["add_member", "remove_member"], 2)
    assert not series.due(("add_member", "remove_member"), ["remove_member"], 2)
    assert not series.due(("kill",), ["stop"], 5)
