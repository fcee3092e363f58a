# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts to look at come from an Ansible inventory; the way to reach them is a testinfra backend.

Environment:
  TESTINFRA_INVENTORY  an inventory (default: inventories/lab)
  TESTINFRA_BACKEND    how a host is reached, with {} for its name (default: podman://{}, the lab;
                       "ssh://{}?ssh_config=FILE" reaches machines by ssh, as root: sudo would write the tests' own
                       commands, passwords included, to the journal that they look through)
  TESTINFRA_WITHOUT    "proxysql": there is no proxy yet, and tests that need one are not part of the run
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import testinfra
from support import Inventory

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = os.environ.get("TESTINFRA_INVENTORY", "inventories/lab")
BACKEND = os.environ.get("TESTINFRA_BACKEND", "podman://{}")
WITHOUT_PROXIES = os.environ.get("TESTINFRA_WITHOUT") == "proxysql"
if BACKEND.startswith("podman"):
    # The lab's own podman, which finds its way into the lab's namespaces.
    os.environ["PATH"] = f"{ROOT / 'lab'}:{os.environ['PATH']}"


class Cluster:
    """The hosts of one cluster, and its inventory variables."""

    def __init__(self) -> None:
        self.inventory = Inventory(INVENTORY)
        self.members = self.inventory.hosts("mysql_gr")
        self.proxies = [] if WITHOUT_PROXIES else self.inventory.hosts("proxysql")
        self.hosts = {name: testinfra.get_host(BACKEND.format(name)) for name in self.members + self.proxies}

    def __getitem__(self, name: str):
        return self.hosts[name]

    def passwords(self) -> set[str]:
        """Every password that the inventory holds."""
        found = {
            self.var(host, name)
            for host in self.hosts
            for name in self.inventory.names(host)
            if name.endswith("_password")
        }
        return {str(value) for value in found if value}

    def var(self, host: str, name: str, default=None):
        return self.inventory.variable(host, name, default)

    def address(self, host: str) -> str:
        return self.var(host, "mysql_gr_address")

    def sql(self, member: str, statement: str) -> list[list[str]]:
        """Rows of a statement, run as root on a member; every value as text."""
        done = self[member].run("mysql --batch --skip-column-names -e %s", statement)
        assert done.rc == 0, f"{member}: {statement}: {done.stderr}"
        return [line.split("\t") for line in done.stdout.splitlines()]

    def group_port(self, member: str) -> int:
        """By which the others reach this member's group: with the communication stack MYSQL the SQL port."""
        return int(self.sql(member, "SELECT SUBSTRING_INDEX(@@group_replication_local_address, ':', -1)")[0][0])

    def proxy_address(self) -> str:
        proxy = self.proxies[0]
        return self.var(proxy, "proxysql_address") or self.var(proxy, "ansible_host")

    def proxy_account(self) -> dict:
        """The application's account: username and password."""
        return self.var(self.proxies[0], "proxysql_users")[0]

    def through_proxy(self, statement: str) -> str:
        """Run a statement as the application does: from a member's client, through port 6033 of the first proxy."""
        account = self.proxy_account()
        done = self[self.members[0]].run(
            "MYSQL_PWD=%s mysql --host=%s --port=6033 --user=%s --batch --skip-column-names -e %s",
            account["password"], self.proxy_address(), account["username"], statement,
        )  # fmt: skip
        assert done.rc == 0, f"through the proxy: {statement}: {done.stderr}"
        return done.stdout

    def through_admin(self, statement: str) -> list[list[str]]:
        """Rows of a statement on ProxySQL's administration interface, asked from its own host."""
        proxy = self.proxies[0]
        script = (
            "import sys, pymysql; c = pymysql.connect(host='127.0.0.1', port=6032, user=sys.argv[1], password=sys.stdin.readline().strip());"
            "k = c.cursor(); k.execute(sys.argv[2]); [print(*r, sep='\\t') for r in k.fetchall()]"
        )
        done = self[proxy].run(
            "printf '%%s\\n' %s | python3 -c %s %s %s",
            self.var(proxy, "proxysql_admin_password"), script, self.var(proxy, "proxysql_admin_user", "admin"), statement,
        )  # fmt: skip
        assert done.rc == 0, f"administration: {statement}: {done.stderr}"
        return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return Cluster()


def pytest_collection_modifyitems(config, items):
    """Tests marked "proxies" are left out where there are none, rather than skipped one by one."""
    if WITHOUT_PROXIES:
        left_out = [item for item in items if item.get_closest_marker("proxies")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
