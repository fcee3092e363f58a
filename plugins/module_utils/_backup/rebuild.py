# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A data directory as it was at a point, made of a full backup and binary logs, in a work directory of its own.

Everything that is needed is there, whole and readable with the key, before the first file of the data directory is written. What was fetched and unpacked is
taken up when the run is begun again.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Iterator, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import pieces, replay
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.contents import Tables, contents, differences
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.coverage import Plan
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.envelope import EnvelopeError, fetch, opened
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.full import shortage
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.instance import (
    Instance,
    Software,
    end_left_over,
    make_directory,
)  # fmt: skip
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.pieces import folder_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import MISSING, Place, PlaceError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import parse_version
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

FETCHERS = 4
UNPACKERS = 2
WORKERS_MOST = 16

Say = Callable[[str], None]


class RebuildError(Refusal):
    """The data directory cannot be made."""


class Wanted(NamedTuple):
    """An object that is needed."""

    path: str  # in the place
    size: int
    sha256: str
    encrypted: bool
    raw: int


class Rebuilt(NamedTuple):
    """What came of it."""

    reached: GtidSet
    transactions: int
    last: int | None
    stopped_by: str
    seconds: dict[str, float]
    compared: int = 0  # tables that were compared with the manifest
    held: Tables | None = None  # what was counted for that, where nothing was applied after it


def until_of(plan: Plan) -> replay.Until:
    """Where the replay ends, as the plan's target says."""
    target = plan.target
    return replay.Until(target.kind, target.gtids, int(round(target.time * 1_000_000)))


def wanted_of(plan: Plan, folder: str, only: Sequence[int] | None = None) -> tuple[list[Wanted], list[Wanted]]:
    """The pieces and the parts of logs of a plan. folder: of the timeline; only: numbers of the pieces that are enough."""
    full = plan.full
    chosen = [piece for number, piece in enumerate(full.pieces) if only is None or number in only]
    found = [
        Wanted(f"{folder}/{full.folder}/{one.name}", one.size, one.sha256, full.encrypted, one.raw) for one in chosen
    ]
    logs = [
        Wanted(f"{folder}/{part.path}", part.size, part.sha256, part.encrypted, part.end - part.start)
        for log in plan.steps
        for part in log.parts
    ]
    return found, logs


def older(software: str, full: str) -> bool:
    """Whether the server of this host is older than the one of the backup: MySQL opens no data of a later version."""
    return parse_version(software) < parse_version(full)


class Rebuild:
    """One data directory in the making. Its work directory is on the disk where the data directory shall be."""

    def __init__(
        self, software: Software, place: Place, folder: str, plan: Plan, work: str, identity: str | None, reserve: int, say: Say,
        only: Sequence[int] | None = None,
    ) -> None:  # fmt: skip
        self.software, self.place, self.plan, self.work, self.identity = software, place, plan, work, identity
        self.folder, self.reserve, self.say, self.only = folder, reserve, say, only
        self.pieces, self.logs = wanted_of(plan, folder, only)
        self.seconds: dict[str, float] = {}
        self.state: dict[str, Any] = {}

    # -- files -------------------------------------------------------------------------------------------------------
    def path(self, name: str) -> str:
        return os.path.join(self.work, name)

    @property
    def datadir(self) -> str:
        return self.path("data")

    def fetched(self, one: Wanted) -> str:
        return self.path("fetched/" + one.path)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """The work directory, by one run at a time; what another backup left in it goes."""
        make_directory(self.work, self.software)
        with open(self.path("lock"), "w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RebuildError(f"{self.work} is in use by another run") from None
            end_left_over(self.path("run"))
            try:
                with open(self.path("state.json"), encoding="utf-8") as source:
                    self.state = json.load(source)
            except (OSError, ValueError):
                self.state = {}
            if self.state.get("full") != self.plan.full.id:
                for name in ("data", "logs", "relay", "fetched"):
                    shutil.rmtree(self.path(name), ignore_errors=True)
                self.state = {"full": self.plan.full.id, "unpacked": []}
                self._keep()
            elif self.state["unpacked"]:
                self.say(
                    f"{len(self.state['unpacked'])} of {len(self.pieces)} pieces are unpacked already; the run is taken up"
                )
            yield

    def _keep(self) -> None:
        with open(self.path("state.json.new"), "w", encoding="utf-8") as out:
            json.dump(self.state, out)
            out.flush()
            os.fsync(out.fileno())
        os.replace(self.path("state.json.new"), self.path("state.json"))

    @contextlib.contextmanager
    def timed(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - began, 1)

    # -- what is needed ----------------------------------------------------------------------------------------------
    def missing_pieces(self) -> list[Wanted]:
        return [one for one in self.pieces if os.path.basename(one.path) not in self.state.get("unpacked", [])]

    def check(self) -> None:
        """Everything is in the place, can be opened by this server, and has room."""
        version = self.software.version()
        if older(version, self.plan.full.mysql):
            raise RebuildError(
                f"the backup is of MySQL {self.plan.full.mysql}, and this host has {version}, which is older: it cannot open it"
            )
        encrypted = [one.path for one in [*self.pieces, *self.logs] if one.encrypted]
        if encrypted and not self.identity:
            raise RebuildError(
                f"the backup is encrypted: --identity names the file with the key that opens it ({encrypted[0]})"
            )
        needed = [*self.missing_pieces(), *self.logs]
        there: dict[str, int] = {}
        for prefix in sorted({os.path.dirname(one.path) for one in needed if not os.path.exists(self.fetched(one))}):
            there.update({entry.path: entry.size for entry in self.place.list(prefix)})
        lost = [
            f"{one.path} ({there.get(one.path, 0)} of {one.size} bytes)"
            for one in needed if not os.path.exists(self.fetched(one)) and there.get(one.path) != one.size
        ]  # fmt: skip
        if lost:
            more = f", and {len(lost) - 5} more" if len(lost) > 5 else ""
            raise PlaceError(
                MISSING, f"place {self.place.remote}: not there as it was stored: {', '.join(lost[:5])}{more}"
            )
        room = os.statvfs(self.work)
        todo = sum(one.size for one in needed if not os.path.exists(self.fetched(one)))
        space = todo + sum(one.raw for one in self.missing_pieces()) + 2 * sum(one.raw for one in self.logs)
        text = shortage(self.work, room.f_bavail * room.f_frsize, space, self.reserve)
        if text:
            raise RebuildError(text)

    def fetch(self) -> None:
        """All objects as they are stored, each checked; the key opens the smallest encrypted one before the others come."""
        needed = sorted([*self.missing_pieces(), *self.logs], key=lambda one: (not one.encrypted, one.size))
        for one in needed[:1]:
            self._fetch_one(one)
            self._opens(one)
        with ThreadPoolExecutor(self.place.at_once(FETCHERS)) as pool:
            running = [pool.submit(self._fetch_one, one) for one in needed[1:]]
            try:
                for done in running:
                    done.result()
            except BaseException:
                for left in running:
                    left.cancel()
                raise

    def _fetch_one(self, one: Wanted) -> None:
        target = self.fetched(one)
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        fetch(self.place, one.path, target, one.size, one.sha256)

    def _opens(self, one: Wanted) -> None:
        with opened(self.fetched(one), self.identity, one.encrypted) as raw:
            for _block in iter(lambda: raw.read(1 << 20), b""):
                pass

    # -- data --------------------------------------------------------------------------------------------------------
    def unpack(self) -> None:
        """The pieces into the data directory; each is removed once it is unpacked."""
        make_directory(self.datadir, self.software)
        with ThreadPoolExecutor(UNPACKERS) as pool:
            running = [(one, pool.submit(self._unpack_one, one)) for one in self.missing_pieces()]
            try:
                for one, done in running:
                    done.result()
                    self.state["unpacked"].append(os.path.basename(one.path))
                    self._keep()
                    os.unlink(self.fetched(one))
            except BaseException:
                for _one, left in running:
                    left.cancel()
                raise
        owned_by(self.datadir, *self.software.owner())

    def _unpack_one(self, one: Wanted) -> None:
        with opened(self.fetched(one), self.identity, one.encrypted) as raw:
            pieces.unpack(raw, self.datadir)

    def assemble(self) -> list[str]:
        """The files of the logs, in their order."""
        replay.clean(self.path("logs"))
        paths = []
        stored = iter(self.logs)
        for number, log in enumerate(self.plan.steps, 1):
            path = self.path(f"logs/{number:05d}-{log.file}")
            with open(path, "wb") as out:
                for _part in log.parts:
                    one = next(stored)
                    with opened(self.fetched(one), self.identity, one.encrypted) as raw:
                        shutil.copyfileobj(raw, out, 1 << 20)
            if os.path.getsize(path) != log.end:
                raise EnvelopeError(f"{log.file}: {os.path.getsize(path)} of {log.end} bytes came out of its envelopes")
            paths.append(path)
        return paths

    # -- server ------------------------------------------------------------------------------------------------------
    def instance(self) -> Instance:
        relay = self.path("relay")
        replay.clean(relay)
        owned_by(relay, *self.software.owner())
        workers = min(WORKERS_MOST, max(4, 4 * (os.cpu_count() or 1)))
        options = replay.settings(
            self.software.inside(relay), workers, self.plan.full.variables, replay.memory_for(available_memory())
        )
        return Instance(self.software, self.path("run"), options, datadir=self.datadir)

    def go_on(self, connection: Connection, plan: Plan, have: GtidSet, until: replay.Until) -> Rebuilt:
        """Apply more on the same server: the logs of a later plan from the same full."""
        self.plan, self.logs = plan, wanted_of(plan, self.folder, self.only)[1]
        with self.timed("fetch"):
            self.fetch()
            paths = self.assemble()
        replay.clean(self.path("relay"))
        owned_by(self.path("relay"), *self.software.owner())
        return self.apply(connection, paths, have, until)

    def compare(self, connection: Connection) -> tuple[Tables, Tables]:
        """What is there, and what the manifest says: rows, and checksums where there are some."""
        wanted = self.plan.full.tables
        if self.only is not None:
            # Of the other schemas the files are not there.
            tops = {path.split("/")[0] for number in self.only for path in self.plan.full.pieces[number].files}
            wanted = {name: value for name, value in wanted.items() if folder_of(name.split(".")[0]) in tops}
        sums = any(checksum is not None for _rows, checksum in wanted.values())
        schemas = None if self.only is None else sorted({name.split(".")[0] for name in wanted})
        return contents(connection, sums, schemas), wanted

    @contextlib.contextmanager
    def running(self, until: replay.Until, compare: bool = True) -> Iterator[tuple[Instance, Connection, Rebuilt]]:
        """All of it; then the private server at the point, as long as the block runs. Without a clean stop in the block it is killed."""
        self.check()
        with self.timed("fetch"):
            self.fetch()
        with self.timed("unpack"):
            self.unpack()
            paths = self.assemble()
        instance = self.instance()
        with instance:
            with self.timed("start"):
                connection = instance.start()
            have = replay.executed_by(connection)
            held: Tables = {}
            if have == GtidSet(self.plan.full.gtids) and compare:
                with self.timed("compare"):
                    held, wanted = self.compare(connection)
                found = differences(wanted, held)
                if found:
                    raise RebuildError(
                        f"the data is not what the manifest of {self.plan.full.id} says: {'; '.join(found[:5])}"
                    )
            rebuilt = self.apply(connection, paths, have, until)
            if held and not rebuilt.transactions:
                rebuilt = rebuilt._replace(held=held)
            yield instance, connection, rebuilt._replace(compared=len(held))

    def apply(
        self,
        connection: Connection,
        paths: list[str],
        have: GtidSet,
        until: replay.Until,
    ) -> Rebuilt:
        """The logs up to a point."""
        lacking = GtidSet(self.plan.full.gtids).subtract(have)
        if lacking:
            raise RebuildError(
                f"{self.datadir} has not what is in {self.plan.full.id} ({str(lacking)[:200]}): remove {self.work} and begin again"
            )
        with self.timed("look through"):
            chosen = replay.select(paths, have, until)
        if chosen.parts:
            self.say(f"{chosen.transactions} transactions are applied")
            first = replay.lay_out(chosen.parts, self.path("relay"), self.software.inside)
            for name in os.listdir(self.path("relay")):
                os.chown(os.path.join(self.path("relay"), name), *self.software.owner())
            with self.timed("apply"):
                replay.apply(connection, first, chosen, self.say)
        return Rebuilt(chosen.reached, chosen.transactions, chosen.last, chosen.stopped_by, self.seconds)


def owned_by(directory: str, user: int, group: int) -> None:
    """Give everything below a directory to a user."""
    for at, _folders, names in os.walk(directory):
        for name in (at, *(os.path.join(at, one) for one in names)):
            os.chown(name, user, group, follow_symlinks=False)


def available_memory() -> int:
    """Bytes of memory that are available."""
    try:
        with open("/proc/meminfo", encoding="ascii") as source:
            for line in source:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) << 10
    except (OSError, ValueError):
        pass
    return 1 << 30
