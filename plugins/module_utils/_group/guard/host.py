# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guard sees on its own host: its settings, what it keeps over boots, and a look at its own server.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import format_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import lease
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import LIVE
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.rules import SHORT, Host

STOPPING = 120  # seconds that a server has for its end, once it has left its group
KEPT_STARTS = 20
ENOUGH = 5.0  # seconds in its group, after which a server is none that cannot
JITTER = 3.0  # seconds by which two reckonings of one start may differ

# A killed server that waits until its group has expelled what it was holds this lock on its peers, with its server_uuid (the role's files/wait.py).
KILLED = "distdb.mysql_ha:killed:"

# The state of a transaction that is to be committed after others. MySQL (seen with 9.7.4) now and then miscounts these when a member joins or leaves: then
# none of the others is left, and every transaction after them waits for ever, on a member that is ONLINE.
TICKET = "Waiting for Binlog Group Commit ticket"

# The one statement a second.
_LOOK = f"""SELECT m.MEMBER_ID AS id, m.MEMBER_HOST AS host, m.MEMBER_PORT AS port, m.MEMBER_STATE AS state, @@GLOBAL.server_uuid AS mine,
 (SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Uptime') AS uptime,
 (SELECT t.PROCESSLIST_USER FROM performance_schema.threads AS t
 WHERE t.PROCESSLIST_ID = IS_USED_LOCK(CONCAT('{KILLED}', LOWER(m.MEMBER_ID)))) AS killed,
 (SELECT COUNT(*) FROM performance_schema.threads WHERE PROCESSLIST_STATE = '{TICKET}') AS waiting, CRC32(@@GLOBAL.gtid_executed) AS executed
 FROM performance_schema.replication_group_members AS m"""


class Look(NamedTuple):
    """The own server, as it sees itself."""

    state: str
    view: tuple[str, ...]  # addresses; empty when it is in no group
    live: int  # of these
    up: float  # seconds since its start
    silent: frozenset[str] = frozenset()  # server_uuids of those in the view that do not answer it
    killed: frozenset[str] = frozenset()  # of those whose killed server waits for its expulsion
    waiting: bool = False  # a transaction waits for the ones before it
    executed: int = 0  # a checksum of what is executed

    @property
    def well(self) -> bool:
        """In a group, with a majority of it: nothing is to be done."""
        return self.state in LIVE and 2 * self.live > len(self.view)


def look(connection: Connection, peer_user: str = "") -> Look:
    """Look at the own server. peer_user: the account of the peers, which alone is believed that a member was killed."""
    rows = connection.query(_LOOK)
    uptime = float(rows[0]["uptime"] or 0) if rows else 0.0
    states = {str(row["id"]).lower(): row["state"] for row in rows}
    mine = states.get(str(rows[0]["mine"]).lower(), "") if rows else ""
    if mine not in LIVE:
        # A stopped member's table shows itself only: that is no view of a group.
        return Look(mine or "OFFLINE", (), 0, uptime)
    view = tuple(sorted(format_address(row["host"], row["port"]) for row in rows))
    silent = frozenset(uuid for uuid, state in states.items() if state == "UNREACHABLE")
    killed = frozenset(str(row["id"]).lower() for row in rows if row["killed"] and row["killed"] == peer_user)
    waiting, executed = bool(rows[0]["waiting"]), int(rows[0]["executed"])
    return Look(mine, view, sum(state in LIVE for state in states.values()), uptime, silent, killed, waiting, executed)


def write(path: Path, value: Any) -> None:
    """Write a file of the guard's so that it is whole or not there at all, and stays over a power cut."""
    made = path.with_name(path.name + ".new")
    with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as target:
        json.dump(value, target)
        target.flush()
        os.fsync(target.fileno())
    os.replace(made, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path) -> dict[str, Any]:
    """What such a file holds; nothing where there is none, or it is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except PermissionError:
        raise
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def paused_until(now: float) -> str:
    """Until when the guard is paused, or ''."""
    until = read(lease.KEPT / "paused").get("until")
    if not isinstance(until, (int, float)) or until <= now:
        return ""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(until))


def in_a_row(starts: list[float]) -> int:
    """How many of the last starts came soon after the one before, the first of them included."""
    found = 1
    for earlier, later in zip(starts[-2::-1], starts[::-1]):
        if later - earlier >= SHORT:
            break
        found += 1
    return found


def running() -> dict[str, Any]:
    """What the guard of this host says; nothing where none runs."""
    found = read(lease.RUN / "state")
    runs = bool(found) and Path("/proc", str(found["pid"])).exists()
    return {**found, "paused_until": paused_until(time.time())} if runs else {}


class Memory:
    """What the guard keeps: when its server was started, the last view that it saw, and what failed."""

    def __init__(self) -> None:
        kept = read(lease.KEPT / "memory")
        self.starts = [float(one) for one in kept.get("starts") or () if isinstance(one, (int, float))]
        self.view = tuple(str(one) for one in kept.get("view") or ())
        self.failures, self.failed_at, self.failure = 0, 0.0, ""
        self.well_from: float | None = None  # the server's uptime when it was first seen well
        self.held: tuple[int, float] | None = (
            None  # what is executed while a transaction waits, and the server's uptime when that was first seen
        )
        self.stalled = 0.0  # seconds since then

    def note(self, seen: Look, now: float) -> None:
        """Keep what is new of it."""
        before = (self.starts, self.view)
        started = now - seen.up
        if not any(abs(one - started) <= JITTER for one in self.starts):
            # A start in the future is one of a clock that was set back since.
            self.starts = [one for one in self.starts if one < started][1 - KEPT_STARTS :] + [started]
            self.well_from = None
        if not seen.waiting:
            self.held = None
        elif self.held is None or self.held[0] != seen.executed or seen.up < self.held[1]:
            self.held = (seen.executed, seen.up)
        self.stalled = seen.up - self.held[1] if self.held else 0.0
        if seen.view:
            self.view = seen.view
        if not seen.well:
            self.well_from = None
        else:
            self.failures = 0
            self.well_from = seen.up if self.well_from is None else self.well_from
            if seen.up - self.well_from >= ENOUGH:
                # It does what it is for: the next start is no sign of one that cannot.
                self.starts = self.starts[-1:]
        if (self.starts, self.view) != before:
            self.keep()

    def keep(self) -> None:
        """Write it. On a full disk it is kept in memory alone."""
        with contextlib.suppress(OSError):
            write(lease.KEPT / "memory", {"starts": self.starts, "view": self.view})

    def ended(self) -> None:
        """Note that the guard itself has its server started anew, which says nothing against that server."""
        self.starts = []
        self.keep()

    def fail(self, why: str) -> None:
        """Note that a START had no success."""
        self.failures, self.failed_at, self.failure = self.failures + 1, time.monotonic(), why

    def host(self, options: dict[str, Any], seen: Look | None, busy: bool, now: float) -> Host:
        """What the rules look at."""
        up = seen.up if seen else 0.0
        leaving = lease.marked_at(lease.LEAVING)
        return Host(
            mode=options["mode"],
            paused=paused_until(now),
            busy=busy,
            leaving=leaving is not None and now - up < leaving and 0 <= now - leaving < STOPPING,
            fenced=lease.marked_at(lease.FENCED) is not None,
            free=_free(options.get("datadir") or ""),
            starts=in_a_row(self.starts),
            up=up,
            failures=self.failures,
            failed_ago=time.monotonic() - self.failed_at,
            failure=self.failure,
            view=self.view,
            stalled=self.stalled,
        )


def _free(datadir: str) -> int | None:
    try:
        space = os.statvfs(datadir)
    except OSError:
        return None
    return space.f_bavail * space.f_frsize
