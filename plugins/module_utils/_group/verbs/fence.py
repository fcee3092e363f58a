# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fence around a member: the decision as a table of rules, and the few statements.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Iterable

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.lease import FENCED, mark
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.operation import Operation
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.present_rules import not_asked
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision, Details, Rule, Table, when
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.sites import is_a_site
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import (
    Facts,
    Situation,
    is_live,
    sees_quorum,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.statements import has_statement

# The member action that makes a newly elected primary writable, and so would lift a fence.
MAKE_WRITABLE = ("mysql_disable_super_read_only_if_primary", "AFTER_PRIMARY_ELECTION")

FENCE = Table()
FENCE.rule("refuse", "this server could not be asked: {error}")(not_asked)


class FenceSituation(Situation):
    """What the rules of fencing look at; wish: fence (writes, all or none), action_enabled (bool or None)."""

    @property
    def writable(self) -> bool:
        """Whether the group itself wants this member to take writes."""
        mine = self.mine
        return is_live(mine) and mine.state == "ONLINE" and mine.role == "PRIMARY" and sees_quorum(mine)


@FENCE.rule("fence", "missing: {steps}")
def fence(s: FenceSituation) -> Details:
    """a fence is wished and is not complete"""
    wanted = s.wish["fence"]
    if wanted == "none":
        return None
    missing = []
    action = s.wish.get("action_enabled") and s.mine.role == "PRIMARY"
    if action:
        # MySQL does that with super_read_only=OFF only; read_only stays ON meanwhile.
        missing += ["super_read_only=OFF"] * s.mine.super_read_only + ["disable member action"]
    if action or not s.mine.super_read_only:
        missing.append("super_read_only=ON")
    if wanted == "all" and not s.mine.offline_mode:
        missing.append("offline_mode=ON")
    return when(missing, steps=missing)


@FENCE.rule("unchanged", "fenced already")
def fenced(s: FenceSituation) -> Details:
    """the fence that is wished is there"""
    return when(s.wish["fence"] != "none")


@FENCE.rule(
    "refuse",
    "this group is one of two sites, and only the one that writes opens, once it has asked the other one (distdb.mysql_ha.open_site)",
)
def of_two_sites(s: FenceSituation) -> Details:
    """no fence is wished, and this group, which has another site, is closed as a whole"""
    return when(s.wish.get("action_enabled") is False and s.mine.role == "PRIMARY" and is_a_site(s.mine))


@FENCE.rule("unfence", "to take away: {steps}")
def unfence(s: FenceSituation) -> Details:
    """no fence is wished and something of one is there; writes are let in only where the group wants them"""
    steps = []
    if s.mine.offline_mode:
        steps.append("offline_mode=OFF")
    if s.writable and (s.mine.super_read_only or s.mine.read_only):
        steps.append("read_only=OFF")
    if (
        s.wish.get("action_enabled") is False
        and s.mine.role == "PRIMARY"
        and (s.writable or not s.mine.super_read_only)
    ):
        steps.append("enable member action")
    return when(steps, steps=steps)


@FENCE.rule("unchanged", "not fenced")
def not_fenced(s: FenceSituation) -> Details:
    """no fence is wished and none is there"""
    return {}


def decide_fence(
    members: Iterable[str],
    facts: Facts,
    me: str,
    wanted: str,
    action_enabled: bool | None = None,
    rules: list[Rule] | None = None,
) -> Decision:
    """The Decision about a fence; wanted: writes, all or none; action_enabled: state of the member action, None when there is none."""
    wish = {"fence": wanted, "action_enabled": action_enabled}
    return FENCE.decide(FenceSituation(members, facts, me, None, wish), rules)


class Fence(Operation):
    """One run of group_replication_fence."""

    def decide(self) -> Decision:
        enabled = self.action_enabled() if self.mine.reachable else None
        return decide_fence(self.cluster.members, self.facts, self.me, self.params["fence"], enabled)

    def work(self) -> None:
        self.decision = self.settled(self.decide())
        self.refuse(self.decision)
        for step in self.decision.details.get("steps", ()):
            self.step(step)
        if not self.check_mode:
            # Before a boot or an expulsion makes the server forget it: the guard would let it take writes again.
            mark(FENCED, self.params["fence"] != "none")
        if self.check_mode:
            self.expect(self.decision.details.get("steps", ()))
        else:
            self.facts.update(self.cluster.gather([self.me]))

    def action_enabled(self) -> bool | None:
        """Whether a newly elected primary makes itself writable; None where that is not configurable."""
        mine = self.mine
        configurable = has_statement(mine.version, "disable_member_action")
        if not configurable or mine.role != "PRIMARY" or not mine.single_primary_mode:
            return None
        rows = self.local.query(
            "SELECT ENABLED AS enabled FROM performance_schema.replication_group_member_actions WHERE NAME = %s AND EVENT = %s",
            MAKE_WRITABLE,
        )
        return bool(int(rows[0]["enabled"])) if rows else None

    def step(self, step: str) -> None:
        """One statement."""
        if step.endswith("member action"):
            self.execute(step.replace(" ", "_"), MAKE_WRITABLE)
        else:
            name, _equals, value = step.partition("=")
            self.run_statement(f"SET GLOBAL {name} = {value}")

    def expect(self, steps: Iterable[str]) -> None:
        """Check mode: the facts as these steps would leave them."""
        for name, _equals, value in (step.partition("=") for step in steps if "=" in step):
            changes: dict[str, Any] = {name: value == "ON"}
            if name == "read_only":
                changes["super_read_only"] = False
            self.facts[self.me] = self.mine._replace(**changes)

    def snapshot(self) -> dict[str, Any]:
        if not self.mine.reachable:
            return {}
        return {n: getattr(self.mine, n) for n in ("state", "role", "read_only", "super_read_only", "offline_mode")}
