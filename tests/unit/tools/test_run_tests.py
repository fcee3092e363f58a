# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tools/run_tests.py: what runs beside another suite is counted, and no failure of it is lost."""

from __future__ import annotations

import os
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


def test_make_test_leaves_no_suite_out(tool, monkeypatch):
    """Every suite of tests/ runs, in the lab, in the second lab or without one."""
    module = tool("run_tests")
    ran = []

    class Recorder(module.Tally):
        def pytest(self, name, *arguments, inside=False):
            ran.append((arguments[0], *arguments[1:3]))

        def command(self, name, command):
            ran.append((os.environ.get("LAB_NAME"), *command[:1]))

        def add(self, name, process, log):
            process.wait()

    monkeypatch.setattr(module, "live_group", lambda: [])
    monkeypatch.setattr(
        module,
        "beside",
        lambda log, temporary, stream: (ran.append(stream), subprocess.Popen([sys.executable, "-c", ""]))[1],
    )
    monkeypatch.setenv("TESTS_BESIDE", "")  # which it sets
    module.everything(Recorder())
    for stream, names in module.BESIDE.items():
        assert stream in ran
        for name in names:
            module.SUITES[name](Recorder())
    on_request = {"tests/integration/operations", "tests/integration/failover",
                  "tests/integration/airgap", "tests/integration/status", "tests/outside"}  # fmt: skip
    folders = {f"tests/{name}" for name in ("lab", "unit", "conformance", "testinfra", "outside")}
    folders |= {
        str(path.relative_to(ROOT)) for path in (ROOT / "tests/integration").iterdir() if list(path.glob("test_*.py"))
    }
    assert {entry[0] for entry in ran if str(entry[0]).startswith("tests/")} == folders - on_request
    assert ("tests/conformance", "-m", "members") in ran and ("tests/conformance", "-m", "not members") in ran
    steps = ("lab/up", "ansible-playbook", "lab/down")
    for name in ("members", "applications"):
        assert [entry[1] for entry in ran if entry[0] == name and entry[1] in steps] == list(steps)
    assert "LAB_NAME" not in os.environ
