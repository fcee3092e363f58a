# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the guard's table, without a server."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.rules import (
    ACTING,
    GUARD,
    REJOIN,
    Host,
    decide_guard,
    patience,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.present_rules import PRESENT
from gr_model import (
    CLAIM,
    GROUP,
    MEMBERS,
    OTHER_GROUP,
    UUIDS,
    change,
    entry,
    facts_of,
    gone,
    group_of,
    outage,
    said,
)

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "Every rule of the guard's table has facts that reach it, and the modules' rules stand in it in their order."
    ),
]

DB0, DB1, DB2 = MEMBERS
U0, U1, U2 = (UUIDS[address] for address in MEMBERS)
BOOT = "group_replication_start_on_boot"
FLAG = "group_replication_bootstrap_group"
ALL, LESS = f"{GROUP}:1-9", f"{GROUP}:1-5"
TWO = {DB0: "ONLINE", DB1: "ONLINE"}
THREE = {**TWO, DB2: "ONLINE"}


def equal(**changes):
    """All servers out of the group, with the same transactions."""
    return outage(ALL, ALL, ALL, **changes)


def living(**changes):
    """db0 and db1 are a group, and db2 is in none."""
    return change(group_of(TWO, gtid_executed=ALL), DB2, **{"gtid_executed": LESS, **changes})


def alone(*inside, **outside):
    """The group has lost its majority: those inside see all others UNREACHABLE, and these are up again, in no group."""
    view = {UUIDS[a]: entry(a, "ONLINE" if a in inside else "UNREACHABLE") for a in MEMBERS}
    facts = equal(**outside)
    for address in inside:
        facts[address] = facts_of(address, state="ONLINE", role="PRIMARY", view=dict(view), gtid_executed=ALL)
    return facts


def purged_alive(donor, **changes):
    """db0 is the group and has no longer the binary logs that db2 needs; the donor has, and is in no group."""
    facts = change(group_of({DB0: "ONLINE"}, gtid_executed=ALL), DB0, gtid_purged=f"{GROUP}:1-7")
    facts = change(facts, DB2, gtid_executed=LESS)
    return change(facts, donor, **{"gtid_executed": f"{GROUP}:1-8", **changes})


def two(**of_db1):
    """db2 does not answer, and the guards of the two others saw their members crash; db0 has claimed the start, db1 has promised it."""
    claim = {"promise": (DB0, CLAIM), "starts": {CLAIM: ALL}}
    facts = {**equal(), DB2: gone(DB2)}
    change(facts, DB0, said=said(**claim))
    return change(facts, DB1, said=said(**{**claim, **of_db1}))


MAJORITY = Host(evidence="majority", missed=(DB2,))

# rule: (facts, this server, what its host says)
ROWS = {
    "not_asked": (change(equal(), DB0, reachable=False, error="no answer"), DB0, Host()),
    "paused": (equal(), DB0, Host(paused="12:30")),
    "busy": (equal(), DB0, Host(busy=True)),
    "leaving": (living(), DB2, Host(leaving=True)),
    "taken_out": (living(persisted={BOOT: "OFF"}), DB2, Host()),
    "fenced": (living(), DB2, Host(fenced=True)),
    "unsuitable": (living(log_bin=False), DB2, Host()),
    "wrong_group_name": (living(group_name=OTHER_GROUP), DB2, Host()),
    "cloning": (living(cloning_from="db0:3306"), DB2, Host()),
    "flag_under_lock": (change(equal(), DB1, bootstrap_flag=True, lock_held_by_other=True), DB0, Host()),
    "flag_mine": (equal(persisted={FLAG: "ON"}), DB0, Host()),
    "flag_leftover": (change(equal(), DB0, bootstrap_flag=True), DB0, Host()),
    "split_brain": ({**living(), DB2: facts_of(DB2, state="ONLINE", view={U2: entry(DB2)})}, DB2, Host()),
    "stranded": (alone(DB0), DB0, Host()),
    "stalled": (group_of({**TWO, DB2: "RECOVERING"}), DB0, Host(mode=REJOIN, stalled=16)),
    "stalled_alone": (group_of(TWO), DB0, Host(stalled=16)),
    "cut_off": (alone(DB0), DB0, Host(mode=REJOIN)),
    "online": (group_of(TWO), DB0, Host(free=0, starts=9, up=1, failures=3)),
    "recovering": (group_of({**TWO, DB2: "RECOVERING"}), DB2, Host()),
    "duplicate": (living(server_uuid=U0), DB2, Host()),
    "foreign_group": (change(change(living(), DB0, group_name=OTHER_GROUP), DB1, group_name=OTHER_GROUP), DB2, Host()),
    "no_quorum": (alone(DB0), DB1, Host()),
    "only_recovering": (group_of({DB0: "RECOVERING"}), DB1, Host()),
    "starting": (living(starting=True), DB2, Host()),
    "disk_full": (living(), DB2, Host(free=1 << 20)),
    "restarts": (living(), DB2, Host(starts=4, up=9)),
    "failed": (living(), DB2, Host(failures=1, failed_ago=9, failure="no donor")),
    "version": (living(version="5.7.44"), DB2, Host()),
    "settings": (living(settings={"lower_case_table_names": "1"}), DB2, Host()),
    "errant": (living(gtid_executed=f"{U2}:1"), DB2, Host()),
    "blank": (living(gtid_executed=""), DB2, Host()),
    "donor_joins": (purged_alive(DB1), DB2, Host()),
    "purged": (change(change(living(), DB0, gtid_purged=f"{GROUP}:1-7"), DB1, gtid_purged=f"{GROUP}:1-7"), DB2, Host()),
    "in_error": (living(state="ERROR"), DB2, Host(mode=REJOIN)),
    "old_incarnation": (
        change(living(), DB0, view={U0: entry(DB0), U1: entry(DB1), U2: entry(DB2, "UNREACHABLE")}),
        DB2,
        Host(),
    ),
    "join": (living(), DB2, Host(mode=REJOIN, starts=4, up=10, failures=1, failed_ago=10, free=16 << 20)),
    "unmarked": (change(living(), DB0, said=said(state="in", mark=CLAIM, starts={CLAIM: ALL})), DB2, Host()),
    "no_majority": (two(state="left"), DB0, MAJORITY),
    "unpromised_yet": (two(promise=("", "")), DB0, MAJORITY),
    "rejoin_only": (equal(), DB0, Host(mode=REJOIN)),
    "unasked": ({**equal(), DB2: gone(DB2)}, DB0, Host()),
    "stranger": (equal(), DB0, Host(view=(DB0, "db9:3306"))),
    "flag_lasting_elsewhere": (change(equal(), DB1, persisted={FLAG: "ON"}), DB0, Host()),
    "flag_elsewhere_acting": (change(equal(), DB1, bootstrap_flag=True), DB0, Host()),
    "flag_elsewhere": (change(equal(), DB1, bootstrap_flag=True, persisted={BOOT: "OFF"}), DB0, Host()),
    "configured_otherwise": (change(equal(), DB1, group_name=OTHER_GROUP), DB0, Host()),
    "sees_others": (change(equal(), DB1, view={U2: entry(DB2)}), DB0, Host()),
    "never_begun": (outage(f"{U0}:1", f"{U0}:1", f"{U0}:1"), DB0, Host()),
    "conflict": (outage(f"{GROUP}:1-9,{U0}:1", f"{GROUP}:1-9,{U1}:1", ALL), DB0, Host()),
    "not_acting": (change(outage(ALL, LESS, LESS), DB0, persisted={BOOT: "OFF"}), DB1, Host()),
    "other_seed": (outage(LESS, ALL, LESS), DB0, Host()),
    "bootstrap": (outage(LESS, ALL, LESS), DB1, Host(view=tuple(MEMBERS))),
}  # fmt: skip
# Data that no GTID set shows: tests/unit/plugins/module_utils/test_gr_decision.py has facts that reach them.
ELSEWHERE = {"innodb_cluster", "replica", "unlogged"}


@pytest.mark.parametrize("rule", ROWS)
def test_rule(rule):
    facts, me, host = ROWS[rule]
    decision = decide_guard(MEMBERS, facts, me, GROUP, host)
    assert decision.rule == rule, decision
    assert "{" not in decision.reason


def test_every_rule_has_a_row():
    assert {rule.name for rule in GUARD.rules} == set(ROWS) | ELSEWHERE


@pytest.mark.parametrize(
    ("facts", "host", "rule"),
    [
        (group_of(THREE), Host(stalled=15), "online"),
        (group_of(THREE), Host(stalled=16), "stalled"),
        (group_of(THREE), Host(stalled=16, paused="12:30"), "paused"),
        (group_of(THREE), Host(stalled=16, busy=True), "busy"),
        # Of those who see it as a member one does not answer: it may be the second that is ended at this moment.
        ({**group_of(THREE), DB2: gone(DB2)}, Host(stalled=16), "stalled_alone"),
        (group_of({DB0: "ONLINE", DB1: "RECOVERING", DB2: "RECOVERING"}), Host(stalled=16), "stalled_alone"),
    ],
)
def test_a_member_that_executes_nothing_is_started_anew_where_the_others_can_do_without_it(facts, host, rule):
    assert decide_guard(MEMBERS, facts, DB0, GROUP, host).rule == rule


def test_the_modules_rules_are_the_guards_in_their_order():
    """So that module and guard cannot decide differently where both decide."""
    taken = [rule for rule in GUARD.rules if rule in PRESENT.rules]
    assert taken == [rule for rule in PRESENT.rules if rule in taken]
    # What it leaves out: clones, what a first start of a group needs, and what a run on several members waits for.
    left_out = {rule.name for rule in PRESENT.rules} - {rule.name for rule in taken}
    assert left_out == {
        "errant_clone", "different_data", "unlogged_clone", "purged_clone", "outside_clone", "outside", "tables", "outside_history", "mark",
        "guards_start",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({DB2: gone(DB2)}, "a lost member does not answer: it may be alive"),
        ({DB2: facts_of(DB2, starting=True, gtid_executed=ALL)}, "a lost member starts"),
        ({DB2: facts_of(DB2, state="RECOVERING", view={U2: entry(DB2, "RECOVERING")})}, "a lost member is in a group"),
        ({DB2: facts_of(DB2, gtid_executed=ALL, server_uuid="00000009-aaaa-bbbb-cccc-dddddddddddd")}, "another server"),
        ({DB1: facts_of(DB1, gtid_executed=f"{ALL},{U1}:1"), DB2: facts_of(DB2, gtid_executed=f"{ALL},{U2}:1")}, "no superset"),
        ({DB2: facts_of(DB2, gtid_executed=f"{ALL},{U2}:1", persisted={BOOT: "OFF"})}, "the superset was taken out"),
        ({DB2: facts_of(DB2, gtid_executed=ALL, bootstrap_flag=True, bootstrap_flag_source="GLOBAL /etc/my.cnf")}, "a flag"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)  # fmt: skip
def test_a_partition_goes_on_where_nobody_would_start_the_group_without_it(changes, why):
    decision = decide_guard(MEMBERS, {**alone(DB0), **changes}, DB0, GROUP, Host())
    assert decision.action not in ACTING, (why, decision)


def test_the_last_view_may_hold_a_stranger_that_lives():
    decision = decide_guard(MEMBERS, alone(DB0), DB0, GROUP, Host(view=(*MEMBERS, "db9:3306")))
    assert decision.rule == "cut_off"


def test_two_survivors_of_five_end_their_partition():
    members = [f"db{number}:3306" for number in range(5)]
    uuids = {address: f"0000000{number}-aaaa-bbbb-cccc-dddddddddddd" for number, address in enumerate(members)}
    view = {uuids[a]: entry(a, "ONLINE" if a in members[:2] else "UNREACHABLE") for a in members}
    facts = {
        a: facts_of(MEMBERS[0], gtid_executed=ALL)._replace(
            address=a, server_uuid=uuids[a], server_id=n, hostname=a[:3]
        )
        for n, a in enumerate(members)
    }
    for address in members[:2]:
        facts[address] = facts[address]._replace(state="ONLINE", role="PRIMARY", view=dict(view))
    for address in members[:2]:
        assert decide_guard(members, facts, address, GROUP, Host()).action == "end_partition"
    for address in members[2:]:
        assert decide_guard(members, facts, address, GROUP, Host()).rule == "no_quorum"


@pytest.mark.parametrize("facts", [living(), equal(), {**equal(), DB0: gone(DB0), DB1: gone(DB1)}])
def test_a_member_that_fell_out_is_stopped_at_once_whoever_else_answers(facts):
    assert decide_guard(MEMBERS, change(facts, DB2, state="ERROR"), DB2, GROUP, Host()).action == "stop"


@pytest.mark.parametrize(
    ("facts", "host", "rule"),
    [
        (living(gtid_executed=f"{U2}:1"), Host(), "errant"),
        (living(), Host(paused="12:30"), "paused"),
        (living(), Host(fenced=True), "fenced"),
        (living(), Host(free=1 << 20), "disk_full"),
        (living(), Host(starts=4, up=9), "restarts"),
        (alone(DB0), Host(), "no_quorum"),
    ],
)
def test_a_member_that_is_to_stay_out_stays_as_it_is(facts, host, rule):
    assert decide_guard(MEMBERS, change(facts, DB2, state="ERROR"), DB2, GROUP, host).rule == rule


@pytest.mark.parametrize(
    ("facts", "me", "up", "rule"),
    [
        (outage(ALL, LESS, LESS), DB0, 9.0, "restarts"),
        (outage(ALL, LESS, LESS), DB0, 10.0, "bootstrap"),
        (living(), DB2, 119.0, "restarts"),
        (living(), DB2, 120.0, "join"),
    ],
)
def test_a_server_that_all_wait_for_need_not_stay_up_for_long(facts, me, up, rule):
    """Started nine times in a row: in a living group it would be a burden for the others."""
    assert decide_guard(MEMBERS, facts, me, GROUP, Host(starts=9, up=up)).rule == rule


@pytest.mark.parametrize(
    "changes",
    [
        {"reachable": False, "error": "no answer"},
        {"persisted": {BOOT: "OFF"}},
        {"gtid_purged": f"{GROUP}:1-6"},
        {"gtid_executed": f"{ALL},{U1}:1"},
    ],
    ids=["does not answer", "was taken out", "has purged them, too", "is errant"],
)
def test_a_donor_that_will_not_come_is_not_waited_for(changes):
    assert decide_guard(MEMBERS, purged_alive(DB1, **changes), DB2, GROUP, Host()).rule == "purged"


def test_patience_grows_and_ends():
    assert [patience(number) for number in (-2, 0, 1, 2, 3, 4, 5, 6, 99)] == [0, 0, 10, 20, 40, 80, 120, 120, 120]


# -- the evidence of a majority ----------------------------------------------------------------------------------------
def test_two_of_three_start_the_group_once_one_has_promised():
    decision = decide_guard(MEMBERS, two(), DB0, GROUP, MAJORITY)
    assert decision.rule == "bootstrap", decision
    assert decide_guard(MEMBERS, two(), DB1, GROUP, MAJORITY).rule == "other_seed"
    assert decide_guard(MEMBERS, two(), DB0, GROUP, MAJORITY._replace(evidence="all")).rule == "unasked"


def test_each_of_three_of_four_has_to_promise():
    members = [*MEMBERS, "db3:3306"]
    of_db0 = said(members=members, promise=(DB0, CLAIM), starts={CLAIM: ALL})
    facts = {address: facts._replace(said=of_db0) for address, facts in equal().items()}
    facts["db3:3306"] = gone("db3:3306")
    host = MAJORITY._replace(missed=("db3:3306",))
    assert decide_guard(members, facts, DB0, GROUP, host).rule == "bootstrap"
    change(facts, DB2, said=said(members=members))
    decision = decide_guard(members, facts, DB0, GROUP, host)
    assert decision.rule == "unpromised_yet" and f"of {DB2} that" in decision.reason


@pytest.mark.parametrize(
    ("facts", "host", "why"),
    [
        (two(), MAJORITY._replace(missed=()), "it is waited for 60 s in case that db2:3306 boots later"),
        ({**two(), DB1: gone(DB1)}, MAJORITY, "it allows for 1 that does not answer"),
        (change(two(), DB1, said=None), MAJORITY, "the guard of db1:3306 says nothing"),
        (two(evidence="all"), MAJORITY, "mysql_gr_guard_evidence of db1:3306 is all"),
        (two(members=[DB0, DB1]), MAJORITY, "other members are declared to db1:3306: db0:3306, db1:3306"),
        (two(state="left"), MAJORITY, "the guard of db1:3306 did not see it crash as a member"),
        (two(state="in"), MAJORITY, "the guard of db1:3306 did not see it crash as a member"),
        (two(state=""), MAJORITY, "the guard of db1:3306 did not see it crash as a member"),
        (two(view=[DB0, DB1, "db9:3306"]), MAJORITY, "db1:3306 was in a group with db9:3306, which is not declared"),
        (
            two(view=[DB1, DB2]),
            MAJORITY,
            "of the last view of db1:3306 (db1:3306, db2:3306), a majority does not answer",
        ),
        (change(two(), DB0, said=said(state="left")), MAJORITY, "the guard of db0:3306 did not see it crash"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_what_is_no_evidence_of_a_majority(facts, host, why):
    decision = decide_guard(MEMBERS, facts, DB0, GROUP, host)
    assert decision.rule == "no_majority" and why in decision.reason and DB2 in decision.reason, decision


def test_of_two_members_one_is_no_majority():
    facts = {DB0: two()[DB0]._replace(said=said(members=[DB0, DB1])), DB1: gone(DB1)}
    decision = decide_guard([DB0, DB1], facts, DB0, GROUP, Host(evidence="majority", missed=(DB1,)))
    assert decision.rule == "no_majority" and "of 2 members one is no majority" in decision.reason


@pytest.mark.parametrize(
    ("facts", "waits_for"),
    [
        (two(promise=(DB0, "another")), DB1),
        (two(promise=(DB2, CLAIM)), DB1),
        (change(two(), DB0, said=said()), DB0),
        (change(two(), DB0, said=said(promise=(DB1, CLAIM), starts={CLAIM: ALL})), DB0),
        (change(two(), DB0, said=said(promise=(DB0, CLAIM), starts={CLAIM: LESS})), DB0),
        # All answer: one that is bound is enough, and none is not.
        (change(change(equal(), DB0, said=two()[DB0].said), DB1, said=said()), f"{DB1}, {DB2}"),
    ],
)
def test_whose_promise_is_waited_for(facts, waits_for):
    decision = decide_guard(MEMBERS, facts, DB0, GROUP, MAJORITY)
    assert decision.rule == "unpromised_yet" and f"the promise of {waits_for} that" in decision.reason, decision


@pytest.mark.parametrize("bound", [two()[DB1].said, said(state="left"), said(state="")])
def test_where_all_answer_one_that_cannot_start_without_this_member_is_enough(bound):
    facts = change(change(equal(), DB0, said=two()[DB0].said), DB1, said=bound)
    assert decide_guard(MEMBERS, facts, DB0, GROUP, MAJORITY).rule == "bootstrap"


def test_a_member_that_was_left_behind_is_kept_out_and_its_transactions_are_named():
    """The group was started without db2, and has since given the number that db2 has alone, 6, to another transaction."""
    facts = change(living(), DB2, gtid_executed=f"{GROUP}:1-6")
    for address in (DB0, DB1):
        change(facts, address, gtid_executed=f"{ALL},{CLAIM}:1", said=said(state="in", starts={CLAIM: LESS}))
    decision = decide_guard(MEMBERS, facts, DB2, GROUP, Host())
    assert decision.rule == "errant" and f"lacks: {GROUP}:6; the group was started without it" in decision.reason
    # It had nothing of its own: it joins.
    assert decide_guard(MEMBERS, change(facts, DB2, gtid_executed=LESS), DB2, GROUP, Host()).rule == "join"
    # A clone of a member has the mark.
    cloned = change(dict(facts), DB2, gtid_executed=f"{ALL},{CLAIM}:1")
    assert decide_guard(MEMBERS, cloned, DB2, GROUP, Host()).rule == "join"
    # Nobody knows any more what the group had then.
    forgotten = {a: f._replace(said=None) for a, f in change(facts, DB2, gtid_executed=LESS).items()}
    assert decide_guard(MEMBERS, forgotten, DB2, GROUP, Host()).rule == "errant"


def test_a_member_that_was_left_behind_starts_no_group():
    facts = outage(f"{GROUP}:1-6,{CLAIM}:1", f"{GROUP}:1-6,{CLAIM}:1", ALL)
    change(facts, DB0, said=said(starts={CLAIM: LESS}, evidence="all"))
    assert decide_guard(MEMBERS, facts, DB0, GROUP, Host()).rule == "bootstrap"
    assert decide_guard(MEMBERS, facts, DB2, GROUP, Host()).rule == "other_seed"
    # Its server crashed before the mark was in: its guard knows.
    early = outage(f"{GROUP}:1-6", LESS, ALL)
    change(early, DB0, said=said(starts={CLAIM: LESS}, mark=CLAIM, evidence="all"))
    assert decide_guard(MEMBERS, early, DB2, GROUP, Host()).rule == "other_seed"
    # It started the group, and nothing was committed there: then it is the others that have more.
    idle = change(outage(LESS, LESS, ALL), DB0, said=said(starts={CLAIM: LESS}, mark=CLAIM, evidence="all"))
    assert decide_guard(MEMBERS, idle, DB2, GROUP, Host()).rule == "bootstrap"
