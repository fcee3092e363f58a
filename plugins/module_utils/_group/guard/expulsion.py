# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A killed member is expelled at once, whatever patience its group has with members that are silent.

Its server is here and new, and waits: it holds a lock on its peers (the role's files/wait.py), which ends with it. While the guard of a peer sees that
lock, its own server's group_replication_member_expel_timeout is 0. MySQL looks at the value when it begins to suspect the member, five seconds after the
kill; later it would do so every 15 s only.

Private to this collection.
"""

from __future__ import annotations

import contextlib
from typing import Iterator

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import lease
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection, ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.host import Look, paused_until, read, write

SETTING = "group_replication_member_expel_timeout"
LONGEST = 15  # seconds; what is not expelled by then, no value expels
_VALUE = f"SELECT VARIABLE_VALUE AS value FROM performance_schema.global_variables WHERE VARIABLE_NAME = '{SETTING}'"


def wanted(seen: Look, lasted: float) -> bool:
    """Whether the group is to lose its patience now: with those who were killed, and while nobody else is silent, who would be expelled, too.

    lasted: seconds since somebody was first seen to wait for that."""
    return seen.well and bool(seen.killed) and seen.silent <= seen.killed and lasted < LONGEST


class Expulsion:
    """The value of the own server: what it was, kept over the guard's own end, and back as soon as nobody waits any more."""

    def __init__(self) -> None:
        kept = read(lease.KEPT / "expulsion")
        self.before, self.at = kept.get("before"), float(kept.get("at") or 0)
        self.since: float | None = None

    def step(self, connection: Connection, seen: Look, now: float) -> Iterator[str]:
        """Set it or put it back, where that is to be done; what was done, for the journal."""
        if not seen.killed:
            self.since = None
        elif self.since is None:
            self.since = seen.up
        short = wanted(seen, seen.up - self.since if self.since is not None else 0.0)
        try:
            if short and self.before is None and not paused_until(now):
                yield from self.shorten(connection, seen, now)
            elif not short and self.before is not None:
                yield from self.put_back(connection, seen, now)
        except (ServerError, OSError) as error:
            if isinstance(error, ServerError) and error.lost:
                raise
            self.since = seen.up - LONGEST  # no further try for this one
            yield f"error: {SETTING} stays as it is: {error}"

    def shorten(self, connection: Connection, seen: Look, now: float) -> Iterator[str]:
        """The value is written down first: a guard that is killed finds it when it is started again."""
        value = self.value(connection)
        if value:
            self.before, self.at = value, now
            write(lease.KEPT / "expulsion", {"before": value, "at": now})
            connection.run(f"SET GLOBAL {SETTING} = 0")
            yield f"did: SET GLOBAL {SETTING} = 0 (it was {value}; {', '.join(sorted(seen.killed))} was killed and waits)"

    def put_back(self, connection: Connection, seen: Look, now: float) -> Iterator[str]:
        """Of a server that was started since, it is what its files say; and another value than 0 is somebody else's."""
        if now - seen.up < self.at and self.value(connection) == 0:
            connection.run(f"SET GLOBAL {SETTING} = {self.before}")
            yield f"did: SET GLOBAL {SETTING} = {self.before}"
        with contextlib.suppress(FileNotFoundError):
            (lease.KEPT / "expulsion").unlink()
        self.before = None

    @staticmethod
    def value(connection: Connection) -> int | None:
        """What the server has; None before 8.0.13."""
        rows = connection.query(_VALUE)
        return int(rows[0]["value"]) if rows else None
