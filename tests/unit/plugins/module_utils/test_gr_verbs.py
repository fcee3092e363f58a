# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the tables about mode and primary, forcing quorum, and fences, without a server."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection, Recorder, ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import Inbound
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.sites import claim_uuid
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs import fence, primary, quorum
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.fence import decide_fence
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.primary import decide_primary
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.quorum import decide_quorum
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from gr_model import GROUP, MEMBERS, UUIDS, change, entry, facts_of, gone, group_of, said

DB0, DB1, DB2 = MEMBERS
U0, U1, U2 = (UUIDS[address] for address in MEMBERS)
THREE = dict.fromkeys(MEMBERS, "ONLINE")
SINGLE, MULTI = "single_primary", "multi_primary"


def single(main=DB0, states=None, **changes):
    """A single-primary group."""
    facts = group_of(states or THREE, single_primary_mode=True, **changes)
    for address in facts:
        for uuid, line in facts[address].view.items():
            role = "PRIMARY" if uuid == UUIDS[main] else "SECONDARY"
            facts[address].view[uuid] = line._replace(role=role)
        if facts[address].view:
            change(facts, address, role="PRIMARY" if address == main else "SECONDARY")
    return facts


def view_versions(facts, **versions):
    """The same facts with other versions in the views."""
    for item in facts.values():
        for uuid, line in item.view.items():
            item.view[uuid] = line._replace(version=versions.get(line.host, line.version))
    return facts


def minority(alive, lost):
    """`alive` see each other ONLINE and `lost` UNREACHABLE; the lost ones could not be asked."""
    view = {UUIDS[a]: entry(a) for a in alive}
    view.update({UUIDS[a]: entry(a, "UNREACHABLE") for a in lost})
    facts = {
        a: facts_of(a, state="ONLINE", role="PRIMARY", view=copy.deepcopy(view), local_address=a[:3] + ":33061")
        for a in alive
    }
    facts.update({a: gone(a) for a in lost})
    return {address: facts[address] for address in MEMBERS}


def swap(facts, address, **changes):
    facts = dict(facts)
    facts[address] = facts[address]._replace(**changes)
    return facts


PRIMARY = [
    ("not_asked", {**group_of(THREE), DB0: gone(DB0, "no socket")}, {"mode": SINGLE}, "refuse", "no socket"),
    ("not_online", group_of({DB1: "ONLINE", DB2: "ONLINE"}), {"mode": SINGLE}, "refuse", "OFFLINE"),
    ("not_online", group_of({**THREE, DB0: "RECOVERING"}), {"mode": SINGLE}, "refuse", "RECOVERING"),
    ("no_quorum", minority([DB0], [DB1, DB2]), {"mode": SINGLE}, "refuse", "1 of 3"),
    ("primary_of_multi", group_of(THREE), {"primary": DB1}, "refuse", "mode=single_primary"),
    ("of_two_sites", single(gtid_executed=f"{claim_uuid(GROUP)}:1"), {"mode": MULTI}, "refuse", "single-primary mode"),
    ("old_member", view_versions(group_of(THREE), db1="8.0.12"), {"mode": SINGLE}, "refuse", "db1:3306 8.0.12"),
    ("target_absent", single(states={DB0: "ONLINE", DB1: "ONLINE"}), {"primary": DB2}, "refuse", "not in the group"),
    ("target_absent", single(states={**THREE, DB2: "RECOVERING"}), {"primary": DB2}, "refuse", "RECOVERING"),
    ("target_newer", view_versions(single(), db1="9.7.5"), {"primary": DB1}, "refuse", "runs 9.7.5"),
    ("done", group_of(THREE), {"mode": MULTI}, "unchanged", "multi_primary"),
    ("done", single(), {"mode": SINGLE}, "unchanged", "single_primary"),
    ("done", single(DB1), {"primary": DB1}, "unchanged", "single_primary"),
    ("done", {**single(DB1), DB2: gone(DB2)}, {"primary": DB1}, "unchanged", "single_primary"),
    ("disagree", {**single(DB1), DB2: single(DB0)[DB2]}, {"primary": DB1}, "wait", "does not see"),
    ("disagree", swap(single(DB1), DB2, single_primary_mode=False), {"mode": SINGLE}, "wait", "does not see"),
    ("unsettled", group_of({**THREE, DB2: "RECOVERING"}), {"mode": SINGLE}, "wait", "db2:3306 is RECOVERING"),
    ("to_multi", single(), {"mode": MULTI}, "switch_multi", "single-primary"),
    ("to_single", group_of(THREE), {"mode": SINGLE}, "switch_single", "elects"),
    ("to_single", group_of(THREE), {"mode": SINGLE, "primary": DB1}, "switch_single", DB1),
    ("set_primary", single(), {"primary": DB1}, "set_primary", DB1),
    ("set_primary", {**single(), DB1: gone(DB1)}, {"mode": SINGLE, "primary": DB1}, "set_primary", DB1),
]  # fmt: skip

QUORUM = [
    ("not_asked", {**minority([DB1], [DB0, DB2]), DB0: gone(DB0, "no socket")}, [DB1, DB2], "refuse", "no socket"),
    ("not_member", group_of({}), [DB1, DB2], "refuse", "OFFLINE"),
    ("has_quorum", group_of(THREE), [DB1, DB2], "unchanged", "3 of 3"),
    ("majority_elsewhere", {**minority([DB1, DB2], [DB0]), DB0: minority([DB0], [DB1, DB2])[DB0]}, [DB1, DB2], "refuse", DB1),
    ("lost_alive", {**minority([DB0], [DB1, DB2]), DB1: minority([DB1], [DB0, DB2])[DB1]}, [DB1, DB2], "refuse",
     "db1:3306 is alive"),
    ("lost_differs", minority([DB0], [DB1, DB2]), [DB1], "refuse", "(allowed: exactly the UNREACHABLE members, db1:3306, db2:3306)"),
    ("lost_differs", minority([DB0], [DB1, DB2]), [DB0, DB1, DB2], "refuse", "allowed: exactly"),
    ("majority_guards", swap(minority([DB0], [DB1, DB2]), DB0, said=said(state="in")), [DB1, DB2], "refuse", "guards of db1:3306, db2:3306 would"),
    ("force", swap(minority([DB0], [DB1, DB2]), DB0, said=said(state="in", evidence="all")), [DB2, DB1], "force", ""),
    ("force", minority([DB0], [DB1, DB2]), [DB2, DB1], "force", "db0:3306 go on without db1:3306, db2:3306"),
]  # fmt: skip


def four(alive, lost):
    """Four declared members: two are left of four, which is no majority."""
    members = [*MEMBERS, "db3:3306"]
    view = {UUIDS[a]: entry(a) for a in alive}
    view.update({UUIDS[a]: entry(a, "UNREACHABLE") for a in lost})
    facts = {
        a: facts_of(a, state="ONLINE", role="PRIMARY", view=copy.deepcopy(view), local_address=a[:3] + ":33061")
        for a in alive
    }
    facts.update({a: gone(a) for a in lost})
    return members, {address: facts[address] for address in members}


FENCE = [
    ("not_asked", {**group_of(THREE), DB0: gone(DB0, "no socket")}, "writes", None, "refuse", []),
    ("fence", group_of(THREE), "writes", None, "fence", ["super_read_only=ON"]),
    ("fence", group_of(THREE), "all", None, "fence", ["super_read_only=ON", "offline_mode=ON"]),
    ("fence", single(), "writes", True, "fence", ["disable member action", "super_read_only=ON"]),
    ("fence", swap(single(), DB0, super_read_only=True), "writes", True, "fence",
     ["super_read_only=OFF", "disable member action", "super_read_only=ON"]),
    ("fence", swap(group_of(THREE), DB0, super_read_only=True), "all", None, "fence", ["offline_mode=ON"]),
    ("fenced", swap(group_of(THREE), DB0, super_read_only=True), "writes", None, "unchanged", []),
    ("fenced", swap(single(), DB0, super_read_only=True), "writes", False, "unchanged", []),
    ("unfence", swap(group_of(THREE), DB0, super_read_only=True, offline_mode=True), "none", None, "unfence",
     ["offline_mode=OFF", "read_only=OFF"]),
    ("unfence", swap(single(), DB0, super_read_only=True), "none", False, "unfence", ["read_only=OFF", "enable member action"]),
    ("of_two_sites", swap(single(), DB0, super_read_only=True, inbound=[Inbound("site", "n0:3306")]), "none", False, "refuse", []),
    ("of_two_sites", swap(single(), DB0, super_read_only=True, gtid_executed=f"{claim_uuid(GROUP)}:1"), "none", False, "refuse", []),
    ("not_fenced", group_of(THREE), "none", None, "unchanged", []),
    ("not_fenced", single(), "none", True, "unchanged", []),
    # A secondary, a stopped member and a minority stay read-only: that is the group's own doing.
    ("not_fenced", swap(single(DB1), DB0, super_read_only=True), "none", None, "unchanged", []),
    ("not_fenced", swap(group_of({DB1: "ONLINE", DB2: "ONLINE"}), DB0, super_read_only=True), "none", None, "unchanged", []),
    ("not_fenced", swap(minority([DB0], [DB1, DB2]), DB0, super_read_only=True), "none", None, "unchanged", []),
]  # fmt: skip


@pytest.mark.parametrize("case", PRIMARY, ids=lambda case: case[0])
def test_primary(case):
    rule, facts, wish, action, words = case
    decision = decide_primary(MEMBERS, facts, DB0, wish)
    assert (decision.rule, decision.action) == (rule, action), decision.reason
    assert words in decision.reason


@pytest.mark.parametrize("case", QUORUM, ids=lambda case: case[0])
def test_quorum(case):
    rule, facts, lost, action, words = case
    decision = decide_quorum(MEMBERS, facts, DB0, lost)
    assert (decision.rule, decision.action) == (rule, action), decision.reason
    assert words in decision.reason


def test_quorum_of_two_survivors():
    lost = [DB2, "db3:3306"]
    members, facts = four([DB0, DB1], lost)
    assert decide_quorum(members, facts, DB0, lost).rule == "force"
    situation = quorum.QuorumSituation(members, facts, DB0, None, {"lost": lost})
    assert situation.addresses == ["db0:33061", "db1:33061"]
    unasked = dict(facts, **{DB1: gone(DB1)})
    assert decide_quorum(members, unasked, DB0, lost).rule == "survivor_unasked"
    other = copy.deepcopy(facts)
    other[DB1].view[U0] = entry(DB0, "UNREACHABLE")
    assert decide_quorum(members, other, DB0, lost).rule == "survivor_disagrees"


@pytest.mark.parametrize("case", FENCE, ids=lambda case: case[0])
def test_fence(case):
    rule, facts, wanted, enabled, action, steps = case
    decision = decide_fence(MEMBERS, facts, DB0, wanted, enabled)
    assert (decision.rule, decision.action) == (rule, action), decision.reason
    assert decision.details.get("steps", []) == steps


def test_every_row_has_a_case():
    assert {rule.name for rule in primary.PRIMARY.rules} == {case[0] for case in PRIMARY}
    assert {rule.name for rule in fence.FENCE.rules} == {case[0] for case in FENCE}
    tested = {case[0] for case in QUORUM} | {"survivor_unasked", "survivor_disagrees"}
    assert {rule.name for rule in quorum.QUORUM.rules} == tested


def test_quorum_that_is_there_counts_also_when_forcing_it_took_longer_than_the_timeout():
    """The statement waits for the group, for more than a minute on a busy machine."""

    class Slow:
        me, members = DB0, MEMBERS
        local = Connection("db0", Recorder())
        told = []

        def gather(self, only=None):
            return {**minority([DB0], [DB1, DB2]), DB0: group_of({DB0: "ONLINE"})[DB0]}

    cluster = Slow()
    made = quorum.Quorum({"timeout": 1})
    cluster.local.open = lambda: None
    cluster.local.query = lambda text, args=None: cluster.told.append(args) or setattr(made, "deadline", 0.0) or []
    made.cluster, made.lost, made.facts = cluster, [DB1, DB2], minority([DB0], [DB1, DB2])
    made.work()
    assert made.decision.action == "force" and made.report()["after"]["quorum"]
    assert cluster.told == [("db0:33061",), ("",)], "set, and emptied again"
    # Without quorum it fails, and the option is emptied all the same.
    made.facts = minority([DB0], [DB1, DB2])
    cluster.gather = lambda only=None: minority([DB0], [DB1, DB2])
    with pytest.raises(Refusal, match="after 1 seconds the group still has no quorum"):
        made.work()
    assert cluster.told[-1] == ("",)


@pytest.mark.parametrize(
    ("errors", "refused"),
    [
        # The server is busy for a moment after it has given up: its own words are kept, and the option is emptied.
        ([ServerError("timed out", 1231), ServerError("busy", 3724), None], "the group refuses: timed out$"),
        (
            [ServerError("timed out", 1231), ServerError("gone", 2013, lost=True)],
            "timed out; .* could not be emptied .gone.: set it to ''",
        ),
    ],
)
def test_what_the_server_said_is_kept_when_the_option_cannot_be_emptied_at_once(monkeypatch, errors, refused):
    monkeypatch.setattr(quorum.time, "sleep", lambda seconds: None)
    answers = list(errors)

    class Busy:
        me, members = DB0, MEMBERS
        local = Connection("db0", Recorder())
        gather = staticmethod(lambda only=None: minority([DB0], [DB1, DB2]))

    def query(text, args=None):
        error = answers.pop(0)
        if error:
            raise error
        return []

    made = quorum.Quorum({"timeout": 1})
    Busy.local.open, Busy.local.query = lambda: None, query
    made.cluster, made.lost, made.facts = Busy(), [DB1, DB2], minority([DB0], [DB1, DB2])
    with pytest.raises(Refusal, match=refused):
        made.work()
    assert answers == []
