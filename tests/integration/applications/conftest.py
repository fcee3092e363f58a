# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applications that know nothing of the cluster, connected to the proxy with the application's ordinary account."""

from __future__ import annotations

import pytest
from applications import Client


@pytest.fixture
def runs(request) -> int:
    return request.config.getoption("--runs")


@pytest.fixture(scope="session")
def client(lab, tmp_path_factory) -> Client:
    return Client(lab, tmp_path_factory.mktemp("applications"))
