# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invariants of the guards, over arbitrary facts and over random histories. Each is shown to fail when the rules that guard it are taken out."""

from __future__ import annotations

import random

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.rules import (
    ACTING,
    GUARD,
    Host,
    decide_guard,
)
from gr_histories import World
from gr_model import GROUP, UUIDS, entry, facts_of
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from test_gr_properties import BOOT, QUICK, numbers, situations

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "Guards, playbooks, crashes and cut networks in any order: never two groups, never an acknowledged row lost, and service again as soon as "
        "every member answers."
    ),
]


@st.composite
def guarded(draw):
    """(members, facts, what each guard says of its own host)."""
    members, facts, _acting, _wish = draw(situations())
    if draw(st.booleans()):
        # A power cut, or a part of the group left alone: what few drawn freely would.
        inside = draw(st.integers(0, len(members)))
        view = {UUIDS[a]: entry(a, "ONLINE" if n < inside else "UNREACHABLE") for n, a in enumerate(members)}
        for number, address in enumerate(members):
            if draw(st.integers(0, 3)):
                state = {"state": "ONLINE", "view": dict(view), "role": "PRIMARY"} if number < inside else {}
                executed = f"{GROUP}:1-{draw(st.integers(1, 3))}"
                mark = {BOOT: "OFF"} if draw(st.integers(0, 9)) == 9 else {}
                facts[address] = facts_of(address, gtid_executed=executed, persisted=mark, **state)
    rare = st.integers(0, 7).map(lambda number: number == 7)
    hosts = {
        address: Host(
            mode=draw(st.sampled_from(("full", "full", "rejoin"))), paused="12:30" if draw(rare) else "", busy=draw(rare), leaving=draw(rare),
            fenced=draw(rare), free=0 if draw(rare) else None, starts=draw(st.integers(1, 5)), up=draw(st.sampled_from((1.0, 3600.0))),
            failures=draw(st.sampled_from((0, 0, 2))), view=(address, "db9:3306") if draw(rare) else (),
        )
        for address in members
    }  # fmt: skip
    return members, facts, hosts


def deciding(drawn, rules, *actions):
    """The members whose guards do one of these."""
    members, facts, hosts = drawn
    return [me for me in members if decide_guard(members, facts, me, GROUP, hosts[me], rules).action in actions]


def alive(facts):
    return [f for f in facts.values() if f.reachable and f.state in ("ONLINE", "RECOVERING")]


# What must hold, judged from the facts alone and not with the functions under test. True: broken.
def two_bootstraps(drawn, rules):
    return len(deciding(drawn, rules, "bootstrap")) > 1


def somebody_unasked(drawn, rules):
    return bool(deciding(drawn, rules, "bootstrap")) and not all(facts.reachable for facts in drawn[1].values())


def beside_a_living_member(drawn, rules):
    return bool(deciding(drawn, rules, "bootstrap")) and bool(alive(drawn[1]))


def seed_lacks_a_transaction(drawn, rules):
    facts = drawn[1]
    return any(
        numbers(other) - numbers(facts[seed])
        for seed in deciding(drawn, rules, "bootstrap") if facts[seed].reachable for other in facts.values() if other.reachable
    )  # fmt: skip


def a_guard_that_stands_aside_acts(drawn, rules):
    _members, facts, hosts = drawn
    return any(
        hosts[me].paused or hosts[me].busy or hosts[me].leaving or hosts[me].fenced or hosts[me].free == 0 or facts[me].persisted.get(BOOT)
        for me in deciding(drawn, rules, "join", "bootstrap")
    )  # fmt: skip


def rejoin_begins_a_group(drawn, rules):
    return any(drawn[2][me].mode == "rejoin" for me in deciding(drawn, rules, "bootstrap", "end_partition"))


def beside_a_stranger(drawn, rules):
    return any("db9:3306" in drawn[2][me].view for me in deciding(drawn, rules, "bootstrap", "end_partition"))


def begins_a_group_that_never_was(drawn, rules):
    return bool(deciding(drawn, rules, "bootstrap")) and not any(
        uuid == GROUP for facts in drawn[1].values() if facts.reachable for uuid, _number in numbers(facts)
    )


def a_blank_server_goes_in(drawn, rules):
    return any(not numbers(drawn[1][me]) for me in deciding(drawn, rules, "join"))


INVARIANTS = [
    (two_bootstraps, ("one",)),
    (somebody_unasked, ("asked",)),
    (beside_a_living_member, ("living", "partition")),
    (seed_lacks_a_transaction, ("superset",)),
    (a_guard_that_stands_aside_acts, ("aside",)),
    (rejoin_begins_a_group, ("mode",)),
    (beside_a_stranger, ("strangers",)),
    (begins_a_group_that_never_was, ("begun",)),
    (a_blank_server_goes_in, ("blank",)),
]


@pytest.mark.parametrize(("broken", "guards"), INVARIANTS, ids=lambda item: getattr(item, "__name__", ""))
def test_invariant_holds(broken, guards):
    @QUICK
    @given(guarded())
    def holds(drawn):
        assert not broken(drawn, GUARD.rules)

    holds()


@pytest.mark.parametrize(("broken", "guards"), INVARIANTS, ids=lambda item: getattr(item, "__name__", ""))
def test_invariant_breaks_without_its_guard(broken, guards):
    without = [rule for rule in GUARD.rules if rule.guards not in guards]
    assert len(without) < len(GUARD.rules)
    try:
        find(
            guarded(), lambda drawn: broken(drawn, without),
            settings=settings(max_examples=30000, deadline=None, suppress_health_check=list(HealthCheck), database=None, phases=(Phase.generate,)),
        )  # fmt: skip
    except NoSuchExample:
        pytest.fail(
            f"without the rules that guard {guards}, {broken.__name__} was not found: the invariant is not tested"
        )


@QUICK
@given(guarded())
def test_a_partition_is_ended_only_where_all_answer_and_nobody_else_is_in_a_group(drawn):
    members, facts, hosts = drawn
    for me in deciding(drawn, GUARD.rules, "end_partition"):
        seen = facts[me].view
        assert all(f.reachable for f in facts.values())
        assert 2 * sum(entry.state in ("ONLINE", "RECOVERING") for entry in seen.values()) <= len(seen)
        assert {f.server_uuid for f in alive(facts)} <= set(seen)
        assert any(not numbers(other) - numbers(f) for f in facts.values() for other in facts.values())


# -- histories ---------------------------------------------------------------------------------------------------------
def history(seed, steps, check, **options):
    """A random history; check(world) after each step."""
    world = World(random.Random(seed), **options)
    for _step in range(steps):
        world.step()
        check(world)
        if not world.random.randrange(60):
            world.power_cut()
    return world


def one_group_with_every_row(world):
    told = "\n".join(world.journal[-60:])
    assert len(world.living()) <= 1, f"two groups:\n{told}"
    assert not world.lost(), f"lost {world.lost()}:\n{told}"


@pytest.mark.parametrize("block", range(10))
@pytest.mark.parametrize("count", (3, 5))
def test_any_history_has_one_group_with_every_row_and_ends_in_service(block, count):
    for seed in range(15 if count == 3 else 6):
        world = history(f"{block}/{seed}", 150, one_group_with_every_row, count=count)
        world.calm()
        one_group_with_every_row(world)
        # Where no member has everybody's transactions, somebody has to decide.
        everything = set().union(*[server.transactions for server in world.servers])
        if any(server.transactions == everything for server in world.servers):
            assert world.living(), "\n".join(world.journal[-60:])


def test_guards_that_only_rejoin_begin_no_group():
    for seed in range(20):
        world = World(random.Random(seed), mode="rejoin", without=("playbook",))
        for _step in range(100):
            world.step()
        assert not world.groups


@pytest.mark.parametrize("guards", ("asked", "living", "superset", "one"))
def test_histories_break_without_the_rules_that_guard_them(guards):
    """They can fail: without these rules, two groups or a lost row are found."""
    rules = [rule for rule in GUARD.rules if rule.guards != guards]
    with pytest.raises(AssertionError, match=r"two groups|lost"):
        for seed in range(400):
            # While clients write, a member that was away lacks something, and is kept from it by that alone.
            without = ("write", "cut", "freeze", "leave", "switch_guard") if guards == "living" else ()
            history(seed, 150, one_group_with_every_row, rules=rules, without=without)


def test_every_action_of_the_guard_is_seen_in_histories():
    done = set()
    for seed in range(300):
        world = history(seed, 150, lambda world: None, more=((1, "stall"),))
        done |= {action for line in world.journal for action in ACTING if f": {action} " in line}
        if len(done) == 5:
            break
    assert done == {"join", "bootstrap", "end_partition", "end_stalled", "stop"}


def test_histories_in_which_members_stall():
    for seed in range(60):
        history(seed, 150, one_group_with_every_row, more=((2, "stall"),))
