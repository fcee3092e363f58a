# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A place with a full backup and logs, and private servers that read what they would apply."""

from __future__ import annotations

import hashlib
import io
import os

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.catalog import begin_timeline
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.envelope import Sealer
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.instance import Software
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Piece, Timeline, to_json
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.pieces import files_of, grouped, packed
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.transactions import Head, read_log
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from backup_records import GROUP, full, segment
from backup_servers import TableServer
from binlog_files import A, log, plain

T = 1795800000000000
FOLDER = "shop/timeline-0001"
ID = "20261127T170000Z-db2"


class Host(Software):
    """The files belong to who runs the tests."""

    def owner(self):
        return os.getuid(), os.getgid()

    def version(self):
        return "9.7.4-2"


class Applying(TableServer):
    """Has what is in the full, and executes what is in its relay logs."""

    def __init__(self, instance):
        super().__init__(dict(instance.tables), "")
        self.instance = instance

    def close(self):
        self.instance.said.append("close")

    def query(self, text, args=None):
        state = os.path.join(self.instance.datadir, "executed")
        with open(state, encoding="utf-8") as source:
            self.executed = source.read()
        if text.startswith("START REPLICA"):
            relay = self.instance.settings["relay_log"] + "-restore.index"
            with open(relay, encoding="utf-8") as index:
                names = index.read().split()
            found = [one.gtid for name in names for one in read_log(name) if not isinstance(one, Head)]
            with open(state, "w", encoding="utf-8") as out:
                out.write(str(GtidSet(self.executed).union(",".join(found))))
            for name in names:
                os.unlink(name)
        if "WAIT_FOR" in text:
            return [{"n": 0}]
        if "SHOW CREATE DATABASE" in text:
            return [{"create database": "CREATE DATABASE `app` /*!40100 DEFAULT CHARACTER SET utf8mb4 */"}]
        if "replication_applier_configuration" in text:
            return [{"name": "group_replication_applier"}]
        return super().query(text, args)


class Instance:
    """In place of the private server."""

    tables: dict[str, tuple[int, int]] = {}
    said: list[str] = []

    def __init__(self, software, directory, settings=None, datadir=None):
        self.software, self.directory, self.settings, self.datadir = software, directory, settings, datadir

    @property
    def socket(self):
        return os.path.join(self.directory, "sock")

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.said.append("end")

    def start(self):
        self.said.append("start")
        for name in ("auto.cnf", "private_key.pem"):
            with open(os.path.join(self.datadir, name), "w", encoding="utf-8"):
                pass
        return Applying(self)

    def stop(self):
        self.said.append("stop")


def put(place, path, data, sealer):
    with place.put_stream(path) as out:
        return sealer.seal(io.BytesIO(data), out)


def fill(place, datadir, recipients=(), tables=None, mysql="9.7.4"):
    """A full with A:1-2, a log with A:1-5, and two parts of an open one with A:6-8."""
    sealer = Sealer(list(recipients))
    begin_timeline(place, Timeline("shop", GROUP, 1, 0.0, None, ""))
    for name, text in {
        "ibdata1": "i" * 100,
        "executed": f"{A}:1-2",
        "app/t.ibd": "t" * 500,
        "shop/s.ibd": "s" * 500,
    }.items():
        (datadir / name).parent.mkdir(parents=True, exist_ok=True)
        (datadir / name).write_text(text)
    stored = []
    for number, group in enumerate(grouped(files_of(str(datadir)), 600), 1):
        path = f"piece-{number:04d}.tar{sealer.ending}"
        with packed(str(datadir), group) as tar, place.put_stream(f"{FOLDER}/fulls/{ID}/{path}") as out:
            size, sha256, raw = sealer.seal(tar, out)
        stored.append(Piece(path, size, sha256, raw, group))
    tables = {"app.t": (3, 77), "shop.s": (1, 5)} if tables is None else tables
    made = full(ID, f"{A}:1-2", pieces=stored, encrypted=sealer.encrypted, tables=tables, at=T / 1e6, mysql=mysql)
    place.write(f"{FOLDER}/fulls/{ID}/manifest.json", to_json(made).encode())
    first = log(*(plain(A, number, T + number * 1000000) for number in range(1, 6)))
    second = log(*(plain(A, number, T + number * 1000000) for number in range(6, 9)), before=[(A, "", 1, 5)])
    cut = len(second) - len(plain(A, 8, T + 8000000))
    add_log(place, sealer, 1, "", f"{A}:1-5", first, 0, len(first))
    add_log(place, sealer, 2, f"{A}:1-5", f"{A}:6-7", second, 0, cut)
    add_log(place, sealer, 2, f"{A}:1-5", f"{A}:8", second, cut, len(second))
    return made


def add_log(place, sealer, number, previous, gtids, data, start, end):
    whole = start == 0 and end == len(data) and number == 1
    name = f"logs/{A}/binlog.{number:06d}-0.db2" + ("" if whole else f".d/{start:012d}-{end:012d}")
    stored = put(place, f"{FOLDER}/{name}{sealer.ending}", data[start:end], sealer)
    numbers = [int(part) for part in gtids.rpartition(":")[2].split("-")]
    made = segment(
        A, number, previous, gtids, path=name + sealer.ending, start=start, end=end, complete=whole, size=stored.size, sha256=stored.sha256,
        encrypted=sealer.encrypted, first=T / 1e6 + numbers[0], last=T / 1e6 + numbers[-1],
    )  # fmt: skip
    place.write(f"{FOLDER}/{name}.json", to_json(made).encode())


def tree(directory):
    """All files below a directory, with their checksums."""
    return {
        os.path.relpath(os.path.join(at, name), directory): hashlib.sha256(open(os.path.join(at, name), "rb").read()).hexdigest()
        for at, _folders, names in os.walk(directory) for name in names
    }  # fmt: skip
