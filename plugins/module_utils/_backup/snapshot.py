# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows and checksums of a running member at one known GTID set.

Writes wait for the moment in which the snapshot is opened, at most LOCK_SECONDS, on the member that serves least; the checksums are computed afterwards.

Private to this collection.
"""

from __future__ import annotations

from typing import Callable, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.contents import Tables, contents
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection, ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

LOCK_SECONDS = 1
TRIES = 5
CATCH_UP = 120  # seconds for a member to apply what is stored already


class SnapshotError(Refusal):
    """The member gives no snapshot."""


class Snapshot(NamedTuple):
    """What a member had, and when."""

    member: str
    gtids: GtidSet
    tables: Tables
    changed: dict[str, str]  # tables that cannot be compared: they were altered after the snapshot


def take(member: str, connect: Callable[[], Connection], have: GtidSet, say: Callable[[str], None]) -> Snapshot:
    """A snapshot of a member that has at least a set."""
    locking, reading = connect(), connect()
    try:
        locking.open()
        reading.open()
        for one in (locking, reading):
            one.timeout(None)
        late = locking.query("SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %s) AS n", (str(have), CATCH_UP))
        if int(late[0]["n"]):
            raise SnapshotError(f"{member} does not apply within {CATCH_UP} s what is stored already")
        gtids = _opened(member, locking, reading, say)
        changed: dict[str, str] = {}
        tables = contents(reading, True, changed=changed)
        return Snapshot(member, gtids, tables, changed)
    finally:
        locking.close()
        reading.close()


def _opened(member: str, locking: Connection, reading: Connection, say: Callable[[str], None]) -> GtidSet:
    """Open the snapshot while nothing is written; what is executed then."""
    locking.query("SET SESSION lock_wait_timeout = %s", (LOCK_SECONDS,))
    reading.query("SET SESSION transaction_isolation = 'REPEATABLE-READ'")
    failed = ""
    for _try in range(TRIES):
        try:
            locking.query("FLUSH TABLES WITH READ LOCK")
        except ServerError as error:
            # A statement that runs for long holds its tables.
            say(f"{member}: {error}")
            failed = str(error)
            if error.lost or error.code == 1227:
                break
            continue
        reading.query("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        gtids = GtidSet(locking.query("SELECT @@GLOBAL.gtid_executed AS g")[0]["g"])
        locking.query("UNLOCK TABLES")
        return gtids
    raise SnapshotError(f"no snapshot of {member} can be opened: {failed}")
