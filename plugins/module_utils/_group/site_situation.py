# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rules about two sites look at. No I/O here.

Private to this collection.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Iterable, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.present_rules import not_asked
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Details, Table, when
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.sites import (
    Claim,
    Site,
    claims,
    follows,
    takes_writes,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import (
    Facts,
    Situation,
    is_live,
    sees_quorum,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.statements import has_statement
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import can_clone


class SiteSituation(Situation):
    """What the rules look at.

    wish: group_name, other_group (names of the two groups), other_name (what people call the other site), give_up (whether a person has named it as given
    up), opens (whether a newly elected primary makes itself writable; None where that was not asked), complete (whether the channel has everything)
    """

    def __init__(
        self,
        members: Iterable[str],
        facts: Facts,
        me: str,
        other_members: Iterable[str],
        other_facts: Facts,
        wish: Mapping[str, Any],
    ) -> None:
        super().__init__(members, facts, me, None, wish)
        self.site = Site(self.members, facts, self.group)
        self.other = Site(other_members, other_facts, wish["other_group"])
        self.name = wish["other_name"]

    @cached_property
    def newest(self) -> Claim | None:
        """The newest claim that anybody who answers has."""
        known = self.site.has.union(self.other.has)
        return max(claims(known, [self.group, self.other.group]), default=None)

    @property
    def ours(self) -> bool:
        """Whether this site is the one that writes, as far as is known."""
        return self.newest is not None and self.newest.group == self.group

    @property
    def next_number(self) -> int:
        """Larger than every claim that was seen."""
        return self.newest.number + 1 if self.newest else 1

    @property
    def is_primary(self) -> bool:
        """Whether this server is the primary of its group, ONLINE, with a majority."""
        mine = self.mine
        return is_live(mine) and mine.state == "ONLINE" and mine.role == "PRIMARY" and sees_quorum(mine)

    @property
    def opened(self) -> bool:
        """Whether this server takes writes, and whoever is elected next does."""
        return takes_writes(self.mine) and not self.mine.read_only and self.wish.get("opens") is not False

    @property
    def closed(self) -> bool:
        """Whether this server takes no writes, and nobody who is elected next does."""
        return self.mine.super_read_only and self.wish.get("opens") is False

    @cached_property
    def missing(self) -> GtidSet:
        """What the other site's members that answer have, and this server has not executed."""
        return self.other.has - GtidSet(self.mine.gtid_executed)

    @cached_property
    def errant(self) -> GtidSet:
        """Data of this site that the other one has not."""
        return self.site.has - self.other.has - self.site.own

    @property
    def without_channel(self) -> list[str]:
        """The other members of this group that lack the channel: they would be expelled when it is made to fail over."""
        inside = self.site.home.addresses if self.site.home else []
        return [address for address in inside if address != self.me and not follows(self.facts[address])]

    @property
    def donors(self) -> list[str]:
        """Members of the other site to clone from, secondaries first."""
        online = self.other.home.online if self.other.home else []
        facts = self.other.facts
        fit = [a for a in online if facts[a].clone_active and can_clone(facts[a].version, self.mine.version)]
        return sorted(fit, key=lambda a: (facts[a].role == "PRIMARY", self.other.members.index(a)))

    @property
    def unseen(self) -> str:
        """Why not all is known of the other site."""
        return "; ".join(self.other.facts[address].error or address for address in self.other.unasked)


def common(table: Table) -> None:
    table.rule("refuse", "this server could not be asked: {error}", guards="asked")(not_asked)
    table.rule(
        "refuse",
        "MySQL {version} has no asynchronous connection failover between groups (it came with 8.0.27)",
    )(too_old)
    table.rule("refuse", "both sites have the group name {group}: each group needs one of its own", guards="names")(
        one_name
    )


def too_old(s: SiteSituation) -> Details:
    """this server's version has no failover of replication channels between groups"""
    return when(not has_statement(s.mine.version, "add_managed_source"), version=s.mine.version)


def one_name(s: SiteSituation) -> Details:
    """both groups have one name"""
    return when(s.group == s.other.group, group=s.group)


def no_member(s: SiteSituation) -> Details:
    """this server is not ONLINE in a group with a majority"""
    able = is_live(s.mine) and s.mine.state == "ONLINE" and sees_quorum(s.mine)
    return when(not able, state=s.mine.state)


def multi_primary(s: SiteSituation) -> Details:
    """this group is in multi-primary mode"""
    return when(not s.mine.single_primary_mode)


NO_MEMBER = "this server is {state}; a site acts when its group has a majority (distdb.mysql_ha.recover brings it back)"
MULTI = "this group is in multi-primary mode, in which members open themselves; sites need mysql_gr_writers: primary"
