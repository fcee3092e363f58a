# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules about data that a GTID set does not show. present_rules.py says where in the order each one stands.

Private to this collection.
"""

from __future__ import annotations

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import (
    NOT_ONE,
    Data,
    described,
    mark_of,
    table_problems,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import (
    BROKEN,
    UNSUITABLE,
    Details,
    Table,
    when,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import (
    Situation,
    has_unlogged_data,
    transactions,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import has_clone

DATA = Table()
CLONING = ("when_needed", "reprovision")
UPDATE_EVERYWHERE = "group_replication_enforce_update_everywhere_checks"
COMPLETE = "gtid_set_is_complete, if every transaction ever executed there had a GTID"


def _data(s: Situation, address: str) -> Data:
    return s.facts[address].data or Data()


def _first_time(s: Situation) -> bool:
    """Nobody is in a group, and no member that was asked has ever been in this one."""
    marks = GtidSet().union(*[mark_of(s.facts[a].server_uuid) for a in s.asked if s.facts[a].server_uuid])
    seen = [transactions(s.facts[address]) for address in s.asked]
    return not s.partitions and not any(known.of_uuid(s.group) or known.intersect(marks) for known in seen)


def _proven(s: Situation, address: str) -> bool:
    return has_unlogged_data(s.facts[address]) or _data(s, address).proven


def _doubt(s: Situation, address: str) -> str:
    """Why the history of a server does not account for its data, unless the operator knows better; '' where it does."""
    if s.wish.get("gtid_set_is_complete") and not _proven(s, address):
        return ""
    return _data(s, address).history or (NOT_ONE if has_unlogged_data(s.facts[address]) else "")


def _joins_from_nothing(s: Situation) -> list[str]:
    """The other members, where none of them has any transaction."""
    others = [address for address in s.asked if address != s.seed]
    return others if not any(transactions(s.facts[address]) for address in others) else []


@DATA.rule(
    "refuse",
    "this server belongs to an InnoDB Cluster (schema mysql_innodb_cluster_metadata), which MySQL Shell manages: two managers would undo each other's "
    "settings. dba.dropMetadataSchema() in MySQL Shell ends that and leaves the group running; then run again",
    kind=UNSUITABLE,
)
def innodb_cluster(s: Situation) -> Details:
    """this server is in no group, and MySQL Shell manages it as a part of an InnoDB Cluster"""
    return when(s.mine.data and s.mine.data.cluster_metadata)


@DATA.rule(
    "refuse",
    "this server replicates from {source}, which is a declared member, too: STOP REPLICA and RESET REPLICA ALL end that once it has everything",
    settle=True,
    kind=UNSUITABLE,
)
def replica(s: Situation) -> Details:
    """this server is in no group, and replicates from another declared member"""
    found = [source for source in _data(s, s.me).sources if source.address in s.members]
    return when(found, source=", ".join(map(str, found)))


@DATA.rule(
    "refuse",
    "servers have different data, and a group has one: {holders}; keep the schemas on one of them, and set the other servers up anew (or load "
    "dumps of theirs into the group once it is there)",
    guards="unlogged",
)
def different_data(s: Situation) -> Details:
    """nobody is or was in this group, and two servers have schemas that no common history explains"""
    if not s.seed or not _first_time(s):
        return None
    holders = [(address, _data(s, address)) for address in s.asked if _data(s, address).schemas]
    apart = any(address != s.seed and has_unlogged_data(s.facts[address]) for address, _held in holders)
    conflict = not s.supersets and not s.wish.get("bootstrap_from")
    return when(len(holders) > 1 and (apart or conflict), holders=described(holders))


@DATA.rule(
    "clone",
    "this server has schemas that no transaction covers; its data is replaced by a clone of {donor}, and lost is: {lost}",
    guards="unlogged",
    settle=True,
    kind=BROKEN,
)
def unlogged_clone(s: Situation) -> Details:
    """a group is alive, this server has schemas and not one transaction, and clone=reprovision"""
    if s.wish.get("clone") != "reprovision" or not s.home or not has_unlogged_data(s.mine) or s.clone_obstacle:
        return None
    return {"lost": str(s.mine.data), "donor": s.clone_donors[0]}


@DATA.rule(
    "refuse",
    "this server has schemas and not one transaction: {schemas}: the other members would never get them, and the first write to them would put "
    "these into ERROR; load a dump of them with gtid_mode=ON, or give them up (clone=reprovision from a living group)",
    guards="unlogged",
    kind=BROKEN,
)
def unlogged(s: Situation) -> Details:
    """this server is in no group, has schemas and not one transaction (it ran without GTIDs, or they were reset), and is not the one to start
    the group"""
    return when(has_unlogged_data(s.mine) and (s.home or s.seed != s.me), schemas=str(s.mine.data))


def _history_of_group(s: Situation) -> str:
    """Why the living group's history does not bring its data to a server without any transaction; '' where it does, or nobody said anything."""
    if s.home is None or transactions(s.mine) or s.wish.get("data") is None:
        return ""
    known = [(a, data) for a in s.home.addresses for data in [s.facts[a].data] if data is not None]
    if not known:
        return "" if s.wish.get("gtid_set_is_complete") else "nobody looked at the data of its members"
    doubts = [(address, data, _doubt(s, address)) for address, data in known]
    if not all(doubt for _address, _held, doubt in doubts):
        return ""
    address, data, doubt = doubts[0]
    return f"{described([(address, data)])}, and {doubt}"


@DATA.rule(
    "clone",
    "the group's history does not account for its data ({why}); this server is provisioned by a clone of {donor}",
    guards="outside",
    settle=True,
)
def outside_clone(s: Situation) -> Details:
    """a group is alive whose history does not account for its data, this server has not one transaction, and clone is allowed"""
    why = _history_of_group(s)
    return when(
        why and s.wish.get("clone") in CLONING and not s.clone_obstacle, why=why, donor=(s.clone_donors or [""])[0]
    )


@DATA.rule(
    "refuse",
    "the group's history does not account for its data, and this server would join without them: {why}{hint}",
    guards="outside",
    settle=True,
)
def outside(s: Situation) -> Details:
    """a group is alive whose history does not account for its data, and this server has not one transaction"""
    why = _history_of_group(s)
    hint = "; clone=when_needed copies them" + (
        f"; {COMPLETE}, says so" if not any(_proven(s, a) for a in s.asked) else ""
    )
    return when(
        why, why=why, hint=f"; it cannot be cloned: {s.clone_obstacle}" if s.wish.get("clone") in CLONING else hint
    )


@DATA.rule(
    "refuse", "{seed} has tables that Group Replication does not replicate: {tables}", guards="tables", kind=UNSUITABLE
)
def tables(s: Situation) -> Details:
    """nobody is or was in this group, and the member that would start it has tables that a group does not replicate"""
    if not s.seed or not _first_time(s):
        return None
    found = table_problems(_data(s, s.seed), s.facts[s.seed].settings.get(UPDATE_EVERYWHERE) == "ON")
    return when(found, seed=s.seed, tables="; ".join(found))


def _seed_obstacle(s: Situation) -> str:
    """Why the other members cannot be cloned from the seed, or ''."""
    seed = s.facts[s.seed]
    if s.wish.get("clone") not in CLONING:
        return "clone=when_needed lets them be cloned from it"
    if not has_clone(seed.version):
        return f"MySQL {seed.version} has no clone plugin (it came with 8.0.17)"
    return "" if seed.clone_active else "the clone plugin is not active there"


@DATA.rule(
    "refuse",
    "{held}, and its GTID history does not account for them: {doubt}. The other members would join without them: {obstacle}",
    guards="unlogged",
)
def outside_history(s: Situation) -> Details:
    """nobody is or was in this group, the others have no transaction, the history of the member that would start it does not account for its
    data, and the others may not be cloned"""
    if not s.seed or not _first_time(s) or not _joins_from_nothing(s):
        return None
    doubt = _doubt(s, s.seed)
    known = "" if _proven(s, s.seed) else f"; {COMPLETE}, says so"
    held = described([(s.seed, _data(s, s.seed))])
    return when(doubt and _seed_obstacle(s), held=held, doubt=doubt, obstacle=_seed_obstacle(s) + known)


@DATA.rule(
    "mark",
    "this server's GTID history does not account for its data ({doubt}): {held}; a transaction that no binary log has is put into gtid_purged, so "
    "that MySQL itself lets nobody join without a clone",
    guards="unlogged",
)
def mark(s: Situation) -> Details:
    """nobody is or was in this group, the others have no transaction and may be cloned, and this server, which is to start it, has data that its
    history does not account for"""
    if s.seed != s.me or not _first_time(s) or s.mine.gtid_purged or len(_joins_from_nothing(s)) + 1 < len(s.asked):
        return None
    doubt = _doubt(s, s.me)
    return when(
        doubt and has_clone(s.mine.version), doubt=doubt, mark=mark_of(s.mine.server_uuid), held=str(s.mine.data)
    )
