# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check mode: the facts as they will be when what was decided has been done, or what is waited for has come. No I/O here.

Private to this collection.
"""

from __future__ import annotations

from typing import Iterable

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import LIVE, Entry, ServerFacts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.lasting import BOOT
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import Facts, Situation


def expected(s: Situation, decision: Decision) -> dict[str, ServerFacts]:
    """The facts after the decision was carried out; the same facts where nobody can say."""
    facts = dict(s.facts)
    mine = facts[s.me]
    how = decision.rule if decision.action == "wait" else decision.action
    if how == "reset_flag":
        facts[s.me] = mine._replace(bootstrap_flag=False, bootstrap_flag_source="")
    elif how == "mark":
        marked = str(GtidSet(mine.gtid_executed).union(decision.details["mark"]))
        facts[s.me] = mine._replace(gtid_executed=marked, gtid_purged=decision.details["mark"])
    elif how in ("join", "starting"):
        facts[s.me] = mine._replace(settings={**mine.settings, **dict(decision.details.get("adopt") or ())})
        return online(facts, s.me, s.home.addresses if s.home else ())
    elif how in ("bootstrap", "recovering"):
        return online(facts, s.me, s.my_partition.addresses if s.my_partition and how == "recovering" else ())
    elif how == "wait_for_seed":
        return online(facts, decision.details["seed"], ())
    elif how in ("clone", "cloning"):
        donor = facts.get(decision.details["donor"])
        has = donor.gtid_executed if donor else mine.gtid_executed
        facts[s.me] = mine._replace(
            gtid_executed=has, gtid_purged=has, received="", data=donor.data if donor else None, cloning_from="", clone_active=True,
            state="OFFLINE", role="", view={},
        )  # fmt: skip
    elif how == "leave":
        return out(facts, s.me)
    elif how == "stay_out":
        facts[s.me] = _stays_out(mine)
    elif how == "only_recovering":
        for address in [a for part in s.partitions for a in part.addresses]:
            facts = online(facts, address, ())
    elif how == "flag_elsewhere_acting":
        for address in s.acting:
            facts[address] = facts[address]._replace(bootstrap_flag=False, bootstrap_flag_source="")
    elif how == "flag_under_lock":
        for address in [a for a in s.asked if facts[a].bootstrap_flag and facts[a].lock_held_by_other]:
            facts[address] = facts[address]._replace(bootstrap_flag=False, bootstrap_flag_source="")
            facts = online(facts, address, ())
    elif how == "leave_starting":
        facts[s.me] = mine._replace(starting=False)
    return facts


def online(facts: Facts, address: str, others: Iterable[str]) -> dict[str, ServerFacts]:
    """The facts with this server ONLINE in a group with others, or alone."""
    new = dict(facts)
    mine = new[address]
    if not mine.reachable:
        return new
    role = "SECONDARY" if mine.single_primary_mode and others else "PRIMARY"
    me = Entry(mine.report_host or mine.hostname, mine.report_port or mine.port, "ONLINE", role, mine.version)
    view = {mine.server_uuid: me}
    for other in others:
        if other != address:
            view.update({uuid: entry for uuid, entry in new[other].view.items() if entry.state in LIVE})
            new[other] = new[other]._replace(view={**new[other].view, mine.server_uuid: me})
    view[mine.server_uuid] = me
    persisted = {name: value for name, value in mine.persisted.items() if name != BOOT}
    new[address] = mine._replace(
        state="ONLINE", role=role, view=view, super_read_only=False, read_only=False, starting=False, persisted=persisted,
        start_on_boot=mine.start_on_boot or BOOT in mine.persisted,
    )  # fmt: skip
    return new


def out(facts: Facts, address: str) -> dict[str, ServerFacts]:
    """The facts with this server in no group any more, and out of the others' views."""
    new = dict(facts)
    uuid = new[address].server_uuid
    for other, known in facts.items():
        new[other] = known._replace(view={key: entry for key, entry in known.view.items() if key != uuid})
    new[address] = _stays_out(new[address]._replace(state="OFFLINE", role="", view={}, super_read_only=True))
    return new


def _stays_out(facts: ServerFacts) -> ServerFacts:
    return facts._replace(start_on_boot=False, persisted={**facts.persisted, BOOT: "OFF"})
