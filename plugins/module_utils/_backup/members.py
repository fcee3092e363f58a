# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the members, one thread for each, so that one that does not answer holds nobody up.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import threading
import time
from functools import cached_property
from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import Settings
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.sources import View
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection, ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet

EACH = 0.5  # seconds between two looks

_LOOK = """SELECT @@GLOBAL.server_uuid AS uuid, @@GLOBAL.gtid_executed AS executed, @@GLOBAL.version AS version, @@GLOBAL.max_binlog_size AS largest,
 (SELECT MEMBER_STATE FROM performance_schema.replication_group_members WHERE MEMBER_ID = @@GLOBAL.server_uuid) AS state,
 (SELECT MEMBER_ROLE FROM performance_schema.replication_group_members WHERE MEMBER_ID = @@GLOBAL.server_uuid) AS role,
 (SELECT COUNT(*) FROM performance_schema.replication_group_members WHERE MEMBER_ROLE = 'PRIMARY') AS writers"""


def look(member: str, connection: Connection, group_name: str) -> View:
    """One look at a member."""
    row = connection.query(_LOOK)[0]
    # With several primaries none of them is better than another.
    writer = row["role"] == "PRIMARY" and int(row["writers"]) == 1
    return View(
        member, time.monotonic(), str(row["uuid"]).lower(), row["state"] or "", writer, GtidSet(row["executed"]), str(row["version"]), group_name,
        int(row["largest"]),
    )  # fmt: skip


class Members:
    """All members, as they were at the last looks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._views: dict[str, View] = {}
        self._errors: dict[str, str] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._watch, args=(name,), daemon=True) for name in settings.members]
        for thread in self._threads:
            thread.start()

    def _watch(self, member: str) -> None:
        connection: Connection | None = None
        group_name = ""
        while not self._ended.is_set():
            try:
                if connection is None or not connection.is_open:
                    connection = self._settings.connection(member)
                    rows = connection.query("SHOW GLOBAL VARIABLES LIKE 'group_replication_group_name'")
                    group_name = str(rows[0]["value"]).lower() if rows else ""
                found = look(member, connection, group_name)
                with self._lock:
                    self._views[member] = found
                    self._errors.pop(member, None)
            except ServerError as error:
                with self._lock:
                    self._errors[member] = str(error)
                if connection is not None:
                    connection.close()
            self._ended.wait(EACH)
        if connection is not None:
            connection.close()

    def views(self) -> dict[str, View]:
        """The last look at each member that ever answered."""
        with self._lock:
            return dict(self._views)

    def error(self) -> str:
        """Why members do not answer, in a sentence."""
        with self._lock:
            return "; ".join(text for _name, text in sorted(self._errors.items())) or "none has yet"

    def stop(self) -> None:
        """No more looks."""
        self._ended.set()


class Files:
    """The binary log files of one member."""

    def __init__(self, settings: Settings, member: str) -> None:
        self._connection = settings.connection(member)

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *_error: Any) -> None:
        with contextlib.suppress(ServerError):
            self._connection.close()

    def names(self) -> list[str]:
        """The files, from the oldest to the newest."""
        return [str(row["log_name"]) for row in self._connection.query("SHOW BINARY LOGS")]

    @cached_property
    def purged(self) -> GtidSet:
        """What the member had before all of its files, also where no file says so: the data of a clone, or of a restore, came without logs."""
        return GtidSet(self._connection.query("SELECT @@GLOBAL.gtid_purged AS purged")[0]["purged"])

    def previous(self, file: str) -> GtidSet:
        """What the member had before this file."""
        for row in self._connection.query("SHOW BINLOG EVENTS IN %s LIMIT 4", [file]):
            if row["event_type"] == "Previous_gtids":
                return GtidSet(row["info"]).union(self.purged)
        raise ServerError(f"{self._connection.where}: {file} does not say what was before it")
