# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a proxy holds: groups and servers in each layer, places, checksums, and what its monitor says."""

from __future__ import annotations

import time
from typing import Any, Protocol, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import AdminError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import (
    Extras,
    Facts,
    Group,
    Layer,
    Server,
    ServerKey,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.tables import Row
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.versions import has_feature, parse_version

SERVER_COLUMNS = "hostgroup_id, hostname, port, gtid_port, status, weight, compression, max_connections, max_replication_lag, use_ssl, max_latency_ms, comment"
GROUP_COLUMNS = ", ".join(Group._fields)

# Word for word the query by which ProxySQL's own cluster peers fetch the servers as they were at the last LOAD
# (include/ProxySQL_Cluster.hpp, CLUSTER_QUERY_MYSQL_SERVERS_V2, since v2.6.0): it is matched as text, not parsed.
LOADED_SERVERS = (
    "PROXY_SELECT "
    + SERVER_COLUMNS
    + " FROM mysql_servers_v2 WHERE status<>'OFFLINE_HARD' ORDER BY hostgroup_id, hostname, port"
)

_FOREIGN = (
    ("mysql_replication_hostgroups", ("writer_hostgroup", "reader_hostgroup")),
    (
        "mysql_galera_hostgroups",
        ("writer_hostgroup", "backup_writer_hostgroup", "reader_hostgroup", "offline_hostgroup"),
    ),
    ("mysql_aws_aurora_hostgroups", ("writer_hostgroup", "reader_hostgroup")),
)


class Querying(Protocol):
    version: str

    def query(self, statement: str) -> list[Row]: ...


def text(value: Any) -> str:
    return "" if value is None else str(value)


def number(value: Any) -> int:
    return int(value or 0)


def _groups(rows: Sequence[Row]) -> dict[int, Group]:
    found = {}
    for row in rows:
        numbers = {name: number(row[name]) for name in Group._fields if name != "comment"}
        group = Group(**numbers, comment=text(row["comment"]))
        found[group.writer_hostgroup] = group
    return found


def _servers(rows: Sequence[Row]) -> dict[ServerKey, Server]:
    found = {}
    for row in rows:
        numbers = {name: number(row[name]) for name in Server._fields if name not in ("status", "comment")}
        server = Server(**numbers, status=text(row["status"]).upper(), comment=text(row["comment"]))
        found[(number(row["hostgroup_id"]), text(row["hostname"]), number(row["port"]))] = server
    return found


def read_layer(admin: Querying, prefix: str) -> Layer:
    return Layer(
        _groups(admin.query(f"SELECT {GROUP_COLUMNS} FROM {prefix}mysql_group_replication_hostgroups")),
        _servers(admin.query(f"SELECT {SERVER_COLUMNS} FROM {prefix}mysql_servers")),
    )


def read_memory(admin: Querying) -> tuple[Layer, Extras]:
    """Memory, and what it has beyond the columns that are known here."""
    groups = admin.query("SELECT * FROM main.mysql_group_replication_hostgroups")
    servers = admin.query("SELECT * FROM main.mysql_servers")
    known = {"hostgroup_id", "hostname", "port", *Group._fields, *Server._fields}

    def more(row: Row) -> Row:
        return {name: value for name, value in row.items() if name not in known}

    return Layer(_groups(groups), _servers(servers)), Extras(
        {number(row["writer_hostgroup"]): more(row) for row in groups},
        {(text(row["hostname"]), number(row["port"])): more(row) for row in servers},
    )


def read_loaded(admin: Querying) -> dict[ServerKey, Server]:
    """The servers as they were at the last LOAD. Before 2.6.0, and where nobody else knows, the placed ones: the group is the same."""
    if has_feature(parse_version(admin.version), "loaded_servers"):
        try:
            return _servers(admin.query(LOADED_SERVERS))
        except AdminError as error:
            if "PROXY_SELECT" not in str(error):
                raise
    return _servers(admin.query(f"SELECT {SERVER_COLUMNS} FROM runtime_mysql_servers"))


def read_placed(admin: Querying) -> dict[ServerKey, Server]:
    return _servers(admin.query(f"SELECT {SERVER_COLUMNS} FROM runtime_mysql_servers"))


def monitor_enabled(admin: Querying) -> bool:
    rows = admin.query(
        "SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-monitor_enabled'"
    )
    return not rows or text(rows[0]["variable_value"]).lower() not in ("false", "0")


def read_facts(admin: Querying) -> Facts:
    """Everything that a plan is made from, in a fixed number of statements."""
    groups = admin.query(f"SELECT {GROUP_COLUMNS} FROM runtime_mysql_group_replication_hostgroups")
    memory, extras = read_memory(admin)
    return Facts(
        memory=memory,
        runtime=Layer(_groups(groups), read_loaded(admin)),
        disk=read_layer(admin, "disk."),
        extras=extras,
    )


def read_places(admin: Querying, facts: Facts) -> Facts:
    """What is needed for a LOAD beside the layers. Read late, so that the places are the newest."""
    return facts._replace(placed=read_placed(admin), monitor_enabled=monitor_enabled(admin))


def read_foreign(admin: Querying) -> dict[int, str]:
    """Hostgroups that other tables of ProxySQL's manage."""
    selects = [
        f"SELECT '{table}' AS origin, {column} AS hostgroup FROM {table}"
        for table, columns in _FOREIGN
        for column in columns
    ]
    try:
        rows = admin.query(" UNION ".join(selects))
    except AdminError as error:
        if "no such table" not in str(error):
            raise
        return {}  # older than one of these tables
    return {number(row["hostgroup"]): text(row["origin"]) for row in rows}


def read_checksums(admin: Querying) -> dict[str, str]:
    """What peers of ProxySQL's cluster compare. Not mysql_servers: the monitor changes it on each of them by itself."""
    rows = admin.query("SELECT name, checksum FROM runtime_checksums_values")
    return {text(row["name"]): text(row["checksum"]) for row in rows if text(row["name"]) != "mysql_servers"}


def read_checks(admin: Querying) -> dict[tuple[str, int], dict[str, Any]]:
    """The monitor's last result for each server.

    ProxySQL stamps a failed connect with its time plus the machine's uptime (lib/MySQL_Monitor.cpp, gr_update_hosts_map: t2 is 0), so
    a stamp from the future is brought back before the last one is looked for.
    """
    now = int(time.time() * 1000000)
    boot = now - int(time.monotonic() * 1000000)
    rows = admin.query(
        f"SELECT hostname, port, viable_candidate, read_only, transactions_behind, error, MAX(CASE WHEN time_start_us > {now + 1000000} "
        f"THEN (time_start_us + {boot}) / 2 ELSE time_start_us END) AS checked_at FROM monitor.mysql_server_group_replication_log "
        "GROUP BY hostname, port"
    )
    found = {}
    for row in rows:
        found[(text(row["hostname"]), number(row["port"]))] = dict(
            viable_candidate=text(row["viable_candidate"]).upper() == "YES",
            read_only=text(row["read_only"]).upper() != "NO",
            transactions_behind=number(row["transactions_behind"]),
            error=text(row["error"]),
            checked_at=number(row["checked_at"]) / 1000000.0,
        )
    return found


def read_ping_errors(admin: Querying) -> dict[tuple[str, int], str]:
    rows = admin.query(
        "SELECT hostname, port, ping_error, MAX(time_start_us) AS checked_at FROM monitor.mysql_server_ping_log GROUP BY hostname, port"
    )
    return {(text(row["hostname"]), number(row["port"])): text(row["ping_error"]) for row in rows}
