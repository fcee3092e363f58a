# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Binary log files as they come from a member: what is whole in them, and how they get into the place.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import struct
import subprocess
import time
import zlib
from pathlib import Path
from typing import IO, Iterable, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import parse_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.coverage import Key
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.envelope import Sealer
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Segment, Stored, to_json
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import Settings
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.sources import LARGEST_UNITED, Cut, next_cut
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.transactions import (
    MAGIC,
    Head,
    Spans,
    read_log,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet

_PR_SET_PDEATHSIG = 1
_OWN_IDS = 0x6D000000  # server ids of streams: above what people give to servers


class Source(NamedTuple):
    """The member whose logs they are, and what it had before all of its files: a file names only what other files of its had."""

    member: str
    uuid: str
    mysql: str
    purged: GtidSet = GtidSet("")


class _Range:
    """Bytes of a file, as a source of an envelope."""

    def __init__(self, source: IO[bytes], start: int, end: int) -> None:
        source.seek(start)
        self._source, self._left = source, end - start

    def read(self, size: int) -> bytes:
        block = self._source.read(min(size, self._left))
        self._left -= len(block)
        return block


class RawFile:
    """One file in the spool, which may grow."""

    def __init__(self, path: Path, source: Source, host: str) -> None:
        self.path, self.source, self.host = path, source, host
        self.file = path.name
        self.created = 0
        self.previous = GtidSet("")
        self.headed = False
        self.ended = False  # the source writes the next one
        self.parts: list[Segment] = []  # what of it is in the place, or on its way, in order
        self.whole = False  # all of it is in the place
        self.handed = False  # it is being united
        self.dropped = False  # it is not in the spool any more
        self.scanned = 0  # the end of the last whole transaction
        self._pending = Spans()
        self._first: float | None = None
        self._last: float | None = None

    @property
    def key(self) -> Key:
        return (self.source.uuid, self.file, self.created)

    @property
    def stem(self) -> str:
        """The path of its objects in the folder of the timeline, without their ends."""
        return f"logs/{self.source.uuid}/{self.file}-{self.created}.{self.host}"

    def head(self) -> bool:
        """Read how it begins, once that is there."""
        if not self.headed:
            try:
                with open(self.path, "rb") as source:
                    begin = source.read(len(MAGIC) + 4)
            except FileNotFoundError:
                return False
            if len(begin) < len(MAGIC) + 4:
                return False
            found = next(iter(read_log(str(self.path))), None)
            # Its size is known once the first transaction follows, or nothing more will.
            if isinstance(found, Head) and (found.size < self.path.stat().st_size or self.ended):
                self.created = struct.unpack_from("<I", begin, len(MAGIC))[0]
                self.previous, self.scanned, self.headed = found.previous.union(self.source.purged), found.size, True
        return self.headed

    def known(self, parts: Iterable[Segment]) -> None:
        """What of it is in the place already."""
        self.parts = list(parts)
        if self.parts:
            self.whole = self.parts[0].complete
            self.scanned = max(self.scanned, self.parts[-1].end) if not self.whole else self.scanned

    def scan(self) -> GtidSet:
        """Look at what was added; the transactions of it."""
        new = Spans()
        if not self.head() or self.path.stat().st_size <= self.scanned:
            return GtidSet("")
        for one in read_log(str(self.path), self.scanned):
            assert not isinstance(one, Head)
            if not self.ended and self.pending > LARGEST_UNITED:
                break  # the rest is for the next part
            self.scanned = one.end
            new.add(one)
            if not self.whole:
                self._pending.add(one)
                when = one.committed / 1_000_000
                self._first = when if self._first is None else self._first
                self._last = when if self._last is None else max(when, self._last)
        return new.gtids()

    @property
    def pending(self) -> int:
        """Bytes of whole transactions that are not on their way."""
        return 0 if self.whole or not self._pending.count else self.scanned - (self.parts[-1].end if self.parts else 0)

    @property
    def has_transactions(self) -> bool:
        return bool(self._pending.count or any(part.gtids for part in self.parts))

    def _record(self, cut: Cut, path: str, stored: Stored, complete: bool, encrypted: bool) -> Segment:
        gtids = GtidSet("").union(self._pending.gtids(), *(part.gtids for part in cut.replaced))
        firsts = [one.first for one in cut.replaced if one.first is not None] + (
            [] if self._first is None else [self._first]
        )
        lasts = [one.last for one in cut.replaced if one.last is not None] + (
            [] if self._last is None else [self._last]
        )
        return Segment(
            path, self.source.uuid, self.source.member, self.host, self.file, self.created, cut.start, cut.end, complete, str(self.previous), str(gtids),
            firsts[0] if firsts else None, max(lasts, default=None), self.source.mysql, encrypted, stored.size, stored.sha256, time.time(),
        )  # fmt: skip

    def seal(self, cut: Cut, target: IO[bytes], sealer: Sealer) -> Stored:
        """Its bytes into an envelope."""
        with open(self.path, "rb") as source:
            return sealer.seal(_Range(source, cut.start, cut.end), target)  # type: ignore[arg-type]

    def next_part(self, folder: Path, sealer: Sealer) -> tuple[Segment, list[Segment]] | None:
        """Write the next part and its record below a folder, as they will be in that of the timeline; the parts that it replaces."""
        cut = next_cut(self.parts, self.scanned)
        if cut is None or not self.pending:
            return None
        name = f"{self.stem}.d/{cut.start:012d}-{cut.end:012d}"
        target = folder / (name + sealer.ending)
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "wb") as out:
            stored = self.seal(cut, out, sealer)
        record = self._record(cut, name + sealer.ending, stored, False, sealer.encrypted)
        written = folder / (name + ".json")
        written.write_text(to_json(record), encoding="utf-8")
        # The order in which they are stored.
        now = time.time_ns()
        os.utime(target, ns=(now - 2_000_000, now - 2_000_000))
        os.utime(written, ns=(now, now))
        self.parts = [part for part in self.parts if part not in cut.replaced] + [record]
        self._pending, self._first, self._last = Spans(), None, None
        return record, cut.replaced

    def whole_record(self, stored: Stored, sealer: Sealer) -> Segment:
        """The record of the whole file, which has ended."""
        return self._record(Cut(0, stored.raw, self.parts), self.stem + sealer.ending, stored, True, sealer.encrypted)


def login_file(settings: Settings, member: str, path: Path) -> None:
    """The options by which mysqlbinlog logs in, for root alone."""
    host, port = parse_address(settings.members[member])
    quoted = settings.stream.password.replace("\\", "\\\\").replace('"', '\\"')
    mode = "REQUIRED" if not settings.tls.ca else "VERIFY_IDENTITY" if settings.tls.check_hostname else "VERIFY_CA"
    lines = [
        "[client]",
        f"host={host}",
        f"port={port}",
        f"user={settings.stream.user}",
        f'password="{quoted}"',
        f"ssl-mode={mode}",
    ]
    lines += [f"ssl-ca={settings.tls.ca}"] if settings.tls.ca else []
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")


def _dies_with_parent() -> None:
    # As a service it does anyway.
    with contextlib.suppress(Exception):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Dump:
    """mysqlbinlog, which writes what a member sends into a directory of its own."""

    def __init__(self, settings: Settings, source: Source, file: str, folder: Path) -> None:
        self.source, self.folder, self.first = source, folder, file
        self._host = settings.host
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        login = folder.with_suffix(".cnf")
        login_file(settings, source.member, login)
        self._said = open(folder.with_suffix(".err"), "w+b")  # noqa: SIM115
        own = _OWN_IDS + (zlib.crc32(settings.host.encode()) & 0xFFFFFF)
        arguments = [
            f"--defaults-file={login}", "--read-from-remote-server", "--raw", "--stop-never", f"--connection-server-id={own}",
            f"--result-file={folder}/", file,
        ]  # fmt: skip
        self._process = subprocess.Popen(
            [*settings.mysqlbinlog, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._said, cwd=folder,
            preexec_fn=_dies_with_parent,
        )  # fmt: skip
        self.files: list[RawFile] = []
        self._dropped = 0

    def ended(self) -> str:
        """Why it has ended; '' while it runs."""
        if self._process.poll() is None:
            return ""
        self._said.seek(0)
        lines = [line.strip() for line in self._said.read().decode("utf-8", "replace").splitlines() if line.strip()]
        lines = [line for line in lines if "WARNING" not in line and "Warning" not in line]
        return lines[-1] if lines else f"mysqlbinlog ended with {self._process.returncode}"

    def stop(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._said.close()
        for suffix in (".cnf", ".err"):
            self.folder.with_suffix(suffix).unlink()

    def discover(self) -> list[RawFile]:
        """Files that were begun since the last look. One that is followed by another has ended."""
        known = {one.file for one in self.files}
        names = sorted((path.name for path in self.folder.iterdir()), key=lambda name: int(name.rpartition(".")[2]))
        new = [RawFile(self.folder / name, self.source, self._host) for name in names if name not in known]
        self.files += new
        for one in self.files[:-1]:
            one.ended = True
        return new

    def size(self) -> int:
        """Bytes in the spool."""
        return sum(path.stat().st_size for path in self.folder.iterdir())

    def came(self) -> int:
        """Bytes that came so far."""
        return self._dropped + self.size()

    def drop(self, one: RawFile) -> None:
        """A file that is whole in the place is not needed."""
        self._dropped += one.path.stat().st_size
        one.path.unlink()
        one.dropped = True
