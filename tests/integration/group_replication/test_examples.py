# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the modules' documentation, run as they stand there: only the addresses and the group name are the lab's."""

from __future__ import annotations

import ast
import os

import pytest
import yaml
from support import ROOT

pytestmark = [
    pytest.mark.members,
    pytest.mark.skipif("GR_MYSQLD_ROOT" in os.environ, reason="the examples are written for hosts with an inventory"),
    pytest.mark.integration,
    pytest.mark.claim("The examples in the modules' documentation run as they are written."),
]


def examples(module: str) -> str:
    """The EXAMPLES of a module, without running it."""
    tree = ast.parse((ROOT / "plugins" / "modules" / f"{module}.py").read_text())
    values = {node.targets[0].id: node.value for node in tree.body if isinstance(node, ast.Assign)}
    return ast.literal_eval(values["EXAMPLES"])


@pytest.fixture
def run_examples(lab, group, tmp_path):
    """Run a module's examples on some hosts; the recap's numbers of the run."""

    def run(module: str, *hosts: str) -> dict:
        text = examples(module).replace("8f22f846-9922-4139-b2b7-097d185a93cb", group.backend.group_name)
        for number, member in enumerate(lab.members):
            text = text.replace(f"192.0.2.{130 + number}", lab.address(member))
        assert "192.0.2." not in text
        playbook = tmp_path / "examples.yml"
        playbook.write_text(
            yaml.safe_dump([{"hosts": "mysql_gr", "gather_facts": False, "tasks": yaml.safe_load(text)}])
        )
        done = lab.site("--limit", ",".join(hosts or lab.members), playbook=str(playbook))
        assert done.code == 0, done
        return done.recap

    return run


def test_bootstrap(group, run_examples):
    """Nothing to do, leave, and back by the last example."""
    assert run_examples("group_replication_bootstrap", "db2")["db2"]["changed"] == 2
    group.is_one_group()


def test_info(run_examples):
    assert run_examples("group_replication_info")["db0"] == {"ok": 3, "changed": 0, "unreachable": 0, "failed": 0}


def test_fence(group, run_examples):
    recap = run_examples("group_replication_fence")
    assert [recap[name]["changed"] for name in group.names] == [2, 2, 2]
    group.insert(0, "after the fence")
    group.is_one_group()


def test_primary(group, run_examples):
    module = {"module": "distdb.mysql_ha.group_replication_primary", "bootstrap_options": False}
    try:
        assert run_examples("group_replication_primary")["db0"]["changed"] == 2
        seen = group.call("db0", mode="single_primary", primary=group[0].address, check=True, **module)
        assert seen["db0"]["decision"] == "unchanged"
    finally:
        result = group.call("db0", mode="multi_primary", **module)
    assert result["db0"]["decision"] == "switch_multi"
    group.is_one_group()


def test_force_quorum(group, run_examples):
    """In a group that has quorum the example changes nothing."""
    assert run_examples("group_replication_force_quorum", "db0")["db0"]["changed"] == 0
    group.is_one_group()
