# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the data of the servers, as they were seen, stands against: by the rules of group_replication_bootstrap. Pure functions; nobody is asked.

Private to this collection.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import Data, from_dict
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data_rules import UPDATE_EVERYWHERE
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import Entry, ServerFacts, unreachable
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.member_rules import decide
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import VersionError
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.option_lines import option_lines

IN_GROUP = ("ONLINE", "RECOVERING")
# Rules that look at nothing that changes while hosts are looked at in turn, nor at what the role is going to set.
RULES = ("different_data", "unlogged", "outside", "tables", "outside_history", "innodb_cluster", "replica")


def data_problems(members: list[dict[str, Any]], probes: dict[str, Any], wishes: dict[str, Any]) -> list[str]:
    """What stands against this host, or against all of them."""
    me = next((member for member in members if member["name"] == wishes["host"]), None)
    if me is None or me["name"] not in probes:
        return []
    probe = probes[me["name"]]
    state = probe["sql"].get("state")
    if state is not None and probe.get("data") is None and state not in IN_GROUP:
        return [
            f"What the server of {me['name']} holds could not be seen: {probe.get('data_error') or 'no reason was given'}"
        ]
    facts = _facts(members, probes, wishes)
    if state in IN_GROUP and probe.get("data") and from_dict(probe["data"]).cluster_metadata:
        # Of a member the rules say that all is well; the role would restart it with settings of its own.
        facts = {address: f._replace(state="OFFLINE", view={}) for address, f in facts.items()}
    decision = decide(
        [m["sql"] for m in members],
        facts,
        me["sql"],
        [m["sql"] for m in members if m["name"] in probes],
        _wish(members, probes, wishes),
    )
    return [_worded(decision.reason, me["name"], members)] if decision.rule in RULES else []


def _wish(members: list[dict[str, Any]], probes: dict[str, Any], wishes: dict[str, Any]) -> dict[str, Any]:
    known = {m["sql"]: probes[m["name"]].get("data") for m in members if m["name"] in probes}
    wish = {name: wishes.get(name) for name in ("clone", "bootstrap_without", "bootstrap_from", "gtid_set_is_complete")}
    return {**wish, "group_name": wishes["group_name"], "recovery_user": "repl", "data": known}


def _facts(members: list[dict[str, Any]], probes: dict[str, Any], wishes: dict[str, Any]) -> dict[str, ServerFacts]:
    """As they will be once the servers are set up, apart from the data, which will be the same."""
    view = {
        probes[m["name"]]["sql"]["uuid"]: Entry(
            m["address"], m["port"], probes[m["name"]]["sql"]["state"], "PRIMARY", ""
        )
        for m in members
        if m["name"] in probes and probes[m["name"]]["sql"].get("state") in IN_GROUP
    }
    facts: dict[str, ServerFacts] = {}
    for member in members:
        address = member["sql"]
        if member["name"] not in probes:
            facts[address] = unreachable(address, f"{member['name']} takes no part in this run")
            continue
        probe = probes[member["name"]]
        sql = probe["sql"]
        version = sql.get("version") or probe["version"] or wishes["version_expected"] or "8.4.0"
        live = sql.get("state") in IN_GROUP
        seen: Data | None = from_dict(probe["data"]) if probe.get("data") else None
        facts[address] = ServerFacts(
            address, version=version, server_uuid=(sql.get("uuid") or "").lower(), port=member["port"], gtid_mode="ON",
            enforce_gtid_consistency="ON", log_bin=True, gtid_executed=sql.get("gtid_executed") or "", gtid_purged=sql.get("gtid_purged") or "",
            settings={UPDATE_EVERYWHERE: "ON" if _update_everywhere(version, wishes) else "OFF"}, group_name=str(wishes["group_name"]).lower(),
            plugin_active=True, clone_active=wishes.get("clone") != "never", state=sql["state"] if live else "OFFLINE", view=view if live else {},
            data=seen,
        )  # fmt: skip
    return facts


def _update_everywhere(version: str, wishes: dict[str, Any]) -> bool:
    try:
        lines = option_lines(version, wishes["strict"], wishes["preferred"], wishes["extra"])
    except VersionError:
        return False
    return any(
        "enforce_update_everywhere_checks" in line.replace("-", "_") and line.rstrip().endswith("ON") for line in lines
    )


def _worded(reason: str, name: str, members: list[dict[str, Any]]) -> str:
    """In the words of the role: names of hosts, and variables."""
    for member in members:
        reason = reason.replace(member["sql"], member["name"])
    reason = reason.replace("clone=", "mysql_gr_clone=").replace(
        "gtid_set_is_complete,", "mysql_gr_gtid_set_is_complete,"
    )
    return (f"{name}: " if "this server" in reason else "") + reason.rstrip(".") + "."
