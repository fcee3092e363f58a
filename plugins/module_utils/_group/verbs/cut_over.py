# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take over from the source: it takes no writes any more, its last transaction comes, the group takes writes. In one run, since this is the downtime.

Private to this collection.
"""

from __future__ import annotations

import time
from typing import Any, Iterable, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import Inbound
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import check_cluster_options, check_range
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.present_rules import not_asked
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision, Details, Rule, Table, when
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import Facts, is_live, sees_quorum
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.source import (
    CHANNEL,
    HELD,
    SourceFacts,
    check_source,
    gather_now,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.provision import (
    FromSource,
    SourceSituation,
    is_held,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, Result

KEEPS_UP = 1.0  # seconds within which a channel that keeps up applies what the source has executed
LOOK = 5  # seconds after which it is looked whether the channel still runs
_WAIT = "SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, {seconds}) AS missing"
AGAIN = "distdb.mysql_ha.replicate_from starts it again"

CUT_OVER = Table()
CUT_OVER.rule("refuse", "this server could not be asked: {error}")(not_asked)


class CutOverSituation(SourceSituation):
    """What the rules look at."""

    @property
    def channel(self) -> Inbound | None:
        """The channel from the source."""
        return next((inbound for inbound in self.mine.inbound if inbound.channel == CHANNEL), None)

    @property
    def missing(self) -> GtidSet:
        """What the source has executed and this server has not."""
        return GtidSet(self.source.gtid_executed) - GtidSet(self.mine.gtid_executed)

    @property
    def over(self) -> bool:
        """Whether the source takes no writes and everything has come."""
        return self.source.super_read_only and not self.missing


@CUT_OVER.rule(
    "refuse", "this server is {state} and cannot take writes; it has to be an ONLINE primary of a group with quorum"
)
def not_primary(s: CutOverSituation) -> Details:
    """this server is no ONLINE primary of a group with quorum"""
    mine = s.mine
    able = is_live(mine) and mine.state == "ONLINE" and mine.role == "PRIMARY" and sees_quorum(mine)
    return when(not able, state=f"{mine.state} {mine.role}".strip())


@CUT_OVER.rule("unchanged", "{source} takes no writes, and the group has everything of it and takes writes")
def done(s: CutOverSituation) -> Details:
    """the source takes no writes, its data is here, no channel is left, and this server takes writes"""
    mine = s.mine
    finished = s.over and s.channel is None and not is_held(mine) and not mine.read_only and not mine.super_read_only
    return when(finished, source=s.source.address)


@CUT_OVER.rule(
    "refuse",
    "this server does not replicate from {source}: distdb.mysql_ha.replicate_from begins that, with blank servers",
)
def not_begun(s: CutOverSituation) -> Details:
    """no channel leads to the source, and not everything of it is here"""
    return when(s.channel is None and not (s.over and is_held(s.mine)), source=s.source.address)


@CUT_OVER.rule("refuse", "the channel leads to {theirs}, and not to {source}")
def other_source(s: CutOverSituation) -> Details:
    """the channel leads to another server than named"""
    channel = s.channel
    if channel is None:
        return None
    theirs = f"{channel.address} (server_uuid {channel.source_uuid or 'not known'})"
    other = channel.address != s.source.address or channel.source_uuid not in ("", s.source.server_uuid)
    return when(other, theirs=theirs, source=f"{s.source.address} (server_uuid {s.source.server_uuid})")


@CUT_OVER.rule("refuse", "{channel}. Nothing was changed; " + AGAIN)
def stopped(s: CutOverSituation) -> Details:
    """the channel does not run, and not everything of the source is here"""
    channel = s.channel
    return when(channel and not s.over and (not channel.runs or channel.error), channel=str(channel))


@CUT_OVER.rule("cut_over", "this server takes over from {source}")
def cut_over(s: CutOverSituation) -> Details:
    """the channel runs, or has brought everything of a source that takes no writes any more"""
    return {"source": s.source.address}


def decide_cut_over(
    members: Iterable[str], facts: Facts, me: str, source: SourceFacts, rules: list[Rule] | None = None
) -> Decision:
    """The Decision about taking over from the source."""
    return CUT_OVER.decide(CutOverSituation(members, facts, me, source, {}), rules)


class CutOver(FromSource):
    """One run of group_replication_cut_over."""

    closed_for = 0.0

    def check(self) -> None:
        members, _me = check_cluster_options(self.params)
        check_range(self.params, "timeout", 1, 86400)
        check_range(self.params, "closed_timeout", 1, 3600)
        check_source(self.params, members)

    def open(self) -> None:
        super().open()
        if self.mine.reachable:
            uuid = self.outside.query("SELECT @@GLOBAL.server_uuid AS uuid")[0]["uuid"]
            self.source = gather_now(self.outside, self.source._replace(server_uuid=str(uuid).lower()))

    def decide(self) -> Decision:
        return decide_cut_over(self.cluster.members, self.facts, self.me, self.source)

    def look(self) -> Decision:
        self.source = gather_now(self.outside, self.source)
        return super().look()

    def work(self) -> None:
        self.decision = self.decide()
        self.refuse(self.decision)
        if self.decision.action != "cut_over":
            return
        if not self.check_mode and not self.source.super_read_only:
            self.catch_up()
        began = time.monotonic()
        self.close_source()
        try:
            self.wait_for_last()
            if self.mine.inbound:
                self.execute("stop_channel", (CHANNEL,))
        except Refusal as error:
            raise self.reopened(error) from None
        if self.mine.read_only or self.mine.super_read_only:
            # Both, since super_read_only has switched read_only on, too.
            self.run_statement("SET GLOBAL read_only = OFF")
        self.closed_for = time.monotonic() - began
        self.forget_source()
        if not self.check_mode:
            self.facts.update(self.cluster.gather([self.me]))

    # -- before the downtime -------------------------------------------------------------------------------------------
    def catch_up(self) -> None:
        """Wait until the channel has applied everything and keeps up."""
        while True:
            began = time.monotonic()
            executed = self.outside.query("SELECT @@GLOBAL.gtid_executed AS executed")[0]["executed"]
            if self.has(executed, LOOK) and time.monotonic() - began <= KEEPS_UP:
                return
            self.refuse(self.look())
            if self.left() <= 0:
                missing = GtidSet(self.source.gtid_executed) - GtidSet(self.mine.gtid_executed)
                raise Refusal(
                    f"timeout: after {self.timeout} seconds this server does not keep up with {self.source.address}: {missing.count()} transactions are "
                    "missing. Nothing was changed; the channel goes on, run again"
                )

    def has(self, executed: str, seconds: float) -> bool:
        """Whether this server has executed these transactions, after at most as many seconds."""
        rows = self.local.query(_WAIT.format(seconds=f"{seconds:.1f}"), (executed,))
        return int(rows[0]["missing"]) == 0

    # -- the downtime --------------------------------------------------------------------------------------------------
    def close_source(self) -> None:
        """Let the source take no writes any more, waiting for a long statement there no longer than allowed."""
        if self.source.super_read_only:
            return
        try:
            self.outside.query(f"SET SESSION lock_wait_timeout = {int(self.params['closed_timeout'])}")
            self.outside.run("SET GLOBAL super_read_only = ON")
            self.changed = True
        except ServerError as error:
            raise self.reopened(error) from None

    def wait_for_last(self) -> None:
        """Wait until the last transaction of the source is here."""
        if self.check_mode:
            return
        last = self.outside.query("SELECT @@GLOBAL.gtid_executed AS executed")[0]["executed"]
        limit = int(self.params["closed_timeout"])
        if not self.has(last, limit):
            raise Refusal(
                f"the last transactions of {self.source.address} did not come within {limit} seconds (closed_timeout)"
            )

    def reopened(self, error: Refusal) -> Refusal:
        """A Refusal, after the source takes writes again where it took them before."""
        before = self.source
        if before.super_read_only:
            return Refusal(f"{error}; {before.address} took no writes before and takes none now; run again")
        name = "super_read_only" if before.read_only else "read_only"
        try:
            self.outside.run(f"SET GLOBAL {name} = OFF")
        except ServerError as second:
            return Refusal(
                f"{error}; and {before.address} could not be made to take writes again ({second}): SET GLOBAL {name} = OFF there, or run again"
            )
        return Refusal(f"{error}; {before.address} takes writes again, and the group takes none; run again")

    # -- after it ------------------------------------------------------------------------------------------------------
    def forget_source(self) -> None:
        """The channel is not needed any more; and the source stays closed when it is restarted."""
        if any(inbound.channel == CHANNEL for inbound in self.mine.inbound):
            self.execute("reset_channel", (CHANNEL,))
        if is_held(self.mine):
            self.execute("reset_persist", name=HELD)
        try:
            self.outside.run("SET PERSIST super_read_only = ON")
        except ServerError as error:
            self.warn(f"{self.source.address} would take writes again after a restart: {error}")

    # -- report --------------------------------------------------------------------------------------------------------
    def snapshot(self) -> dict[str, Any]:
        if not self.mine.reachable:
            return {}
        mine: Mapping[str, Any] = {n: getattr(self.mine, n) for n in ("state", "role", "read_only", "super_read_only")}
        return {**mine, "replicates_from": [str(inbound) for inbound in self.mine.inbound]}

    def shown(self, state: dict[str, Any]) -> dict[str, Any]:
        # How far it is behind changes all the time.
        return {name: value if name != "replicates_from" else bool(value) for name, value in state.items()}

    def report(self) -> Result:
        return {**super().report(), "closed_for": round(self.closed_for, 3)}
