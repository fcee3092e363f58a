# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let plain pytest import this checkout as ansible_collections.distdb.mysql_ha.

The `ansible` package brings an `ansible_collections` package of its own; this checkout is put
in front of it, so that what is tested is the working tree. Under ansible-test, whose loader
already knows the collection, the import below finds the same files.
"""

from __future__ import annotations

import os
import sys
import types

from hypothesis import settings

# In CI the same examples every time, so that a run says something about the change; elsewhere new ones, which find more.
settings.register_profile("ci", derandomize=True, deadline=None)
# A busy machine takes its time; that is no fault of the code under test.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")
# ansible-test does not pass CI on, and is run for the same reason.
if os.environ.get("CI") or "ANSIBLE_TEST_ANSIBLE_LIB_ROOT" in os.environ:
    settings.load_profile("ci")

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# A checkout has a link that gives it its collection name; a copy may stand at that place already.
COLLECTIONS = os.path.join(ROOT, "collections", "ansible_collections")
if not os.path.isdir(COLLECTIONS):
    COLLECTIONS = os.path.dirname(os.path.dirname(ROOT))

# ansible-test does not put the folders of tests on the path, as pytest does; helpers stand beside the tests that use them.
sys.path[:0] = [os.path.join(HERE, "plugins", "module_utils"), os.path.dirname(HERE)]

try:
    import ansible_collections
except ImportError:
    ansible_collections = types.ModuleType("ansible_collections")
    ansible_collections.__path__ = []
    sys.modules["ansible_collections"] = ansible_collections

if os.path.basename(COLLECTIONS) == "ansible_collections" and COLLECTIONS not in list(ansible_collections.__path__):
    ansible_collections.__path__ = [COLLECTIONS] + list(ansible_collections.__path__)


def pytest_configure(config):
    """The markers of pyproject.toml that these tests have: ansible-test does not read that file."""
    config.addinivalue_line("markers", "unit: needs nothing")
    config.addinivalue_line("markers", "claim(text, minutes): what a file or test proves")
