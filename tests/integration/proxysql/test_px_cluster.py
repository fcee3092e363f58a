# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two proxies as a cluster of ProxySQL's own, in front of a live group. Only a real ProxySQL has one."""

from __future__ import annotations

import json
import uuid

import pytest
import yaml
from px_lab import Proxy
from support import ROOT, wait_for

pytestmark = [
    pytest.mark.long,
    pytest.mark.claim(
        "Two proxies of one ProxySQL cluster end up with the same configuration after every loss and restart."
    ),
]

ROWS = {
    "users": "SELECT username, default_hostgroup FROM {0}mysql_users WHERE backend=1 ORDER BY 1",
    "rules": "SELECT rule_id, destination_hostgroup FROM {0}mysql_query_rules ORDER BY 1",
    "variable": "SELECT variable_value FROM {0}global_variables WHERE variable_name='mysql-max_connections'",
    "group": "SELECT * FROM {0}mysql_group_replication_hostgroups",
}


class Pair:
    def __init__(self, lab):
        # As deep as inventories/lab, whose variables find the lab from an inventory's folder.
        self.lab, self.inventory = lab, ROOT / ".cache" / "proxysql" / "pair.yml"
        self.inventory.parent.mkdir(parents=True, exist_ok=True)
        prefix = lab.variable("proxy", "lab_prefix")
        secret = {name: uuid.uuid4().hex for name in ("proxysql_cluster_password", "proxysql_stats_password")}
        hosts = {"proxy": {}, "proxy1": {"proxysql_address": f"{prefix}.128"}}
        self.inventory.write_text(
            yaml.safe_dump({"proxysql": {"hosts": hosts, "vars": {"proxysql_cluster": True, **secret}}})
        )
        self.secrets = list(secret.values())
        self.both = [self.proxy(name) for name in hosts]

    def proxy(self, name):
        return Proxy(self.lab, name, ("-i", str(self.inventory), "--limit", name))

    def role(self, *arguments):
        run = self.lab.site("-i", str(self.inventory), "--limit", "proxy,proxy1", *arguments)
        assert run.code == 0, run
        assert not [secret for secret in self.secrets if secret in run.output]
        return run

    def everywhere(self, name):
        """What each layer of each proxy holds; one element when all agree."""
        return {
            json.dumps(proxy.run(ROWS[name].format(layer))[0])
            for proxy in self.both
            for layer in ("main.", "main.runtime_", "disk.")
        }

    def wait_up(self):
        """systemd counts a proxy as started before its administration interface answers."""

        def answers(proxy):
            try:
                return proxy.run("SELECT 1")
            except AssertionError:
                return None

        for proxy in self.both:
            wait_for(lambda proxy=proxy: answers(proxy), 30, f"the administration interface of {proxy.host}")

    def loads(self, proxy):
        """How often somebody has loaded what peers copy, by hand or by the role; copies are not counted."""
        return int(
            self.lab.on(
                proxy.host, "sh", "-c", "journalctl -u proxysql | grep -Ec 'Received LOAD (MYSQL|PROXYSQL)' || true"
            )
        )


@pytest.fixture(scope="module")
def pair(lab):
    lab.up()
    if (ROOT / ".lab" / "proxysql-kind").read_text().startswith("standin"):
        pytest.skip("the lab's stand-in has no cluster of proxies")
    lab.command("lab/up", "proxy1", LAB_PREPARE="0")
    made = Pair(lab)
    # A group to stand in front of, and one proxy that serves already.
    run = lab.site()
    assert run.code == 0, run
    prepare = ("ansible-playbook", "-i", "inventories/lab", "-i", str(made.inventory), "--limit", "localhost,proxy1")
    lab.command(*prepare, "lab/prepare.yml")
    made.joined = made.role()
    yield made
    lab.command("lab/down", "proxy1")
    run = lab.site("--limit", "proxy")
    assert run.code == 0, run
    # No longer a cluster: nobody else is let in.
    rows = Proxy(lab).run(
        "SELECT COUNT(*) FROM runtime_proxysql_servers",
        "SELECT variable_value FROM runtime_global_variables WHERE variable_name='admin-admin_credentials'",
    )
    assert str(rows[0][0][0]) == "0" and "cluster:" not in rows[1][0][0]


def test_a_blank_proxy_takes_everything_over_and_a_rerun_changes_nothing(pair):
    assert pair.joined.changed["proxy1"] > 0
    for name in ROWS:
        assert len(pair.everywhere(name)) == 1, name
    assert pair.both[0].placed() == pair.both[1].placed() != set()
    again = pair.role()
    assert set(again.changed.values()) == {0}, again


def test_a_change_is_written_through_one_proxy_only(pair):
    more = {
        "proxysql_users": [*pair.lab.variable("proxy", "proxysql_users"), {"username": "second", "password": "second-1", "default_hostgroup": 3}],
        "proxysql_variables": {"mysql-max_connections": 1234},
        "proxysql_read_write_split": True,
        "mysql_gr_writers_exceptions": ["proxysql_read_write_split"],
        "proxysql_max_transactions_behind": 77,
    }  # fmt: skip
    before = pair.loads(pair.both[1])
    run = pair.role("-e", json.dumps(more))
    assert run.changed["proxy"] > 0, run
    assert pair.loads(pair.both[1]) == before, "the second one was not loaded by the role"
    assert [json.loads(*pair.everywhere("variable"))] == [[["1234"]]]
    assert json.loads(*pair.everywhere("group"))[0][7] == "77"
    assert "second" in str(pair.everywhere("users")) and json.loads(*pair.everywhere("rules")) == [
        ["90000", "2"],
        ["90001", "3"],
    ]
    again = pair.role("-e", json.dumps(more))
    assert set(again.changed.values()) == {0}, again
    absent = [*pair.lab.variable("proxy", "proxysql_users"), {"username": "second", "state": "absent"}]
    pair.role("-e", json.dumps({"proxysql_users": absent, "proxysql_variables": {"mysql-max_connections": 2048}}))
    assert "second" not in str(pair.everywhere("users")) and json.loads(*pair.everywhere("rules")) == []


def test_losing_one_proxy_loses_nothing(pair):
    """The first one is away: the other serves, can be changed, and the first takes the change over when it is back."""
    first, second = pair.both
    user = pair.lab.variable("proxy", "proxysql_users")[0]

    def through(proxy):
        address = {"proxy": pair.lab.variable("proxy", "proxysql_address")}.get(
            proxy.host, f"{pair.lab.variable('proxy', 'lab_prefix')}.128"
        )
        command = f"MYSQL_PWD='{pair.lab.variable('proxy', 'lab_app_password')}' mysql --host={address} --port=6033 --user={user['username']}"
        return pair.lab.on(pair.lab.members[0], "sh", "-c", f'{command} -N -e "SELECT 1"')

    assert through(first) == through(second) == "1\n"
    change = ("-e", json.dumps({"proxysql_variables": {"mysql-max_connections": 1500}}))
    pair.lab.on("proxy", "systemctl", "stop", "proxysql")
    try:
        assert through(second) == "1\n"
        run = second.role(*change)
        assert run.code == 0 and run.changed["proxy1"] > 0, run
    finally:
        pair.lab.on("proxy", "systemctl", "start", "proxysql")
        pair.wait_up()
    wait_for(lambda: len(pair.everywhere("variable")) == 1, 30, "the first proxy has taken the change over")
    assert "1500" in str(pair.everywhere("variable"))
    run = pair.role(*change)
    again = pair.role(*change)
    assert set(again.changed.values()) == {0}, again
    assert through(first) == "1\n"


def test_proxies_that_have_all_been_restarted_are_made_the_same(pair):
    """Peers copy only what was loaded since the start: nobody copies, so the role loads once more on the first one."""
    second = pair.both[1]
    second.run("DELETE FROM disk.mysql_users", "UPDATE disk.mysql_servers SET weight=9")
    for proxy in pair.both:
        pair.lab.on(proxy.host, "systemctl", "restart", "proxysql")
    pair.wait_up()
    wait_for(lambda: len(pair.everywhere("users")) == 2, 20, "both are up, one of them without users")
    run = pair.role()
    assert run.changed["proxy"] > 0, run
    assert len(pair.everywhere("users")) == 1 and len(pair.everywhere("group")) == 1
    again = pair.role()
    assert set(again.changed.values()) == {0}, again
