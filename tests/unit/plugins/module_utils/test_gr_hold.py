# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""group_replication_primary waits for hold_until before it changes anything."""

from __future__ import annotations

import threading
import time

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils import gr_primary
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_decision import Decision
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
    with pytest.raises(Refusal, match=r"after 1 seconds there is no .*go \(hold_until\); nothing was changed"):
        manager.hold(str(tmp_path / "go"), time.monotonic())
    assert not manager.changed


def test_before_the_file_is_asked_for_the_group_is_asked_with_pauses(monkeypatch):
    """A group that has to settle first is not asked again and again without a rest."""
    steps, pauses = ["wait", "wait", "set_primary", "unchanged"], []

    class Cluster:
        me, members = "db0:3306", ["db0:3306"]

        def gather(self):
            return {}

    manager = PrimaryManager(
        {"members": ["db0"], "primary": "db0", "hold_until": "/go", "timeout": 60, "peer_connect_timeout": 3}
    )
    monkeypatch.setattr(gr_primary, "open_cluster", lambda params, recorder: (Cluster(), {}, None))
    monkeypatch.setattr(gr_primary, "close_cluster", lambda cluster: None)
    monkeypatch.setattr(gr_primary, "decide_primary", lambda *args: Decision(steps.pop(0), "", "", {}, False))
    monkeypatch.setattr(gr_primary.time, "sleep", pauses.append)
    for name in ("snapshot", "result", "hold"):
        monkeypatch.setattr(manager, name, lambda *args: {})
    manager.run()
    assert pauses == [gr_primary.POLL] * 2, "paused while waiting, and not after the hold"
