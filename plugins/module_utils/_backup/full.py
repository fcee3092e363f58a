# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A full backup: a copy of a running member by the clone plugin, started once, stopped, and stored in pieces; its manifest comes last.

Killed at any moment it leaves no backup, only files without a manifest, which the next run of this host removes.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import IO, Callable, Iterator, NamedTuple, cast

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import parse_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import donor as donors
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import pieces
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.contents import Tables, contents
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.envelope import Sealer
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.instance import (
    Instance,
    InstanceError,
    Software,
    end_left_over,
    make_directory,
)  # fmt: skip
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Full, Piece, to_json
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import Place
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import Settings
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

POLL = 0.5
# Seconds. mysqld itself waits for more than five minutes for a donor that lost its power, which says nothing any more.
SILENT = 20
# Pieces; each is compressed by one processor. More of them would leave less to what else the host does.
STORED_AT_ONCE = 2
# What the recipient of a clone must have as the donor has it.
SAME = ("innodb_page_size", "innodb_data_file_path", "lower_case_table_names")
# Of a place whose free bytes are known: a copy that needs more than this part of its size is unusual.
COMPRESSED = 0.5

# The copy is started once: it recovers, says its GTID set, and is stopped cleanly. Nobody else can log in, and nothing can be written.
PREPARE = {
    "skip_grant_tables": "ON",
    "super_read_only": "ON",
    "innodb_redo_log_capacity": "8M",
    "innodb_fast_shutdown": "1",
}

Say = Callable[[str], None]


class FullError(Refusal):
    """No full backup was made."""


class Seen:
    """Why a copy was ended: room, or the donor's silence."""

    shortage = silence = ""


class Copied(NamedTuple):
    """What the copy is, once it was started."""

    gtids: GtidSet
    tables: Tables


def answers(address: tuple[str, int]) -> bool:
    """Whether a connection to it is accepted."""
    try:
        socket.create_connection(address, 5).close()
    except OSError:
        return False
    return True


def shortage(what: str, free: int | None, needed: int, reserve: int) -> str:
    """Why there is no room, or ''."""
    if free is None or free - needed >= reserve:
        return ""
    return f"{what} has {free >> 20} MiB free, and {needed >> 20} MiB are needed, beside the reserve of {reserve >> 20} MiB"


def new_id(now: float, host: str) -> str:
    """The name of a full: when it began, and who made it."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now)) + f"-{host}"


def unfinished(paths: list[str], prefix: str, host: str) -> list[str]:
    """Folders of fulls of this host below a prefix that have no manifest."""
    found: dict[str, bool] = {}
    for path in paths:
        parts = path[len(prefix) :].strip("/").split("/")
        if path.startswith(prefix) and len(parts) == 2:
            found[parts[0]] = found.get(parts[0], False) or parts[1] == "manifest.json"
    return [f"{prefix.rstrip('/')}/{name}" for name, whole in sorted(found.items()) if not whole and name[17:] == host]


class Unless:
    """What is read of a source until an event is set; then an error."""

    def __init__(self, event: threading.Event, source: IO[bytes]) -> None:
        self._event, self._source = event, source

    def read(self, size: int = -1) -> bytes:
        if self._event.is_set():
            raise FullError("another piece could not be stored")
        return self._source.read(size)


class Work:
    """The work directory of this host's full backups: one run at a time, and nothing is left of a killed one."""

    def __init__(self, given: Settings, software: Software) -> None:
        self.directory = os.path.join(given.directory, "work", "full")
        self.software = software
        self._lock = os.path.join(given.directory, "work", "full.lock")

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        os.makedirs(os.path.dirname(self._lock), mode=0o711, exist_ok=True)
        with open(self._lock, "w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise FullError("a full backup is being made on this host already") from None
            self.clean()
            try:
                make_directory(self.directory, self.software)
                yield
            finally:
                self.clean()

    def clean(self) -> None:
        for name in ("blank", "run"):
            end_left_over(self.path(name))
        shutil.rmtree(self.directory, ignore_errors=True)


class FullBackup:
    """One run."""

    def __init__(
        self, given: Settings, place: Place, timeline: str, number: int, say: Say, checksums: bool = False
    ) -> None:
        """timeline: the folder of the timeline in the place."""
        self.given, self.place, self.timeline, self.number = given, place, timeline, number
        self.say, self.checksums = say, checksums
        self.software = Software.of(given.mysqld, given.user)
        self.work = Work(given, self.software)
        self.seconds: dict[str, float] = {}
        self.began = 0.0

    def run(self, own: str | None = None, member: str | None = None, before: str = "") -> Full:
        """Make it. own: the member on this host, if there is one; member: the only one that is copied; before: what the newest full holds."""
        self.began = time.time()
        with self.work.held():
            self.remove_unfinished()
            found = [
                donors.look(name, self.given.connection(name)) for name in self.given.members if member in (None, name)
            ]
            ranked = donors.by_rank(found, self.given.group_name, own)
            lost = GtidSet(before).subtract(GtidSet("").union(*(one.executed for one in ranked)))
            if lost:
                raise FullError(
                    f"the cluster does not hold {lost.count()} transactions that the newest backup holds ({str(lost)[:100]}): "
                    "restore it, or begin a new timeline (mysql-gr-backup timeline new)"
                )
            source, at = self.copy(ranked)
            with self._timed("prepare"):
                copied = self.prepare()
            self.say(f"the copy starts; it has {copied.gtids.count()} transactions, and {len(copied.tables)} tables")
            return self.store(new_id(self.began, self.given.host), source, at, copied)

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 1)

    def remove_unfinished(self) -> None:
        """What killed runs of this host left in the place."""
        prefix = f"{self.timeline}/fulls"
        for folder in unfinished([entry.path for entry in self.place.list(prefix)], prefix, self.given.host):
            self.say(f"{folder}: was not finished, is removed")
            self.place.delete_below(folder)

    # -- copy --------------------------------------------------------------------------------------------------------
    def copy(self, ranked: list[donors.Member]) -> tuple[donors.Member, float]:
        """Copy the best member that can be copied; who it was, and when."""
        failed: list[str] = []
        for member in ranked:
            self.say(
                f"{member.name} is copied ({member.role}, {member.waiting} transactions wait, {member.running} statements run)"
            )
            try:
                with self._timed("copy"):
                    self._copy_of(member)
                return member, time.time()
            except ServerError as error:
                self.say(f"{member.name}: {error}")
                failed.append(f"{member.name}: {error}")
                shutil.rmtree(self.work.path("copy"), ignore_errors=True)
        raise FullError(f"no member can be copied ({'; '.join(failed)})")

    def _copy_of(self, member: donors.Member) -> None:
        host, port = parse_address(self.given.members[member.name])
        variables = member.variables
        if variables.get("innodb_directories"):
            raise FullError(
                f"{member.name} has tables outside of its data directory (innodb_directories = {variables['innodb_directories']}): "
                "they would be copied to the same paths of this host, and are not supported"
            )
        same: dict[str, str] = {name: variables[name] for name in SAME if name in variables}
        blank = Instance(self.software, self.work.path("blank"), same)
        with blank:
            with self._timed("blank"):
                blank.initialize()
                connection = blank.start()
            connection.query("INSTALL PLUGIN clone SONAME 'mysql_clone.so'")
            connection.query("SET GLOBAL clone_valid_donor_list = %s", (f"{host}:{port}",))
            connection.query("SET GLOBAL clone_max_data_bandwidth = %s", (self.given.clone.bandwidth,))
            if self.given.tls.ca:
                connection.query("SET GLOBAL clone_ssl_ca = %s", (self._readable(self.given.tls.ca),))
            with self._watched(blank, (host, port)) as seen:
                try:
                    connection.query(
                        f"CLONE INSTANCE FROM %s@%s:{int(port)} IDENTIFIED BY %s DATA DIRECTORY = %s REQUIRE SSL",
                        (
                            self.given.clone.user,
                            host,
                            self.given.clone.password,
                            self.software.inside(self.work.path("copy")),
                        ),
                    )
                except ServerError as error:
                    if seen.shortage:
                        raise FullError(seen.shortage) from None
                    raise ServerError(seen.silence or str(error), error.code) from None
        shutil.rmtree(self.work.path("blank"), ignore_errors=True)

    def _readable(self, file: str) -> str:
        """The CA's certificate where mysqld may read it."""
        copy = self.work.path("ca.pem")
        shutil.copyfile(file, copy)
        os.chmod(copy, 0o644)
        return self.software.inside(copy)

    @contextlib.contextmanager
    def _watched(self, blank: Instance, donor: tuple[str, int]) -> Iterator[Seen]:
        """Ends the copy before the disk has less than the reserve, and where nothing comes any more and the donor does not answer."""
        seen, done = Seen(), threading.Event()

        def watch() -> None:
            connection = blank.connect()
            came, since = -1, time.monotonic()
            while not done.wait(POLL):
                try:
                    left = connection.query(
                        "SELECT CAST(SUM(ESTIMATE - DATA) AS SIGNED) AS n, CAST((SELECT SUM(DATA) FROM performance_schema.clone_progress) AS SIGNED) AS came"
                        " FROM performance_schema.clone_progress WHERE STAGE = 'FILE COPY'"
                    )
                    missing = max(0, int(left[0]["n"] or 0)) if left else 0
                    now = int(left[0]["came"] or 0) if left else 0
                    if now != came:
                        came, since = now, time.monotonic()
                    elif time.monotonic() - since > SILENT:
                        if not answers(donor):
                            seen.silence = f"nothing came from it for {SILENT} s, and it does not answer"
                            blank.kill()
                            break
                        since = time.monotonic()
                    room = os.statvfs(self.work.directory)
                    text = shortage(self.work.directory, room.f_bavail * room.f_frsize, missing, self.given.reserve)
                    if text and not seen.shortage:
                        seen.shortage = text
                        clone = "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE INFO LIKE 'CLONE INSTANCE%%'"
                        for row in connection.query(clone, ()):
                            connection.query(f"KILL QUERY {int(row['id'])}")
                except ServerError:
                    continue
            connection.close()

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield seen
        finally:
            done.set()
            watcher.join()

    # -- look --------------------------------------------------------------------------------------------------------
    def prepare(self) -> Copied:
        """Start the copy once: it recovers, and says what is in it."""
        # The channels of the member find no relay logs here, and shall leave none in the copy.
        options = {**PREPARE, "relay_log": self.software.inside(self.work.path("run/relay"))}
        instance = Instance(self.software, self.work.path("run"), options, datadir=self.work.path("copy"))
        with instance:
            connection = instance.start()
            gtids = GtidSet(connection.query("SELECT @@GLOBAL.gtid_executed AS g")[0]["g"])
            tables = contents(connection, self.checksums)
            connection.close()
            instance.stop()
        return Copied(gtids, tables)

    # -- store -------------------------------------------------------------------------------------------------------
    def store(self, name: str, source: donors.Member, at: float, copied: Copied) -> Full:
        """The pieces, then the manifest."""
        datadir = self.work.path("copy")
        files = pieces.files_of(datadir)
        data = sum(size for _path, size in files)
        text = shortage(f"place {self.place.remote}", self.place.free(), int(data * COMPRESSED), 0)
        if text:
            raise FullError(text)
        folder = f"{self.timeline}/fulls/{name}"
        sealer = Sealer(self.given.encrypt_to, self.given.level)
        try:
            with self._timed("store"):
                stored = self._store_pieces(folder, sealer, files)
                self._all_there(folder, stored)
            made = Full(
                id=name, cluster=self.given.cluster, group_name=self.given.group_name, timeline=self.number, gtids=str(copied.gtids), at=at,
                ended=time.time(), host=self.given.host, donor=source.name, donor_uuid=source.uuid, mysql=source.version, encrypted=sealer.encrypted,
                data=data, pieces=stored, tables=copied.tables, variables=source.variables,
            )  # fmt: skip
            self.place.write(f"{folder}/manifest.json", to_json(made).encode())
        except BaseException:
            with contextlib.suppress(Refusal):
                self.place.delete_below(folder)
            raise
        return made

    def _store_pieces(self, folder: str, sealer: Sealer, files: list[tuple[str, int]]) -> list[Piece]:
        """All pieces, some at a time. When one cannot be stored the others end, too."""
        datadir, sizes, ended = self.work.path("copy"), dict(files), threading.Event()

        def one(number: int, group: list[str]) -> Piece:
            name = f"piece-{number:04d}.tar{sealer.ending}"
            expected = sum(sizes[path] for path in group)
            with pieces.packed(datadir, group) as tar, self.place.put_stream(f"{folder}/{name}", expected) as out:
                return Piece(name, *sealer.seal(cast(IO[bytes], Unless(ended, tar)), out), group)

        with ThreadPoolExecutor(self.place.at_once(STORED_AT_ONCE)) as pool:
            running = [pool.submit(one, number, group) for number, group in enumerate(pieces.grouped(files), 1)]
            try:
                for done in wait(running, return_when=FIRST_EXCEPTION).done:
                    done.result()
                return [done.result() for done in running]
            except BaseException:
                ended.set()
                for left in running:
                    left.cancel()
                raise

    def _all_there(self, folder: str, stored: list[Piece]) -> None:
        sizes = {entry.path: entry.size for entry in self.place.list(folder)}
        for piece in stored:
            if sizes.get(f"{folder}/{piece.name}") != piece.size:
                raise InstanceError(
                    f"{folder}/{piece.name}: {sizes.get(f'{folder}/{piece.name}', 0)} of {piece.size} bytes are in the place"
                )
