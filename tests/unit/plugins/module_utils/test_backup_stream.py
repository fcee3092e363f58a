# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stream on members whose logs are files: what is stored, from whom it goes on, what is a gap, and what is said."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import (
    depot,
    hosts,
    members,
    service,
    sources,
    status,
    store,
    stream,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.catalog import read_catalog
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.coverage import Target, plan
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.envelope import fetch, opened
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Timeline, to_json
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import Settings, settings_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from backup_records import GROUP, SETTINGS, full, segment
from backup_world import NAMES, Folder, Link, Servers, until

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "What members write is stored, whichever of them dies; what nobody has is said, and what is missing is fetched."
    ),
    pytest.mark.skipif(not shutil.which("zstd"), reason="needs zstd"),
]


class World:
    """Members, a place, and a host."""

    def __init__(self, tmp_path, monkeypatch):
        self.top = tmp_path
        self.servers = Servers(tmp_path)
        self.place = Folder(tmp_path / "place")
        self.said = []
        self.running = []
        self.monkeypatch = monkeypatch
        for module, name, value in (
            (stream, "PART_EACH", 0.05), (stream, "AGAIN", 0.05), (stream, "MEND", 0.2), (stream, "VERIFY", 0.3), (stream, "REPORT", 0.0),
            (hosts, "BEAT", 0.1), (hosts, "STILL", 1.0), (members, "EACH", 0.05), (sources, "FRESH", 1.5), (sources, "LAG", 1.0), (sources, "BEGIN", 2.0),
            (store, "FIRST_WAIT", 0.05), (store, "LONGEST_WAIT", 0.5), (stream, "LAST", 10.0),
        ):  # fmt: skip
            monkeypatch.setattr(module, name, value)
        monkeypatch.setattr(depot, "place_of", lambda _settings: self.place)
        monkeypatch.setattr(status, "place_of", lambda _settings: self.place)
        monkeypatch.setattr(Settings, "connection", lambda settings, member, *more: Link(self.servers.named(member)))

    def settings(self, host="db1", **more):
        at = self.top / host
        at.mkdir(exist_ok=True)
        return settings_of(
            {
                **SETTINGS, "host": host, "directory": str(at), "members": self.servers.addresses(), "mysqlbinlog": [str(self.servers.program)],
                "spool_limit": 1 << 22, "reserve": 0, **more,
            }
        )  # fmt: skip

    def start(self, host="db1", **more):
        settings = self.settings(host, **more)
        (self.top / host / "spool").mkdir(exist_ok=True)
        made = stream.Stream(settings, lambda text: self.said.append(f"{host}: {text}"))
        self.running.append(made)
        return made

    def stop(self, running):
        """As if it was killed."""
        running.leave("is killed", 0.0)
        for worker in (running.depot.sender, running.depot.background, running.looker):
            worker.stop()
        running.members.stop()
        self.running.remove(running)
        shutil.rmtree(running.depot.at)

    def until(self, condition, *running, seconds=40):
        return until(condition, lambda: [one.turn(time.monotonic()) for one in running or self.running], seconds)

    def stored(self, running, count=1):
        """Commit, and go on until it is stored."""
        wanted = self.servers.commit(count)
        self.until(lambda: running.stock.stored.contains(wanted))
        return wanted

    def full(self, name="full", upto=None):
        upto = self.servers.done if upto is None else upto
        gtids = f"{GROUP}:1-{upto}" if upto else ""
        self.place.write(
            f"shop/timeline-0001/fulls/{name}/manifest.json", to_json(full(name, gtids, at=time.time())).encode()
        )
        line = "shop/timeline-0001/timeline.json"
        self.place.write(line, to_json(Timeline("shop", GROUP, 1, 0.0, None, "")).encode())

    def catalog(self):
        return read_catalog(self.place, "shop", GROUP, self.top / "cache")

    def plan(self):
        records = self.catalog().timelines[1]
        return plan(records.good, records.segments, Target())

    def raw(self, log):
        """The bytes of a stored file."""
        found = b""
        for part in log.parts:
            fetch(self.place, f"shop/timeline-0001/{part.path}", str(self.top / "object"), part.size, part.sha256)
            with opened(str(self.top / "object"), None, part.encrypted) as raw:
                found += raw.read()
            os.unlink(self.top / "object")
        return found

    def same_bytes(self):
        for log in self.plan().steps:
            member = next(one for one in self.servers.members if one.uuid == log.source)
            assert (member.at / log.file).read_bytes().startswith(self.raw(log)), log.file


class Never:
    """A step that is not there yet."""

    complete = False


@pytest.fixture(name="world")
def fixture_world(tmp_path, monkeypatch):
    made = World(tmp_path, monkeypatch)
    yield made
    for one in list(made.running):
        made.stop(one)


def test_what_is_written_is_stored_in_parts_and_then_as_a_whole(world):
    world.full()
    running = world.start()
    for _time in range(4):
        wanted = world.stored(running, 3)
    found = world.plan()
    assert found.reached == wanted and len(found.steps[0].parts) == 4
    assert running.source.member == "db2", "a secondary, the first in order"
    world.same_bytes()
    world.servers[1].flush()
    wanted = world.servers.commit()
    world.until(
        lambda: running.stock.stored.contains(wanted) and all(one.complete for one in world.plan().steps[:1] or [Never])
    )
    world.until(lambda: running.depot.background.idle)
    paths = [entry.path for entry in world.place.list("shop/timeline-0001/logs")]
    assert len([path for path in paths if ".d/" in path]) == 2, "one part of the new file, and its record"
    assert world.plan().reached == wanted and world.catalog().problems == []
    world.same_bytes()
    world.until(lambda: running.behind(time.monotonic()) == 0)
    assert json.loads((world.top / "db1" / "stream.json").read_text())["state"] == "streaming"
    assert os.listdir(running.dump.folder) == ["binlog.000002"]
    running.close()
    world.running.clear()
    assert not list((world.top / "db1" / "spool").glob("*.cnf"))


def test_killed_and_started_again_it_goes_on_where_the_place_ends(world):
    world.full()
    running = world.start()
    wanted = world.servers.commit(3)
    world.until(lambda: running.stock.stored.contains(wanted))
    world.stop(running)
    world.servers.commit(2)
    world.servers[1].flush()
    wanted = world.servers.commit(2)
    running = world.start()
    world.until(lambda: running.stock.stored.contains(wanted))
    world.until(lambda: world.plan().reached == wanted and running.depot.background.idle)
    world.same_bytes()
    # The file that is whole is not stored again.
    before = {entry for entry in world.place.list("shop/timeline-0001/logs") if ".d/" not in entry.path}
    world.stop(running)
    running = world.start()
    wanted = world.servers.commit()
    world.until(lambda: running.stock.stored.contains(wanted))
    assert {entry for entry in world.place.list("shop/timeline-0001/logs") if ".d/" not in entry.path} == before


@pytest.mark.parametrize("how", ["dead", "frozen", "out of the group", "silent"])
def test_another_member_when_the_source_is_gone(world, how):
    world.full()
    running = world.start()
    wanted = world.servers.commit(3)
    world.until(lambda: running.stock.stored.contains(wanted))
    source = world.servers.named(running.source.member)
    if how == "dead":
        source.down()
    elif how == "frozen":
        # It answers no more, and its connection stays.
        source.alive = False
    elif how == "out of the group":
        source.state = "ERROR"
    else:
        os.kill(running.dump._process.pid, signal.SIGSTOP)
    wanted = world.servers.commit(2)
    world.until(lambda: running.source and running.source.member != source.name)
    world.until(lambda: running.stock.stored.contains(wanted))
    assert world.plan().reached == wanted
    world.same_bytes()


def test_what_came_from_a_source_that_died_is_stored_too(world):
    world.full()
    running = world.start()
    world.until(lambda: running.source)
    running._due["part"] = time.monotonic() + 3600
    wanted = world.servers.commit(3)
    world.until(lambda: running.received.contains(wanted))
    for member in world.servers.members:
        member.down()
    world.until(lambda: running.kind == "no_source")
    running._due["part"] = 0.0
    world.until(lambda: running.stock.stored.contains(wanted))
    assert world.plan().reached == wanted
    world.until(lambda: not running.depot.dumps)


def test_a_gap_is_mended_by_the_member_that_has_it(world):
    world.full()
    world.servers.commit(3)
    world.servers[2].down()
    for member in world.servers.members[:2]:
        member.flush()
        member.purge()
    running = world.start()
    world.until(lambda: running.state == "gap")
    assert running.stock.gap == f"{GROUP}:1-3"
    wanted = world.servers.commit(2)
    world.until(lambda: running.stock.stored.contains(wanted.subtract(running.stock.gap)))
    assert world.plan().reached == ""
    world.servers[2].commit(world.servers.done)
    world.servers[2].up()
    world.until(lambda: running.state == "streaming" and running.stock.have == wanted)
    assert world.plan().reached == wanted


def test_a_gap_that_nobody_can_mend_ends_with_the_next_full(world):
    world.full()
    world.servers.commit(3)
    for member in world.servers.members:
        member.flush()
        member.purge()
    running = world.start()
    world.until(lambda: running.state == "gap" and running.kind == "gap")
    world.servers.commit(2)
    # It goes on after the gap when the source dies.
    world.servers.named(running.source.member).down()
    world.until(lambda: running.state == "gap" and running.source)
    wanted = world.servers.commit(1)
    world.full("later")
    world.until(lambda: not running.stock.gap and running.state == "streaming")
    world.until(lambda: world.plan().reached == wanted)


def test_what_is_gone_from_the_place_is_fetched_again(world):
    world.full()
    running = world.start()
    for _file in range(3):
        world.servers.commit(2)
        world.servers[1].flush()
    wanted = world.servers.commit()
    world.until(lambda: running.stock.stored.contains(wanted))
    # A part would be deleted anyway once its file is whole.
    world.until(lambda: all(one.complete for one in world.plan().steps[:-1] or [Never]))
    world.until(lambda: running.depot.background.idle and world.plan().reached == wanted)
    os.unlink(world.place.at / "shop/timeline-0001" / world.plan().steps[1].parts[0].path)
    world.until(lambda: any("is not in the place any more" in text for text in world.said))
    world.until(lambda: world.plan().reached == wanted)
    world.same_bytes()


def test_a_place_that_goes_loses_nothing(world):
    world.full()
    running = world.start()
    wanted = world.servers.commit()
    world.until(lambda: running.stock.stored.contains(wanted))
    world.place.gone = True
    for _time in range(3):
        world.servers.commit(1)
        world.servers[1].flush()
    wanted = world.servers.commit(1)
    found = world.top / "db1" / "stream.json"
    world.until(lambda: json.loads(found.read_text())["kind"] == "place_gone")
    world.until(lambda: running.behind(time.monotonic()) > 0.3)
    world.place.gone = False
    world.until(lambda: running.stock.stored.contains(wanted))
    world.until(lambda: world.plan().reached == wanted and running.depot.background.idle)
    world.same_bytes()


def test_a_spool_that_is_full_waits_and_the_disk_is_not_filled(world):
    # So much is written that a busy machine takes longer for it than the other tests wait.
    patience = {"seconds": 180}
    world.full()
    for member in world.servers.members:
        member.largest = 1 << 15
    running = world.start(spool_limit=1 << 20)
    wanted = world.servers.commit()
    world.until(lambda: running.stock.stored.contains(wanted))
    world.place.gone = True
    wanted = world.servers.commit(30, rows=60_000)
    world.until(lambda: running.state == "waiting" and running.source is None, **patience)
    tried = running._due["begin"]
    world.until(lambda: running._due["begin"] > tried)
    assert running.state == "waiting", "it ends by itself"
    assert "bytes wait for the place" in running.error
    assert running.depot.size() < 4 << 20
    world.place.gone = False
    world.until(lambda: running.stock.stored.contains(wanted) and running.state == "streaming", **patience)
    assert world.plan().reached == wanted


def test_small_parts_are_united(world, monkeypatch):
    monkeypatch.setattr(sources, "UNITED", 4)
    world.full()
    running = world.start()
    for _time in range(14):
        wanted = world.stored(running)
    world.until(lambda: running.depot.sender.idle)
    parts = world.plan().steps[0].parts
    assert len(parts) < 8
    assert world.plan().reached == wanted
    assert len([entry for entry in world.place.list("shop/timeline-0001/logs") if entry.path.endswith(".zst")]) == len(
        parts
    )
    world.same_bytes()


def test_a_new_timeline_is_a_new_beginning(world):
    world.full()
    running = world.start()
    wanted = world.servers.commit(3)
    world.until(lambda: running.stock.stored.contains(wanted))
    line = Timeline("shop", GROUP, 2, 1.0, 1, f"{GROUP}:1-2")
    world.place.write("shop/timeline-0002/timeline.json", to_json(line).encode())
    world.until(lambda: running.stock.number == 2 and running.source)
    world.servers.commit(1)
    world.until(lambda: world.place.list("shop/timeline-0002/logs"))


def test_the_first_time_a_place_is_used(world):
    running = world.start()
    wanted = world.servers.commit(3)
    world.until(lambda: running.source and running.stock.number == 1)
    wanted = world.servers.commit(3)
    world.until(lambda: running.stock.stored.contains(wanted))
    world.full()
    world.until(lambda: running.stock.point == wanted)
    wanted = world.servers.commit(1)
    world.until(lambda: running.stock.stored.contains(wanted))
    assert world.plan().reached == wanted
    # The same place, and nothing in it: it is not taken for a new one.
    world.stop(running)
    shutil.rmtree(world.place.at / "shop")
    running = world.start()
    world.until(lambda: running.kind == "place_gone")
    assert "is not there any more (if the place is to be a new one: rm " in running.error
    assert world.place.list() == []


def test_members_whose_data_came_by_clone(world):
    """None of their files says what they had before; the records do, so that no plan leaves it out."""
    had = world.servers.commit(5)
    for member in world.servers.members:
        member.clone()
    running = world.start()
    wanted = world.stored(running)
    world.until(lambda: running.state == "streaming")
    assert running.stock.stored.contains(had.union(wanted)) and running.behind(time.monotonic()) == 0
    world.until(lambda: world.catalog().timelines[1].segments)
    assert all(GtidSet(segment.previous).contains(had) for segment in world.catalog().timelines[1].segments)


def test_what_came_by_clone_and_is_not_in_the_place_is_a_gap(world):
    world.full()
    running = world.start()
    world.stored(running)
    world.stop(running)
    world.servers.commit(3)
    for member in world.servers.members:
        member.clone()
    running = world.start()
    world.servers.commit()
    world.until(lambda: running.state == "gap")
    assert running.stock.gap.count() == 3
    world.full("later")
    world.until(lambda: running.state == "streaming" and not running.stock.gap)


def test_a_cluster_that_does_not_hold_the_backup(world):
    world.full(upto=100)
    running = world.start()
    world.servers.commit(3)
    world.until(lambda: running.kind == "other_history")
    assert running.error == stream.NOT_HELD
    for member in world.servers.members:
        member.group = "11111111-1111-1111-1111-111111111111"
    world.stop(running)
    running = world.start()
    world.until(lambda: "is of group" in running.error)
    assert world.place.list("shop/timeline-0001/logs") == []


def test_no_member_and_a_spool_that_is_too_small(world):
    for member in world.servers.members:
        member.down()
    running = world.start(spool_limit=1 << 20)
    world.until(lambda: running.kind == "no_source" and "does not answer" in running.error)
    for member in world.servers.members:
        member.up()
    world.until(lambda: running.kind == "spool_full")
    assert running.state == "down", "it does not end by itself"
    assert (
        running.error == "spool_limit: 1048576 is not allowed (allowed: twice max_binlog_size of db2, 2097152, or more)"
    )


def test_who_comes_first_is_at_work(world):
    world.full()
    first, second = world.start("db1"), world.start("db2")
    world.until(lambda: first.source and second.state == "standby")
    wanted = world.servers.commit(2)
    world.until(lambda: first.stock.stored.contains(wanted))
    assert second.leader == "db1" and second.source is None
    world.stop(first)
    world.until(lambda: second.source)
    wanted = world.servers.commit(2)
    world.until(lambda: second.stock.stored.contains(wanted))
    # Both at once for a while, and then the first one again.
    first = world.start("db1")
    world.until(lambda: first.source and second.state == "standby")
    wanted = world.servers.commit(2)
    world.until(lambda: first.stock.stored.contains(wanted))
    world.until(lambda: world.plan().reached == wanted)
    assert world.catalog().problems == []
    world.same_bytes()


def test_until_everything_is_stored(world, capsys):
    world.full()
    world.servers.commit(3)
    world.servers[1].flush()
    wanted = world.servers.commit(3)
    assert service.stream(world.settings(), True) == 0
    assert world.plan().reached == wanted
    assert "Secret" not in capsys.readouterr().out
    with open(status.lock_file(world.settings()), "w") as lock:
        status.fcntl.flock(lock, status.fcntl.LOCK_EX)
        with pytest.raises(Refusal, match="a stream runs on this host already"):
            service.stream(world.settings(), True)


def test_once_ends_where_nothing_can_be_stored(world, monkeypatch):
    monkeypatch.setattr(service, "PATIENCE", 2.5)
    world.full()
    with pytest.raises(Refusal, match=r"^spool_limit: 1048576 is not allowed \(allowed: twice max_binlog_size of db2"):
        service.stream(world.settings(spool_limit=1 << 20), True)


def test_the_end_by_a_signal_stores_what_came(world, monkeypatch):
    world.full()
    settings = world.settings()
    codes = []

    file = world.top / "db1" / "stream.json"

    def act():
        try:
            until(lambda: file.exists() and json.loads(file.read_text())["state"] == "streaming")
            world.servers.commit(3)
            time.sleep(0.3)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    old = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=act)
    try:
        thread.start()
        codes.append(service.stream(settings, False))
        thread.join()
    finally:
        signal.signal(signal.SIGTERM, old)
    assert codes == [0] and world.plan().reached == f"{GROUP}:1-3"
    assert status.own_stream(settings, time.monotonic())["state"] == "down"


# -- the pure parts --------------------------------------------------------------------------------------------------
def view(name, executed="", state="ONLINE", writer=False, at=100.0):
    return sources.View(name, at, name, state, writer, GtidSet(executed), "9.7.4", GROUP, 1 << 20)


def test_which_member():
    views = {"db1": view("db1", writer=True), "db2": view("db2", state="RECOVERING"), "db3": view("db3")}
    assert sources.ranked(views, NAMES, None, ()) == ["db3", "db1", "db2"]
    assert sources.ranked(views, NAMES, "db1", ()) == ["db1", "db3", "db2"]
    assert sources.ranked(views, NAMES, None, ("db3",)) == ["db1", "db2", "db3"]
    assert sources.fresh(views, 104.0) == {}


def test_what_is_trouble_with_a_source():
    seen = sources.Seen()
    seen.note(0.0, GtidSet(f"{GROUP}:1-5"))
    seen.note(8.0, GtidSet(f"{GROUP}:1-6"))
    have = GtidSet(f"{GROUP}:1-6")
    one = view("db1", f"{GROUP}:1-6")
    assert sources.trouble(one, seen, have, 1, 0.0, 10.0, True, True) == ""
    assert sources.trouble(None, seen, have, 1, 0.0, 10.0, True, True) == "does not answer"
    assert sources.trouble(view("db1", state=""), seen, have, 1, 0.0, 10.0, True, True) == "is in no group"
    assert "lacks for 10 s" in sources.trouble(view("db1", f"{GROUP}:1-4"), seen, have, 1, 0.0, 10.0, True, True)
    assert sources.trouble(view("db1", f"{GROUP}:1-5"), seen, have, 1, 0.0, 10.0, True, True) == ""
    old = GtidSet(f"{GROUP}:1-3")
    assert sources.trouble(one, seen, old, 1, 9.0, 10.0, True, True) == "does not send what it has"
    assert sources.trouble(one, seen, old, 1, 1.0, 10.0, True, True) == "", "it is sending"
    assert sources.trouble(one, seen, old, 0, 9.0, 10.0, True, True) == "", "it has only begun"
    assert sources.trouble(one, seen, old, 0, 16.0, 10.0, True, True) == "does not send what it has"
    # Without another one, what it lacks is not asked for.
    assert sources.trouble(view("db1", f"{GROUP}:1-4"), seen, GtidSet(f"{GROUP}:1-4"), 1, 9.0, 10.0, True, False) == ""


def test_for_how_long_something_is_not_stored():
    seen = sources.Seen()
    assert seen.without(5.0, GtidSet("")) == 0.0
    for number in range(1, 2000):
        seen.note(float(number), GtidSet(f"{GROUP}:1-{number}"))
    assert len(seen._looks) <= seen.MOST
    assert seen.without(2000.0, GtidSet("")) == 1999.0
    assert 0 < seen.without(2000.0, GtidSet(f"{GROUP}:1-1990")) <= 10
    seen.forget(GtidSet(f"{GROUP}:1-1990"))
    assert 0 < seen.without(2000.0, GtidSet(f"{GROUP}:1-1990")) <= 10
    assert seen.without(2000.0, GtidSet(f"{GROUP}:1-1999")) == 0.0


def test_the_next_part_of_a_file():
    def part(start, end):
        return segment("1" * 8, 1, "", "", start=start, end=end, size=1)

    assert sources.next_cut([], 0) is None and sources.next_cut([part(0, 10)], 10) is None
    assert sources.next_cut([part(0, 10)], 15) == (10, 15, [])
    small = [part(number, number + 1) for number in range(0, sources.UNITED)]
    cut = sources.next_cut(small, 40)
    assert (cut.start, cut.end, len(cut.replaced)) == (0, 40, sources.UNITED)
    # What is united once stays, until there are many of its size.
    large = [part(0, 1000), *(part(1000 + number, 1001 + number) for number in range(sources.UNITED))]
    assert sources.next_cut(large, 1050).start == 1000
    big = [part(0, 1)._replace(size=sources.LARGEST_UNITED)] * sources.UNITED
    assert sources.next_cut(big, 99).replaced == []


def test_hosts_are_judged_by_their_counters():
    others = hosts.Others(["a", "b"])
    assert others.look({"a": None, "b": 7}, 0.0) == "b"
    assert others.look({"a": None, "b": 8}, hosts.STILL) == "b"
    assert others.look({"a": None, "b": None}, hosts.STILL + 1) == "b", "its object was just being written"
    assert others.look({"a": 1, "b": 8}, hosts.STILL + 2) == "a"
    assert others.look({"a": 1, "b": 8}, 3 * hosts.STILL) is None


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({}, []),
        ({"stream": {"running": False, "state": "down"}, "leader": None}, ["no_stream"]),
        ({"stream": {"behind": 31.0}}, ["behind"]),
        ({"stream": {"behind": 31.0, "state": "standby"}}, []),
        ({"stream": {"kind": "gap", "error": "x"}}, ["gap"]),
        ({"stream": {"kind": "place_full", "error": "x"}, "place": {"error": "y", "kind": "full"}}, ["place_full"]),
        ({"place": {"error": "y", "kind": "gone"}, "full": None, "leader": None}, ["place_gone"]),
        ({"full": None}, ["no_full"]),
        ({"full": {"id": "a", "at": "b", "overdue": True}}, ["full_overdue"]),
        ({"damaged": 2}, ["damaged"]),
    ],
)
def test_alarms(change, what):
    stream_ = {**status.NO_STREAM, "running": True, "state": "streaming", **change.get("stream", {})}
    place = {"error": "", "kind": "", **change.get("place", {})}
    found = status.alarms(
        stream_,
        change.get("leader", "db1"),
        change.get("full", {"id": "a", "overdue": False}),
        place,
        change.get("damaged", 0),
    )
    assert [one["what"] for one in found] == what
