# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory, runtime, disk: what each LOAD and SAVE moves, and what the checksums say about it."""

from __future__ import annotations

import pytest

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.claim("Each LOAD and SAVE moves the same rows in the stand-in as in ProxySQL."),
]

LOAD_RUNTIME = (
    "LOAD {} FROM MEMORY",
    "LOAD {} FROM MEM",
    "LOAD {} TO RUNTIME",
    "LOAD {} TO RUN",
    "load  {}  to   runtime ;",
)
SAVE_MEMORY = ("SAVE {} TO MEMORY", "SAVE {} TO MEM", "SAVE {} FROM RUNTIME", "SAVE {} FROM RUN")
LOAD_MEMORY = ("LOAD {} TO MEMORY", "LOAD {} TO MEM", "LOAD {} FROM DISK")
SAVE_DISK = ("SAVE {} FROM MEMORY", "SAVE {} FROM MEM", "SAVE {} TO DISK")

# module: (table, insert, change, one column of the row before and after)
SAMPLES = {
    "MYSQL SERVERS": (
        "mysql_servers",
        "INSERT INTO mysql_servers (hostgroup_id, hostname, port, comment) VALUES (21, '127.0.0.1', 1, 'one')",
        "UPDATE mysql_servers SET comment='two'",
        "comment",
    ),
    "MYSQL USERS": (
        "mysql_users",
        "INSERT INTO mysql_users (username, password, comment) VALUES ('u', 'p', 'one')",
        "UPDATE mysql_users SET comment='two'",
        "comment",
    ),
    "MYSQL QUERY RULES": (
        "mysql_query_rules",
        "INSERT INTO mysql_query_rules (rule_id, active, match_digest, comment) VALUES (5, 1, '^SELECT', 'one')",
        "UPDATE mysql_query_rules SET comment='two'",
        "comment",
    ),
    "PROXYSQL SERVERS": (
        "proxysql_servers",
        "INSERT INTO proxysql_servers (hostname, port, comment) VALUES ('127.0.0.1', 1, 'one')",
        "UPDATE proxysql_servers SET comment='two'",
        "comment",
    ),
    "SCHEDULER": (
        "scheduler",
        "INSERT INTO scheduler (id, active, interval_ms, filename, comment) VALUES (1, 1, 100000000, '/bin/true', 'one')",
        "UPDATE scheduler SET comment='two'",
        "comment",
    ),
}


def first(proxy, table, column):
    rows = proxy.rows(f"SELECT DISTINCT {column} FROM {table}")
    return rows[0][0] if rows else None


@pytest.mark.parametrize("module", SAMPLES)
@pytest.mark.parametrize("number", range(5))
def test_layers_and_spellings(proxy, module, number):
    """Each direction moves between two layers and leaves the third alone."""
    table, insert, change, column = SAMPLES[module]

    def layers():
        return tuple(first(proxy, prefix + table, column) for prefix in ("main.", "main.runtime_", "disk."))

    def spelled(forms):
        assert proxy.run(forms[number % len(forms)].format(module))[:2] == ([], [])

    proxy.run(insert)
    assert layers() == ("one", None, None)
    spelled(LOAD_RUNTIME)
    assert layers() == ("one", "one", None)
    spelled(SAVE_DISK)
    assert layers() == ("one", "one", "one")
    proxy.run(change)
    assert layers() == ("two", "one", "one")
    spelled(SAVE_MEMORY)
    assert layers() == ("one", "one", "one")
    proxy.run(change)
    spelled(LOAD_RUNTIME)
    assert layers() == ("two", "two", "one")
    spelled(LOAD_MEMORY)
    assert layers() == ("one", "two", "one")
    proxy.run(f"DELETE FROM {table}")
    spelled(SAVE_DISK)
    assert layers() == (None, "two", None)


@pytest.mark.parametrize(("prefix", "module", "name", "value"), [
    ("mysql", "MYSQL VARIABLES", "mysql-monitor_ping_timeout", "1234"),
    ("admin", "ADMIN VARIABLES", "admin-refresh_interval", "3000"),
])  # fmt: skip
def test_layers_of_variables(proxy, prefix, module, name, value):
    def layers():
        return [
            proxy.value(f"SELECT variable_value FROM {table} WHERE variable_name='{name}'")
            for table in ("global_variables", "runtime_global_variables", "disk.global_variables")
        ]

    proxy.run(f"SAVE {module} TO DISK")
    old = layers()[0]
    assert layers() == [old] * 3
    proxy.run(f"UPDATE global_variables SET variable_value='{value}' WHERE variable_name='{name}'")
    assert layers() == [value, old, old]
    proxy.run(f"LOAD {module} TO RUNTIME")
    assert layers() == [value, value, old]
    proxy.run(f"LOAD {module} FROM DISK")
    assert layers() == [old, value, old]
    proxy.run(f"SAVE {module} FROM RUNTIME")
    assert layers() == [value, value, old]
    proxy.run(f"SAVE {module} TO DISK")
    assert layers() == [value] * 3


@pytest.mark.parametrize(
    ("name", "given", "memory", "runtime"),
    [
        ("mysql-multiplexing", "1", "1", "true"),  # memory keeps the spelling
        ("mysql-multiplexing", "FALSE", "FALSE", "false"),
        ("mysql-multiplexing", "maybe", "true", "true"),  # not allowed: the old value comes back
        ("mysql-monitor_ping_timeout", "1", "1000", "1000"),
        ("mysql-monitor_ping_timeout", "600001", "1000", "1000"),
        ("mysql-monitor_groupreplication_healthcheck_max_timeout_count", "11", "3", "3"),
        ("mysql-monitor_groupreplication_healthcheck_interval", "100", "100", "100"),
        ("mysql-monitor_username", "some one", "some one", "some one"),
    ],
)
def test_values_are_checked_at_load(proxy, name, given, memory, runtime):
    proxy.run(f"UPDATE global_variables SET variable_value='{given}' WHERE variable_name='{name}'")
    proxy.run("LOAD MYSQL VARIABLES TO RUNTIME")
    assert proxy.value(f"SELECT variable_value FROM global_variables WHERE variable_name='{name}'") == memory
    assert proxy.value(f"SELECT variable_value FROM runtime_global_variables WHERE variable_name='{name}'") == runtime


def test_unknown_variables_go_at_load(proxy):
    proxy.run("INSERT INTO global_variables VALUES ('mysql-nosuch', '1')")
    proxy.run("LOAD MYSQL VARIABLES TO RUNTIME")
    assert proxy.rows("SELECT * FROM global_variables WHERE variable_name='mysql-nosuch'") == []


def test_users_at_runtime_are_two_rows_each_and_active_only(proxy):
    proxy.run("INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('u1', 'p1', 2)")
    proxy.run("INSERT INTO mysql_users (username, password, active) VALUES ('u2', 'p2', 0)")
    proxy.run("LOAD MYSQL USERS TO RUNTIME")
    rows = proxy.rows(
        "SELECT username, password, default_hostgroup, default_schema, backend, frontend FROM runtime_mysql_users ORDER BY backend"
    )
    assert rows == [("u1", "p1", "2", "", "0", "1"), ("u1", "p1", "2", "", "1", "0")]
    proxy.run("SAVE MYSQL USERS FROM RUNTIME")
    rows = proxy.rows("SELECT username, backend, frontend FROM mysql_users ORDER BY username, backend")
    assert rows == [("u1", "0", "1"), ("u1", "1", "0"), ("u2", "1", "1")]


def test_inactive_rules_are_not_at_runtime(proxy):
    proxy.run("INSERT INTO mysql_query_rules (rule_id, active, match_digest) VALUES (1, 1, 'a'), (2, 0, 'b')")
    proxy.run("LOAD MYSQL QUERY RULES TO RUNTIME")
    assert proxy.rows("SELECT rule_id FROM runtime_mysql_query_rules") == [("1",)]


def test_servers_at_runtime(proxy):
    """Status in capitals; OFFLINE_HARD is not there; nothing else is changed without a monitor's finding."""
    proxy.run("SET mysql-monitor_enabled='false'")
    proxy.run("LOAD MYSQL VARIABLES TO RUNTIME")
    proxy.run(
        "INSERT INTO mysql_servers (hostgroup_id, hostname, status) VALUES (2, 'h', 'shunned'), (2, 'i', 'offline_hard'), (2, 'j', 'offline_soft'),"
        " (2, 'k', 'ONLINE')"
    )
    proxy.run("LOAD MYSQL SERVERS TO RUNTIME")
    rows = proxy.rows("SELECT hostname, status FROM runtime_mysql_servers ORDER BY hostname")
    assert rows == [("h", "SHUNNED"), ("j", "OFFLINE_SOFT"), ("k", "ONLINE")]
    pool = proxy.rows("SELECT srv_host, status, ConnUsed FROM stats_mysql_connection_pool ORDER BY srv_host")
    assert pool == [("h", "SHUNNED", "0"), ("j", "OFFLINE_SOFT", "0"), ("k", "ONLINE", "0")]


def test_servers_as_loaded(proxy):
    """The question that members of a ProxySQL cluster ask one another: the servers as they were at the last LOAD."""
    question = (
        "PROXY_SELECT hostgroup_id, hostname, port, gtid_port, status, weight, compression, max_connections, max_replication_lag, use_ssl,"
        " max_latency_ms, comment FROM mysql_servers_v2 WHERE status<>'OFFLINE_HARD' ORDER BY hostgroup_id, hostname, port"
    )
    proxy.run(
        "INSERT INTO mysql_servers (hostgroup_id, hostname, weight, status) VALUES (22, 'b', 7, 'SHUNNED'), (22, 'a', 1, 'ONLINE')"
    )
    proxy.run("LOAD MYSQL SERVERS TO RUNTIME")
    proxy.run("UPDATE mysql_servers SET weight=9")
    answer = proxy.run(question)
    assert answer.columns == [
        "hostgroup_id", "hostname", "port", "gtid_port", "status", "weight", "compression", "max_connections", "max_replication_lag", "use_ssl",
        "max_latency_ms", "comment",
    ]  # fmt: skip
    assert [(row[1], row[4], row[5]) for row in answer.rows] == [("a", "ONLINE", "1"), ("b", "ONLINE", "7")]


GR = "INSERT INTO mysql_group_replication_hostgroups (writer_hostgroup, backup_writer_hostgroup, reader_hostgroup, offline_hostgroup) VALUES "


def at_runtime(proxy):
    return [
        int(row[0])
        for row in proxy.rows("SELECT writer_hostgroup FROM runtime_mysql_group_replication_hostgroups ORDER BY 1")
    ]


@pytest.mark.parametrize("clash", ["12, 14, 2, 11", "12, 2, 13, 11", "12, 14, 13, 2"])
def test_hostgroup_rows_whose_writer_is_used_elsewhere_are_left_out(proxy, clash):
    """Both rows are accepted into memory, the LOAD says OK, and the row of writer hostgroup 2 is not at runtime."""
    proxy.run(GR + f"(2, 4, 3, 1), ({clash})")
    proxy.run("LOAD MYSQL SERVERS TO RUNTIME")
    assert at_runtime(proxy) == [12]
    assert len(proxy.rows("SELECT * FROM mysql_group_replication_hostgroups")) == 2


def test_hostgroup_rows_without_a_clash_are_all_there(proxy):
    proxy.run(GR + "(2, 4, 3, 1), (12, 14, 13, 11)")
    proxy.run("LOAD MYSQL SERVERS TO RUNTIME")
    assert at_runtime(proxy) == [2, 12]


# ---- checksums ------------------------------------------------------------------------------------------------------

NAMES = {
    "admin_variables",
    "mysql_query_rules",
    "mysql_servers",
    "mysql_users",
    "mysql_variables",
    "proxysql_servers",
    "mysql_servers_v2",
}


def test_checksum_rows(proxy):
    rows = proxy.rows("SELECT name, checksum FROM runtime_checksums_values")
    assert {row[0] for row in rows} >= NAMES
    assert all(row[1].startswith("0x") and int(row[1], 16) >= 0 for row in rows if row[0] in NAMES)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("MYSQL SERVERS", "mysql_servers_v2"),
        ("MYSQL SERVERS", "mysql_servers"),
        ("MYSQL USERS", "mysql_users"),
        ("MYSQL QUERY RULES", "mysql_query_rules"),
        ("PROXYSQL SERVERS", "proxysql_servers"),
    ],
)
def test_checksum_follows_loads_and_content(proxy, module, name):
    table, insert, change, _column = SAMPLES[module]
    proxy.run(insert)
    empty = proxy.checksum(name)
    proxy.run(f"LOAD {module} TO RUNTIME")
    one = proxy.checksum(name)
    assert one[0] == empty[0] + 1 and one[1] != empty[1]
    proxy.run(f"LOAD {module} TO RUNTIME")
    assert proxy.checksum(name) == (one[0] + 1, one[1])  # every LOAD counts, equal content has equal checksum
    proxy.run(change)
    proxy.run(f"SAVE {module} TO DISK")
    assert proxy.checksum(name) == (one[0] + 1, one[1])  # memory and disk do not matter
    proxy.run(f"LOAD {module} TO RUNTIME")
    two = proxy.checksum(name)
    assert two[0] == one[0] + 2 and two[1] != one[1]
    proxy.run(f"DELETE FROM {table}")
    proxy.run(f"LOAD {module} TO RUNTIME")
    assert proxy.checksum(name) == (two[0] + 1, empty[1])


@pytest.mark.parametrize(
    ("module", "name", "variable", "value"),
    [
        ("MYSQL VARIABLES", "mysql_variables", "mysql-monitor_ping_timeout", "1234"),
        ("ADMIN VARIABLES", "admin_variables", "admin-refresh_interval", "3000"),
    ],
)
def test_checksum_of_variables(proxy, module, name, variable, value):
    proxy.run(f"LOAD {module} TO RUNTIME")
    before = proxy.checksum(name)
    proxy.run(f"UPDATE global_variables SET variable_value='{value}' WHERE variable_name='{variable}'")
    assert proxy.checksum(name) == before
    proxy.run(f"LOAD {module} TO RUNTIME")
    after = proxy.checksum(name)
    assert after[0] == before[0] + 1 and after[1] != before[1]


def test_servers_checksum_takes_shunned_for_online(proxy):
    proxy.set(monitor_enabled="false")
    proxy.run("INSERT INTO mysql_servers (hostgroup_id, hostname) VALUES (2, 'h')")
    proxy.run("LOAD MYSQL SERVERS TO RUNTIME")
    online = [proxy.checksum(name)[1] for name in ("mysql_servers", "mysql_servers_v2")]
    proxy.run("UPDATE mysql_servers SET status='SHUNNED'")
    proxy.run("LOAD MYSQL SERVERS TO RUNTIME")
    assert [proxy.checksum(name)[1] for name in ("mysql_servers", "mysql_servers_v2")] == online
    proxy.run("UPDATE mysql_servers SET status='OFFLINE_SOFT'")
    proxy.run("LOAD MYSQL SERVERS TO RUNTIME")
    assert [a != b for a, b in zip((proxy.checksum(n)[1] for n in ("mysql_servers", "mysql_servers_v2")), online)] == [
        True,
        True,
    ]


def test_hostgroup_rows_count_in_the_servers_checksum(proxy):
    before = proxy.checksum("mysql_servers_v2")
    proxy.run(GR + "(2, 4, 3, 1)")
    proxy.run("LOAD MYSQL SERVERS TO RUNTIME")
    one = proxy.checksum("mysql_servers_v2")
    assert one[1] != before[1]
    proxy.run("UPDATE mysql_group_replication_hostgroups SET comment='x'")
    proxy.run("LOAD MYSQL SERVERS TO RUNTIME")
    assert proxy.checksum("mysql_servers_v2")[1] != one[1]


def test_checksum_of_a_table(proxy):
    before = proxy.run("CHECKSUM MEMORY MYSQL SERVERS")
    assert before.columns == ["table", "checksum"] and before.rows[0][0] == "MYSQL SERVERS"
    proxy.run("INSERT INTO mysql_servers (hostname) VALUES ('a')")
    assert proxy.rows("CHECKSUM MYSQL SERVERS") != before.rows
    assert proxy.rows("CHECKSUM DISK MYSQL SERVERS") == before.rows


# ---- restart --------------------------------------------------------------------------------------------------------


@pytest.mark.restarts
def test_after_a_restart_disk_counts(proxy):
    proxy.run("INSERT INTO mysql_servers (hostgroup_id, hostname, comment) VALUES (2, '127.0.0.1', 'saved')")
    proxy.run(GR + "(2, 4, 3, 1)")
    proxy.run("INSERT INTO mysql_users (username, password) VALUES ('saved', 'p')")
    proxy.run("SET mysql-monitor_enabled='false'")
    for module in ("MYSQL SERVERS", "MYSQL USERS", "MYSQL VARIABLES"):
        proxy.run(f"SAVE {module} TO DISK")
    proxy.run("UPDATE mysql_servers SET comment='only in memory'")
    proxy.run("INSERT INTO mysql_users (username, password) VALUES ('lost', 'p')")
    proxy.run("LOAD MYSQL SERVERS TO RUNTIME")
    proxy.run("SET mysql-monitor_ping_timeout=1234")
    proxy.run("LOAD MYSQL VARIABLES TO RUNTIME")
    proxy.restart()
    for table in ("mysql_servers", "runtime_mysql_servers"):
        assert proxy.rows(f"SELECT comment FROM {table}") == [("saved",)]
    assert proxy.rows("SELECT DISTINCT username FROM runtime_mysql_users") == [("saved",)]
    assert at_runtime(proxy) == [2]
    values = "SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-{}'"
    assert (proxy.value(values.format("monitor_enabled")), proxy.value(values.format("monitor_ping_timeout"))) == (
        "false",
        "1000",
    )
    assert proxy.checksum("mysql_servers_v2")[0] == 1  # LOADs are counted from the start of the process


@pytest.mark.restarts
def test_config_file_counts_at_first_start_only(proxy):
    proxy.run(
        "UPDATE global_variables SET variable_value=variable_value || ';later:l' WHERE variable_name='admin-admin_credentials'"
    )
    proxy.run("SAVE ADMIN VARIABLES TO DISK")
    proxy.restart()
    proxy.connect("later", "l").close()
