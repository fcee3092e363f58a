# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The admin interface: answers, columns, constraints, errors, credentials."""

from __future__ import annotations

import pymysql
import pytest
import targets

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.claim("The stand-in's admin interface answers like ProxySQL's."),
]

COLUMNS = {
    "mysql_servers": "hostgroup_id hostname port gtid_port status weight compression max_connections max_replication_lag use_ssl max_latency_ms"
    " comment",
    "mysql_group_replication_hostgroups": "writer_hostgroup backup_writer_hostgroup reader_hostgroup offline_hostgroup active max_writers"
    " writer_is_also_reader max_transactions_behind comment",
    "mysql_users": "username password active use_ssl default_hostgroup default_schema schema_locked transaction_persistent fast_forward backend"
    " frontend max_connections attributes comment",
    "mysql_query_rules": "rule_id active username schemaname flagIN client_addr proxy_addr proxy_port digest match_digest match_pattern"
    " negate_match_pattern re_modifiers flagOUT replace_pattern destination_hostgroup cache_ttl cache_empty_result cache_timeout reconnect"
    " timeout retries delay next_query_flagIN mirror_flagOUT mirror_hostgroup error_msg OK_msg sticky_conn multiplex gtid_from_hostgroup log"
    " apply attributes comment",
    "mysql_hostgroup_attributes": "hostgroup_id max_num_online_servers autocommit free_connections_pct init_connect multiplex connection_warming"
    " throttle_connections_per_sec ignore_session_variables hostgroup_settings servers_defaults comment",
    "mysql_replication_hostgroups": "writer_hostgroup reader_hostgroup check_type comment",
    "proxysql_servers": "hostname port weight comment",
    "global_variables": "variable_name variable_value",
}
GR_ROW = "INSERT INTO mysql_group_replication_hostgroups (writer_hostgroup, backup_writer_hostgroup, reader_hostgroup, offline_hostgroup{}) VALUES ({})"


# ---- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("statement", ["SELECT version()", "select version();", "SELECT version() AS version"])
def test_version_has_a_series_and_a_fixed_column(proxy, statement):
    answer = proxy.run(statement)
    assert answer.columns == ["version()"]
    assert [int(part) for part in answer.rows[0][0].split("-")[0].split(".")] > [2, 0, 0]
    assert proxy.rows("SELECT @@version") == list(answer.rows)


def test_handshake_claims_a_mysql_version_of_its_own(proxy):
    connection = proxy.connect()
    assert connection.get_server_info() == proxy.value(
        "SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-server_version'"
    )
    connection.close()


def test_every_value_is_a_string_or_null(proxy):
    assert proxy.rows("SELECT 1, 2.5, 'a', NULL") == [("1", "2.5", "a", None)]


@pytest.mark.parametrize(
    ("statement", "columns", "rows"),
    [
        ("SELECT @@version_comment LIMIT 1", ["'(ProxySQL Admin Module)'"], [("(ProxySQL Admin Module)",)]),
        ("SELECT DATABASE()", ["DATABASE()"], [("admin",)]),
        ("SELECT connection_id()", ["CONNECTION_ID()"], [("0",)]),
        ("SELECT @@max_allowed_packet", ["@@max_allowed_packet"], [("67108864",)]),
        ("SELECT @@mysql-monitor_ping_interval", ["@@mysql-monitor_ping_interval"], [("8000",)]),
        ("SELECT 1; SELECT 2", ["1"], [("1",)]),  # only the first of several statements
        ("/* comment */ SELECT 5", ["5"], [("5",)]),
        (
            "SHOW VARIABLES LIKE 'mysql-monitor_ping_t%'",
            ["Variable_name", "Value"],
            [("mysql-monitor_ping_timeout", "1000")],
        ),
        ("SHOW TABLES LIKE 'mysql_us%'", ["tables"], [("mysql_users",)]),
    ],
)
def test_answer(proxy, statement, columns, rows):
    answer = proxy.run(statement)
    assert (answer.columns, answer.rows) == (columns, rows)


@pytest.mark.parametrize(
    "statement",
    [
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "START TRANSACTION",
        "USE main",
        "SET NAMES utf8mb4",
        "SET AUTOCOMMIT=0",
        "SET character_set_results=NULL",
    ],
)
def test_statements_of_client_libraries_are_accepted(proxy, statement):
    assert proxy.run(statement)[:3] == ([], [], 0)


def test_databases(proxy):
    answer = proxy.run("SHOW DATABASES")
    assert answer.columns == ["seq", "name", "file"]
    assert [row[1] for row in answer.rows][:4] == ["main", "disk", "stats", "monitor"]


@pytest.mark.parametrize("table", COLUMNS)
@pytest.mark.parametrize("layer", ["main.", "disk.", "main.runtime_"])
def test_columns(proxy, table, layer):
    rows = proxy.rows(
        "PRAGMA {}table_info({})".format(
            *(layer + table).split(".")[0:1] and (layer.split(".")[0] + ".", layer.split(".")[1] + table)
        )
    )
    assert [row[1] for row in rows] == COLUMNS[table].split()


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("runtime_checksums_values", "name version epoch checksum"),
        (
            "monitor.mysql_server_group_replication_log",
            "hostname port time_start_us success_time_us viable_candidate read_only transactions_behind error",
        ),
        ("monitor.mysql_server_connect_log", "hostname port time_start_us connect_success_time_us connect_error"),
        ("monitor.mysql_server_ping_log", "hostname port time_start_us ping_success_time_us ping_error"),
        (
            "stats_mysql_connection_pool",
            "hostgroup srv_host srv_port status ConnUsed ConnFree ConnOK ConnERR MaxConnUsed Queries Queries_GTID_sync Bytes_data_sent"
            " Bytes_data_recv Latency_us",
        ),
        (
            "stats_mysql_query_digest",
            "hostgroup schemaname username client_address digest digest_text count_star first_seen last_seen sum_time min_time max_time"
            " sum_rows_affected sum_rows_sent",
        ),
        ("stats_mysql_users", "username frontend_connections frontend_max_connections"),
        ("stats_mysql_global", "Variable_Name Variable_Value"),
    ],
)
def test_columns_of_views(proxy, table, columns):
    assert proxy.run(f"SELECT * FROM {table}").columns == columns.split()


def test_every_table_can_be_read(proxy):
    """What proxysql_info of community.proxysql does."""
    for (table,) in proxy.rows("SHOW TABLES"):
        proxy.run(f"SELECT * FROM {table}")


def test_show_create_table(proxy):
    answer = proxy.run("SHOW CREATE TABLE mysql_users")
    assert answer.columns == ["table", "Create Table"]
    assert answer.rows[0][1].startswith("CREATE TABLE mysql_users (")


# ---- rows -----------------------------------------------------------------------------------------------------------


def test_affected_rows(proxy):
    assert proxy.run("INSERT INTO mysql_servers (hostgroup_id, hostname) VALUES (1, 'a'), (2, 'b')").affected == 2
    assert proxy.run("UPDATE mysql_servers SET weight=5 WHERE hostgroup_id=1").affected == 1
    assert proxy.run("UPDATE mysql_servers SET weight=5 WHERE hostgroup_id=9").affected == 0
    assert proxy.run("REPLACE INTO mysql_servers (hostgroup_id, hostname) VALUES (1, 'a')").affected == 1
    assert proxy.run("DELETE FROM mysql_servers").affected == 2


def test_defaults(proxy):
    proxy.run("INSERT INTO mysql_servers (hostname) VALUES ('a')")
    assert proxy.rows("SELECT * FROM mysql_servers") == [
        ("0", "a", "3306", "0", "ONLINE", "1", "0", "1000", "0", "0", "0", "")
    ]
    proxy.run(GR_ROW.format("", "2, 4, 3, 1"))
    assert proxy.rows("SELECT * FROM mysql_group_replication_hostgroups") == [
        ("2", "4", "3", "1", "1", "1", "0", "0", None)
    ]
    proxy.run("INSERT INTO mysql_users (username) VALUES ('u')")
    assert proxy.rows("SELECT * FROM mysql_users") == [
        ("u", None, "1", "0", "0", None, "0", "1", "0", "1", "1", "10000", "", "")
    ]
    proxy.run("INSERT INTO mysql_query_rules (rule_id) VALUES (7)")
    row = dict(zip(COLUMNS["mysql_query_rules"].split(), proxy.rows("SELECT * FROM mysql_query_rules")[0]))
    assert {name: value for name, value in row.items() if value is not None} == {
        "rule_id": "7", "active": "0", "flagIN": "0", "negate_match_pattern": "0", "re_modifiers": "CASELESS", "apply": "0", "attributes": "",
    }  # fmt: skip


def test_text_with_quotes_and_utf8(proxy):
    proxy.run("INSERT INTO mysql_servers (hostname, comment) VALUES ('a', 'it''s a \"Zürich\" ☃')")
    assert proxy.value("SELECT comment FROM mysql_servers") == 'it\'s a "Zürich" ☃'
    # the backslash is no escape character here: what a client library escapes with it is refused
    assert "unrecognized token" in proxy.refused("SELECT 'it\\'s'")[1]


# ---- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        (
            "INSERT INTO mysql_servers (hostname, weight) VALUES ('a', -1)",
            "CHECK constraint failed: weight >= 0 AND weight <=10000000",
        ),
        (
            "INSERT INTO mysql_servers (hostname, status) VALUES ('a', 'UP')",
            "CHECK constraint failed: UPPER(status) IN",
        ),
        (
            "INSERT INTO mysql_servers (hostname, port) VALUES ('a', 65536)",
            "CHECK constraint failed: port >= 0 AND port <= 65535",
        ),
        ("INSERT INTO mysql_servers (hostgroup_id) VALUES (1)", "NOT NULL constraint failed: mysql_servers.hostname"),
        (
            "INSERT INTO mysql_servers (hostname) VALUES ('a'), ('a')",
            "UNIQUE constraint failed: mysql_servers.hostgroup_id, mysql_servers.hostname, mysql_servers.port",
        ),
        (GR_ROW.format(", max_writers", "2, 4, 3, 1, -1"), "CHECK constraint failed: max_writers >= 0"),
        (
            GR_ROW.format(", writer_is_also_reader", "2, 4, 3, 1, 3"),
            "CHECK constraint failed: writer_is_also_reader IN (0,1,2)",
        ),
        (GR_ROW.format(", active", "2, 4, 3, 1, 2"), "CHECK constraint failed: active IN (0,1)"),
        (
            GR_ROW.format(", max_transactions_behind", "2, 4, 3, 1, -1"),
            "CHECK constraint failed: max_transactions_behind>=0",
        ),
        (
            GR_ROW.format("", "2, 2, 3, 1"),
            "CHECK constraint failed: backup_writer_hostgroup>=0 AND backup_writer_hostgroup<>writer_hostgroup",
        ),
        (GR_ROW.format("", "2, 4, 0, 1"), "CHECK constraint failed: reader_hostgroup<>writer_hostgroup AND"),
        (GR_ROW.format("", "2, 4, 3, 3"), "CHECK constraint failed: offline_hostgroup<>writer_hostgroup AND"),
        (
            GR_ROW.format("", "2, 4, 3, 1), (12, 14, 3, 11"),
            "UNIQUE constraint failed: mysql_group_replication_hostgroups.reader_hostgroup",
        ),
        ("INSERT INTO mysql_users (username, active) VALUES ('u', 2)", "CHECK constraint failed: active IN (0,1)"),
        (
            "INSERT INTO mysql_users (username, attributes) VALUES ('u', 'x')",
            "CHECK constraint failed: JSON_VALID(attributes) OR attributes = ''",
        ),
        ("SELECT nosuch FROM mysql_servers", "no such column: nosuch"),
        ("SELECT * FROM nosuch", "no such table: nosuch"),
        ("SELECT * FROM main.nosuch", "no such table: main.nosuch"),
        ("INSERT INTO mysql_servers (nosuch) VALUES (1)", "table mysql_servers has no column named nosuch"),
        ("SELECT nosuch()", "no such function: nosuch"),
        ("LOAD NOSUCH TO RUNTIME", 'near "LOAD": syntax error'),
        ("SAVE MYSQL SERVERS TO NOWHERE", 'near "SAVE": syntax error'),
        ("DESC mysql_users", 'near "DESC": syntax error'),
        ("SHOW STATUS", 'near "SHOW": syntax error'),
        ("PROXYSQL NOSUCH", 'near "PROXYSQL": syntax error'),
    ],
)
def test_error(proxy, statement, text):
    code, message = proxy.refused(statement)
    assert code == 1045
    assert message.startswith("ProxySQL Admin Error: " + text)


def test_no_statement_is_an_error(proxy):
    code, message = proxy.refused("")
    assert code == 1045
    # SQLite's words for no error, until ProxySQL 2.7.
    assert message in ("ProxySQL Admin Error: not an error", "ProxySQL Admin Error: Empty query")


def test_nothing_of_a_refused_insert_remains(proxy):
    proxy.refused("INSERT INTO mysql_servers (hostname, weight) VALUES ('a', 1), ('b', -1)")
    assert proxy.rows("SELECT * FROM mysql_servers") == []


@pytest.mark.parametrize("text", ["o'brien", 'a"b', "back\\slash\\", "all'\"\\;--"])
def test_what_a_client_library_quotes_is_kept_as_it_is(proxy, text):
    connection = proxy.connect()
    with connection.cursor() as cursor:
        with pytest.raises(pymysql.OperationalError):  # nobody has told the library yet how to quote
            cursor.execute("INSERT INTO mysql_users (username, password) VALUES (%s, %s)", ("it's", text))
        cursor.execute("SET AUTOCOMMIT = 1")
        cursor.execute("INSERT INTO mysql_users (username, password) VALUES (%s, %s)", (text, text))
        cursor.execute("SELECT username FROM mysql_users WHERE password=%s", (text,))
        assert cursor.fetchall() == ((text,),)
    connection.close()
    proxy.run("LOAD MYSQL USERS TO RUNTIME")
    assert {row[0] for row in proxy.rows("SELECT username FROM runtime_mysql_users")} == {text}


def test_set_of_an_unknown_variable_is_ok_with_a_message(proxy):
    answer = proxy.run("SET nosuch=1")
    assert (answer.affected, answer.message) == (0, "ERROR: Unknown global variable: 'nosuch'.")


def test_set_changes_memory_only(proxy):
    assert proxy.run("SET mysql-monitor_ping_interval=9000").affected == 1
    assert proxy.run("SET mysql-monitor_username='some one'").affected == 1
    names = "variable_name IN ('mysql-monitor_ping_interval', 'mysql-monitor_username') ORDER BY variable_name"
    assert proxy.rows(f"SELECT variable_value FROM global_variables WHERE {names}") == [("9000",), ("some one",)]
    assert proxy.rows(f"SELECT variable_value FROM runtime_global_variables WHERE {names}") == [("8000",), ("monitor",)]


def test_prepared_statements_are_refused(proxy):
    connection = proxy.connect()
    connection._execute_command(0x16, "SELECT 1")
    with pytest.raises(pymysql.OperationalError) as error:
        connection._read_packet()
    assert error.value.args == (1045, "Command not supported")
    connection.close()


# ---- credentials ----------------------------------------------------------------------------------------------------


def denied(proxy, user, password):
    with pytest.raises(pymysql.OperationalError) as error:
        proxy.connect(user, password).close()
    return error.value.args


@pytest.mark.parametrize(("password", "used"), [("wrong", "YES"), ("", "NO")])
def test_wrong_credentials(proxy, password, used):
    code, text = denied(proxy, "nobody", password)
    assert code == 1045
    assert text.startswith("ProxySQL Error: Access denied for user 'nobody'@'")
    assert text.endswith(f"' (using password: {used})")
    assert denied(proxy, proxy.user, password)[0] == 1045


def test_changed_credentials_count_after_load(proxy):
    current = proxy.value("SELECT variable_value FROM global_variables WHERE variable_name='admin-admin_credentials'")
    proxy.run(
        f"UPDATE global_variables SET variable_value='{current};second:pass-2;third:pass-3' WHERE variable_name='admin-admin_credentials'"
    )
    denied(proxy, "second", "pass-2")
    proxy.run("LOAD ADMIN VARIABLES TO RUNTIME")
    proxy.connect("second", "pass-2").close()
    proxy.connect("third", "pass-3").close()
    denied(proxy, "second", "pass-3")
    proxy.run(f"SET admin-admin_credentials='{current}'")
    proxy.run("LOAD ADMIN VARIABLES TO RUNTIME")
    denied(proxy, "second", "pass-2")
    # who is connected already stays
    assert proxy.value("SELECT 1") == "1"


@pytest.mark.restarts  # needs a ProxySQL of the suite's own, with its default user
def test_user_admin_only_from_this_machine(proxy):
    """127.0.0.1, not any loopback address; other admin users from everywhere."""
    proxy.connect("admin", "admin").close()
    proxy.connect(bind_address="127.0.0.5").close()
    with pytest.raises(pymysql.OperationalError) as error:
        proxy.connect("admin", "admin", bind_address="127.0.0.5")
    assert error.value.args == (1040, "User 'admin' can only connect locally")
    with pytest.raises(pymysql.OperationalError) as error:
        proxy.connect("admin", "wrong", bind_address="127.0.0.5")
    assert error.value.args[0] == 1045


@pytest.mark.restarts  # needs free ports of the machine that it runs on
def test_admin_interfaces_follow_the_variable(proxy):
    port = targets.free_ports(1)[0]
    proxy.run(f"SET admin-mysql_ifaces='127.0.0.1:{proxy.admin_port};127.0.0.1:{port}'")
    proxy.run("LOAD ADMIN VARIABLES TO RUNTIME")

    def answers():
        try:
            proxy.connect(port=port).close()
            return "yes"
        except pymysql.OperationalError:
            return "no"

    targets.wait_for(lambda: answers() == "yes", 10, "second admin port")
    proxy.run(f"SET admin-mysql_ifaces='127.0.0.1:{proxy.admin_port}'")
    proxy.run("LOAD ADMIN VARIABLES TO RUNTIME")
    targets.wait_for(lambda: answers() == "no", 10, "second admin port closed")
    assert proxy.value("SELECT 1") == "1"


def test_application_interfaces_are_fixed_until_a_restart(proxy):
    name = "WHERE variable_name='mysql-interfaces'"
    before = proxy.value(f"SELECT variable_value FROM global_variables {name}")
    proxy.run("SET mysql-interfaces='127.0.0.1:1'")
    proxy.run("LOAD MYSQL VARIABLES TO RUNTIME")
    for table in ("global_variables", "runtime_global_variables"):
        assert proxy.value(f"SELECT variable_value FROM {table} {name}") == before


def test_stats_user_reads_only(proxy):
    connection = proxy.connect("stats", "stats")
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM stats_mysql_connection_pool")
        for statement, text in (
            ("PRAGMA table_info(mysql_users)", "ProxySQL Admin Error: Command not allowed"),
            ("LOAD MYSQL SERVERS TO RUNTIME", 'ProxySQL Admin Error: near "LOAD": syntax error'),
        ):
            with pytest.raises(pymysql.OperationalError) as error:
                cursor.execute(statement)
            assert error.value.args == (1045, text)
    connection.close()


def test_a_list_of_credentials_without_entries_lets_nobody_in(proxy):
    """An empty value would not be taken."""
    try:
        proxy.run("SET admin-stats_credentials=';'")
        proxy.run("LOAD ADMIN VARIABLES TO RUNTIME")
        for user, password in (("stats", "stats"), (";", ""), ("", "")):
            with pytest.raises(pymysql.OperationalError, match="Access denied"):
                proxy.connect(user, password)
        assert proxy.value("SELECT 1") == "1"
    finally:
        proxy.run("SET admin-stats_credentials='stats:stats'")
        proxy.run("LOAD ADMIN VARIABLES TO RUNTIME")
    proxy.connect("stats", "stats").close()


def test_read_only_interface(proxy):
    proxy.run("SET admin-read_only='true'")
    proxy.run("LOAD ADMIN VARIABLES TO RUNTIME")
    try:
        assert proxy.refused("DELETE FROM mysql_servers") == (
            1045,
            "ProxySQL Admin Error: attempt to write a readonly database",
        )
        assert proxy.rows("SELECT * FROM mysql_servers") == []
    finally:
        proxy.run("PROXYSQL READWRITE")
    assert proxy.run("DELETE FROM mysql_servers").affected == 0
