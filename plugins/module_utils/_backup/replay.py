# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Binary logs of members, applied to a restored data directory up to an exact point.

The files become relay logs of a private server, whose parallel appliers keep the order of commits. Where the point is, is decided before: the
transactions are looked through, and what is not wanted is not in the relay logs. So the end is exact with any number of appliers, and it is known
which set is executed then.

Private to this collection.
"""

from __future__ import annotations

import bisect
import os
import shutil
import time
from typing import IO, Callable, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.transactions import (
    Head,
    LogError,
    Spans,
    Transaction,
    read_log,
)  # fmt: skip
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

CHANNEL = "restore"
IDLE = "has read all relay log"
WAIT = 2  # seconds between two looks at appliers that work
STILL = 5  # looks without anything to do, after which nothing will come

LATEST, AFTER, BEFORE, TIME, ONLY = "latest", "after", "before", "time", "only"


class ReplayError(Refusal):
    """The logs cannot be applied up to the point."""


class Until(NamedTuple):
    """Where to end: with all there is; once a set is in; before a transaction; before the first one that was committed after a time (microseconds
    since the epoch); or with exactly the transactions of a set, whatever stands between them."""

    kind: str = LATEST
    gtids: GtidSet = GtidSet("")
    time: int = 0


class Part(NamedTuple):
    """What is applied of a file: its head, and these ranges of bytes, each of whole transactions."""

    path: str
    head: int
    ranges: list[tuple[int, int]]


class Selection(NamedTuple):
    """What is applied, and what is executed afterwards."""

    parts: list[Part]
    reached: GtidSet
    transactions: int  # that are applied
    last: int | None  # when the latest of them was committed, in microseconds
    stopped_by: str  # the first transaction that is left out, '' when the logs end


class Members:
    """Whether a single transaction is in a set: GtidSet has no quick way for millions of questions."""

    def __init__(self, gtids: GtidSet) -> None:
        self._firsts: dict[str, list[int]] = {}
        self._lasts: dict[str, list[int]] = {}
        for (uuid, tag), pairs in gtids._sets.items():
            source = f"{uuid}:{tag}" if tag else uuid
            self._firsts[source] = [first for first, _last in pairs]
            self._lasts[source] = [last for _first, last in pairs]

    def __contains__(self, one: Transaction) -> bool:
        firsts = self._firsts.get(one.source)
        if not firsts:
            return False
        at = bisect.bisect_right(firsts, one.number) - 1
        return at >= 0 and one.number <= self._lasts[one.source][at]


class _Chooser:
    """Decides on one transaction after the other."""

    def __init__(self, have: GtidSet, until: Until) -> None:
        self.have, self.until = have, until
        self.reached = have
        self.last: int | None = None
        self.stopped_by = ""
        self._known = Members(have)
        self._named = Members(until.gtids)
        self._left = until.gtids.subtract(have).count() if until.kind in (AFTER, ONLY) else -1
        self._new = Spans()

    @property
    def ended(self) -> bool:
        return self._left == 0 or bool(self.stopped_by)

    def part(self, path: str) -> Part:
        """What is applied of the next file."""
        head = 0
        ranges: list[tuple[int, int]] = []
        for one in read_log(path):
            if isinstance(one, Head):
                head = one.size
                self._no_gap(path, one)
                continue
            if self._takes(one):
                if ranges and ranges[-1][1] == one.start:
                    ranges[-1] = (ranges[-1][0], one.end)
                else:
                    ranges.append((one.start, one.end))
            if self.ended:
                break
        reached = self.have.union(self._new.gtids())
        # Without a new transaction it is not needed.
        part = Part(path, head, ranges if reached != self.reached else [])
        self.reached, self._known = reached, Members(reached)
        return part

    def _no_gap(self, path: str, head: Head) -> None:
        gap = head.previous.subtract(self.reached)
        if self.until.kind == ONLY:
            gap = gap.intersect(self.until.gtids)
        if gap:
            raise ReplayError(
                f"before {os.path.basename(path)}, {gap.count()} transactions are missing: {str(gap)[:200]}"
            )

    def _takes(self, one: Transaction) -> bool:
        """Whether it is applied. One that is executed already is left to the server, which skips it."""
        kind, known = self.until.kind, one in self._known
        if (kind == BEFORE and one in self._named) or (kind == TIME and not known and one.committed > self.until.time):
            self.stopped_by = one.gtid
            return False
        if known:
            return True
        named = self._left > 0 and one in self._named
        if kind == ONLY and not named:
            return False
        self._left -= named
        self._new.add(one)
        self.last = max(self.last or 0, one.committed)
        return True


def select(paths: Sequence[str], have: GtidSet, until: Until) -> Selection:
    """What of these files, in this order, is applied to a server that has a set. A transaction that is missing between them is an error."""
    if until.kind == BEFORE and have.intersect(until.gtids):
        raise ReplayError(f"{until.gtids} is in the full backup already: take an earlier one")
    chooser = _Chooser(have, until)
    parts: list[Part] = []
    for path in paths:
        if chooser.ended:
            break
        part = chooser.part(path)
        if part.ranges:
            parts.append(part)
    missing = until.gtids.subtract(chooser.reached) if until.kind in (AFTER, ONLY) else GtidSet("")
    if missing:
        raise ReplayError(
            f"the logs do not have {missing.count()} of the transactions that are wanted: {str(missing)[:200]}"
        )
    if until.kind == BEFORE and not chooser.stopped_by:
        raise ReplayError(f"the logs do not have the transaction {until.gtids}")
    return Selection(parts, chooser.reached, chooser.reached.count() - have.count(), chooser.last, chooser.stopped_by)


# -- relay logs ------------------------------------------------------------------------------------------------------


def lay_out(parts: Sequence[Part], directory: str, inside: Callable[[str], str]) -> str:
    """Make relay logs of the parts, and their index; the name of the first. Files that are applied whole are moved, the others copied as far as they are."""
    names = []
    for number, part in enumerate(parts, 1):
        path = os.path.join(directory, f"relay-{CHANNEL}.{number:06d}")
        if part.ranges == [(part.head, os.path.getsize(part.path))]:
            # A link: what is applied is removed, and an interrupted run begins again with what was fetched.
            os.link(part.path, path)
        else:
            with open(part.path, "rb") as source, open(path, "wb") as out:
                for start, end in [(0, part.head), *part.ranges]:
                    source.seek(start)
                    _copy(source, out, end - start)
        names.append(inside(path))
    with open(os.path.join(directory, f"relay-{CHANNEL}.index"), "w", encoding="utf-8") as index:
        index.write("".join(name + "\n" for name in names))
    return os.path.basename(names[0])


def _copy(source: IO[bytes], out: IO[bytes], length: int) -> None:
    while length > 0:
        block = source.read(min(length, 1 << 20))
        if not block:
            raise LogError("a log became shorter while it was read")
        out.write(block)
        length -= len(block)


def settings(relay_directory: str, workers: int, variables: dict[str, str], memory: int) -> dict[str, str]:
    """Options of the server that applies them. memory: bytes that it may take."""
    kept = (
        "innodb_page_size",
        "innodb_data_file_path",
        "lower_case_table_names",
        "partial_revokes",
        "character_set_server",
        "collation_server",
    )
    return {
        **{name: variables[name] for name in kept if variables.get(name)},
        "skip_grant_tables": "ON",
        "super_read_only": "ON",
        "relay_log": f"{relay_directory}/relay",
        "relay_log_recovery": "OFF",
        "relay_log_purge": "ON",
        "replicate_same_server_id": "ON",
        "replica_parallel_workers": str(workers),
        "replica_preserve_commit_order": "ON",
        "replica_pending_jobs_size_max": str(1 << 30),
        # GTIDs and rows are in one log: after a crash both are of one moment.
        "innodb_flush_log_at_trx_commit": "0",
        "innodb_redo_log_capacity": str(redo_for(variables.get("innodb_redo_log_capacity", ""))),
        "innodb_io_capacity": "4000",
        "innodb_io_capacity_max": "20000",
        "innodb_buffer_pool_size": str(memory),
    }


def redo_for(member: str) -> int:
    """Bytes of the redo log: the member's, so that a restored server need not resize it, within limits."""
    return min(max(int(member) if member.isdigit() else 0, 256 << 20), 4 << 30)


def memory_for(available: int) -> int:
    """Bytes of the buffer pool: a quarter of what is available, within limits."""
    return max(128 << 20, min(available // 4, 8 << 30)) >> 20 << 20


def apply(connection: Connection, first: str, selection: Selection, say: Callable[[str], None]) -> float:
    """Apply the relay logs of a server that has just started; the seconds it took. Exactly the selection is executed afterwards, or it is an error."""
    began = time.monotonic()
    # Statements on accounts are refused while there are no privileges; this session keeps its own.
    connection.query("FLUSH LOCAL PRIVILEGES")
    connection.query(
        f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'none.invalid', RELAY_LOG_FILE = %s, RELAY_LOG_POS = 4 FOR CHANNEL '{CHANNEL}'",
        (first,),
    )
    connection.query(f"START REPLICA SQL_THREAD FOR CHANNEL '{CHANNEL}'")
    try:
        _wait(connection, selection, say)
    finally:
        took = time.monotonic() - began
    connection.query(f"STOP REPLICA FOR CHANNEL '{CHANNEL}'")
    connection.query(f"RESET REPLICA ALL FOR CHANNEL '{CHANNEL}'")
    executed = executed_by(connection)
    if executed != selection.reached:
        missing, more = selection.reached.subtract(executed), executed.subtract(selection.reached)
        raise ReplayError(f"the end is not exact: missing '{missing}', too many '{more}'")
    return took


def executed_by(connection: Connection) -> GtidSet:
    return GtidSet(connection.query("SELECT @@GLOBAL.gtid_executed AS g")[0]["g"])


def _wait(connection: Connection, selection: Selection, say: Callable[[str], None]) -> None:
    wanted, still = str(selection.reached), 0
    told = time.monotonic()
    while int(connection.query("SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %s) AS n", (wanted, WAIT))[0]["n"]):
        status = connection.query(f"SHOW REPLICA STATUS FOR CHANNEL '{CHANNEL}'")[0]
        if status["replica_sql_running"] != "Yes":
            raise ReplayError(
                f"the logs cannot be applied: {_error(connection) or status['last_sql_error'] or 'the applier ended'}"
            )
        busy = connection.query(
            "SELECT COUNT(*) AS n FROM performance_schema.replication_applier_status_by_worker WHERE CHANNEL_NAME = %s AND APPLYING_TRANSACTION <> ''",
            (CHANNEL,),
        )
        still = still + 1 if IDLE in str(status["replica_sql_running_state"]) and not int(busy[0]["n"]) else 0
        if still >= STILL:
            missing = selection.reached.subtract(executed_by(connection))
            raise ReplayError(
                f"the logs are applied, and {missing.count()} transactions are missing: {str(missing)[:200]}"
            )
        if time.monotonic() - told > 15:
            told = time.monotonic()
            say(
                f"{selection.reached.subtract(executed_by(connection)).count()} of {selection.transactions} transactions are still to be applied"
            )


def _error(connection: Connection) -> str:
    rows = connection.query(
        "SELECT LAST_ERROR_NUMBER AS n, LAST_ERROR_MESSAGE AS m FROM performance_schema.replication_applier_status_by_worker "
        "WHERE CHANNEL_NAME = %s AND LAST_ERROR_NUMBER <> 0 ORDER BY LAST_ERROR_TIMESTAMP LIMIT 1",
        (CHANNEL,),
    )
    return f"error {rows[0]['n']}: {rows[0]['m']}" if rows else ""


def clean(directory: str) -> None:
    """An empty folder for relay logs."""
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory, mode=0o700)
