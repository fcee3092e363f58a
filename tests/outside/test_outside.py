# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as its users have it: installed from the built archive, used by a project that knows nothing of this checkout.

The project has its own playbooks and an inventory with two clusters, on blank hosts of the lab: db0 to db2, db3 and db4, and the
proxy in front of the first cluster. The tests build on one another, in their order.
"""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from pathlib import Path

import pytest
import yaml
from support import ROOT, Lab, Run, parse_recap

pytestmark = [
    pytest.mark.outside,
    pytest.mark.claim("The built collection works in a project that knows nothing of this checkout.", minutes=4),
]

HOSTS = "db0 db1 db2 db3 db4 proxy"
GROUPS = {"alpha": "6b1bb2a5-3d0c-4a53-9d2f-5a3a1f6b7c11", "beta": "0f4d9a70-7c35-4f0e-8a44-d1f0a2b3c422"}
MEMBERS = {"alpha": ["db0", "db1", "db2"], "beta": ["db3", "db4"]}

ROLES = """
- hosts: alpha
  gather_facts: false
  any_errors_fatal: true
  roles:
    - distdb.mysql_ha.mysql_gr

- hosts: alpha
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: distdb.mysql_ha.proxysql
        tasks_from: accounts.yml

- hosts: proxysql
  gather_facts: false
  roles:
    - distdb.mysql_ha.proxysql
"""

SECOND_CLUSTER = """
- hosts: beta
  gather_facts: false
  any_errors_fatal: true
  tasks:
    - name: The same role for another cluster
      ansible.builtin.include_role:
        name: distdb.mysql_ha.mysql_gr
"""

# Connection options and members stand once, by action group; each task says only what it is about.
MODULES = """
- hosts: alpha
  gather_facts: false
  module_defaults:
    group/distdb.mysql_ha.group_replication:
      login_unix_socket: /run/mysqld/mysqld.sock
      members: "{{ groups.alpha | map('extract', hostvars, 'mysql_gr_address') }}"
      peer_user: gr_peer
      peer_password: "{{ mysql_gr_peer_password }}"
  tasks:
    - distdb.mysql_ha.group_replication_bootstrap:
        group_name: "{{ mysql_gr_group_name }}"
        recovery_user: repl
        recovery_password: "{{ mysql_gr_recovery_password }}"
      register: bootstrap
    - distdb.mysql_ha.group_replication_info:
      register: info
    - distdb.mysql_ha.group_replication_primary:
        mode: multi_primary
      register: primary
      run_once: true
    - distdb.mysql_ha.group_replication_force_quorum:
        lost_members: "{{ groups.alpha | difference([inventory_hostname]) | map('extract', hostvars, 'mysql_gr_address') }}"
      register: quorum
    - distdb.mysql_ha.group_replication_fence:
        fence: writes
      register: fence
    - distdb.mysql_ha.group_replication_fence:
        fence: none
      register: unfence
    - ansible.builtin.assert:
        that:
          - bootstrap is not changed
          - info.cluster.state == 'ONLINE'
          - primary is not changed
          - quorum is not changed
          - fence is changed
          - unfence is changed

- hosts: proxysql
  gather_facts: false
  module_defaults:
    group/distdb.mysql_ha.proxysql:
      login_user: "{{ proxysql_admin_user | default('admin') }}"
      login_password: "{{ proxysql_admin_password }}"
  tasks:
    - distdb.mysql_ha.proxysql_hostgroup_info:
        wait_placed: 60
      register: info
    - distdb.mysql_ha.proxysql_hostgroup:
        writer_hostgroup: 2
        backup_writer_hostgroup: 4
        reader_hostgroup: 3
        offline_hostgroup: 1
        max_writers: 1
        writer_is_also_reader: 1
        max_transactions_behind: 100
        servers: "{{ groups.alpha | map('extract', hostvars, 'mysql_gr_address') | map('community.general.dict_kv', 'hostname') }}"
        exclusive: true
      register: hostgroup
    - ansible.builtin.assert:
        that:
          - info.reachable
          - hostgroup is not changed
"""


def inventory(lab: Lab) -> dict:
    prefix = (ROOT / ".lab" / "run" / "prefix").read_text().strip()
    chosen = yaml.safe_load((ROOT / "inventories/lab/group_vars/proxysql/generated.yml").read_text()) or {}
    passwords = {
        name: secrets.token_hex(16)
        for name in (
            "mysql_gr_recovery_password",
            "mysql_gr_peer_password",
            "mysql_gr_tls_ca_passphrase",
            "proxysql_monitor_password",
            "proxysql_admin_password",
            "application_password",
        )
    }
    clusters = {
        name: {
            "hosts": {
                host: {"mysql_gr_server_id": 130 + int(host[2:]), "mysql_gr_address": f"{prefix}.{130 + int(host[2:])}"}
                for host in hosts
            },
            "vars": {"mysql_gr_inventory_group": name, "mysql_gr_group_name": GROUPS[name]},
        }
        for name, hosts in MEMBERS.items()
    }
    user = {"name": "app", "password": "{{ application_password }}", "priv": "shop.*:ALL"}
    return {
        "all": {
            "vars": {
                "ansible_connection": "containers.podman.podman",
                "ansible_podman_executable": str(ROOT / "lab" / "podman"),
                "ansible_podman_mount_detection": False,
                "ansible_python_interpreter": "/usr/bin/python3",
                **passwords,
            },
            "children": {
                "mysql_gr": {"children": clusters, "vars": {"mysql_gr_schemas": ["shop"], "mysql_gr_users": [user]}},
                "proxysql": {
                    "hosts": {"proxy": {"proxysql_address": f"{prefix}.129"}},
                    "vars": {
                        **chosen,
                        "proxysql_mysql_inventory_group": "alpha",
                        "proxysql_users": [
                            {"username": "app", "password": "{{ application_password }}", "default_hostgroup": 2}
                        ],
                    },
                },
            },
        }
    }


class Project:
    """A folder with an ansible.cfg, an inventory, playbooks, and the collection from the archive."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.folder = folder
        self.lab = lab
        # Nothing of the checkout's own settings.
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        self.env.update(ANSIBLE_NOCOLOR="1", HOME=str(folder))
        (folder / "ansible.cfg").write_text("[defaults]\ncollections_path = collections\nforks = 10\n")
        (folder / "inventory.yml").touch(mode=0o600)
        (folder / "inventory.yml").write_text(yaml.safe_dump(inventory(lab)))
        for name, text in (("roles", ROLES), ("second", SECOND_CLUSTER), ("modules", MODULES)):
            (folder / f"{name}.yml").write_text(text.lstrip())
        lab.command("ansible-galaxy", "collection", "build", "--output-path", str(folder))
        archive = next(folder.glob("distdb-mysql_ha-*.tar.gz"))
        self.run("ansible-galaxy", "collection", "install", "--no-deps", "-p", "collections", archive.name)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0 or not check, f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-6000:]}"
        return done

    def play(self, playbook: str, *options: str, inventory: bool = True) -> Run:
        done = self.run("ansible-playbook", *(("-i", "inventory.yml") if inventory else ()), playbook, *options)
        return Run(done.returncode, done.stdout, 0, parse_recap(done.stdout))

    def group(self, name: str) -> None:
        """Every member of the cluster sees its members, all ONLINE, in the group of that name."""
        for member in MEMBERS[name]:
            view = self.lab.view(member)
            assert len(view) == len(MEMBERS[name]) and set(view.values()) == {"ONLINE"}, f"{member} sees {view}"
            assert self.lab.sql(member, "SELECT @@group_replication_group_name") == [[GROUPS[name]]]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    lab = Lab()
    lab.down()
    lab.command("lab/up", timeout=900, LAB_HOSTS=HOSTS)
    yield Project(tmp_path_factory.mktemp("project"), lab)
    lab.down()


def test_the_collection_comes_from_the_archive(project):
    shown = project.run("ansible-doc", "--type", "module", "--list_files", "distdb.mysql_ha").stdout
    assert str(project.folder) in shown
    assert str(ROOT) not in shown


def test_roles_by_their_full_names(project):
    project.play("roles.yml")
    project.group("alpha")
    for member in MEMBERS["beta"]:
        assert project.lab.view(member) == {}, "the other cluster is not there yet"


def test_every_module_with_defaults_by_action_group(project):
    project.play("modules.yml")
    project.group("alpha")


def examples() -> dict[str, str]:
    """The playbooks in the documentation of the entry points, by their headings."""
    text = (ROOT / "docs/reference/entry-points.md").read_text()
    return dict(re.findall(r"^## (.*?)$.*?^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def test_every_entry_point_by_the_example_in_its_documentation(project):
    """In their order; the first cluster is alone in the inventory, which is what the examples are written for."""
    alone = yaml.safe_load((project.folder / "inventory.yml").read_text())
    del alone["all"]["children"]["mysql_gr"]["children"]["beta"]
    (project.folder / "alone.yml").touch(mode=0o600)
    (project.folder / "alone.yml").write_text(yaml.safe_dump(alone))
    found = examples()
    for role in ("mysql_gr", "proxysql"):
        known = yaml.safe_load((ROOT / f"roles/{role}/meta/argument_specs.yml").read_text())["argument_specs"]
        shown = "\n".join(found.values())
        missing = [name for name in known if name != "main" and f"tasks_from: {name}.yml" not in shown]
        assert missing == []
    uptimes = []
    for number, (heading, text) in enumerate(found.items()):
        (project.folder / f"example{number}.yml").write_text(text)
        run = project.play(f"example{number}.yml", "-i", "alone.yml", inventory=False)
        print(heading, run.changed)
        uptimes.append(project.lab.started(*MEMBERS["alpha"]))
        if heading != "leave and forget":
            project.group("alpha")
        else:
            assert sorted(project.lab.view("db0").values()) == ["ONLINE"] * 2
    # The second one restarted every member; none of those after it did.
    assert all(uptimes[1][member] > uptimes[0][member] for member in MEMBERS["alpha"])
    assert uptimes[1] == uptimes[-1]
    assert not any(project.play("roles.yml").changed.values())


def test_one_role_again_for_a_second_cluster(project):
    before = project.lab.sql("db0", "SELECT @@gtid_executed")
    project.play("second.yml")
    project.group("beta")
    project.group("alpha")
    assert project.lab.sql("db0", "SELECT @@gtid_executed") == before


def test_the_site_playbook_by_its_full_name_finds_nothing_to_do(project):
    """The second cluster was made by one role alone: it gets the account of the proxies' monitor, and nothing else is to be done."""
    run = project.play("distdb.mysql_ha.site")
    assert set(run.changed) >= {"db0", "db4", "proxy"}
    assert run.what_changed == ["db3: distdb.mysql_ha.mysql_gr : Write accounts"], run
    assert not any(project.play("distdb.mysql_ha.site").changed.values())


def test_the_status_playbook_shows_both_clusters(project):
    shown = project.play("distdb.mysql_ha.status").output
    assert "Group alpha" in shown and "Group beta" in shown and "Hostgroups" in shown
