# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The port for applications: login, routing, transactions, what answers look like, waiting and draining."""

from __future__ import annotations

import contextlib
import struct
import threading
import time

import pymysql
import pytest
from members import APP, MONITOR, SCHEMA
from targets import wait_for

pytestmark = [
    pytest.mark.members,
    pytest.mark.integration,
    pytest.mark.claim("Applications get the same answers through the stand-in as through ProxySQL."),
]

W, R = 2, 3


@pytest.fixture
def served(proxy, group):
    """The first member as writer and as reader; no hostgroup row by which the monitor would move it.

    One server only, so that what was written is read back at once.
    """
    proxy.set(monitor_username=MONITOR[0], monitor_password=MONITOR[1], connect_timeout_server_max=3000)
    first = group.members[0]
    proxy.run(
        "INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES "
        + ", ".join(f"({hostgroup}, '{first.host}', {first.port})" for hostgroup in (W, R))
    )
    proxy.run(f"INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('{APP[0]}', '{APP[1]}', {W})")
    for module in ("MYSQL SERVERS", "MYSQL USERS"):
        proxy.run(f"LOAD {module} TO RUNTIME")
    group.writable().sql(f"TRUNCATE {SCHEMA}.t")
    counted_everywhere(group, 0)
    return proxy


@pytest.fixture
def spread(served, group):
    """All members as writers."""
    for member in group.members[1:]:
        served.run(
            f"INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES ({W}, '{member.host}', {member.port})"
        )
    served.run("LOAD MYSQL SERVERS TO RUNTIME")
    return served


def counted_everywhere(group, number):
    """Waits until every member has that many rows."""
    for member in group.members:
        wait_for(
            lambda member=member: member.sql(f"SELECT COUNT(*) FROM {SCHEMA}.t") == [[str(number)]], 10, "replicated"
        )


@contextlib.contextmanager
def client(proxy, user=APP[0], password=APP[1], database=SCHEMA, **options):
    connection = proxy.connect(user, password, proxy.port, database=database, **options)
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def one(cursor, statement):
    cursor.execute(statement)
    return cursor.fetchone()[0]


def pool(proxy, column, hostgroup=W):
    return {
        row[:2]: int(row[2])
        for row in proxy.rows(
            f"SELECT srv_host, srv_port, {column} FROM stats_mysql_connection_pool WHERE hostgroup={hostgroup}"
        )
    }


def server(key):
    """The condition that names one server of mysql_servers."""
    return "hostname='{}' AND port={}".format(*key)


# ---- login ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "password", "used"), [(APP[0], "wrong", "YES"), ("nobody", "x", "YES"), (APP[0], "", "NO")]
)
def test_wrong_credentials(served, user, password, used):
    with pytest.raises(pymysql.OperationalError) as error:
        served.connect(user, password, served.port).close()
    code, text = error.value.args
    assert code == 1045
    assert text.startswith(f"ProxySQL Error: Access denied for user '{user}'@'") and text.endswith(
        f"' (using password: {used})"
    )


def test_an_account_that_must_use_tls(served):
    served.run("UPDATE mysql_users SET use_ssl=1")
    served.run("LOAD MYSQL USERS TO RUNTIME")
    with pytest.raises(pymysql.OperationalError) as error:
        served.connect(*APP, served.port, ssl_disabled=True).close()
    assert error.value.args == (
        1045,
        f"ProxySQL Error: Access denied for user '{APP[0]}' (using password: YES). SSL is required",
    )


@pytest.mark.parametrize("plugin", ["mysql_native_password", "caching_sha2_password"])
def test_login_by_either_plugin(served, plugin):
    served.set(default_authentication_plugin=plugin)
    for _number in range(2):
        with client(served) as cursor:
            assert one(cursor, "SELECT 1") == 1


def test_changed_users_count_after_load(served):
    served.run("UPDATE mysql_users SET active=0")
    with client(served) as cursor:
        assert one(cursor, "SELECT 1") == 1
    served.run("LOAD MYSQL USERS TO RUNTIME")
    with pytest.raises(pymysql.OperationalError):
        served.connect(*APP, served.port).close()


# ---- answers --------------------------------------------------------------------------------------------------------


def test_answers_are_the_servers_own(served):
    with client(served) as cursor:
        assert (
            cursor.execute(
                "INSERT INTO t (v, n, d, b) VALUES (%s, %s, %s, %s), ('b', 2, 3.5, NULL)",
                ("ä€'x\\", -1, "12.50", b"\0\xff"),
            )
            == 2
        )
        first = cursor.lastrowid
        assert first > 0
        cursor.execute("SELECT v, n, d, b, NULL FROM t ORDER BY id")
        assert [d[:2] for d in cursor.description] == [("v", 253), ("n", 3), ("d", 246), ("b", 252), ("NULL", 6)]
        rows = cursor.fetchall()
        assert [(row[0], row[1], str(row[2]), row[3], row[4]) for row in rows] == [
            ("ä€'x\\", -1, "12.50", b"\0\xff", None),
            ("b", 2, "3.50", None, None),
        ]
        assert cursor.execute("UPDATE t SET n=7") == 2
        assert cursor.execute("UPDATE t SET n=7") == 0
        assert cursor.execute("SELECT * FROM t WHERE n=8") == 0


def test_found_rows_flag_counts_matched_rows(served):
    with client(served, client_flag=pymysql.constants.CLIENT.FOUND_ROWS) as cursor:
        cursor.execute("INSERT INTO t (n) VALUES (7)")
        assert cursor.execute("UPDATE t SET n=7") == 1


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELEC", 1064),
        ("SELECT * FROM nosuch", 1146),
        ("INSERT INTO t (id) VALUES (1), (1)", 1062),
        ("CREATE DATABASE nosuch_for_us", 1044),
    ],
)
def test_errors_are_the_servers_own(served, statement, code):
    with client(served) as cursor:
        with pytest.raises(pymysql.MySQLError) as error:
            cursor.execute(statement)
        assert error.value.args[0] == code
        assert one(cursor, "SELECT 1") == 1


def test_many_and_large_rows(served):
    with client(served) as cursor:
        cursor.executemany("INSERT INTO t (v) VALUES (%s)", [(str(n),) for n in range(1000)])
        assert cursor.execute("SELECT * FROM t a JOIN t b LIMIT 20000") == 20000
        assert len(one(cursor, "SELECT REPEAT('x', 3000000)")) == 3000000


def test_multiple_statements(served):
    with client(served, client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS) as cursor:
        cursor.execute("SELECT 1; SELECT 2; SELECT 3")
        found = [cursor.fetchall()]
        while cursor.nextset():
            found.append(cursor.fetchall())
        assert found == [((1,),), ((2,),), ((3,),)]


def prepared(connection, sql, *numbers):
    """Rows (raw packets) of a statement prepared by the server and executed with integer parameters."""
    connection._execute_command(0x16, sql)
    packet = connection._read_packet()._data
    statement, columns, parameters = struct.unpack_from("<IHH", packet, 1)
    for count in (parameters, columns):
        for _number in range(count + 1 if count else 0):
            connection._read_packet()
    values = (
        b"\0" * ((parameters + 7) // 8)
        + b"\1"
        + b"\x08\0" * parameters
        + b"".join(struct.pack("<q", n) for n in numbers)
    )
    connection._execute_command(0x17, struct.pack("<IBI", statement, 0, 1) + (values if parameters else b""))
    head = connection._read_packet()
    rows = []
    if head._data[0]:
        for _number in range(head._data[0] + 1):
            connection._read_packet()
        while True:
            packet = connection._read_packet()
            if packet.is_eof_packet():
                break
            rows.append(packet._data)
    connection._execute_command(0x19, struct.pack("<I", statement))
    return rows


def test_prepared_statements(served):
    with client(served) as cursor:
        for number in range(5):
            assert prepared(cursor.connection, "INSERT INTO t (n) VALUES (?)", number) == []
        rows = prepared(cursor.connection, "SELECT n FROM t WHERE n >= ? ORDER BY n", 2)
        assert [struct.unpack("<i", row[2:6])[0] for row in rows] == [2, 3, 4]
        assert one(cursor, "SELECT COUNT(*) FROM t") == 5


# ---- sessions -------------------------------------------------------------------------------------------------------


def test_session_settings_follow_the_session(spread):
    """Whatever server the next statement goes to."""
    with client(spread) as cursor, client(spread) as other:
        cursor.execute("SET NAMES latin1")
        cursor.execute("SET SESSION sql_mode='ANSI_QUOTES'")
        for _number in range(12):
            assert one(cursor, "SELECT COUNT(*) FROM performance_schema.session_variables WHERE variable_name='character_set_client'"
                       " AND variable_value='latin1'") == 1  # fmt: skip
            assert one(other, "SELECT COUNT(*) FROM performance_schema.session_variables WHERE variable_name='character_set_client'"
                       " AND variable_value='latin1'") == 0  # fmt: skip


def test_user_variables_stay_in_the_session(spread):
    with client(spread) as cursor, client(spread) as other:
        cursor.execute("SET @x = 5")
        for _number in range(6):
            assert one(cursor, "SELECT @x") == 5
            assert one(other, "SELECT @x") is None


def test_an_address_in_a_value_does_not_pin_the_session(spread):
    """Unlike @variables, which do."""
    with client(spread) as cursor:
        cursor.execute("SELECT COUNT(*) FROM t WHERE v='someone@example.org'")
        assert not any(pool(spread, "ConnUsed").values())
        cursor.execute("SELECT @x")
        assert sum(pool(spread, "ConnUsed").values()) == 1


def test_after_an_auto_increment_value_the_session_stays_for_some_statements(spread):
    """mysql-auto_increment_delay_multiplex=5"""
    with client(spread) as cursor:
        cursor.execute("INSERT INTO t (n) VALUES (1)")
        assert sum(pool(spread, "ConnUsed").values()) == 1
        assert one(cursor, "SELECT COUNT(*) FROM t") == 1
        for _number in range(7):
            cursor.execute("DO 1")
        assert sum(pool(spread, "ConnUsed").values()) == 0


def test_default_database_can_be_changed(served):
    with client(served, database="information_schema") as cursor:
        cursor.execute(f"USE {SCHEMA}")
        assert one(cursor, "SELECT COUNT(*) FROM t") == 0
        cursor.connection.select_db("information_schema")
        for _number in range(6):
            assert one(cursor, "SELECT COUNT(*) FROM schemata WHERE schema_name='information_schema'") == 1


def test_a_transaction_stays_on_one_server(spread):
    with client(spread) as cursor:
        for _number in range(5):
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO t (n) VALUES (1)")
            used = [key for key, count in pool(spread, "ConnUsed").items() if count]
            assert len(used) == 1
            for _statement in range(5):
                assert one(cursor, "SELECT COUNT(*) FROM t") == 1
                assert [key for key, count in pool(spread, "ConnUsed").items() if count] == used
            cursor.execute("ROLLBACK")
        assert one(cursor, "SELECT COUNT(*) FROM t") == 0


def test_an_aborted_client_leaves_no_transaction(served):
    connection = served.connect(*APP, served.port, database=SCHEMA)
    connection.begin()
    connection.cursor().execute("INSERT INTO t (n) VALUES (1)")
    connection._force_close()
    wait_for(lambda: not any(pool(served, "ConnUsed").values()), 40, "connection given back")
    with client(served) as cursor:
        assert one(cursor, "SELECT COUNT(*) FROM t") == 0


def test_statements_spread_over_the_servers(spread, group):
    before = pool(spread, "Queries")
    with client(spread) as cursor:
        for _number in range(60):
            cursor.execute("DO 1")
    after = pool(spread, "Queries")
    assert all(after[m.key] > before.get(m.key, 0) for m in group.members)


def test_weight_0_gets_nothing(spread, group):
    spread.run(f"UPDATE mysql_servers SET weight=0 WHERE NOT ({server(group.members[1].key)})")
    spread.run("LOAD MYSQL SERVERS TO RUNTIME")
    before = pool(spread, "Queries")
    with client(spread) as cursor:
        for _number in range(20):
            cursor.execute("DO 1")
    after = pool(spread, "Queries")
    assert {key for key in after if after[key] > before.get(key, 0)} == {group.members[1].key}


# ---- rules ----------------------------------------------------------------------------------------------------------


def test_read_write_split(served, group):
    served.run(
        "INSERT INTO mysql_query_rules (rule_id, active, match_digest, destination_hostgroup, apply) VALUES"
        f" (1, 1, '^SELECT .* FOR UPDATE', {W}, 1), (2, 1, '^SELECT', {R}, 1)"
    )
    served.run("LOAD MYSQL QUERY RULES TO RUNTIME")

    def counted(statement):
        before = sum(pool(served, "Queries", R).values())
        with client(served) as cursor:
            for _number in range(5):
                cursor.execute(statement)
        return sum(pool(served, "Queries", R).values()) - before

    assert counted("SELECT COUNT(*) FROM t") == 5
    assert counted("select /* x */ count(*) from t where v = 'FOR UPDATE'") == 5
    assert counted("SELECT * FROM t WHERE n=1 FOR UPDATE") == 0
    assert counted("INSERT INTO t (n) VALUES (1)") == 0
    hits = "SELECT hits FROM stats_mysql_query_rules ORDER BY rule_id"
    wait_for(
        lambda: served.rows(hits) == [("5",), ("10",)], 15, "hits of the rules"
    )  # ProxySQL's threads add them up now and then
    with client(served) as cursor:  # inside a transaction the hostgroup stays
        before = sum(pool(served, "Queries", R).values())
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO t (n) VALUES (1)")
        assert one(cursor, "SELECT COUNT(*) FROM t") == 6
        cursor.execute("ROLLBACK")
        assert sum(pool(served, "Queries", R).values()) == before


def test_rules_that_answer_themselves(served):
    served.run(
        "INSERT INTO mysql_query_rules (rule_id, active, match_pattern, error_msg, apply) VALUES (1, 1, 'forbidden', 'not here', 1)"
    )
    served.run("LOAD MYSQL QUERY RULES TO RUNTIME")
    with client(served) as cursor:
        with pytest.raises(pymysql.MySQLError) as error:
            cursor.execute("SELECT 'forbidden'")
        assert error.value.args == (1148, "not here")
        assert one(cursor, "SELECT 1") == 1


# ---- servers that come and go ---------------------------------------------------------------------------------------


def test_without_a_server_statements_wait_and_then_fail(served):
    served.run("UPDATE mysql_servers SET status='OFFLINE_SOFT'")
    served.run("LOAD MYSQL SERVERS TO RUNTIME")
    with client(served) as cursor:
        started = time.monotonic()
        with pytest.raises(pymysql.MySQLError) as error:
            cursor.execute("DO 1")
        assert 2.5 < time.monotonic() - started < 8
    code, text = error.value.args
    assert code == 9001
    assert text.startswith("Max connect timeout reached while reaching hostgroup") or "after" in text


def test_a_waiting_statement_goes_on_when_a_server_comes(served):
    served.set(connect_timeout_server_max=15000)
    served.run("UPDATE mysql_servers SET status='OFFLINE_SOFT'")
    served.run("LOAD MYSQL SERVERS TO RUNTIME")
    found = []

    def ask():
        with client(served) as cursor:
            found.append(one(cursor, "SELECT 42"))

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(1)
    assert found == []
    served.run("UPDATE mysql_servers SET status='ONLINE'")
    served.run("LOAD MYSQL SERVERS TO RUNTIME")
    thread.join(15)
    assert found == [42]


def test_offline_soft_drains(spread, group):
    """The transaction under way ends where it is; nothing new goes there."""
    with client(spread) as busy, client(spread) as other:
        busy.execute("BEGIN")
        busy.execute("INSERT INTO t (n) VALUES (1)")
        key = next(key for key, count in pool(spread, "ConnUsed").items() if count)
        spread.run(f"UPDATE mysql_servers SET status='OFFLINE_SOFT' WHERE {server(key)}")
        spread.run("LOAD MYSQL SERVERS TO RUNTIME")
        before = pool(spread, "Queries")[key]
        for _number in range(20):
            other.execute("DO 1")
        assert pool(spread, "Queries")[key] == before
        assert pool(spread, "ConnUsed")[key] == 1
        busy.execute("INSERT INTO t (n) VALUES (2)")
        busy.execute("COMMIT")
        wait_for(lambda: pool(spread, "ConnUsed")[key] == 0, 40, "drained")
    counted_everywhere(group, 2)


def test_a_removed_server_ends_its_transaction(spread, group):
    with client(spread) as busy:
        busy.execute("BEGIN")
        busy.execute("INSERT INTO t (n) VALUES (1)")
        key = next(key for key, count in pool(spread, "ConnUsed").items() if count)
        spread.run(f"DELETE FROM mysql_servers WHERE {server(key)}")
        spread.run("LOAD MYSQL SERVERS TO RUNTIME")
        assert spread.rows(f"SELECT status FROM runtime_mysql_servers WHERE {server(key)} AND hostgroup_id={W}") in (
            [("OFFLINE_HARD",)],
            [],
        )
        with pytest.raises(pymysql.MySQLError):
            for _number in range(3):
                busy.execute("INSERT INTO t (n) VALUES (2)")
    counted_everywhere(group, 0)


def test_a_refusing_server_is_shunned_and_others_serve(spread, group, forwarder):
    front = forwarder(group.members[0])
    front.refuse()
    spread.run(f"DELETE FROM mysql_servers WHERE hostgroup_id={W} AND {server(group.members[0].key)}")
    spread.run(
        f"INSERT INTO mysql_servers (hostgroup_id, hostname, port, weight) VALUES ({W}, '{front.key[0]}', {front.port}, 1000)"
    )
    spread.run("LOAD MYSQL SERVERS TO RUNTIME")
    with client(spread) as cursor:
        for _number in range(20):
            assert one(cursor, "SELECT 1") == 1
    status = spread.value(f"SELECT status FROM runtime_mysql_servers WHERE port={front.port}")
    errors = pool(spread, "ConnERR")[front.key]
    assert status == "SHUNNED" and errors >= 5


@pytest.mark.parametrize("retries", [1, 0])
def test_a_statement_outside_of_a_transaction_survives_lost_connections(served, group, forwarder, retries):
    """The kept connection is dead; the statement is sent once more, on a new one, unless that is not wanted."""
    served.set(query_retries_on_failure=retries)
    front = forwarder(group.members[0])
    served.run(f"DELETE FROM mysql_servers WHERE hostgroup_id={W}")
    served.run(f"INSERT INTO mysql_servers (hostgroup_id, hostname, port) VALUES ({W}, '{front.key[0]}', {front.port})")
    served.run("LOAD MYSQL SERVERS TO RUNTIME")
    with client(served) as cursor:
        assert one(cursor, "SELECT 1") == 1
        front.refuse()
        front.open()
        if retries:
            assert one(cursor, "SELECT 2") == 2
        else:
            with pytest.raises(pymysql.OperationalError) as error:
                one(cursor, "SELECT 2")
            assert error.value.args[0] == 2013
