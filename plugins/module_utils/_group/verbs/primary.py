# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode of a group and its primary: the decision as a table of rules, and the few statements.

Private to this collection.
"""

from __future__ import annotations

import time
from typing import Any, Iterable, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import operation
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import Entry, ServerFacts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import (
    check_cluster_options,
    check_one,
    check_range,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.present_rules import not_asked
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision, Details, Rule, Table, when
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.sites import is_a_site
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import (
    Facts,
    Situation,
    is_live,
    names,
    sees_quorum,
    view_counts,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.statements import has_statement
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import (
    effective_version,
    has_online_mode_switch,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, Result

SINGLE, MULTI = "single_primary", "multi_primary"
CHANGING = ("set_primary", "switch_single", "switch_multi")
# What the group says while another change of it is under way.
BUSY = (
    "ongoing",
    "already running",
    "concurrent",
    "another group configuration",
    "configuration action being executed",
)

PRIMARY = Table()
PRIMARY.rule("refuse", "this server could not be asked: {error}")(not_asked)


def mode_of(facts: ServerFacts) -> str:
    """The mode that a member is in."""
    return SINGLE if facts.single_primary_mode else MULTI


class ModeSituation(Situation):
    """What the rules below look at; wish: mode and primary (an address)."""

    @property
    def mode(self) -> str:
        """The mode that is wished, or the present one."""
        return str(self.wish.get("mode") or mode_of(self.mine))

    @property
    def insiders(self) -> list[str]:
        """Declared members that were asked and are in this server's group."""
        return self.my_partition.addresses if self.my_partition else []

    def uuid_of(self, address: str) -> str:
        """The server_uuid of a declared member: its own answer, else the line of the view with its address."""
        if self.facts[address].reachable:
            return self.facts[address].server_uuid
        return next((uuid for uuid, entry in self.mine.view.items() if entry.address == address), "")

    @property
    def target(self) -> Entry | None:
        """The view's line of the wished primary, or None."""
        return self.mine.view.get(self.uuid_of(self.wish["primary"])) if self.wish.get("primary") else None

    def primaries(self, address: str) -> list[str]:
        """Who is primary, as this member sees it."""
        return sorted(uuid for uuid, entry in self.facts[address].view.items() if entry.role == "PRIMARY")

    @property
    def reached(self) -> bool:
        """Whether this server sees mode and primary as they are wished."""
        if mode_of(self.mine) != self.mode:
            return False
        if self.mode == MULTI or not self.wish.get("primary"):
            return True
        return self.target is not None and self.target.role == "PRIMARY"

    @property
    def agreeing(self) -> bool:
        """Whether everybody in the group sees what this server sees."""
        mine = self.primaries(self.me)
        return all(mode_of(self.facts[a]) == self.mode and self.primaries(a) == mine for a in self.insiders)


@PRIMARY.rule("refuse", "this server is {state}: mode and primary are changed through an ONLINE member", settle=True)
def not_online(s: ModeSituation) -> Details:
    """this server is not ONLINE in a group"""
    return when(not is_live(s.mine) or s.mine.state != "ONLINE", state=s.mine.state)


@PRIMARY.rule(
    "refuse",
    "NO_QUORUM: this server sees {reachable} of {total} members of its group and cannot change it",
    settle=True,
)
def no_quorum(s: ModeSituation) -> Details:
    """this server sees no majority of its group"""
    total, reachable = view_counts(s.mine)
    return when(not sees_quorum(s.mine), total=total, reachable=reachable)


@PRIMARY.rule("refuse", "primary: is not allowed in multi-primary mode (allowed: together with mode=single_primary)")
def primary_of_multi(s: ModeSituation) -> Details:
    """a primary is wished, and the group is (to be) in multi-primary mode"""
    return when(s.wish.get("primary") and s.mode == MULTI)


@PRIMARY.rule("refuse", "mode and primary can be changed from MySQL 8.0.13 on, on all members, but there is {members}")
def old_member(s: ModeSituation) -> Details:
    """a member is older than 8.0.13"""
    view = s.mine.view.values()
    old = [f"{e.address} {e.version}" for e in view if e.version and not has_online_mode_switch(e.version)]
    return when(old, members=names(old))


@PRIMARY.rule("refuse", "primary: {primary} is {state} (allowed: an ONLINE member)", settle=True)
def target_absent(s: ModeSituation) -> Details:
    """the wished primary is not an ONLINE member"""
    state = s.target.state if s.target else "not in the group"
    return when(s.wish.get("primary") and state != "ONLINE", primary=s.wish.get("primary"), state=state)


@PRIMARY.rule(
    "refuse", "primary: {primary} runs {version}, but the primary must run the group's lowest version, {lowest}"
)
def target_newer(s: ModeSituation) -> Details:
    """the wished primary runs a newer version than another member"""
    if s.target is None or not s.target.version:
        return None
    lowest = min((e.version for e in s.mine.view.values() if e.version), key=effective_version)
    # From 8.0.17 on the primary must run the lowest version, patch level included.
    newer = effective_version(s.target.version) > effective_version(lowest)
    return when(newer, primary=s.wish["primary"], version=s.target.version, lowest=lowest)


@PRIMARY.rule("unchanged", "{mode}, as wished")
def done(s: ModeSituation) -> Details:
    """mode and primary are as wished, and all members that were asked agree"""
    return when(s.reached and s.agreeing, mode=s.mode)


@PRIMARY.rule("wait", "a member does not see the change yet")
def disagree(s: ModeSituation) -> Details:
    """mode and primary are as wished here, and a member does not see it yet"""
    return when(s.reached)


@PRIMARY.rule("wait", "{members} is RECOVERING")
def unsettled(s: ModeSituation) -> Details:
    """a change is wished, and a member is RECOVERING"""
    moving = [entry.address for entry in s.mine.view.values() if entry.state == "RECOVERING"]
    return when(moving, members=names(moving))


@PRIMARY.rule(
    "refuse",
    "this group is one of two sites, which stay in single-primary mode: in multi-primary mode members open themselves",
)
def of_two_sites(s: ModeSituation) -> Details:
    """multi-primary mode is wished, and this group has another site"""
    return when(s.mode == MULTI and is_a_site(s.mine))


@PRIMARY.rule("switch_multi", "the group is in single-primary mode")
def to_multi(s: ModeSituation) -> Details:
    """single-primary mode, and multi-primary is wished"""
    return when(s.mode == MULTI)


@PRIMARY.rule("switch_single", "the group is in multi-primary mode; primary: {primary}")
def to_single(s: ModeSituation) -> Details:
    """multi-primary mode, and single-primary is wished"""
    return when(mode_of(s.mine) == MULTI, primary=s.wish.get("primary") or "a member that the group elects")


@PRIMARY.rule("set_primary", "{primary} is not primary")
def set_primary(s: ModeSituation) -> Details:
    """single-primary mode with another primary than wished"""
    return {"primary": s.wish["primary"]}


def decide_primary(
    members: Iterable[str], facts: Facts, me: str, wish: Mapping[str, Any], rules: list[Rule] | None = None
) -> Decision:
    """The Decision about mode and primary; wish: dict with mode and primary (an address)."""
    return PRIMARY.decide(ModeSituation(members, facts, me, None, wish), rules)


class Primary(operation.Operation):
    """One run of group_replication_primary."""

    timeout = 120
    messages: list[str]

    def check(self) -> None:
        params = self.params
        members, _me = check_cluster_options(params)
        check_range(params, "timeout", 1, 86400)
        check_range(params, "running_transactions_timeout", 0, 3600)
        primary = check_one(params, "primary", members)
        if primary and params.get("mode") == MULTI:
            raise Refusal(
                "primary: is not allowed together with mode=multi_primary (allowed: together with mode=single_primary)"
            )
        if not primary and not params.get("mode"):
            raise Refusal("mode: must be given, or primary, or both")
        self.wish = {"mode": params.get("mode"), "primary": primary}
        self.messages = []

    def decide(self) -> Decision:
        return decide_primary(self.cluster.members, self.facts, self.me, self.wish)

    def work(self) -> None:
        held = not self.params.get("hold_until") or self.check_mode
        decision = self.decide()
        while True:
            decision = self.settled(decision)
            self.refuse(decision)
            if decision.action == "unchanged":
                self.decision = self.decision or decision
                return
            if decision.action in CHANGING and not held:
                self.hold(self.params["hold_until"])
                held = True
                # Without a pause: somebody waits for it.
                decision = self.look()
                continue
            if decision.action in CHANGING:
                self.decision = decision
                self.act(decision)
            if self.check_mode:
                self.decision = self.decision or decision
                return
            if self.left() < 0:
                raise Refusal(f"timeout: after {self.timeout} seconds still waiting: {decision.reason}")
            time.sleep(operation.POLL)
            decision = self.look()

    def act(self, decision: Decision) -> None:
        """Run the function of the group that the decision asks for."""
        situation = ModeSituation(self.cluster.members, self.facts, self.me, None, self.wish)
        uuid = situation.uuid_of(self.wish["primary"]) if self.wish["primary"] else ""
        seconds = self.params.get("running_transactions_timeout")
        bounded = seconds is not None and has_statement(self.mine.version, "set_as_primary_timeout")
        was_changed = self.changed
        try:
            if decision.action == "switch_multi":
                rows = self.execute("switch_to_multi_primary")
            elif decision.action == "switch_single" and uuid:
                rows = self.execute("switch_to_single_primary_member", (uuid,))
            elif decision.action == "switch_single":
                rows = self.execute("switch_to_single_primary")
            elif bounded:
                rows = self.execute("set_as_primary_timeout", (uuid,), seconds=seconds)
            else:
                rows = self.execute("set_as_primary", (uuid,))
        except ServerError as error:
            if any(word in str(error).lower() for word in BUSY):
                self.recorder.statements.pop()
                self.changed = was_changed
                return
            raise Refusal(f"the group refuses: {error}") from None
        self.messages += [str(value) for row in rows for value in row.values()]

    def snapshot(self) -> dict[str, Any]:
        mine = self.mine
        if not mine.reachable:
            return {}
        primaries = sorted(entry.address for entry in mine.view.values() if entry.role == "PRIMARY")
        found = {"mode": mode_of(mine), "primaries": primaries, "state": mine.state}
        if self.check_mode and self.changed:
            found["mode"] = self.wish["mode"] or found["mode"]
            found["primaries"] = [self.wish["primary"]] if self.wish["primary"] else primaries
        return found

    def report(self) -> Result:
        return {**super().report(), "messages": self.messages}
