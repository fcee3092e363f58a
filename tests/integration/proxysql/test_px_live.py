# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""proxysql_hostgroup on the lab's proxy, with servers that a live group and the monitor place: every operation in every way."""

from __future__ import annotations

import json

import pytest
import yaml

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim("The ProxySQL modules work on a proxy whose monitor moves the servers of a live group."),
]

LOAD, SAVE = "LOAD MYSQL SERVERS TO RUNTIME", "SAVE MYSQL SERVERS TO DISK"
MODULE = "distdb.mysql_ha.proxysql_hostgroup"
# Ways: what comes before, and which layers each of these tasks changes. After each step the same task again: nothing.
WAYS = {
    "normal": [({}, "memory runtime disk")],
    "memory only": [({"load_to_runtime": False, "save_to_disk": False}, "memory"), ({}, "runtime disk")],
    "delayed save": [({"save_to_disk": False}, "memory runtime"), ({}, "disk")],
}


@pytest.fixture(scope="module")
def live(lab):
    lab.up()
    run = lab.site()
    assert run.code == 0, run
    yield lab
    run = lab.site("--limit", "proxy")
    assert run.code == 0, run


def play(lab, folder, tasks) -> list:
    """Run module calls on the proxy host; their results."""
    book = folder / "play.yml"
    login = {"login_user": "admin", "login_password": "{{ proxysql_admin_password }}"}
    defaults = {"group/distdb.mysql_ha.proxysql": login}
    book.write_text(
        yaml.safe_dump([{"hosts": "proxysql", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}])
    )
    done = lab.command(
        "ansible-playbook", "-i", "inventories/lab", str(book), check=False,
        ANSIBLE_STDOUT_CALLBACK="ansible.posix.json", ANSIBLE_CALLBACKS_ENABLED="ansible.posix.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]
    found = json.loads(done.stdout[done.stdout.index("{\n") :])
    return [next(iter(task["hosts"].values())) for task in found["plays"][0]["tasks"]]


@pytest.mark.parametrize("way", WAYS)
def test_create_change_and_remove(live, tmp_path, way):
    group = {
        "writer_hostgroup": 2, "backup_writer_hostgroup": 4, "reader_hostgroup": 3, "offline_hostgroup": 1,
        "max_writers": 3, "writer_is_also_reader": 1, "max_transactions_behind": 100, "exclusive": True,
    }  # fmt: skip
    servers = [{"hostname": live.address(member)} for member in live.members]
    absent = {"writer_hostgroup": 2, "state": "absent"}
    changed = dict(group, comment="changed", servers=[dict(servers[0], weight=7), *servers[1:]])
    tasks, wanted = [], []

    def call(arguments, layers, check=False):
        tasks.append({MODULE: arguments, "check_mode": check})
        wanted.append(set(layers.split()))

    for wish in (absent, dict(group, servers=servers), changed, dict(changed, servers=servers[:2])):
        for options, layers in WAYS[way]:
            call({**wish, **options}, layers, check=True)
            call({**wish, **options}, layers)
            call({**wish, **options}, "")
        if wish is not absent:
            tasks.append({"distdb.mysql_ha.proxysql_hostgroup_info": {"wait_placed": 60}})
            wanted.append(None)
    results = play(live, tmp_path, tasks)
    assert len(results) == len(wanted)
    for number, (result, layers) in enumerate(zip(results, wanted)):
        if layers is None:
            writers = {
                row["hostname"] for row in result["placement"] for at in row["hostgroups"] if at["role"] == "writer"
            }
            assert len(writers) == len(result["placement"]) and len(writers) in (2, 3), (
                "a live group has placed all of them"
            )
            continue
        found = {layer for layer in ("memory", "runtime", "disk") if result[f"{layer}_changed"]}
        assert found == layers and result["changed"] == bool(layers), (number, tasks[number], result)
        assert (LOAD in result["statements"]) == ("runtime" in layers)
        assert (SAVE in result["statements"]) == ("disk" in layers)
        assert layers or result["statements"] == []
        if tasks[number]["check_mode"]:
            assert result["statements"] == results[number + 1]["statements"], "check mode foresees what is done"
