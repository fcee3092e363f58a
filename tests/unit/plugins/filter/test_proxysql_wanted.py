# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role's variables make of ProxySQL's tables."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_wanted import proxysql_wanted

GROUP = dict(
    writer_hostgroup=2, reader_hostgroup="3", servers=[dict(hostname="192.0.2.130"), dict(hostname="::1", port=3307)]
)
SETTINGS = dict(
    proxysql_admin_bind=["127.0.0.1", "fd00::129"],
    proxysql_admin_password="a",
    proxysql_admin_port="6032",
    proxysql_admin_user="admin",
    proxysql_bind="::",
    proxysql_client_tls="yes",
    proxysql_cluster="false",
    proxysql_cluster_password="c",
    proxysql_cluster_user="cluster",
    proxysql_connect_timeout=400,
    proxysql_hostgroups=[GROUP, dict(GROUP, writer_hostgroup=12), dict(writer_hostgroup=22, state="absent")],
    proxysql_monitor_interval=250,
    proxysql_monitor_max_timeouts=1,
    proxysql_monitor_password="m",
    proxysql_monitor_timeout=600,
    proxysql_monitor_user="monitor",
    proxysql_port=6033,
    proxysql_query_rules=[dict(rule_id=1)],
    proxysql_read_write_split=False,
    proxysql_stats_password="",
    proxysql_stats_user="stats",
    proxysql_users=[
        dict(username="app", default_hostgroup="2"),
        dict(username="reader", default_hostgroup=3),
        dict(username="gone", default_hostgroup=2, state="absent"),
        dict(username="other", default_hostgroup=12),
    ],
    proxysql_variables={},
)


def wanted(**changes):
    return proxysql_wanted(dict(SETTINGS, **changes))


def test_addresses_are_written_with_brackets_where_they_need_them():
    found = wanted()
    assert found["variables"]["admin-mysql_ifaces"] == "127.0.0.1:6032;[fd00::129]:6032"
    assert found["variables"]["mysql-interfaces"] == "[::]:6033"
    assert found["members"] == ["192.0.2.130:3306", "[::1]:3307"]
    sockets = [dict(GROUP, servers=[dict(hostname="/run/mysqld.sock")])]
    assert wanted(proxysql_hostgroups=sockets)["members"] == []


def test_a_list_without_entries_lets_nobody_in():
    found = wanted()
    assert found["secret_variables"]["admin-stats_credentials"] == ";"
    assert found["optional_variables"] == {"admin-pgsql_ifaces": ";", "pgsql-interfaces": ";"}
    found = wanted(proxysql_stats_password="s", proxysql_variables={"pgsql-interfaces": "127.0.0.1:6133"})
    assert found["secret_variables"]["admin-stats_credentials"] == "stats:s"
    assert found["optional_variables"] == {"admin-pgsql_ifaces": ";"}
    assert found["variables"]["pgsql-interfaces"] == "127.0.0.1:6133"


@pytest.mark.parametrize("cluster", [True, "yes", "1"])
def test_a_cluster_has_a_user_of_its_own(cluster):
    found = wanted(proxysql_cluster=cluster)
    assert found["secret_variables"]["admin-admin_credentials"] == "admin:a;cluster:c"
    assert found["variables"]["admin-cluster_username"] == "cluster"
    assert wanted()["secret_variables"]["admin-admin_credentials"] == "admin:a"


def test_further_variables_win_and_secret_ones_are_kept_apart():
    more = {"mysql-connect_timeout_server": 999, "mysql-monitor_password": "n", "mysql-threads": 2}
    found = wanted(proxysql_variables=more)
    assert found["variables"]["mysql-connect_timeout_server"] == 999
    assert found["secret_variables"]["mysql-monitor_password"] == "n" and "n" not in found["variables"].values()
    assert set(found["own_variables"]) == {"admin-mysql_ifaces", "mysql-interfaces", "mysql-threads"}
    assert set(found["own_secret_variables"]) == {"admin-admin_credentials", "admin-stats_credentials"}


def test_a_statement_is_not_repeated_unless_somebody_wants_it():
    """What ProxySQL does by itself: a write that was under way to a member that froze is then executed twice."""
    name = "mysql-query_retries_on_failure"
    assert wanted()["variables"][name] == 0
    assert wanted(proxysql_variables={name: 1})["variables"][name] == 1


def test_reads_of_accounts_on_a_writer_hostgroup_are_split():
    assert wanted()["query_rules"] == [dict(rule_id=1)]
    rules = wanted(proxysql_read_write_split="true")["query_rules"][1:]
    assert [(rule["rule_id"], rule["username"], rule["destination_hostgroup"]) for rule in rules] == [
        (90000, "app", 2),
        (90001, "app", 3),
        (90002, "other", 12),
        (90003, "other", 3),
    ]
    assert "FOR UPDATE" in rules[0]["match_digest"] and {rule["comment"] for rule in rules} == {
        wanted()["query_rules_comment"]
    }


def test_an_account_without_a_hostgroup_gets_the_writers_where_there_is_one_group():
    accounts = [
        dict(username="app"),
        dict(username="gone", state="absent"),
        dict(username="reader", default_hostgroup=3),
    ]
    found = wanted(proxysql_users=accounts, proxysql_hostgroups=[GROUP, dict(writer_hostgroup=22, state="absent")])
    assert [user.get("default_hostgroup") for user in found["users"]] == [2, None, 3]
    assert wanted(proxysql_users=accounts)["users"] == accounts


def test_tls_towards_members_and_from_clients():
    ca = "/etc/proxysql-tls/ca.pem"
    settings = dict(SETTINGS, proxysql_client_tls_required=True)
    settings["proxysql_users"] = [
        dict(username="app"),
        dict(username="old", use_ssl=False),
        dict(username="gone", state="absent"),
    ]
    settings["proxysql_hostgroups"] = [dict(GROUP, servers=[dict(hostname="db0", use_ssl=True)])]
    found = proxysql_wanted(settings, "2.7.1", ca)
    assert [user.get("use_ssl") for user in found["users"]] == [True, False, None]
    assert found["variables"]["mysql-ssl_p2s_ca"] == ca and [row["hostname"] for row in found["servers_tls"]] == ["db0"]
    assert "mysql-ssl_p2s_ca" not in found["own_variables"], "peers of a ProxySQL cluster copy it"
    assert proxysql_wanted(settings, "2.5.5", ca)["servers_tls"] is None
    assert "mysql-ssl_p2s_ca" not in proxysql_wanted(settings)["variables"]
