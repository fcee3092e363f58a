# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests on the lab, and which of them run on request only.

Suites are chosen by markers: pytest -m operations tests/integration/operations
"""

from __future__ import annotations

import re

import pytest
from support import Lab


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runs", type=int, default=1, help="how often each application is run, or each fault injected")


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab()


# Tests that take many minutes, or need more than the lab: they run when -m names their marker.
ON_REQUEST = {"airgap", "applications", "browser", "long", "operations"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    named = set(re.findall(r"\w+", config.option.markexpr))
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in ON_REQUEST - named)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
