# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guard sees of how its server's membership ended, what it keeps of that, and how guards start a group without one member."""

from __future__ import annotations

import json
import os
import signal
import struct
import time
from pathlib import Path
from types import SimpleNamespace

import pymysql
import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import lease
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError, translate
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard import command, evidence, watch, witness
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.evidence import Kept
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.host import Look
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.watch import Watch
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.said import MARK, Said, dump, parse
from ansible_collections.distdb.mysql_ha.plugins.modules import (
    group_replication_bootstrap,
    group_replication_force_quorum,
)
from gr_model import GROUP, said
from gr_servers import NAMES

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "A guard tells a crash of its member from every other end of the membership, says so durably, and starts the group without one member "
        "only by promises of the others."
    ),
]

GONE = ServerError("localhost: the connection was lost", 2013, lost=True)
MEMBERS = tuple(f"{name}:3306" for name in NAMES)
FORMAT, ROTATE, STOP, XID = 15, 4, 3, 16


# -- how a binary log ends ---------------------------------------------------------------------------------------------
def event(kind, at, checksum=True):
    size = 19 + 4 * checksum
    return struct.pack("<IBIIIH", 1, kind, 130, size, at + size, 0) + b"\0\0\0\0" * checksum


def binlog(path, *kinds, checksum=True, magic=b"\xfebin"):
    text = magic
    for kind in kinds:
        text += event(kind, len(text), checksum)
    path.write_bytes(text)


@pytest.mark.parametrize("checksum", (True, False))
def test_a_binary_log_ends_with_a_stop_or_not(tmp_path, checksum):
    log = tmp_path / "binlog.000001"
    for kinds, expected in (
        ((FORMAT, XID, STOP), True),
        ((FORMAT, XID), False),
        ((FORMAT, STOP, XID), False),
        ((), False),
    ):
        binlog(log, *kinds, checksum=checksum)
        assert witness.ends_with_stop(log) is expected, kinds
    log.write_bytes(log.read_bytes()[:2])
    assert witness.ends_with_stop(log) is None
    binlog(log, FORMAT, STOP, magic=b"\xfd\x62\x69\x6e")
    assert witness.ends_with_stop(log) is None, "it is encrypted"
    assert witness.ends_with_stop(tmp_path / "none") is None


def test_what_happened_since_a_binary_log_was_begun(tmp_path):
    index = tmp_path / "binlog.index"
    for number, kinds in enumerate([(FORMAT, STOP), (FORMAT, ROTATE), (FORMAT, XID), (FORMAT,)]):
        binlog(tmp_path / f"binlog.{number}", *kinds)
    index.write_text("".join(f"./binlog.{number}\n" for number in range(4)))
    assert witness.ended_cleanly(index, "./binlog.1") is False
    assert witness.ended_cleanly(index, "./binlog.0") is True
    assert witness.ended_cleanly(index, "./binlog.9") is None, "it was purged"
    binlog(tmp_path / "binlog.2", FORMAT, STOP)
    assert witness.ended_cleanly(index, "./binlog.1") is True
    (tmp_path / "binlog.2").unlink()
    assert witness.ended_cleanly(index, "./binlog.1") is None
    assert witness.ended_cleanly(tmp_path / "none", "./binlog.1") is None


# -- which process the server is ---------------------------------------------------------------------------------------
def test_a_process_is_known_over_time_and_boots(tmp_path):
    pid = tmp_path / "pid"
    pid.write_text(f"{os.getpid()}\n")
    mine = witness.process_of(pid)
    assert mine.split("/")[1] == str(os.getpid()) and witness.runs(mine)
    boot, number, began = mine.split("/")
    assert not witness.runs(f"{boot}/{number}/{int(began) + 1}") and not witness.runs(f"other/{number}/{began}")
    assert not witness.runs(f"{boot}/{1 << 30}/{began}")
    assert witness.process_of(tmp_path / "none") == ""
    pid.write_text("no number")
    assert witness.process_of(pid) == ""


def test_a_process_that_ended_and_was_not_waited_for_yet_does_not_run(tmp_path):
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text("boot\n")
    (tmp_path / "42").mkdir()
    for state, running in (("S", True), ("Z", False), ("X", False)):
        (tmp_path / "42/stat").write_text(f"42 (my (sql) d) {state} " + " ".join(map(str, range(1, 40))))
        assert witness.runs("boot/42/19", tmp_path) is running
    (tmp_path / "pid").write_text("42")
    assert witness.process_of(tmp_path / "pid", tmp_path) == "boot/42/19"


# -- what is kept ------------------------------------------------------------------------------------------------------
INSIDE = Kept(state="in", process="b/1/1", log="log", view=MEMBERS)


@pytest.mark.parametrize(
    ("kept", "process", "clean", "state"),
    [
        (INSIDE, "b/2/2", False, "crashed"),
        (INSIDE, "", False, "crashed"),
        (INSIDE, "b/1/1", False, "left"),
        (INSIDE, "b/2/2", True, "left"),
        (INSIDE, "b/2/2", None, "left"),
        (INSIDE._replace(process=""), "b/2/2", False, "left"),
        (INSIDE._replace(watched=False), "b/2/2", False, "left"),
        (INSIDE._replace(state="crashed"), "b/2/2", True, "crashed"),
        (INSIDE._replace(state="crashed", watched=False), "b/2/2", False, "left"),
        (Kept(watched=False), "b/2/2", False, ""),
        (Kept(), "b/2/2", False, ""),
    ],
)
def test_how_a_membership_ended(kept, process, clean, state):
    found = evidence.outside(kept, process, clean)
    assert (found.state, found.watched) == (state, True)


def test_a_member_that_is_in_a_group_has_kept_its_promise_but_for_a_start_that_is_not_marked():
    bound = Kept(promise=("db0:3306", "claim"), watched=False)
    assert evidence.inside(bound, MEMBERS, "b/1/1", "log") == INSIDE
    begun = bound._replace(mark="claim")
    assert evidence.inside(begun, MEMBERS, "b/1/1", "log").promise == bound.promise
    assert evidence.marked(evidence.inside(begun, MEMBERS, "b/1/1", "log")) == INSIDE


@pytest.mark.parametrize("text", [None, "", "{}", "[]", "no json", '{"promise": 1}', b"\xff"])
def test_what_is_no_word_of_a_guard(text):
    assert parse(text) is None


def test_what_a_guard_says_and_keeps_comes_back_as_it_was():
    one = Said("majority", MEMBERS, "in", MEMBERS, ("db0:3306", "claim"), {"claim": f"{GROUP}:1-9"}, "claim")
    assert parse(dump(one)) == one
    kept = INSIDE._replace(promise=("db0:3306", "claim"), starts={"claim": f"{GROUP}:1"}, mark="claim")
    assert evidence.load(json.loads(json.dumps(kept._asdict()))) == kept
    for broken in ({}, {"state": "in"}, {**kept._asdict(), "promise": []}, {**kept._asdict(), "starts": 1}):
        assert evidence.load(broken) == Kept()


# -- promises ----------------------------------------------------------------------------------------------------------
A, B, C = MEMBERS
HAS = {A: GtidSet(f"{GROUP}:1-9"), B: GtidSet(f"{GROUP}:1-5")}


def promised(kept, me, seed, words, has=None):
    return evidence.promised(kept, me, seed, words, has or HAS)


def test_a_claim_names_what_all_have_and_is_like_no_other():
    one, other = (promised(Kept(), A, A, {A: None, B: None}) for _claim in range(2))
    assert one.promise[0] == A and one.promise[1].startswith(MARK) and one.promise != other.promise
    assert one.starts == {one.promise[1]: f"{GROUP}:1-9"}
    assert promised(one, A, A, {A: None, B: None}) is one
    # Somebody has more than the claim says.
    more = promised(one, A, A, {A: None, B: None}, {**HAS, B: GtidSet(f"{GROUP}:1-12")})
    assert more.promise != one.promise and more.starts[more.promise[1]] == f"{GROUP}:1-12"


def test_a_promise_follows_a_claim_and_binds_until_that_is_taken_back():
    claim = said(promise=(A, "one"), starts={"one": f"{GROUP}:1-9"})
    assert promised(Kept(), B, A, {A: None}).promise == ("", "")
    assert promised(Kept(), B, A, {A: said()}).promise == ("", "")
    bound = promised(Kept(), B, A, {A: claim})
    assert bound.promise == (A, "one") and bound.starts == {"one": f"{GROUP}:1-9"}
    # Neither silence nor an empty word sets free, nor the same claim.
    for theirs in (None, said(), claim):
        assert promised(bound, B, C, {A: theirs, C: said(promise=(C, "three"))}) is bound
        assert promised(bound, B, B, {A: theirs}) is bound
    # Another claim, or a promise of who had it, does.
    for theirs in (said(promise=(A, "two")), said(promise=(C, "three"))):
        assert promised(bound, B, C, {A: theirs, C: said(promise=(C, "three"))}).promise == (C, "three")
        assert promised(bound, B, B, {A: theirs}).promise[0] == B
    assert promised(bound, B, A, {A: said(promise=(A, "two"))}).promise == (A, "two")


def test_who_is_in_a_group_promises_nothing():
    assert promised(INSIDE, B, A, {A: said(promise=(A, "one"))}) is INSIDE


def test_a_claim_that_another_one_waits_for_is_given_up():
    mine = promised(Kept(), A, A, {A: None})
    for kept in (mine, Kept()):
        freed = promised(kept, A, B, {B: said(promise=mine.promise)})
        assert freed.promise[0] == A and freed.promise != mine.promise
    assert promised(mine, A, B, {B: said(promise=(B, "two"))}).promise == (B, "two")


def test_a_start_that_no_look_saw_is_not_forgotten():
    begun = promised(Kept(), A, A, {A: None})
    begun = begun._replace(mark=begun.promise[1])
    grown = {**HAS, A: GtidSet(f"{GROUP}:1-10")}
    assert promised(begun, A, A, {A: None}, grown) is begun
    assert promised(begun, A, B, {B: said(promise=(B, "two"))}, grown) is begun
    # Nothing was committed in it.
    assert promised(begun, A, B, {B: said(promise=(B, "two"))}).mark == ""


# -- the witness -------------------------------------------------------------------------------------------------------
@pytest.fixture(name="places")
def fixture_places(tmp_path, monkeypatch):
    for name in ("KEPT", "RUN"):
        (tmp_path / name.lower()).mkdir()
        monkeypatch.setattr(lease, name, tmp_path / name.lower())
    monkeypatch.setattr(lease, "OPTIONS", tmp_path / "options.json")
    return tmp_path


def look(*view):
    return Look("ONLINE" if view else "OFFLINE", view, len(view), 9.0)


def test_it_is_on_the_disk_for_root_alone_and_comes_back(places):
    one = witness.Witness()
    one.process = "b/1/1"
    one.saw(look(*MEMBERS))
    assert os.stat(lease.KEPT / "evidence").st_mode & 0o777 == 0o600
    assert witness.Witness().kept == one.kept == INSIDE._replace(log="")


def test_what_cannot_be_written_is_no_evidence(places, monkeypatch):
    one = witness.Witness()
    one.process = "b/1/1"
    one.saw(look(*MEMBERS))

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(witness, "write", full)
    one.saw(look(*MEMBERS[:2]))
    assert one.kept == Kept() == witness.Witness().kept
    with pytest.raises(Exception, match="cannot be written"):
        one.kept = Kept(promise=(A, "claim"))
        one.starts([C])


def test_a_server_whose_process_is_gone_is_judged_at_once(places, monkeypatch):
    one = witness.Witness()
    one.process, one.index = "b/1/1", Path("/nowhere")
    one.saw(look(*MEMBERS))
    monkeypatch.setattr(witness, "ended_cleanly", lambda index, since: False)
    monkeypatch.setattr(witness, "runs", lambda process: True)
    one.unanswered(GONE)
    assert one.kept.state == "in", "it may be busy"
    monkeypatch.setattr(witness, "runs", lambda process: False)
    one.unanswered(GONE)
    assert one.kept.state == "crashed"


@pytest.mark.parametrize(
    ("code", "text", "state"),
    [
        (1053, "Server shutdown in progress", "left"),
        (2003, "Can't connect to MySQL server on 'localhost' ([Errno 2] No such file or directory)", "left"),
        (2003, "Can't connect to MySQL server on 'localhost' ([Errno 111] Connection refused)", "left"),
        (2003, "Can't connect to MySQL server on 'localhost' (timed out)", "in"),
        (2013, "Lost connection to MySQL server during query (timed out)", "in"),
        (1040, "Too many connections", "in"),
    ],
)
def test_a_server_that_is_about_to_end_has_left(places, monkeypatch, code, text, state):
    """It leaves its group first, and writes last that it was told to; in between it may be killed."""
    monkeypatch.setattr(witness, "ended_cleanly", lambda index, since: False)
    monkeypatch.setattr(witness, "runs", lambda process: True)
    one = witness.Witness()
    one.process, one.index = "b/1/1", Path("/nowhere")
    one.saw(look(*MEMBERS))
    one.unanswered(translate(pymysql.err.OperationalError(code, text), "localhost"))
    assert one.kept.state == witness.Witness().kept.state == state
    monkeypatch.setattr(witness, "runs", lambda process: False)
    one.unanswered(GONE)
    assert one.kept.state == ("left" if state == "left" else "crashed")


def test_before_the_server_has_answered_once_nothing_is_judged(places):
    witness.Witness().keep(INSIDE)
    again = witness.Witness()
    again.unanswered(GONE)
    assert again.kept == INSIDE


def test_a_process_that_cannot_be_told_has_left(places, monkeypatch):
    monkeypatch.setattr(witness, "ended_cleanly", lambda index, since: False)
    one = witness.Witness()
    one.keep(INSIDE)
    one.process, one.index = "", Path("/nowhere")
    one.saw(look())
    assert one.kept.state == "left"


@pytest.mark.parametrize(("seconds", "state"), [(1, "crashed"), (31, "left")])
def test_a_guard_that_did_not_look_for_long_knows_nothing(places, monkeypatch, seconds, state):
    monkeypatch.setattr(witness, "ended_cleanly", lambda index, since: False)
    one = witness.Witness()
    one.keep(INSIDE)
    one.process, one.index = "b/2/2", Path("/nowhere")
    one.turned -= seconds
    one.saw(look())
    assert one.kept.state == state


def test_a_guard_that_was_stopped_knows_nothing_unless_its_member_is_still_in(places, monkeypatch):
    monkeypatch.setattr(witness, "ended_cleanly", lambda index, since: False)
    for view, process, state in ((MEMBERS, "b/1/1", "in"), ((), "b/2/2", "left")):
        one = witness.Witness()
        one.keep(INSIDE)
        one.ended()
        again = witness.Witness()
        assert not again.kept.watched
        again.process, again.index = process, Path("/nowhere")
        again.saw(look(*view))
        assert (again.kept.state, again.kept.watched) == (state, True)


# -- guards at work ----------------------------------------------------------------------------------------------------
@pytest.fixture(name="guards")
def fixture_guards(world, places, tmp_path, monkeypatch):
    """The guards of all members, each on a host of its own; guards.turn(name) is one turn of one of them."""
    made, texts, clock = {}, [], SimpleNamespace(ahead=0.0)
    real = time.monotonic
    monkeypatch.setattr(watch.time, "monotonic", lambda: real() + clock.ahead)
    monkeypatch.setattr(witness, "process_of", lambda pid_file: f"b/{pid_file.name}/1")
    monkeypatch.setattr(witness, "runs", lambda process: False)
    monkeypatch.setattr(witness, "ended_cleanly", lambda index, since: False)
    for name in NAMES:
        (tmp_path / name / "kept").mkdir(parents=True)
        (tmp_path / name / "run").mkdir()
        options = {
            "members": list(MEMBERS), "member": f"{name}:3306", "group_name": GROUP, "mode": "full", "service": "none", "evidence": "majority",
            "login_unix_socket": f"/sockets/{name}", "login_user": "root", "peer_user": "gr_peer", "peer_password": "peer-Secret-1", "datadir": "/",
        }  # fmt: skip
        (tmp_path / name / "options.json").write_text(json.dumps(options))
        world.servers[name].gtid_executed = f"{GROUP}:1-9"

    def turn(*names):
        for name in names:
            for place in ("KEPT", "RUN"):
                monkeypatch.setattr(lease, place, tmp_path / name / place.lower())
            monkeypatch.setattr(lease, "OPTIONS", tmp_path / name / "options.json")
            if name not in made:
                made[name] = Watch("1.0.0", lambda text, name=name: texts.append(f"{name}: {text}"))
            made[name].turn()

    def power_cut():
        """All servers crash; new processes of theirs come up."""
        world.members = []
        for server in world.servers.values():
            server.state, server.said = "OFFLINE", {}
            server.pid_file += "x"
        for one in made.values():
            if one.local:
                one.local.close()
            one.forget()

    return SimpleNamespace(turn=turn, said=texts, made=made, power_cut=power_cut, clock=clock, options=options)


def test_two_of_three_start_the_group_without_the_third_and_mark_it(world, guards):
    world.group(*NAMES)
    guards.turn(*NAMES)
    guards.power_cut()
    world.servers["db2"].alive = False
    guards.turn("db0", "db1", "db0", "db1")
    assert not world.members and any(
        "it is waited for 60 s in case that db2:3306 boots" in text for text in guards.said
    )
    guards.clock.ahead = 61.0
    guards.turn("db0")
    assert any("db0: unpromised_yet: the promise of db0:3306" in text for text in guards.said), guards.said
    guards.turn("db1", "db0")
    assert world.members == ["db0"]
    guards.turn("db1")
    assert world.members == ["db0", "db1"]
    marks = [text for text in world.servers["db0"].statements if "gtid_next" in text]
    assert (
        len(marks) == 2
        and marks[0].startswith(f"SET gtid_next = '{MARK}")
        and marks[1] == "SET gtid_next = 'AUTOMATIC'"
    )
    assert guards.made["db0"].witness.kept.mark == ""
    guards.turn("db0", "db1")
    assert {guards.made[name].witness.kept.state for name in ("db0", "db1")} == {"in"}
    assert {guards.made[name].witness.kept.promise for name in ("db0", "db1")} == {("", "")}
    assert not any("gtid_next" in text for text in world.servers["db1"].statements)


def test_the_mark_is_tried_again_until_the_server_takes_it(world, guards):
    world.group(*NAMES)
    guards.turn(*NAMES)
    guards.power_cut()
    world.servers["db2"].alive = False
    guards.turn("db0", "db1", "db0", "db1")
    guards.clock.ahead = 61.0
    world.refused["gtid_next"] = pymysql.err.OperationalError(
        1290, "The MySQL server is running with the --super-read-only option"
    )
    guards.turn("db0", "db1", "db0", "db0")
    assert world.members == ["db0"] and guards.made["db0"].witness.kept.mark
    guards.turn("db0", "db0")
    assert len(world.servers["db0"].said) == 1, "its session ended, and it says it in the new one"
    # Meanwhile nobody joins.
    guards.turn("db1")
    assert world.members == ["db0"] and any("db1: unmarked: db0:3306 has just started" in text for text in guards.said)
    world.refused.clear()
    guards.turn("db0", "db1")
    assert not guards.made["db0"].witness.kept.mark and world.members == ["db0", "db1"]


def test_after_a_clean_stop_all_are_waited_for(world, guards, monkeypatch):
    world.group(*NAMES)
    guards.turn(*NAMES)
    monkeypatch.setattr(witness, "ended_cleanly", lambda index, since: True)
    guards.power_cut()
    world.servers["db2"].alive = False
    guards.turn("db0", "db1", "db0", "db1")
    guards.clock.ahead = 99.0
    guards.turn("db0", "db1", "db0", "db1")
    assert not world.members and any("did not see it crash as a member" in text for text in guards.said)
    # All are there: none of their guards could start the group without this one.
    world.servers["db2"].alive = True
    guards.turn("db2", "db0", "db0")
    assert world.members == ["db0"]
    # And all were there: nothing of that is in the history.
    guards.turn("db0")
    assert not any("gtid_next" in text for text in world.servers["db0"].statements)


def test_a_playbook_leaves_the_start_to_the_guards_where_they_could_start_another_group(run, world, guards):
    world.group(*NAMES)
    guards.turn(*NAMES)
    guards.power_cut()
    for name in NAMES:
        guards.made[name].memory.failures, guards.made[name].memory.failed_at = 1, time.monotonic() + 1000
    guards.turn(*NAMES)
    refused = run(group_replication_bootstrap, on="db0", group_name=GROUP, members=list(MEMBERS))
    assert refused["failed"] and refused["rule"] == "guards_start" and not world.members


def test_quorum_is_not_forced_where_guards_go_by_a_majority(run, world, guards):
    world.group(*NAMES)
    for name in NAMES[1:]:
        world.seen["db0", name] = "UNREACHABLE"
        world.servers[name].alive = False
    answer = run(group_replication_force_quorum, members=list(MEMBERS), lost_members=list(MEMBERS[1:]))
    assert answer.get("rule") == "force"
    lease.OPTIONS.write_text(json.dumps(guards.options))
    world.group(*NAMES)
    refused = run(group_replication_force_quorum, members=list(MEMBERS), lost_members=list(MEMBERS[1:]))
    assert refused["failed"] and refused["rule"] == "majority_guards", refused


def test_a_server_that_is_gone_is_judged_in_the_next_turn(world, guards):
    world.group(*NAMES)
    guards.turn(*NAMES)
    world.servers["db2"].alive = False
    guards.turn("db2")
    assert guards.made["db2"].witness.kept.state == "crashed"


def test_two_who_say_something_are_none(world, guards):
    world.group(*NAMES)
    guards.turn(*NAMES)
    guards.power_cut()
    guards.turn("db1")
    world.servers["db1"].said["somebody"] = dump(said(state="left"))
    guards.turn("db0")
    assert guards.made["db0"].acting.facts["db1:3306"].said is None


def test_a_guard_that_is_told_to_end_watches_no_more(world, guards, monkeypatch):
    world.group(*NAMES)
    guards.turn("db0")
    turn = Watch.turn

    def last(self):
        os.kill(os.getpid(), signal.SIGTERM)
        return turn(self)

    monkeypatch.setattr(Watch, "turn", last)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert command.run("1.0.0") == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not witness.Witness().kept.watched
