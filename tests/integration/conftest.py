# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests on the lab."""

from __future__ import annotations

import pytest
from support import Lab


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab()
