# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/run_tests.py: what runs beside another suite is counted, and no failure of it is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the tools are no part of the collection")


@pytest.mark.parametrize(
    ("script", "passed", "failed", "skipped"),
    [
        ("print('3 passed, 0 failed, 2 skipped')", 3, 0, 2),
        ("print('3 passed, 1 failed'); raise SystemExit(1)", 3, 1, 0),
        ("print('3 passed, 0 failed'); raise SystemExit(1)", 3, 1, 0),
        ("print('Traceback'); raise SystemExit(1)", 0, 1, 0),
        ("", 0, 1, 0),
    ],
)
def test_counts_of_a_run_beside(tool, tmp_path, script, passed, failed, skipped):
    tally = tool("run_tests").Tally()
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-c", script], stdout=output)
    tally.add("beside", process, log)
    assert (tally.passed, tally.failed, tally.skipped) == (passed, failed, skipped)


def test_make_test_leaves_no_suite_out(tool):
    """Every test that needs no lab runs beside; every suite of the lab runs by itself."""
    module = tool("run_tests")
    ran = []

    class Recorder(module.Tally):
        def pytest(self, name, *arguments, inside=False):
            ran.append((name, *arguments[1:3]))

        def command(self, name, command):
            pass

        def add(self, name, process, log):
            process.wait()

    module.live_group = lambda: []
    module.beside = lambda log, *names: (ran.append(names), subprocess.Popen([sys.executable, "-c", ""]))[1]
    module.everything(Recorder())
    assert [entry[0] for entry in ran if isinstance(entry[0], str) and "/" in entry[0]] == module.LAB_SUITES
    assert ("tests/conformance", "-m", "members") in ran
    assert ("lint", "unit", "conformance") in ran
