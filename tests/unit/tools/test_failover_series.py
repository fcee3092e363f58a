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
    text = series.table([line("kill", gap, failed) for gap, failed in ((0.2, 0), (0.9, 4), (0.3, 1))], 3)
    assert "| 3 of 3 passed | 0.30 s | 0.90 s | 0.5 s | 1 | 4 | 3000 | 0 | yes | 70 s |" in row(text, "kill")
    assert "3 passed, 0 failed" in text


def test_a_run_without_a_report_and_lost_rows_are_shown(series):
    text = series.table(
        [line("stop", 0.1), line("stop", passed=False), line("stop", 0.2, lost=3, passed=False, agree=False)], 3
    )
    assert "| 1 of 3 passed |" in row(text, "stop")
    assert "| 2000 | 3 | NO |" in row(text, "stop")
    assert "1 passed, 2 failed" in text


def test_planned_work_has_rows_of_its_own(series):
    text = series.table([line("switch_primary", 0.6, kind="planned")], 1)
    assert "| 1 of 1 passed | 0.60 s | 0.60 s | 1 s |" in row(text, "switch_primary")


def test_every_planned_work_names_a_test_that_exists(series):
    tests = (ROOT / "tests/integration/operations/test_planned.py").read_text()
    assert all(f"def {test}(" in tests for test, _target in series.PLANNED.values())
