# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do so that a server is a member of its one group: the rules, in the order in which they decide. No I/O here.

Private to this collection.
"""

from __future__ import annotations

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import format_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data_rules import DATA
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import LIVE, MODE_SETTINGS
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.evidence_rules import EVIDENCE_RULES
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import (
    BROKEN,
    MEMBER,
    UNREACHABLE,
    UNSUITABLE,
    Details,
    Table,
    when,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import (
    Situation,
    is_live,
    lasting_flag,
    names,
    unsuitable_reason,
    view_counts,
)

# What to do about two members that claim to be one.
TWINS = {
    "server_uuid": "they are one server, or copies of one (a cloned machine needs a new auto.cnf)",
    "server_id": "give each member a server_id of its own and restart it; a member that is ONLINE stays so until then",
}

PRESENT = Table()


@PRESENT.rule("refuse", "this server could not be asked: {error}", guards="asked", kind=UNREACHABLE)
def not_asked(s: Situation) -> Details:
    """this server itself could not be asked"""
    return when(not s.mine.reachable, error=s.mine.error)


@PRESENT.rule("refuse", "this server cannot be a group member: {why}", kind=UNSUITABLE)
def unsuitable(s: Situation) -> Details:
    """this server cannot be a member of any group (version, plugin, GTID mode, binary log, no group name)"""
    reason = unsuitable_reason(s.mine)
    return when(reason, why=reason)


@PRESENT.rule(
    "refuse",
    "this server's group_replication_group_name is {mine}, but group_name asks for {group}",
    kind=UNSUITABLE,
)
def wrong_group_name(s: Situation) -> Details:
    """this server is configured for, or in, another group than wished"""
    return when(s.mine.group_name != s.group, mine=s.mine.group_name, group=s.group)


@PRESENT.rule("wait", "a clone of {donor} into this server is under way")
def cloning(s: Situation) -> Details:
    """a clone into this server is under way: of a run that ended, or of somebody else"""
    return when(s.mine.cloning_from, donor=s.mine.cloning_from)


@PRESENT.rule("wait", "another controller is bootstrapping on {members}", guards="flag")
def flag_under_lock(s: Situation) -> Details:
    """a bootstrap flag is on where another controller holds the lock: it is bootstrapping right now"""
    holders = [a for a in s.asked if s.facts[a].bootstrap_flag and s.facts[a].lock_held_by_other]
    held = "; ".join(f"{address}, lock held by {s.facts[address].lock_holder}" for address in holders)
    return when(holders and not is_live(s.mine), members=held)


@PRESENT.rule(
    "refuse",
    "group_replication_bootstrap_group is ON on this server ({where}): its next start would bootstrap a second group",
    guards="flag",
    settle=True,
)
def flag_mine(s: Situation) -> Details:
    """group_replication_bootstrap_group is persisted, or on in a configuration file, on this server"""
    where = lasting_flag(s.mine)
    return when(where, where=where)


@PRESENT.rule(
    "reset_flag",
    "group_replication_bootstrap_group was left ON on this server and is switched off",
    guards="flag",
    settle=True,
)
def flag_leftover(s: Situation) -> Details:
    """group_replication_bootstrap_group is on at run time on this server, and nobody holds the lock: a run was killed, or somebody set it by
    hand"""
    return when(s.mine.bootstrap_flag)


@PRESENT.rule("refuse", "SPLIT_BRAIN: the members form more than one group with a quorum each: {parts}", settle=True)
def split_brain(s: Situation) -> Details:
    """two groups of the wished name have a quorum each"""
    same = [part for part in s.quorate if s.group in part.group_names]
    return when(len(same) > 1, parts=" | ".join(names(part.addresses) for part in same))


@PRESENT.rule(
    "refuse",
    "NO_QUORUM: this server sees {reachable} of {total} members of its group and cannot act; a majority must come back, or quorum be forced",
    settle=True,
)
def cut_off(s: Situation) -> Details:
    """this server is in a group and sees no majority of it"""
    part = s.my_partition
    total, reachable = view_counts(s.mine)
    return when(part and not part.quorum, total=total, reachable=reachable)


@PRESENT.rule("unchanged", "already ONLINE in the group", kind=MEMBER)
def online(s: Situation) -> Details:
    """this server is ONLINE in the wished group, with quorum"""
    return when(s.mine.state == "ONLINE")


@PRESENT.rule("wait", "RECOVERING: the member is catching up", kind=MEMBER)
def recovering(s: Situation) -> Details:
    """this server is RECOVERING in the wished group"""
    return when(s.mine.state == "RECOVERING")


@PRESENT.rule(
    "refuse", "{members} have the same {what} {value}: {hint}", guards="identity", settle=True, kind=UNSUITABLE
)
def duplicate(s: Situation) -> Details:
    """this server is in no group, and two declared members have the same server_uuid or server_id"""
    mine = [item for item in s.twins if s.me in item.addresses] or s.twins
    for what, value, addresses in mine:
        return {"what": what, "value": value, "members": names(addresses), "hint": TWINS[what]}
    return None


PRESENT.take(DATA, "innodb_cluster", "replica")


@PRESENT.rule("refuse", "{members} is in the living group {theirs}, not in {group}", guards="living", settle=True)
def foreign_group(s: Situation) -> Details:
    """a declared member is in a living group of another name"""
    for part in s.partitions:
        if part.group_names != [s.group]:
            return {"members": names(part.addresses), "theirs": names(part.group_names), "group": s.group}
    return None


@PRESENT.rule(
    "refuse",
    "NO_QUORUM: {members} still form a group that has lost its majority; a majority must come back, or quorum be forced",
    guards="living",
    settle=True,
)
def no_quorum(s: Situation) -> Details:
    """members are ONLINE, but see no majority of their group"""
    members = [address for part in s.partitions for address in part.online]
    return when(members and not s.quorate, members=names(members))


@PRESENT.rule("wait", "{members} is RECOVERING: a group may be forming", guards="living")
def only_recovering(s: Situation) -> Details:
    """nobody is ONLINE, but a member is RECOVERING"""
    members = [address for part in s.partitions for address in part.addresses]
    return when(members and not s.quorate, members=names(members))


@PRESENT.rule("wait", "START GROUP_REPLICATION is under way on this server")
def starting(s: Situation) -> Details:
    """a START GROUP_REPLICATION is under way on this server (at boot, or by somebody)"""
    return when(s.mine.starting)


@PRESENT.rule("refuse", "{why}", guards="living", kind=UNSUITABLE)
def version(s: Situation) -> Details:
    """a group is alive, and this server's version may not join it"""
    return when(s.version_obstacle, why=s.version_obstacle)


@PRESENT.rule(
    "refuse", "settings that must be equal in a group differ: {differences}", guards="living", kind=UNSUITABLE
)
def settings(s: Situation) -> Details:
    """a group is alive, and settings that must be equal differ"""
    found = s.setting_differences()
    return when(found, differences="; ".join(f"{d.name} is {d.mine}, the group has {d.theirs}" for d in found))


@PRESENT.rule(
    "clone",
    "this server has transactions that the group lacks ({errant}); its data is replaced by a clone of {donor}, and lost is: {lost}",
    guards="living",
    settle=True,
    kind=BROKEN,
)
def errant_clone(s: Situation) -> Details:
    """a group is alive, this server has transactions that it lacks, and clone=reprovision"""
    if s.wish.get("clone") != "reprovision" or not s.errant or s.clone_obstacle:
        return None
    lost = (str(s.mine.data) if s.mine.data else "") or "no schema"
    return {"errant": str(s.errant), "donor": s.clone_donors[0], "lost": lost}


@PRESENT.rule(
    "refuse",
    "this server has transactions that the group lacks: {errant}{why}",
    guards="living",
    settle=True,
    kind=BROKEN,
)
def errant(s: Situation) -> Details:
    """a group is alive, and this server has transactions that it lacks"""
    why = "; clone=reprovision would replace this server's data by the group's"
    if s.errant and s.wish.get("clone") == "reprovision":
        why = "; it cannot be re-provisioned: " + s.clone_obstacle
    if s.left_out:
        why = f"; the group was started without it, and may have given their numbers to others since{why}"
    return when(s.errant, errant=str(s.errant), why=why)


PRESENT.take(DATA, "different_data", "unlogged_clone", "unlogged")


@PRESENT.rule("wait", "{members} still has the binary logs that this server needs, and joins, too")
def donor_joins(s: Situation) -> Details:
    """a group is alive, and only a member that joins it in this run, too, still has the binary logs needed"""
    return when(s.purged_at_all_donors and s.donors_to_be, members=names(s.donors_to_be))


@PRESENT.rule(
    "clone",
    "no member still has the binary logs with {purged}; this server is provisioned by a clone of {donor}",
    guards="living",
    settle=True,
    kind=BROKEN,
)
def purged_clone(s: Situation) -> Details:
    """a group is alive, no member still has the binary logs needed, and clone is allowed"""
    allowed = s.wish.get("clone") in ("when_needed", "reprovision")
    if not allowed or not s.purged_at_all_donors or s.clone_obstacle:
        return None
    return {"purged": str(s.purged_at_all_donors), "donor": s.clone_donors[0]}


@PRESENT.rule(
    "refuse",
    "no member still has the binary logs with {purged}, which this server lacks{why}",
    guards="living",
    settle=True,
    kind=BROKEN,
)
def purged(s: Situation) -> Details:
    """a group is alive, and no member still has the binary logs needed"""
    why = "; clone=when_needed would provision it from a member"
    if s.purged_at_all_donors and s.wish.get("clone") in ("when_needed", "reprovision"):
        why = "; it cannot be cloned: " + s.clone_obstacle
    return when(s.purged_at_all_donors, purged=str(s.purged_at_all_donors), why=why)


PRESENT.take(DATA, "outside_clone", "outside")
PRESENT.take(EVIDENCE_RULES, "unmarked")


@PRESENT.rule("join", "a group is alive ({members} ONLINE)", guards="living")
def join(s: Situation) -> Details:
    """a group is alive among the declared members"""
    if s.home is None:
        return None
    # What goes off first: the two settings of the mode may never be on together.
    differing = sorted(s.setting_differences(MODE_SETTINGS), key=lambda item: item.theirs.upper() != "OFF")
    return {
        "members": names(s.home.online),
        "stop_first": s.mine.state == "ERROR",
        "adopt": [(item.name, item.theirs) for item in differing],
        "old_incarnation": s.mine.server_uuid in s.home.view,
    }


@PRESENT.rule(
    "refuse",
    "no declared member is known to be in a group, but {members} could not be asked and may be ONLINE ({errors}); unreachable is not absent",
    guards="asked",
    settle=True,
)
def unasked(s: Situation) -> Details:
    """nobody is in a group, and a declared member could not be asked"""
    missing = [address for address in s.unasked if address not in s.given_up]
    return when(missing, members=names(missing), errors="; ".join(s.facts[a].error or a for a in missing))


@PRESENT.rule(
    "refuse",
    "group_replication_bootstrap_group is ON on {members}: the next start there would bootstrap a second group",
    guards="flag",
    settle=True,
)
def flag_lasting_elsewhere(s: Situation) -> Details:
    """nobody is in a group, and the bootstrap flag is persisted, or on in a file, on another declared member"""
    found = [address for address in s.asked if lasting_flag(s.facts[address])]
    return when(found, members="; ".join(f"{address} ({lasting_flag(s.facts[address])})" for address in found))


def _flagged(s: Situation, taking_part: bool) -> list[str]:
    return [a for a in s.asked if s.facts[a].bootstrap_flag and (a in s.acting or not taking_part)]


@PRESENT.rule(
    "wait",
    "group_replication_bootstrap_group was left ON on {members}, whose own run switches it off",
    guards="flag",
)
def flag_elsewhere_acting(s: Situation) -> Details:
    """nobody is in a group, and the bootstrap flag was left on at run time on another member that takes part in this run"""
    return when(_flagged(s, True), members=names(_flagged(s, True)))


@PRESENT.rule(
    "refuse",
    "group_replication_bootstrap_group is ON on {members}: a start there would bootstrap a second group; run there too, or set it OFF",
    guards="flag",
    settle=True,
)
def flag_elsewhere(s: Situation) -> Details:
    """nobody is in a group, and the bootstrap flag was left on at run time on a member that takes no part in this run"""
    return when(_flagged(s, False), members=names(_flagged(s, False)))


@PRESENT.rule("refuse", "{members}, not for {group}")
def configured_otherwise(s: Situation) -> Details:
    """nobody is in a group, and a declared member is configured for another group"""
    found = [a for a in s.asked if s.facts[a].group_name and s.facts[a].group_name != s.group]
    words = "; ".join(f"{address} is configured for group {s.facts[address].group_name}" for address in found)
    return when(found, members=words, group=s.group)


@PRESENT.rule("refuse", "{member} is in no group, yet lists {others} as living", settle=True)
def sees_others(s: Situation) -> Details:
    """a member that is in no group itself still lists living members"""
    for address in s.asked:
        facts = s.facts[address]
        others = [
            format_address(entry.host, entry.port)
            for uuid, entry in sorted(facts.view.items())
            if uuid != facts.server_uuid and entry.state in LIVE
        ]
        if others and not is_live(facts):
            return {"member": address, "others": names(others)}
    return None


PRESENT.take(DATA, "tables", "outside_history", "mark")


@PRESENT.rule("refuse", "complete outage, and no member has everybody's transactions: {sets}", guards="superset")
def conflict(s: Situation) -> Details:
    """nobody is in a group, and no member has everybody's transactions"""
    return when(not s.wish.get("bootstrap_from") and not s.supersets, sets=s.show_sets())


@PRESENT.rule(
    "refuse",
    "only {seeds} may bootstrap (it has everybody's transactions), and it does not take part in this run",
    guards="superset",
)
def not_acting(s: Situation) -> Details:
    """nobody is in a group, and no member that has everything takes part in this run"""
    if s.wish.get("bootstrap_from"):
        return when(s.seed not in s.acting or s.seed not in s.asked, seeds=s.seed)
    able = [address for address in s.supersets if not unsuitable_reason(s.facts[address])]
    return when(s.seed not in able, seeds=names(able) or names(s.supersets))


@PRESENT.rule("wait_for_seed", "{seed} bootstraps; this server joins it", guards="one")
def other_seed(s: Situation) -> Details:
    """nobody is in a group, everybody was asked, and another member bootstraps"""
    return when(s.seed != s.me, seed=s.seed)


PRESENT.take(EVIDENCE_RULES, "guards_start")


@PRESENT.rule(
    "bootstrap", "nobody is in a group, every declared member{but} was asked, and this one has everybody's transactions"
)
def bootstrap(s: Situation) -> Details:
    """nobody is in a group, everybody was asked, and this member has everything and is first"""
    but = f" but {names(s.unasked)}" if s.unasked else ""
    return {"stop_first": s.mine.state == "ERROR", "but": but}
