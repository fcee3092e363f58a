# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Adding, changing, draining and removing a server, users, rules and variables while 8 clients write: no statement fails, in both modes."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from support import ROOT, wait_for

pytestmark = [
    pytest.mark.long,
    pytest.mark.claim(
        "Servers are added, changed, drained and removed, users, rules and variables changed under load without one failed statement."
    ),
]

ROUNDS = 5
INTERVAL = 1.0  # of the monitor, in seconds

PLAY = """
- hosts: proxysql
  gather_facts: false
  module_defaults:
    group/distdb.mysql_ha.proxysql:
      login_user: admin
      login_password: "{{ proxysql_admin_password }}"
  tasks:
    - name: Step
      distdb.mysql_ha.proxysql_hostgroup:
        writer_hostgroup: 2
        backup_writer_hostgroup: 4
        reader_hostgroup: 3
        offline_hostgroup: 1
        max_writers: "{{ px_max_writers }}"
        writer_is_also_reader: 1
        max_transactions_behind: 100
        servers: "{{ px_servers[:2] + step.last }}"
        exclusive: true
        wait_drained: true
      loop: "{{ px_steps }}"
      loop_control:
        loop_var: step
        label: "{{ step.name }}"
    - name: Everything else, changed and changed back
      distdb.mysql_ha.proxysql_config:
        variables:
          mysql-max_connections: "{{ (item == 'present') | ternary(2000, 2048) }}"
        users:
          - {username: px_other, password: px-other-1, default_hostgroup: 3, state: "{{ item }}"}
        query_rules:
          - {rule_id: 7, active: true, match_digest: ^SELECT.*px_nowhere, destination_hostgroup: 3, apply: true, state: "{{ item }}"}
        reload: [mysql_variables, users, query_rules]
      loop: [present, absent]
    - name: Placed again
      distdb.mysql_ha.proxysql_hostgroup_info:
        wait_placed: 60
"""


class Load:
    """bench/failover/load.py in the lab's network, writing through the proxy, or to one member beside it."""

    def __init__(self, lab, folder, host, port, clients, rate):
        self.lab, self.folder = lab, folder
        self.where = ["--host", host, "--port", str(port), "--clients", str(clients), "--rate", str(rate)]
        folder.mkdir()

    def __enter__(self):
        user = self.lab.variable("proxy", "proxysql_users")[0]["username"]
        environment = dict(self.lab.env, MYSQL_PWD=self.lab.variable("proxy", "lab_app_password"))
        self.process = subprocess.Popen(
            [
                "lab/enter", "python", "bench/failover/load.py", "run", *self.where, "--user", user, "--database", "simkp",
                "--directory", str(self.folder), "--seconds", "900",
            ],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for((self.folder / "started").exists, 60, "the first acknowledged writes")
        return self

    def __exit__(self, *exc_info):
        (self.folder / "stop").touch()
        self.process.wait(120)

    def summary(self) -> dict:
        return json.loads((self.folder / "summary.json").read_text())


@pytest.mark.parametrize("mode", ["multi-primary", "single-primary"])
def test_no_statement_fails_while_servers_are_added_changed_drained_and_removed(lab, tmp_path, mode, record_property):
    lab.up()
    interval = ("-e", f"proxysql_monitor_interval={int(INTERVAL * 1000)}")
    run = lab.site(*interval)
    assert run.code == 0, run
    single = mode == "single-primary"
    try:
        if single:
            uuid = lab.sql(lab.members[0], "SELECT @@server_uuid")[0][0]
            lab.sql(lab.members[0], f"SELECT group_replication_switch_to_single_primary_mode('{uuid}')", timeout=120)
            run = lab.site("--limit", "proxy", *interval, "-e", "mysql_gr_writers=primary")
            assert run.code == 0, run
        # The last one is a secondary in single-primary mode.
        servers = [{"hostname": lab.address(member)} for member in lab.members]
        last = servers[2]
        steps = [
            {"name": "change", "last": [dict(last, weight=7)]},
            {"name": "change back", "last": [last]},
            {"name": "drain", "last": [dict(last, status="OFFLINE_SOFT")]},
            {"name": "put back", "last": [last]},
            {"name": "remove", "last": []},
            {"name": "add", "last": [last]},
        ]
        play, variables = tmp_path / "steps.yml", tmp_path / "steps.json"
        play.write_text(PLAY)
        variables.write_text(
            json.dumps({"px_servers": servers, "px_steps": steps, "px_max_writers": 1 if single else 3})
        )
        proxy, member = str(lab.variable("proxy", "proxysql_address")), lab.address(lab.members[0])
        # Beside it one client at a member: what stops that one too (disk, processor) is not the proxy's doing.
        with Load(lab, tmp_path / "proxied", proxy, 6033, 8, 100) as load, Load(
            lab, tmp_path / "direct", member, 3306, 1, 20
        ) as control:
            for _round in range(ROUNDS):
                run = lab.site("-e", f"@{variables}", playbook=os.fspath(play))
                assert run.code == 0, run
        found, alone = load.summary(), control.summary()
    finally:
        if single:
            lab.sql(lab.members[0], "SELECT group_replication_switch_to_multi_primary_mode()", timeout=120)
        run = lab.site("--limit", "proxy")
        assert run.code == 0, run
    for name in ("acknowledged_writes", "failed_statements", "longest_gap", "longest_gap_of_all"):
        record_property(f"{mode} {name}", found[name])
    print(f"{mode}: {found}; at a member itself: {alone}")
    assert found["failed_statements"] == 0, found
    assert found["longest_gap_of_all"] <= INTERVAL + alone["longest_gap_of_all"], (found, alone)
