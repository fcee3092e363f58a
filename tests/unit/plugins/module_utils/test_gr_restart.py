# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarting a group: every row of the table, and what is left when a run ends in the middle, without a server."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs import restart
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.restart import (
    CLOSE,
    LEAVE,
    RESTART,
    Restart,
    decide_restart,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from gr_model import GROUP, MEMBERS, OTHER_GROUP, UUIDS, entry, facts_of, gone, group_of
from test_gr_actions import World
from test_gr_verbs import single as single_primary

DB0, DB1, DB2 = MEMBERS
THREE = dict.fromkeys(MEMBERS, "ONLINE")
SETS = {"gtid_executed": f"{GROUP}:1-10"}
WISH = {
    "state": "present",
    "clone": "never",
    "group_name": GROUP,
    "recovery_user": None,
    "bootstrap_without": [],
    "bootstrap_from": None,
}
OFF = {"group_replication_single_primary_mode": "OFF", "group_replication_enforce_update_everywhere_checks": "OFF"}


def old(states=None, closed=(), **changes):
    """A group in which all write; these members are closed. Those in no group are closed by the server."""
    facts = group_of(THREE if states is None else states, update_everywhere_checks=True, **{**SETS, **changes})
    return {a: f._replace(super_read_only=a in closed or f.state == "OFFLINE") for a, f in facts.items()}


def new(states=None):
    return group_of(THREE if states is None else states, **SETS)


def single(main):
    """A single-primary group with everybody closed."""
    facts = {a: f._replace(super_read_only=True) for a, f in single_primary(main, **SETS).items()}
    return {a: f._replace(update_everywhere_checks=False) for a, f in facts.items()}


def but(facts, address, **changes):
    return {**facts, address: facts[address]._replace(**changes)}


def stranger(facts):
    view = {**facts[DB0].view, "f" * 36: entry("db9:3306")}
    return {address: item._replace(view=view) for address, item in facts.items()}


CASES = [
    ("not_asked", but(old(), DB0, reachable=False, error="no socket"), "refuse", "no socket"),
    ("unsuitable", but(old(), DB0, gtid_mode="OFF"), "refuse", "gtid_mode is OFF"),
    ("wrong_group_name", but(old(), DB0, group_name=OTHER_GROUP), "refuse", OTHER_GROUP),
    ("as_wished", new(), "unchanged", "one writer at a time"),
    ("restart_unasked", {**old(), DB2: gone(DB2)}, "refuse", "db2:3306 could not be asked"),
    ("restart_stranger", stranger(old()), "refuse", "db9:3306"),
    ("restart_not_online", old({**THREE, DB1: "RECOVERING"}), "refuse", "db1:3306 is RECOVERING"),
    ("restart_not_online", {**old({DB0: "ONLINE"}), **{a: old({DB1: "ONLINE", DB2: "ONLINE"})[a] for a in (DB1, DB2)}},
     "refuse", "db1:3306, db2:3306 is apart"),
    ("restart_out", old({DB0: "ONLINE", DB1: "ONLINE"}), "refuse", "db2:3306 is in no group, and db0:3306, db1:3306 takes writes"),
    ("restart_out", old({DB0: "ONLINE", DB1: "ONLINE"}, [DB0]), "refuse", "db2:3306 is in no group, and db1:3306 takes writes"),
    ("restart_differs", but(old({DB0: "ONLINE", DB1: "ONLINE"}, MEMBERS), DB2, gtid_executed=f"{GROUP}:1-9"), "refuse", "db2:3306 has left"),
    ("restart_close", old(), CLOSE, "no more writes"),
    ("restart_close", old(closed=[DB1, DB2]), CLOSE, "no more writes"),
    ("restart_open", old(closed=[DB0]), "wait", "db1:3306, db2:3306 takes writes still"),
    ("restart_behind", but(old(closed=MEMBERS), DB2, gtid_executed=f"{GROUP}:1-9"), "wait", "db2:3306 has not applied"),
    ("restart_behind", but(old(closed=MEMBERS), DB1, received=f"{GROUP}:1-11"), "wait", "db0:3306, db1:3306, db2:3306 has not applied"),
    ("restart_primary", single(DB0), "wait", "db1:3306, db2:3306 leaves before the primary"),
    ("restart_leave", single(DB1), LEAVE, "executed the same"),
    ("restart_leave", old(closed=MEMBERS), LEAVE, "executed the same"),
    ("restart_leave", old({DB0: "ONLINE", DB1: "ONLINE"}, MEMBERS), LEAVE, "executed the same"),
    ("restart_given_up", old({DB1: "ONLINE", DB2: "ONLINE"}), "refuse", "db1:3306, db2:3306 goes on"),
    ("restart_remaining", old({DB1: "ONLINE", DB2: "ONLINE"}, MEMBERS), "wait", "db1:3306, db2:3306 is still in the group"),
    # What follows is for the rules of state=present.
    ("bootstrap", old({}), "bootstrap", "everybody's transactions"),
    ("other_seed", but(old({}), DB0, gtid_executed=""), "wait_for_seed", "db1:3306"),
    ("unasked", {**old({}), DB2: gone(DB2)}, "refuse", "unreachable is not absent"),
    ("join", new({DB1: "ONLINE"}), "join", "db1:3306 ONLINE"),
    ("recovering", new({DB0: "RECOVERING", DB1: "ONLINE"}), "wait", "catching up"),
]  # fmt: skip


def decision(facts, me=DB0, acting=None, rules=None):
    return decide_restart(MEMBERS, facts, me, acting, WISH, rules)


@pytest.mark.parametrize(("rule", "facts", "action", "words"), CASES)
def test_every_row(rule, facts, action, words):
    made = decision(facts)
    assert (made.rule, made.action) == (rule, action), made
    assert words in made.reason


def test_all_members_act_together():
    made = decision(old(), acting=[DB0, DB1])
    assert (made.rule, made.action) == ("restart_not_acting", "refuse")


def test_every_rule_has_a_row():
    assert {rule.name for rule in RESTART.rules} - {case[0] for case in CASES} == {"restart_not_acting"}


def moves(facts, rules):
    """The situations that follow when any one member does what it decides."""
    for me in MEMBERS:
        made = decision(facts, me, rules=rules)
        if made.action == CLOSE:
            yield but(facts, me, super_read_only=True)
        elif made.action == LEAVE:
            rest = {a: item.view for a, item in facts.items()}
            left = {a: facts[a]._replace(view={u: e for u, e in rest[a].items() if u != UUIDS[me]}) for a in facts}
            yield but(left, me, state="OFFLINE", role="", view={}, super_read_only=True)
        elif made.action == "bootstrap":
            yield but(
                facts,
                me,
                state="ONLINE",
                view={UUIDS[me]: entry(me)},
                super_read_only=False,
                settings=OFF,
                update_everywhere_checks=False,
            )


def reachable(start, rules=None, limit=500):
    """Every situation that comes about, in any order of the members."""
    found, todo = [], [start]
    while todo and len(found) < limit:
        facts = todo.pop()
        found.append(facts)
        todo += [after for after in moves(facts, rules) if after not in found and after not in todo]
    return found


def groups(facts):
    """Members that take part in a group, by who writes in it."""
    kinds = {}
    for address, item in facts.items():
        if item.state == "ONLINE":
            kinds.setdefault(item.update_everywhere_checks, []).append(address)
    return kinds


def test_in_no_order_are_there_two_groups_and_a_member_leaves_closed_and_with_everything():
    found = reachable(old())
    assert any(not groups(facts) for facts in found) and any(groups(facts) == {False: [DB0]} for facts in found)
    for facts in found:
        assert len(groups(facts)) <= 1
        out = [item for item in facts.values() if item.state == "OFFLINE"]
        remaining = [item for item in facts.values() if item.state == "ONLINE" and item.update_everywhere_checks]
        assert not out or all(item.super_read_only for item in remaining)


def test_without_the_rules_that_guard_it_there_are_two_groups():
    rules = [rule for rule in RESTART.rules if rule.guards != "second"]
    # Nor with the guards of state=present: a member that is in a group that is alive is joined, never bootstrapped beside.
    assert max(len(groups(facts)) for facts in reachable(old(), rules)) == 1
    rules = [rule for rule in RESTART.rules if rule.guards != "equal"]
    assert any(
        any(item.state == "OFFLINE" for item in facts.values())
        and any(
            item.state == "ONLINE" and not item.super_read_only
            for item in facts.values()
            if item.update_everywhere_checks
        )
        for facts in reachable(old(), rules)
    )


@pytest.mark.parametrize(("me", "order"), list(itertools.product(MEMBERS, itertools.combinations(MEMBERS, 2))))
def test_whoever_has_left_waits_or_is_told(me, order):
    """Killed anywhere: a member that is out of the group never starts one of its own while another is in the old one."""
    facts = old(dict.fromkeys(order, "ONLINE"), MEMBERS)
    if me not in order:
        assert decision(facts, me).action == "wait"
        assert decision(but(facts, order[0], super_read_only=False), me).action == "refuse"


def test_the_first_one_is_chosen_among_those_that_have_everything():
    out = old({})
    made = [decide_restart(MEMBERS, out, me, None, {**WISH, "first": DB2}).action for me in MEMBERS]
    assert made == ["wait_for_seed", "wait_for_seed", "bootstrap"]
    out = but(out, DB2, gtid_executed=f"{GROUP}:1-9")
    made = [decide_restart(MEMBERS, out, me, None, {**WISH, "first": DB2}).action for me in MEMBERS]
    assert made == ["bootstrap", "wait_for_seed", "wait_for_seed"]


# -- the run -----------------------------------------------------------------------------------------------------------
def run(world, me=DB0, check_mode=False, **params):
    made = Restart({"timeout": 5, **params}, check_mode)
    made.wish = {**WISH, "acting": None}
    world.me, world.local = me, world.connections[me]
    world.local.rehearsing = check_mode
    made.cluster = world
    made.recorder = world.recorder
    made.facts = world.gather()
    made.before = made.snapshot()
    made.work()
    return made


def test_a_restart_closes_leaves_sets_the_mode_and_bootstraps(monkeypatch):
    monkeypatch.setattr(restart, "POLL", 0)
    steps = [old(), old(closed=[DB0]), old(closed=MEMBERS), old({}), old({}), new({DB0: "ONLINE"})]
    done = run(World(*steps))
    assert done.recorder.statements[:5] == [
        "SET GLOBAL super_read_only = ON", "STOP GROUP_REPLICATION",
        "SET PERSIST group_replication_enforce_update_everywhere_checks = 'OFF'", "SET GLOBAL group_replication_bootstrap_group = ON",
        "START GROUP_REPLICATION",
    ]  # fmt: skip
    assert done.recorder.statements[5:] == ["SET GLOBAL group_replication_bootstrap_group = OFF"]
    assert done.changed


def test_a_restart_that_is_given_up_opens_the_member_again(monkeypatch):
    monkeypatch.setattr(restart, "POLL", 0)
    world = World(old(), {**old(closed=[DB0]), DB2: gone(DB2)})
    with pytest.raises(Refusal, match="db2:3306 could not be asked"):
        run(world)
    assert world.recorder.statements == ["SET GLOBAL super_read_only = ON", "SET GLOBAL read_only = OFF"]


def test_a_member_that_recovers_in_the_new_group_is_not_opened_where_the_time_is_over(monkeypatch):
    """The server opens it itself when it is ONLINE; until then it lacks what the others have."""
    monkeypatch.setattr(restart, "POLL", 0)
    recovering = new({DB0: "RECOVERING", DB1: "ONLINE", DB2: "ONLINE"})
    world = World(old(), old(closed=MEMBERS), but(recovering, DB0, super_read_only=True))
    with pytest.raises(Refusal, match="timeout"):
        run(world, timeout=1)
    assert world.recorder.statements == ["SET GLOBAL super_read_only = ON", "STOP GROUP_REPLICATION"]


def test_a_member_that_was_closed_before_stays_closed(monkeypatch):
    monkeypatch.setattr(restart, "POLL", 0)
    world = World(old(closed=[DB0]), {**old(closed=[DB0]), DB2: gone(DB2)})
    with pytest.raises(Refusal, match="db2:3306 could not be asked"):
        run(world)
    assert world.recorder.statements == []


def test_nothing_is_changed_before_the_file_is_there(monkeypatch, tmp_path):
    monkeypatch.setattr(restart, "POLL", 0)
    world = World(old())
    with pytest.raises(Refusal, match=r"there is no .* \(hold_until\); nothing was changed"):
        run(world, hold_until=str(tmp_path / "go"), timeout=0.2)
    assert world.recorder.statements == []


def test_check_mode_changes_nothing():
    world = World(old())
    made = run(world, check_mode=True, hold_until="/nowhere")
    assert made.decision.action == CLOSE and world.told(DB0) == []


def test_as_wished_already():
    made = run(World(new()))
    assert (made.decision.rule, made.changed, made.recorder.statements) == ("as_wished", False, [])


def test_facts_of_a_configured_server_are_of_no_group():
    assert facts_of(DB0).state == "OFFLINE"
