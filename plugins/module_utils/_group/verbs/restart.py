# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a whole group anew in multi-primary mode without update-everywhere checks, which MySQL does not set while a member is in the group.

All declared members leave it, closed and with the same transactions, and become one group again by the rules of present_rules.py; the table here
says only when a member leaves.

Private to this collection.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import MODE_SETTINGS, writers
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.member_rules import decide
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import check_members, check_one
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.present_rules import (
    not_asked,
    unsuitable,
    wrong_group_name,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision, Details, Rule, Table, when
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import (
    Facts,
    Situation,
    is_live,
    names,
    transactions,
    undeclared,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.member import Member
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

WRITERS = "one"
CLOSE, LEAVE = "close", "leave"
POLL = 0.05  # applications wait for what follows

RESTART = Table()
RESTART.rule("refuse", "this server could not be asked: {error}", guards="whole")(not_asked)
RESTART.rule("refuse", "this server cannot be a group member: {why}")(unsuitable)
RESTART.rule("refuse", "this server's group_replication_group_name is {mine}, but group_name asks for {group}")(
    wrong_group_name
)


class RestartSituation(Situation):
    """What the rules of a restart look at."""

    def as_wished(self, address: str) -> bool:
        """Whether this member is in a group that has the mode already."""
        facts = self.facts[address]
        return is_live(facts) and writers(facts.single_primary_mode, facts.update_everywhere_checks) == WRITERS

    @property
    def remaining(self) -> list[str]:
        """Members that are in the group as it was."""
        return [address for address in self.asked if is_live(self.facts[address]) and not self.as_wished(address)]

    @property
    def remains(self) -> bool:
        """Whether this server is in the group as it was."""
        return self.me in self.remaining

    @property
    def opened(self) -> list[str]:
        """Members that take writes in the group as it was."""
        return [address for address in self.remaining if not self.facts[address].super_read_only]

    @property
    def out(self) -> list[str]:
        """Members that are in no group."""
        return [address for address in self.asked if not is_live(self.facts[address])]


@RESTART.rule("unchanged", "the group has one writer at a time, as wished")
def as_wished(s: RestartSituation) -> Details:
    """this server is ONLINE in a group in multi-primary mode without update-everywhere checks"""
    return when(s.as_wished(s.me) and s.mine.state == "ONLINE")


@RESTART.rule(
    "refuse",
    "{members} could not be asked ({errors}): the group is not restarted unless every declared member answers",
    guards="whole",
    settle=True,
)
def restart_unasked(s: RestartSituation) -> Details:
    """this server is in the group as it was, and a declared member could not be asked"""
    errors = "; ".join(s.facts[address].error or address for address in s.unasked)
    return when(s.remains and s.unasked, members=names(s.unasked), errors=errors)


@RESTART.rule("refuse", "{members} takes no part in this run: all members are restarted together", guards="whole")
def restart_not_acting(s: RestartSituation) -> Details:
    """this server is in the group as it was, and a declared member takes no part in this run"""
    missing = [address for address in s.members if address not in s.acting]
    return when(s.remains and missing, members=names(missing))


@RESTART.rule("refuse", "members of the group are not declared: {strangers}", guards="whole", settle=True)
def restart_stranger(s: RestartSituation) -> Details:
    """this server is in the group as it was, and so is a member that is not declared"""
    strangers = undeclared(s.members, s.facts)
    return when(s.remains and strangers, strangers="; ".join(strangers))


@RESTART.rule(
    "refuse", "{members}: the group is not restarted unless all members in it are ONLINE", guards="whole", settle=True
)
def restart_not_online(s: RestartSituation) -> Details:
    """this server is in the group as it was, and a member of it is not ONLINE, or in a group apart"""
    view = [f"{entry.address} is {entry.state}" for entry in s.mine.view.values() if entry.state != "ONLINE"]
    apart = [f"{names(part.addresses)} is apart" for part in s.partitions if s.me not in part.addresses]
    return when(s.remains and (view or apart), members="; ".join(view or apart))


@RESTART.rule(
    "refuse", "{members} is in no group, and {others} takes writes: make it a member first", guards="whole", settle=True
)
def restart_out(s: RestartSituation) -> Details:
    """a member takes writes in the group as it was, and another one is in no group, though none leaves before all are closed"""
    return when(s.remains and s.out and s.opened, members=names(s.out), others=names(s.opened))


@RESTART.rule(
    "refuse",
    "{members} has left the group and does not have what the group has: make it a member first",
    guards="equal",
    settle=True,
)
def restart_differs(s: RestartSituation) -> Details:
    """this server is closed in the group as it was, and a member that has left it has other transactions"""
    differing = [address for address in s.out if transactions(s.facts[address]) != transactions(s.mine)]
    return when(s.remains and differing, members=names(differing))


@RESTART.rule(CLOSE, "the group is restarted: this server takes no more writes")
def restart_close(s: RestartSituation) -> Details:
    """this server takes writes in the group as it was"""
    return when(s.remains and not s.mine.super_read_only)


@RESTART.rule("wait", "{members} takes writes still", guards="equal")
def restart_open(s: RestartSituation) -> Details:
    """this server is closed in the group as it was, and another member is not"""
    return when(s.remains and s.opened, members=names(s.opened))


@RESTART.rule("wait", "{members} has not applied everything yet", guards="equal")
def restart_behind(s: RestartSituation) -> Details:
    """all members in the group as it was are closed, and one has not executed what another one has"""
    everything = GtidSet().union(*[transactions(s.facts[address]) for address in s.asked])
    behind = [address for address in s.remaining if GtidSet(s.facts[address].gtid_executed) != everything]
    return when(s.remains and behind, members=names(behind))


@RESTART.rule(
    "wait", "{members} leaves before the primary: nobody is elected, and takes writes, in between", guards="equal"
)
def restart_primary(s: RestartSituation) -> Details:
    """all are closed and have the same transactions, and this server is the primary of others"""
    others = [entry.address for entry in s.mine.view.values() if entry.role == "SECONDARY"]
    return when(s.remains and s.mine.role == "PRIMARY" and others, members=names(others))


@RESTART.rule(LEAVE, "all members are closed and have executed the same transactions")
def restart_leave(s: RestartSituation) -> Details:
    """all members in the group as it was are closed, and all declared members have the same transactions"""
    return when(s.remains)


@RESTART.rule("refuse", "{members} goes on in the group as it was", guards="second", settle=True)
def restart_given_up(s: RestartSituation) -> Details:
    """this server has left, and a member takes writes in the group as it was: the restart has been given up there"""
    return when(s.opened, members=names(s.opened))


@RESTART.rule("wait", "{members} is still in the group as it was", guards="second")
def restart_remaining(s: RestartSituation) -> Details:
    """this server has left, and another member is closed in the group as it was"""
    return when(s.remaining, members=names(s.remaining))


def decide_restart(
    members: Iterable[str],
    facts: Facts,
    me: str,
    acting: Iterable[str] | None,
    wish: Mapping[str, Any],
    rules: list[Rule] | None = None,
) -> Decision:
    """The Decision of this table; where everybody is out, or in the new group, that of present_rules.py."""
    situation = RestartSituation(members, facts, me, acting, wish)
    decision = RESTART.decide(situation, rules)
    if decision.rule != "no_rule":
        return decision
    # Among those that have everybody's transactions, and nobody else.
    chosen = {"bootstrap_from": wish["first"]} if wish.get("first") in situation.supersets else {}
    return decide(members, facts, me, acting, {**wish, **chosen})


class Restart(Member):
    """One run of group_replication_restart on one server."""

    def __init__(
        self, params: Mapping[str, Any], check_mode: bool = False, warn: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(params, check_mode, warn)
        self.held = check_mode or not params.get("hold_until")
        self.closed = False

    def check(self) -> None:
        super().check()
        self.wish["first"] = check_one(self.params, "first", check_members(self.params["members"]))

    def decide(self) -> Decision:
        return decide_restart(self.cluster.members, self.facts, self.me, self.wish["acting"], self.wish)

    def work(self) -> None:
        try:
            super().work()
        except Refusal:
            self.open_again()
            raise

    def act(self, decision: Decision) -> None:
        if decision.action in (CLOSE, LEAVE):
            self.decision = decision
            if not self.held:
                self.hold(self.params["hold_until"])
            elif decision.action == CLOSE:
                self.run_statement("SET GLOBAL super_read_only = ON")
                self.closed = True
            else:
                self.starter.stop()
        elif decision.action in ("wait", "wait_for_seed") and not self.check_mode:
            time.sleep(POLL)
        else:
            super().act(decision)

    def hold(self, path: str) -> None:
        """Wait for the file that says that it is time; the timeout counts from then on."""
        super().hold(path)
        self.held = True
        self.deadline = time.monotonic() + self.timeout

    def bootstrap(self, decision: Decision) -> None:
        for name in MODE_SETTINGS:
            if self.mine.settings.get(name) != "OFF":
                self.lasting.set_variable(name, "OFF")
        super().bootstrap(decision)

    def open_again(self) -> None:
        """The restart is given up: open a member that this run has closed and that is in its group still."""
        if not self.closed or self.check_mode:
            return
        try:
            mine = self.cluster.gather([self.me])[self.me]
            # One that recovers in the new group lacks what the others have; the server opens it when it is ONLINE.
            if mine.state == "ONLINE" and mine.role == "PRIMARY" and mine.super_read_only:
                # Both, since super_read_only has switched read_only on, too.
                self.run_statement("SET GLOBAL read_only = OFF")
        except ServerError:
            self.warn(
                "super_read_only is ON: this server could not be opened again; the module group_replication_fence does it"
            )
