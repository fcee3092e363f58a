# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode of a group and its primary: the decision as a table of rules, and the few statements.

Private to this collection.
"""

from __future__ import annotations

import os
import time

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import format_address
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
    check_range,
    check_some,
    close_cluster,
    open_cluster,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_versions import (
    effective_version,
    has_online_mode_switch,
    has_statement,
    statement,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils.mysql_conn import Recorder, ServerError

POLL = 0.3
SINGLE, MULTI = "single_primary", "multi_primary"
ACTIONS = {
    "unchanged": False,
    "wait": False,
    "refuse": False,
    "set_primary": True,
    "switch_single": True,
    "switch_multi": True,
}


def mode_of(facts):
    """The mode that a member is in."""
    return SINGLE if facts["single_primary_mode"] else MULTI


def where(entry):
    """A view's line as an address."""
    return format_address(entry["host"], entry["port"])


class ModeSituation(Situation):
    """What the rules below look at."""

    @property
    def mode(self):
        """The mode that is wished, or the present one."""
        return self.wish.get("mode") or mode_of(self.mine)

    @property
    def insiders(self):
        """Declared members that were asked and are in this server's group."""
        return self.my_partition.addresses if self.my_partition else []

    def uuid_of(self, address):
        """The server_uuid of a declared member: its own answer, else the line of the view with its address."""
        if self.facts[address].get("reachable"):
            return (self.facts[address]["server_uuid"] or "").lower()
        for uuid, entry in self.mine["view"].items():
            if where(entry) == address:
                return uuid
        return ""

    @property
    def target(self):
        """The view's line of the wished primary, or None."""
        return self.mine["view"].get(self.uuid_of(self.wish["primary"])) if self.wish.get("primary") else None

    def primaries(self, address):
        """Who is primary, as this member sees it."""
        return sorted(uuid for uuid, entry in self.facts[address]["view"].items() if entry["role"] == "PRIMARY")


def _not_online(s):
    return when(not is_live(s.mine) or s.mine["state"] != "ONLINE", state=s.mine["state"])


def _no_quorum(s):
    total, reachable = view_counts(s.mine)
    return when(not sees_quorum(s.mine), total=total, reachable=reachable)


def _primary_of_multi(s):
    return when(s.wish.get("primary") and s.mode == MULTI)


def _old_member(s):
    old = [
        where(e) + " " + e["version"]
        for e in s.mine["view"].values()
        if e["version"] and not has_online_mode_switch(e["version"])
    ]
    return when(old, members=names(old))


def _target_absent(s):
    if not s.wish.get("primary"):
        return None
    state = s.target["state"] if s.target else "not in the group"
    return when(state != "ONLINE", primary=s.wish["primary"], state=state)


def _target_newer(s):
    if s.target is None or not s.target["version"]:
        return None
    versions = [e["version"] for e in s.mine["view"].values() if e["version"]]
    lowest = min(versions, key=effective_version)
    # From 8.0.17 on the primary must run the lowest version, patch level included.
    return when(
        effective_version(s.target["version"]) > effective_version(lowest),
        primary=s.wish["primary"],
        version=s.target["version"],
        lowest=lowest,
    )


def _unsettled(s):
    moving = [where(e) for e in s.mine["view"].values() if e["state"] == "RECOVERING"]
    return when(moving, members=names(moving))


def _reached(s):
    if mode_of(s.mine) != s.mode:
        return False
    return s.mode == MULTI or not s.wish.get("primary") or s.target["role"] == "PRIMARY"


def _agreeing(s):
    return all(mode_of(s.facts[a]) == s.mode and s.primaries(a) == s.primaries(s.me) for a in s.insiders)


def _done(s):
    return when(_reached(s) and _agreeing(s), mode=s.mode)


def _disagree(s):
    return when(_reached(s))


def _to_multi(s):
    return when(s.mode == MULTI)


def _to_single(s):
    return when(mode_of(s.mine) == MULTI, primary=s.wish.get("primary") or "a member that the group elects")


def _set_primary(s):
    return {"primary": s.wish["primary"]}


# fmt: off
PRIMARY = (
    Rule("not_asked", "this server itself could not be asked", not_asked, "refuse", "this server could not be asked: {error}", "", False),
    Rule("not_online", "this server is not ONLINE in a group", _not_online, "refuse",
         "this server is {state}: mode and primary are changed through an ONLINE member", "", True),
    Rule("no_quorum", "this server sees no majority of its group", _no_quorum, "refuse",
         "NO_QUORUM: this server sees {reachable} of {total} members of its group and cannot change it", "", True),
    Rule("primary_of_multi", "a primary is wished, and the group is (to be) in multi-primary mode", _primary_of_multi, "refuse",
         "primary: is not allowed in multi-primary mode (allowed: together with mode=single_primary)", "", False),
    Rule("old_member", "a member is older than 8.0.13", _old_member, "refuse",
         "mode and primary can be changed from MySQL 8.0.13 on, on all members, but there is {members}", "", False),
    Rule("target_absent", "the wished primary is not an ONLINE member", _target_absent, "refuse",
         "primary: {primary} is {state} (allowed: an ONLINE member)", "", True),
    Rule("target_newer", "the wished primary runs a newer version than another member", _target_newer, "refuse",
         "primary: {primary} runs {version}, but the primary must run the group's lowest version, {lowest}", "", False),
    Rule("done", "mode and primary are as wished, and all members that were asked agree", _done, "unchanged", "{mode}, as wished", "", False),
    Rule("disagree", "mode and primary are as wished here, and a member does not see it yet", _disagree, "wait",
         "a member does not see the change yet", "", False),
    Rule("unsettled", "a change is wished, and a member is RECOVERING", _unsettled, "wait", "{members} is RECOVERING", "", False),
    Rule("to_multi", "single-primary mode, and multi-primary is wished", _to_multi, "switch_multi", "the group is in single-primary mode", "",
         False),
    Rule("to_single", "multi-primary mode, and single-primary is wished", _to_single, "switch_single",
         "the group is in multi-primary mode; primary: {primary}", "", False),
    Rule("set_primary", "single-primary mode with another primary than wished", _set_primary, "set_primary", "{primary} is not primary", "",
         False),
)
# fmt: on


def decide_primary(members, facts, me, wish, rules=PRIMARY):
    """The Decision about mode and primary; wish: dict with mode and primary (an address)."""
    return first_rule(ModeSituation(members, facts, me, None, wish), rules)


class PrimaryManager:
    """One run of group_replication_primary."""

    def __init__(self, params, check_mode=False):
        self.params = params
        self.check_mode = check_mode
        self.recorder = Recorder()
        self.cluster = None
        self.facts = {}
        self.changed = False
        self.decision = None
        self.before = {}
        self.messages = []

    def run(self):
        """Do it; the result as a dict for exit_json. Raises Refusal or ServerError."""
        params = self.params
        members, _me = check_cluster_options(params)
        check_range(params, "timeout", 1, 86400)
        check_range(params, "running_transactions_timeout", 0, 3600)
        primary = check_some(params, "primary", members)
        if primary and params.get("mode") == MULTI:
            raise Refusal(
                "primary: is not allowed together with mode=multi_primary (allowed: together with mode=single_primary)"
            )
        if not primary and not params.get("mode"):
            raise Refusal("mode: must be given, or primary, or both")
        wish = {"mode": params.get("mode"), "primary": primary[0] if primary else None}
        deadline = time.monotonic() + params["timeout"]
        try:
            self.cluster, self.facts, _name = open_cluster(params, self.recorder)
            me = self.cluster.me
            self.before = self.snapshot(me)
            refused = None
            held = not params.get("hold_until") or self.check_mode
            while True:
                decision = decide_primary(members, self.facts, me, wish)
                if decision.action == "refuse":
                    if not decision.settle or self.check_mode or refused == decision.rule:
                        self.decision = decision
                        raise Refusal(decision.reason)
                    # Perhaps the middle of a change: it must be seen twice.
                    refused = decision.rule
                    time.sleep(1.5)
                elif decision.action == "unchanged":
                    self.decision = self.decision or decision
                    return self.result(me, wish)
                elif ACTIONS[decision.action] and not held:
                    self.hold(params["hold_until"], deadline)
                    held = True
                    # Without a pause: somebody waits for it.
                    self.facts = self.cluster.gather()
                    continue
                elif ACTIONS[decision.action]:
                    self.decision = decision
                    if self.act(decision, me, wish):
                        return self.result(me, wish)
                elif self.check_mode:
                    self.decision = self.decision or decision
                    return self.result(me, wish)
                if time.monotonic() > deadline:
                    raise Refusal(f"timeout: after {params['timeout']} seconds still waiting: {decision.reason}")
                time.sleep(POLL)
                self.facts = self.cluster.gather()
        finally:
            close_cluster(self.cluster)

    def hold(self, path, deadline):
        """Wait for the file that says that it is time: who made it waits for what follows, so the waiting is short-paced."""
        while not os.path.exists(path):
            if time.monotonic() > deadline:
                raise Refusal(
                    f"timeout: after {self.params['timeout']} seconds there is no {path} (hold_until); nothing was changed"
                )
            time.sleep(0.02)

    def act(self, decision, me, wish):
        """Run the function of the group that the decision asks for. True in check mode, where that was all."""
        situation = ModeSituation(self.cluster.members, self.facts, me, None, wish)
        version = self.facts[me]["version"]
        uuid = situation.uuid_of(wish["primary"]) if wish["primary"] else ""
        if decision.action == "switch_multi":
            text, args = statement(version, "switch_to_multi_primary"), None
        elif decision.action == "switch_single" and uuid:
            text, args = statement(version, "switch_to_single_primary_member"), (uuid,)
        elif decision.action == "switch_single":
            text, args = statement(version, "switch_to_single_primary"), None
        elif self.params.get("running_transactions_timeout") is not None and has_statement(
            version, "set_as_primary_timeout"
        ):
            seconds = self.params["running_transactions_timeout"]
            text, args = statement(version, "set_as_primary_timeout", seconds=seconds), (uuid,)
        else:
            text, args = statement(version, "set_as_primary"), (uuid,)
        connection = self.cluster.local
        if self.check_mode:
            self.recorder.add(connection.masked(text, args))
            self.changed = True
            return True
        try:
            rows = connection.run(text, args)
        except ServerError as error:
            said = str(error).lower()
            if any(
                word in said for word in ("ongoing", "already running", "concurrent", "another group configuration")
            ):
                self.recorder.statements.pop()
                return False
            raise Refusal(f"the group refuses: {error}") from None
        self.changed = True
        self.messages += [str(value) for row in rows for value in row.values()]
        return False

    def snapshot(self, me):
        """Mode and primaries as this server sees them."""
        facts = self.facts[me]
        if not facts.get("reachable"):
            return {}
        primaries = sorted(where(e) for e in facts["view"].values() if e["role"] == "PRIMARY")
        return {"mode": mode_of(facts), "primaries": primaries, "state": facts["state"]}

    def result(self, me, wish):
        """What the module returns."""
        after = self.snapshot(me)
        if self.check_mode and self.changed:
            after = dict(after, mode=wish["mode"] or after["mode"])
            if wish["primary"]:
                after["primaries"] = [wish["primary"]]
        return {
            "changed": self.changed, "decision": self.decision.action, "rule": self.decision.rule, "reason": self.decision.reason,
            "before": self.before, "after": after, "statements": self.recorder.statements, "messages": self.messages,
            "diff": {"before": self.before, "after": after},
        }  # fmt: skip
