# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol in which a group's members talk: raised when no member needs the older one any more, never lowered.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import operation
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import check_cluster_options, check_range
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision, Details, Rule, Table, when
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import Facts, Situation, is_live, names
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.statements import has_statement, statement
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.upgrade_rules import protocol_for
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.primary import PRIMARY
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import effective_version, parse_version
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

PROTOCOL = Table()
PROTOCOL.take(PRIMARY, "not_asked")


class ProtocolSituation(Situation):
    """What the rules below look at; wish: protocol, the one that the group has now ('' where a server has none to tell)."""

    @property
    def lowest(self) -> str:
        """The version of the group's oldest member."""
        return min((entry.version for entry in self.mine.view.values() if entry.version), key=effective_version)

    @property
    def wanted(self) -> str:
        """The newest protocol that every member knows."""
        return protocol_for(self.lowest)


@PROTOCOL.rule("refuse", "this server is {state}: the protocol is raised through an ONLINE member", settle=True)
def not_online(s: ProtocolSituation) -> Details:
    """this server is not ONLINE in a group"""
    return when(not is_live(s.mine) or s.mine.state != "ONLINE", state=s.mine.state)


PROTOCOL.take(PRIMARY, "no_quorum")


@PROTOCOL.rule("unchanged", "MySQL {lowest} has one protocol only")
def one_only(s: ProtocolSituation) -> Details:
    """a member is older than MySQL 8.0.16"""
    return when(not has_statement(s.lowest, "set_communication_protocol"), lowest=s.lowest)


@PROTOCOL.rule("unchanged", "{protocol}, the newest that MySQL {lowest} knows")
def done(s: ProtocolSituation) -> Details:
    """the group's protocol is the newest that its oldest member knows"""
    reached = parse_version(s.wish["protocol"]) >= parse_version(s.wanted)
    return when(reached, protocol=s.wish["protocol"], lowest=s.lowest)


@PROTOCOL.rule("unchanged", "{members} is not ONLINE, and may need {protocol} to join the group")
def absent(s: ProtocolSituation) -> Details:
    """a declared member is not ONLINE in the group"""
    there = {entry.address for entry in s.mine.view.values() if entry.state == "ONLINE"}
    missing = [address for address in s.members if address not in there]
    return when(missing, members=names(missing), protocol=s.wish["protocol"])


@PROTOCOL.rule("raise", "the group talks as MySQL {protocol} does, and every member knows {wanted}")
def outdated(s: ProtocolSituation) -> Details:
    """every member knows a newer protocol than the group's"""
    return {"protocol": s.wish["protocol"], "wanted": s.wanted}


def decide_protocol(
    members: Iterable[str], facts: Facts, me: str, wish: Mapping[str, Any], rules: list[Rule] | None = None
) -> Decision:
    """The Decision about the protocol; wish: dict with protocol, the group's own."""
    return PROTOCOL.decide(ProtocolSituation(members, facts, me, None, wish), rules)


class Protocol(operation.Operation):
    """One run of group_replication_protocol."""

    timeout = 120
    raised = ""

    def check(self) -> None:
        check_cluster_options(self.params)
        check_range(self.params, "timeout", 1, 86400)

    def current(self) -> str:
        """The group's protocol, as this server says it; '' where it is in no group or knows none."""
        if (
            not self.mine.reachable
            or self.mine.state != "ONLINE"
            or not has_statement(self.mine.version, "get_communication_protocol")
        ):
            return ""
        return str(self.local.query(statement(self.mine.version, "get_communication_protocol"))[0]["protocol"] or "")

    def decide(self) -> Decision:
        return decide_protocol(self.cluster.members, self.facts, self.me, {"protocol": self.current()})

    def work(self) -> None:
        decision = self.settled(self.decide())
        self.refuse(decision)
        self.decision = decision
        if decision.action != "raise":
            return
        self.raised = decision.details["wanted"]
        # It waits until no message of the older kind is under way.
        self.local.timeout(self.timeout)
        try:
            self.execute("set_communication_protocol", (self.raised,))
        except ServerError as error:
            raise Refusal(f"the group refuses: {error}") from None

    def snapshot(self) -> dict[str, Any]:
        return {"protocol": self.raised if self.check_mode and self.raised else self.current()}
