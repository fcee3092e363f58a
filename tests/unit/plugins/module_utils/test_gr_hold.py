# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""group_replication_primary waits for hold_until before it changes anything."""

from __future__ import annotations

import threading
import time

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import operation
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.primary import Primary
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal


def test_the_file_ends_the_waiting(tmp_path):
    go = tmp_path / "go"
    timer = threading.Timer(0.2, go.touch)
    timer.start()
    started = time.monotonic()
    Primary({"timeout": 10}).hold(str(go))
    assert 0.1 < time.monotonic() - started < 5


def test_without_the_file_nothing_is_done(tmp_path):
    made = Primary({"timeout": 1})
    made.deadline = time.monotonic() - 1
    with pytest.raises(Refusal, match=r"after 1 seconds there is no .*go \(hold_until\); nothing was changed"):
        made.hold(str(tmp_path / "go"))
    assert not made.changed


def test_before_the_file_is_asked_for_the_group_is_asked_with_pauses(monkeypatch):
    """A group that has to settle first is not asked again and again without a rest."""
    steps, pauses, held = ["wait", "wait", "set_primary", "set_primary", "unchanged"], [], []
    made = Primary({"hold_until": "/go", "timeout": 60})
    monkeypatch.setattr(made, "decide", lambda: Decision(steps.pop(0), "", ""))
    monkeypatch.setattr(made, "look", made.decide)
    monkeypatch.setattr(made, "hold", held.append)
    monkeypatch.setattr(made, "act", lambda decision: held.append("act"))
    monkeypatch.setattr(operation.time, "sleep", pauses.append)
    made.work()
    assert held == ["/go", "act"]
    assert pauses == [operation.POLL] * 3, "paused while waiting and after the change, and not after the hold"
