# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Invariants of the decision over arbitrary facts. Each is shown to fail when the rules that guard it are taken out."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import diagnosis, member_rules
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import Data, Schema, Tables
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.member_rules import ABSENT, PRESENT, decide
from gr_model import GROUP, MEMBERS, OTHER_GROUP, UUIDS, entry, facts_of, gone, group_of
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "For any facts: at most one member bootstraps, never beside a living or unreachable member, never without every transaction; "
        "no data is left on one member only."
    ),
]

STATES = ("OFFLINE", "OFFLINE", "OFFLINE", "ERROR", "ONLINE", "RECOVERING")
FLAG = "group_replication_bootstrap_group"
BOOT = "group_replication_start_on_boot"


SHOP = Schema("shop", 1, 3, 16384, "2026-11-25 10:00")
HELD = (
    None, Data(), Data(), Data(schemas=[SHOP]), Data(schemas=[SHOP], history="no history", proven=True), Data(schemas=[SHOP], history="doubt"),
    Data(without_key=Tables(1, ["shop.t"])),
)  # fmt: skip


@st.composite
def servers(draw, address, members, new=False, held=HELD):
    """Anything that a declared member may answer, or no answer."""
    if not draw(st.integers(0, 7)):
        return gone(address)
    state = draw(st.sampled_from(STATES))
    view = {}
    if state != "OFFLINE":
        for other in members:
            seen = draw(st.sampled_from(("", "ONLINE", "UNREACHABLE", "RECOVERING")))
            if seen and other != address:
                view[UUIDS[other]] = entry(other, seen)
        view[UUIDS[address]] = entry(address, state)
    # Numbers instead of sets drawn freely: prefixes of one history, and sometimes a transaction of its own.
    executed = 0 if new else draw(st.integers(0, 3))
    received = 0 if new else draw(st.integers(0, 3))
    own = draw(st.integers(0, 5))
    gtids = f"{GROUP}:1-{executed}" if executed else ""
    if own == 5:
        gtids += f",{UUIDS[address]}:1"
    rare = st.integers(0, 11).map(lambda number: number == 11)
    return facts_of(
        address, state=state, view=view, role=draw(st.sampled_from(("PRIMARY", "SECONDARY"))), gtid_executed=gtids,
        received=f"{GROUP}:1-{received}" if received else "", gtid_purged=f"{GROUP}:1" if executed and draw(rare) else "",
        group_name=OTHER_GROUP if draw(rare) else GROUP, bootstrap_flag=draw(rare), lock_held_by_other=draw(rare),
        bootstrap_flag_source=draw(st.sampled_from(("DYNAMIC", "GLOBAL /etc/my.cnf"))), persisted={FLAG: "ON"} if draw(rare) else {},
        starting=state == "OFFLINE" and draw(rare), plugin_active=not draw(rare), start_on_boot=draw(st.booleans()),
        version=draw(st.sampled_from(("9.7.4-2", "9.7.4-2", "8.4.6", "8.0.36"))), clone_active=draw(st.booleans()),
        server_uuid=UUIDS[MEMBERS[0]] if draw(rare) else UUIDS[address], data=draw(st.sampled_from(held if state != "OFFLINE" or new else HELD)),
    )  # fmt: skip


@st.composite
def situations(draw):
    """(members, facts, acting, wish)."""
    members = MEMBERS[: draw(st.integers(1, 3))]
    # Often all of them hold the same, or none was a member before: what few drawn freely would.
    held = draw(st.sampled_from((HELD, HELD, *[(item,) for item in HELD])))
    facts = {address: draw(servers(address, members, draw(st.booleans()), held)) for address in members}
    if len(members) == 3 and draw(st.booleans()):
        # A group that is well, beside whatever the third one is, or a blank one.
        data = draw(st.sampled_from((*HELD, HELD[4])))
        whole = group_of(dict.fromkeys(members[:2], "ONLINE"), gtid_executed=f"{GROUP}:1-3", data=data)
        blank = {members[2]: facts_of(members[2], data=Data())} if draw(st.booleans()) else {}
        facts.update({members[0]: whole[members[0]], members[1]: whole[members[1]], **blank})
    acting = draw(st.lists(st.sampled_from(members), unique=True, min_size=1))
    wish = {
        "clone": draw(st.sampled_from(("never", "when_needed", "reprovision"))),
        "recovery_user": draw(st.sampled_from((None, "repl"))),
        "data": draw(st.sampled_from((None, {}))),
        "gtid_set_is_complete": draw(st.booleans()),
    }
    return members, facts, acting, wish


def bootstrappers(situation, rules):
    """The members that decide to bootstrap on the same facts."""
    members, facts, acting, wish = situation
    return [me for me in acting if decide(members, facts, me, acting, wish, rules).action == "bootstrap"]


def leavers(situation, rules):
    """The members that decide to leave a group."""
    members, facts, acting, wish = situation
    wish = dict(wish, state="absent")
    return [me for me in acting if facts[me].reachable and facts[me].state in ("ONLINE", "RECOVERING")
            and decide(members, facts, me, acting, wish, rules).action == "leave"]  # fmt: skip


# What must hold, judged from the facts alone and not with the functions under test. True: broken.
def two_bootstraps(situation, rules):
    return len(bootstrappers(situation, rules)) > 1


def somebody_unasked(situation, rules):
    return bool(bootstrappers(situation, rules)) and not all(facts.reachable for facts in situation[1].values())


def beside_a_living_member(situation, rules):
    living = [facts for facts in situation[1].values() if facts.reachable and facts.state in ("ONLINE", "RECOVERING")]
    return bool(bootstrappers(situation, rules)) and bool(living)


def numbers(facts):
    """Transactions as a Python set, from the texts that the strategy makes."""
    found = set()
    for item in (facts.gtid_executed + "," + facts.received).split(","):
        if item:
            uuid, interval = item.split(":")
            first, _dash, last = interval.partition("-")
            found |= {(uuid, number) for number in range(int(first), int(last or first) + 1)}
    return found


def seed_lacks_a_transaction(situation, rules):
    facts = situation[1]
    return any(
        numbers(other) - numbers(facts[seed])
        for seed in bootstrappers(situation, rules) if facts[seed].reachable
        for other in facts.values() if other.reachable
    )  # fmt: skip


def flag_is_on(situation, rules):
    on = [f for f in situation[1].values() if f.reachable and (f.bootstrap_flag or f.persisted)]
    return bool(bootstrappers(situation, rules)) and bool(on)


def last_member_leaves(situation, rules):
    facts = situation[1]
    return any(
        not [uuid for f in facts.values() if f.reachable and f.state in ("ONLINE", "RECOVERING")
             for uuid, seen in f.view.items() if uuid != facts[me].server_uuid and seen.state == "ONLINE"]
        for me in leavers(situation, rules)
    )  # fmt: skip


def rest_without_majority(situation, rules):
    for me in leavers(situation, rules):
        rest = [seen.state for uuid, seen in situation[1][me].view.items() if uuid != UUIDS[me]]
        if rest and 2 * sum(state in ("ONLINE", "RECOVERING") for state in rest) <= len(rest):
            return True
    return False


def a_twin_goes_in(situation, rules):
    members, facts, acting, wish = situation
    uuids = [f.server_uuid for f in facts.values() if f.reachable]
    return len(set(uuids)) < len(uuids) and any(
        decide(members, facts, me, acting, wish, rules).action in ("bootstrap", "join", "clone") for me in acting
    )


def data_that_no_transaction_covers_begins_a_group(situation, rules):
    facts = situation[1]
    return any(
        facts[seed].data and facts[seed].data.schemas and not numbers(facts[seed])
        for seed in bootstrappers(situation, rules) if facts[seed].reachable
    )  # fmt: skip


def joins_without_the_data(situation, rules):
    """A server without any transaction gets what the binary logs have, and the group holds more."""
    members, facts, acting, wish = situation
    living = [
        f for f in facts.values() if f.reachable and f.state in ("ONLINE", "RECOVERING") and f.group_name == GROUP
    ]
    unaccounted = living and all(f.data and f.data.history and f.data.proven for f in living)
    return bool(wish["data"] is not None and unaccounted) and any(
        decide(members, facts, me, acting, wish, rules).action == "join"
        for me in acting
        if facts[me].reachable and not numbers(facts[me])
    )


def begins_with_tables_that_nobody_can_write(situation, rules):
    facts = situation[1]
    new = not any(uuid == GROUP for f in facts.values() if f.reachable for uuid, _number in numbers(f))
    return new and any(
        facts[seed].reachable and facts[seed].data and facts[seed].data.without_key.number
        for seed in bootstrappers(situation, rules)
    )


INVARIANTS = [
    (data_that_no_transaction_covers_begins_a_group, PRESENT.rules, ("unlogged",)),
    (joins_without_the_data, PRESENT.rules, ("outside",)),
    (begins_with_tables_that_nobody_can_write, PRESENT.rules, ("tables",)),
    (a_twin_goes_in, PRESENT.rules, ("identity",)),
    (two_bootstraps, PRESENT.rules, ("one",)),
    (somebody_unasked, PRESENT.rules, ("asked",)),
    (beside_a_living_member, PRESENT.rules, ("living",)),
    (seed_lacks_a_transaction, PRESENT.rules, ("superset",)),
    (flag_is_on, PRESENT.rules, ("flag",)),
    (last_member_leaves, ABSENT.rules, ("last",)),
    (rest_without_majority, ABSENT.rules, ("quorum",)),
]
QUICK = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None)


@pytest.mark.parametrize(("broken", "rules", "guards"), INVARIANTS, ids=lambda item: getattr(item, "__name__", ""))
def test_invariant_holds(broken, rules, guards):
    @QUICK
    @given(situations())
    def holds(situation):
        assert not broken(situation, rules)

    holds()


@pytest.mark.parametrize(("broken", "rules", "guards"), INVARIANTS, ids=lambda item: getattr(item, "__name__", ""))
def test_invariant_breaks_without_its_guard(broken, rules, guards):
    """The invariant's test can fail: without the rules that guard it, a situation that breaks it is found."""
    without = [rule for rule in rules if rule.guards not in guards]
    assert len(without) < len(rules)
    try:
        found = find(
            situations(), lambda situation: broken(situation, without),
            settings=settings(max_examples=8000, deadline=None, suppress_health_check=list(HealthCheck), database=None,
                              phases=(Phase.generate,)),
        )  # fmt: skip
    except NoSuchExample:
        pytest.fail(
            f"without the rules that guard '{guards[0]}', {broken.__name__} was not found: the invariant is not tested"
        )
    assert not broken(found, rules), "and with them the same situation is harmless"


@QUICK
@given(situations())
def test_every_situation_gets_one_clear_decision(situation):
    members, facts, acting, wish = situation
    for me in acting:
        for state in ("present", "absent"):
            decision = decide(members, facts, me, acting, dict(wish, state=state))
            assert decision.action in member_rules.ACTIONS
            assert decision.rule != "no_rule"
            assert "\n" not in decision.reason


@QUICK
@given(situations())
def test_every_situation_gets_a_diagnosis(situation):
    members, facts, _acting, _wish = situation
    report = diagnosis.diagnose(members, facts)
    assert report["state"] in diagnosis.CLUSTER_STATES
    assert set(report["members"]) == set(members)
    assert all(member["kind"] in member_rules.KINDS for member in report["members"].values())
    for address, member in report["members"].items():
        # Diagnosis and module never disagree: what is said of a member is what the rules decide about it.
        decision = decide(members, facts, address, None, {"group_name": report["group_name"]})
        assert member["would"] == {"decision": decision.action, "rule": decision.rule, "reason": decision.reason}
        assert decision.kind in ("", member["kind"])
    unasked = [address for address in members if not facts[address].reachable]
    assert bool(unasked) <= report["uncertain"]
    assert [address for address in members if report["members"][address]["kind"] == "unreachable"] == unasked
