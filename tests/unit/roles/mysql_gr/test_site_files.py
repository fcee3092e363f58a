# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a member of one of two sites gets: an init_file, its options and the account; and of a cluster that is alone, nothing of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[4]
ROLE = ROOT / "roles" / "mysql_gr"
GIVEN = {
    "mysql_gr_inventory_group": "north", "mysql_gr_writers": "primary", "mysql_gr_peer_password": "p", "mysql_gr_recovery_password": "r",
    "mysql_gr_site_password": "s", "mysql_gr_group_name": "8f22f846-9922-4139-b2b7-097d185a93aa", "role_path": str(ROLE), "_mysql_gr_version": "9.7.4",
    "_mysql_gr_probes": {}, "_mysql_gr_probe": {"relay_logs": [], "files": {}, "os": {"family": "debian"}, "data": {}},
}  # fmt: skip


def hosts(**addresses):
    return {
        "hosts": {
            host: {"mysql_gr_address": address, "ansible_connection": "local"} for host, address in addresses.items()
        }
    }


def seen(folder, **more):
    """What the role's variables make of it."""
    sites = {"north": hosts(n0="192.0.2.130"), "south": hosts(s0="198.51.100.130")}
    (folder / "inventory.yml").write_text(json.dumps({"all": {"children": {"mysql_gr": {"children": sites}}}}))
    shown = {
        "options": "{{ _mysql_gr_extra | dict2items | rejectattr('value', 'none') | items2dict }}",
        "file": "{{ (_mysql_gr_service_files | selectattr('path', 'equalto', _mysql_gr_site_file) | first).text }}",
        "accounts": "{{ _mysql_gr_technical_accounts | selectattr('name', 'equalto', 'gr_site') | list }}",
    }
    play = {
        "hosts": "n0", "gather_facts": False, "vars_files": [str(ROLE / "defaults/main.yml"), str(ROLE / "vars/main.yml")],
        "tasks": [{"ansible.builtin.copy": {"content": "{{ shown | to_json }}", "dest": str(folder / "seen.json"), "mode": "0600"}, "vars": {"shown": shown}}],
    }  # fmt: skip
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", str(folder / "inventory.yml"), str(folder / "play.yml"), "-e", json.dumps({**GIVEN, **more})],
        capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_PYTHON_INTERPRETER": sys.executable},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((folder / "seen.json").read_text())


def test_a_member_of_a_site(tmp_path):
    found = seen(tmp_path, mysql_gr_other_site="south")
    options = found["options"]
    assert options["init_file"] == "/etc/mysql/mysql-gr-site.sql"
    assert (options["skip_replica_start"], options["replica_net_timeout"]) == ("ON", 10)
    # In this order: it is refused while super_read_only is on, and the server takes no writes before it is in its group.
    lines = [line for line in found["file"].splitlines() if not line.startswith("--")]
    assert lines[0] == "SET GLOBAL super_read_only = OFF;" and lines[-1] == "SET GLOBAL super_read_only = ON;"
    assert lines[1].startswith(
        "SELECT group_replication_disable_member_action('mysql_disable_super_read_only_if_primary'"
    )
    assert {account["host"] for account in found["accounts"]} == {"192.0.2.130", "198.51.100.130"}
    assert all(account["priv"].endswith("/*.*:REPLICATION SLAVE,BACKUP_ADMIN") for account in found["accounts"])


def test_a_cluster_that_is_alone(tmp_path):
    found = seen(tmp_path)
    assert not {"init_file", "skip_replica_start", "replica_net_timeout"} & set(found["options"])
    assert (found["file"], found["accounts"]) == ("", [])
