# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the whole cluster, the kind of each declared member, and what group_replication_bootstrap would do with it. No I/O here.

Nothing is judged here that the rules do not judge: kind and reason of a member come from the rule that decides about it.

Private to this collection.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import (
    MODE_SETTINGS,
    MUST_EQUAL,
    ServerFacts,
    writers,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.member_rules import decide, kind_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import BROKEN, UNREACHABLE, UNSUITABLE
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.sites import (
    CHANNEL,
    all_claims,
    channel_of,
    role_of,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import (
    Facts,
    Partition,
    Situation,
    names,
    transactions,
    undeclared,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.tls import communication_stack
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import parse_version, stays_read_only

# Cluster states
ONLINE = "ONLINE"
ONLINE_PARTIAL = "ONLINE_PARTIAL"
OFFLINE = "OFFLINE"
NO_QUORUM = "NO_QUORUM"
SPLIT_BRAIN = "SPLIT_BRAIN"
CLUSTER_STATES = (ONLINE, ONLINE_PARTIAL, OFFLINE, NO_QUORUM, SPLIT_BRAIN)


def diagnose(members: list[str], facts: Facts, group_name: str | None = None) -> dict[str, Any]:
    """The state of the whole cluster and the kind of each declared member, as a plain dict."""
    wish = {"group_name": group_name or _known_name(Situation(members, facts, members[0]))}
    views = {address: Situation(members, facts, address, None, wish) for address in members}
    whole = views[members[0]]
    parts = [part for part in whole.partitions if whole.group in part.group_names]
    state = _state(whole, parts)
    home = whole.home
    reasons = [f"{address} could not be asked: {facts[address].error}" for address in whole.unasked]
    if any(part.unsettled for part in whole.partitions):
        reasons.append("the members' views differ: a change of the group is under way")
    if state == OFFLINE and parts:
        inside = names(address for part in parts for address in part.addresses)
        reasons.append(f"{inside} is RECOVERING: a group may be forming")
    shown = home or (parts[0] if parts else None)
    shows = facts[shown.addresses[0]] if shown is not None else None
    single = shows is not None and shows.single_primary_mode
    return {
        "state": state,
        "uncertain": bool(reasons),
        "uncertain_because": reasons,
        "group_name": whole.group,
        "mode": "" if shows is None else "single_primary" if single else "multi_primary",
        "writers": "" if shows is None else writers(single, shows.update_everywhere_checks),
        "communication_stack": "" if shows is None else communication_stack(shows.settings),
        "primaries": [address for address in (home.online if home else ()) if facts[address].role == "PRIMARY"],
        "site": _site(whole),
        "partitions": [
            {
                "members": part.addresses,
                "online": part.online,
                "quorum": part.quorum,
                "group_name": names(part.group_names),
            }
            for part in whole.partitions
        ],
        "undeclared": undeclared(members, facts),
        "members": {address: _member(views[address]) for address in members},
        "warnings": _warnings(whole),
    }


def _known_name(s: Situation) -> str:
    """The name of the group that lives, else one that a server is configured for."""
    living = [s.facts[address].group_name for part in s.quorate for address in part.addresses]
    return next((name for name in living + [s.facts[a].group_name for a in s.asked] if name), "")


def _site(s: Situation) -> dict[str, Any]:
    """Of a group that is one of two sites: what it is, by its own history, and from where it replicates. Empty of any other group."""
    online = s.home.online if s.home else []
    primary = next((a for a in online if s.facts[a].role == "PRIMARY"), "")
    if not primary:
        return {}
    facts = s.facts[primary]
    known = transactions(facts)
    channel = channel_of(facts)
    role = role_of(s.group, known, channel is not None)
    if not role:
        return {}
    return {
        "role": role,
        "claim": max([known.last(uuid) for uuid in all_claims(known).uuids()], default=0),
        "takes_writes": not facts.super_read_only,
        "source": channel.address if channel else "",
        "running": channel.runs if channel else False,
        "behind": channel.behind if channel else 0,
        "error": channel.error if channel else "",
    }


def _state(s: Situation, parts: list[Partition]) -> str:
    ours = [part for part in s.quorate if part in parts]
    if len(ours) > 1:
        return SPLIT_BRAIN
    if ours:
        listed = {entry.address for entry in ours[0].view.values() if entry.state == "ONLINE"}
        whole = all(a in ours[0].online or (a in s.unasked and a in listed) for a in s.members)
        return ONLINE if whole else ONLINE_PARTIAL
    return NO_QUORUM if any(part.online for part in parts) else OFFLINE


def _warnings(s: Situation) -> list[str]:
    found = [s.facts[a].version_warning or "" for a in s.asked if s.facts[a].version_warning]
    found += [f"{names(item.addresses)} have the same {item.what} {item.value}" for item in s.twins]
    for address in s.asked:
        facts = s.facts[address]
        if s.home is not None and facts.state == "OFFLINE" and not facts.super_read_only:
            found.append(f"{address} is in no group and takes writes (super_read_only is OFF), which would keep it out")
        if facts.bootstrap_flag:
            found.append(f"{address}: group_replication_bootstrap_group is ON")
    if s.home is not None:
        found += upgrade_under_way(
            {a: s.facts[a].version for a in s.home.addresses},
            [a for a in s.home.addresses if s.facts[a].super_read_only],
        )
    site = _site(s)
    if site.get("role") == "primary" and not site["takes_writes"]:
        found.append(
            "this site was the one that writes, and takes no writes until the other one was asked (distdb.mysql_ha.open_site)"
        )
    strangers = undeclared(s.members, s.facts)
    if strangers:
        found.append(f"members of the group that are not declared: {'; '.join(strangers)}")
    for part in s.partitions:
        if s.group not in part.group_names:
            found.append(f"{names(part.addresses)} is in another group: {names(part.group_names)}")
        elif s.home is not None and part is not s.home and s.home.addresses != part.addresses:
            found.append(f"{names(part.addresses)} is cut off from the group")
    return found


def upgrade_under_way(versions: dict[str, str], closed: list[str]) -> list[str]:
    """A sentence where the members of one group have different versions; closed: those that take no writes."""
    known = sorted({parse_version(version) for version in versions.values()})
    if len(known) < 2:
        return []
    waiting = [address for address in closed if stays_read_only(versions[address], known[0])]
    why = (
        f"; until all have {known[-1]}, MySQL keeps {names(waiting)} read-only in multi-primary mode" if waiting else ""
    )
    return [f"MySQL {names(map(str, known))} in one group{why} (distdb.mysql_ha.rolling_upgrade goes on)"]


def _member(s: Situation) -> dict[str, Any]:
    """One declared member: what it is, and what group_replication_bootstrap with state=present would do with it."""
    facts = s.mine
    decision = decide(s.members, s.facts, s.me, None, s.wish)
    kind = kind_of(s, decision)
    own = facts.stats.get(facts.server_uuid)
    differences = s.setting_differences(MUST_EQUAL + MODE_SETTINGS) if facts.reachable else []
    return {
        "address": s.me,
        "kind": kind,
        "reachable": facts.reachable,
        "why": facts.error if kind == UNREACHABLE else decision.reason if kind in (BROKEN, UNSUITABLE) else "",
        "would": {"decision": decision.action, "rule": decision.rule, "reason": decision.reason},
        "server_uuid": facts.server_uuid,
        "state": facts.state if facts.reachable else _seen(s).state,
        "role": facts.role if facts.reachable else _seen(s).role,
        "version": facts.version,
        "gtid_executed": facts.gtid_executed,
        "received": facts.received,
        "errant": str(_errant(s)) if facts.reachable else "",
        # Of two sites, the primary of the standby receives; its secondaries only could.
        "replicates_from": [str(one) for one in facts.inbound if one.channel != CHANNEL or facts.role == "PRIMARY"],
        "transactions_behind": own.transactions_behind if own else None,
        "transactions_to_certify": own.transactions_to_certify if own else None,
        "differing_settings": [f"{item.name}: {item.mine}, group: {item.theirs}" for item in differences],
    }


def _seen(s: Situation) -> ServerFacts:
    """What the others see of a member that could not be asked."""
    lines = [entry for part in s.partitions for entry in part.view.values() if entry.address == s.me]
    return s.mine._replace(state=lines[0].state, role=lines[0].role) if lines else s.mine


def _errant(s: Situation) -> object:
    """Transactions that the living group lacks; without one, that every other member lacks where none has all."""
    if s.home is not None:
        return "" if s.me in s.home.addresses else s.errant
    return "" if s.supersets else s.alone(s.me)
