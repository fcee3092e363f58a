# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin that lets the module work in turns."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.distdb.mysql_ha.plugins.action import group_replication_bootstrap as plugin


class Turns(plugin.ActionModule):
    """Answers as the module would, and notes what it is given."""

    def __init__(self, options, answers, check_mode=False, async_val=0):
        self._task = SimpleNamespace(args=options, check_mode=check_mode, async_val=async_val)
        self.answers = list(answers)
        self.given = []

    def _execute_module(self, **given):
        self.given.append(given)
        return self.answers.pop(0)


@pytest.fixture
def run(monkeypatch):
    shown = []
    monkeypatch.setattr(plugin.ActionBase, "run", lambda self, tmp, task_vars: {})
    monkeypatch.setattr(plugin.display, "display", lambda text, **where: shown.append((text, where)))
    clock = iter(range(0, 1000, 7))
    monkeypatch.setattr(plugin.time, "monotonic", lambda: float(next(clock)))

    def go(*arguments, **more):
        made = Turns(*arguments, **more)
        return made.run(task_vars={"inventory_hostname": "db2"}), made.given, shown

    return go


def turn(text, **state):
    return {"changed": True, "progress": text, "timeout": 300, "turn": state}


def test_turns_follow_one_another_until_the_module_has_ended(run):
    answers = [
        turn("RECOVERING: 9 of 9 left", most_left=9),
        turn("RECOVERING: 4 of 9 left", most_left=9),
        {"changed": True},
    ]
    result, given, shown = run({"timeout": 300, "group_name": "g"}, answers)
    assert result == {"changed": True}
    assert [one["module_args"]["turn"] for one in given] == [
        {"seconds": 10},
        {"most_left": 9, "seconds": 10, "left": 293.0},
        {"most_left": 9, "seconds": 10, "left": 286.0},
    ]
    assert all(one["module_args"]["group_name"] == "g" for one in given)
    assert shown == [
        ("[db2] RECOVERING: 9 of 9 left (7 s)", {"stderr": True}),
        ("[db2] RECOVERING: 4 of 9 left (14 s)", {"stderr": True}),
    ]


def test_a_failure_ends_it(run):
    result, given, _shown = run({"progress": 1}, [turn("a"), {"failed": True, "msg": "refused", "turn": {}}])
    assert result["failed"] and len(given) == 2


@pytest.mark.parametrize(
    ("options", "task"),
    [({"progress": 0}, {}), ({"progress": "often"}, {}), ({}, {"check_mode": True}), ({}, {"async_val": 60})],
)
def test_the_module_runs_in_one_piece_where_nothing_can_be_reported(run, options, task):
    _result, given, shown = run(options, [{"changed": False}], **task)
    assert [one.get("module_args") for one in given] == [None]
    assert shown == []
