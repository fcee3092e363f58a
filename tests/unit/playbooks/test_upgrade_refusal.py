# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rolling_upgrade's task that refuses: whose words it has, with the results that a member, the lead and a host without a turn have."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from support_plays import by_case, run_plays

ROOT = Path(__file__).resolve().parents[3]
NAME = "Refuse what the newer server would not take"
CHECKED = {"checked": ["options"], "problems": [], "notes": ["a", "b"]}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What Ansible prints, by case: the task alone, in a play on this machine."""
    plays = yaml.safe_load((ROOT / "playbooks/rolling_upgrade.yml").read_text())
    task = next(task for play in plays for task in play.get("tasks", []) if task["name"] == NAME)
    cases = {
        "a member": ({"results": [{"item": "proxy", "skipped": True}]}, {"localhost": "9.7.4"}, CHECKED),
        "the lead": ({"results": [{"item": "proxy", "proxysql_version": "2.7.1-1"}]}, {"localhost": "8.4.8-1"}, CHECKED),
        "the lead without a turn": ({"results": [{"item": "proxy", "proxysql_version": "2.7.1-1"}]}, {"db1": "8.4.8-1"}, {"skipped": True}),
        "nothing to do": ({"skipped": True}, {}, {"skipped": True}),
        "a pair": ({"results": [{"item": "proxy", "proxysql_version": "2.7.1-1"}]}, {"localhost": "9.7.4-2"}, {**CHECKED, "problems": ["x in y"]}),
    }  # fmt: skip
    book = [
        {
            "name": f"case {name}.", "hosts": "localhost", "gather_facts": False, "connection": "local", "tasks": [{**task, "ignore_errors": True}],
            "vars": {"operations_plan_now": {"to": to}, "operations_upgrade_check": seen, "operations_proxy_versions": proxies},
        }
        for name, (proxies, to, seen) in cases.items()
    ]  # fmt: skip
    return by_case(run_plays(tmp_path_factory.mktemp("upgrade"), book, hosts="localhost,proxy,"))


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("a member", "localhost: nothing stands against it. Checked: options. Note: a. Note: b."),
        ("the lead", "Checked: options, proxy. Note: a."),
        ("the lead without a turn", "nothing stands against it. Checked: proxy."),
        ("nothing to do", "skipping: [localhost]"),
        ("a pair", "localhost: x in y. ProxySQL 2.7.1 does not work with Group Replication of MySQL 9.7.4"),
        ("a pair", "Nothing was changed."),
    ],
)
def test_what_is_said(said, case, words):
    assert words in said[case]
