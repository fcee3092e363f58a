# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the actions, and what is undone when one fails; the servers are stand-ins that note what they are told."""

from __future__ import annotations

import json
import threading
import time
from types import SimpleNamespace

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import operation, starting
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection, Recorder, ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import Data, Schema, Tables, mark_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import ApplierError, Channel
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rehearsal import expected
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import Situation
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.starting import Starter
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.turns import Pause
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs import clone
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.member import Member
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils._service import parse_state
from gr_model import GROUP, MEMBERS, UUIDS, change, entry, facts_of, gone, group_of, outage

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "Check mode says the statements of the real run; what fails leaves no flag on, no lock held and no server open."
    ),
]

DB0, DB1, DB2 = MEMBERS
ON = "SET GLOBAL group_replication_bootstrap_group = ON"
CLOSED = "SET GLOBAL super_read_only = ON"
OFF = "SET GLOBAL group_replication_bootstrap_group = OFF"


class FakeConnection(Connection):
    """Notes every statement in the world's journal and answers from it."""

    def __init__(self, world, address):
        super().__init__(address, world.recorder)
        self.world = world

    def open(self):
        return self

    def query(self, text, args=None):
        self.world.journal.append((self.where, text.split("(")[0].strip() if "LOCK" in text else text))
        return self.world.answer(self.where, text)


class World:
    """Facts over time, and a journal of what was told to whom."""

    def __init__(self, *steps):
        self.steps = list(steps)
        self.journal = []
        self.recorder = Recorder()
        self.errors = {}
        self.lock = "lock"
        self.data = {}
        self.members = MEMBERS
        self.locks = {}
        self.holders = {}
        self.state = "ONLINE"
        self.receivers = [0]
        self.closed = [0]
        self.clone_states = ["Completed"]
        self.clone_may_end = threading.Event()
        self.connections = {address: FakeConnection(self, address) for address in MEMBERS}

    def answer(self, address, text):
        for word, error in self.errors.items():
            if word in text:
                raise error
        if "IS_USED_LOCK" in text:
            return self.holders.get(address, [])
        if "GET_LOCK" in text:
            return [{"got": self.locks.get(address, 1)}]
        if "AS receivers" in text:
            return [{"receivers": self.receivers.pop(0) if len(self.receivers) > 1 else self.receivers[0]}]
        if "AS closed" in text:
            return [{"closed": self.closed.pop(0) if len(self.closed) > 1 else self.closed[0]}]
        if "slave_master_info" in text:
            return [{"user": "repl", "password": "secret"}]
        if "MEMBER_STATE" in text:
            return [{"state": self.state}]
        if "clone_status" in text:
            state = self.clone_states.pop(0) if len(self.clone_states) > 1 else self.clone_states[0]
            if state == "gone":
                raise ServerError("the connection was lost", 2013, lost=True)
            return [{"state": state, "message": "the donor went away" if state == "Failed" else ""}]
        if "clone_progress" in text:
            return [{"stage": "FILE COPY", "state": "In Progress", "estimate": 1000, "data": 250}]
        if "CLONE INSTANCE" in text:
            self.clone_may_end.wait(5)
            raise ServerError("the connection was lost", 2013, lost=True)
        if "ssl_ca" in text:
            return [{"ssl_ca": "", "ssl_cert": "", "ssl_key": "", "datadir": ""}]
        if "NOW(6)" in text:
            return [{"now": "2026-01-01"}]
        return []

    def gather(self, only=None):
        facts = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        self.journal.append(("all", "gather"))
        return {address: facts[address] for address in only or self.members}

    def look_at_data(self, history):
        """What the facts say is what there is."""

    def with_data(self, facts):
        return facts

    def connection(self, address):
        return self.connections[address]

    def told(self, address=None):
        """Statements, without the reading ones."""
        return [
            text
            for where, text in self.journal
            if (address in (None, where)) and not text.startswith("SELECT M") and text != "gather"
        ]


def manager(world, me=DB0, check_mode=False, timeout=5, turn=None, warn=None, **wish):
    """A run that is past its preparation."""
    params = {"recovery_password": "secret", "timeout": timeout, "turn": turn}
    made = Member(params, check_mode, warn)
    made.wish = {
        "state": "present", "clone": "never", "group_name": GROUP, "recovery_user": "repl", "acting": None, "bootstrap_without": [],
        "bootstrap_from": None, **wish,
    }  # fmt: skip
    world.me, world.local = me, world.connections[me]
    world.local.rehearsing = check_mode
    made.cluster = world
    world.recorder.statements[:] = made.recorder.statements
    made.recorder = world.recorder
    made.cloner.extra_connection = lambda: world.connections[me]
    if not turn or "left" not in turn:
        made.deadline = time.monotonic() + timeout
    return made


def loop(made):
    made.facts = made.cluster.gather()
    made.before = made.before or made.snapshot()
    made.work()
    return made


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(operation, "POLL", 0.001)
    monkeypatch.setattr(operation, "SETTLE", 0.001)


NOBODY, FORMED = outage("", "", ""), group_of(dict.fromkeys(MEMBERS, "ONLINE"))


def test_bootstrap_happens_under_locks_and_the_flag_goes_off():
    world = World(NOBODY, NOBODY, FORMED)
    made = loop(manager(world))
    told = world.told()
    assert [where for where, text in world.journal if text == "SELECT GET_LOCK"] == sorted(MEMBERS)
    assert told.index(ON) < told.index("START GROUP_REPLICATION") < told.index(OFF)
    gathers = [index for index, item in enumerate(world.journal) if item == ("all", "gather")]
    locks = [index for index, item in enumerate(world.journal) if item[1] == "SELECT GET_LOCK"]
    flag = world.journal.index((DB0, ON))
    assert any(locks[-1] < index < flag for index in gathers), "the facts were not gathered again under the lock"
    releases = [index for index, item in enumerate(world.journal) if item[1] == "SELECT RELEASE_LOCK"]
    assert len(releases) == 3
    assert min(releases) > world.journal.index((DB0, OFF))
    assert made.decision.action == "bootstrap"
    assert made.changed


def test_somebody_bootstrapped_before_the_lock_was_ours():
    """The decision under the lock counts: this member joins instead."""
    other = group_of({DB1: "ONLINE"})
    world = World(NOBODY, other, other, FORMED)
    made = loop(manager(world))
    assert ON not in world.told()
    assert "START GROUP_REPLICATION" in world.told()
    assert made.decision.action == "join"


@pytest.mark.parametrize("code", [1045, 3092, 3094, 0])
def test_the_flag_goes_off_when_the_start_fails(code):
    world = World(NOBODY)
    world.errors["START GROUP_REPLICATION"] = ServerError("it failed", code)
    with pytest.raises(Refusal, match="START GROUP_REPLICATION failed: it failed"):
        loop(manager(world))
    told = world.told(DB0)
    assert told.index(ON) < told.index(OFF)
    assert [text for text in world.told() if text == "SELECT RELEASE_LOCK"] == ["SELECT RELEASE_LOCK"] * 3


def test_another_start_under_way_is_waited_for():
    world = World(NOBODY, NOBODY, NOBODY, NOBODY, FORMED)
    world.errors["START GROUP_REPLICATION"] = ServerError("another instance of START", 3663)
    loop(manager(world))
    assert world.told(DB0).count(OFF) == world.told(DB0).count(ON)


def test_a_server_that_another_start_has_is_not_closed():
    """It opens itself when it is ONLINE; closed after that, it would refuse writes for good."""
    world = World(group_of({DB0: "ONLINE"}), FORMED)
    world.receivers = [1]
    world.errors["START GROUP_REPLICATION"] = ServerError("already running", 3093)
    loop(manager(world, me=DB1))
    assert CLOSED not in world.told(DB1)


@pytest.mark.parametrize(("closed", "opened"), [([1, 0], False), ([1], True)])
def test_a_server_closed_while_another_start_had_success_is_opened_again(monkeypatch, closed, opened):
    """The other START ended between the look and the SET; one that still runs opens the server itself."""
    monkeypatch.setattr(starting, "OPENED_WITHIN", 0.3)
    world = World(group_of({DB0: "ONLINE"}), FORMED)
    world.closed = closed
    world.errors["START GROUP_REPLICATION"] = ServerError("already running", 3093)
    loop(manager(world, me=DB1))
    told = world.told(DB1)
    assert CLOSED in told
    assert ("SET GLOBAL read_only = OFF" in told[told.index(CLOSED) :]) is opened


@pytest.mark.parametrize(("other", "opened"), [("9.6.0", False), ("9.7.2", True)])
def test_a_member_that_is_newer_than_its_group_stays_closed(monkeypatch, other, opened):
    """MySQL itself keeps it read-only, and shows it as a primary; within one long-term series there is no difference."""
    monkeypatch.setattr(starting, "OPENED_WITHIN", 0.1)
    mixed = group_of(dict.fromkeys(MEMBERS, "ONLINE"))
    for facts in mixed.values():
        facts.view[UUIDS[DB0]] = entry(DB0, version=other)
    world = World(group_of({DB0: "ONLINE"}), mixed)
    world.closed = [1]
    world.errors["START GROUP_REPLICATION"] = ServerError("already running", 3093)
    loop(manager(world, me=DB1))
    assert CLOSED in world.told(DB1) and ("SET GLOBAL read_only = OFF" in world.told(DB1)) is opened


ADDED = (
    "[Warning] '[GCS] Automatically adding IPv4 localhost address to the allowlist. It is mandatory that it is added.'"
)
LATE = "[ERROR] 'Timeout on wait for view after joining group'"


@pytest.mark.parametrize(
    ("log", "passes"),
    [
        ([ADDED, LATE], True),  # every START writes the first line, also one that fails
        ([ADDED, LATE, "[ERROR] 'The member contains transactions not present in the group.'"], False),
        ([ADDED, "[Warning] 'Connection attempt refused. Address is not in the IP allowlist.'", LATE], False),
        ([ADDED], False),
    ],
)
def test_a_join_that_was_too_slow_is_tried_again(monkeypatch, log, passes):
    made = manager(World(FORMED))
    monkeypatch.setattr(made.starter, "error_log", lambda: log)
    assert made.starter.may_pass() is passes


def test_a_lock_that_another_controller_keeps_ends_in_a_timeout():
    world = World(NOBODY)
    world.locks[DB1] = 0
    with pytest.raises(Refusal, match="another controller holds the lock 'lock' on db1:3306"):
        loop(manager(world, timeout=0.2))
    assert ON not in world.told()
    # What was taken before is given back.
    assert [where for where, text in world.journal if text == "SELECT RELEASE_LOCK"] == [DB0]


HOLDER = {"id": 7, "user": "gr_peer", "host": "192.0.2.9"}


def test_the_holder_of_a_lock_is_named():
    world = World(NOBODY)
    world.locks[DB1], world.holders[DB1] = 0, [HOLDER]
    made = manager(world, timeout=0.2)
    made.params["peer_user"] = "gr_peer"
    with pytest.raises(
        Refusal, match="another controller holds the lock 'lock' on db1:3306, by gr_peer@192.0.2.9 \\(connection 7\\)"
    ):
        loop(made)


def test_a_lock_that_no_controller_holds_is_not_waited_for():
    """GET_LOCK needs no privilege: any account can block a join, and then it is to be known at once who does."""
    world = World(NOBODY)
    world.locks[DB1], world.holders[DB1] = 0, [dict(HOLDER, user="app")]
    made = manager(world, timeout=60)
    made.params["peer_user"] = "gr_peer"
    before = time.monotonic()
    with pytest.raises(Refusal, match="held by app@192.0.2.9 \\(connection 7\\), which is no account of a controller"):
        loop(made)
    assert time.monotonic() - before < 10
    assert ON not in world.told()


@pytest.mark.parametrize(("facts", "me"), [(NOBODY, DB0), (group_of({DB1: "ONLINE", DB2: "ONLINE"}), DB0)])
def test_a_start_without_success_leaves_no_server_open(facts, me):
    world = World(facts)
    world.errors["START GROUP_REPLICATION"] = ServerError("it failed", 3094)
    made = manager(world, me=me)
    with pytest.raises(Refusal, match="it failed"):
        loop(made)
    told = world.told(me)
    assert told.index(CLOSED) < told.index("START GROUP_REPLICATION")
    assert "super_read_only = OFF" not in str(told)
    assert made.changed
    closed = {address: item._replace(super_read_only=True) for address, item in facts.items()}
    world = World(closed)
    world.errors["START GROUP_REPLICATION"] = ServerError("it failed", 3094)
    with pytest.raises(Refusal, match="it failed"):
        loop(manager(world, me=me))
    assert CLOSED not in world.told(me)


def unappliable(state, at):
    facts = group_of(
        {DB0: "ONLINE", DB1: state, DB2: "ONLINE"} if state != "OFFLINE" else {DB0: "ONLINE", DB2: "ONLINE"}
    )
    change(facts, DB1, applier_error=ApplierError(1146, "Table 'app.t' doesn't exist", at))
    return facts


@pytest.mark.parametrize("state", ["ERROR", "RECOVERING", "OFFLINE"])
def test_an_applier_that_stops_with_an_error_ends_the_run_at_once(state):
    world = World(group_of({DB0: "ONLINE", DB2: "ONLINE"}), unappliable(state, "2026-01-02 00:00:00"))
    with pytest.raises(Refusal, match="cannot apply the group's transactions: Table 'app.t' doesn't exist"):
        loop(manager(world, me=DB1, timeout=60))
    assert world.told(DB1).count("START GROUP_REPLICATION") == 1
    assert ("STOP GROUP_REPLICATION" in world.told(DB1)) is (state == "RECOVERING")


def test_an_error_of_the_applier_from_before_is_no_reason_not_to_try():
    """Somebody may have made good what was in the way."""
    before = "2025-12-31 00:00:00"
    others = group_of({DB0: "ONLINE", DB2: "ONLINE"})
    world = World(unappliable("ERROR", before), others, unappliable("RECOVERING", before), FORMED)
    assert loop(manager(world, me=DB1)).decision.action == "join"


def test_what_the_server_writes_nowhere_about_tls_is_found_out(monkeypatch):
    monkeypatch.setattr(starting, "own_files", lambda settings, variables: "files")
    monkeypatch.setattr(starting, "handshake_trouble", lambda files, address: f"certificate has expired, {address}")
    facts = group_of({DB1: "ONLINE", DB2: "ONLINE"})
    change(facts, DB1, local_address="db1:33061")
    world = World(facts)
    world.errors["START GROUP_REPLICATION"] = ServerError("see the error log", 3092)
    with pytest.raises(
        Refusal, match="START GROUP_REPLICATION failed: TLS .* db1:33061 fails: certificate has expired, db1:33061"
    ):
        loop(manager(world, timeout=60))
    assert world.told(DB0).count("START GROUP_REPLICATION") == 1


MYSQL_STACK = {"group_replication_communication_stack": "MYSQL", "group_replication_recovery_ssl_ca": "/ca.pem"}


@pytest.mark.parametrize(
    ("mode", "ca", "name"),
    [("REQUIRED", None, False), ("VERIFY_CA", "/ca.pem", False), ("VERIFY_IDENTITY", "/ca.pem", True)],
)
@pytest.mark.parametrize(
    ("closed", "error", "ends"),
    [
        (DB0, ServerError("db0 refuses account 'repl'", 1045), True),
        (DB2, ServerError("db2: no TLS (certificate verify failed)", 2003, lost=True), True),
        (DB2, ServerError("db2 does not answer (timed out)", 2003, lost=True), False),
        (DB2, ServerError("db2: error 1040: Too many connections", 1040), False),
    ],
)
def test_an_account_by_which_no_member_is_reached_is_named(monkeypatch, mode, ca, name, closed, error, ends):
    """With the communication stack MYSQL, where the server writes no reason."""
    asked = []

    def peer(address, *arguments, **options):
        asked.append((address, *arguments, options["check_hostname"]))
        return SimpleNamespace(open=lambda: refuse() if address == closed else SimpleNamespace(close=lambda: None))

    def refuse():
        raise error

    monkeypatch.setattr(starting, "peer_connection", peer)
    facts = group_of({DB1: "ONLINE", DB2: "ONLINE"})
    change(facts, DB0, settings={**facts[DB0].settings, **MYSQL_STACK, "group_replication_ssl_mode": mode})
    made = manager(World(facts))
    made.facts = facts
    found = Starter(made).account_trouble()
    assert found == (f"the group's connections are those of the recovery account: {error}" if ends else "")
    reached = (DB0, DB1, DB2)[: 1 if closed == DB0 else 3]
    assert asked == [(address, "repl", "secret", ca, name) for address in reached]


def test_a_start_that_fails_for_the_account_is_not_tried_again(monkeypatch):
    monkeypatch.setattr(Starter, "account_trouble", lambda self: "the recovery account is locked")
    world = World(group_of({DB1: "ONLINE", DB2: "ONLINE"}))
    world.errors["START GROUP_REPLICATION"] = ServerError("see the error log", 3092)
    with pytest.raises(Refusal, match="START GROUP_REPLICATION failed: the recovery account is locked"):
        loop(manager(world, timeout=60))
    assert world.told(DB0).count("START GROUP_REPLICATION") == 1


def test_an_account_is_asked_for_only_where_the_group_uses_it(monkeypatch):
    monkeypatch.setattr(starting, "peer_connection", None)
    facts = group_of({DB1: "ONLINE"})
    made = manager(World(facts))
    made.facts = facts
    assert Starter(made).account_trouble() == ""
    change(facts, DB0, settings={**facts[DB0].settings, **MYSQL_STACK})
    made.wish["recovery_user"] = None
    assert Starter(made).account_trouble() == ""


def test_members_given_up_are_not_locked():
    world = World({**NOBODY, DB2: gone(DB2)}, {**NOBODY, DB2: gone(DB2)}, FORMED)
    loop(manager(world, bootstrap_without=[DB2]))
    assert [where for where, text in world.journal if text == "SELECT GET_LOCK"] == [DB0, DB1]


JOINS = group_of({DB1: "ONLINE", DB2: "ONLINE"})


def test_members_join_one_after_the_other():
    world = World(JOINS, FORMED)
    loop(manager(world))
    told = [
        item
        for item in world.journal
        if item[1] in ("SELECT GET_LOCK", "START GROUP_REPLICATION", "SELECT RELEASE_LOCK")
    ]
    assert told == [(DB1, "SELECT GET_LOCK"), (DB0, "START GROUP_REPLICATION"), (DB1, "SELECT RELEASE_LOCK")]


def test_a_member_does_not_join_while_another_one_does():
    world = World(JOINS)
    world.locks[DB1] = 0
    with pytest.raises(Refusal, match="another controller holds the lock 'lock:join' on db1:3306"):
        loop(manager(world, timeout=0.2))
    assert "START GROUP_REPLICATION" not in world.told()
    made = manager(world, turn={"seconds": 0.05})
    with pytest.raises(Pause, match="another run holds the lock 'lock:join' on db1:3306"):
        loop(made)
    assert "START GROUP_REPLICATION" not in world.told()


def test_the_lock_of_joins_is_no_reason_to_fail():
    """The member that was to hold it is gone: the others may still be a group."""
    world = World(JOINS, group_of({DB1: "ONLINE", DB2: "ONLINE"}), FORMED)
    world.errors["GET_LOCK"] = ServerError("the connection was lost", 2013, lost=True)
    made = loop(manager(world))
    assert made.decision.action == "join"
    assert "START GROUP_REPLICATION" not in world.told()


def test_a_refusal_must_be_seen_twice():
    """A member that just restarts is not a reason to fail."""
    world = World({**NOBODY, DB2: gone(DB2)}, group_of({DB0: "ONLINE", DB1: "ONLINE"}), FORMED)
    made = loop(manager(world, me=DB1))
    assert made.decision.action == "unchanged"
    world = World({**NOBODY, DB2: gone(DB2)})
    with pytest.raises(Refusal, match="unreachable is not absent"):
        loop(manager(world))
    assert world.told() == []


def test_a_member_waits_for_the_seed_and_says_so_when_it_never_comes():
    with pytest.raises(Refusal, match="is the task running on db0:3306 at the same time"):
        loop(manager(World(NOBODY), me=DB1, timeout=0.2))
    world = World(NOBODY, group_of({DB0: "ONLINE"}), FORMED)
    assert loop(manager(world, me=DB1)).decision.action == "join"
    assert world.told(DB1).count("START GROUP_REPLICATION") == 1


def test_error_state_is_stopped_before_anything_else():
    """Also before waiting for the group to forget this server: the STOP may be what makes it do so."""
    listed = group_of({DB0: "ONLINE", DB1: "ONLINE", DB2: "ERROR"})
    assert "ERROR" in [line.state for line in listed[DB0].view.values()]
    world = World(listed, listed, group_of({DB0: "ONLINE", DB1: "ONLINE"}), FORMED)
    loop(manager(world, me=DB2))
    told = world.told(DB2)
    assert told.index("STOP GROUP_REPLICATION") < told.index("START GROUP_REPLICATION")
    stop = world.journal.index((DB2, "STOP GROUP_REPLICATION"))
    start = world.journal.index((DB2, "START GROUP_REPLICATION"))
    assert sum(item == ("all", "gather") for item in world.journal[stop:start]) == 2


def test_credentials_only_when_they_differ():
    world = World(FORMED)
    assert not loop(manager(world)).changed
    made = manager(World(FORMED))
    made.params["recovery_password"] = "new secret"
    loop(made)
    assert made.changed
    assert made.recorder.statements == [
        "CHANGE REPLICATION SOURCE TO SOURCE_USER='repl', SOURCE_PASSWORD='********' FOR CHANNEL 'group_replication_recovery'"
    ]


def test_wrong_recovery_account_fails_at_once_and_stops_what_it_started():
    recovering = group_of({DB0: "ONLINE", DB1: "RECOVERING"})
    change(recovering, DB1, channels={"group_replication_recovery": Channel("OFF", 1045, "Access denied")})
    world = World(group_of({DB0: "ONLINE"}), recovering)
    with pytest.raises(Refusal, match="the donor refuses the recovery account 'repl': Access denied"):
        loop(manager(world, me=DB1))
    assert world.told(DB1)[-1].startswith("SELECT LOGGED") or "STOP GROUP_REPLICATION" in world.told(DB1)
    assert "STOP GROUP_REPLICATION" in world.told(DB1)
    # A member that somebody else started is left alone.
    world = World(recovering)
    with pytest.raises(Refusal, match="refuses the recovery account"):
        loop(manager(world, me=DB1))
    assert "STOP GROUP_REPLICATION" not in world.told(DB1)


def test_the_old_incarnation_is_waited_for():
    view = group_of({DB0: "ONLINE", DB1: "ONLINE"})
    from gr_model import UUIDS, entry

    for address in (DB0, DB1):
        view[address].view[UUIDS[DB2]] = entry(DB2, "UNREACHABLE")
    world = World(view, view, view, group_of({DB0: "ONLINE", DB1: "ONLINE"}), FORMED)
    loop(manager(world, me=DB2))
    start = world.journal.index((DB2, "START GROUP_REPLICATION"))
    assert sum(item == ("all", "gather") for item in world.journal[:start]) >= 4


@pytest.mark.parametrize(
    ("facts", "me", "wish", "action", "statements"),
    [
        (NOBODY, DB0, {}, "bootstrap", [CLOSED, ON, "START GROUP_REPLICATION", OFF]),
        (NOBODY, DB1, {}, "wait_for_seed", [CLOSED, "START GROUP_REPLICATION"]),
        (group_of({DB0: "ONLINE"}), DB1, {}, "join", [CLOSED, "START GROUP_REPLICATION"]),
        (FORMED, DB1, {}, "unchanged", []),
        (FORMED, DB1, {"state": "absent"}, "leave", ["STOP GROUP_REPLICATION", "SET PERSIST group_replication_start_on_boot = 'OFF'"]),
        (group_of({DB0: "ONLINE"}), DB1, {"state": "absent"}, "stay_out", ["SET PERSIST group_replication_start_on_boot = 'OFF'"]),
    ],
)  # fmt: skip
def test_check_mode_says_what_would_be_done_and_does_nothing(facts, me, wish, action, statements):
    world = World(facts)
    made = manager(world, me=me, check_mode=True, **wish)
    result = loop(made).report()
    assert result["decision"] == action
    assert result["statements"] == statements
    assert result["changed"] is bool(statements)
    assert [text for text in world.told() if not text.startswith("SELECT")] == []
    assert (result["diff"]["before"] != result["diff"]["after"]) is bool(statements)


def in_group(facts, address, **changes):
    """The facts with this server changed, and everything else as it is."""
    return change(dict(facts), address, **changes)


def flagged():
    return change(outage("", "", ""), DB0, bootstrap_flag=True, bootstrap_flag_source="DYNAMIC")


def expelled():
    """db2 is in ERROR, with the other mode, and was told to stay out; the others still list it."""
    facts = group_of({DB0: "ONLINE", DB1: "ONLINE", DB2: "ERROR"})
    mine = {
        "group_replication_single_primary_mode": "ON",
        "group_replication_enforce_update_everywhere_checks": "OFF",
    }
    change(facts, DB2, settings={**facts[DB2].settings, **mine}, persisted={"group_replication_start_on_boot": "OFF"})
    return facts


def without_db2():
    return group_of({DB0: "ONLINE", DB1: "ONLINE"})


OUT = group_of({DB0: "ONLINE", DB1: "ONLINE"}, start_on_boot=False)
# What a run does that sees these facts, one after the other. In check mode it sees the first ones only.
REAL_RUNS = {
    "bootstrap": ([NOBODY, NOBODY, FORMED], DB0, {}),
    "bootstrap of a member in ERROR": ([group_of(dict.fromkeys(MEMBERS, "ERROR"))] * 2 + [FORMED], DB0, {}),
    "wait for the seed, then join": ([NOBODY, group_of({DB0: "ONLINE"}), FORMED], DB1, {}),
    "join": ([group_of({DB0: "ONLINE"}), FORMED], DB1, {}),
    "join after an expulsion": ([expelled(), without_db2(), FORMED], DB2, {}),
    "join with another account": ([group_of({DB0: "ONLINE"}), FORMED], DB1, {"recovery_user": "other"}),
    "another account": ([FORMED], DB1, {"recovery_user": "other"}),
    "back after a boot": ([in_group(FORMED, DB1, persisted={"group_replication_start_on_boot": "OFF"})], DB1, {}),
    "flag, then bootstrap": ([flagged(), flagged(), NOBODY, NOBODY, FORMED], DB0, {}),
    "leave": ([FORMED, FORMED, OUT], DB2, {"state": "absent"}),
    "leave out of ERROR": (
        [group_of({DB0: "ONLINE", DB1: "ONLINE", DB2: "ERROR"})] * 2 + [OUT],
        DB2,
        {"state": "absent"},
    ),
    "stay out": ([without_db2(), OUT], DB2, {"state": "absent"}),
    "nothing to do": ([FORMED], DB1, {}),
    "recovering": ([group_of({**dict.fromkeys(MEMBERS, "ONLINE"), DB1: "RECOVERING"}), FORMED], DB1, {}),
}


def same_account(world, user="repl"):
    """The channel has the account that it was given, as a server would say from then on."""
    answer = world.answer

    def told(address, text):
        if "slave_master_info" in text and any("SOURCE_USER='other'" in line for line in world.recorder.statements):
            return [{"user": "other", "password": "secret"}]
        return answer(address, text)

    world.answer = told


@pytest.mark.parametrize("name", REAL_RUNS)
def test_check_mode_says_the_statements_of_the_real_run(name):
    steps, me, wish = REAL_RUNS[name]
    real, checked = World(*steps), World(steps[0])
    same_account(real)
    made = loop(manager(real, me=me, **wish))
    rehearsed = loop(manager(checked, me=me, check_mode=True, **wish))
    assert rehearsed.recorder.statements == made.recorder.statements
    assert rehearsed.changed == made.changed
    assert not [text for text in checked.told() if not text.startswith("SELECT")], "check mode ran a statement"
    assert rehearsed.report()["after"]["state"] == made.report()["after"]["state"]


def test_check_mode_says_the_statements_of_a_real_clone():
    def before():
        return change(to_clone(), DB2, clone_active=False)

    cloned = change(to_clone(), DB2, gtid_executed=GROUP + ":1-9", super_read_only=False, read_only=False)
    real, checked = World(before(), before(), cloned, FORMED), World(before())
    real.clone_may_end.set()
    made = loop(manager(real, me=DB2, clone="reprovision"))
    rehearsed = loop(manager(checked, me=DB2, clone="reprovision", check_mode=True))
    assert rehearsed.decision.action == "clone" and made.decision.action == "join"
    told = rehearsed.recorder.statements
    assert [text for text in told if text != CLOSED] == [text for text in made.recorder.statements if text != CLOSED]
    assert any(text.startswith("CLONE INSTANCE FROM 'repl'@'db0':3306") for text in told) and told[-1].startswith(
        "START"
    )


def test_leaving_is_decided_again_under_the_lock():
    """Three leave at the same time: the last one finds itself alone and stays."""
    alone = group_of({DB0: "ONLINE"})
    world = World(FORMED, alone)
    with pytest.raises(Refusal, match="last ONLINE member"):
        loop(manager(world, state="absent"))
    assert "STOP GROUP_REPLICATION" not in world.told()


def test_a_member_that_is_held_leaves_when_the_file_is_there_and_not_before(tmp_path):
    go = tmp_path / "go"
    world = World(FORMED)
    with pytest.raises(Refusal, match=r"there is no .*go \(hold_until\); nothing was changed"):
        loop(manager(world, state="absent", hold_until=str(go), timeout=1))
    assert "STOP GROUP_REPLICATION" not in world.told()
    go.touch()
    world = World(FORMED, FORMED, outage("", "", "", start_on_boot=False))
    loop(manager(world, state="absent", hold_until=str(go)))
    assert "STOP GROUP_REPLICATION" in world.told()


def test_old_servers_cannot_persist_and_the_user_is_told():
    warnings = []
    facts = group_of(dict.fromkeys(MEMBERS, "ONLINE"), version="5.7.44")
    out = outage("", "", "", version="5.7.44", start_on_boot=False)
    made = manager(World(facts, facts, out), state="absent", warn=warnings.append)
    loop(made)
    assert "cannot persist" in warnings[0]
    assert "SET GLOBAL group_replication_start_on_boot = 'OFF'" in made.recorder.statements


def test_snapshot_of_a_server_that_could_not_be_asked():
    for facts, state in ((gone(DB0), "UNKNOWN"), (facts_of(DB0), "OFFLINE")):
        made = manager(World({DB0: facts}))
        made.facts = {DB0: facts}
        assert made.snapshot()["state"] == state


@pytest.mark.parametrize("failing", ["INSTALL PLUGIN", "clone_valid_donor_list", "CLONE INSTANCE"])
def test_a_failed_clone_leaves_no_server_open_that_was_closed(failing):
    """CLONE needs read_only off; when it fails, writes outside of the group are refused as they were before."""
    facts = group_of({DB0: "ONLINE", DB1: "ONLINE"})
    for address in (DB0, DB1):
        change(facts, address, gtid_executed=GROUP + ":1-9")
    change(
        facts,
        DB2,
        gtid_executed=facts[DB2].server_uuid + ":1",
        read_only=True,
        super_read_only=True,
        clone_active=False,
    )
    world = World(facts)
    world.errors[failing] = ServerError("it failed", 3862)
    with pytest.raises(Refusal, match="clone from .* failed: it failed"):
        loop(manager(world, me=DB2, clone="reprovision"))
    told = world.told(DB2)
    opened = told.index("SET GLOBAL read_only = OFF")
    assert told[opened:].index("SET GLOBAL super_read_only = ON") > 0


# -- turns -------------------------------------------------------------------------------------------------------------
def turn_of(made):
    """What a run leaves that is over before it has ended: how far it was, and what the next turn is given."""
    with pytest.raises(Pause) as pause:
        loop(made)
    paused = json.loads(json.dumps(made.paused(str(pause.value))))
    return paused["progress"], paused["turn"]


def behind():
    """db1 RECOVERING, with 7 of 10 transactions yet to apply."""
    facts = group_of({DB0: "ONLINE", DB1: "RECOVERING"})
    change(facts, DB0, gtid_executed=GROUP + ":1-10")
    change(facts, DB1, gtid_executed=GROUP + ":1-3")
    return facts


def test_a_run_in_turns_reports_and_ends_like_one_in_one_piece():
    alone = group_of({DB0: "ONLINE"})
    made = manager(World(alone, behind()), me=DB1, turn={"seconds": 0.01})
    progress, turn = turn_of(made)
    assert progress == "RECOVERING: 7 of 7 transactions left"
    nearer = behind()
    change(nearer, DB1, gtid_executed=GROUP + ":1-8")
    made = manager(World(nearer), me=DB1, turn={**turn, "seconds": 0.01})
    progress, turn = turn_of(made)
    assert progress == "RECOVERING: 2 of 7 transactions left"
    world = World(FORMED)
    result = loop(manager(world, me=DB1, turn={**turn, "seconds": 10})).report()
    assert (result["decision"], result["changed"], result["before"]["state"]) == ("join", True, "OFFLINE")
    assert result["statements"] == [CLOSED, "START GROUP_REPLICATION"]
    assert "START GROUP_REPLICATION" not in world.told(DB1)


def test_without_turns_a_wait_is_not_broken_off():
    assert loop(manager(World(group_of({DB0: "ONLINE"}), *[behind()] * 20, FORMED), me=DB1)).decision.action == "join"


def test_turns_have_one_timeout_together():
    _progress, turn = turn_of(manager(World(behind()), me=DB1, turn={"seconds": 0.01}))
    made = manager(World(behind()), me=DB1, timeout=300, turn={**turn, "left": -1.0})
    with pytest.raises(Refusal, match="after 300 seconds still waiting: RECOVERING: 7 of 7 .*run again"):
        loop(made)


def test_a_bootstrap_in_turns_gives_its_locks_back_and_is_not_repeated():
    mine = outage(GROUP + ":1-3", "", "")
    change(mine, DB0, received=GROUP + ":4-10")
    recovering = group_of({DB0: "RECOVERING"})
    change(recovering, DB0, gtid_executed=GROUP + ":1-4", received=GROUP + ":4-10")
    world = World(mine, mine, recovering)
    world.state = "RECOVERING"
    progress, turn = turn_of(manager(world, turn={"seconds": 0.01}))
    assert progress == "RECOVERING: 6 of 6 transactions left"
    told = world.told()
    assert told.count("SELECT RELEASE_LOCK") == 3
    assert told.index(ON) < told.index(OFF)
    # In the next turn it has left the group that it made: a second bootstrap would not be better.
    failed = dict(recovering, **{DB0: group_of({DB0: "ERROR"})[DB0]})
    world = World(failed)
    with pytest.raises(Refusal, match="after the bootstrap this member is ERROR"):
        loop(manager(world, turn=turn))
    assert ON not in world.told()
    result = loop(manager(World(FORMED), turn=turn)).report()
    assert result["decision"] == "bootstrap" and result["changed"]


def to_clone():
    """db2 has a transaction of its own, takes no writes, and may be cloned."""
    facts = group_of({DB0: "ONLINE", DB1: "ONLINE"})
    for address in (DB0, DB1):
        change(facts, address, gtid_executed=GROUP + ":1-9")
    change(facts, DB2, gtid_executed=facts[DB2].server_uuid + ":1", read_only=True, super_read_only=True)
    return facts


def cloning_turn(world, **more):
    world.clone_states = ["In Progress"]
    progress, turn = turn_of(manager(world, me=DB2, clone="reprovision", turn={"seconds": 0.05}, **more))
    assert progress == f"CLONE of {DB0}: FILE COPY, 25 %, 250 bytes of 1000 bytes"
    assert world.told(DB2).count("CLONE INSTANCE FROM %s@%s:3306 IDENTIFIED BY %s REQUIRE SSL") == 1
    return turn


def test_a_clone_in_turns_is_begun_once_and_waited_for_over_the_restart():
    turn = cloning_turn(World(to_clone()))
    world = World(FORMED)
    world.clone_states = ["In Progress", "gone", "gone", "Completed"]
    made = manager(world, me=DB2, turn=turn, clone="reprovision")
    made.cloner.wait()
    result = loop(made).report()
    assert result["decision"] == "clone" and result["changed"]
    assert any("CLONE INSTANCE" in text for text in result["statements"])
    assert "secret" not in str(result["statements"])
    assert not any("CLONE INSTANCE" in text for text in world.told(DB2))


def test_a_server_that_does_not_come_back_after_its_clone_ends_the_wait(tmp_path, monkeypatch):
    """At once, also over turns, and with what it has written since."""
    log = tmp_path / "error.log"
    log.write_text("2026-11-25T18:00:00Z 0 [ERROR] [MY-000067] [Server] of before\n")
    turn = dict(cloning_turn(World(to_clone())), seconds=0.001)
    for restarts in (1, 2, 4):
        world = World(to_clone())
        world.clone_states = ["gone"]
        shown = f"ActiveState=activating\nSubState=auto-restart\nNRestarts={restarts}"
        monkeypatch.setattr(clone, "state_of", lambda name, shown=shown: parse_state(shown))
        made = manager(world, me=DB2, turn=turn, clone="reprovision")
        made.params = {**made.params, "service": "mysql", "error_log": str(log)}
        with pytest.raises((Pause, Refusal)) as ended:
            made.cloner.wait()
        turn = dict(made.turn.left_over(), seconds=0.001)
        with log.open("a") as writing:
            writing.write("2026-11-25T18:42:21Z 0 [ERROR] [MY-012576] [InnoDB] Unable to open ./ibdata1\n")
    assert str(ended.value) == (
        "cloned from db0:3306, and the server does not come back: its service was restarted 3 times, and ended each time: Unable to open ./ibdata1"
    )


def test_a_clone_that_fails_in_a_later_turn_leaves_no_server_open_that_was_closed():
    turn = cloning_turn(World(to_clone()))
    world = World(to_clone())
    world.clone_states = ["Failed"]
    with pytest.raises(Refusal, match="clone from db0:3306 failed: the donor went away"):
        manager(world, me=DB2, turn=turn, clone="reprovision").cloner.wait()
    told = [text for text in world.told(DB2) if not text.startswith("SELECT")]
    assert told == ["SET GLOBAL read_only = ON", "SET GLOBAL super_read_only = ON"]


def test_a_donor_that_refuses_in_a_later_turn_since_it_clones_another_member_is_waited_for():
    turn = dict(cloning_turn(World(to_clone())), seconds=60)
    world = World(to_clone())
    answer = world.answer
    busy = [{"state": "Failed", "message": "Clone Donor Error: 3634 : Too many concurrent clone operations."}]
    world.answer = lambda where, text: busy if "ERROR_MESSAGE" in text else answer(where, text)
    made = manager(world, me=DB2, turn=turn, clone="reprovision")
    made.cloner.wait()
    assert made.turn.clone_from == "" and not any("CLONE" in text for text in made.recorder.statements)
    told = [text for text in world.told(DB2) if not text.startswith("SELECT")]
    assert told == ["SET GLOBAL read_only = ON", "SET GLOBAL super_read_only = ON"]


def test_a_clone_that_lasts_longer_than_the_timeout_is_said_to_go_on():
    world = World(to_clone())
    world.clone_states = ["In Progress"]
    with pytest.raises(
        Refusal, match="still waiting: CLONE of db0:3306: FILE COPY, 25 %.*goes on by itself: run again"
    ):
        loop(manager(world, me=DB2, clone="reprovision", timeout=0.1))
    world.clone_may_end.set()


def test_a_clone_of_somebody_else_is_waited_for():
    under_way = to_clone()
    change(under_way, DB2, cloning_from=DB1)
    world = World(under_way, FORMED)
    world.clone_states = ["In Progress", "gone", "Completed"]
    made = loop(manager(world, me=DB2, clone="reprovision"))
    assert made.decision.action == "unchanged"
    assert not made.changed


# ---- what a failed START is told by ------------------------------------------------------------------------------------


def test_the_error_log_is_the_server_s_own_table_in_order_or_the_end_of_the_file(tmp_path):
    world = World(FORMED)
    made = manager(world)
    made.facts = dict(FORMED)
    row = {"logged": "10:00", "prio": "Error", "code": "MY-1", "data": "it broke"}
    rows = [dict(row, logged="10:01", data="and ended"), row]
    answer = world.answer
    world.answer = lambda where, text: rows if "performance_schema.error_log" in text else answer(where, text)
    assert made.starter.error_log() == ["10:00 [Error] [MY-1] it broke", "10:01 [Error] [MY-1] and ended"]
    # Before 8.0.22 there is no such table; log_error is then often relative to the data directory.
    world.errors["performance_schema.error_log"] = ServerError("no such table", 1146)
    world.answer = answer
    (tmp_path / "db0.err").write_text("one\ntwo\nthree\n")
    change(made.facts, DB0, log_error="./db0.err", datadir=str(tmp_path))
    assert made.starter.error_log(2) == ["two", "three"]
    change(made.facts, DB0, log_error="stderr")
    assert made.starter.error_log() == []


def test_a_refused_start_carries_what_the_log_says(monkeypatch):
    world = World(group_of({DB0: "ONLINE"}))
    world.errors["START GROUP_REPLICATION"] = ServerError("the plugin is not configured properly", 3092)
    made = manager(world, me=DB1)
    monkeypatch.setattr(made.starter, "error_log", lambda: ["[ERROR] different configuration"])
    with pytest.raises(
        Refusal, match="START GROUP_REPLICATION failed: .* The error log says: .*different configuration"
    ):
        loop(made)
    # It is as closed as it was told to be, not left half started.
    assert world.told(DB1).count("START GROUP_REPLICATION") == 1


def test_a_stop_waits_for_another_one_and_not_for_ever():
    world = World(FORMED)
    made = manager(world)
    made.facts = dict(FORMED)
    refused = [ServerError("another STOP is executing", 3663)] * 2
    run = made.execute

    def execute(meaning, *more, **words):
        run(meaning, *more, **words)
        if refused:
            raise refused.pop()
        return []

    made.execute = execute
    made.starter.stop()
    assert world.told(DB0).count("STOP GROUP_REPLICATION") == 3
    assert made.recorder.statements == ["STOP GROUP_REPLICATION"], "one that did nothing is no statement of this run"
    made.deadline, refused[:] = time.monotonic() - 1, [ServerError("another STOP is executing", 3663)]
    with pytest.raises(ServerError):
        made.starter.stop()


def test_a_previous_incarnation_that_stays_ends_in_a_sentence():
    made = manager(World(group_of({DB0: "ONLINE", DB1: "ONLINE"})), me=DB2, timeout=0.05)
    made.facts = group_of({DB0: "ONLINE", DB1: "ONLINE"})
    for address in (DB0, DB1):
        made.cluster.steps[0][address].view[UUIDS[DB2]] = entry(DB2, "UNREACHABLE")
    with pytest.raises(Refusal, match="still lists the previous incarnation .* only by a majority"):
        made.starter.wait_for_expulsion()
    made.deadline, made.cluster.steps = time.monotonic() + 5, [NOBODY]
    assert made.starter.wait_for_expulsion() is False, "a group that is gone is no group to join"


# ---- check mode: what will be when it was done ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "action", "details", "holds"),
    [
        ("seed", "wait_for_seed", {"seed": DB1}, lambda facts: facts[DB1].state == "ONLINE" and len(facts[DB1].view) == 1),
        ("starting", "wait", {}, lambda facts: facts[DB0].state == "ONLINE"),
        ("cloning", "wait", {"donor": DB1}, lambda facts: facts[DB0].gtid_executed == "x:1-9" and facts[DB0].state == "OFFLINE"),
        ("flag", "reset_flag", {}, lambda facts: not facts[DB0].bootstrap_flag),
        ("flag_elsewhere_acting", "wait", {}, lambda facts: not any(one.bootstrap_flag for one in facts.values())),
        ("flag_under_lock", "wait", {}, lambda facts: facts[DB1].state == "ONLINE" and not facts[DB1].bootstrap_flag),
        ("leave_starting", "wait", {}, lambda facts: not facts[DB0].starting),
        ("nothing_known", "wait", {}, lambda facts: facts[DB0].starting and facts[DB1].bootstrap_flag),
    ],
)  # fmt: skip
def test_what_is_expected_of_a_wait(rule, action, details, holds):
    facts = outage("", "x:1-9", "")
    change(facts, DB0, bootstrap_flag=True, starting=True)
    change(facts, DB1, bootstrap_flag=True, lock_held_by_other=True)
    wish = {"state": "present", "clone": "never", "group_name": GROUP, "bootstrap_without": [], "bootstrap_from": None}
    made = expected(Situation(MEMBERS, facts, DB0, MEMBERS, wish), Decision(action, rule, "", details))
    assert holds(made)
    assert facts[DB0].bootstrap_flag and facts[DB0].starting, "what was seen stays as it was"


def test_a_donor_that_clones_another_member_is_waited_for():
    lost = change(
        group_of({DB0: "ONLINE"}, gtid_executed=f"{GROUP}:1-9", gtid_purged=f"{GROUP}:1-5"),
        DB1,
        gtid_executed="",
        gtid_purged="",
        super_read_only=True,
    )
    busy = ServerError("error 3862: Clone Donor Error: 3634 : Too many concurrent clone operations.", 3862)

    class Busy(World):
        tries = 0

        def answer(self, address, text):
            if "CLONE INSTANCE" in text:
                self.tries += 1
                if self.tries < 3:
                    raise busy
            return super().answer(address, text)

    world = Busy(lost, lost, lost, lost, lost, lost, FORMED)
    world.clone_may_end.set()
    made = loop(manager(world, me=DB1, clone="when_needed"))
    assert world.tries == 3
    told = world.told(DB1)
    assert told.count("SET GLOBAL super_read_only = ON") == 2, "it took writes while it waited"
    assert [text.split(" ")[0] for text in made.recorder.statements].count("CLONE") == 1


def test_data_that_the_history_does_not_account_for_is_marked_under_the_locks():
    grown = Data(schemas=[Schema("shop", 1, 3, 16384, "2026-11-25 10:00")], history="not one", proven=True)
    before = change(outage("", "", ""), DB0, data=grown)
    mark = mark_of(before[DB0].server_uuid)
    after = change(outage(mark, "", ""), DB0, data=grown, gtid_purged=mark)
    world = World(before, before, before, after, after, after, FORMED)
    made = loop(manager(world, clone="when_needed"))
    told = world.told(DB0)
    assert made.recorder.statements[:3] == [CLOSED, f"SET GLOBAL gtid_purged = '+{mark}'", "SET GLOBAL read_only = OFF"]
    assert told.index("SET GLOBAL gtid_purged = %s") < told.index(ON)
    locks = [index for index, item in enumerate(world.journal) if item[1] == "SELECT GET_LOCK"]
    assert locks[2] < world.journal.index((DB0, "SET GLOBAL gtid_purged = %s"))


def test_check_mode_says_what_a_clone_would_throw_away():
    said = []
    grown = Data(schemas=[Schema("shop", 1, 3, 16384, "2026-11-25 10:00")], history="not one", proven=True)
    world = World(change(group_of({DB0: "ONLINE"}, gtid_executed=f"{GROUP}:1-9"), DB1, gtid_executed="", data=grown))
    made = loop(manager(world, me=DB1, check_mode=True, warn=said.append, clone="reprovision"))
    assert made.decision.rule == "unlogged_clone"
    assert "lost is: shop (about 3 rows, 16.0 KiB, last change 2026-11-25 10:00)" in said[0]


def test_tables_made_since_are_a_warning():
    said = []
    keyless = Data(without_key=Tables(1, ["shop.t"]))
    made = loop(manager(World(change(group_of(dict.fromkeys(MEMBERS, "ONLINE")), DB0, data=keyless)), warn=said.append))
    assert made.decision.action == "unchanged"
    assert "1 without a primary key: shop.t" in said[0]


def test_an_account_that_cannot_be_compared_is_set_and_a_lost_connection_is_no_such_account():
    """MySQL 5.7 may keep the channel's account in a file."""
    world = World(FORMED)
    world.errors["slave_master_info"] = ServerError("no such table", 1146)
    made = manager(world)
    made.facts = dict(FORMED)
    made.lasting.credentials()
    assert any("SOURCE_USER='repl'" in text for text in made.recorder.statements)
    world.errors["slave_master_info"] = ServerError("the connection was lost", 2013, lost=True)
    with pytest.raises(ServerError, match="lost"):
        made.lasting.credentials()


def test_an_error_of_a_start_that_was_not_this_run_s_ends_the_wait_when_it_stays(monkeypatch):
    """The server joined at boot, or the run before was ended: RECOVERING, and its applier has stopped."""
    monkeypatch.setattr(starting, "LASTING", 0.05)
    world = World(unappliable("RECOVERING", "2025-12-31"))
    with pytest.raises(Refusal, match="cannot apply the group's transactions"):
        loop(manager(world, me=DB1, timeout=60))
    assert "STOP GROUP_REPLICATION" not in world.told(DB1), "it was not this run that started it"
    monkeypatch.setattr(starting, "LASTING", 5)
    world = World(unappliable("RECOVERING", "2025-12-31"), unappliable("RECOVERING", "2025-12-31"), FORMED)
    assert loop(manager(world, me=DB1)).decision.action == "unchanged"


def test_a_full_disk_ends_the_wait(tmp_path):
    recovering = change(
        group_of({DB0: "ONLINE", DB1: "RECOVERING", DB2: "ONLINE"}), DB1, datadir=str(tmp_path / "gone")
    )
    world = World(recovering)
    answer = world.answer
    full = [{"data": "Disk is full writing './binlog.000003' (OS errno 28 - No space left on device)."}]
    world.answer = lambda where, text: full if "No space left" in text else answer(where, text)
    with pytest.raises(Refusal, match="the disk of this server is full, and it waits for space: Disk is full writing"):
        loop(manager(world, me=DB1, timeout=60))
    assert "STOP GROUP_REPLICATION" not in world.told(DB1)
    # Also where its applier says so: a STOP would wait for space, and the run with it.
    no_room = change(dict(recovering), DB1, applier_error=ApplierError(1114, "The table 't' is full", "2026-01-02"))
    world = World(group_of({DB0: "ONLINE", DB2: "ONLINE"}), no_room)
    answer_too = world.answer
    world.answer = lambda where, text: full if "No space left" in text else answer_too(where, text)
    with pytest.raises(Refusal, match="the disk of this server is full.*The table 't' is full"):
        loop(manager(world, me=DB1, timeout=60))
    assert "START GROUP_REPLICATION" in world.told(DB1) and "STOP GROUP_REPLICATION" not in world.told(DB1)


def test_a_server_that_ends_after_its_start_says_what_its_log_says(monkeypatch):
    world = World(group_of({DB0: "ONLINE"}), {**group_of({DB0: "ONLINE"}), DB1: gone(DB1)})
    made = manager(world, me=DB1)
    monkeypatch.setattr(made.starter, "error_log", lambda: ["[ERROR] out of memory"])
    with pytest.raises(
        Refusal, match="it has ended since START GROUP_REPLICATION. The error log says: .*out of memory"
    ):
        loop(made)
