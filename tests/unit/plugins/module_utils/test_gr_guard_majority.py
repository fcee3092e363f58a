# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mysql_gr_guard_evidence=majority over random histories: what docs/reference/majority.md proves, and that each assumption of it is needed."""

from __future__ import annotations

import random

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard import evidence_rules
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.rules import GUARD
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.present_rules import PRESENT
from gr_histories import World
from gr_model import GROUP

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "Guards that start a group without one member never make a second group, and what only that member has is named and kept out when it is back; "
        "without any one of the proof's assumptions that fails."
    ),
]


def safe(world):
    """One group at most, in which nobody has another transaction of the same number."""
    told = "\n".join(world.journal[-80:])
    assert len(world.living()) <= 1, f"two groups:\n{told}"
    assert not world.split_numbers(), f"two transactions of one number {world.split_numbers()}:\n{told}"


def history(seed, count=3, outages=3, away=1, check=safe, **options):
    """Calm, faults, an outage from which some do not come back for a while, guards at work; again and again."""
    world = World(random.Random(seed), count=count, evidence_wanted="majority", check=check, **options)
    for _outage in range(outages):
        world.outage(away)
    for _step in range(30):
        world.step()
    return world


def nothing_is_lost_in_silence(world):
    """What the living group lacks of what a client was told is committed: whoever has it is out, and its guard names it."""
    for one in world.lost():
        holders = [server for server in world.servers if one in server.transactions]
        assert holders
        for server in holders:
            assert not world.has_quorum(server)
            decision = world.guard_decides(server, world.facts(server))
            uuid, number = world.names[one]
            assert decision.rule == "errant", (decision, "\n".join(world.journal[-80:]))
            found = GtidSet(decision.details["errant"])
            assert found.contains(f"{uuid}:{number}"), (decision, world.names[one])
            assert "was started without it" in decision.reason


@pytest.mark.parametrize("block", range(8))
@pytest.mark.parametrize("count", (3, 4, 5))
def test_any_history_has_one_group_and_loses_nothing_in_silence(block, count):
    for seed in range(8 if count == 3 else 4):
        world = history(f"{block}/{seed}", count=count)
        world.calm()
        safe(world)
        if world.living():
            nothing_is_lost_in_silence(world)
        else:
            # Where no member has everybody's transactions, somebody has to decide.
            rules = {world.guard_decides(server, world.facts(server)).rule for server in world.servers}
            assert rules == {"conflict"}, (rules, "\n".join(world.journal[-80:]))


def without_member(world):
    return sum(" without [" in line for line in world.journal)


def test_histories_have_starts_without_a_member_and_members_that_come_back_with_rows_of_their_own():
    begun = kept_out = came_back = 0
    for seed in range(60):
        world = history(seed)
        world.calm()
        begun += without_member(world)
        rules = [world.guard_decides(server, world.facts(server)).rule for server in world.servers]
        kept_out += without_member(world) > 0 and "errant" in rules
        came_back += without_member(world) > 0 and set(rules) == {"online"}
    assert begun > 10 and kept_out and came_back > 3, (begun, kept_out, came_back)


@pytest.mark.parametrize("count", (3, 4, 5))
def test_all_hosts_lose_power_and_one_never_boots(count):
    for seed in range(10):
        world = World(random.Random(seed), count=count, evidence_wanted="majority", check=safe)
        world.calm()
        away = world.random.randrange(count)
        world.write(world.random.choice(world.servers))
        world.calm()
        world.power_cut()
        world.calm(without=(away,))
        assert len(world.living()) == 1, "\n".join(world.journal)
        assert without_member(world) == 1
        rest = [server for server in world.servers if server.number != away]
        assert all(world.has_quorum(server) for server in rest)
        world.write(rest[0])
        # It is back, with nothing that the others lack: it joins.
        world.calm()
        assert world.has_quorum(world.servers[away]) and not world.lost()


def test_a_row_that_only_the_absent_member_has_is_named_when_it_is_back():
    world = World(random.Random(1), evidence_wanted="majority", check=safe)
    world.calm()
    # Written on the third one, received by the others, and not on their disks.
    world.write(world.servers[2])
    for server in world.servers[:2]:
        server.memory = set()
    world.power_cut()
    world.calm(without=(2,))
    # The number goes to another transaction.
    world.write(world.servers[0])
    world.calm()
    assert world.lost() and not world.has_quorum(world.servers[2])
    nothing_is_lost_in_silence(world)
    # Also after one more outage of all: it is no superset.
    world.power_cut()
    world.calm()
    assert not world.has_quorum(world.servers[2]) and len(world.living()) == 1
    nothing_is_lost_in_silence(world)


def stable(broken="", **options):
    world = World(random.Random(1), evidence_wanted="majority", check=safe, broken=broken, **options)
    world.calm()
    return world


def test_the_last_view_was_smaller_and_its_majority_does_not_answer():
    """The third is expelled, the two go on, and then one of them and the third are what is left."""
    world = stable()
    first, second, third = world.servers
    world.crash(third)
    world.group_goes_on(first)
    world.look_at_view(first)
    world.look_at_view(second)
    world.write(first)
    world.power_cut()
    world.calm(without=(0,))
    assert not world.living()
    decision = world.guard_decides(second, world.facts(second))
    assert decision.rule == "no_majority" and "of the last view of db1:3306" in decision.reason, decision
    # The second dies in its place: the first has it all.
    world.calm()
    assert world.living() and not world.lost()


def test_who_left_is_no_witness():
    """The one that does not answer may go on alone: the others told it that they leave."""
    world = stable()
    world.stop(world.servers[1])
    world.stop(world.servers[2])
    assert world.has_quorum(world.servers[0])
    world.servers[0].net = 1
    for server in world.servers[1:]:
        world.boot(server)
    assert guards_at_work(world, 1, 2) == 1
    decision = world.guard_decides(world.servers[1], world.facts(world.servers[1]))
    assert decision.rule == "no_majority" and "did not see it crash as a member" in decision.reason


# -- each assumption is needed -------------------------------------------------------------------------------------------
def broken_by(seeds=400, **options):
    with pytest.raises(AssertionError, match=r"two groups|two transactions"):
        for seed in range(seeds):
            history(seed, outages=2, **options)


def guards_at_work(world, *numbers, rounds=20):
    """The guards of these, which are cut off from all others."""
    for server in world.servers:
        server.net = 0 if server.number in numbers else 1
    for _round in range(rounds):
        world.now += 200
        for number in numbers:
            world.guard(world.servers[number])
            world.finish(world.servers[number])
    return len(world.living())


@pytest.mark.parametrize(("broken", "groups"), [("", 1), ("watched", 2)])
def test_without_a_guard_that_sees_how_its_member_went_there_are_two_groups(broken, groups):
    """Two members leave one after the other, and both servers are killed before their guards look."""
    world = stable(broken)
    for server in world.servers[:2]:
        world.depart(server)
    for server in world.servers[:2]:
        world.crash(server)
        world.boot(server)
    assert world.has_quorum(world.servers[2])
    assert guards_at_work(world, 0, 1) == groups


@pytest.mark.parametrize(("absent", "groups"), [(1, 1), (2, 2)])
def test_with_two_absent_members_there_are_two_groups(monkeypatch, absent, groups):
    """Of five, three: the last of them was expelled in a view that none of their guards saw."""
    monkeypatch.setattr(evidence_rules, "ABSENT", absent)
    world = stable(count=5)
    for lost in (world.servers[:2], world.servers[2:3]):
        for server in lost:
            world.crash(server)
        world.group_goes_on(world.servers[4])
    for server in world.servers[:3]:
        world.boot(server)
    assert world.has_quorum(world.servers[3])
    assert guards_at_work(world, 0, 1, 2) == groups


def test_if_who_left_counted_there_were_two_groups(monkeypatch):
    monkeypatch.setattr(evidence_rules, "CRASHED", type("Any", (str,), {"__ne__": lambda *_: False})("crashed"))
    broken_by(more=((6, "stop"), (6, "depart"), (6, "guard")))


def test_without_promises_there_are_two_groups():
    rules = [rule for rule in GUARD.rules if rule.guards != "promise"]
    broken_by(rules=rules, more=((3, "cut_one"),))


@pytest.mark.parametrize(("broken", "groups"), [("", 1), ("kept", 2)])
def test_with_promises_that_a_crash_forgets_there_are_two_groups(broken, groups):
    """One starts the group with the promise of the second, which then forgets it and starts one with the third."""
    world = stable(broken)
    world.power_cut()
    for server in world.servers[:2]:
        world.boot(server)
    while not world.servers[0].bootstrapping:
        for server in world.servers[:2]:
            world.guard(server)
    world.crash(world.servers[1])
    for server in world.servers[1:]:
        server.lock = None
        world.boot(server)
    guards_at_work(world, 1, 2)
    world.finish(world.servers[0])
    assert len(world.living()) == groups


def test_with_a_person_who_forces_quorum_there_are_two_groups():
    broken_by(more=((6, "force"), (3, "cut_one")))


def test_with_a_person_who_starts_a_group_by_hand_there_are_two_groups():
    broken_by(more=((6, "by_hand"), (3, "cut_one")))


@pytest.mark.parametrize(("without", "groups"), [("", 1), ("guards", 2)])
def test_with_playbooks_that_do_not_mind_the_guards_there_are_two_groups(without, groups):
    """A playbook starts the group, with everybody asked, and the guards of the others start another one once that member is cut off."""
    world = stable(playbooks=[rule for rule in PRESENT.rules if rule.guards != without])
    world.power_cut()
    for server in world.servers:
        world.boot(server)
        world.look_at_view(server)
    while not world.servers[0].bootstrapping and len(world.journal) < 50:
        world.playbook(world.servers[0])
        world.journal.append("")
    world.finish(world.servers[0])
    guards_at_work(world, 1, 2)
    assert len(world.living()) == groups


def test_without_the_mark_in_the_history_rows_are_lost_in_silence():
    broken_by(broken="mark")


def test_with_members_that_join_before_the_mark_rows_are_lost_in_silence():
    rules = [rule for rule in GUARD.rules if rule.guards != "mark"]
    with pytest.raises(AssertionError):
        for seed in range(400):
            world = history(seed, outages=2, rules=rules)
            world.calm()
            safe(world)
            assert world.living() or {world.guard_decides(s, world.facts(s)).rule for s in world.servers} == {
                "conflict"
            }
            if world.living():
                nothing_is_lost_in_silence(world)


def test_numbers_are_given_twice():
    """What all that is about: of two groups each gives the next number to its next transaction."""
    world = stable()
    assert world.names[1] == (GROUP, 1)
    world.write(world.servers[0])
    assert world.names[world.last] == (GROUP, 2)
