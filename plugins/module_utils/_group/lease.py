# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may act on a host that has a guard (mysql_gr_guard): a module that changes something, or the guard, and never both.

The lease is a lock on a file. It ends with the process that holds it, so that a control node that dies, or a module that is killed, leaves none
behind. What outlasts processes and boots is a mark: an empty file.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from pathlib import Path
from typing import Callable, Iterator

from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

OPTIONS = Path("/etc/mysql-gr-guard.json")
KEPT = Path("/var/lib/mysql-gr-guard")
RUN = Path("/run/mysql-gr-guard")
FENCED = "fenced"  # by group_replication_fence
LEAVING = "leaving"  # its server is being stopped (the role's files/leave.py)
POLL = 0.1


def guarded() -> bool:
    """Whether this host has a guard."""
    return OPTIONS.exists()


def guards_evidence() -> str:
    """The guard's option mysql_gr_guard_evidence of this host; '' where there is no guard, or nobody but root may see it."""
    try:
        return str(json.loads(OPTIONS.read_text(encoding="utf-8")).get("evidence", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def mark(name: str, on: bool) -> None:
    """Make or remove a mark, where there is a guard."""
    if KEPT.is_dir():
        if on:
            (KEPT / name).touch(mode=0o600)
        else:
            with contextlib.suppress(FileNotFoundError):
                (KEPT / name).unlink()


def marked_at(name: str) -> float | None:
    """When a mark was made, or None."""
    try:
        return (KEPT / name).stat().st_mtime
    except OSError:
        return None


@contextlib.contextmanager
def _taken(how: int, left: Callable[[], float]) -> Iterator[bool]:
    """Whether the lock was got before the time was over. Where there is no guard, or nobody but root may see it, nobody has to be kept out."""
    try:
        handle = os.open(RUN / "lease", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield True
        return
    try:
        got = False
        while not got:
            try:
                fcntl.flock(handle, how | fcntl.LOCK_NB)
                got = True
            except BlockingIOError:
                if left() <= 0:
                    break
                time.sleep(POLL)
        yield got
    finally:
        os.close(handle)


@contextlib.contextmanager
def lease(left: Callable[[], float]) -> Iterator[None]:
    """The guard of this host stands aside meanwhile; modules do not keep each other out. left: seconds until it is given up, then a Refusal."""
    with _taken(fcntl.LOCK_SH, left) as got:
        if not got:
            raise Refusal(
                "timeout: the guard of this host is acting (mysql-gr-guard status says what it does); run again, or pause it before"
            )
        yield


def guards_turn() -> contextlib.AbstractContextManager[bool]:
    """For the guard: whether no module works on this host; none begins to meanwhile."""
    return _taken(fcntl.LOCK_EX, lambda: 0.0)
