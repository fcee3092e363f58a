# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specifications that modules share."""

from __future__ import annotations

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import CONFIGURED_IN, STATUSES
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.tables import (
    PEERS,
    QUERY_RULES,
    SERVERS_TLS,
    USERS,
    VARIABLES,
    Table,
)

STATE = dict(type="str", choices=["present", "absent"], default="present")


def connection_spec() -> dict[str, Any]:
    """The names and defaults of community.proxysql, with a limit for connecting."""
    return dict(
        login_user=dict(type="str"),
        login_password=dict(type="str", no_log=True),
        login_host=dict(type="str", default="127.0.0.1"),
        login_port=dict(type="int", default=6032),
        login_unix_socket=dict(type="path"),
        config_file=dict(type="path", default=""),
        connect_timeout=dict(type="int", default=10),
    )


def layers_spec() -> dict[str, Any]:
    return dict(
        load_to_runtime=dict(type="bool", default=True),
        save_to_disk=dict(type="bool", default=True),
    )


def group_spec(writer_required: bool) -> dict[str, Any]:
    server = dict(
        hostname=dict(type="str", required=True),
        port=dict(type="int"),
        gtid_port=dict(type="int", default=0),
        status=dict(type="str", choices=list(STATUSES), default="ONLINE"),
        weight=dict(type="int", default=1),
        compression=dict(type="int", default=0),
        max_connections=dict(type="int", default=1000),
        max_replication_lag=dict(type="int", default=0),
        use_ssl=dict(type="bool", default=False),
        max_latency_ms=dict(type="int", default=0),
        comment=dict(type="str", default=""),
    )
    return dict(
        writer_hostgroup=dict(type="int", required=writer_required),
        backup_writer_hostgroup=dict(type="int"),
        reader_hostgroup=dict(type="int"),
        offline_hostgroup=dict(type="int"),
        active=dict(type="bool", default=True),
        max_writers=dict(type="int", default=1),
        writer_is_also_reader=dict(type="int", choices=[0, 1, 2], default=0),
        max_transactions_behind=dict(type="int", default=0),
        comment=dict(type="str", default=""),
        servers=dict(type="list", elements="dict", options=server),
        exclusive=dict(type="bool", default=False),
        servers_hostgroup=dict(type="str", choices=list(CONFIGURED_IN), default="auto"),
        state=dict(STATE),
        keep_servers=dict(type="bool", default=False),
    )


def row_spec(table: Table, **key: dict[str, Any]) -> dict[str, Any]:
    """An option for each column that the table has in any version; columns that are not given have no default here."""
    columns: dict[str, Any] = {}
    for column in table.columns:
        columns[column.name] = dict(type=column.kind, **(dict(no_log=True) if column.name in table.secret else {}))
    return dict(type="list", elements="dict", options=dict(**key, **columns, state=dict(STATE)), **NO_LOG)


# Lists of rows are no secrets, whatever their names look like; the password in a row is one by itself.
NO_LOG = dict(no_log=False)


def config_spec() -> dict[str, Any]:
    tables = ["users", "query_rules", "peers", "hostgroups"]
    variables = [table.part for table in VARIABLES]
    return dict(
        connection_spec(),
        **layers_spec(),
        variables=dict(type="dict", **NO_LOG),
        secret_variables=dict(type="dict", no_log=True),
        optional_variables=dict(type="dict", **NO_LOG),
        users=row_spec(USERS, username=dict(type="str", required=True), backend=dict(type="bool", default=True)),
        query_rules=row_spec(QUERY_RULES, rule_id=dict(type="int", required=True)),
        query_rules_comment=dict(type="str"),
        peers=row_spec(PEERS, hostname=dict(type="str", required=True), port=dict(type="int", default=6032)),
        hostgroups=dict(type="list", elements="dict", options=group_spec(True)),
        servers_tls=row_spec(
            SERVERS_TLS,
            hostname=dict(type="str", required=True),
            port=dict(type="int", default=3306),
            username=dict(type="str", default=""),
        ),
        servers_tls_comment=dict(type="str"),
        exclusive=dict(type="list", elements="str", choices=[*tables, SERVERS_TLS.option], default=[]),
        reload=dict(type="list", elements="str", choices=variables + tables, default=[]),
        drain_timeout=dict(type="int", default=30),
        wait_drained=dict(type="bool", default=False),
        allow_no_writer=dict(type="bool", default=False),
    )
