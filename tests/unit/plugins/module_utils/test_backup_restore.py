# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""restore, extract and drill on a place of files, with private servers that read what they would apply."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import shutil
import signal
import subprocess
import types

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import drill, making, rebuild, restore, snapshot
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import extract as extracting
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.command import main
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.coverage import CannotRestore
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.instance import Software
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from backup_rebuilds import FOLDER, ID, Host, Instance, T, fill, tree
from backup_records import SETTINGS, full
from backup_servers import DirectoryPlace, TableServer
from binlog_files import A

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "A restore finds what is missing, damaged or not to be opened before the target exists, can be taken up, and ends at the exact point."
    ),
]

needs_age = pytest.mark.skipif(not shutil.which("age"), reason="age is not installed")
needs_zstd = pytest.mark.skipif(not shutil.which("zstd"), reason="zstd is not installed")
pytestmark.append(needs_zstd)


class World:
    """A host with settings, a place with a full and logs, and a way to run commands."""

    def __init__(self, tmp_path, capsys):
        self.top, self.capsys = tmp_path, capsys
        self.place = DirectoryPlace(str(tmp_path / "place"))
        self.target = str(tmp_path / "mysql")
        self.members = None

    def run(self, *arguments, code=0):
        found = main("test", ["--config", str(self.top / "config.json"), arguments[0], "--json", *arguments[1:]])
        said = self.capsys.readouterr()
        assert found == code, said
        return json.loads(said.out) if code != 1 else said.err

    def restore(self, *arguments, code=0):
        return self.run("restore", "--to", self.target, *arguments, code=code)

    def executed(self):
        with open(os.path.join(self.target, "executed"), encoding="utf-8") as source:
            return source.read()


@pytest.fixture
def world(tmp_path, monkeypatch, capsys):
    made = World(tmp_path, capsys)
    for name in ("place", "lib"):
        (tmp_path / name).mkdir()
    settings = {
        **SETTINGS,
        "directory": str(tmp_path / "lib"),
        "reserve": 0,
        "place": {**SETTINGS["place"], "remote": str(tmp_path / "place")},
    }
    (tmp_path / "config.json").write_text(json.dumps(settings))
    fill(made.place, tmp_path / "data")
    monkeypatch.setattr(rebuild, "Instance", Instance)
    monkeypatch.setattr(Instance, "tables", {"app.t": (3, 77), "shop.s": (1, 5)})
    monkeypatch.setattr(Instance, "said", [])
    monkeypatch.setattr(Software, "of", classmethod(lambda _cls, _mysqld, _user: Host()))
    monkeypatch.setattr(making, "place_of", lambda _settings: made.place)
    monkeypatch.setattr(DirectoryPlace, "mirror", lambda self, prefix, target: mirror(self, prefix, target))
    return made


def mirror(place, prefix, target):
    shutil.rmtree(target, ignore_errors=True)
    for entry in place.list(prefix):
        if entry.path.endswith(".json"):
            path = os.path.join(target, os.path.relpath(entry.path, prefix))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as out:
                out.write(place.read(entry.path))


@pytest.mark.parametrize(
    "arguments, reached",
    [
        ([], "1-8"),
        (["--latest"], "1-8"),
        (["--before", f"{A}:4"], "1-3"),
        (["--before", f"{A}:8"], "1-7"),
        (["--after", f"{A}:1-6"], "1-6"),
        (["--time", "2026-11-27T17:20:07Z"], "1-7"),
    ],
)
def test_to_a_point(world, arguments, reached):
    assert T / 1e6 == 1795800000, "2026-11-27T17:20:00Z"
    done = world.restore(*arguments, "--checksums")
    assert done["reached"] == world.executed() == f"{A}:{reached}"
    assert done["compared"] == 2 and done["tables"]["app.t"] == {"rows": 3, "checksum": 77}
    assert sorted(os.listdir(world.target)) == ["app", "executed", "ibdata1", "shop"], (
        "no server_uuid and no key of another server"
    )
    assert not os.path.exists(world.target + ".restore")
    assert Instance.said.index("stop") < Instance.said.index("end"), "it is stopped, not killed"


def test_what_logs_change_is_counted_after_them(world, monkeypatch):
    apply = rebuild.replay.apply

    def applied(connection, *arguments):
        apply(connection, *arguments)
        connection.tables["app.t"] = (4, 78)

    monkeypatch.setattr(rebuild.replay, "apply", applied)
    done = world.restore()
    assert done["compared"] == 2 and done["tables"]["app.t"] == {"rows": 4, "checksum": None}


def test_without_logs_rows_are_counted_once(world, monkeypatch):
    counted = []
    for module in (rebuild, restore):
        contents = module.contents
        monkeypatch.setattr(module, "contents", lambda *given, of=contents: counted.append(1) or of(*given))
    done = world.restore("--after", f"{A}:1-2")
    assert counted == [1] and done["compared"] == 2 and done["tables"]["app.t"]["rows"] == 3
    world.target += "-again"
    # Not compared, so not counted before.
    assert world.restore("--after", f"{A}:1-2", "--no-compare")["tables"]["app.t"]["rows"] == 3
    assert counted == [1, 1]


def test_a_limit_of_the_bandwidth_is_one_of_all_objects(world, monkeypatch):
    most = []
    pool = rebuild.ThreadPoolExecutor
    monkeypatch.setattr(rebuild, "ThreadPoolExecutor", lambda workers: most.append(workers) or pool(workers))
    world.place = DirectoryPlace(world.place.directory, None, 5)
    world.restore()
    assert most == [1, rebuild.UNPACKERS]


def test_an_empty_directory_is_taken(world):
    os.mkdir(world.target)
    world.restore()
    assert world.executed() == f"{A}:1-8"


@pytest.mark.parametrize("kind", ["full", "file", "link"])
def test_nothing_is_overwritten(world, kind):
    if kind == "full":
        os.mkdir(world.target)
        with open(os.path.join(world.target, "ibdata1"), "w", encoding="utf-8"):
            pass
    elif kind == "file":
        with open(world.target, "w", encoding="utf-8"):
            pass
    else:
        os.symlink("/tmp", world.target)
    said = world.restore(code=1)
    assert ("is not empty (ibdata1)" if kind == "full" else "is no directory") in said


@pytest.mark.parametrize(
    "target, problem",
    [("mysql", "an absolute path"), ("/", "an absolute path"), ("/nowhere/at/all", "/nowhere/at is not there")],
)
def test_targets_that_cannot_be(world, target, problem):
    world.target = target
    assert problem in world.restore(code=1)


def objects(world, ending):
    return [
        os.path.join(world.place.directory, entry.path)
        for entry in world.place.list(FOLDER)
        if entry.path.endswith(ending)
    ]


@pytest.mark.parametrize("number", range(6))
def test_a_damaged_object_is_found_before_anything_is_touched(world, number):
    path = objects(world, ".zst")[number]
    with open(path, "r+b") as out:
        out.seek(20)
        byte = out.read(1)
        out.seek(20)
        out.write(bytes([byte[0] ^ 1]))
    said = world.restore(code=1)
    assert "damaged: its SHA-256 is not what its record says" in said and os.path.basename(path) in said
    assert not os.path.exists(world.target) and not os.path.exists(world.target + ".restore/data")


def test_a_missing_object_is_found_before_anything_is_touched(world):
    path = objects(world, ".tar.zst")[1]
    os.unlink(path)
    said = world.restore("--full", ID, code=1)
    assert "piece-0002.tar.zst is not there" in said
    assert not os.path.exists(world.target) and not os.path.exists(world.target + ".restore")


def test_an_object_that_goes_while_it_runs(world, monkeypatch):
    """The catalog was read; then it is not there."""
    monkeypatch.setattr(
        making,
        "catalog_from",
        lambda settings, place: [catalog(settings, place), os.unlink(objects(world, ".tar.zst")[0])][0],
    )
    said = world.restore(code=1)
    assert "not there as it was stored" in said and "piece-0001.tar.zst (0 of" in said
    assert not os.path.exists(world.target + ".restore/data")


def catalog(settings, place):
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.look import catalog_from

    return catalog_from(settings, place)


def keys(tmp_path, name):
    file = tmp_path / name
    subprocess.run(["age-keygen", "-o", str(file)], check=True, capture_output=True)
    return str(file), next(line.split()[-1] for line in file.read_text().splitlines() if "public key" in line)


@needs_age
def test_keys(world, tmp_path, monkeypatch):
    shutil.rmtree(world.place.directory)
    os.mkdir(world.place.directory)
    (right, public), (wrong, _other) = keys(tmp_path, "right"), keys(tmp_path, "wrong")
    fill(world.place, tmp_path / "data2", [public])
    assert "the backup is encrypted: --identity names the file" in world.restore(code=1)
    assert "age failed: age: error: no identity matched" in world.restore("--identity", wrong, code=1)
    assert "'/nowhere' is not allowed (allowed: a file that can be read, or -)" in world.restore(
        "--identity", "/nowhere", code=1
    )
    monkeypatch.setattr(making.sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(b"\n")))
    assert "is not allowed without an identity in stdin" in world.restore("--identity", "-", code=1)
    assert not os.path.exists(world.target) and not os.path.exists(world.target + ".restore/data")
    with open(right, "rb") as source:
        monkeypatch.setattr(making.sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(source.read())))
    world.restore("--identity", "-")
    assert world.executed() == f"{A}:1-8"


def test_an_interrupted_restore_is_taken_up(world, monkeypatch):
    unpack, count = rebuild.pieces.unpack, []

    def interrupted(raw, datadir):
        if len(count) == 1:
            raise KeyboardInterrupt
        count.append(1)
        unpack(raw, datadir)

    monkeypatch.setattr(rebuild.pieces, "unpack", interrupted)
    with pytest.raises(KeyboardInterrupt):
        world.restore()
    world.capsys.readouterr()
    monkeypatch.setattr(rebuild.pieces, "unpack", unpack)
    read = []
    get_stream = DirectoryPlace.get_stream
    monkeypatch.setattr(
        DirectoryPlace,
        "get_stream",
        lambda self, path, offset=0: [read.append(path), get_stream(self, path, offset)][1],
    )
    done = world.restore()
    assert read == [], "nothing is fetched twice"
    assert done["reached"] == f"{A}:1-8"
    assert world.executed() == f"{A}:1-8" and os.path.exists(os.path.join(world.target, "shop", "s.ibd"))


def test_one_that_was_interrupted_while_it_applied(world, monkeypatch):
    apply = rebuild.replay.apply

    def killed(*arguments):
        apply(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(rebuild.replay, "apply", killed)
    with pytest.raises(KeyboardInterrupt):
        world.restore("--before", f"{A}:6")
    world.capsys.readouterr()
    monkeypatch.setattr(rebuild.replay, "apply", apply)
    assert world.restore("--before", f"{A}:6")["transactions"] == 0
    assert world.executed() == f"{A}:1-5"


def test_another_point_cannot_take_up_one_that_is_later(world, monkeypatch):
    monkeypatch.setattr(
        rebuild.replay,
        "apply",
        lambda *arguments: [APPLY(*arguments), (_ for _ in ()).throw(KeyboardInterrupt)][1].send(None),
    )
    with pytest.raises(KeyboardInterrupt):
        world.restore()
    world.capsys.readouterr()
    monkeypatch.setattr(rebuild.replay, "apply", APPLY)
    assert "is in the full backup already" in world.restore("--before", f"{A}:4", code=1)


APPLY = rebuild.replay.apply


def test_what_another_backup_left_is_removed(world):
    os.makedirs(world.target + ".restore/data")
    with open(world.target + ".restore/data/old", "w", encoding="utf-8"):
        pass
    world.restore()
    assert not os.path.exists(os.path.join(world.target, "old"))


def test_data_that_is_not_what_the_manifest_says(world, monkeypatch):
    monkeypatch.setattr(Instance, "tables", {"app.t": (3, 78)})
    said = world.restore(code=1)
    assert "app.t: another checksum, in 3 rows; shop.s: is missing" in said
    assert not os.path.exists(world.target)
    world.restore("--no-compare")


def test_a_data_directory_that_lacks_something(world, monkeypatch):
    monkeypatch.setattr(rebuild.replay, "executed_by", lambda _connection: GtidSet(f"{A}:1"))
    assert "has not what is in" in world.restore(code=1)


def test_an_older_server(world, monkeypatch):
    monkeypatch.setattr(Host, "version", lambda _self: "8.4.8")
    assert "this host has 8.4.8, which is older" in world.restore(code=1)


def test_no_room(world, monkeypatch):
    monkeypatch.setattr(os, "statvfs", lambda _path: types.SimpleNamespace(f_bavail=1, f_frsize=512))
    assert "MiB are needed" in world.restore(code=1)


def test_two_at_once(world):
    with open_lock(world.target + ".restore"):
        assert "is in use by another run" in world.restore(code=1)


@contextlib.contextmanager
def open_lock(work):
    os.mkdir(work)
    with open(os.path.join(work, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_a_target_that_is_a_mount(world, monkeypatch):
    os.mkdir(world.target)
    monkeypatch.setattr(os.path, "ismount", lambda path: path == world.target)
    world.restore()
    assert sorted(os.listdir(world.target)) == ["app", "executed", "ibdata1", "shop"]


def test_a_target_elsewhere(world, monkeypatch):
    def elsewhere(_old, _new):
        raise OSError(18, "Invalid cross-device link")

    rename = os.rename
    monkeypatch.setattr(restore.os, "rename", elsewhere)
    assert "--work names a directory on that of the target" in world.restore(code=1)
    monkeypatch.setattr(restore.os, "rename", rename)
    world.restore()


def test_one_that_was_interrupted_while_it_was_moved(world):
    os.mkdir(world.target)
    os.mkdir(world.target + ".restore")
    for name in ("moving", "state.json"):
        with open(world.target + ".restore/" + name, "w", encoding="utf-8") as out:
            out.write(json.dumps({"full": ID, "unpacked": []}))
    assert "move what is left in" in world.restore(code=1)


def test_text(world):
    assert (
        main(
            "test", ["--config", str(world.top / "config.json"), "restore", "--to", world.target, "--before", f"{A}:4"]
        )
        == 0
    )
    said = world.capsys.readouterr().out
    assert f"it ends before {A}:4" in said and "tables compared with the manifest: 2" in said


# -- extract -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def mysqldump(world, monkeypatch):
    """A program in place of mysqldump, which says what it was asked for."""
    program = world.top / "bin" / "mysqldump"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "-- $*"\nexit ${MYSQLDUMP_CODE:-0}\n')
    program.chmod(0o755)
    settings = json.loads((world.top / "config.json").read_text())
    (world.top / "config.json").write_text(
        json.dumps({**settings, "mysqlbinlog": [str(program.parent / "mysqlbinlog")]})
    )
    return program


def test_a_table(world, mysqldump):
    to = str(world.top / "t.sql")
    done = world.run("extract", "--table", "app.t", "--before", f"{A}:4", "--into", "rescue", "--to", to)
    assert done["rows"] == 3 and done["tables"] == ["app.t"] and done["reached"] == f"{A}:1-3"
    with open(to, encoding="utf-8") as source:
        first, use, dump = source.read().splitlines()
    assert (
        first == "CREATE DATABASE IF NOT EXISTS `rescue` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;"
        and use == "USE `rescue`;"
    )
    assert dump.endswith("--skip-add-drop-table --triggers -- app t") and "--set-gtid-purged=OFF" in dump
    assert Instance.said.count("start") == 2, "without the accounts that count since the logs were applied"
    assert os.listdir(world.top / "lib" / "work") == ["extract.lock"]


def test_a_schema_as_it_is_in_a_full_needs_its_pieces_only(world, mysqldump, monkeypatch):
    read = []
    get_stream = DirectoryPlace.get_stream
    monkeypatch.setattr(
        DirectoryPlace,
        "get_stream",
        lambda self, path, offset=0: [read.append(path), get_stream(self, path, offset)][1],
    )
    to = str(world.top / "s.sql.zst")
    assert world.run("extract", "--schema", "shop", "--full", ID, "--to", to)["rows"] == 1
    assert sorted(os.path.basename(path) for path in read) == ["piece-0001.tar.zst", "piece-0003.tar.zst"]
    text = subprocess.run(["zstd", "-dc", to], capture_output=True, check=True).stdout
    assert b"--routines --events -- shop" in text


def test_to_stdout(world, mysqldump, monkeypatch):
    out = io.BytesIO()
    monkeypatch.setattr(making.sys, "stdout", types.SimpleNamespace(buffer=out))
    assert main("test", ["--config", str(world.top / "config.json"), "extract", "--schema", "app", "--to", "-"]) == 0
    assert b"USE `app`;" in out.getvalue() and "app: 3 rows of" in world.capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, problem",
    [
        ([], "--schema S or --table S.T is needed, and not both"),
        (["--schema", "app", "--table", "app.t"], "--schema S or --table S.T is needed, and not both"),
        (["--table", "t"], "--table: 't' is not allowed (allowed: SCHEMA.TABLE)"),
        (["--table", "a.t", "--table", "b.t"], "tables of a and b are not allowed together"),
        (["--schema", "none"], "there is no schema none at this point (there are: app, shop)"),
        (["--table", "app.none"], "there is no table app.none at this point (there are: t)"),
        (["--schema", "app", "--full", "none"], "full: 'none' is not allowed"),
    ],
)
def test_what_cannot_be_taken(world, mysqldump, arguments, problem):
    to = str(world.top / "x.sql")
    assert problem in world.run("extract", *arguments, "--to", to, code=1)
    assert not os.path.exists(to) and not os.path.exists(to + ".part")


def test_one_at_a_time_and_nothing_of_a_killed_one(world, mysqldump):
    left = world.top / "lib" / "work" / "extract" / "data"
    left.mkdir(parents=True)
    to = str(world.top / "x.sql")
    with open(world.top / "lib" / "work" / "extract.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "extract runs on this host already" in world.run("extract", "--schema", "app", "--to", to, code=1)
    assert left.exists()
    world.run("extract", "--schema", "app", "--to", to)
    assert not left.exists()


def test_a_command_that_is_told_to_end(world, mysqldump, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(rebuild.pieces, "unpack", lambda _raw, _datadir: os.kill(os.getpid(), signal.SIGTERM))
    to = str(world.top / "x.sql")
    assert "it was told to end" in world.run("extract", "--schema", "app", "--to", to, code=1)
    assert os.listdir(world.top / "lib" / "work") == ["extract.lock"] and not os.path.exists(to + ".part")
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_command_that_is_told_to_end_again_while_it_puts_things_in_order(world, mysqldump, monkeypatch):
    (world.top / "lib" / "work" / "extract").mkdir(parents=True)
    before = signal.getsignal(signal.SIGTERM)
    rmtree = making.shutil.rmtree

    def removed(path, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        rmtree(path, **options)

    monkeypatch.setattr(making, "shutil", types.SimpleNamespace(rmtree=removed))
    to = str(world.top / "x.sql")
    assert "it was told to end" in world.run("extract", "--schema", "app", "--to", to, code=1)
    assert os.listdir(world.top / "lib" / "work") == ["extract.lock"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_dump_that_fails(world, mysqldump, monkeypatch):
    monkeypatch.setenv("MYSQLDUMP_CODE", "2")
    to = str(world.top / "x.sql")
    assert "mysqldump failed: 2" in world.run("extract", "--schema", "app", "--to", to, code=1)
    mysqldump.unlink()
    assert "cannot be started" in world.run("extract", "--schema", "app", "--to", to, code=1)
    with open(to, "w", encoding="utf-8"):
        pass
    assert "a file that is not there yet" in world.run("extract", "--schema", "app", "--to", to, code=1)


def test_an_output_that_fails(world, mysqldump):
    class Full(io.BytesIO):
        def write(self, data):
            if data.startswith(b"--"):
                raise OSError(28, "No space left on device")
            return len(data)

    wish = extracting.Wish("app", (), "app")
    with pytest.raises(OSError, match="No space"):
        extracting.dump(Instance(Host(), str(world.top)), [str(mysqldump)], wish, "CREATE DATABASE `app`", Full())


# -- drill -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def member(world, monkeypatch):
    """What the cluster has, at a GTID set."""
    has = types.SimpleNamespace(gtids=f"{A}:1-8", tables={"app.t": (3, 77), "shop.s": (1, 5)}, changed={})
    monkeypatch.setattr(
        making,
        "_snapshot",
        lambda _given, _settings: lambda _have: snapshot.Snapshot("db2", GtidSet(has.gtids), has.tables, has.changed),
    )
    return has


def test_drill(world, member):
    reports = world.top / "reports"
    done = world.run("drill", "--report", str(reports))
    assert (
        done["ok"]
        and done["until"] == f"{A}:1-8"
        and done["transactions"] == 6
        and done["tables"] == 2
        and done["rows"] == 4
    )
    assert os.listdir(world.top / "lib" / "work") == ["drill.lock"], "the scratch directory is removed"
    endings = sorted(os.path.splitext(name)[1] for name in os.listdir(reports))
    assert endings == [".html", ".json", ".txt"]
    page = next(path for path in reports.iterdir() if path.suffix == ".html").read_text()
    assert "passed" in page and "http" not in page and "<script" not in page


def test_a_member_that_is_further(world, member, monkeypatch):
    """Its logs arrive while the drill waits."""
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.envelope import Sealer
    from backup_rebuilds import add_log
    from binlog_files import log, plain

    member.gtids = f"{A}:1-10"
    third = log(*(plain(A, number, T) for number in range(9, 12)), before=[(A, "", 1, 8)])
    monkeypatch.setattr(
        drill.time,
        "sleep",
        lambda _seconds: add_log(world.place, Sealer([]), 3, f"{A}:1-8", f"{A}:9-11", third, 0, len(third)),
    )
    done = world.run("drill")
    assert done["ok"] and done["until"] == f"{A}:1-10"


def test_differences(world, member):
    member.tables = {"app.t": (4, 77), "app.new": (0, 0), "shop.s": (1, 5)}
    member.changed = {"shop.s": "altered"}
    done = world.run("drill", code=4)
    assert done["differences"] == ["app.new: is missing", "app.t: 3 rows instead of 4", "shop.s: is missing"]
    assert main("test", ["--config", str(world.top / "config.json"), "drill"]) == 4
    assert "Result: 3 tables differ" in world.capsys.readouterr().out


def test_an_account_that_sees_nothing(world, member):
    member.tables = {}
    assert "it needs the privilege SELECT" in world.run("drill", code=1)


def test_logs_that_do_not_arrive():
    def never(_target):
        raise CannotRestore("missing")

    with pytest.raises(drill.DrillError, match="within -1 s the logs were not stored"):
        drill.arrived(never, GtidSet(f"{A}:1"), -1)


def test_html_is_escaped():
    done = {
        "ok": False, "cluster": "<b>", "full": "f", "mysql": "9", "host": "h", "member": "m", "began": "b", "until": "u", "transactions": 1, "tables": 1,
        "rows": 1, "bytes": {"stored": 1, "data": 2}, "seconds": {"fetch": 1}, "restorable_after": 2, "differences": ["<i>"], "not_compared": {"t": "w"},
    }  # fmt: skip
    assert "<b>" not in drill.as_html(done) and "&lt;i&gt;" in drill.as_html(done) and "failed" in drill.as_html(done)


# -- the member's side of a drill --------------------------------------------------------------------------------------


class Session(TableServer):
    where = "db2:3306"

    def __init__(self, log, fails, late=0):
        super().__init__({"app.t": (3, 77)}, f"{A}:1-9")
        self.log, self.fails, self.late = log, fails, late

    def open(self):
        return self

    def close(self):
        self.log.append("close")

    def timeout(self, _seconds):
        pass

    def query(self, text, args=None):
        if text.startswith(("FLUSH", "START", "UNLOCK")) or "gtid_executed" in text:
            self.log.append(text.split()[0])
        if text.startswith("FLUSH") and self.fails:
            raise self.fails.pop(0)
        if "WAIT_FOR" in text:
            return [{"n": self.late}]
        return super().query(text, args)


def taken(fails=(), late=0):
    done, left = [], list(fails)
    return snapshot.take("db2", lambda: Session(done, left, late), GtidSet(f"{A}:1-8"), lambda _text: None), done


def test_a_snapshot_is_opened_while_nothing_is_written():
    found, done = taken()
    assert found == snapshot.Snapshot("db2", GtidSet(f"{A}:1-9"), {"app.t": (3, 77)}, {})
    assert done == ["FLUSH", "START", "SELECT", "UNLOCK", "close", "close"]


def test_a_statement_that_holds_its_tables_is_waited_for():
    _found, done = taken([ServerError("lock wait timeout", 1205)] * 2)
    assert done.count("FLUSH") == 3 and done.count("START") == 1


@pytest.mark.parametrize(
    "fails, late, problem",
    [
        ([ServerError("lock wait timeout", 1205)] * 9, 0, "no snapshot of db2 can be opened: lock wait timeout"),
        ([ServerError("you need RELOAD", 1227)] * 9, 0, "no snapshot of db2 can be opened: you need RELOAD"),
        ([], 1, "db2 does not apply within"),
    ],
)
def test_no_snapshot(fails, late, problem):
    with pytest.raises(snapshot.SnapshotError, match=problem):
        taken(fails, late)


# -- whose turn it is --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first, host, newest, why",
    [
        ("db1", "db2", None, "db1 makes the full backups, as long as it is at work"),
        ("db1", "db1", None, ""),
        ("db2", "db2", full("x", "", host="db1", at=100.0), "db1 has made x"),
        ("db2", "db2", full("x", "", host="db1", at=10.0), ""),
        ("db2", "db2", full("x", "", host="db1", at=999.0), ""),
        ("db2", "db2", full("x", "", host="db2", at=110.0), ""),
    ],
)
def test_turns(first, host, newest, why):
    assert making.why_not(first, host, newest, 120.0, 100.0) == why


def test_full(world, monkeypatch):
    made = full("20261127T180000Z-db2", f"{A}:1-9", ended=20.0)
    asked = []
    monkeypatch.setattr(making, "FullBackup", lambda *arguments: types.SimpleNamespace(
        run=lambda *more: [asked.append((arguments[2:4], more)), made][1], seconds={"copy": 1.0}, began=10.0
    ))  # fmt: skip
    monkeypatch.setattr(making.hosts, "first_at_work", lambda _place, _settings: "db1")
    assert "db1 makes the full backups" in world.run("full")["nothing"]
    assert world.run("full", "--now")["seconds"] == {"copy": 1.0, "all": 10.0}
    assert asked == [((FOLDER, 1), ("db2", None, f"{A}:1-2"))]
    assert "--from: 'db9' is not allowed (allowed: db1, db2)" in world.run("full", "--from", "db9", code=1)
    shutil.rmtree(world.place.directory)
    os.mkdir(world.place.directory)
    world.run("full", "--now")
    assert [entry.path for entry in world.place.list("")] == ["shop/timeline-0001/timeline.json"], (
        "the first one begins the first timeline"
    )


def test_the_member_of_a_drill(world, monkeypatch):
    from test_backup_donor import member as online

    monkeypatch.setattr(
        making.donor, "look", lambda name, _connection: online(name, "PRIMARY" if name == "db1" else "SECONDARY")
    )
    monkeypatch.setattr(making, "take", lambda name, connect, have, _say: (name, connect(), have))
    settings = types.SimpleNamespace(
        members={"db1": "", "db2": ""},
        group_name=online("x").group_name,
        host="db2",
        connection=lambda name: f"to {name}",
    )
    have = GtidSet(f"{A}:1")
    assert making._snapshot(types.SimpleNamespace(member=None), settings)(have) == ("db2", "to db2", have)
    assert making._snapshot(types.SimpleNamespace(member="db1"), settings)(have) == ("db1", "to db1", have)
    with pytest.raises(Refusal, match="--from: 'db9' is not allowed"):
        making._snapshot(types.SimpleNamespace(member="db9"), settings)(have)


def test_memory(monkeypatch):
    assert rebuild.available_memory() > 1 << 20
    monkeypatch.setattr("builtins.open", lambda *_arguments, **_more: (_ for _ in ()).throw(OSError))
    assert rebuild.available_memory() == 1 << 30


def test_what_is_restored_is_what_was_stored(world):
    before = tree(str(world.top / "data"))
    world.restore("--after", f"{A}:1-2")
    assert tree(world.target) == before
