# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members whose binary logs are files, a mysqlbinlog that copies them, and a place that is a directory: for the stream, without a server."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import time
from pathlib import Path

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import GONE, MISSING, Entry, PlaceError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from backup_records import GROUP
from binlog_files import ROTATE, log, plain

NAMES = ("db1", "db2", "db3")
BINLOG = """#!{python}
import os, sys, time
options = dict(one[2:].partition("=")[::2] for one in sys.argv[1:] if one.startswith("--"))
port = [line.strip().partition("=")[2] for line in open(options["defaults-file"]) if line.startswith("port=")][0]
assert "Secret" not in " ".join(sys.argv)
folder, file, target = os.path.join({top!r}, port), sys.argv[-1], None
if not os.path.exists(os.path.join(folder, file)):
    sys.exit("ERROR: Could not find first log file name in binary log index file")
at = 0
while True:
    if os.path.exists(os.path.join(folder, "down")):
        sys.exit("ERROR: Got error reading packet from server: Lost connection")
    data = open(os.path.join(folder, file), "rb").read()
    if len(data) > at:
        with open(options["result-file"] + file, "ab") as out:
            out.write(data[at:])
        at = len(data)
        continue
    later = "binlog.%06d" % (int(file[-6:]) + 1)
    if os.path.exists(os.path.join(folder, later)):
        file, at = later, 0
        continue
    time.sleep(0.02)
"""


class Member:
    """A server with its files."""

    def __init__(self, top, number):
        self.name = NAMES[number]
        self.port = 3301 + number
        self.uuid = f"{number + 1}" * 8 + "-0000-0000-0000-000000000000"
        self.at = top / str(self.port)
        self.at.mkdir(parents=True)
        self.alive, self.state, self.role, self.group = True, "ONLINE", "SECONDARY" if number else "PRIMARY", GROUP
        self.largest = 1 << 20
        self.done = 0
        self.number = 0
        self.before = {}
        self.cloned = 0  # up to here in no file of it
        self.flush()

    @property
    def executed(self):
        return f"{GROUP}:1-{self.done}" if self.done else ""

    @property
    def file(self):
        return f"binlog.{self.number:06d}"

    def flush(self):
        if self.number:
            with open(self.at / self.file, "ab") as out:
                out.write(ROTATE)
        self.number += 1
        first = self.cloned + 1
        self.before[self.file] = f"{GROUP}:{first}-{self.done}" if self.done >= first else ""
        (self.at / self.file).write_bytes(log(before=[(GROUP, "", first, self.done)] if self.done >= first else []))

    def clone(self):
        """Its data come without logs: its files say nothing of them."""
        for path in self.at.glob("binlog.*"):
            path.unlink()
        self.cloned, self.number, self.before = self.done, 0, {}
        self.flush()

    @property
    def purged(self):
        """What it has in no file."""
        oldest = min(path.name for path in self.at.glob("binlog.*"))
        return str(GtidSet(self.before[oldest]).union(GtidSet(f"{GROUP}:1-{self.cloned}" if self.cloned else "")))

    def commit(self, upto, rows=30):
        for number in range(self.done + 1, upto + 1):
            with open(self.at / self.file, "ab") as out:
                out.write(plain(GROUP, number, 1_795_800_000_000_000 + number * 1_000_000, rows))
            self.done = number

    def purge(self):
        for path in list(self.at.glob("binlog.*"))[:]:
            if path.name != self.file:
                path.unlink()

    def down(self):
        self.alive = False
        (self.at / "down").touch()

    def up(self):
        self.alive = True
        (self.at / "down").unlink()


class Link:
    """A connection to a member."""

    def __init__(self, member):
        self.member, self.where, self.is_open = member, member.name, True

    def close(self):
        self.is_open = False

    def query(self, text, args=None):
        one = self.member
        if not one.alive:
            self.is_open = False
            raise ServerError(f"{one.name} does not answer", lost=True)
        if text.startswith("SHOW GLOBAL VARIABLES"):
            return [{"value": one.group}]
        if "gtid_purged" in text:
            return [{"purged": one.purged}]
        if text == "SHOW BINARY LOGS":
            return [{"log_name": path.name} for path in sorted(one.at.glob("binlog.*"))]
        if text.startswith("SHOW BINLOG EVENTS"):
            return [
                {"event_type": "Format_desc", "info": ""},
                {"event_type": "Previous_gtids", "info": one.before[args[0]]},
            ]
        return [
            {"uuid": one.uuid, "executed": one.executed, "version": "9.7.4", "largest": one.largest, "state": one.state, "role": one.role, "writers": 1}
        ]  # fmt: skip


class Servers:
    """Three members, and the mysqlbinlog that reads from them."""

    def __init__(self, top):
        self.members = [Member(top / "servers", number) for number in range(3)]
        self.program = top / "mysqlbinlog"
        self.program.write_text(BINLOG.format(python=sys.executable, top=str(top / "servers")))
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)
        self.done = 0

    def __getitem__(self, number):
        return self.members[number]

    def named(self, name):
        return self.members[NAMES.index(name)]

    def commit(self, count=1, rows=30):
        self.done += count
        for member in self.members:
            if member.alive and member.state == "ONLINE":
                member.commit(self.done, rows)
        return GtidSet(f"{GROUP}:1-{self.done}")

    def addresses(self):
        return {member.name: f"127.0.0.1:{member.port}" for member in self.members}


class Folder:
    """A place as Place is one, without rclone."""

    def __init__(self, at):
        self.at, self.mark, self.gone = Path(at), None, False
        self.at.mkdir(exist_ok=True)
        self.remote = str(at)

    def _path(self, path):
        if self.gone:
            raise PlaceError(GONE, "the place is gone")
        assert not path.startswith("/") and ".." not in path
        return self.at / path

    def list(self, prefix=""):
        found = []
        for path in self._path(prefix).rglob("*"):
            # Parts are replaced meanwhile.
            with contextlib.suppress(FileNotFoundError):
                if path.is_file():
                    found.append(Entry(str(path.relative_to(self.at)), path.stat().st_size))
        return sorted(found)

    def read(self, path):
        try:
            return self._path(path).read_bytes()
        except FileNotFoundError:
            raise PlaceError(MISSING, f"{path} is not there") from None

    def write(self, path, data):
        self._path(path).parent.mkdir(parents=True, exist_ok=True)
        self._path(path).write_bytes(data)

    @contextlib.contextmanager
    def put_stream(self, path, expected=0):
        self._path(path).parent.mkdir(parents=True, exist_ok=True)
        with open(self._path(path), "wb") as out:
            yield out

    @contextlib.contextmanager
    def get_stream(self, path, offset=0):
        with open(self._path(path), "rb") as source:
            source.seek(offset)
            yield source

    def copy_in(self, directory, prefix):
        files = [path for path in Path(directory).rglob("*") if path.is_file()]
        for path in sorted(files, key=lambda one: one.stat().st_mtime_ns):
            self.write(f"{prefix}/{path.relative_to(directory)}", path.read_bytes())

    def mirror(self, prefix, directory):
        shutil.rmtree(directory, ignore_errors=True)
        for entry in self.list(prefix):
            if entry.path.endswith(".json") and "/hosts/" not in entry.path:
                target = Path(directory) / os.path.relpath(entry.path, prefix)
                target.parent.mkdir(parents=True, exist_ok=True)
                with contextlib.suppress(PlaceError):  # deleted in between
                    target.write_bytes(self.read(entry.path))

    def delete(self, paths):
        for path in list(paths):
            self._path(path).unlink(missing_ok=True)

    def delete_below(self, prefix):
        shutil.rmtree(self._path(prefix), ignore_errors=True)

    def free(self):
        return 1 << 40


def until(condition, step=lambda: None, seconds=40):
    """Go on until something is true; its value."""
    end = time.monotonic() + seconds
    while True:
        step()
        found = condition()
        if found:
            return found
        assert time.monotonic() < end
        time.sleep(0.02)
