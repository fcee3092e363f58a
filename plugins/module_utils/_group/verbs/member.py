# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a server an ONLINE member of its one group, or take it out: the few actions, and the loop until the wish holds or the time is over.

Private to this collection.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import format_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import operation, progress
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError, login_connection
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.lasting import BOOT, Lasting
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.lease import guarded
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.locks import locked
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.member_rules import CHANGING, decide
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import (
    check_cluster_options,
    check_one,
    check_pair,
    check_range,
    check_some,
    check_uuid,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rehearsal import expected
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import Situation
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.starting import Starter
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.turns import Pause, Turn
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.clone import Cloner
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.holdings import Holdings, check_data
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, Result

LARGEST_GROUP = 9
_MY_STATE = "SELECT MEMBER_STATE AS state FROM performance_schema.replication_group_members WHERE MEMBER_ID = @@GLOBAL.server_uuid"


def check_wish(params: Mapping[str, Any]) -> dict[str, Any]:
    """What the task asks for, checked before any server is asked."""
    members, me = check_cluster_options(params)
    check_range(params, "timeout", 1, 86400)
    check_range(params, "progress", 0, 3600)
    wish: dict[str, Any] = {"state": params.get("state") or "present", "clone": params.get("clone") or "never"}
    for option in ("recovery_user", "allow_last_member", "allow_quorum_loss", "hold_until", "gtid_set_is_complete"):
        wish[option] = params.get(option)
    wish["data"] = check_data(params.get("data"), members)
    wish["guarded"] = guarded()
    acting = wish["acting"] = check_some(params, "acting_members", members)
    wish["group_name"] = check_uuid(params.get("group_name"))
    wish["bootstrap_without"] = check_some(params, "bootstrap_without", members) or []
    wish["bootstrap_from"] = check_one(params, "bootstrap_from", members)
    if wish["bootstrap_from"] in wish["bootstrap_without"]:
        raise Refusal(
            f"bootstrap_from: '{wish['bootstrap_from']}' is not allowed (allowed: a member not in bootstrap_without)"
        )
    if wish["state"] == "absent" and wish["clone"] != "never":
        raise Refusal(f"clone: '{wish['clone']}' is not allowed with state=absent (allowed: never)")
    only_with = {
        "absent": ("allow_last_member", "allow_quorum_loss"),
        "present": ("bootstrap_from", "bootstrap_without", "gtid_set_is_complete"),
    }
    for state, options in only_with.items():
        for option in options:
            if state != wish["state"] and params.get(option):
                raise Refusal(f"{option}: is not allowed with state={wish['state']} (allowed: with state={state})")
    # group_replication_restart, which has no state, has an option of that name, too.
    if params.get("state") == "present" and wish["hold_until"]:
        raise Refusal("hold_until: is not allowed with state=present (allowed: with state=absent)")
    if me is not None and me in wish["bootstrap_without"]:
        raise Refusal(f"bootstrap_without: '{me}' is not allowed (allowed: members other than this server)")
    if wish["clone"] != "never" and not params.get("recovery_user"):
        raise Refusal(f"recovery_user: must be given with clone={wish['clone']}")
    check_pair(params, "recovery_user", "recovery_password")
    if len(members) > LARGEST_GROUP and wish["state"] == "present":
        raise Refusal(
            f"members: {len(members)} members are not allowed (allowed: at most {LARGEST_GROUP}, the limit of a group)"
        )
    if acting == []:
        raise Refusal("acting_members: an empty list is not allowed (allowed: the members on which the task runs)")
    if me is not None:
        check_acting(acting, me)
    return wish


def check_acting(acting: list[str] | None, me: str) -> None:
    """Refuse a list of acting members without the one that acts."""
    if acting is not None and me not in acting:
        raise Refusal(
            f"acting_members: '{', '.join(acting)}' is not allowed (allowed: a list with this server, {me}, in it)"
        )


class Member(operation.Operation):
    """One run of group_replication_bootstrap on one server."""

    def __init__(
        self, params: Mapping[str, Any], check_mode: bool = False, warn: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(params, check_mode, warn)
        given = params.get("turn") or {}
        self.turn = Turn(given)
        self.before = given.get("before") or {}
        self.changed = bool(given.get("changed"))
        self.recorder.statements.extend(given.get("statements") or [])
        if given.get("decision"):
            self.decision = Decision(*given["decision"])
        if given.get("left") is not None:
            self.deadline = time.monotonic() + given["left"]
        self.starter = Starter(self)
        self.lasting = Lasting(self)
        self.cloner = Cloner(self)
        self.wish: dict[str, Any] = {}
        self.donor_account: tuple[str, str] | None = (
            None  # with which a donor is asked for a clone; None: by the recovery account
        )
        self.expecting = False  # check mode: the facts are those that are expected
        self.warned: set[str] = set()
        self.holdings = Holdings(self)

    # -- look and decide -----------------------------------------------------------------------------------------------
    def check(self) -> None:
        self.wish = check_wish(self.params)

    def open(self) -> None:
        if self.turn.clone_from:
            local = login_connection(self.params, self.recorder)
            try:
                self.cloner.wait(local)
            finally:
                local.close()
        super().open()
        check_acting(self.wish["acting"], self.me)
        self.holdings.look()

    def decide(self) -> Decision:
        for text in (facts.version_warning for facts in self.facts.values()):
            if text and text not in self.warned:
                self.warned.add(text)
                self.warn(text)
        return decide(self.cluster.members, self.facts, self.me, self.wish["acting"], self.wish)

    def look(self) -> Decision:
        if self.expecting:
            return self.decide()
        self.facts = self.cluster.gather()
        self.holdings.look()
        return self.decide()

    def settled(self, decision: Decision) -> Decision:
        return decision if self.expecting else super().settled(decision)

    # -- the loop ------------------------------------------------------------------------------------------------------
    def run(self) -> Result:
        try:
            return super().run()
        except Pause as pause:
            return self.paused(str(pause))

    def work(self) -> None:
        decision = self.decide()
        while True:
            if self.turn.bootstrapped and self.mine.state in ("ERROR", "OFFLINE"):
                raise self.starter.bootstrap_failed(self.mine.state)
            decision = self.settled(decision)
            if decision.action == "refuse" and self.expecting:
                return  # what comes after what check mode would do, only the real run will see
            if decision.rule == "not_asked" and self.turn.started_at:
                raise self.starter.failed(f"{decision.reason}; it has ended since START GROUP_REPLICATION")
            self.refuse(decision)
            if decision.action == "unchanged":
                self.decision = self.decision or decision
                self.repairs()
                break
            if decision.action in CHANGING and not self.expecting or self.check_mode and self.decision is None:
                self.decision = decision
            if not self.check_mode:
                self.watch(decision)
            self.act(decision)
            if self.check_mode:
                situation = Situation(self.cluster.members, self.facts, self.me, self.wish["acting"], self.wish)
                before, self.facts, self.expecting = self.facts, expected(situation, decision), True
                if self.facts == before:
                    return
            decision = self.look()
        if not self.check_mode:
            self.facts.update(self.cluster.gather([self.me]))

    def watch(self, decision: Decision) -> None:
        """End a wait that is over, or that no waiting would help."""
        if self.wish["state"] == "present":
            self.starter.watch()
        if self.left() <= 0:
            raise self.timed_out(decision)

    def act(self, decision: Decision) -> None:
        """Do what was decided, or wait for a moment."""
        if decision.rule == "cloning" and not self.check_mode:
            self.turn.clone_from = decision.details["donor"]
            self.cloner.wait()
        elif decision.action in ("wait", "wait_for_seed"):
            if not self.check_mode:
                self.turn.pause(self.progress(decision))
                time.sleep(operation.POLL)
        elif decision.action == "reset_flag":
            self.run_statement("SET GLOBAL group_replication_bootstrap_group = OFF")
        elif decision.action == "join":
            self.join(decision)
        elif decision.action == "clone":
            if "lost" in decision.details:
                self.warn(decision.reason)
            self.holdings.forget()
            self.cloner.clone(decision.details["donor"])
        elif decision.action == "mark":
            self.under_lock(decision, self.holdings.mark)
        elif decision.action == "bootstrap":
            self.under_lock(decision, self.bootstrap)
        elif decision.action == "leave":
            self.under_lock(decision, self.leave)
        elif decision.action == "stay_out":
            # The loop looks at the running value, which SET PERSIST changes too.
            self.lasting.keep_out()

    def under_lock(
        self, decision: Decision, action: Callable[[Decision], None], where: Iterable[str] | None = None
    ) -> None:
        """Act, if under the lock on all members (or on some) that is still the decision."""

        def again() -> None:
            now = decision if self.check_mode else self.look()
            if now.action == decision.action:
                self.decision = self.decision if self.check_mode else now
                action(now)

        locked(self, again, self.cluster.members if where is None else where, self.cluster.lock)

    # -- join ----------------------------------------------------------------------------------------------------------
    def join(self, decision: Decision) -> None:
        """START on a living group; returns to the loop, which waits until the member is ONLINE."""
        self.lasting.credentials()
        self.lasting.start_at_boot()
        if decision.details["stop_first"]:
            # First of all: it may be what takes this server off the group's list.
            self.starter.stop()
        if decision.details["old_incarnation"] and not self.starter.wait_for_expulsion():
            return
        for name, value in decision.details["adopt"]:
            self.lasting.set_variable(name, value)
        online = [a for a in sorted(self.facts) if a != self.me and self.facts[a].state == "ONLINE"]
        try:
            # START while no other run joins a member of this group: its commits stand still while one joins, and for several times as long when two
            # do at once. On one member, the same for all who see the same group; it needs no more than to be there for as long as the START takes.
            # Without the lock, which is only a courtesy, it would be right, too.
            locked(self, self.starter.start, online[:1], f"{self.cluster.lock}:join")
        except ServerError:
            # The member that was to hold the lock is gone: the loop looks at what there is now.
            time.sleep(operation.POLL)

    def repairs(self) -> None:
        """What a member that is in the group already may still lack."""
        if self.wish["state"] == "present":
            self.lasting.credentials()
            self.lasting.start_at_boot()
            self.starter.reopen()
            self.holdings.warn()

    # -- bootstrap -----------------------------------------------------------------------------------------------------
    def bootstrap(self, decision: Decision) -> None:
        """Bootstrap the group, and wait until this member is ONLINE (it applies what it had received before)."""
        self.lasting.credentials()
        self.lasting.start_at_boot()
        if decision.details["stop_first"]:
            self.starter.stop()
        if not self.starter.bootstrap():
            return
        while not self.check_mode:
            rows = self.local.query(_MY_STATE)
            state = rows[0]["state"] if rows else "OFFLINE"
            if state == "ONLINE":
                return
            if state in ("ERROR", "OFFLINE"):
                raise self.starter.bootstrap_failed(state)
            if self.left() <= 0:
                text = f"timeout: after the bootstrap this member is still {state}{progress.GOES_ON}"
                raise Refusal(text, error_log=self.starter.error_log())
            if self.turn.over():
                # It is a living group of its own now: nobody else bootstraps without the lock either.
                self.turn.bootstrapped = True
                self.facts.update(self.cluster.gather([self.me]))
                raise Pause(self.progress(decision))
            time.sleep(operation.POLL)

    # -- leave ---------------------------------------------------------------------------------------------------------
    def leave(self, decision: Decision) -> None:
        """Leave the group, and stay out."""
        if self.wish.get("hold_until") and not self.check_mode:
            self.hold(self.wish["hold_until"])
        self.starter.stop()
        self.lasting.keep_out()

    # -- report --------------------------------------------------------------------------------------------------------
    def progress(self, decision: Decision) -> str:
        """What is waited for, and how far it is."""
        if self.mine.state != "RECOVERING":
            return decision.reason
        left = progress.transactions_left(self.facts, self.me)
        self.turn.most_left = max(self.turn.most_left, left)
        return progress.recovery_text(left, self.turn.most_left)

    def timed_out(self, decision: Decision) -> Refusal:
        """A Refusal that says what was waited for, and what may be wrong or is to be done next."""
        text = f"timeout: after {self.timeout} seconds still waiting: {self.progress(decision)}"
        if decision.rule == "recovering":
            error = self.mine.applier_error
            text += progress.GOES_ON + (f" (its applier says: {error.message})" if error else "")
        if decision.action == "wait_for_seed":
            seed = decision.details["seed"]
            text += f" (is the task running on {seed} at the same time? forks must be at least the number of members)"
        if self.turn.started_at and self.mine.state in ("OFFLINE", "ERROR"):
            return self.starter.failed(text + "; START GROUP_REPLICATION had no success")
        return Refusal(text)

    def paused(self, text: str) -> Result:
        """The result of a turn that is over before the run is."""
        turn = {
            **self.turn.left_over(),
            "before": self.before,
            "changed": self.changed,
            "statements": self.recorder.statements,
            "decision": list(self.decision[:3]) if self.decision else None,
        }
        return {"changed": self.changed, "progress": text, "timeout": self.timeout, "turn": turn}

    def snapshot(self) -> dict[str, Any]:
        mine = self.mine
        if not mine.reachable:
            return {"state": "UNKNOWN", "error": mine.error}
        view = sorted(mine.view.values(), key=lambda entry: (entry.host, entry.port))
        boot = mine.persisted.get(BOOT, "ON" if mine.start_on_boot or self.wish.get("guarded") else "OFF")
        return {
            "state": mine.state,
            "role": mine.role,
            "super_read_only": mine.super_read_only,
            "group_name": mine.group_name,
            "server_uuid": mine.server_uuid,
            "version": mine.version,
            "gtid_executed": mine.gtid_executed,
            "members": [
                " ".join(filter(None, (format_address(entry.host, entry.port), entry.state, entry.role)))
                for entry in view
            ],
            "start_on_boot": boot == "ON",
        }

    def shown(self, state: dict[str, Any]) -> dict[str, Any]:
        # GTID sets grow by themselves.
        return {n: v for n, v in state.items() if n in ("state", "role", "group_name", "members", "start_on_boot")}
