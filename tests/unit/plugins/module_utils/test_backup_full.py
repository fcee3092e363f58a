# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A full backup with servers that answer their statements; what real ones do is in tests/integration/group_replication/test_backup.py."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import threading
import time

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import full as module
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.contents import contents, differences
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.donor import Member
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.envelope import fetch, opened
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.full import (
    FullBackup,
    FullError,
    new_id,
    shortage,
    unfinished,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.instance import Software
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Full, from_json
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.pieces import unpack
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import Place
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import Settings, settings_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from backup_records import GROUP, SETTINGS
from backup_servers import DirectoryPlace, TableServer

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "A full backup is listed once all of it is stored; what a failed or killed run left is removed, and the disk keeps its reserve."
    ),
]

A = "aaaaaaaa-0000-0000-0000-000000000001"
FOLDER = "shop/timeline-0001"


class Private:
    """A private server: it makes the files that a copy has, and says what is in them."""

    fails: dict[str, Exception] = {}
    said: list[str] = []
    slow = 0.0
    silent = ""  # the host from which nothing comes
    killed = threading.Event()

    def __init__(self, software, directory, settings=None, datadir=None):
        self.directory, self.settings, self.datadir = directory, settings or {}, datadir or f"{directory}/data"
        self.software = software

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.said.append("killed")

    def kill(self):
        self.killed.set()

    def initialize(self):
        self.said.append(f"initialize {self.settings}")

    def start(self):
        self.said.append("start")
        return self.connect()

    def connect(self):
        return self

    def stop(self):
        self.said.append("stop")

    def close(self):
        pass

    def query(self, text, args=None):
        if "clone_progress" in text:
            return [{"n": 1 << 40 if self.slow else 7, "came": 7}] if self.slow or self.silent else []
        if "PROCESSLIST" in text:
            return [{"id": 7}]
        self.said.append(text if not args else text % tuple(args))
        if text.startswith("CLONE"):
            host = args[1]
            if self.slow:
                end = time.monotonic() + 5
                while not any(one.startswith("KILL") for one in self.said):
                    assert time.monotonic() < end
                    time.sleep(0.01)
                raise ServerError("Query execution was interrupted", 1317)
            if host == self.silent:
                assert self.killed.wait(5), "nobody ends it"
                raise ServerError("Lost connection to MySQL server during query", 2013)
            if host in self.fails:
                raise self.fails[host]
            self.make(args[3])
        return TableServer({"app.t": (3, 77)}, f"{A}:1-9").query(text, args)

    @staticmethod
    def make(datadir):
        os.makedirs(f"{datadir}/app")
        for name in ("ibdata1", "app/t.ibd", "auto.cnf"):
            with open(f"{datadir}/{name}", "w", encoding="utf-8") as out:
                out.write(name * 100)


class Host(Software):
    def owner(self):
        return os.getuid(), os.getgid()


@pytest.fixture
def backup(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "Instance", Private)
    monkeypatch.setattr(module, "POLL", 0.01)
    monkeypatch.setattr(Private, "fails", {})
    monkeypatch.setattr(Private, "said", [])
    monkeypatch.setattr(Private, "slow", 0.0)
    monkeypatch.setattr(Private, "silent", "")
    monkeypatch.setattr(Private, "killed", threading.Event())
    monkeypatch.setattr(module.donors, "look", lambda name, _connection: member(name))
    monkeypatch.setattr(Settings, "connection", lambda _self, _name: None)
    (tmp_path / "place").mkdir()
    (tmp_path / "lib").mkdir()
    given = settings_of(
        {
            **SETTINGS,
            "directory": str(tmp_path / "lib"),
            "reserve": 0,
            "place": {**SETTINGS["place"], "remote": str(tmp_path / "place")},
        }
    )
    made = FullBackup(given, DirectoryPlace(str(tmp_path / "place")), FOLDER, 1, lambda _text: None, checksums=True)
    made.software = made.work.software = Host()
    return made


def member(name, variables=None, executed=f"{A}:1-9"):
    role, running = ("PRIMARY", 0) if name == "db1" else ("SECONDARY", 5)
    return Member(
        name,
        "u",
        "ONLINE",
        role,
        True,
        GROUP,
        "9.7.4",
        0,
        running,
        variables or {"innodb_page_size": "16384", "sql_mode": "x"},
        executed,
    )


def test_it_is_made(backup, tmp_path):
    made = backup.run()
    assert from_json(backup.place.read(f"{FOLDER}/fulls/{made.id}/manifest.json"), Full) == made
    assert (made.donor, made.gtids, made.tables, made.timeline) == ("db2", f"{A}:1-9", {"app.t": (3, 77)}, 1)
    assert [piece.files for piece in made.pieces] == [["ibdata1"], ["app/t.ibd"]]
    assert "initialize {'innodb_page_size': '16384'}" in Private.said
    back = tmp_path / "back"
    back.mkdir()
    for piece in made.pieces:
        fetch(
            backup.place, f"{FOLDER}/fulls/{made.id}/{piece.name}", str(tmp_path / piece.name), piece.size, piece.sha256
        )
        with opened(str(tmp_path / piece.name), None, False) as raw:
            unpack(raw, str(back))
    assert (back / "app" / "t.ibd").read_text() == "app/t.ibd" * 100
    assert os.listdir(tmp_path / "lib" / "work") == ["full.lock"], "nothing is left on the disk"


def test_the_next_member_is_copied_where_one_fails(backup):
    Private.fails = {"10.0.0.2": ServerError("lost", 2013)}
    assert backup.run().donor == "db1"
    Private.fails["10.0.0.1"] = ServerError("lost, too", 2013)
    with pytest.raises(FullError, match="no member can be copied .db2: lost; db1: lost, too"):
        backup.run()


def test_one_member_is_named(backup):
    assert backup.run(member="db1").donor == "db1"


def test_another_history(backup):
    with pytest.raises(FullError, match="the cluster does not hold 2 transactions that the newest backup holds"):
        backup.run(before=f"{A}:1-11")


def test_the_disk_keeps_its_reserve(backup):
    Private.slow = 1.0
    with pytest.raises(FullError, match=r"has \d+ MiB free, and 1048576 MiB are needed"):
        backup.run()
    assert "KILL QUERY 7" in Private.said


def test_a_donor_that_lost_its_power_is_left(backup, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "SILENT", 0.05)
    monkeypatch.setattr(module, "answers", lambda address: asked.append(address) or len(asked) < 3)
    Private.silent = "10.0.0.2"
    said = []
    backup.say = said.append
    assert backup.run().donor == "db1"
    assert "db2: nothing came from it for 0.05 s, and it does not answer" in said
    # As long as it answers it is waited for.
    assert asked == [("10.0.0.2", 3306)] * 3


def test_who_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        assert module.answers(address)
    assert not module.answers(address)


def test_a_place_without_room(backup, monkeypatch):
    monkeypatch.setattr(backup.place, "free", lambda: 10)
    with pytest.raises(FullError, match="MiB free"):
        backup.run()


def test_a_failure_while_it_is_stored_leaves_nothing(backup, monkeypatch):
    monkeypatch.setattr(backup.place, "write", lambda *_arguments: (_ for _ in ()).throw(Refusal("full")))
    with pytest.raises(Refusal, match="full"):
        backup.run()
    assert backup.place.list("shop") == []


def test_a_piece_that_cannot_be_stored_ends_the_others(backup, monkeypatch):
    """The first one is being read until the second one has failed."""
    failed, put = threading.Event(), backup.place.put_stream
    read: list[str] = []

    class Endless:
        def read(self, _size):
            assert failed.wait(10)
            read.append("more")
            assert len(read) < 10_000
            return b"x"

    @contextlib.contextmanager
    def packed(_datadir, files):
        yield Endless() if "ibdata1" in files else io.BytesIO(b"x")

    @contextlib.contextmanager
    def put_stream(path, expected=0):
        with put(path, expected) as out:
            if "piece-0002" in path:
                failed.set()
                raise Refusal("the place went")
            yield out

    monkeypatch.setattr(module.pieces, "packed", packed)
    monkeypatch.setattr(backup.place, "put_stream", put_stream)
    with pytest.raises(Refusal, match="the place went"):
        backup.run()
    assert len(read) < 10_000 and backup.place.list("shop") == []


def test_a_limit_of_the_bandwidth_is_one_of_all_pieces(backup, monkeypatch):
    assert Place("/srv", None, 5).at_once(4) == 1 and Place("/srv").at_once(4) == 4
    most = []
    pool = module.ThreadPoolExecutor
    monkeypatch.setattr(module, "ThreadPoolExecutor", lambda workers: most.append(workers) or pool(workers))
    backup.run()
    backup.place = DirectoryPlace(backup.place.directory, None, 5)
    backup.run()
    assert most == [2, 1]


def test_a_piece_that_is_not_whole(backup, monkeypatch):
    monkeypatch.setattr(backup.place, "lies", 1)
    with pytest.raises(Refusal, match="bytes are in the place"):
        backup.run()


def test_what_a_killed_run_left_is_removed(backup, tmp_path):
    backup.place.write(f"{FOLDER}/fulls/20260101T000000Z-db2/piece-0001.tar.zst", b"x")
    backup.place.write(f"{FOLDER}/fulls/20260101T000000Z-db1/piece-0001.tar.zst", b"x")
    (tmp_path / "lib" / "work" / "full" / "copy").mkdir(parents=True)
    made = backup.run()
    assert sorted({entry.path.split("/")[3] for entry in backup.place.list("shop")}) == [
        "20260101T000000Z-db1",
        made.id,
    ]


def test_one_run_at_a_time(backup):
    with backup.work.held(), pytest.raises(FullError, match="a full backup is being made on this host already"):
        backup.run()


def test_tables_elsewhere(backup, monkeypatch):
    monkeypatch.setattr(module.donors, "look", lambda name, _connection: member(name, {"innodb_directories": "/other"}))
    with pytest.raises(FullError, match="has tables outside of its data directory"):
        backup.run()


def test_the_authority_is_read_by_mysqld(backup, tmp_path):
    (tmp_path / "ca.pem").write_text("CA")
    backup.given = backup.given._replace(tls=backup.given.tls._replace(ca=str(tmp_path / "ca.pem")))
    backup.run()
    assert any(one.startswith("SET GLOBAL clone_ssl_ca = ") for one in Private.said)


def test_names():
    assert new_id(1795798800, "db2") == "20261127T170000Z-db2"
    paths = [
        "t/fulls/20261127T170000Z-db2/piece-0001",
        "t/fulls/20261127T180000Z-db2/manifest.json",
        "t/fulls/20261127T180000Z-db2/piece-0001",
    ]
    paths += ["t/fulls/20261127T170000Z-xdb2/piece-0001", "t/fulls/x"]
    assert unfinished(paths, "t/fulls", "db2") == ["t/fulls/20261127T170000Z-db2"]


@pytest.mark.parametrize(
    "free, needed, reserve, short", [(None, 9, 9, False), (10, 5, 5, False), (10, 6, 5, True), (10, 0, 11, True)]
)
def test_shortage(free, needed, reserve, short):
    assert bool(shortage("disk", free, needed, reserve)) == short


def test_contents():
    server = TableServer({"app.t": (3, 77), "shop.`x": (0, 0)}, "")
    assert contents(server, False) == {"app.t": (3, None), "shop.`x": (0, None)}
    assert contents(server, True, ["app"]) == {"app.t": (3, 77)}
    assert "CHECKSUM TABLE `app`.`t`" in server.statements
    with pytest.raises(ServerError):
        contents(TableServer({"app.t": ServerError("altered", 1412)}, ""), True)
    changed = {}
    assert (
        contents(TableServer({"app.t": ServerError("altered", 1412), "app.u": (1, None)}, ""), True, changed=changed)
        == {}
    )
    assert changed == {"app.t": "altered", "app.u": "it has no checksum"}
    with pytest.raises(ServerError):
        contents(TableServer({"app.t": ServerError("lost", 2013)}, ""), True, changed={})


def test_differences():
    wanted = {"a.a": (1, 1), "a.b": (1, 1), "a.c": (1, 1), "a.d": (1, None), "a.e": (5, 5)}
    found = {"a.b": (2, 1), "a.c": (1, 2), "a.d": (1, 9), "a.e": (5, 5), "a.f": (1, 1)}
    assert differences(wanted, found) == [
        "a.a: is missing", "a.b: 2 rows instead of 1", "a.c: another checksum, in 1 rows", "a.f: was not there",
    ]  # fmt: skip
