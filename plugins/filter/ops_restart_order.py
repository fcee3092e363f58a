# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ops_restart_order
short_description: In which order members are restarted or taken out, and which primary hands over to whom before
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the playbooks of this collection. The primary of a single-primary group comes after the others, when it has handed over.
options:
  _input:
    description: Clusters, as P(distdb.mysql_ha.ops_targets#filter) returns them.
    type: list
    elements: dict
    required: true
  hostvars:
    description: Variables by host, with the facts of entry point C(status) of the role P(distdb.mysql_ha.mysql_gr#role) of every member of this run.
    type: dict
    required: true
  hosts:
    description: Members that are to be restarted, in this order. Default is every member of the run.
    type: list
    elements: str
  primary:
    description: Only hand over, to this member (its name in the inventory).
    type: str
  leaving:
    description: Members that have to leave the group before the others take writes (C(leaving) of P(distdb.mysql_ha.ops_upgrade_order#filter)).
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Show the order
  ansible.builtin.debug:
    msg: "{{ hostvars.localhost.operations_targets.clusters | distdb.mysql_ha.ops_restart_order(hostvars) }}"
"""

RETURN = r"""
_value:
  description: >-
    C(first) (members that are restarted first), C(last) (primaries that have handed over by then) and C(hand_over), by the host that does it a dict
    with C(cluster), C(to) and C(from) (SQL addresses), C(to_name), C(proxies) and C(leave) (whether it does so by leaving the group).
  type: dict
"""

from typing import Any, Mapping, Sequence


def hand_over(
    entry: Mapping[str, Any], names: Mapping[str, str], old: str, new: str, leave: bool = False
) -> dict[str, Any]:
    addresses = {name: address for address, name in names.items()}
    return {
        "cluster": entry["name"],
        "from": old,
        "to": addresses[new],
        "to_name": new,
        "proxies": list(entry["proxies"]),
        "leave": leave,
    }


def ops_restart_order(
    clusters: Sequence[Mapping[str, Any]],
    hostvars: Mapping[str, Any],
    hosts: Sequence[str] | None = None,
    primary: str | None = None,
    leaving: Sequence[str] = (),
) -> dict[str, Any]:
    first: list[str] = []
    last: list[str] = []
    handed: dict[str, dict[str, Any]] = {}
    for entry in clusters:
        turns = [host for host in (entry["members"] if hosts is None else hosts) if host in entry["members"]]
        facts = hostvars[entry["lead"]]
        names = {member["sql"]: member["name"] for member in facts["mysql_gr_members"]}
        seen = facts["mysql_gr_status"]["cluster"]
        single = seen["mode"] == "single_primary"
        primaries = [address for address in seen["primaries"] if single and address in names]
        if primary is not None:
            if primary in names.values() and primaries and names[primaries[0]] != primary:
                runner = primary if primary in entry["members"] else entry["lead"]
                handed[runner] = hand_over(entry, names, primaries[0], primary)
            continue
        left = [host for host in turns if host in leaving]
        busy = left or [names[address] for address in primaries if names[address] in turns]
        first += [host for host in turns if host not in busy]
        last += busy
        others = [host for host in entry["all"] if host not in busy]
        if busy and others:
            # Rather one that the run works on: the switch is started there, and it has been restarted by then.
            new = next((host for host in others if host in entry["members"]), others[0])
            old = next(address for address, name in names.items() if name == busy[0])
            runner = new if new in entry["members"] and not left else busy[0]
            handed[runner] = hand_over(entry, names, old, new, leave=bool(left))
    return {"first": first, "last": last, "hand_over": handed}


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"ops_restart_order": ops_restart_order}
