# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provision the first member of a group that is not there yet by a clone of a server outside of it.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import parse_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import Data
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data_rules import UPDATE_EVERYWHERE
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import ServerFacts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.operation import Operation
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import check_cluster_options, check_range
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.present_rules import not_asked
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision, Details, Rule, Table, when
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import (
    Facts,
    Situation,
    is_live,
    names,
    transactions,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.source import (
    HELD,
    SourceFacts,
    check_source,
    gather_source,
    source_connection,
    source_problems,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.member import Member
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, Result

CLONE_CA = "SELECT VARIABLE_VALUE AS ca FROM performance_schema.global_variables WHERE VARIABLE_NAME = 'clone_ssl_ca'"
SET_CLONE_CA = "SET GLOBAL clone_ssl_ca = %s"

PROVISION = Table()
PROVISION.rule("refuse", "this server could not be asked: {error}")(not_asked)


def is_held(facts: ServerFacts) -> bool:
    """Whether a server has been cloned from a source, and the cut-over is still to come."""
    return facts.persisted.get(HELD) == "ON"


class SourceSituation(Situation):
    """What the rules look at; wish: see source_problems."""

    def __init__(
        self, members: Iterable[str], facts: Facts, me: str, source: SourceFacts, wish: Mapping[str, Any]
    ) -> None:
        super().__init__(members, facts, me, None, wish)
        self.source = source

    @property
    def held(self) -> Data:
        """What this server holds beside its GTID set."""
        return self.mine.data or Data()

    @property
    def is_copy(self) -> bool:
        """Whether this server holds the source's data and no others."""
        mine, theirs = transactions(self.mine), GtidSet(self.source.gtid_executed)
        schemas = [schema.name for schema in self.held.schemas]
        if not mine:
            return bool(schemas) and schemas == [schema.name for schema in self.source.data.schemas]
        return theirs.contains(mine)


@PROVISION.rule(
    "refuse",
    "{source} takes no writes and this server does: a cut-over was interrupted; distdb.mysql_ha.cut_over finishes it",
)
def interrupted(s: SourceSituation) -> Details:
    """this server is in a group that was begun from a source, and takes writes while the source does not"""
    open_here = not s.mine.super_read_only and s.source.super_read_only
    return when(is_live(s.mine) and is_held(s.mine) and open_here, source=s.source.address)


@PROVISION.rule("unchanged", "its group has been begun from the source")
def begun(s: SourceSituation) -> Details:
    """this server is in a group that was begun from a source and is not cut over yet"""
    return when(is_live(s.mine) and is_held(s.mine))


@PROVISION.rule(
    "refuse",
    "{members}: already in a group, which was not begun from a source, or has been cut over: a blank server is cloned before there is a group",
)
def in_group(s: SourceSituation) -> Details:
    """a declared member is in a group"""
    members = [address for part in s.partitions for address in part.addresses]
    return when(members, members=names(members))


@PROVISION.rule("refuse", "{members} could not be asked and may hold data or be ONLINE ({errors})", settle=True)
def unasked(s: SourceSituation) -> Details:
    """a declared member could not be asked"""
    return when(s.unasked, members=names(s.unasked), errors="; ".join(s.facts[a].error or a for a in s.unasked))


@PROVISION.rule(
    "refuse", "{members} was in the group already: distdb.mysql_ha.recover brings the group back; then run again"
)
def was_member(s: SourceSituation) -> Details:
    """nobody is in a group, and a declared member was in this one"""
    members = [address for address in s.asked if transactions(s.facts[address]).of_uuid(s.group)]
    return when(s.group and members, members=names(members))


@PROVISION.rule(
    "refuse", "{members} has transactions; only blank servers become members of a group that is made from a source"
)
def others_hold(s: SourceSituation) -> Details:
    """another declared member has transactions"""
    members = [address for address in s.asked if address != s.me and transactions(s.facts[address])]
    return when(members, members=names(members))


@PROVISION.rule("refuse", "{source} cannot be the source of this group: {problems}")
def unsuitable_source(s: SourceSituation) -> Details:
    """the source cannot be cloned, cannot send its transactions, or has what a group does not replicate"""
    found = source_problems(s.source, s.mine, s.wish)
    return when(found, source=s.source.address, problems="; ".join(found))


@PROVISION.rule("unchanged", "this server holds the data of {source}")
def copied(s: SourceSituation) -> Details:
    """this server was cloned from the source"""
    return when(s.is_copy and is_held(s.mine), source=s.source.address)


@PROVISION.rule("hold", "this server holds the data of {source}; no replication channel is to start at its boot")
def copied_only(s: SourceSituation) -> Details:
    """this server was cloned from the source, by a run that was interrupted then"""
    return when(s.is_copy, source=s.source.address)


@PROVISION.rule("refuse", "this server holds data of its own ({held}): only a blank server is cloned")
def holds(s: SourceSituation) -> Details:
    """this server holds data that are not the source's"""
    mine = transactions(s.mine)
    return when(mine or s.held.schemas, held="; ".join(filter(None, (str(s.held), str(mine)))))


@PROVISION.rule("clone", "this server is blank; it gets the data of {donor}: {held}")
def clone(s: SourceSituation) -> Details:
    """nobody is in a group, this server is blank, and nothing stands against the source"""
    return {"donor": s.source.address, "held": str(s.source.data) or "no schema"}


def decide_provision(
    members: Iterable[str],
    facts: Facts,
    me: str,
    source: SourceFacts,
    wish: Mapping[str, Any],
    rules: list[Rule] | None = None,
) -> Decision:
    """The Decision about a clone of the source; wish: see source_problems."""
    return PROVISION.decide(SourceSituation(members, facts, me, source, wish), rules)


class FromSource(Operation):
    """A run with a connection to the source, too."""

    source: SourceFacts
    outside: Connection

    def open(self) -> None:
        self.outside = source_connection(self.params, self.recorder)
        self.outside.rehearsing = self.check_mode
        super().open()
        self.source = SourceFacts(check_source(self.params, self.cluster.members))

    def run(self) -> Result:
        try:
            return super().run()
        finally:
            if hasattr(self, "outside"):
                self.outside.close()


class Provision(FromSource, Member):
    """One run of group_replication_provision."""

    def check(self) -> None:
        members, _me = check_cluster_options(self.params)
        check_range(self.params, "timeout", 1, 604800)
        check_source(self.params, members)
        self.wish = {"state": "present", "acting": None}
        self.donor_account = (self.params["source_user"], self.params["source_password"])

    def open(self) -> None:
        super().open()
        if not self.mine.reachable:
            return
        user = self.params.get("login_user") or "root"
        self.source = gather_source(self.outside, self.source.address, user)
        self.wish.update(
            source_user=self.params["source_user"], login_user=user, login_password=bool(self.params.get("login_password")),
            event_scheduler=self.local.query("SELECT @@GLOBAL.event_scheduler AS now")[0]["now"],
            server_ids=[facts.server_id for facts in self.facts.values()], group_name=self.mine.group_name,
            update_everywhere=self.mine.settings.get(UPDATE_EVERYWHERE) == "ON",
        )  # fmt: skip

    def decide(self) -> Decision:
        return decide_provision(self.cluster.members, self.facts, self.me, self.source, self.wish)

    def work(self) -> None:
        self.decision = self.settled(self.decide())
        self.refuse(self.decision)
        if self.decision.action == "clone":
            self.holdings.forget()
            self.clone_from_outside()
        if self.decision.action in ("clone", "hold"):
            self.execute("persist_only", ("ON",), name=HELD)
        if not self.check_mode:
            self.facts.update(self.cluster.gather([self.me]))

    def clone_from_outside(self) -> None:
        """The source's certificate is of another CA than the members'. After a clone the server starts with its own settings again."""
        rows = self.local.query(CLONE_CA) if self.mine.clone_active else []
        before, wanted = (rows[0]["ca"] or "" if rows else ""), self.params.get("source_ca_cert") or ""
        if before != wanted:
            self.run_statement(SET_CLONE_CA, (wanted,))
        try:
            self.cloner.clone(self.source.address)
        except Refusal:
            if before != wanted and self.local.is_open:
                self.run_statement(SET_CLONE_CA, (before,))
            raise

    def report(self) -> dict[str, Any]:
        host, port = parse_address(self.source.address)
        return {**super().report(), "source": {"host": host, "port": port}}
