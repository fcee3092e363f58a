# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard as a service: on servers that answer its statements, beside modules, and as a program on a host without Ansible."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pymysql
import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import lease
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import Data, Tables
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard import (
    command,
    expulsion,
    host,
    measure,
    watch,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.watch import UNWELL, WELL, Watch
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.modules import (
    group_replication_bootstrap,
    group_replication_fence,
    group_replication_info,
)
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils import host_program
from gr_model import GROUP
from gr_servers import NAMES, Session

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "The guard runs without Ansible, brings members back on servers that answer its statements, and never acts beside a module."
    ),
]

ROWS = f"{GROUP}:1-9"
BOOT = "group_replication_start_on_boot"


@pytest.fixture(name="places")
def fixture_places(tmp_path, monkeypatch):
    """The guard's files, of one host."""
    for name in ("KEPT", "RUN"):
        place = tmp_path / name.lower()
        place.mkdir()
        monkeypatch.setattr(lease, name, place)
    monkeypatch.setattr(lease, "OPTIONS", tmp_path / "options.json")
    return SimpleNamespace(kept=lease.KEPT, run=lease.RUN, options=lease.OPTIONS)


@pytest.fixture(name="guards")
def fixture_guards(world, places, tmp_path, monkeypatch):
    """The guards of all members; guards.turn(name) is one turn of one of them."""
    made, said = {}, []
    for name in NAMES:
        (tmp_path / name).mkdir()
        options = {
            "members": list(NAMES), "member": name, "group_name": GROUP, "mode": "full", "service": "none", "login_unix_socket": f"/sockets/{name}",
            "peer_user": "gr_peer", "peer_password": "peer-Secret-1", "datadir": str(tmp_path),
        }  # fmt: skip
        (tmp_path / name / "options.json").write_text(json.dumps(options))
        world.servers[name].gtid_executed = ROWS

    def turn(name):
        monkeypatch.setattr(lease, "OPTIONS", tmp_path / name / "options.json")
        if name not in made:
            made[name] = Watch("1.0.0", lambda text, name=name: said.append(f"{name}: {text}"))
        return made[name].turn()

    return SimpleNamespace(turn=turn, said=said, made=made, options=lambda name: tmp_path / name / "options.json")


def test_all_killed_come_back_as_one_group_without_a_playbook(world, guards):
    world.servers["db1"].gtid_executed = f"{GROUP}:1-12"
    assert guards.turn("db0") == UNWELL
    assert not world.members
    for name in ("db1", "db0", "db2", "db0", "db1", "db2"):
        guards.turn(name)
    assert sorted(world.members) == list(NAMES) and world.members[0] == "db1"
    assert {server.state for server in world.servers.values()} == {"ONLINE"}
    assert guards.turn("db0") == WELL
    # One line for a decision, however often it is made.
    before = list(guards.said)
    for _look in range(3):
        guards.turn("db0")
    assert guards.said == before
    assert "db0: other_seed: db1:3306 bootstraps; this server joins it" in guards.said
    assert "db1: did: " in "\n".join(guards.said)
    assert "peer-Secret-1" not in "\n".join(guards.said)
    assert [text for text in world.servers["db1"].statements if "bootstrap_group" in text] == [
        f"SET GLOBAL group_replication_bootstrap_group = {value}" for value in ("ON", "OFF")
    ]


def test_nobody_starts_a_group_while_one_is_down_and_it_is_named(world, guards):
    world.servers["db2"].alive = False
    for name in ("db0", "db1", "db2", "db0", "db1", "db2"):
        guards.turn(name)
    assert not world.members
    assert any("db0: unasked" in text and "db2:3306" in text for text in guards.said)
    assert any("db2: not_asked" in text for text in guards.said)


def test_survivors_without_a_majority_end_their_partition_and_the_superset_starts(world, guards):
    world.group(*NAMES)
    for name in ("db1", "db2"):
        world.servers[name].state = "OFFLINE"
        world.seen["db0", name] = "UNREACHABLE"
    guards.turn("db0")
    assert world.servers["db0"].state == "OFFLINE" and "STOP GROUP_REPLICATION" in world.servers["db0"].statements
    world.members, world.seen = [], {}
    for name in NAMES:
        guards.turn(name)
        guards.turn(name)
    assert sorted(world.members) == list(NAMES)


def test_a_well_member_is_one_query(world, guards, monkeypatch):
    world.group(*NAMES)
    asked = []
    world.connection, real = lambda **arguments: asked.append(arguments) or real(**arguments), world.connection
    for _look in range(5):
        assert guards.turn("db0") == WELL
    assert len(asked) == 1, "one connection, to its own server"


def test_a_pause_a_boot_and_a_resume(world, guards, places, capsys):
    assert command.main("1.0.0", ["pause", "30m"]) == 0
    guards.turn("db0")
    assert any("db0: paused: paused until" in text for text in guards.said)
    guards.made.clear()
    guards.turn("db0")
    assert not world.members
    assert command.main("1.0.0", ["resume"]) == 0
    guards.turn("db0")
    assert world.members == ["db0"]
    assert command.main("1.0.0", ["resume"]) == 0
    assert "paused until" in capsys.readouterr().out


@pytest.mark.parametrize("duration", ("0m", "30", "m", "31d", "1h30m", ""))
def test_a_pause_without_an_end_is_refused(duration, capsys):
    with pytest.raises(SystemExit):
        command.main("1.0.0", ["pause", duration])
    assert "is not allowed (allowed: 90s, 30m, 2h, 1d; at most 30d)" in capsys.readouterr().err


def test_a_module_that_works_keeps_the_guard_out_and_its_end_lets_it_in(world, guards):
    with lease.lease(lambda: 0.0):
        guards.turn("db0")
        assert not world.members
        assert any("db0: busy" in text for text in guards.said)
    guards.turn("db0")
    assert world.members == ["db0"]


def test_the_lease_of_a_killed_module_ends_with_it(places):
    program = (
        f"import fcntl, os, time; h = os.open({str(places.run / 'lease')!r}, os.O_RDWR | os.O_CREAT); fcntl.flock(h, fcntl.LOCK_SH); "
        "print(1, flush=True); time.sleep(60)"
    )
    module = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    module.stdout.read(1)
    with lease.guards_turn() as mine:
        assert not mine
    module.kill()
    module.wait()
    with lease.guards_turn() as mine:
        assert mine


def test_a_module_waits_for_a_guard_that_acts_and_says_so_in_the_end(places):
    with lease.guards_turn() as mine:
        assert mine
        ends = time.monotonic() + 0.2
        with pytest.raises(Refusal, match="timeout: the guard of this host is acting"), lease.lease(
            lambda: ends - time.monotonic()
        ):
            pytest.fail("both act")
    with lease.lease(lambda: 0.0), lease.lease(lambda: 0.0):
        pass  # modules do not keep each other out


def test_without_a_guard_there_is_no_lease(monkeypatch, tmp_path):
    monkeypatch.setattr(lease, "RUN", tmp_path / "none")
    monkeypatch.setattr(lease, "KEPT", tmp_path / "none")
    with lease.lease(lambda: 0.0):
        lease.mark(lease.FENCED, True)
    assert not (tmp_path / "none").exists() and lease.marked_at(lease.FENCED) is None


def test_a_module_holds_the_lease_while_it_changes_something(run, world, places, monkeypatch):
    (places.run / "lease").touch()
    seen = []
    real = world.connection
    # Members are asked at the same time, and a look at the lock takes it for a moment.
    alone = threading.Lock()

    def connection(**arguments):
        with alone, open(places.run / "lease") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                seen.append("free")
            except BlockingIOError:
                seen.append("held")
        return real(**arguments)

    world.connection = connection
    world.group(*NAMES)
    run(group_replication_bootstrap, on="db0", group_name=GROUP)
    assert set(seen) == {"held"}
    seen.clear()
    run(group_replication_bootstrap, on="db0", check=True, group_name=GROUP)
    assert set(seen) == {"free"}, "check mode keeps nobody out"


def test_a_member_that_is_taken_out_stays_out(run, world, guards, places):
    world.group(*NAMES)
    places.options.touch()
    lease.OPTIONS = places.options
    run(group_replication_bootstrap, on="db2", group_name=GROUP, state="absent")
    guards.turn("db2")
    assert world.members == ["db0", "db1"]
    assert any("db2: taken_out" in text for text in guards.said)


def test_a_member_that_left_by_hand_is_told_to_stay_out_where_there_is_a_guard(run, world, places):
    world.group("db0", "db1")
    world.servers["db2"].variables[BOOT] = "OFF"
    assert run(group_replication_bootstrap, on="db2", group_name=GROUP, state="absent")["rule"] == "out"
    places.options.touch()
    done = run(group_replication_bootstrap, on="db2", group_name=GROUP, state="absent")
    assert (done["rule"], done["after"]["start_on_boot"]) == ("out_until_guard", False)
    assert world.servers["db2"].persisted == {BOOT: "OFF"}
    assert run(group_replication_bootstrap, on="db2", group_name=GROUP, state="absent")["changed"] is False


def test_a_fenced_member_is_not_brought_back(run, world, guards, places):
    world.group(*NAMES)
    run(group_replication_fence, on="db2", fence="writes", check=True)
    assert lease.marked_at(lease.FENCED) is None
    run(group_replication_fence, on="db2", fence="writes")
    world.members.remove("db2")
    world.servers["db2"].state = "OFFLINE"
    guards.turn("db2")
    assert any("db2: fenced" in text for text in guards.said)
    run(group_replication_fence, on="db2", fence="none")
    guards.turn("db2")
    assert "db2" in world.members


def test_a_start_that_fails_is_tried_again_later_and_later(world, guards):
    world.group("db0", "db1")
    world.refused["START GROUP_REPLICATION"] = pymysql.err.OperationalError(
        3094, "The START GROUP_REPLICATION command failed"
    )
    for _look in range(5):
        guards.turn("db2")
    failed = [text for text in guards.said if text.startswith("db2: error: START GROUP_REPLICATION failed")]
    assert len(failed) == 1, guards.said
    assert any(
        "db2: failed: 1 tries in a row had no success; the next one is 10 s after" in text for text in guards.said
    )
    world.refused.clear()
    guards.made["db2"].memory.failed_at -= 10
    guards.turn("db2")
    guards.turn("db2")
    assert "db2" in world.members and guards.made["db2"].memory.failures == 0


def test_a_member_that_ends_before_anything_is_done_is_no_failed_try(world, guards):
    world.refused["SELECT GET_LOCK"] = pymysql.err.OperationalError(2013, "Lost connection")
    guards.turn("db0")
    assert any("db0: error: " in text and "the connection was lost" in text for text in guards.said), guards.said
    assert guards.made["db0"].memory.failures == 0 and not world.members
    world.refused.clear()
    guards.turn("db0")
    assert "db0" in world.members


def test_new_options_are_read_while_it_runs(world, guards, places):
    world.servers["db1"].alive = False
    guards.turn("db0")
    options = json.loads(guards.options("db0").read_text())
    guards.options("db0").write_text(json.dumps({**options, "mode": "rejoin", "members": ["db0", "db2"]}))
    guards.turn("db0")
    assert guards.said[-1].startswith("db0: rejoin_only")
    # Also where the decision is the same.
    guards.options("db0").write_text(json.dumps({**options, "mode": "rejoin", "evidence": "majority"}))
    guards.turn("db0")
    assert guards.said[-1].startswith("db0: rejoin_only") and host.running()["evidence"] == "majority"
    guards.options("db0").write_text("{}")
    with pytest.raises(Refusal, match="members, member, group_name, mode, service must be given"):
        guards.turn("db0")


# -- what it keeps -----------------------------------------------------------------------------------------------------
def seen(up, view=(), state="OFFLINE"):
    return host.Look(state, view, len(view), up)


def test_starts_are_counted_and_kept(places):
    memory = host.Memory()
    for number in range(4):
        memory.note(seen(up=1.0), now=1001.0 + 20 * number)
        memory.note(seen(up=9.5), now=1008.4 + 20 * number)
    options = {"mode": "full", "datadir": "/nowhere"}
    again = host.Memory()
    found = again.host(options, seen(up=2.0), False, 1062.0)
    assert (found.starts, found.up, found.free) == (4, 2.0, None)
    # It stayed up for long enough.
    again.note(seen(up=1.0), now=1121.0)
    assert host.Memory().host(options, seen(up=1.0), False, 1121.0).starts == 1
    # A clock that was set back: what is in the future then is forgotten.
    again.note(seen(up=1.0), now=901.0)
    assert again.starts == [900.0]


@pytest.mark.parametrize(
    ("starts", "number"), [([], 1), ([5.0], 1), ([0.0, 59.0], 2), ([0.0, 60.0], 1), ([0.0, 9.0, 99.0, 120.0, 140.0], 3)]
)
def test_starts_in_a_row(starts, number):
    assert host.in_a_row(starts) == number


def test_a_server_that_was_well_for_a_while_begins_a_new_count(places):
    memory = host.Memory()
    for number in range(4):
        memory.note(seen(up=1.0), now=1001.0 + 20 * number)
        memory.note(seen(up=5.0, view=("db0:3306",), state="ONLINE"), now=1005.0 + 20 * number)
        memory.note(seen(up=9.9, view=("db0:3306",), state="ONLINE"), now=1009.9 + 20 * number)
    assert host.in_a_row(memory.starts) == 4, "five seconds are needed"
    memory.note(seen(up=10.0, view=("db0:3306",), state="ONLINE"), now=1070.0)
    memory.note(seen(up=1.0), now=1081.0)
    assert host.in_a_row(host.Memory().starts) == 2
    memory.note(seen(up=4.0, view=("db0:3306",), state="ONLINE"), now=1084.0)
    memory.note(seen(up=5.0), now=1085.0)
    memory.note(seen(up=9.0, view=("db0:3306",), state="ONLINE"), now=1089.0)
    assert host.in_a_row(memory.starts) == 2, "not for five seconds in a row"


def test_the_last_view_is_kept_over_a_boot_and_an_outage(places):
    host.Memory().note(seen(up=50.0, view=("db0:3306", "db9:3306"), state="ONLINE"), now=1000.0)
    memory = host.Memory()
    memory.note(seen(up=1.0), now=1100.0)
    assert host.Memory().view == ("db0:3306", "db9:3306")
    assert os.stat(places.kept / "memory").st_mode & 0o777 == 0o600
    (places.kept / "memory").write_text("no json")
    assert host.Memory().view == ()


def test_a_server_that_is_being_stopped_is_not_brought_back_and_the_next_one_is(places):
    (places.kept / lease.LEAVING).touch()
    at = lease.marked_at(lease.LEAVING)
    options = {"mode": "full"}
    assert host.Memory().host(options, seen(up=100.0), False, at + 1).leaving
    assert not host.Memory().host(options, seen(up=3.0), False, at + 5).leaving, "another start of the server"
    assert not host.Memory().host(options, seen(up=500.0), False, at + 200).leaving, "a stop that never came"


def test_a_server_without_a_majority_is_ended_only_where_systemd_starts_it_again(tmp_path, monkeypatch):
    (tmp_path / "pid").write_text("42\n")
    for shown, pid in (
        ("MainPID=42\nRestart=on-failure", 42),
        ("MainPID=42\nRestart=no", 0),
        ("MainPID=43\nRestart=always", 0),
        ("", 0),
    ):
        monkeypatch.setattr(watch, "run", lambda command, shown=shown: SimpleNamespace(output=shown))
        assert watch.restartable("mysql", str(tmp_path / "pid")) == pid
    monkeypatch.setattr(watch, "run", lambda command: SimpleNamespace(output="MainPID=42\nRestart=always"))
    assert watch.restartable("mysql", str(tmp_path / "none")) == 0


def test_survivors_are_ended_by_a_kill(world, guards, monkeypatch):
    world.group(*NAMES)
    for name in ("db1", "db2"):
        world.servers[name].state = "OFFLINE"
        world.seen["db0", name] = "UNREACHABLE"
    killed = []
    monkeypatch.setattr(watch, "restartable", lambda service, pid_file: 42)
    monkeypatch.setattr(watch.os, "kill", lambda pid, number: killed.append((pid, number)))
    guards.turn("db0")
    assert killed == [(42, 9)]
    assert world.servers["db0"].state == "ONLINE" and "STOP GROUP_REPLICATION" not in world.servers["db0"].statements
    assert "kill -9 42 (mysqld, which none starts anew)" in guards.said[-1]
    assert guards.made["db0"].memory.starts == host.Memory().starts == [], "it does not count as a restart"


@pytest.fixture(name="stalled")
def fixture_stalled(world, guards, monkeypatch):
    """Transactions of db0, a member, wait for their turn; after(seconds) is the next turn of its guard, and which processes were ended so far."""
    world.group(*NAMES)
    world.servers["db0"].waiting = True
    killed = []
    monkeypatch.setattr(watch, "restartable", lambda service, pid_file: 42)
    monkeypatch.setattr(watch.os, "kill", lambda pid, number: killed.append((pid, number)))

    def after(seconds):
        world.servers["db0"].uptime += seconds
        guards.turn("db0")
        return killed

    return after


def test_a_member_that_executes_nothing_is_started_anew(world, guards, stalled):
    assert stalled(0) == stalled(15) == []
    assert len(guards.made) == 1 and guards.said[-1] == "db0: online: this member is ONLINE"
    assert stalled(1) == [(42, 9)]
    assert "FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS" in world.servers["db0"].statements
    assert "kill -9 42 (mysqld, which none starts anew)" in guards.said[-1]
    assert guards.made["db0"].memory.starts == [], "it does not count as a restart"
    # The new server.
    world.servers["db0"].waiting = False
    assert stalled(-3600) == [(42, 9)]


def test_a_busy_member_is_left_alone(world, stalled):
    for number in range(30):
        world.servers["db0"].gtid_executed = f"{GROUP}:1-{100 + number}"
        assert stalled(2) == []
    # Nothing waits for a moment: what waits then began later.
    world.servers["db0"].waiting = False
    assert stalled(14) == []
    world.servers["db0"].waiting = True
    assert stalled(2) == stalled(15) == []
    assert stalled(1) == [(42, 9)]


def test_a_member_that_executes_nothing_stays_where_a_peer_does_not_answer(world, guards, stalled):
    stalled(0)
    world.servers["db2"].alive = False
    assert stalled(99) == []
    assert "db0: stalled_alone: for more than 15 s" in guards.said[-1]


def test_a_stalled_server_that_nobody_starts_anew_is_left_to_a_person(guards, stalled, monkeypatch):
    monkeypatch.setattr(watch, "restartable", lambda service, pid_file: 0)
    stalled(0)
    assert stalled(16) == []
    assert guards.said[-1] == "db0: error: none has no Restart= that starts a killed server anew: restart it by hand"


@pytest.fixture(name="fallen")
def fixture_fallen(world, guards, monkeypatch):
    """db2 fell out of the group; says how its STOP ends, and which processes were ended."""
    world.group("db0", "db1")
    world.servers["db2"].state = "ERROR"
    killed = []
    monkeypatch.setattr(watch, "restartable", lambda service, pid_file: 42)
    monkeypatch.setattr(watch.os, "kill", lambda pid, number: killed.append((pid, number)))
    monkeypatch.setattr(watch, "PATIENCE", 0.05)
    view = Session.view
    # A member that fell out sees itself only.
    monkeypatch.setattr(
        Session, "view", lambda own: [own.entry(own.server, "ERROR")] if own.server.state == "ERROR" else view(own)
    )
    change = Session.change
    error = []

    def stop(own, text, args):
        if text == "STOP GROUP_REPLICATION" and error:
            raise error[0]
        if text == "STOP GROUP_REPLICATION":
            own.server.state = "OFFLINE"
            return []
        return change(own, text, args)

    monkeypatch.setattr(Session, "change", stop)
    return SimpleNamespace(killed=killed, error=error, world=world, guards=guards)


def test_a_member_that_fell_out_stops_and_joins(fallen):
    fallen.guards.turn("db2")
    assert fallen.guards.said[-1] == "db2: did: FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS; STOP GROUP_REPLICATION"
    fallen.guards.turn("db2")
    assert "db2" in fallen.world.members and not fallen.killed


@pytest.mark.parametrize(
    "error",
    [
        pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query (timed out)"),
        pymysql.err.OperationalError(3663, "The STOP GROUP_REPLICATION command cannot be executed as another one is running"),
    ],
    ids=["it takes long", "the plugin is leaving by itself"],
)  # fmt: skip
def test_one_whose_stop_takes_long_is_started_anew(fallen, error, monkeypatch):
    fallen.error.append(error)
    fallen.guards.turn("db2")
    assert fallen.killed == [(42, 9)]
    assert fallen.guards.made["db2"].memory.starts, (
        "it counts as a start: one that helps nothing is not made again and again"
    )
    # One that has ended by itself meanwhile is another process now.
    pids = [42, 43]
    monkeypatch.setattr(watch, "restartable", lambda service, pid_file: pids.pop(0))
    fallen.guards.turn("db2")
    assert fallen.killed == [(42, 9)]


def test_one_that_nobody_starts_anew_is_only_stopped(fallen, monkeypatch):
    monkeypatch.setattr(watch, "restartable", lambda service, pid_file: 0)
    fallen.guards.turn("db2")
    assert fallen.guards.said[-1] == "db2: did: STOP GROUP_REPLICATION"


def test_a_stop_that_is_refused_is_an_error(fallen):
    fallen.error.append(pymysql.err.OperationalError(1227, "Access denied"))
    fallen.guards.turn("db2")
    assert not fallen.killed and "db2: error: " in fallen.guards.said[-1]


# -- a killed member is expelled at once -----------------------------------------------------------------------------
EXPEL = "group_replication_member_expel_timeout"


@pytest.fixture(name="waits")
def fixture_waits(world, guards):
    """db2 was killed, and its server waits for its expulsion: db0 is told so by its lock. Its guard's clock stands still."""
    world.group(*NAMES)
    db0, uuid = world.servers["db0"], world.servers["db2"].uuid
    db0.variables[EXPEL], db0.killed[uuid] = "30", "gr_peer"
    # The stand-in answers with all variables.
    real = world.connection

    def connection(**arguments):
        session = real(**arguments)
        answer = session.answer
        session.answer = lambda text, args: (
            [{"value": session.server.variables[EXPEL]}] if text.endswith(f"= '{EXPEL}'") else answer(text, args)
        )
        return session

    world.connection = connection

    def turn(state="ONLINE", **seconds):
        world.seen["db0", "db2"] = state
        db0.uptime += seconds.get("after", 1)
        guards.turn("db0")
        return db0.variables[EXPEL]

    return SimpleNamespace(turn=turn, server=db0, uuid=uuid, guards=guards, world=world)


def test_the_group_has_no_patience_with_a_killed_member_and_gets_it_back(waits, places):
    assert waits.turn() == "0" and waits.turn("UNREACHABLE") == "0"
    assert (places.kept / "expulsion").exists()
    waits.server.killed.clear()
    waits.world.members.remove("db2")
    assert waits.turn() == "30" and not (places.kept / "expulsion").exists()
    did = [text for text in waits.guards.said if "did: SET GLOBAL" in text]
    assert did == [
        f"db0: did: SET GLOBAL {EXPEL} = 0 (it was 30; {waits.uuid} was killed and waits)", f"db0: did: SET GLOBAL {EXPEL} = 30",
    ]  # fmt: skip


def test_a_silent_member_keeps_its_patience(waits):
    waits.server.killed.clear()
    assert waits.turn("UNREACHABLE") == "30"
    waits.server.killed[waits.uuid] = "gr_peer"
    waits.world.seen["db0", "db1"] = "UNREACHABLE"
    assert waits.turn() == "30", "one that is not known to be killed"
    waits.world.seen.clear()
    waits.server.killed[waits.uuid] = "somebody"
    assert waits.turn() == "30", "one that any account says to be killed"
    waits.server.killed[waits.uuid] = "gr_peer"
    assert waits.turn() == "0"
    waits.world.seen["db0", "db1"] = "UNREACHABLE"
    assert waits.turn() == "30", "one that falls silent meanwhile"


def test_a_group_without_patience_is_left_alone(waits, places):
    waits.server.variables[EXPEL] = "0"
    assert waits.turn() == "0" and not (places.kept / "expulsion").exists()
    assert not [text for text in waits.server.statements if EXPEL in text]


def test_no_expulsion_lasts_for_long(waits):
    assert [waits.turn(after=5) for _look in range(4)] == ["0", "0", "0", "30"]
    assert waits.turn() == "30"


def test_a_guard_that_is_paused_changes_nothing_and_still_puts_back(waits, capsys):
    command.main("1.0.0", ["pause", "1h"])
    assert waits.turn() == "30"
    command.main("1.0.0", ["resume"])
    assert waits.turn() == "0"
    command.main("1.0.0", ["pause", "1h"])
    waits.server.killed.clear()
    assert waits.turn() == "30"


def test_a_guard_that_was_killed_half_way_puts_back_what_it_finds(waits, places):
    waits.turn()
    waits.guards.made.clear()
    waits.server.killed.clear()
    assert waits.turn() == "30"


@pytest.mark.parametrize(("value", "uptime"), [("7", 3600), ("0", 1)], ids=["somebody set another one", "a new server"])
def test_what_is_not_the_guards_is_not_put_back(waits, places, value, uptime):
    waits.turn()
    waits.server.killed.clear()
    waits.server.variables[EXPEL], waits.server.uptime = value, uptime
    kept = json.loads((places.kept / "expulsion").read_text())
    (places.kept / "expulsion").write_text(json.dumps({**kept, "at": kept["at"] - 5}))
    waits.guards.made.clear()
    assert waits.turn() == value and not (places.kept / "expulsion").exists()


def test_an_expulsion_that_cannot_be_shortened_is_said_once(waits, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(expulsion, "write", full)
    assert [waits.turn() for _look in range(3)] == ["30"] * 3
    assert sum("stays as it is" in text for text in waits.guards.said) == 1


def test_a_full_disk_does_not_end_the_guard(places, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(host, "write", full)
    memory = host.Memory()
    memory.note(seen(up=1.0, view=("db0:3306",), state="ONLINE"), now=100.0)
    assert memory.view == ("db0:3306",)


# -- metrics -----------------------------------------------------------------------------------------------------------
def test_metrics_are_those_of_the_member(world, guards, places, capsys, tmp_path):
    world.group(*NAMES)
    guards.turn("db0")
    world.servers["db0"].transactions = {"longest": 7, "largest": 8}
    assert command.main("1.0.0", ["metrics"]) == 0
    printed = capsys.readouterr().out
    names = f'{{group_name="{GROUP}",member="db0:3306"}}'
    for line in (f"mysql_gr_up{names} 1", f"mysql_gr_quorum_margin{names} 1", f"mysql_gr_guard_up{names} 1",
                 f"mysql_gr_planned{names} 0", f"mysql_gr_longest_transaction_seconds{names} 7"):  # fmt: skip
        assert line in printed.splitlines()
    assert "peer-Secret-1" not in printed
    # The same, in a file that node_exporter's account may read.
    target = tmp_path / "mysql_gr.prom"
    target.write_text("before")
    target.chmod(0o600)
    before = target.stat().st_ino
    old = os.umask(0o077)
    try:
        assert command.main("1.0.0", ["metrics", "--write", str(target)]) == 0
    finally:
        os.umask(old)
    assert target.read_text().startswith("# HELP mysql_gr_up") and target.stat().st_ino != before
    assert target.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.glob("*.prom*")] == ["mysql_gr.prom"]


def test_metrics_change_nothing_and_look_at_tables_once_an_hour(world, guards, places, monkeypatch):
    world.group(*NAMES)
    guards.turn("db0")
    server, clock = world.servers["db0"], [time.time()]
    monkeypatch.setattr(measure.time, "time", lambda: clock[0])
    looked = []
    monkeypatch.setattr(
        measure, "look", lambda ask, history: looked.append(history) or Data(without_key=Tables(2, ["a.b"]))
    )
    server.statements.clear()
    for seconds, expected in ((0, 1), (3599, 1), (3600, 2), (-9999, 3)):
        clock[0] += seconds
        assert 'kind="without_key",member="db0:3306"} 2' in measure.metrics()
        assert looked == [False] * expected
    assert not [text for text in server.statements if not text.startswith(("SELECT", "SET SESSION", "SET @@SESSION"))]


def test_metrics_of_the_primary_of_a_standby(world, guards, places):
    world.group(*NAMES)
    guards.turn("db0")
    names = f'{{group_name="{GROUP}",member="db0:3306"}}'
    assert f"mysql_gr_standby{names} 0" in measure.metrics()
    world.servers["db0"].inbound = [
        {"channel": "site", "host": "other", "port": 3306, "source_uuid": "x", "receiver": "ON", "applier": "OFF", "received": "", "receiver_error": "",
         "applier_error": "stopped", "state": "ON"}
    ]  # fmt: skip
    text = measure.metrics()
    assert f"mysql_gr_standby{names} 1" in text and f"mysql_gr_standby_follows{names} 0" in text


def test_metrics_of_a_server_that_is_down(world, guards, places):
    world.group(*NAMES)
    guards.turn("db0")
    world.servers["db0"].alive = False
    text = measure.metrics()
    names = f'{{group_name="{GROUP}",member="db0:3306"}}'
    assert f"mysql_gr_up{names} 0" in text and f"mysql_gr_writable{names} 0" in text
    assert "mysql_gr_quorum_margin" not in text


def test_metrics_of_a_server_that_ends_meanwhile(world, guards, places, monkeypatch):
    def ends(*_arguments):
        raise measure.ServerError("gone", lost=True)

    world.group(*NAMES)
    guards.turn("db0")
    monkeypatch.setattr(measure, "certificate_of", ends)
    assert "mysql_gr_quorum_margin" in measure.metrics()


def test_a_server_that_was_told_to_stop_is_out_on_purpose(world, guards, places, monkeypatch):
    world.group(*NAMES)
    guards.turn("db0")
    (places.kept / lease.LEAVING).touch()
    assert f'mysql_gr_planned{{group_name="{GROUP}",member="db0:3306"}} 1' in measure.metrics()
    now = time.time()
    monkeypatch.setattr(measure.time, "time", lambda: now + 301)
    assert f'mysql_gr_planned{{group_name="{GROUP}",member="db0:3306"}} 0' in measure.metrics()


@pytest.mark.parametrize(("frozen", "up"), [("db0", 0), ("db2", 1)])
def test_a_frozen_server_does_not_let_metrics_grow_old(world, guards, places, monkeypatch, frozen, up):
    """Neither the own one, nor a peer: it counts as one that does not answer."""
    world.group(*NAMES)
    guards.turn("db0")
    thaws, ask = threading.Event(), measure.make_cluster.__globals__["Cluster"]._ask

    def hangs(self, address):
        if address == f"{frozen}:3306":
            thaws.wait(60)
        return ask(self, address)

    monkeypatch.setattr(measure.make_cluster.__globals__["Cluster"], "_ask", hangs)
    monkeypatch.setattr(measure, "TOGETHER", 0.5)
    began = time.monotonic()
    text = measure.metrics()
    thaws.set()
    assert time.monotonic() - began < 30
    names = f'{{group_name="{GROUP}",member="db0:3306"}}'
    assert f"mysql_gr_up{names} {up}" in text and f"mysql_gr_uncertain{names} 1" in text
    assert ("mysql_gr_quorum_margin" in text) == bool(up)


def test_metrics_without_options_are_refused_in_one_sentence(places, capsys):
    assert command.main("1.0.0", ["metrics"]) == 1
    assert capsys.readouterr().err == f"mysql-gr-guard: {lease.OPTIONS}: members, member, group_name must be given\n"


def test_metrics_of_a_host_without_a_guard_have_options_of_their_own(world, guards, places, tmp_path, capsys):
    world.group(*NAMES)
    guards.turn("db0")
    elsewhere = tmp_path / "metrics.json"
    assert command.main("1.0.0", ["metrics", "--options", str(elsewhere)]) == 1
    assert str(elsewhere) in capsys.readouterr().err
    lease.OPTIONS.rename(elsewhere)
    assert command.main("1.0.0", ["metrics", "--options", str(elsewhere)]) == 0
    assert "mysql_gr_quorum_margin" in capsys.readouterr().out


def test_info_says_until_when_the_certificate_is_valid(run, world, guards):
    world.group(*NAMES)
    found = run(group_replication_info, on="db0")["certificate"]
    assert found["expires"] == "Nov 27 12:00:00 2036 GMT" and found["days_left"] > 0
    assert found["ca_days_left"] is None


def test_info_says_until_when_the_ca_is_valid_that_signed_the_certificate(run, world, tmp_path):
    pytest.importorskip("cryptography.x509")
    from support_certificates import CA

    world.group(*NAMES)
    own, other = CA(tmp_path, "own"), CA(tmp_path, "other")
    both = tmp_path / "both.pem"
    both.write_text(other.text + own.text)
    world.servers["db0"].files = {"ca": str(both), "cert": own.issue("db0", "192.0.2.130").cert}
    assert run(group_replication_info, on="db0")["certificate"]["ca_days_left"] in (3649, 3650)
    world.servers["db0"].files["ca"] = other.path
    assert run(group_replication_info, on="db0")["certificate"]["ca_days_left"] is None


def test_info_says_what_the_server_noted(run, world, guards):
    world.group(*NAMES)
    noted = {"at": "1795799547.302", "severity": "Warning", "code": "MY-011499", "what": "Members removed"}
    world.servers["db0"].noted = [noted, noted]
    assert run(group_replication_info, on="db0")["events"] == []
    event = {"at": 1795799547.302, "severity": "warning", "code": "MY-011499", "what": "Members removed"}
    assert run(group_replication_info, on="db0", events=1)["events"] == [event]
    assert run(group_replication_info, on="db0", events=1000)["events"] == [event, event]
    world.servers["db0"].version = "8.0.21"
    assert run(group_replication_info, on="db0", events=9)["events"] == []


@pytest.mark.parametrize("number", [-1, 1001])
def test_info_refuses_a_number_of_events_that_is_not_allowed(run, world, number):
    answer = run(group_replication_info, on="db0", events=number)
    assert answer["failed"] and answer["msg"] == f"events: {number} is not allowed (allowed: 0 to 1000)"


def test_info_says_what_the_guard_says(run, world, guards):
    world.group(*NAMES)
    assert run(group_replication_info, on="db0")["guard"] == {}
    guards.turn("db0")
    assert run(group_replication_info, on="db0")["guard"]["rule"] == "online"


# -- the program -------------------------------------------------------------------------------------------------------
def test_status_says_what_it_decides_and_exits_by_it(world, guards, places, capsys):
    assert command.main("1.0.0", ["status"]) == command.NONE
    world.servers["db2"].alive = False
    guards.turn("db0")
    assert command.main("1.0.0", ["status"]) == command.ASIDE
    shown = capsys.readouterr().out
    assert "mode full" in shown and "(unasked)" in shown and "db2:3306" in shown
    world.group("db0", "db1")
    guards.turn("db0")
    assert command.main("1.0.0", ["status", "--json"]) == command.WELL
    assert json.loads(capsys.readouterr().out)["rule"] == "online"
    state = json.loads((places.run / "state").read_text())
    (places.run / "state").write_text(json.dumps({**state, "pid": 1 << 30}))
    assert command.main("1.0.0", ["status"]) == command.NONE, "it was killed"


def plain_python(*arguments):
    """Python with its standard library alone: neither Ansible nor this checkout."""
    return subprocess.run(
        [sys.executable, "-I", "-S", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_the_program_is_one_text_and_runs_where_there_is_no_ansible(tmp_path):
    text = host_program.host_program("mysql-gr-guard", "#!/usr/bin/python3")
    host_program.host_program.cache_clear()
    assert text == host_program.host_program("mysql-gr-guard", "#!/usr/bin/python3") and text.isascii()
    program = tmp_path / "mysql-gr-guard"
    program.write_text(text)
    done = plain_python(program, "--version")
    assert done.stdout.startswith(host_program.collection_version() + "-"), done.stderr
    check = (
        f"import runpy, sys; runpy.run_path({str(program)!r}, run_name='guard'); "
        "import ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.watch as watch; "
        "print(watch.__spec__.origin, [name for name in sys.modules if name.split('.')[0] in ('ansible', 'cryptography') and sys.modules[name]])"
    )
    done = plain_python("-c", check)
    assert done.stdout == f"{program} []\n", done.stderr


def test_the_program_has_the_version_of_an_installed_collection(tmp_path):
    (tmp_path / "MANIFEST.json").write_text(json.dumps({"collection_info": {"version": "7.8.9"}}))
    assert host_program.collection_version(tmp_path) == "7.8.9"


def test_a_bad_start_is_one_sentence(places, capsys):
    places.options.write_text("{}")
    assert command.main("1.0.0", ["run"]) == 1
    assert "must be given" in capsys.readouterr().err
