# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run in check mode means to what starts playbooks by itself."""

from __future__ import annotations

import json

import pytest
from ansible_collections.distdb.mysql_ha.plugins.filter.ops_rehearsal import ops_rehearsal


def output(changed=(), hosts=None, before="", after=""):
    """What ansible.posix.json prints."""
    seen = {
        "custom_stats": {},
        "global_custom_stats": {},
        "plays": [{"play": {"name": "p"}, "tasks": []}, {"play": {"name": "q"}, "tasks": [{"hosts": hosts or {}, "task": {"name": "t"}}]}],
        "stats": {f"db{number}": {"changed": count, "failures": 0} for number, count in enumerate(changed)},
    }  # fmt: skip
    return before + json.dumps(seen, indent=4, sort_keys=True) + "\n" + after


@pytest.mark.parametrize(
    ("changed", "outcome", "why"),
    [
        ((0, 0, 0), "nothing", "nothing would change"),
        ((0, 1, 0), "changes", "1 task would change something"),
        ((2, 1), "changes", "3 tasks would change something"),
        ((), "nothing", "nothing would change"),
    ],
)
def test_changes_are_counted_on_all_hosts(changed, outcome, why):
    assert ops_rehearsal({"rc": 0, "stdout": output(changed)}) == {"outcome": outcome, "why": why}


def test_other_callbacks_may_print_around_it():
    text = output((1,), before="Friday {0:00:00.1} ***\n", after="TASKS RECAP\n{{ item }} ---- 1.0s\n")
    assert ops_rehearsal({"rc": 0, "stdout": text})["outcome"] == "changes"


@pytest.mark.parametrize(
    ("hosts", "why"),
    [
        ({"db0": {"changed": True}, "db1": {"failed": True, "msg": "no\nmajority"}, "db2": {"failed": True, "msg": "b"}}, "no majority"),
        ({"db1": {"unreachable": True, "msg": "no route"}}, "no route"),
        ({"db1": {"failed": True}}, "recover in check mode ended with 2"),
        ({}, "recover in check mode ended with 2"),
    ],
)  # fmt: skip
def test_a_run_that_failed_is_a_refusal_whatever_it_would_have_changed(hosts, why):
    assert ops_rehearsal({"rc": 2, "stdout": output((4,), hosts)}) == {"outcome": "refused", "why": why}


@pytest.mark.parametrize(
    "command",
    [
        {"rc": 0, "stdout": ""},
        {"rc": 0, "stdout": "PLAY RECAP\ndb0 : ok=1 changed=1"},
        {"rc": 0, "stdout": output((1,))[:-30]},
        {"rc": 0, "stdout": '{\n"plays": []}'},
        {"rc": 250, "stdout": "ERROR! no such callback"},
        {"msg": "ansible was not found"},
    ],
)
def test_what_cannot_be_read_is_a_refusal(command):
    found = ops_rehearsal(command)
    assert (
        found["outcome"] == "refused"
        and "is no JSON" in found["why"]
        and str(command.get("rc", "no result")) in found["why"]
    )
