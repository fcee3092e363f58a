# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program mysql-gr-backup: what its commands print and how they end, and what is in a place."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time

import pytest
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_backup_program import FilterModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import command, hosts, look, status
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.catalog import (
    begin_timeline,
    catalog_of,
    read_catalog,
    why_full,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Piece, Timeline, to_json
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import GONE, PlaceError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from backup_records import GROUP, SETTINGS, full, segment
from backup_world import Folder

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "The program of backups says what is there, what it deletes and why not, each with an exit status of its own."
    ),
]

SOURCE = "1" * 8 + "-0000-0000-0000-000000000000"
DAY = 86400
NOW = 1_795_800_000.0
LINE = Timeline("shop", GROUP, 1, 0.0, None, "")


class Site:
    """A place with records, and the program."""

    def __init__(self, tmp_path, monkeypatch, capsys):
        self.place = Folder(tmp_path / "place")
        self.top, self._capsys = tmp_path, capsys
        monkeypatch.setattr(look, "place_of", lambda _settings: self.place)
        monkeypatch.setattr(status, "place_of", lambda _settings: self.place)
        monkeypatch.setattr(hosts, "BEAT", 0.4)
        monkeypatch.setattr(time, "time", lambda: NOW)
        self.write()

    def write(self, **more):
        (self.top / "config.json").write_text(
            json.dumps({**SETTINGS, "directory": str(self.top), "keep": {"fulls": 2, "days": 0}, **more})
        )

    def put(self, record, path, data=b""):
        self.place.write(f"shop/{path}", data or to_json(record).encode())

    def full(self, name, upto, days=0, damaged=False):
        data = f"piece of {name}".encode()
        piece = Piece("piece-0001.tar.zst", len(data), hashlib.sha256(data).hexdigest(), 100, ["ibdata1"])
        gtids = f"{GROUP}:1-{upto}"
        if not damaged:
            self.put(None, f"timeline-0001/fulls/{name}/{piece.name}", data)
        self.put(full(name, gtids, at=NOW - days * DAY, pieces=[piece]), f"timeline-0001/fulls/{name}/manifest.json")

    def log(self, number, begin, end):
        data = f"log {number}".encode()
        record = segment(
            SOURCE, number, f"{GROUP}:1-{begin}" if begin else "", f"{GROUP}:{begin + 1}-{end}", size=len(data), first=NOW, last=NOW,
            sha256=hashlib.sha256(data).hexdigest(),
        )  # fmt: skip
        self.put(None, f"timeline-0001/{record.path}", data)
        self.put(record, look.record_of(f"timeline-0001/{record.path}"))
        return record

    def days(self, number):
        """A full each day, and a log between each two."""
        self.put(LINE, "timeline-0001/timeline.json")
        for day in range(number):
            self.full(f"f{day}", day + 1, number - 1 - day)
            self.log(day + 1, day + 1, day + 2)

    def run(self, *arguments):
        code = command.main("1.0.0", ["--config", str(self.top / "config.json"), *arguments])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def json(self, *arguments):
        code, out, _err = self.run(*arguments, "--json")
        assert out.count("\n") == 1
        return code, json.loads(out)


@pytest.fixture(name="site")
def fixture_site(tmp_path, monkeypatch, capsys):
    return Site(tmp_path, monkeypatch, capsys)


def test_list(site):
    code, found = site.json("list")
    assert code == 0 and found["timelines"] == [] and found["logs"] == {"files": 0, "stored": 0}
    site.days(3)
    site.full("hurt", 2, damaged=True)
    code, found = site.json("list")
    fulls = {one["id"]: one for one in found["timelines"][0]["fulls"]}
    assert code == 0 and list(fulls) == ["f0", "f1", "hurt", "f2"]
    assert (
        fulls["f0"]["until"] == f"{GROUP}:1-4"
        and fulls["f0"]["until_time"] == "2026-11-27T17:20:00Z"
        and fulls["f0"]["whole"]
    )
    assert fulls["hurt"]["problem"] == "piece-0001.tar.zst is not there"
    assert found["damaged"] == [
        {"path": "timeline-0001/fulls/hurt/manifest.json", "problem": "piece-0001.tar.zst is not there"}
    ]
    out = site.run("list")[1]
    assert "f0  11 B of 100 B, MySQL 9.7.4, restores" in out and "hurt" in out and "cannot be restored: piece" in out
    assert look.size_text(5 << 40) == "5.0 TiB"


def test_check(site):
    site.days(2)
    code, found = site.json("check", "--deep")
    assert code == 0 and found == {
        "ok": True,
        "checked": {"fulls": 2, "pieces": 2, "segments": 2, "bytes": 32},
        "problems": [],
    }
    assert site.json("check", "f1")[1]["checked"] == {"fulls": 1, "pieces": 1, "segments": 1, "bytes": 16}
    code, _out, err = site.run("check", "f9")
    assert code == 1 and "there is no full backup 'f9' in /srv/backup" in err
    # Of the same size, and something else.
    piece = site.place.at / "shop/timeline-0001/fulls/f1/piece-0001.tar.zst"
    piece.write_bytes(piece.read_bytes()[::-1])
    assert site.json("check")[0] == 0
    code, found = site.json("check", "--deep")
    assert code == look.DAMAGED and "SHA-256" in found["problems"][0]["problem"]
    piece.write_bytes(b"x")
    code, found = site.json("check")
    assert code == look.DAMAGED and found["problems"][0]["problem"] == "piece-0001.tar.zst has 1 of 11 bytes"
    assert site.json("check", "f0")[0] == 0
    os.unlink(site.place.at / "shop/timeline-0001" / site.log(9, 8, 9).path)
    assert "its object is not there" in site.run("check")[1]


def test_plan(site):
    site.days(3)
    code, found = site.json("plan")
    assert (
        code == 0
        and found["full"] == "f2"
        and [one["file"] for one in found["steps"]] == ["binlog.000003"]
        and found["until"] == f"{GROUP}:1-4"
    )
    assert site.json("plan", "--before", f"{GROUP}:3")[1]["full"] == "f1"
    assert site.json("plan", "--after", f"{GROUP}:2", "--full", "f0")[1]["full"] == "f0"
    assert site.json("plan", "--time", "2026-11-27T17:20:00.5Z")[0] == 1
    site.place.write("shop/hosts/db1.json", hosts.text_of("db1", 1, seen=NOW + 10))
    assert site.json("plan", "--time", "2026-11-27T17:20:05Z")[1]["full"] == "f2"
    assert "full backup f2, then 1 logs" in site.run("plan")[1]
    site.full("hurt", 2, damaged=True)
    for arguments, says in (
        (["--timeline", "2"], "timeline: 2 is not allowed (allowed: what is in /srv/backup: 1)"),
        (["--full", "f9"], "full: 'f9' is not allowed (allowed: f0, f1, f2)"),
        (["--full", "hurt"], "full: 'hurt' cannot be restored: piece-0001.tar.zst is not there"),
        (["--after", f"{GROUP}:99"], "nothing that is stored has"),
    ):
        code, _out, err = site.run("plan", *arguments)
        assert code == 1 and says in err and err.count("\n") == 1
    code, found = site.json("plan", "--full", "f9")
    assert code == 1 and found["failed"] and found["msg"].startswith("full: 'f9'")


@pytest.mark.parametrize(
    "arguments",
    [["--time", "yesterday"], ["--time", "2026-13-01T00:00:00Z"], ["--before", "5"], ["--before", "x:1", "--latest"]],
)
def test_points_that_are_none(site, arguments):
    with pytest.raises(SystemExit) as told:
        site.run("plan", *arguments)
    assert told.value.code == 2


def test_prune(site):
    site.days(4)
    before = site.place.list()
    code, found = site.json("prune", "--dry-run")
    assert code == 0 and found["deleted"]["fulls"] == ["f0", "f1"] and site.place.list() == before
    code, found = site.json("prune")
    assert code == 0 and found["why"] == {"f2": "one of the newest 2", "f3": "one of the newest 2"}
    assert found["deleted"]["segments"] == [
        f"timeline-0001/logs/{SOURCE}/binlog.00000{number}-0.db2.zst" for number in (1, 2)
    ]
    left = [entry.path for entry in site.place.list()]
    assert not [path for path in left if "/f0/" in path or "/f1/" in path or "binlog.000002" in path]
    assert site.json("check", "--deep")[0] == 0
    assert "deleted 0 full backups" in site.run("prune")[1]


def test_prune_leaves_it_to_the_first_host(site, monkeypatch):
    site.days(4)
    site.place.write("shop/hosts/db1.json", hosts.text_of("db1", 1))
    assert "db1" not in site.run("prune", "--dry-run")[1], "its counter does not move"
    monkeypatch.setattr(hosts, "read_host", lambda *_more, counter=[0]: {"counter": counter.append(0) or len(counter)})
    code, found = site.json("prune")
    assert code == 0 and found == {"nothing": "db1 is at work, and comes before db2 in hosts"}
    assert len([entry for entry in site.place.list() if entry.path.endswith("manifest.json")]) == 4


def test_a_file_that_is_stored_right_now_is_not_deleted(site):
    site.days(4)
    site.place.write("shop/hosts/db1.json", hosts.text_of("db1", 1, files=[[SOURCE, "binlog.000001", 0]]))
    assert [path.rpartition("/")[2] for path in site.json("prune")[1]["deleted"]["segments"]] == [
        "binlog.000002-0.db2.zst"
    ]
    assert any("binlog.000001" in entry.path for entry in site.place.list())


def test_timeline(site):
    code, _out, err = site.run("timeline", "new", "--parent", "1", "--fork", f"{GROUP}:1-2")
    assert code == 1 and "parent: 1 is not allowed (allowed: none is there)" in err
    site.days(2)
    assert site.json("timeline", "new", "--parent", "1", "--fork", f"{GROUP}:1-2") == (0, {"timeline": 2})
    assert site.json("list")[1]["timelines"][1]["fork"] == f"{GROUP}:1-2"
    with pytest.raises(Refusal, match="timeline 1 of shop is there already"):
        begin_timeline(site.place, LINE)


def test_status(site):
    code, found = site.json("status")
    assert code == status.UNKNOWN and found["state"] == "unknown"
    site.days(2)
    code, found = site.json("status")
    assert (
        code == status.ALARM and [one["what"] for one in found["alarms"]] == ["no_stream"] and found["leader"] is None
    )
    assert (
        found["full"]["id"] == "f1"
        and not found["full"]["due"]
        and not found["full"]["overdue"]
        and found["place"]["free"]
    )
    # A stream that runs, and then says nothing any more.
    settings = command.read_settings(site.top / "config.json")
    with open(status.lock_file(settings), "w") as lock:
        status.fcntl.flock(lock, status.fcntl.LOCK_EX)
        line = {
            "state": "streaming",
            "kind": "",
            "error": "",
            "behind": 0.2,
            "source": "db1",
            "file": "binlog.000003",
            "beat": time.monotonic(),
        }
        status.stream_file(settings).write_text(json.dumps(line))
        code, found = site.json("status")
        assert (code, found["state"], found["leader"]) == (status.WELL, "well", "db2")
        assert "stores binlog.000003 of db1, 0 s behind" in site.run("status")[1]
        status.stream_file(settings).write_text(json.dumps({**line, "beat": time.monotonic() - 60}))
        code, found = site.json("status")
        assert (
            code == status.ALARM
            and found["stream"]["state"] == "down"
            and "said nothing for 60 s" in found["stream"]["error"]
        )
        status.stream_file(settings).write_text(json.dumps({**line, "state": "standby", "leader": "db1"}))
        assert site.json("status")[1]["leader"] == "db1"
    site.place.gone = True
    code, found = site.json("status")
    assert code == status.ALARM and [one["what"] for one in found["alarms"]] == ["place_gone"]
    code, _out, err = site.run("list")
    assert code == 1 and err == "mysql-gr-backup: the place is gone\n"
    assert site.json("list")[1] == {"failed": True, "msg": "the place is gone", "kind": "gone"}


def test_when_a_full_is_due(site):
    assert why_full(None, NOW, DAY) == "there is no timeline"
    site.put(LINE, "timeline-0001/timeline.json")
    records = read_catalog(site.place, "shop", GROUP, site.top / "cache").timelines[1]
    assert why_full(records, NOW, DAY) == "there is none that can be restored"
    records.fulls.append(full("a", f"{GROUP}:1", at=NOW))
    assert why_full(records, NOW + 5, DAY) == ""
    assert why_full(records, NOW + DAY, DAY) == "the newest one, a, is from 86400 s ago"
    assert why_full(records, NOW - 2 * DAY, DAY) == "the newest one, a, is from the future"
    records.segments.append(segment(SOURCE, 2, f"{GROUP}:1-2", f"{GROUP}:3"))
    assert why_full(records, NOW + 5, DAY) == f"1 transactions after a are stored nowhere: {GROUP}:2"


def test_what_does_not_belong_there(site):
    site.days(1)
    texts = {entry.path[5:]: site.place.read(entry.path) for entry in site.place.list() if entry.path.endswith(".json")}
    sizes = {entry.path[5:]: entry.size for entry in site.place.list()}
    assert catalog_of(texts, sizes, "shop", GROUP).problems == []
    other = {
        **texts,
        "timeline-0001/notes.json": b"{}",
        "timeline-0001/fulls/f7/manifest.json": texts["timeline-0001/fulls/f0/manifest.json"],
    }
    other["timeline-0003/fulls/f0/manifest.json"] = other["timeline-0001/fulls/f0/manifest.json"]
    other["timeline-0001/logs/x.json"] = b'{"format": 7}'
    problems = dict(catalog_of(other, sizes, "shop", GROUP).problems)
    assert problems == {
        "timeline-0001/notes.json": "is no record that this version knows",
        "timeline-0001/fulls/f7/manifest.json": "is the record of f0",
        "timeline-0003/fulls/f0/manifest.json": "its timeline has no record",
        "timeline-0001/logs/x.json": "format 7 is not known to this version of the collection (known: 1)",
    }
    with pytest.raises(Refusal, match="is of cluster 'shop' with group .*, and not of 'other'"):
        catalog_of(texts, sizes, "other", GROUP)


def test_a_part_of_a_file_that_is_whole_is_not_missed(site):
    site.days(1)
    part = segment(SOURCE, 1, f"{GROUP}:1", f"{GROUP}:2", path=f"logs/{SOURCE}/gone", complete=False)
    site.put(part, f"timeline-0001/logs/{SOURCE}/gone.json")
    assert site.json("check")[0] == 0
    site.put(part._replace(file="binlog.000009"), f"timeline-0001/logs/{SOURCE}/gone.json")
    assert site.json("check")[0] == look.DAMAGED


def test_parts_that_become_a_whole_during_a_look(site, monkeypatch):
    site.days(1)
    whole = site.log(2, 2, 3)
    record = look.record_of(f"shop/timeline-0001/{whole.path}")
    text = site.place.read(record)
    site.place.delete([record])
    mirror = site.place.mirror

    def late(*arguments):
        mirror(*arguments)
        # Between the copy of the records and the list.
        site.place.write(record, text)

    monkeypatch.setattr(site.place, "mirror", late)
    found = read_catalog(site.place, "shop", GROUP, site.top / "cache")
    assert whole in found.timelines[1].segments and not found.problems


def test_hosts_in_a_place(site):
    settings = command.read_settings(site.top / "config.json")
    assert hosts.read_host(site.place, "shop", "db1") == {} and hosts.seen_until(site.place, settings) == 0.0
    site.place.write("shop/hosts/db1.json", b'{"format')
    assert hosts.read_host(site.place, "shop", "db1") == {}
    site.place.gone = True
    with pytest.raises(PlaceError) as told:
        hosts.read_host(site.place, "shop", "db1")
    assert told.value.kind == GONE


def test_the_program_runs_without_ansible(tmp_path):
    text = FilterModule().filters()["gr_backup_program"]("#!/usr/bin/python3")
    assert text == FilterModule().filters()["gr_backup_program"]("#!/usr/bin/python3") and text.isascii()
    assert (
        text.startswith("#!/usr/bin/python3\n# mysql-gr-backup ")
        and "distdb.mysql_ha.mysql_backup of that version" in text
    )
    program = tmp_path / "mysql-gr-backup"
    program.write_text(text)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, program, "--help"], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0 and "prune" in done.stdout, done.stderr
    done = subprocess.run(
        [sys.executable, program, "--config", tmp_path / "none", "list"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (
        done.returncode == 1
        and done.stderr == f"mysql-gr-backup: {tmp_path / 'none'} cannot be read (No such file or directory)\n"
    )
    assert subprocess.run([sys.executable, program], capture_output=True, check=False, env=environment).returncode == 2
