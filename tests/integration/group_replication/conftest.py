# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three real servers for the scenarios, and the checks on all of them afterwards."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import ansible_collections  # noqa: E402
from gr_backends import LabBackend, LocalBackend  # noqa: E402
from gr_scenario import Group  # noqa: E402

# This checkout in front of the ansible package's own collections.
COLLECTIONS = str(HERE.parents[2] / "collections" / "ansible_collections")
if COLLECTIONS not in list(ansible_collections.__path__):
    ansible_collections.__path__ = [COLLECTIONS, *ansible_collections.__path__]


def pytest_collection_modifyitems(items):
    """These need a converged cluster, so they run after the tests that make one."""
    items.sort(key=lambda item: str(item.fspath).startswith(str(HERE)))


@pytest.fixture(scope="session")
def backend(request):
    """Local processes when GR_MYSQLD_ROOT names a tree with mysqld in it, else the lab."""
    root = os.environ.get("GR_MYSQLD_ROOT")
    made = LocalBackend(root) if root else LabBackend(request.getfixturevalue("lab"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def session_group(backend):
    """The servers, blanked once."""
    group = Group(backend)
    group.blank()
    return group


@pytest.fixture
def blank(session_group):
    """Three fresh servers in no group."""
    session_group.blank()
    return session_group


@pytest.fixture
def group(session_group):
    """Three ONLINE members with a table."""
    session_group.formed()
    return session_group
