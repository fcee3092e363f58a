# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two groups that are one database at two sites: which of them writes, and what is known of each. No I/O here.

A site that becomes the one that writes puts a claim into its history first: an empty transaction of a UUID that is its group's own, whose number is larger
than that of every claim it has seen. So the claim is as durable as the data, goes wherever the data goes (by the group, the channel, a clone, a backup), and
is read in gtid_executed. The newest claim wins; of two with one number, the one of the group whose name sorts last, so that there is always one newest.

Private to this collection.
"""

from __future__ import annotations

import uuid
from typing import Iterable, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import Inbound, ServerFacts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import (
    Facts,
    Partition,
    Situation,
    is_live,
    sees_quorum,
    transactions,
)

CHANNEL = "site"  # the replication channel from the other site
# Claims begin with this, so that one is seen as such where the other group's name is not known.
PREFIX = "5173c1a1-"
_NAMES = uuid.UUID("5173c1a1-0000-4000-8000-000000000000")


class Claim(NamedTuple):
    """A group became the one that writes. The order of the tuples is the order of the claims."""

    number: int
    group: str


def claim_uuid(group: str) -> str:
    """The UUID of a group's claims."""
    return PREFIX + str(uuid.uuid5(_NAMES, group.lower()))[len(PREFIX) :]


def claims(known: GtidSet, groups: Iterable[str]) -> list[Claim]:
    """The last claim of each of these groups in this history."""
    numbers = [(known.last(claim_uuid(group)), group.lower()) for group in groups]
    return [Claim(number, group) for number, group in numbers if number]


def all_claims(known: GtidSet) -> GtidSet:
    """Claims of whatever group: empty transactions, which are no data."""
    return GtidSet().union(*[known.of_uuid(one) for one in known.uuids() if one.startswith(PREFIX)])


def view_changes(facts: ServerFacts) -> GtidSet:
    """What a group writes into its own history when a member comes or goes, where it has a UUID of its own for that (before 8.3)."""
    own = facts.settings.get("group_replication_view_change_uuid") or ""
    return transactions(facts).of_uuid(own) if own.upper() != "AUTOMATIC" else GtidSet()


def channel_of(facts: ServerFacts) -> Inbound | None:
    """The channel from the other site."""
    return next((one for one in facts.inbound if one.channel == CHANNEL), None)


def follows(facts: ServerFacts) -> bool:
    """Whether this server is configured to replicate from the other site."""
    return channel_of(facts) is not None


def is_a_site(facts: ServerFacts) -> bool:
    """Whether this server's group is one of two sites: it follows the other one, or has claimed to write."""
    return follows(facts) or bool(transactions(facts).of_uuid(claim_uuid(facts.group_name)))


def takes_writes(facts: ServerFacts) -> bool:
    """Whether this server takes writes from anybody; read_only alone leaves administrators."""
    return facts.reachable and not facts.super_read_only


def role_of(group: str, known: GtidSet, following: bool) -> str:
    """What a group is, by its own history: standby, primary, or '' where it is no site. Only the other site knows whether it was given up since."""
    if following:
        return "standby"
    found = [(known.last(one), one) for one in known.uuids() if one.startswith(PREFIX)]
    return "primary" if found and max(found)[1] == claim_uuid(group) else ""


class Site:
    """What is known of one site."""

    def __init__(self, members: Iterable[str], facts: Facts, group: str) -> None:
        self.members = list(members)
        self.facts = facts
        self.group = group.lower()
        self.situation = Situation(self.members, facts, self.members[0], None, {"group_name": group})
        self.asked = self.situation.asked
        self.unasked = self.situation.unasked

    @property
    def home(self) -> Partition | None:
        """Its living group, with a majority, or None."""
        return self.situation.home

    @property
    def primary(self) -> str:
        """The address of its primary that answers, or ''."""
        online = self.home.online if self.home else []
        return next((address for address in online if self.facts[address].role == "PRIMARY"), "")

    @property
    def seen(self) -> bool:
        """Whether all is known that it has executed: the primary of its living group answers, or every member does."""
        return bool(self.primary) or not self.unasked

    @property
    def not_online(self) -> list[str]:
        """Members that are not ONLINE in its group, as far as they were seen."""
        online = self.home.online if self.home else []
        return [address for address in self.members if address not in online]

    @property
    def open(self) -> list[str]:
        """Members that take writes. One in no group counts, too: a client may have it. One that has lost its majority commits nothing."""
        stuck = [a for a in self.asked if is_live(self.facts[a]) and not sees_quorum(self.facts[a])]
        return [address for address in self.asked if takes_writes(self.facts[address]) and address not in stuck]

    @property
    def has(self) -> GtidSet:
        """What its members have that answer."""
        return GtidSet().union(*[transactions(self.facts[address]) for address in self.asked])

    @property
    def own(self) -> GtidSet:
        """Transactions that are this site's alone and carry no data."""
        return GtidSet().union(all_claims(self.has), *[view_changes(self.facts[address]) for address in self.asked])
