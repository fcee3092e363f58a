# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which member a full backup is copied from: the one that serves least, and lags not.

Private to this collection.
"""

from __future__ import annotations

from typing import NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection, ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

LAGGING = 500  # transactions that wait; a member at work has some

# What a server on the copied data directory has to have too. The others it takes from its own option file.
KEPT_VARIABLES = (
    "innodb_page_size", "innodb_data_file_path", "lower_case_table_names", "innodb_undo_directory", "innodb_directories", "partial_revokes",
    "character_set_server", "collation_server", "default_authentication_plugin", "authentication_policy", "sql_mode", "time_zone", "innodb_redo_log_capacity",
)  # fmt: skip

_MEMBER = """SELECT m.MEMBER_STATE AS state, m.MEMBER_ROLE AS role, @@GLOBAL.server_uuid AS uuid, @@GLOBAL.group_replication_group_name AS group_name,
 VERSION() AS version, @@GLOBAL.gtid_executed AS executed, @@GLOBAL.group_replication_single_primary_mode AS single,
 s.COUNT_TRANSACTIONS_IN_QUEUE + s.COUNT_TRANSACTIONS_REMOTE_IN_APPLIER_QUEUE AS waiting
 FROM performance_schema.replication_group_members AS m LEFT JOIN performance_schema.replication_group_member_stats AS s USING (MEMBER_ID)
 WHERE m.MEMBER_ID = @@GLOBAL.server_uuid"""


class Member(NamedTuple):
    """A member as it sees itself."""

    name: str
    uuid: str
    state: str
    role: str
    single: bool  # whether the group has one primary
    group_name: str
    version: str
    waiting: int  # transactions that it has not applied yet
    running: int  # statements
    variables: dict[str, str]
    executed: str


class Unreached(NamedTuple):
    """A member that did not answer."""

    name: str
    problem: str


def look(name: str, connection: Connection) -> Member | Unreached:
    """What a member says of itself."""
    try:
        rows = connection.query(_MEMBER)
        running = connection.query("SHOW GLOBAL STATUS LIKE 'Threads_running'")
        shown = ", ".join(f"'{variable}'" for variable in KEPT_VARIABLES)
        variables = connection.query(f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({shown})")
    except ServerError as error:
        return Unreached(name, str(error))
    if not rows:
        return Unreached(name, f"{connection.where} is in no group")
    row = rows[0]
    return Member(
        name, str(row["uuid"]).lower(), str(row["state"]), str(row["role"]), bool(int(row["single"])), str(row["group_name"]).lower(),
        str(row["version"]), int(row["waiting"] or 0), int(running[0]["value"]) if running else 0,
        {str(one["variable_name"]): str(one["value"]) for one in variables},
        str(row["executed"]),
    )  # fmt: skip


def by_rank(found: Sequence[Member | Unreached], group_name: str, own: str | None) -> list[Member]:
    """The members that can be copied, the best one first. own: the name of the member on this host; the copy costs its disk twice."""
    members = [one for one in found if isinstance(one, Member)]
    foreign = [one for one in members if one.group_name != group_name.lower()]
    if foreign:
        raise Refusal(
            f"group_name: '{group_name}' is not allowed (allowed: the group of {foreign[0].name}, {foreign[0].group_name}): "
            "these settings are of another cluster"
        )
    online = [one for one in members if one.state == "ONLINE"]
    if not online:
        said = [f"{one.name}: {one.problem if isinstance(one, Unreached) else one.state}" for one in found]
        raise Refusal(f"no member can be copied, for none is ONLINE ({'; '.join(said)})")

    def cost(one: Member) -> tuple[bool, bool, int, int, bool, str]:
        serves = one.role == "PRIMARY" and one.single
        lags = one.waiting > LAGGING
        # One that lags is copied where all do, and then the one that lags least.
        return lags, serves, one.waiting if lags else 0, one.running, one.name == own, one.name

    return sorted(online, key=cost)
