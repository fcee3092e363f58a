# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the facts of all declared members mean together: which groups there are, and where this server stands. No I/O here.

Private to this collection.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Iterable, Mapping, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import LIVE, MUST_EQUAL, Entry, ServerFacts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.said import MAJORITY, Said, left_behind
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import (
    Version,
    VersionError,
    can_clone,
    can_join,
    effective_version,
    has_clone,
)

Facts = Mapping[str, ServerFacts]


class Twins(NamedTuple):
    """Declared members that share what each needs for itself."""

    what: str  # server_uuid or server_id
    value: str
    addresses: list[str]


class Difference(NamedTuple):
    """A setting that differs from the group's."""

    name: str
    mine: str
    theirs: str


def transactions(facts: ServerFacts) -> GtidSet:
    """Everything a server has: executed, and received but perhaps not yet applied."""
    return GtidSet(facts.gtid_executed).union(GtidSet(facts.received))


def has_unlogged_data(facts: ServerFacts) -> bool:
    """Whether a server holds schemas, and no transaction can have brought them there: it has none."""
    return bool(facts.data and facts.data.schemas) and not transactions(facts)


def is_live(facts: ServerFacts) -> bool:
    """Whether the server takes part in a group, as far as it knows itself."""
    return facts.reachable and facts.state in LIVE


def view_counts(facts: ServerFacts) -> tuple[int, int]:
    """(members in the view, those of them that are reachable)."""
    return len(facts.view), sum(1 for entry in facts.view.values() if entry.state in LIVE)


def sees_quorum(facts: ServerFacts) -> bool:
    """Whether more than half of the members in this server's view are reachable."""
    total, reachable = view_counts(facts)
    return reachable * 2 > total


def names(addresses: Iterable[str]) -> str:
    """Addresses for a sentence."""
    return ", ".join(addresses)


class Partition:
    """Members that are in one group together."""

    def __init__(self, addresses: Iterable[str], facts: Facts) -> None:
        self.addresses = list(addresses)
        self.online = [address for address in self.addresses if facts[address].state == "ONLINE"]
        votes = {sees_quorum(facts[address]) for address in self.online or self.addresses}
        # Members that disagree are in the middle of a change: not to be relied upon.
        self.quorum = votes == {True}
        self.unsettled = len(votes) > 1
        self.group_names = sorted({facts[address].group_name for address in self.addresses})
        self.view: dict[str, Entry] = {}
        for address in self.addresses:
            for uuid, entry in facts[address].view.items():
                known = self.view.get(uuid)
                if known is None or (known.state not in LIVE and entry.state in LIVE):
                    self.view[uuid] = entry
        self.transactions = GtidSet().union(*[transactions(facts[address]) for address in self.online])


def partitions(members: Iterable[str], facts: Facts) -> list[Partition]:
    """The groups that the declared members are in, as far as they can be asked."""
    live = [address for address in members if is_live(facts[address])]
    parent = {address: address for address in live}

    def root(address: str) -> str:
        while parent[address] != address:
            address = parent[address]
        return address

    for one in live:
        for other in live:
            # One side is enough: facts are not gathered at one instant, and a view change reaches members in turn.
            entry = facts[one].view.get(facts[other].server_uuid)
            if one != other and entry is not None and entry.state in LIVE:
                parent[root(other)] = root(one)
    groups: dict[str, list[str]] = {}
    for address in live:
        groups.setdefault(root(address), []).append(address)
    return [Partition(group, facts) for group in groups.values()]


def twins(members: Iterable[str], facts: Facts) -> list[Twins]:
    """Declared members that share their server_uuid or their server_id."""
    found = []
    for what in ("server_uuid", "server_id"):
        by_value: dict[str, list[str]] = {}
        for address in members:
            if facts[address].reachable:
                by_value.setdefault(str(getattr(facts[address], what) or ""), []).append(address)
        found += [Twins(what, value, shared) for value, shared in by_value.items() if value and len(shared) > 1]
    return found


def undeclared(members: Iterable[str], facts: Facts) -> list[str]:
    """Members that somebody's view lists and that are no declared member: 'host:port (uuid) STATE'."""
    uuids = {facts[address].server_uuid for address in members if facts[address].reachable}
    found = {}
    for address in members:
        for uuid, entry in facts[address].view.items():
            if uuid not in uuids and entry.address not in members:
                found[uuid] = f"{entry.address} ({uuid}) {entry.state}"
    return [found[uuid] for uuid in sorted(found)]


def unsuitable_reason(facts: ServerFacts) -> str:
    """Why a server cannot be a member of any group, or ''."""
    if facts.version_error:
        return facts.version_error
    if not facts.plugin_active:
        return "the plugin group_replication is not active (plugin_load_add=group_replication.so in the configuration)"
    if not facts.group_name:
        return "group_replication_group_name is not set"
    if facts.gtid_mode != "ON":
        return f"gtid_mode is {facts.gtid_mode} (needed: ON)"
    if facts.enforce_gtid_consistency != "ON":
        return f"enforce_gtid_consistency is {facts.enforce_gtid_consistency} (needed: ON)"
    if not facts.log_bin:
        return "the binary log is off (needed: log_bin)"
    return ""


def lasting_flag(facts: ServerFacts) -> str:
    """Where the bootstrap flag is written so that it would be on again after a restart, or ''."""
    if facts.persisted.get("group_replication_bootstrap_group") == "ON":
        return "persisted in mysqld-auto.cnf; RESET PERSIST group_replication_bootstrap_group removes it"
    source = facts.bootstrap_flag_source
    if facts.bootstrap_flag and source.split(" ")[0] not in ("", "DYNAMIC"):
        return f"set by {source}; remove it there"
    return ""


class Situation:
    """Everything the rules look at, for one server among the declared members."""

    def __init__(
        self,
        members: Iterable[str],
        facts: Facts,
        me: str,
        acting: Iterable[str] | None = None,
        wish: Mapping[str, Any] | None = None,
    ) -> None:
        """acting: addresses on which this task runs now (default: all); wish: what the task asks for, by option."""
        self.members = list(members)
        self.facts = facts
        self.me = me
        self.mine = facts[me]
        self.wish = dict(wish or {})
        taking_part = set(self.members if acting is None else acting)
        self.acting = [address for address in self.members if address in taking_part]
        self.asked = [address for address in self.members if facts[address].reachable]
        self.unasked = [address for address in self.members if not facts[address].reachable]
        self.partitions = partitions(self.members, facts)
        self.quorate = [part for part in self.partitions if part.quorum and part.online]
        self.twins = twins(self.members, facts)
        self.group = (self.wish.get("group_name") or self.mine.group_name).lower()
        self.given_up = set(self.wish.get("bootstrap_without") or ())

    # -- the living group ----------------------------------------------------------------------------------------------
    @property
    def my_partition(self) -> Partition | None:
        """The partition in which this server is, or None."""
        return next((part for part in self.partitions if self.me in part.addresses), None)

    @cached_property
    def home(self) -> Partition | None:
        """The living group that this server should be in, or None."""
        ours = [part for part in self.quorate if self.group in part.group_names]
        return ours[0] if len(ours) == 1 else None

    @cached_property
    def errant(self) -> GtidSet:
        """Transactions of this server that the living group does not have; empty where there is no such group."""
        return (transactions(self.mine) - self.home.transactions).union(self.left_out) if self.home else GtidSet()

    @cached_property
    def left_out(self) -> GtidSet:
        """Those with which this server was left behind when the living group was started without it, on a majority."""
        return self._left_behind(self.home.addresses if self.home else []).get(self.me) or GtidSet()

    def _left_behind(self, among: list[str]) -> dict[str, GtidSet]:
        return left_behind({address: transactions(self.facts[address]) for address in self.asked}, self.said, among)

    # -- the guards ----------------------------------------------------------------------------------------------------
    @cached_property
    def said(self) -> dict[str, Said | None]:
        """What the guards of the members say that answer."""
        return {address: self.facts[address].said for address in self.asked}

    @property
    def guards_by_majority(self) -> bool:
        """Whether one of them has mysql_gr_guard_evidence=majority."""
        return any(said and said.evidence == MAJORITY for said in self.said.values())

    @cached_property
    def purged_at_all_donors(self) -> GtidSet:
        """Transactions that this server needs and that no member of the living group can still send; empty when one can."""
        least = None
        for address in self.home.online if self.home else ():
            gone = GtidSet(self.facts[address].gtid_purged) - transactions(self.mine)
            if not gone:
                return gone
            least = gone if least is None or gone.count() < least.count() else least
        return least if least is not None else GtidSet()

    @property
    def donors_to_be(self) -> list[str]:
        """Who still has the binary logs that this server needs, and joins the living group in this run."""
        if self.home is None:
            return []
        absent = [a for a in self.acting if a in self.asked and a not in self.home.online and a != self.me]
        return [
            address
            for address in absent
            if not GtidSet(self.facts[address].gtid_purged) - transactions(self.mine)
            and not self.purged_at_all_donors - transactions(self.facts[address])
            and not transactions(self.facts[address]) - self.home.transactions
        ]

    @property
    def clone_obstacle(self) -> str:
        """Why this server cannot be provisioned by clone, or ''."""
        if not has_clone(self.mine.version):
            return f"MySQL {self.mine.version} has no clone plugin (it came with 8.0.17)"
        if not self.wish.get("recovery_user"):
            return "recovery_user and recovery_password are needed to clone"
        if not self.clone_donors:
            return (
                "no ONLINE member has the clone plugin active and runs the same series (before 8.0.37 the same version)"
            )
        return ""

    @property
    def clone_donors(self) -> list[str]:
        """Members to clone from, secondaries first."""
        fit = [
            address
            for address in (self.home.online if self.home else ())
            if self.facts[address].clone_active and can_clone(self.facts[address].version, self.mine.version)
        ]
        return sorted(fit, key=lambda address: (self.facts[address].role == "PRIMARY", self.members.index(address)))

    @property
    def version_obstacle(self) -> str:
        """Why this server's version may not join the living group, or ''."""
        if self.home is None:
            return ""
        lowest = min(effective_version(self.facts[address].version) for address in self.home.addresses)
        allowed, reason = can_join(self.mine.version, lowest)
        lower_allowed = self.mine.settings.get("group_replication_allow_local_lower_version_join") == "ON"
        return "" if allowed or lower_allowed else reason

    def setting_differences(self, which: Iterable[str] = MUST_EQUAL) -> list[Difference]:
        """Those among the settings that must be equal which are not."""
        if self.home is None or not self.home.online:
            return []
        theirs, mine = self.facts[self.home.online[0]].settings, self.mine.settings
        return [
            Difference(name, mine[name], theirs[name])
            for name in which
            if name in mine and name in theirs and (mine[name] or "").upper() != (theirs[name] or "").upper()
        ]

    # -- after an outage -----------------------------------------------------------------------------------------------
    @cached_property
    def counted(self) -> dict[str, GtidSet]:
        """What the members have that answer and were not left behind when the group was started without them."""
        behind = self._left_behind(self.asked)
        return {address: transactions(self.facts[address]) for address in self.asked if address not in behind}

    @cached_property
    def supersets(self) -> list[str]:
        """Members that have every transaction which any of them has."""
        everything = GtidSet().union(*self.counted.values())
        return [address for address, has in self.counted.items() if has.contains(everything)]

    @cached_property
    def seed(self) -> str:
        """The member that bootstraps: has everything, lowest version, first in declared order; among those acting. '' when there is none."""
        if self.wish.get("bootstrap_from"):
            return str(self.wish["bootstrap_from"])

        def rank(address: str) -> tuple[bool, bool, bool, Version, int]:
            facts = self.facts[address]
            try:
                version = effective_version(facts.version)
            except VersionError:
                version = Version(999, 0, 0)
            unsuitable = bool(unsuitable_reason(facts))
            # Among servers without one transaction: one that holds data nevertheless.
            blank = not has_unlogged_data(facts)
            return (address not in self.supersets, blank, unsuitable, version, self.members.index(address))

        able = [address for address in self.acting if address in self.asked]
        return min(able, key=rank) if able else ""

    def alone(self, address: str) -> GtidSet:
        """Transactions that this member has and no other one that was asked."""
        others = [transactions(self.facts[other]) for other in self.asked if other != address]
        return transactions(self.facts[address]) - GtidSet().union(*others)

    def show_sets(self) -> str:
        """Which member has what the others lack, for the message."""
        words = []
        for address in self.asked:
            alone = self.alone(address)
            has = transactions(self.facts[address]) or "nothing"
            data = self.facts[address].data
            words.append(
                f"{address} has {has}"
                + (f" (alone: {alone})" if alone else "")
                + (f", with {data}" if data and data.schemas else "")
            )
        return "; ".join(words)
