# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks' tools are programs, not parts of the collection's Python packages: they are loaded by path."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

FILES = Path(__file__).resolve().parents[3] / "bench"


def load(name, folder="failover"):
    spec = importlib.util.spec_from_file_location(f"bench_{name}", FILES / folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def report_tool():
    return load("failover_report")


@pytest.fixture(scope="session")
def load_tool():
    pytest.importorskip("pymysql")
    return load("load")


@pytest.fixture(scope="session")
def watch_tool():
    pytest.importorskip("pymysql")
    return load("watch")


@pytest.fixture(scope="session")
def judge():
    return load("judge", "anomalies")


@pytest.fixture(scope="session")
def plan():
    return load("plan", "chaos")


@pytest.fixture
def bench_address():
    return load("address", ".")


@pytest.fixture
def bench_alerts():
    return load("alerts", "alerts")


@pytest.fixture(scope="session")
def backup_report():
    return load("report", "backup")


@pytest.fixture(scope="session")
def growth():
    return load("growth", "growth")
