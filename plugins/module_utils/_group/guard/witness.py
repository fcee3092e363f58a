# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard as a witness of its server's membership: it sees how that ended, keeps it on the disk, and says it to the other guards.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Iterable

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import lease
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import (
    CR_CANNOT_CONNECT,
    Connection,
    ServerError,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard import evidence
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.host import Look, read, write
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.said import IN, VARIABLE, dump
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import Facts, Situation
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

GAP = 30.0  # seconds without a look, after which what is seen next says nothing of what was before
FILE = "evidence"
ER_SERVER_SHUTDOWN = 1053
_PLACES = "SELECT @@GLOBAL.pid_file AS pid_file, @@GLOBAL.log_bin_index AS log_index, @@GLOBAL.datadir AS datadir"
# A binary log ends with this event where its server was told to end.
STOP, HEADER, CHECKSUM = 3, 19, 4
MAGIC = b"\xfebin"


# -- the server's process and its binary logs --------------------------------------------------------------------------
def process_and_state(pid: int, proc: Path) -> tuple[str, str]:
    """Which process has this number now, unlike any other one before or after it, also over boots; and its state."""
    boot = (proc / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    # The name may have blanks and parentheses; 22nd field: its start, in ticks since the boot.
    stat = (proc / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return f"{boot}/{pid}/{stat[19]}", stat[0]


def process_of(pid_file: Path, proc: Path = Path("/proc")) -> str:
    """Which process the server is; '' where that cannot be told."""
    try:
        return process_and_state(int(pid_file.read_text(encoding="utf-8")), proc)[0]
    except (OSError, ValueError, IndexError):
        return ""


def runs(process: str, proc: Path = Path("/proc")) -> bool:
    """Whether that process is still there."""
    try:
        now, state = process_and_state(int(process.split("/")[1]), proc)
    except OSError:
        return False
    # A zombie holds no file and takes no statement.
    return now == process and state not in "ZX"


def logs(index: Path) -> list[str]:
    """The binary logs, the newest last; nothing where they cannot be seen."""
    try:
        return index.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return []


def ends_with_stop(log: Path) -> bool | None:
    """Whether this binary log is one of a server that was told to end; None where that cannot be told."""
    try:
        with open(log, "rb") as source:
            if source.read(len(MAGIC)) != MAGIC:
                return None  # encrypted
            size = source.seek(0, 2)
            for length in (HEADER + CHECKSUM, HEADER):
                source.seek(max(0, size - length))
                event = source.read(length)
                whole = (
                    int.from_bytes(event[9:13], "little") == length and int.from_bytes(event[13:17], "little") == size
                )
                if whole and event[4] == STOP:
                    return True
    except OSError:
        return None
    return False


def ended_cleanly(index: Path, since: str) -> bool | None:
    """Whether a server ended as one that is told to since that binary log was begun; None where that cannot be told."""
    found = logs(index)
    if since not in found:
        return None
    ends = [ends_with_stop(index.parent / log) for log in found[found.index(since) :]]
    return True if True in ends else None if None in ends else False


def ends(error: ServerError) -> bool:
    """Whether a server that runs says by this that it is about to end. One that is frozen or busy lets wait."""
    refused = error.code in CR_CANNOT_CONNECT and "timed out" not in str(error)
    return error.code == ER_SERVER_SHUTDOWN or refused


# -- the witness -------------------------------------------------------------------------------------------------------
class Witness:
    """What one guard saw of its server."""

    def __init__(self) -> None:
        self.kept = evidence.load(read(lease.KEPT / FILE))
        self.process, self.told = "", ""
        self.index: Path | None = None  # of the binary logs
        self.turned = time.monotonic()

    def connected(self, local: Connection) -> None:
        """There is a new session on the server."""
        row = local.query(_PLACES)[0]
        datadir = Path(row["datadir"] or "/")
        self.process = process_of(datadir / (row["pid_file"] or "none"))
        self.index, self.told = datadir / (row["log_index"] or "none"), ""

    def saw(self, seen: Look) -> None:
        """The server answered."""
        self._late()
        if seen.view:
            current = logs(self.index)[-1:] if self.index else []
            self.keep(evidence.inside(self.kept, seen.view, self.process, current[0] if current else ""))
        else:
            # Which process it is may not be known: then it is taken for the one before, which has left.
            self._out(self.process or self.kept.process)

    def unanswered(self, error: ServerError) -> None:
        """The server does not answer. Once its process is gone, how it ended is noted at once: what it wrote last is sure to be there still. While it
        ends as it was told to, it has left its group long before it writes that down, and may be killed in between."""
        self._late()
        if self.index and self.kept.state == IN and self.kept.process:
            if not runs(self.kept.process):
                self._out("")
            elif ends(error):
                self.keep(evidence.outside(self.kept, self.kept.process, None))

    def _late(self) -> None:
        if self.kept.state == IN and time.monotonic() - self.turned > GAP:
            self.kept = self.kept._replace(watched=False)
        self.turned = time.monotonic()

    def _out(self, process: str) -> None:
        clean = ended_cleanly(self.index, self.kept.log) if self.index and self.kept.state == IN else None
        self.keep(evidence.outside(self.kept, process, clean))

    def ended(self) -> None:
        """The guard is told to end: nobody watches from now on."""
        self.keep(self.kept._replace(watched=False))

    def keep(self, kept: evidence.Kept) -> bool:
        """Keep that durably, before anybody hears of it. Where that fails there is no evidence."""
        if kept == self.kept:
            return True
        try:
            write(lease.KEPT / FILE, kept._asdict())
            self.kept = kept
            return True
        except OSError:
            # On a full disk a file can still be removed. What it said holds no more.
            with contextlib.suppress(OSError):
                (lease.KEPT / FILE).unlink()
            self.kept = evidence.Kept()
            return False

    def tell(self, local: Connection, wanted: str, members: Iterable[str]) -> None:
        """Say it to the others, where it is not what was said last."""
        text = dump(self.kept.says(wanted, tuple(members)))
        if text != self.told:
            local.query(f"SET @{VARIABLE} = %s", (text,))
            self.told = text

    def promise(self, decision: Decision, me: str, facts: Facts) -> None:
        """What follows from a decision by which a member is to start the group."""
        seed = {"other_seed": decision.details.get("seed", ""), "unpromised_yet": me, "bootstrap": me}.get(
            decision.rule, ""
        )
        if seed:
            s = Situation(list(facts), facts, me)
            self.keep(evidence.promised(self.kept, me, seed, s.said, s.counted))

    def starts(self, without: Iterable[str]) -> None:
        """The server is about to start the group. Without a member, that will stand in the group's history."""
        if list(without) and not self.keep(self.kept._replace(mark=self.kept.promise[1])):
            raise Refusal("what this guard promises cannot be written to its disk: it starts no group")

    def mark(self, local: Connection) -> None:
        """Put that into the group's history: an empty transaction, which every member gets, and a clone of one. Where the server does not take it yet,
        the next look tries again."""
        if self.kept.mark:
            try:
                for text in (f"SET gtid_next = '{self.kept.mark}:1'", "BEGIN", "COMMIT", "SET gtid_next = 'AUTOMATIC'"):
                    local.query(text)
            except ServerError as error:
                # With its session ends what it has begun.
                local.close()
                self.told = ""
                if error.lost:
                    raise
                return
            self.keep(evidence.marked(self.kept))
