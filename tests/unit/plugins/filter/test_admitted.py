# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is admitted to which port, from the inventory."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_admitted import gr_admitted
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_members import gr_members
from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_admitted import proxysql_admitted
from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_preflight import firewall_problems

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("Ports are open for those whom the inventory names: members, proxies, peers and clients."),
]

HOSTVARS = {
    "db0": {"ansible_host": "192.0.2.130"},
    "db1": {"ansible_host": "192.0.2.131", "mysql_gr_address": "2001:db8::131"},
    "db2": {"ansible_host": "db2.example.com"},
    "proxy": {"ansible_host": "192.0.2.129"},
    "proxy1": {
        "ansible_host": "10.0.0.128",
        "proxysql_address": "192.0.2.128",
        "proxysql_virtual_address": "192.0.2.10",
    },
    "app": {},
}
GROUPS = {
    "all": list(HOSTVARS),
    "mysql_gr": ["db0", "db1", "db2"],
    "proxysql": ["proxy", "proxy1"],
    "later": [],
}
MEMBERS = gr_members(GROUPS["mysql_gr"], HOSTVARS)


def member(host="db0", stack="XCOM", clients=(), expected=(), without=(), monitoring=()):
    found = gr_admitted(MEMBERS, host, stack, clients, expected, GROUPS, HOSTVARS, without, monitoring)
    return [(entry["source"], entry["port"]) for entry in found]


def proxy(host="proxy", monitoring=(), **settings):
    wanted = dict(
        proxysql_port="6033", proxysql_admin_port=6032, proxysql_cluster=False, proxysql_inventory_group="proxysql",
        proxysql_virtual_address="", proxysql_firewall_clients=[], proxysql_firewall_admin_clients=[],
    )  # fmt: skip
    found = proxysql_admitted({**wanted, **settings}, host, GROUPS, HOSTVARS, monitoring)
    return [(entry["source"], entry.get("port") or entry["protocol"]) for entry in found]


def test_members_reach_each_other_by_both_ports_and_a_name_is_not_everyone():
    assert member() == [
        ("2001:db8::131", 33061),
        ("2001:db8::131", 3306),
        ("db2.example.com", 33061),
        ("db2.example.com", 3306),
    ]


def test_the_group_has_no_port_of_its_own_where_it_talks_by_sql():
    assert {port for _source, port in member(stack="MYSQL")} == {3306}


def test_proxies_and_clients_reach_sql_alone():
    found = member(stack="MYSQL", clients=["198.51.100.0/24", "app", "any"], expected=["proxysql"])
    assert [source for source, _port in found[2:]] == ["192.0.2.129", "192.0.2.128", "198.51.100.0/24", "app", "any"]
    assert {port for _source, port in found[2:]} == {3306}


def test_who_is_removed_is_admitted_nowhere_and_admits_named_clients_only():
    assert {source for source, _port in member(without=["db1"])} == {"db2.example.com"}
    assert member("db1", clients=["198.51.100.7"], expected=["proxy"], without=["db1"]) == [("198.51.100.7", 3306)]


def test_monitoring_hosts_reach_the_exporters_also_of_who_is_removed():
    measured = [("198.51.100.200", 9100), ("198.51.100.200", 9104)]
    assert member(monitoring=["198.51.100.200"]) == member() + measured
    assert member("db1", without=["db1"], monitoring=["198.51.100.200"]) == measured


def test_monitoring_hosts_reach_node_exporter_of_a_proxy():
    assert proxy(monitoring=["198.51.100.0/24"]) == [("198.51.100.0/24", 9100)]


def test_a_group_without_hosts_is_nobody():
    assert member(clients=["later"]) == member()


def test_a_proxy_admits_who_is_named_and_nobody_by_default():
    assert proxy() == []
    assert proxy(proxysql_firewall_clients=["any"], proxysql_firewall_admin_clients=["198.51.100.1"]) == [
        ("any", 6033),
        ("198.51.100.1", 6032),
    ]


def test_peers_of_a_cluster_reach_the_admin_interface():
    assert proxy(proxysql_cluster="yes") == [("192.0.2.128", 6032)]


def test_proxies_that_share_an_address_reach_each_others_port_and_vrrp():
    assert proxy(proxysql_virtual_address="192.0.2.10") == [("192.0.2.128", 6033), ("192.0.2.128", "vrrp")]
    assert proxy(proxysql_virtual_address="192.0.2.11") == []


@pytest.mark.parametrize(
    ("clients", "problem"),
    [
        (["192.0.2.0/24", "any", "app", "proxysql"], None),
        (["elsewhere"], "proxysql_firewall_clients: 'elsewhere' is not allowed"),
        ("any", "proxysql_firewall_clients: 'any' is not allowed (allowed: a list of"),
        ([10], "proxysql_firewall_clients: 10 is not allowed"),
        (["192.0.2.7/24"], "allowed: 192.0.2.0/24"),
    ],
)
def test_what_is_no_client_is_refused(clients, problem):
    settings = dict(proxysql_firewall="ufw", proxysql_firewall_clients=clients, proxysql_firewall_admin_clients=[])
    found = list(firewall_problems(settings, [*GROUPS, *HOSTVARS]))
    assert (problem is None and not found) or problem in found[0]
    assert not list(firewall_problems(dict(settings, proxysql_firewall="none"), []))
