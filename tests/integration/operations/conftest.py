# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests of this folder need a converged lab and many minutes: they run on request only.

python -m pytest -m operations tests/integration/operations

Each run under load leaves a report in .cache/planned (DISTDB_REPORTS names another directory).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import ROOT, Run
from support_load import DIRECTORY, Load

REPORTS = Path(os.environ.get("DISTDB_REPORTS", ROOT / ".cache/planned"))


@pytest.fixture
def under_load(lab, request):
    """Runs a playbook under load; called with its name and arguments, gives the run. Fails if a statement did. first: what happens before it under
    the same load; options: of the load."""
    running = []

    def work(
        playbook: str, *arguments: str, name: str = "", password: str | None = None, also=(), first=None, options=()
    ) -> Run:
        load = Load(lab, name or Path(playbook).stem, REPORTS)
        running.append(load)
        load.start(password, options)
        if first:
            first()
        run = lab.site(*arguments, playbook=playbook, timeout=1800)
        assert run.code == 0, run
        report = load.finish(run.seconds, also)
        assert report["passed"], report
        return run

    yield work
    for load in running:
        load.stop()
    lab.on("proxy", "rm", "-rf", DIRECTORY)
