# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do with a member, as a pure function of gathered facts; and the diagnosis of the whole cluster.

``decide`` walks a table of rules, top to bottom; the first that applies decides. The table in docs/reference/decisions.md is
generated from it. Nothing here talks to a server.

Facts are dicts as gr_facts.gather() makes them, one per declared member, keyed by address.

Private to this collection.
"""

from __future__ import annotations

from collections import namedtuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import format_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_versions import (
    VersionError,
    can_join,
    effective_version,
    has_clone,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gtid import GtidSet

# Cluster states
ONLINE = "ONLINE"
ONLINE_PARTIAL = "ONLINE_PARTIAL"
OFFLINE = "OFFLINE"
NO_QUORUM = "NO_QUORUM"
SPLIT_BRAIN = "SPLIT_BRAIN"
CLUSTER_STATES = (ONLINE, ONLINE_PARTIAL, OFFLINE, NO_QUORUM, SPLIT_BRAIN)

# Member kinds
MEMBER = "member"
REJOINABLE = "rejoinable"
JOINABLE = "joinable"
BROKEN = "broken"
UNSUITABLE = "unsuitable"
UNREACHABLE = "unreachable"
KINDS = (MEMBER, REJOINABLE, JOINABLE, BROKEN, UNSUITABLE, UNREACHABLE)

# States in which a server takes part in a group
LIVE = ("ONLINE", "RECOVERING")

# Settings that a joiner must share with the group, or the server refuses it. The two of the mode are adopted instead.
MUST_EQUAL = (
    "group_replication_gtid_assignment_block_size",
    "group_replication_communication_stack",
    "group_replication_paxos_single_leader",
    "group_replication_view_change_uuid",
    "lower_case_table_names",
    "default_table_encryption",
    "transaction_write_set_extraction",
)
MODE_SETTINGS = ("group_replication_single_primary_mode", "group_replication_enforce_update_everywhere_checks")

# What to do about two members that claim to be one.
TWINS = {
    "server_uuid": "they are one server, or copies of one (a cloned machine needs a new auto.cnf)",
    "server_id": "give each member a server_id of its own and restart it; a member that is ONLINE stays so until then",
}

Decision = namedtuple("Decision", "action rule reason details settle")

# action -> whether it changes the server
ACTIONS = {
    "unchanged": False,
    "wait": False,
    "wait_for_seed": True,
    "join": True,
    "clone": True,
    "bootstrap": True,
    "leave": True,
    "stay_out": True,
    "reset_flag": True,
    "refuse": False,
}


def transactions(facts):
    """Everything a server has: executed, and received but perhaps not yet applied."""
    return GtidSet(facts.get("gtid_executed")).union(GtidSet(facts.get("received")))


def is_live(facts):
    """Whether the server takes part in a group, as far as it knows itself."""
    return bool(facts.get("reachable")) and facts.get("state") in LIVE


def view_counts(facts):
    """(members in the view, those of them that are reachable)."""
    states = [entry["state"] for entry in facts["view"].values()]
    return len(states), sum(1 for state in states if state in LIVE)


def sees_quorum(facts):
    """Whether more than half of the members in this server's view are reachable."""
    total, reachable = view_counts(facts)
    return reachable * 2 > total


def names(addresses):
    """Addresses for a sentence."""
    return ", ".join(addresses)


class Partition:
    """Members that are in one group together."""

    def __init__(self, addresses, facts):
        self.addresses = list(addresses)
        self.online = [address for address in self.addresses if facts[address]["state"] == "ONLINE"]
        judged = self.online or self.addresses
        votes = {sees_quorum(facts[address]) for address in judged}
        # Members that disagree are in the middle of a change: not to be relied upon.
        self.quorum = votes == {True}
        self.unsettled = len(votes) > 1
        self.group_names = sorted({facts[address].get("group_name") or "" for address in self.addresses})
        self.view = {}
        for address in self.addresses:
            for uuid, entry in facts[address]["view"].items():
                known = self.view.get(uuid)
                if known is None or (known["state"] not in LIVE and entry["state"] in LIVE):
                    self.view[uuid] = entry
        self.transactions = GtidSet().union(*[transactions(facts[address]) for address in self.online])


def partitions(members, facts):
    """The groups that the declared members are in, as far as they can be asked."""
    live = [address for address in members if is_live(facts[address])]
    parent = {address: address for address in live}

    def root(address):
        while parent[address] != address:
            address = parent[address]
        return address

    def sees(one, other):
        entry = facts[one]["view"].get((facts[other].get("server_uuid") or "").lower())
        return entry is not None and entry["state"] in LIVE

    for one in live:
        for other in live:
            # One side is enough: facts are not gathered at one instant, and a view change reaches members in turn.
            if one != other and sees(one, other):
                parent[root(other)] = root(one)
    groups = {}
    for address in live:
        groups.setdefault(root(address), []).append(address)
    return [Partition(group, facts) for group in groups.values()]


def duplicates(members, facts):
    """[(what, value, [addresses])] of server_uuid and server_id that two declared members share."""
    found = []
    for what in ("server_uuid", "server_id"):
        by_value = {}
        for address in members:
            if facts[address].get("reachable"):
                by_value.setdefault(str(facts[address].get(what) or "").lower(), []).append(address)
        found += [(what, value, addresses) for value, addresses in by_value.items() if value and len(addresses) > 1]
    return found


def undeclared(members, facts):
    """Members that somebody's view lists and that are no declared member: ['host:port (uuid) STATE']."""
    uuids = {
        (facts[address].get("server_uuid") or "").lower() for address in members if facts[address].get("reachable")
    }
    found = {}
    for address in members:
        for uuid, entry in (facts[address].get("view") or {}).items():
            where = format_address(entry["host"], entry["port"])
            if uuid not in uuids and where not in members:
                found[uuid] = "{} ({}) {}".format(where, uuid, entry["state"])
    return [found[uuid] for uuid in sorted(found)]


def unsuitable_reason(facts):
    """Why a server cannot be a member of any group, or ''."""
    if facts.get("version_error"):
        return facts["version_error"]
    if not facts.get("plugin_active"):
        return "the plugin group_replication is not active (plugin_load_add=group_replication.so in the configuration)"
    if not facts.get("group_name"):
        return "group_replication_group_name is not set"
    if facts.get("gtid_mode") != "ON":
        return "gtid_mode is {} (needed: ON)".format(facts.get("gtid_mode"))
    if facts.get("enforce_gtid_consistency") != "ON":
        return "enforce_gtid_consistency is {} (needed: ON)".format(facts.get("enforce_gtid_consistency"))
    if not facts.get("log_bin"):
        return "the binary log is off (needed: log_bin)"
    return ""


class Situation:
    """Everything the rules look at, computed once."""

    def __init__(self, members, facts, me=None, acting=None, wish=None):
        self.members = list(members)
        self.facts = facts
        self.me = me
        self.mine = facts.get(me) if me else None
        self.wish = dict(wish or {})
        self.acting = [address for address in self.members if address in (acting if acting is not None else members)]
        self.asked = [address for address in self.members if facts[address].get("reachable")]
        self.unasked = [address for address in self.members if not facts[address].get("reachable")]
        self.partitions = partitions(self.members, facts)
        self.quorate = [part for part in self.partitions if part.quorum and part.online]
        self.duplicates = duplicates(self.members, facts)
        self.group = (self.wish.get("group_name") or (self.mine or {}).get("group_name") or "").lower()
        self.given_up = set(self.wish.get("bootstrap_without") or ())

    # -- the living group ----------------------------------------------------------------------------------------------
    @property
    def my_partition(self):
        """The partition in which this server is, or None."""
        for part in self.partitions:
            if self.me in part.addresses:
                return part
        return None

    @property
    def home(self):
        """The living group that this server should be in, or None."""
        ours = [part for part in self.quorate if self.group in part.group_names]
        return ours[0] if len(ours) == 1 else None

    @property
    def errant(self):
        """Transactions of this server that the living group does not have."""
        return transactions(self.mine) - self.home.transactions

    @property
    def purged_at_all_donors(self):
        """Transactions that this server needs and that no member of the living group can still send; empty when one can."""
        least = None
        for address in self.home.online:
            gone = GtidSet(self.facts[address]["gtid_purged"]) - transactions(self.mine)
            if not gone:
                return gone
            least = gone if least is None or gone.count() < least.count() else least
        return least if least is not None else GtidSet()

    @property
    def clone_obstacle(self):
        """Why this server cannot be provisioned by clone, or ''."""
        version = self.mine.get("version")
        if not has_clone(version):
            return f"MySQL {version} has no clone plugin (it came with 8.0.17)"
        if not self.wish.get("recovery_user"):
            return "recovery_user and recovery_password are needed to clone"
        if not self.clone_donors:
            return "no ONLINE member has the clone plugin active and runs the same version series"
        return ""

    @property
    def clone_donors(self):
        """Members to clone from, secondaries first."""
        mine = effective_version(self.mine["version"])
        fit = [
            address
            for address in self.home.online
            if self.facts[address].get("clone_active")
            and effective_version(self.facts[address]["version"]).series == mine.series
        ]
        return sorted(
            fit, key=lambda address: (self.facts[address].get("role") == "PRIMARY", self.members.index(address))
        )

    @property
    def version_obstacle(self):
        """Why this server's version may not join the living group, or ''."""
        lowest = None
        for address in self.home.addresses:
            version = effective_version(self.facts[address]["version"])
            lowest = version if lowest is None or version < lowest else lowest
        allowed, reason = can_join(self.mine["version"], lowest)
        if not allowed and self.mine["settings"].get("group_replication_allow_local_lower_version_join") == "ON":
            return ""
        return "" if allowed else reason

    def setting_differences(self, which=MUST_EQUAL):
        """[(setting, mine, the group's)] among the settings that must be equal."""
        theirs = self.facts[self.home.online[0]]["settings"]
        mine = self.mine["settings"]
        return [
            (name, mine[name], theirs[name])
            for name in which
            if name in mine and name in theirs and (mine[name] or "").upper() != (theirs[name] or "").upper()
        ]

    # -- after an outage -----------------------------------------------------------------------------------------------
    @property
    def supersets(self):
        """Members that have every transaction which any asked member has."""
        everything = GtidSet().union(*[transactions(self.facts[address]) for address in self.asked])
        return [address for address in self.asked if transactions(self.facts[address]).contains(everything)]

    @property
    def seed(self):
        """The member that bootstraps: has everything, lowest version, first in declared order; among those acting."""
        if self.wish.get("bootstrap_from"):
            return self.wish["bootstrap_from"]
        supersets = self.supersets

        def rank(address):
            facts = self.facts[address]
            try:
                version = effective_version(facts.get("version"))
            except VersionError:
                version = (999, 0, 0)
            return (address not in supersets, bool(unsuitable_reason(facts)), version, self.members.index(address))

        able = [address for address in self.acting if address in self.asked]
        return min(able, key=rank) if able else None

    def show_sets(self):
        """Which member has what the others lack, for the message."""
        words = []
        for address in self.asked:
            rest = GtidSet().union(*[transactions(self.facts[other]) for other in self.asked if other != address])
            alone = transactions(self.facts[address]) - rest
            words.append(
                "{} has {}{}".format(
                    address, transactions(self.facts[address]) or "nothing", f" (alone: {alone})" if alone else ""
                )
            )
        return "; ".join(words)


# ---------------------------------------------------------------------------------------------------------------------
# Rules. `applies` returns None, or a dict that fills in `reason` and travels as details. `guards` names the invariant that a
# rule protects (tests take these rules out and must see the invariant break). `settle`: the situation may be the middle of a
# change, so it must be seen twice before it counts.
Rule = namedtuple("Rule", "name situation applies action reason guards settle")


def _rule(name, situation, applies, action, reason, guards="", settle=False):
    return Rule(name, situation, applies, action, reason, guards, settle)


def when(condition, **details):
    """What a rule's `applies` returns: the details when the condition holds, else None."""
    return details if condition else None


def not_asked(s):
    """This server itself could not be asked."""
    return when(not s.mine.get("reachable"), error=s.mine.get("error"))


def _unsuitable(s):
    reason = unsuitable_reason(s.mine)
    return when(reason, why=reason)


def _wrong_name(s):
    return when(s.mine["group_name"] != s.group, mine=s.mine["group_name"], group=s.group)


def _duplicate(s):
    for what, value, addresses in s.duplicates:
        return {"what": what, "value": value, "members": names(addresses), "hint": TWINS[what]}
    return None


def _unlogged_clone(s):
    if not _home(s) or s.wish.get("clone") != "reprovision" or not _unlogged_schemas(s) or s.clone_obstacle:
        return None
    return {"schemas": names(_unlogged_schemas(s)), "donor": s.clone_donors[0]}


def _unlogged_schemas(s):
    """Schemas of this server that no transaction can have brought there: there is none."""
    return s.mine.get("schemas") if not transactions(s.mine) else []


def _unlogged(s):
    return when(_unlogged_schemas(s), schemas=names(_unlogged_schemas(s) or ()))


def _cloning(s):
    return when(s.mine.get("cloning_from"), donor=s.mine.get("cloning_from"))


def _flag_by_controller(s):
    holders = [a for a in s.asked if s.facts[a]["bootstrap_flag"] and s.facts[a]["lock_held_by_other"]]
    held = "; ".join(f"{a}, lock held by {s.facts[a].get('lock_holder')}" for a in holders)
    return when(holders and not is_live(s.mine), members=held)


def lasting_flag(facts):
    """Where the bootstrap flag is written so that it would be on again after a restart, or ''."""
    if facts.get("persisted", {}).get("group_replication_bootstrap_group") == "ON":
        return "persisted in mysqld-auto.cnf; RESET PERSIST group_replication_bootstrap_group removes it"
    source = facts.get("bootstrap_flag_source") or ""
    if facts.get("bootstrap_flag") and source.split(" ")[0] not in ("", "DYNAMIC"):
        return f"set by {source}; remove it there"
    return ""


def _my_flag(s):
    where = lasting_flag(s.mine)
    return when(where, where=where)


def _flag_lasting_elsewhere(s):
    found = [a for a in s.asked if lasting_flag(s.facts[a])]
    return when(found, members="; ".join(f"{a} ({lasting_flag(s.facts[a])})" for a in found))


def _my_leftover_flag(s):
    return when(s.mine["bootstrap_flag"])


def _flag_elsewhere_acting(s):
    found = [a for a in s.asked if s.facts[a]["bootstrap_flag"] and a in s.acting]
    return when(found, members=names(found))


def _flag_elsewhere(s):
    found = [a for a in s.asked if s.facts[a]["bootstrap_flag"]]
    return when(found, members=names(found))


def _split_brain(s):
    same = [part for part in s.quorate if s.group in part.group_names]
    return when(len(same) > 1, parts=" | ".join(names(part.addresses) for part in same))


def _cut_off(s):
    part = s.my_partition
    if part and not part.quorum:
        total, reachable = view_counts(s.mine)
        return {"total": total, "reachable": reachable}
    return None


def _online(s):
    return when(s.mine["state"] == "ONLINE")


def _recovering(s):
    return when(s.mine["state"] == "RECOVERING")


def _living(s):
    return bool(s.partitions)


def _foreign(s):
    for part in s.partitions:
        if part.group_names != [s.group]:
            return {"members": names(part.addresses), "theirs": names(part.group_names), "group": s.group}
    return None


def _no_quorum(s):
    if s.partitions and not s.quorate and any(part.online for part in s.partitions):
        return {"members": names([a for part in s.partitions for a in part.online])}
    return None


def _only_recovering(s):
    return when(s.partitions and not s.quorate, members=names([a for part in s.partitions for a in part.addresses]))


def _starting(s):
    return when(s.mine.get("starting"))


def _home(s):
    return s.home is not None


def _version(s):
    return when(_home(s) and s.version_obstacle, why=_home(s) and s.version_obstacle)


def _settings(s):
    if not _home(s):
        return None
    found = s.setting_differences()
    return when(found, differences="; ".join("{} is {}, the group has {}".format(*item) for item in found))


def _errant_clone(s):
    if not _home(s) or s.wish.get("clone") != "reprovision" or not s.errant or s.clone_obstacle:
        return None
    return {"errant": str(s.errant), "donor": s.clone_donors[0]}


def _errant(s):
    if not _home(s) or not s.errant:
        return None
    why = "; clone=reprovision would replace this server's data by the group's"
    if s.wish.get("clone") == "reprovision":
        why = "; it cannot be re-provisioned: " + s.clone_obstacle
    return {"errant": str(s.errant), "why": why}


def _purged_clone(s):
    if (
        not _home(s)
        or s.wish.get("clone") not in ("when_needed", "reprovision")
        or not s.purged_at_all_donors
        or s.clone_obstacle
    ):
        return None
    return {"purged": str(s.purged_at_all_donors), "donor": s.clone_donors[0]}


def _purged(s):
    if not _home(s) or not s.purged_at_all_donors:
        return None
    why = "; clone=when_needed would provision it from a member"
    if s.wish.get("clone") in ("when_needed", "reprovision"):
        why = "; it cannot be cloned: " + s.clone_obstacle
    return {"purged": str(s.purged_at_all_donors), "why": why}


def _join(s):
    if not _home(s):
        return None
    uuid = (s.mine.get("server_uuid") or "").lower()
    return {
        "members": names(s.home.online),
        "stop_first": s.mine["state"] == "ERROR",
        # What goes off first: the two settings of the mode may never be on together.
        "adopt": sorted(
            ((name, theirs) for name, _mine, theirs in s.setting_differences(MODE_SETTINGS)),
            key=lambda item: item[1].upper() != "OFF",
        ),
        "old_incarnation": uuid in s.home.view,
    }


def _unasked(s):
    missing = [a for a in s.unasked if a not in s.given_up]
    return when(missing, members=names(missing), errors="; ".join(s.facts[a].get("error") or a for a in missing))


def _configured_otherwise(s):
    found = [a for a in s.asked if s.facts[a].get("group_name") and s.facts[a]["group_name"] != s.group]
    return when(
        found,
        members="; ".join("{} is configured for group {}".format(a, s.facts[a]["group_name"]) for a in found),
        group=s.group,
    )


def _sees_others(s):
    """A member that is not in a group itself and yet lists living ones."""
    for address in s.asked:
        others = [
            format_address(entry["host"], entry["port"])
            for uuid, entry in sorted((s.facts[address].get("view") or {}).items())
            if uuid != (s.facts[address].get("server_uuid") or "").lower() and entry["state"] in LIVE
        ]
        if others and not is_live(s.facts[address]):
            return {"member": address, "others": names(others)}
    return None


def _conflict(s):
    return when(not s.wish.get("bootstrap_from") and not s.supersets, sets=s.show_sets())


def _not_acting(s):
    able = [a for a in s.supersets if not unsuitable_reason(s.facts[a])]
    if s.wish.get("bootstrap_from"):
        return when(s.seed not in s.acting or s.seed not in s.asked, seeds=s.seed)
    return when(s.seed not in able, seeds=names(able) or names(s.supersets))


def _other_seed(s):
    return when(s.seed != s.me, seed=s.seed)


def _my_turn(s):
    return {"stop_first": s.mine["state"] == "ERROR"}


# fmt: off
PRESENT = (
    _rule("not_asked", "this server itself could not be asked", not_asked, "refuse", "this server could not be asked: {error}",
          guards="asked"),
    _rule("unsuitable", "this server cannot be a member of any group (version, plugin, GTID mode, binary log, no group name)",
          _unsuitable, "refuse", "this server cannot be a group member: {why}"),
    _rule("wrong_group_name", "this server is configured for, or in, another group than wished", _wrong_name, "refuse",
          "this server's group_replication_group_name is {mine}, but group_name asks for {group}"),
    _rule("cloning", "a clone into this server is under way: of a run that ended, or of somebody else", _cloning, "wait",
          "a clone of {donor} into this server is under way"),
    _rule("flag_under_lock", "a bootstrap flag is on where another controller holds the lock: it is bootstrapping right now",
          _flag_by_controller, "wait", "another controller is bootstrapping on {members}", guards="flag"),
    _rule("flag_mine", "group_replication_bootstrap_group is persisted, or on in a configuration file, on this server", _my_flag,
          "refuse", "group_replication_bootstrap_group is ON on this server ({where}): its next start would bootstrap a second group",
          guards="flag", settle=True),
    _rule("flag_leftover", "group_replication_bootstrap_group is on at run time on this server, and nobody holds the lock: a run was "
          "killed, or somebody set it by hand", _my_leftover_flag, "reset_flag",
          "group_replication_bootstrap_group was left ON on this server and is switched off", guards="flag", settle=True),
    _rule("split_brain", "two groups of the wished name have a quorum each", _split_brain, "refuse",
          "SPLIT_BRAIN: the members form more than one group with a quorum each: {parts}", settle=True),
    _rule("cut_off", "this server is in a group and sees no majority of it", _cut_off, "refuse",
          "NO_QUORUM: this server sees {reachable} of {total} members of its group and cannot act; a majority must come back, or "
          "quorum be forced", settle=True),
    _rule("online", "this server is ONLINE in the wished group, with quorum", _online, "unchanged", "already ONLINE in the group"),
    _rule("recovering", "this server is RECOVERING in the wished group", _recovering, "wait", "RECOVERING: the member is catching up"),
    _rule("duplicate", "this server is in no group, and two declared members have the same server_uuid or server_id", _duplicate, "refuse",
          "{members} have the same {what} {value}: {hint}", guards="identity", settle=True),
    _rule("foreign_group", "a declared member is in a living group of another name", _foreign, "refuse",
          "{members} is in the living group {theirs}, not in {group}", guards="living", settle=True),
    _rule("no_quorum", "members are ONLINE, but see no majority of their group", _no_quorum, "refuse",
          "NO_QUORUM: {members} still form a group that has lost its majority; a majority must come back, or quorum be forced",
          guards="living", settle=True),
    _rule("only_recovering", "nobody is ONLINE, but a member is RECOVERING", _only_recovering, "wait",
          "{members} is RECOVERING: a group may be forming", guards="living"),
    _rule("starting", "a START GROUP_REPLICATION is under way on this server (at boot, or by somebody)", _starting, "wait",
          "START GROUP_REPLICATION is under way on this server"),
    _rule("version", "a group is alive, and this server's version may not join it", _version, "refuse", "{why}", guards="living"),
    _rule("settings", "a group is alive, and settings that must be equal differ", _settings, "refuse",
          "settings that must be equal in a group differ: {differences}", guards="living"),
    _rule("errant_clone", "a group is alive, this server has transactions that it lacks, and clone=reprovision", _errant_clone, "clone",
          "this server has transactions that the group lacks ({errant}); its data is replaced by a clone of {donor}",
          guards="living", settle=True),
    _rule("errant", "a group is alive, and this server has transactions that it lacks", _errant, "refuse",
          "this server has transactions that the group lacks: {errant}{why}", guards="living", settle=True),
    _rule("unlogged_clone", "a group is alive, this server has schemas and not one transaction, and clone=reprovision", _unlogged_clone, "clone",
          "this server has schemas ({schemas}) that no transaction covers; its data is replaced by a clone of {donor}",
          guards="unlogged", settle=True),
    _rule("unlogged", "this server is in no group, and has schemas and not one transaction (it ran without GTIDs, or they were reset)", _unlogged,
          "refuse", "this server has schemas ({schemas}) and not one transaction: the other members would never get them, and the first write to "
          "them would put these into ERROR; load a dump of them with gtid_mode=ON, or give them up (clone=reprovision from a living group)",
          guards="unlogged"),
    _rule("purged_clone", "a group is alive, no member still has the binary logs needed, and clone is allowed", _purged_clone, "clone",
          "no member still has the binary logs with {purged}; this server is provisioned by a clone of {donor}", guards="living",
          settle=True),
    _rule("purged", "a group is alive, and no member still has the binary logs needed", _purged, "refuse",
          "no member still has the binary logs with {purged}, which this server lacks{why}", guards="living", settle=True),
    _rule("join", "a group is alive among the declared members", _join, "join", "a group is alive ({members} ONLINE)", guards="living"),
    _rule("unasked", "nobody is in a group, and a declared member could not be asked", _unasked, "refuse",
          "no declared member is known to be in a group, but {members} could not be asked and may be ONLINE ({errors}); "
          "unreachable is not absent", guards="asked", settle=True),
    _rule("flag_lasting_elsewhere", "nobody is in a group, and the bootstrap flag is persisted, or on in a file, on another declared "
          "member", _flag_lasting_elsewhere, "refuse", "group_replication_bootstrap_group is ON on {members}: the next start there would "
          "bootstrap a second group", guards="flag", settle=True),
    _rule("flag_elsewhere_acting", "nobody is in a group, and the bootstrap flag was left on at run time on another member that takes "
          "part in this run", _flag_elsewhere_acting, "wait", "group_replication_bootstrap_group was left ON on {members}, whose own run "
          "switches it off", guards="flag"),
    _rule("flag_elsewhere", "nobody is in a group, and the bootstrap flag was left on at run time on a member that takes no part in this "
          "run", _flag_elsewhere, "refuse", "group_replication_bootstrap_group is ON on {members}: a start there would bootstrap a second "
          "group; run there too, or set it OFF", guards="flag", settle=True),
    _rule("configured_otherwise", "nobody is in a group, and a declared member is configured for another group",
          _configured_otherwise, "refuse", "{members}, not for {group}"),
    _rule("sees_others", "a member that is in no group itself still lists living members", _sees_others, "refuse",
          "{member} is in no group, yet lists {others} as living", settle=True),
    _rule("conflict", "nobody is in a group, and no member has everybody's transactions", _conflict, "refuse",
          "complete outage, and no member has everybody's transactions: {sets}", guards="superset"),
    _rule("not_acting", "nobody is in a group, and no member that has everything takes part in this run", _not_acting, "refuse",
          "only {seeds} may bootstrap (it has everybody's transactions), and it does not take part in this run", guards="superset"),
    _rule("other_seed", "nobody is in a group, everybody was asked, and another member bootstraps", _other_seed, "wait_for_seed",
          "{seed} bootstraps; this server joins it", guards="one"),
    _rule("bootstrap", "nobody is in a group, everybody was asked, and this member has everything and is first", _my_turn, "bootstrap",
          "nobody is in a group, every declared member was asked, and this one has everybody's transactions"),
)
# fmt: on


def _not_in_group(s):
    return when(not is_live(s.mine) and s.mine["state"] != "ERROR" and not s.mine["start_on_boot"])


def _would_come_back(s):
    return when(not is_live(s.mine) and s.mine["state"] != "ERROR")


def _leave_error(s):
    return when(s.mine["state"] == "ERROR")


def _leave_wrong_name(s):
    return when(s.wish.get("group_name") and s.mine["group_name"] != s.group, mine=s.mine["group_name"], group=s.group)


def _last(s):
    part = s.my_partition
    others = [
        uuid
        for uuid, entry in part.view.items()
        if uuid != (s.mine["server_uuid"] or "").lower() and entry["state"] == "ONLINE"
    ]
    return when(not others and not s.wish.get("allow_last_member"))


def _takes_quorum(s):
    total, reachable = view_counts(s.mine)
    if s.wish.get("allow_quorum_loss"):
        return None
    # This server leaves cleanly: the view shrinks by one, and so do those that answer.
    return when(total > 1 and (reachable - 1) * 2 <= total - 1, total=total - 1, reachable=reachable - 1)


def _leave(s):
    return {}


# fmt: off
ABSENT = (
    _rule("not_asked", "this server itself could not be asked", not_asked, "refuse", "this server could not be asked: {error}"),
    _rule("leave_wrong_name", "this server belongs to another group than named", _leave_wrong_name, "refuse",
          "this server's group_replication_group_name is {mine}, but group_name asks for {group}"),
    _rule("leave_starting", "a START GROUP_REPLICATION is under way on this server", _starting, "wait",
          "START GROUP_REPLICATION is under way on this server"),
    _rule("out", "this server is in no group and does not start one at boot", _not_in_group, "unchanged", "in no group"),
    _rule("out_until_boot", "this server is in no group, but would join at its next boot", _would_come_back, "stay_out",
          "in no group, but group_replication_start_on_boot is ON"),
    _rule("leave_error", "this server is in state ERROR", _leave_error, "leave", "the member is in state ERROR"),
    _rule("last_member", "this server is the last ONLINE member", _last, "refuse",
          "this is the last ONLINE member: without it nobody serves (allow_last_member would allow it)", guards="last", settle=True),
    _rule("quorum", "without this server the rest has no majority", _takes_quorum, "refuse",
          "without this server {reachable} of {total} members are reachable, which is no majority (allow_quorum_loss would allow it)",
          guards="quorum", settle=True),
    _rule("leave", "this server is a member and the rest keeps its majority", _leave, "leave", "the other members keep their majority"),
)
# fmt: on


def decide(members, facts, me, acting=None, wish=None, rules=None):
    """The Decision for one member.

    members: normalized addresses of all declared members, in declared order
    facts:   {address: facts}
    me:      the address of the managed server
    acting:  addresses on which this task runs now (default: all)
    wish:    dict: state, group_name, clone, recovery_user, bootstrap_without, bootstrap_from, allow_last_member, allow_quorum_loss
    """
    situation = Situation(members, facts, me, acting, wish)
    if rules is None:
        rules = ABSENT if situation.wish.get("state") == "absent" else PRESENT
    return first_rule(situation, rules)


def first_rule(situation, rules):
    """The Decision of the first rule that applies."""
    for rule in rules:
        details = rule.applies(situation)
        if details is not None:
            return Decision(rule.action, rule.name, rule.reason.format(**details), details, rule.settle)
    return Decision("refuse", "no_rule", "no rule fits this situation", {}, False)


# ---------------------------------------------------------------------------------------------------------------------
def diagnose(members, facts, group_name=None):
    """The state of the whole cluster and the kind of each declared member, as a plain dict."""
    situation = Situation(members, facts, None, None, {"group_name": group_name})
    reasons = [
        "{} could not be asked: {}".format(address, facts[address].get("error")) for address in situation.unasked
    ]
    if not group_name:
        known = [facts[a]["group_name"] for part in situation.quorate for a in part.addresses] + [
            facts[a].get("group_name") for a in situation.asked
        ]
        group_name = next((name for name in known if name), "")
    group_name = group_name.lower()
    ours = [part for part in situation.quorate if group_name in part.group_names]
    parts = [part for part in situation.partitions if group_name in part.group_names]
    if any(part.unsettled for part in situation.partitions):
        reasons.append("the members' views differ: a change of the group is under way")
    home = ours[0] if len(ours) == 1 else None
    if len(ours) > 1:
        state = SPLIT_BRAIN
    elif ours:
        inside = [a for a in members if a in home.online]
        listed = {_where(entry) for entry in home.view.values() if entry["state"] == "ONLINE"}
        state = (
            ONLINE if all(a in inside or (a in situation.unasked and a in listed) for a in members) else ONLINE_PARTIAL
        )
    elif any(part.online for part in parts):
        state = NO_QUORUM
    else:
        state = OFFLINE
        if parts:
            reasons.append(
                f"{names([a for part in parts for a in part.addresses])} is RECOVERING: a group may be forming"
            )
    report = {}
    for address in members:
        report[address] = _member_report(situation, address, home, parts, group_name)
    extra = undeclared(members, facts)
    warnings = [facts[a]["version_warning"] for a in situation.asked if facts[a].get("version_warning")]
    for what, value, addresses in situation.duplicates:
        warnings.append(f"{names(addresses)} have the same {what} {value}")
    for address in situation.asked:
        if home is not None and facts[address]["state"] == "OFFLINE" and not facts[address]["super_read_only"]:
            warnings.append(
                f"{address} is in no group and takes writes (super_read_only is OFF), which would keep it out"
            )
        if facts[address].get("bootstrap_flag"):
            warnings.append(f"{address}: group_replication_bootstrap_group is ON")
    if extra:
        warnings.append("members of the group that are not declared: {}".format("; ".join(extra)))
    for part in situation.partitions:
        if group_name not in part.group_names:
            warnings.append(f"{names(part.addresses)} is in another group: {names(part.group_names)}")
        elif home is not None and part is not home:
            warnings.append(f"{names(part.addresses)} is cut off from the group")
    return {
        "state": state,
        "uncertain": bool(reasons),
        "uncertain_because": reasons,
        "group_name": group_name,
        "mode": _mode(situation, home or (parts[0] if parts else None)),
        "primaries": [a for a in (home.online if home else []) if facts[a].get("role") == "PRIMARY"],
        "partitions": [
            {
                "members": part.addresses,
                "online": part.online,
                "quorum": part.quorum,
                "group_name": names(part.group_names),
            }
            for part in situation.partitions
        ],
        "undeclared": extra,
        "members": report,
        "warnings": warnings,
    }


def _where(entry):
    return format_address(entry["host"], entry["port"])


def _mode(situation, part):
    if part is None:
        return ""
    return "single_primary" if situation.facts[part.addresses[0]].get("single_primary_mode") else "multi_primary"


def _member_report(situation, address, home, parts, group_name):
    facts = situation.facts[address]
    if not facts.get("reachable"):
        listed = [entry for part in situation.partitions for entry in part.view.values() if _where(entry) == address]
        return {
            "address": address,
            "kind": UNREACHABLE,
            "reachable": False,
            "why": facts.get("error") or "",
            "server_uuid": "",
            "state": listed[0]["state"] if listed else "UNKNOWN",
            "role": listed[0]["role"] if listed else "",
            "version": "",
            "gtid_executed": "",
            "received": "",
            "errant": "",
            "transactions_behind": None,
            "transactions_to_certify": None,
            "differing_settings": [],
        }
    uuid = (facts["server_uuid"] or "").lower()
    own = facts["stats"].get(uuid) or {}
    out = {
        "address": address,
        "reachable": True,
        "server_uuid": facts["server_uuid"],
        "state": facts["state"],
        "role": facts["role"],
        "version": facts["version"],
        "gtid_executed": facts["gtid_executed"],
        "received": facts["received"],
        "errant": "",
        "transactions_behind": own.get("transactions_behind"),
        "transactions_to_certify": own.get("transactions_to_certify"),
        "differing_settings": [],
        "why": "",
    }
    inside = [part for part in parts if address in part.addresses]
    have = transactions(facts)
    reason = unsuitable_reason(facts)
    if not reason and facts["group_name"] != group_name:
        reason = "group_replication_group_name is {}".format(facts["group_name"])
    twins = [item for item in situation.duplicates if address in item[2]]
    if twins:
        reason = f"same {twins[0][0]} as {names([a for a in twins[0][2] if a != address])}"
    if home is not None and home.online and address not in home.addresses:
        view = Situation(situation.members, situation.facts, address, None, {"group_name": group_name})
        out["errant"] = str(have - home.transactions)
        out["differing_settings"] = [
            "{}: {}, group: {}".format(*item) for item in view.setting_differences(MUST_EQUAL + MODE_SETTINGS)
        ]
    if inside and (home is None or inside[0] is home):
        out["kind"] = MEMBER
        if home is not None and address in home.addresses and home.online:
            view = Situation(situation.members, situation.facts, address, None, {"group_name": group_name})
            out["differing_settings"] = [
                "{}: {}, group: {}".format(*item) for item in view.setting_differences(MUST_EQUAL + MODE_SETTINGS)
            ]
        return out
    if reason:
        out["kind"], out["why"] = UNSUITABLE, reason
        return out
    if home is not None:
        view = Situation(situation.members, situation.facts, address, None, {"group_name": group_name})
        if view.version_obstacle:
            out["kind"], out["why"] = UNSUITABLE, view.version_obstacle
            return out
        if view.setting_differences():
            out["kind"], out["why"] = UNSUITABLE, "settings that must be equal in a group differ"
            return out
        if out["errant"]:
            out["kind"], out["why"] = BROKEN, "has transactions that the group lacks"
            return out
        if view.purged_at_all_donors:
            out["kind"], out["why"] = BROKEN, f"no member still has the binary logs with {view.purged_at_all_donors}"
            return out
    elif not situation.supersets:
        rest = GtidSet().union(*[transactions(situation.facts[a]) for a in situation.asked if a != address])
        out["errant"] = str(have - rest)
        if out["errant"]:
            out["kind"], out["why"] = BROKEN, "has transactions that no other member has, and lacks others"
            return out
    was_member = facts["state"] == "ERROR" or bool(have.of_uuid(group_name))
    out["kind"] = REJOINABLE if was_member else JOINABLE
    return out
