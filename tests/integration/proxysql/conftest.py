# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ProxySQL modules against real admin interfaces on loopback.

Always the stand-in of the lab; with LAB_PROXYSQL_BIN (a program) the same tests on that one too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "conformance")]

import ansible_collections  # noqa: E402

# This checkout in front of the ansible package's own collections.
COLLECTIONS = str(HERE.parents[2] / "collections" / "ansible_collections")
if COLLECTIONS not in list(ansible_collections.__path__):
    ansible_collections.__path__ = [COLLECTIONS, *ansible_collections.__path__]

import targets  # noqa: E402
from px_module import Modules  # noqa: E402


def pytest_generate_tests(metafunc):
    if "px_kind" in metafunc.fixturenames:
        kinds = ["standin"] + ["proxysql"] * bool(os.environ.get("LAB_PROXYSQL_BIN"))
        metafunc.parametrize("px_kind", kinds, scope="session")


@pytest.fixture(scope="session")
def px_process(px_kind):
    proxy = targets.standin() if px_kind == "standin" else targets.program(os.environ["LAB_PROXYSQL_BIN"])
    yield proxy
    proxy.stop()


@pytest.fixture
def proxy(px_process):
    px_process.clear()
    yield px_process
    px_process.close()


@pytest.fixture
def modules(proxy):
    made = Modules(proxy)
    yield made
    for output in made.outputs:
        assert proxy.password not in output, "a password stands in a module's output"
