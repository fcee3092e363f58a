# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be known of a server before it is upgraded: from its option files, its tables and its disks. Only looks.

Private to this collection.
"""

from __future__ import annotations

import os
import time
from typing import Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.upgrade_rules import (
    MEBIBYTE,
    Account,
    Setting,
    Space,
    Table,
    Upgrade,
    changes_series,
    checks_for,
    way,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import (
    dotted,
    effective_version,
    has_persist,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._server_files import options_read

_SERVER = "SELECT VERSION() AS version, @@GLOBAL.datadir AS datadir"
_PERSISTED = "SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value FROM performance_schema.persisted_variables"
_COMMAND_LINE = """SELECT i.VARIABLE_NAME AS name, g.VARIABLE_VALUE AS value FROM performance_schema.variables_info AS i
 JOIN performance_schema.global_variables AS g ON g.VARIABLE_NAME = i.VARIABLE_NAME WHERE i.VARIABLE_SOURCE = 'COMMAND_LINE'"""
_ACCOUNTS = "SELECT CONCAT('''', user, '''@''', host, '''') AS name, plugin FROM mysql.user WHERE account_locked = 'N'"
_PATIENCE = "SET SESSION lock_wait_timeout = 2"
_TABLES = """SELECT TABLE_SCHEMA AS place, TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE'
 AND TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema', 'sys')"""


def gather_settings(connection: Connection, version: str, wanted: str, files: Sequence[str]) -> list[Setting]:
    """Every option that the newer server would read, and where it stands."""
    series = dotted(effective_version(wanted).series)
    found = [
        Setting(name, value, path)
        for file in files
        for path, name, value in options_read(file, "", series=series)
        if name
    ]
    if has_persist(version):
        found += [
            Setting(row["name"], str(row["value"]), "mysqld-auto.cnf", True) for row in connection.query(_PERSISTED)
        ]
        found += [
            Setting(row["name"], str(row["value"]), "the command line") for row in connection.query(_COMMAND_LINE)
        ]
    return found


def quoted(name: str) -> str:
    return "`{}`".format(name.replace("`", "``"))


def check_tables(connection: Connection, seconds: float) -> tuple[list[Table], int]:
    """What the server says of each table, and how many were not checked: there was no time, or somebody held them."""
    every = connection.query(_TABLES)
    # A statement that changes a table may run for hours.
    connection.query(_PATIENCE)
    end = time.monotonic() + seconds
    found: list[Table] = []
    held = 0
    for number, row in enumerate(every):
        if time.monotonic() > end:
            return found, len(every) - number + held
        name = f"{row['place']}.{row['name']}"
        for said in connection.query(f"CHECK TABLE {quoted(row['place'])}.{quoted(row['name'])} FOR UPGRADE"):
            if "Lock wait timeout" in str(said["msg_text"]):
                held += 1
            elif said["msg_type"] != "status":
                found.append(Table(name, str(said["msg_type"]), str(said["msg_text"])))
    return found, held


def free_space(paths: Sequence[str]) -> list[Space]:
    """The room on each file system once."""
    found: dict[int, Space] = {}
    for path in paths:
        if os.path.isdir(path):
            disk = os.statvfs(path)
            found.setdefault(os.stat(path).st_dev, Space(path, disk.f_bavail * disk.f_frsize))
    return list(found.values())


def gather_upgrade(
    connection: Connection, wanted: str, files: Sequence[str], seconds: float, directories: Sequence[str], needed: int
) -> Upgrade:
    """Ask the server and its host; nothing more where there is no way from this version to the wanted one."""
    server = connection.query(_SERVER)[0]
    current = str(server["version"])
    upgrade = Upgrade(current, wanted)
    if way(current, wanted):
        return upgrade
    tables, unchecked = check_tables(connection, seconds) if changes_series(current, wanted) and seconds else ([], 0)
    return upgrade._replace(
        settings=gather_settings(connection, current, wanted, files),
        accounts=[Account(row["name"], row["plugin"]) for row in connection.query(_ACCOUNTS)],
        found=[
            (check, [str(row["name"]) for row in connection.query(check.sql)]) for check in checks_for(current, wanted)
        ],
        tables=tables,
        unchecked=unchecked,
        space=free_space([str(server["datadir"]), *directories]),
        needed=needed * MEBIBYTE,
    )
