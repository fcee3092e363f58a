# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Forcing quorum: the decision as a table of rules, and the one statement.

Private to this collection.
"""

from __future__ import annotations

import time
from typing import Any, Iterable

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import operation
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import LIVE, ServerFacts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.lease import guards_evidence
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import check_members, check_range
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.present_rules import not_asked
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision, Details, Rule, Table, when
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.said import MAJORITY
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import (
    Facts,
    Situation,
    is_live,
    names,
    sees_quorum,
    view_counts,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

FORCE = "SET GLOBAL group_replication_force_members = %s"
# What a server says after two minutes, its own patience: what it began goes on, and the view may come later.
LATE = "Timeout on wait for view"
BUSY = 3724  # other options of Group Replication are being set, or a START or STOP is under way
PATIENCE = 60  # seconds for the option to be emptied while the server is busy

QUORUM = Table()
QUORUM.rule("refuse", "this server could not be asked: {error}")(not_asked)


class QuorumSituation(Situation):
    """What the rules of forcing quorum look at; wish: lost (addresses that are given up)."""

    @property
    def lost_in_view(self) -> dict[str, str]:
        """{address: uuid} of members that this server sees as UNREACHABLE."""
        return {e.address: uuid for uuid, e in sorted(self.mine.view.items()) if e.state == "UNREACHABLE"}

    @property
    def survivors(self) -> dict[str, str]:
        """{address as in the view: uuid} of members that this server still sees."""
        return {e.address: uuid for uuid, e in sorted(self.mine.view.items()) if e.state in LIVE}

    def facts_by_uuid(self, uuid: str) -> ServerFacts | None:
        """Facts of the declared member with that server_uuid, or None."""
        return next((f for f in self.facts.values() if f.reachable and f.server_uuid == uuid), None)

    @property
    def addresses(self) -> list[str]:
        """Group addresses of the survivors, for group_replication_force_members."""
        found = [self.facts_by_uuid(uuid) for _address, uuid in sorted(self.survivors.items())]
        return [facts.local_address for facts in found if facts]


@QUORUM.rule("refuse", "this server is {state}: quorum is forced through a member that still counts itself ONLINE")
def not_member(s: QuorumSituation) -> Details:
    """this server is not ONLINE"""
    return when(not is_live(s.mine) or s.mine.state != "ONLINE", state=s.mine.state)


# Members that were frozen and then ended are seen for some seconds as if they were back.
@QUORUM.rule("unchanged", "this server sees {reachable} of {total} members: the group has quorum", settle=True)
def has_quorum(s: QuorumSituation) -> Details:
    """this server sees a majority"""
    total, reachable = view_counts(s.mine)
    return when(sees_quorum(s.mine), total=total, reachable=reachable)


@QUORUM.rule("refuse", "{members} has quorum: this server is the one that is cut off", guards="split", settle=True)
def majority_elsewhere(s: QuorumSituation) -> Details:
    """another part of the group has quorum"""
    others = [part for part in s.quorate if s.me not in part.addresses]
    return when(others, members=names(address for part in others for address in part.online))


@QUORUM.rule(
    "refuse",
    "{members} is alive and would become a second group: stop Group Replication or mysqld there first",
    guards="split",
    settle=True,
)
def lost_alive(s: QuorumSituation) -> Details:
    """a member that would be given up answers and is in a group"""
    found = {address: s.facts_by_uuid(uuid) for address, uuid in s.lost_in_view.items()}
    alive = sorted(address for address, facts in found.items() if facts is not None and is_live(facts))
    return when(alive, members=names(alive))


@QUORUM.rule(
    "refuse",
    "mysql_gr_guard_evidence is majority: the guards of {lost} would not know of the forced group, and could start another one. Set it to all first, on the "
    "lost members, too, or make sure that their hosts stay off",
    guards="majority",
)
def majority_guards(s: QuorumSituation) -> Details:
    """guards with mysql_gr_guard_evidence=majority watch the members"""
    return when(s.guards_by_majority or s.wish.get("evidence") == MAJORITY, lost=names(sorted(s.lost_in_view)))


@QUORUM.rule(
    "refuse",
    "lost_members: {told} is not allowed (allowed: exactly the UNREACHABLE members, {seen})",
    guards="confirmed",
    settle=True,
)
def lost_differs(s: QuorumSituation) -> Details:
    """lost_members are not exactly the members that are UNREACHABLE"""
    seen, told = sorted(s.lost_in_view), sorted(s.wish.get("lost") or ())
    return when(seen != told, seen=names(seen) or "nobody", told=names(told) or "nobody")


@QUORUM.rule("refuse", "{members} could not be asked", guards="split", settle=True)
def survivor_unasked(s: QuorumSituation) -> Details:
    """a surviving member could not be asked"""
    missing = sorted(address for address, uuid in s.survivors.items() if s.facts_by_uuid(uuid) is None)
    return when(missing, members=names(missing))


@QUORUM.rule("refuse", "{members} sees other members than this server", guards="split", settle=True)
def survivor_disagrees(s: QuorumSituation) -> Details:
    """the survivors do not see the same members"""
    mine = set(s.survivors.values())
    found = []
    for address, uuid in sorted(s.survivors.items()):
        facts = s.facts_by_uuid(uuid)
        if facts and {other for other, entry in facts.view.items() if entry.state in LIVE} != mine:
            found.append(address)
    return when(found, members=names(found))


@QUORUM.rule("force", "{survivors} go on without {lost}")
def force(s: QuorumSituation) -> Details:
    """no quorum, and exactly the UNREACHABLE members are named as lost"""
    return {"survivors": names(sorted(s.survivors)), "lost": names(sorted(s.lost_in_view))}


def decide_quorum(
    members: Iterable[str],
    facts: Facts,
    me: str,
    lost: Iterable[str],
    rules: list[Rule] | None = None,
    evidence: str = "",
) -> Decision:
    """The Decision about forcing quorum; lost: addresses that the user gives up; evidence: mysql_gr_guard_evidence of this host."""
    return QUORUM.decide(QuorumSituation(members, facts, me, None, {"lost": list(lost), "evidence": evidence}), rules)


class Quorum(operation.Operation):
    """One run of group_replication_force_quorum."""

    # With two hosts that are off, which drop packets, MySQL 9.7 took 113 s, and twice more than the 120 s that it waits by itself.
    timeout = 300

    def check(self) -> None:
        check_range(self.params, "timeout", 1, 86400)
        self.lost = check_members(self.params["lost_members"], "lost_members")

    def decide(self) -> Decision:
        return decide_quorum(self.cluster.members, self.facts, self.me, self.lost, evidence=guards_evidence())

    def work(self) -> None:
        self.decision = self.settled(self.decide())
        self.refuse(self.decision)
        if self.decision.action == "force":
            self.force()
            self.empty()

    def force(self) -> None:
        """Set group_replication_force_members and wait for quorum; where that fails, empty it again."""
        situation = QuorumSituation(self.cluster.members, self.facts, self.me, None, {"lost": self.lost})
        wanted = set(situation.survivors.values())
        try:
            try:
                self.run_statement(FORCE, (",".join(situation.addresses),))
            except ServerError as error:
                if LATE not in str(error):
                    raise
                self.changed = True
            if self.check_mode:
                view = {uuid: entry for uuid, entry in self.mine.view.items() if uuid in wanted}
                self.facts[self.me] = self.mine._replace(view=view)
            while not self.check_mode:
                # The statement itself may have taken longer than the timeout: what counts is what is there now.
                self.facts = self.cluster.gather()
                if sees_quorum(self.mine) and set(self.mine.view) == wanted:
                    break
                if self.left() < 0:
                    raise Refusal(
                        f"timeout: after {self.timeout} seconds the group still has no quorum; it may come later: see the status before you run this again"
                    )
                time.sleep(operation.POLL)
        except Refusal as error:
            refused = f"the group refuses: {error}" if isinstance(error, ServerError) else str(error)
            try:
                self.empty()
            except ServerError as other:
                refused += f"; group_replication_force_members could not be emptied ({other}): set it to '' before the next START"
            raise Refusal(refused) from None

    def empty(self) -> None:
        """Empty the option: a member does not start while it names anybody."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self.local.run(FORCE, ("",))
                return
            except ServerError as error:
                if error.code != BUSY or time.monotonic() > until:
                    raise
            time.sleep(operation.SETTLE)

    def snapshot(self) -> dict[str, Any]:
        mine = self.mine
        if not mine.reachable:
            return {}
        members = sorted(f"{entry.address} {entry.state}" for entry in mine.view.values())
        return {"state": mine.state, "quorum": bool(mine.view) and sees_quorum(mine), "members": members}
