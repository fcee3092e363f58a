# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in the tables of a server: rows, and checksums where they are wanted; and how two of them differ.

Private to this collection.
"""

from __future__ import annotations

from typing import Dict, Optional, Sequence, Tuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection, ServerError

_TABLES = """SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE'
 AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema') ORDER BY s, t"""
# A table that was altered, dropped or truncated after the snapshot began.
ALTERED = (1412, 1146, 1051)

Tables = Dict[str, Tuple[int, Optional[int]]]


def quoted(name: str) -> str:
    """An identifier."""
    return "`" + name.replace("`", "``") + "`"


def contents(
    connection: Connection, checksums: bool, schemas: Sequence[str] | None = None, changed: dict[str, str] | None = None
) -> Tables:
    """Rows of every table, and its checksum where it is wanted. changed: takes the tables that cannot be read in a snapshot, instead of an error."""
    found: Tables = {}
    for row in connection.query(_TABLES):
        if schemas is not None and row["s"] not in schemas:
            continue
        name, table = f"{row['s']}.{row['t']}", f"{quoted(row['s'])}.{quoted(row['t'])}"
        try:
            rows = int(connection.query(f"SELECT COUNT(*) AS n FROM {table}")[0]["n"])
            checksum = connection.query(f"CHECKSUM TABLE {table}")[0]["checksum"] if checksums else None
        except ServerError as error:
            if changed is None or error.code not in ALTERED:
                raise
            changed[name] = str(error)
            continue
        if checksums and checksum is None and changed is not None:
            changed[name] = "it has no checksum"
            continue
        found[name] = (rows, None if checksum is None else int(checksum))
    return found


def differences(wanted: Tables, found: Tables) -> list[str]:
    """One sentence for each table that is not as it was; checksums count where both have them."""
    said = []
    for name in sorted(set(wanted) | set(found)):
        if name not in found:
            said.append(f"{name}: is missing")
        elif name not in wanted:
            said.append(f"{name}: was not there")
        elif wanted[name][0] != found[name][0]:
            said.append(f"{name}: {found[name][0]} rows instead of {wanted[name][0]}")
        elif None not in (wanted[name][1], found[name][1]) and wanted[name][1] != found[name][1]:
            said.append(f"{name}: another checksum, in {found[name][0]} rows")
    return said
