# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What most files of this suite begin with."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def converged(lab):
    """One group as the inventory has it, whatever the file before left: so no file cleans up for the next one."""
    lab.up()
    run = lab.site()
    assert run.code == 0, run
    lab.one_group()
