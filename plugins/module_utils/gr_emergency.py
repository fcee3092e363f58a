# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fencing a member, and forcing quorum: decisions as tables of rules, and the few statements.

Private to this collection.
"""

from __future__ import annotations

import time

from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_decision import (
    Rule,
    Situation,
    first_rule,
    is_live,
    names,
    not_asked,
    sees_quorum,
    view_counts,
    when,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_options import (
    check_cluster_options,
    check_members,
    check_range,
    close_cluster,
    open_cluster,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_primary import where
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_versions import has_statement, statement
from ansible_collections.distdb.mysql_ha.plugins.module_utils.mysql_conn import Recorder, ServerError

POLL = 0.3
# The member action that makes a newly elected primary writable, and so would lift a fence.
MAKE_WRITABLE = ("mysql_disable_super_read_only_if_primary", "AFTER_PRIMARY_ELECTION")


# -- force quorum ------------------------------------------------------------------------------------------------------
class QuorumSituation(Situation):
    """What the rules of forcing quorum look at; wish: lost (addresses that are given up)."""

    @property
    def lost_in_view(self):
        """{address: uuid} of members that this server sees as UNREACHABLE."""
        return {where(entry): uuid for uuid, entry in self.mine["view"].items() if entry["state"] == "UNREACHABLE"}

    @property
    def survivors(self):
        """{address as in the view: uuid} of members that this server still sees."""
        return {
            where(entry): uuid
            for uuid, entry in self.mine["view"].items()
            if entry["state"] in ("ONLINE", "RECOVERING")
        }

    def facts_by_uuid(self, uuid):
        """Facts of the declared member with that server_uuid, or None."""
        for facts in self.facts.values():
            if facts.get("reachable") and (facts.get("server_uuid") or "").lower() == uuid:
                return facts
        return None

    @property
    def addresses(self):
        """Group addresses of the survivors, for group_replication_force_members."""
        return [self.facts_by_uuid(uuid)["local_address"] for _address, uuid in sorted(self.survivors.items())]


def _not_member(s):
    return when(not is_live(s.mine) or s.mine["state"] != "ONLINE", state=s.mine["state"])


def _has_quorum(s):
    total, reachable = view_counts(s.mine)
    return when(sees_quorum(s.mine), total=total, reachable=reachable)


def _majority_elsewhere(s):
    others = [part for part in s.quorate if s.me not in part.addresses]
    return when(others, members=names([a for part in others for a in part.online]))


def _lost_alive(s):
    alive = []
    for address, uuid in s.lost_in_view.items():
        facts = s.facts_by_uuid(uuid)
        if facts is not None and is_live(facts):
            alive.append(address)
    return when(alive, members=names(sorted(alive)))


def _lost_differs(s):
    seen, told = sorted(s.lost_in_view), sorted(s.wish.get("lost") or ())
    return when(seen != told, seen=names(seen) or "nobody", told=names(told) or "nobody")


def _survivor_unasked(s):
    missing = [address for address, uuid in sorted(s.survivors.items()) if s.facts_by_uuid(uuid) is None]
    return when(missing, members=names(missing))


def _survivor_disagrees(s):
    mine = set(s.survivors.values())
    found = []
    for address, uuid in sorted(s.survivors.items()):
        view = s.facts_by_uuid(uuid)["view"]
        if {other for other, entry in view.items() if entry["state"] in ("ONLINE", "RECOVERING")} != mine:
            found.append(address)
    return when(found, members=names(found))


def _force(s):
    return {"survivors": names(sorted(s.survivors)), "lost": names(sorted(s.lost_in_view))}


# fmt: off
QUORUM = (
    Rule("not_asked", "this server itself could not be asked", not_asked, "refuse", "this server could not be asked: {error}", "", False),
    Rule("not_member", "this server is not ONLINE", _not_member, "refuse",
         "this server is {state}: quorum is forced through a member that still counts itself ONLINE", "", False),
    Rule("has_quorum", "this server sees a majority", _has_quorum, "unchanged", "this server sees {reachable} of {total} members: the group has "
         "quorum", "", False),
    Rule("majority_elsewhere", "another part of the group has quorum", _majority_elsewhere, "refuse",
         "{members} has quorum: this server is the one that is cut off", "split", True),
    Rule("lost_alive", "a member that would be given up answers and is in a group", _lost_alive, "refuse",
         "{members} is alive and would become a second group: stop Group Replication or mysqld there first", "split", True),
    Rule("lost_differs", "lost_members are not exactly the members that are UNREACHABLE", _lost_differs, "refuse",
         "lost_members: {told} is not allowed (allowed: exactly the UNREACHABLE members, {seen})", "confirmed", True),
    Rule("survivor_unasked", "a surviving member could not be asked", _survivor_unasked, "refuse", "{members} could not be asked", "split", True),
    Rule("survivor_disagrees", "the survivors do not see the same members", _survivor_disagrees, "refuse",
         "{members} sees other members than this server", "split", True),
    Rule("force", "no quorum, and exactly the UNREACHABLE members are named as lost", _force, "force",
         "{survivors} go on without {lost}", "", False),
)
# fmt: on


def decide_quorum(members, facts, me, lost, rules=QUORUM):
    """The Decision about forcing quorum; lost: addresses that the user gives up."""
    return first_rule(QuorumSituation(members, facts, me, None, {"lost": lost}), rules)


class QuorumManager:
    """One run of group_replication_force_quorum."""

    def __init__(self, params, check_mode=False):
        self.params = params
        self.check_mode = check_mode
        self.recorder = Recorder()
        self.cluster = None
        self.facts = {}
        self.changed = False
        self.decision = None
        self.before = {}

    def run(self):
        """Do it; the result as a dict for exit_json. Raises Refusal or ServerError."""
        params = self.params
        members, _me = check_cluster_options(params)
        check_range(params, "timeout", 1, 86400)
        lost = check_members(params["lost_members"], "lost_members")
        deadline = time.monotonic() + params["timeout"]
        try:
            self.cluster, self.facts, _name = open_cluster(params, self.recorder)
            me = self.cluster.me
            self.before = self.snapshot(me)
            self.decision = decide_quorum(members, self.facts, me, lost)
            if self.decision.action == "refuse" and self.decision.settle and not self.check_mode:
                time.sleep(1.5)
                self.facts = self.cluster.gather()
                self.decision = decide_quorum(members, self.facts, me, lost)
            if self.decision.action == "refuse":
                raise Refusal(self.decision.reason)
            if self.decision.action == "force":
                self.force(QuorumSituation(members, self.facts, me, None, {"lost": lost}), me, deadline)
            after = self.snapshot(me)
            if self.check_mode and self.changed:
                after = dict(
                    after, quorum=True, members=[line for line in after["members"] if "UNREACHABLE" not in line]
                )
            return {
                "changed": self.changed, "decision": self.decision.action, "rule": self.decision.rule, "reason": self.decision.reason,
                "before": self.before, "after": after, "statements": self.recorder.statements,
                "diff": {"before": self.before, "after": after},
            }  # fmt: skip
        finally:
            close_cluster(self.cluster)

    def force(self, situation, me, deadline):
        """Set group_replication_force_members, wait for quorum, and empty it again whatever happens."""
        local = self.cluster.local
        text, value = "SET GLOBAL group_replication_force_members = %s", ",".join(situation.addresses)
        self.changed = True
        if self.check_mode:
            self.recorder.add(local.masked(text, (value,)))
            self.recorder.add(local.masked(text, ("",)))
            return
        try:
            local.run(text, (value,))
            wanted = set(situation.survivors.values())
            while True:
                self.facts = self.cluster.gather()
                if sees_quorum(self.facts[me]) and set(self.facts[me]["view"]) == wanted:
                    break
                if time.monotonic() > deadline:
                    raise Refusal(f"timeout: after {self.params['timeout']} seconds the group still has no quorum")
                time.sleep(POLL)
        except ServerError as error:
            raise Refusal(f"the group refuses: {error}") from None
        finally:
            local.run(text, ("",))

    def snapshot(self, me):
        """This server's view."""
        facts = self.facts[me]
        if not facts.get("reachable"):
            return {}
        return {"state": facts["state"], "quorum": bool(facts["view"]) and sees_quorum(facts),
                "members": sorted(where(entry) + " " + entry["state"] for entry in facts["view"].values())}  # fmt: skip


# -- fence -------------------------------------------------------------------------------------------------------------
class FenceSituation(Situation):
    """What the rules of fencing look at; wish: fence (writes, all or none), action_enabled (bool or None)."""

    @property
    def writable(self):
        """Whether the group itself wants this member to take writes."""
        return (
            is_live(self.mine)
            and self.mine["state"] == "ONLINE"
            and self.mine["role"] == "PRIMARY"
            and sees_quorum(self.mine)
        )


def _fence_missing(s):
    fence = s.wish["fence"]
    if fence == "none":
        return None
    missing = []
    if not s.mine["super_read_only"]:
        missing.append("super_read_only=ON")
    if fence == "all" and not s.mine["offline_mode"]:
        missing.append("offline_mode=ON")
    if s.wish.get("action_enabled") and s.mine["role"] == "PRIMARY":
        missing.append("disable member action")
    return when(missing, steps=missing)


def _fence_there(s):
    return when(s.wish["fence"] != "none")


def _unfence(s):
    steps = []
    if s.mine["offline_mode"]:
        steps.append("offline_mode=OFF")
    if s.wish.get("action_enabled") is False and s.mine["role"] == "PRIMARY":
        steps.append("enable member action")
    if s.writable and (s.mine["super_read_only"] or s.mine["read_only"]):
        steps.append("read_only=OFF")
    return when(steps, steps=steps)


def _no_fence(s):
    return {}


# fmt: off
FENCE = (
    Rule("not_asked", "this server itself could not be asked", not_asked, "refuse", "this server could not be asked: {error}", "", False),
    Rule("fence", "a fence is wished and is not complete", _fence_missing, "fence", "missing: {steps}", "", False),
    Rule("fenced", "the fence that is wished is there", _fence_there, "unchanged", "fenced already", "", False),
    Rule("unfence", "no fence is wished and something of one is there; writes are let in only where the group wants them", _unfence, "unfence",
         "to take away: {steps}", "", False),
    Rule("not_fenced", "no fence is wished and none is there", _no_fence, "unchanged", "not fenced", "", False),
)
# fmt: on


def decide_fence(members, facts, me, fence, action_enabled=None, rules=FENCE):
    """The Decision about a fence; fence: writes, all or none; action_enabled: state of the member action, None when there is none."""
    return first_rule(
        FenceSituation(members, facts, me, None, {"fence": fence, "action_enabled": action_enabled}), rules
    )


class FenceManager:
    """One run of group_replication_fence."""

    def __init__(self, params, check_mode=False):
        self.params = params
        self.check_mode = check_mode
        self.recorder = Recorder()
        self.cluster = None
        self.changed = False
        self.decision = None
        self.before = {}

    def run(self):
        """Do it; the result as a dict for exit_json. Raises Refusal or ServerError."""
        members, _me = check_cluster_options(self.params)
        try:
            self.cluster, facts, _name = open_cluster(self.params, self.recorder)
            me = self.cluster.me
            enabled = self.action_enabled(facts[me]) if facts[me].get("reachable") else None
            self.before = self.snapshot(facts[me])
            self.decision = decide_fence(members, facts, me, self.params["fence"], enabled)
            if self.decision.action == "refuse":
                raise Refusal(self.decision.reason)
            for step in self.decision.details.get("steps", ()):
                self.step(step, facts[me]["version"])
            after = dict(self.before)
            if self.check_mode:
                for name, value in (step.split("=") for step in self.decision.details.get("steps", ()) if "=" in step):
                    after.update(
                        {name: value == "ON"} if name != "read_only" else {"read_only": False, "super_read_only": False}
                    )
            else:
                after = self.snapshot(self.cluster.gather([me])[me])
            return {
                "changed": self.changed, "decision": self.decision.action, "rule": self.decision.rule, "reason": self.decision.reason,
                "before": self.before, "after": after, "statements": self.recorder.statements,
                "diff": {"before": self.before, "after": after},
            }  # fmt: skip
        finally:
            close_cluster(self.cluster)

    def action_enabled(self, facts):
        """Whether a newly elected primary makes itself writable; None where that is not configurable."""
        if (
            not has_statement(facts["version"], "disable_member_action")
            or facts["role"] != "PRIMARY"
            or not facts["single_primary_mode"]
        ):
            return None
        rows = self.cluster.local.query(
            "SELECT ENABLED AS enabled FROM performance_schema.replication_group_member_actions WHERE NAME = %s AND EVENT = %s",
            MAKE_WRITABLE,
        )
        return bool(int(rows[0]["enabled"])) if rows else None

    def step(self, step, version):
        """One statement."""
        args = None
        if step.endswith("member action"):
            text, args = statement(version, step.replace(" ", "_")), MAKE_WRITABLE
        else:
            name, _equals, value = step.partition("=")
            text = f"SET GLOBAL {name} = {value}"
        self.changed = True
        if self.check_mode:
            self.recorder.add(self.cluster.local.masked(text, args))
        else:
            self.cluster.local.run(text, args)

    @staticmethod
    def snapshot(facts):
        """What of a fence is there."""
        if not facts.get("reachable"):
            return {}
        return {name: facts[name] for name in ("state", "role", "read_only", "super_read_only", "offline_mode")}
