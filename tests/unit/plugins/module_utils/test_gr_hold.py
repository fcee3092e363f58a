# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""group_replication_primary waits for hold_until before it changes anything."""

from __future__ import annotations

import threading
import time

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_actions import Failure
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_primary import PrimaryManager


def test_the_file_ends_the_waiting(tmp_path):
    go = tmp_path / "go"
    timer = threading.Timer(0.2, go.touch)
    timer.start()
    started = time.monotonic()
    PrimaryManager({"timeout": 10}).hold(str(go), started + 10)
    assert 0.1 < time.monotonic() - started < 5


def test_without_the_file_nothing_is_done(tmp_path):
    manager = PrimaryManager({"timeout": 1})
    with pytest.raises(Failure, match=r"after 1 seconds there is no .*go \(hold_until\); nothing was changed"):
        manager.hold(str(tmp_path / "go"), time.monotonic())
    assert not manager.changed
