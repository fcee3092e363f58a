# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests of this folder need a converged lab and a browser, and import what drives it: on request only.

lab/enter python -m pytest -m browser tests/integration/failover
"""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    wanted = "browser" in config.option.markexpr
    return True if collection_path.name.startswith("test_") and not wanted else None
