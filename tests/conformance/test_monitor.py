# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Group Replication monitor: where it places the members of a live group, and when."""

from __future__ import annotations

import time

import pytest
from members import MONITOR
from targets import wait_for

pytestmark = [
    pytest.mark.members,
    pytest.mark.integration,
    pytest.mark.claim("The stand-in's monitor places the members of a live group where ProxySQL's does."),
]

W, B, R, O = 2, 4, 3, 1  # noqa: E741  writer, backup writer, reader, offline hostgroup
INTERVAL = 0.3


@pytest.fixture
def monitored(proxy):
    """The proxy with the monitor's account and short intervals."""
    proxy.set(
        monitor_username=MONITOR[0],
        monitor_password=MONITOR[1],
        monitor_groupreplication_healthcheck_interval=int(INTERVAL * 1000),
        monitor_groupreplication_healthcheck_timeout=500,
        monitor_ping_interval=500,
        monitor_ping_timeout=400,
    )
    quiet(proxy)
    return proxy


def configure(proxy, servers, load=True, **columns):
    """servers: (host, port) or (host, port, hostgroup, weight, status)"""
    columns = {"max_writers": 10, "writer_is_also_reader": 0, "max_transactions_behind": 100, **columns}
    proxy.run("DELETE FROM mysql_group_replication_hostgroups")
    proxy.run("DELETE FROM mysql_servers")
    proxy.run(
        "INSERT INTO mysql_group_replication_hostgroups (writer_hostgroup, backup_writer_hostgroup, reader_hostgroup, offline_hostgroup, "
        + ", ".join(columns)
        + f") VALUES ({W}, {B}, {R}, {O}, "
        + ", ".join(map(str, columns.values()))
        + ")"
    )
    for server in servers:
        host, port, hostgroup, weight, status = (*server, *(None, None, W, 1, "ONLINE")[len(server) :])
        proxy.run(
            "INSERT INTO mysql_servers (hostgroup_id, hostname, port, weight, status)"
            f" VALUES ({hostgroup}, '{host}', {port}, {weight}, '{status}')"
        )
    if load:
        proxy.run("LOAD MYSQL SERVERS TO RUNTIME")


def placement(proxy, only=None) -> dict:
    """{hostgroup: {(host, port): status}}"""
    found: dict = {}
    for hostgroup, host, port, status in proxy.rows(
        "SELECT hostgroup_id, hostname, port, status FROM runtime_mysql_servers"
    ):
        if status != "OFFLINE_HARD" and (only is None or (host, port) in only):
            found.setdefault(int(hostgroup), {})[host, port] = status
    return found


def placed(proxy, wanted: dict, seconds: float = 40, only=None):
    """Waits for {hostgroup: keys}, all ONLINE unless said otherwise, and that it stays so."""
    wanted = {
        hostgroup: dict.fromkeys(keys, "ONLINE") if not isinstance(keys, dict) else keys
        for hostgroup, keys in wanted.items()
        if keys
    }

    def settled():
        first = placement(proxy, only)
        if first != wanted:
            return False
        time.sleep(2.5 * INTERVAL)
        return placement(proxy, only) == wanted

    try:
        wait_for(settled, seconds, "placement")
    except AssertionError:
        raise AssertionError(f"wanted {wanted}, is {placement(proxy, only)}") from None


def last_check(proxy, key, failed_connect=False) -> dict:
    """The newest row. Those of failed connects are ahead of the clock (by the machine's uptime), also the ones of earlier tests."""
    answer = proxy.run(
        f"SELECT * FROM monitor.mysql_server_group_replication_log WHERE hostname='{key[0]}' AND port={key[1]} ORDER BY time_start_us"
    )
    ahead = (time.time() + 20) * 1e6
    rows = [row for row in answer.rows if (int(row[2]) > ahead) == failed_connect]
    return dict(zip(answer.columns, rows[-1])) if rows else {}


def quiet(proxy):
    """Waits until no check is under way.

    Upstream (set_writer, lib/MySQL_HostGroups_Manager.cpp) takes the mark "new group, converge" off with the first result that arrives, be
    it of a check that began before the LOAD and finds no server. Then nobody counts the writers until somebody moves.
    """
    newest = (
        "SELECT COALESCE(MAX(time_start_us), 0) FROM monitor.mysql_server_group_replication_log WHERE error IS NULL"
    )
    wait_for(lambda: time.time() - int(proxy.value(newest)) / 1e6 > 0.5 + 3 * INTERVAL, 20, "the monitor is quiet")


# ---- placement ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("also_reader", [0, 1])
@pytest.mark.parametrize("configured", [W, R])
def test_multi_primary(monitored, group, also_reader, configured):
    configure(monitored, [(*m.key, configured) for m in group.members], writer_is_also_reader=also_reader)
    placed(monitored, {W: group.keys, R: group.keys if also_reader else set()})
    check = last_check(monitored, group.members[0].key)
    assert (check["viable_candidate"], check["read_only"], check["error"]) == ("YES", "NO", None)
    assert int(check["success_time_us"]) > 0
    assert abs(int(check["time_start_us"]) / 1e6 - time.time()) < 30
    # memory is not touched
    assert monitored.rows("SELECT DISTINCT hostgroup_id, COUNT(*) FROM mysql_servers") == [(str(configured), "3")]


def test_max_writers_by_weight_then_name_then_port(monitored, group):
    a, b, c = sorted(m.key for m in group.members)
    configure(monitored, [(*a, W, 5), (*b, W, 1), (*c, W, 1)], max_writers=2)
    placed(monitored, {W: {a, c}, B: {b}})
    monitored.clear()
    quiet(monitored)
    configure(monitored, [(*a, W, 1), (*b, W, 1), (*c, W, 1)], max_writers=1)
    placed(monitored, {W: {c}, B: {a, b}})


def test_max_writers_is_not_applied_again_by_a_load(monitored, group):
    """Upstream's behaviour: surplus writers are found only when a hostgroup row is new or somebody moves."""
    a, b, c = sorted(m.key for m in group.members)
    configure(monitored, [m.key for m in group.members], max_writers=1)
    placed(monitored, {W: {c}, B: {a, b}})
    monitored.run("LOAD MYSQL SERVERS TO RUNTIME")
    placed(monitored, {W: group.keys})
    leaver = next(m for m in group.members if m.key == a)
    with group.stopped(leaver):
        placed(monitored, {W: {c}, B: {b}, O: {a}})


@pytest.mark.parametrize(("also_reader", "readers"), [(0, ""), (1, "abc")])
def test_backup_writers_and_readers(monitored, group, also_reader, readers):
    keys = dict(zip("abc", sorted(m.key for m in group.members)))
    configure(monitored, [m.key for m in group.members], max_writers=1, writer_is_also_reader=also_reader)
    placed(monitored, {W: {keys["c"]}, B: {keys["a"], keys["b"]}, R: {keys[name] for name in readers}})


def test_only_backup_writers_are_readers(monitored, group):
    """writer_is_also_reader=2"""
    a, b, c = sorted(m.key for m in group.members)
    configure(monitored, [m.key for m in group.members], max_writers=1, writer_is_also_reader=2)
    wait_for(
        lambda: (
            placement(monitored).get(W) == {c: "ONLINE"} and placement(monitored).get(B) == {a: "ONLINE", b: "ONLINE"}
        ),
        10,
        "writers",
    )
    wait_for(lambda: set(placement(monitored).get(R, {})) == {a, b}, 40, "readers")


def test_backup_writer_takes_over(monitored, group):
    a, b, c = sorted(m.key for m in group.members)
    configure(monitored, [(*a, W, 1), (*b, W, 2), (*c, W, 3)], max_writers=1)
    placed(monitored, {W: {c}, B: {a, b}})
    leaver = next(m for m in group.members if m.key == c)
    with group.stopped(leaver):
        placed(monitored, {W: {b}, B: {a}, O: {c}})
    placed(monitored, {W: {c}, B: {a, b}} if placement(monitored).get(W) == {c: "ONLINE"} else {W: {b}, B: {a, c}}, 60)


def test_member_out_of_the_group_goes_offline_and_back(monitored, group):
    leaver = group.members[1]
    configure(monitored, [m.key for m in group.members], writer_is_also_reader=1)
    placed(monitored, {W: group.keys, R: group.keys})
    with group.stopped(leaver):
        others = group.keys - {leaver.key}
        placed(monitored, {W: others, R: others, O: {leaver.key}})
        assert last_check(monitored, leaver.key)["viable_candidate"] == "NO"
    placed(monitored, {W: group.keys, R: group.keys})


@pytest.mark.parametrize("also_reader", [0, 1])
def test_single_primary(monitored, group, also_reader):
    primary = group.members[1]
    others = group.keys - {primary.key}
    configure(monitored, [m.key for m in group.members], writer_is_also_reader=also_reader)
    with group.single_primary(primary):
        placed(monitored, {W: {primary.key}, R: others | ({primary.key} if also_reader else set())}, 60)
        assert last_check(monitored, group.members[0].key)["read_only"] == "YES"
        uuid = group.members[2].sql("SELECT @@server_uuid")[0][0]
        primary.sql(f"SELECT group_replication_set_as_primary('{uuid}')")
        primary = group.members[2]
        placed(
            monitored, {W: {primary.key}, R: group.keys - {primary.key} | ({primary.key} if also_reader else set())}, 20
        )
        group.members[0].sql(
            f"SELECT group_replication_set_as_primary('{group.members[1].sql('SELECT @@server_uuid')[0][0]}')"
        )
    placed(monitored, {W: group.keys, R: group.keys if also_reader else set()}, 60)


def test_inactive_hostgroups_are_left_alone(monitored, group):
    configure(monitored, [(*m.key, R) for m in group.members], active=0)
    time.sleep(3 * INTERVAL)
    placed(monitored, {R: group.keys})


def test_offline_soft_stays(monitored, group):
    soft, *others = [m.key for m in group.members]
    for configured in (W, R):
        configure(monitored, [(*soft, configured, 1, "OFFLINE_SOFT"), *others], writer_is_also_reader=1)
        places = {soft: "OFFLINE_SOFT", **dict.fromkeys(others, "ONLINE")}
        placed(monitored, {W: places, R: places})
    monitored.run("UPDATE mysql_servers SET status='ONLINE'")
    monitored.run("LOAD MYSQL SERVERS TO RUNTIME")
    placed(monitored, {W: group.keys, R: group.keys})


def test_offline_soft_survives_leaving_the_group(monitored, group):
    soft = group.members[2]
    configure(monitored, [(*m.key, W, 1, "OFFLINE_SOFT" if m is soft else "ONLINE") for m in group.members])
    others = dict.fromkeys(group.keys - {soft.key}, "ONLINE")
    placed(monitored, {W: {**others, soft.key: "OFFLINE_SOFT"}})
    with group.stopped(soft):
        placed(monitored, {W: others, O: {soft.key: "OFFLINE_SOFT"}})
    placed(monitored, {W: {**others, soft.key: "OFFLINE_SOFT"}})


# ---- LOAD -----------------------------------------------------------------------------------------------------------


def test_load_puts_servers_back_until_the_next_check(monitored, group):
    """The reason for loading only when something differs, and for configuring servers where they do no harm."""
    configure(monitored, [(*m.key, R) for m in group.members])
    placed(monitored, {W: group.keys})
    monitored.set(monitor_groupreplication_healthcheck_interval=3000)
    time.sleep(0.5)  # the check that the new interval begins with
    monitored.run("LOAD MYSQL SERVERS TO RUNTIME")
    assert placement(monitored) == {R: dict.fromkeys(group.keys, "ONLINE")}
    wait_for(lambda: placement(monitored) == {W: dict.fromkeys(group.keys, "ONLINE")}, 6, "placed again")


def test_load_is_followed_by_a_check_at_once_only_when_what_is_monitored_differs(monitored, group):
    monitored.set(monitor_groupreplication_healthcheck_interval=60000)
    servers = [(*m.key, R) for m in group.members]
    everybody = dict.fromkeys(group.keys, "ONLINE")
    configure(monitored, servers, max_transactions_behind=100)
    wait_for(lambda: placement(monitored) == {W: everybody}, 40, "placed")
    configure(monitored, servers, max_transactions_behind=101)
    wait_for(lambda: placement(monitored) == {W: everybody}, 40, "placed again")
    configure(monitored, servers, max_transactions_behind=101)
    time.sleep(3)
    assert placement(monitored) == {R: everybody}


def test_servers_configured_offline_come_back(monitored, group):
    configure(monitored, [(*m.key, O) for m in group.members])
    placed(monitored, {W: group.keys})


def test_moves_change_one_checksum_and_no_version(monitored, group):
    leaver = group.members[0]
    configure(monitored, [m.key for m in group.members])
    placed(monitored, {W: group.keys})
    before = {name: monitored.checksum(name) for name in ("mysql_servers", "mysql_servers_v2")}
    with group.stopped(leaver):
        placed(monitored, {W: group.keys - {leaver.key}, O: {leaver.key}})
        after = {name: monitored.checksum(name) for name in before}
        assert after["mysql_servers_v2"] == before["mysql_servers_v2"]
        assert after["mysql_servers"][0] == before["mysql_servers"][0]
        assert after["mysql_servers"][1] != before["mysql_servers"][1]
    placed(monitored, {W: group.keys})
    assert monitored.checksum("mysql_servers") == before["mysql_servers"]


def test_members_are_discovered(monitored, group):
    """Autodiscovery: at runtime only, with the defaults of a server."""
    known = group.members[0].key
    configure(monitored, [(*known, W, 77)])
    placed(monitored, {W: group.keys})
    rows = monitored.rows("SELECT hostname, port, weight, max_connections, use_ssl FROM runtime_mysql_servers")
    assert {row[2:] for row in rows if row[:2] != known} == {("1", "1000", "0")}
    assert len(monitored.rows("SELECT * FROM mysql_servers")) == 1


def test_save_from_runtime_takes_the_placement_into_memory(monitored, group):
    configure(monitored, [m.key for m in group.members], writer_is_also_reader=1)
    placed(monitored, {W: group.keys, R: group.keys})
    monitored.run("SAVE MYSQL SERVERS FROM RUNTIME")
    assert len(monitored.rows("SELECT * FROM mysql_servers")) == 6


# ---- faults ---------------------------------------------------------------------------------------------------------


def test_refused_connections_count_as_timeouts(monitored, group, forwarder):
    """Killed mysqld: the check on the kept connection fails and sets offline at once; a first connect that fails counts up."""
    front = forwarder(group.members[0])
    front.refuse()
    monitored.set(
        monitor_groupreplication_healthcheck_max_timeout_count=3,
        monitor_groupreplication_healthcheck_interval=1000,
        monitor_ping_interval=60000,
    )
    configure(monitored, [front.key])
    wait_for(lambda: last_check(monitored, front.key, True), 40, "first check")
    assert front.key in placement(monitored).get(W, {}), "one failed check must not be enough"
    placed(monitored, {O: {front.key}}, 40, {front.key})
    check = last_check(monitored, front.key, True)
    assert check["error"].startswith("timeout or error in creating new connection: Can't connect to server on")
    assert (check["viable_candidate"], check["read_only"], check["transactions_behind"], check["success_time_us"]) == (
        "NO",
        "YES",
        "-1",
        "0",
    )
    front.open()
    wait_for(lambda: front.key in placement(monitored).get(W, {}), 40, "back again")


def test_lost_connection_sets_offline_at_once(monitored, group, forwarder):
    """Where a timeout would have to happen ten times, which takes 20 seconds."""
    front = forwarder(group.members[0])
    monitored.set(
        monitor_groupreplication_healthcheck_max_timeout_count=10,
        monitor_groupreplication_healthcheck_interval=2000,
        monitor_ping_interval=60000,
    )
    configure(monitored, [front.key])
    good = f"SELECT 1 FROM monitor.mysql_server_group_replication_log WHERE port={front.port} AND error IS NULL"
    wait_for(lambda: len(monitored.rows(good)) > 2, 60, "good checks on one connection")
    front.refuse()
    wait_for(lambda: front.key in placement(monitored).get(O, {}), 12, "offline")
    assert last_check(monitored, front.key)["error"] == "Lost connection to server during query"


def test_frozen_server_times_out(monitored, group, forwarder):
    front = forwarder(group.members[0])
    monitored.set(monitor_groupreplication_healthcheck_max_timeout_count=2, monitor_ping_interval=60000)
    configure(monitored, [front.key])
    wait_for(lambda: front.key in placement(monitored).get(W, {}), 40, "placed")
    time.sleep(3 * INTERVAL)
    front.freeze()
    wait_for(lambda: front.key in placement(monitored).get(O, {}), 40, "offline")
    errors = monitored.rows(
        f"SELECT error FROM monitor.mysql_server_group_replication_log WHERE port={front.port} AND error IS NOT NULL ORDER BY time_start_us"
    )
    assert errors[0][0] == "timeout check"
    front.freeze(False)
    wait_for(lambda: front.key in placement(monitored).get(W, {}), 40, "back again")


def test_missed_pings_shun_and_stop_checks(monitored, group, forwarder):
    front = forwarder(group.members[0])
    monitored.set(
        monitor_groupreplication_healthcheck_max_timeout_count=10,
        monitor_groupreplication_healthcheck_interval=2000,
        monitor_ping_interval=300,
        monitor_ping_timeout=200,
        monitor_ping_max_failures=2,
        monitor_connect_timeout=200,
    )
    configure(monitored, [front.key])
    wait_for(lambda: front.key in placement(monitored).get(W, {}), 40, "placed")
    wait_for(
        lambda: monitored.rows(
            f"SELECT * FROM monitor.mysql_server_ping_log WHERE port={front.port} AND ping_error IS NULL"
        ),
        5,
        "pings",
    )
    front.freeze()
    wait_for(lambda: placement(monitored).get(W, {}).get(front.key) == "SHUNNED", 40, "shunned")
    checks = f"SELECT COUNT(*) FROM monitor.mysql_server_group_replication_log WHERE port={front.port}"
    time.sleep(2.5)  # a check under way may still end
    count = monitored.value(checks)
    time.sleep(3)
    assert monitored.value(checks) == count, "a server that misses pings is not asked about the group"
    front.freeze(False)
    wait_for(lambda: placement(monitored).get(W, {}).get(front.key) == "ONLINE", 40, "back again")


def test_refused_password_counts_as_timeout(monitored, group, forwarder):
    key = forwarder(group.members[0]).key  # an address to which no connection is kept
    monitored.set(monitor_groupreplication_healthcheck_max_timeout_count=2, monitor_password="wrong")
    configure(monitored, [key])
    placed(monitored, {O: {key}})
    error = last_check(monitored, key, True)["error"]
    assert error.startswith(f"timeout or error in creating new connection: Access denied for user '{MONITOR[0]}'@'")
    monitored.set(monitor_password=MONITOR[1])
    wait_for(lambda: key in placement(monitored).get(W, {}), 40, "back with the right password")


def test_changed_password_counts_for_new_connections_only(monitored, group):
    configure(monitored, [m.key for m in group.members])
    placed(monitored, {W: group.keys})
    time.sleep(3 * INTERVAL)
    monitored.set(monitor_groupreplication_healthcheck_max_timeout_count=1, monitor_password="wrong")
    time.sleep(6 * INTERVAL)
    placed(monitored, {W: group.keys})


def test_missing_privilege_sets_offline_at_once(monitored, group):
    key = group.members[0].key
    table = "performance_schema.replication_group_member_stats"
    group.members[0].sql(f"REVOKE SELECT ON {table} FROM {MONITOR[0]}@'%'")
    try:
        monitored.set(monitor_groupreplication_healthcheck_max_timeout_count=10)
        configure(monitored, [key])
        wait_for(lambda: key in placement(monitored).get(O, {}), 40, "offline")
        error = last_check(monitored, key)["error"]
        assert error.startswith(f"SELECT command denied to user '{MONITOR[0]}'@'")
    finally:
        group.members[0].sql(f"GRANT SELECT ON {table} TO {MONITOR[0]}@'%'")
    wait_for(lambda: key in placement(monitored).get(W, {}), 40, "back with the privilege")


def test_lag_shuns_readers_and_lets_them_back(monitored, group):
    """mysql-monitor_groupreplication_max_transactions_behind_for_read_only=1: the reader hostgroup only."""
    late, source = group.members[0], group.members[1]
    configure(monitored, [m.key for m in group.members], writer_is_also_reader=1, max_transactions_behind=2)
    placed(monitored, {W: group.keys, R: group.keys})
    with late.held("FLUSH TABLES WITH READ LOCK"):
        source.sql("".join(f"INSERT INTO conformance.t (n) VALUES ({n});" for n in range(8)))
        wait_for(lambda: placement(monitored).get(R, {}).get(late.key) == "SHUNNED", 40, "shunned as reader")
        assert placement(monitored)[W] == dict.fromkeys(group.keys, "ONLINE")
        assert int(last_check(monitored, late.key)["transactions_behind"]) > 2
        assert {k: v for k, v in placement(monitored)[R].items() if k != late.key} == dict.fromkeys(
            group.keys - {late.key}, "ONLINE"
        )
    placed(monitored, {W: group.keys, R: group.keys}, 60)


def test_lag_of_writers_too(monitored, group):
    late, source = group.members[0], group.members[1]
    monitored.set(monitor_groupreplication_max_transactions_behind_for_read_only=2)
    configure(monitored, [m.key for m in group.members], writer_is_also_reader=1, max_transactions_behind=2)
    placed(monitored, {W: group.keys, R: group.keys})
    with late.held("FLUSH TABLES WITH READ LOCK"):
        source.sql("".join(f"INSERT INTO conformance.t (n) VALUES ({n});" for n in range(8)))
        wait_for(
            lambda: [placement(monitored).get(hg, {}).get(late.key) for hg in (W, R)] == ["SHUNNED"] * 2,
            10,
            "shunned in both",
        )
    placed(monitored, {W: group.keys, R: group.keys}, 60)
