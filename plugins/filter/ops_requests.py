# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ops_requests
short_description: The members of a run whose variables let it give data up, or the evidence that there is no other group
version_added: 1.1.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the playbooks of this collection that start or join members, to ask before they do what C(mysql_gr_clone=reprovision),
    C(mysql_gr_bootstrap_from) and C(mysql_gr_bootstrap_without) request.
options:
  _input:
    description: Clusters, as P(distdb.mysql_ha.ops_targets#filter) returns them.
    type: list
    elements: dict
    required: true
  hostvars:
    description: Variables by host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what may be lost
  ansible.builtin.debug:
    msg: "{{ (hostvars.localhost.operations_targets.clusters | distdb.mysql_ha.ops_requests(hostvars)).does }}"
"""

RETURN = r"""
_value:
  description: C(clusters) (names), C(hosts) (the first member of the run in each of them) and C(does) (sentences). All are empty where nothing is requested.
  type: dict
"""

from typing import Any, Mapping, Sequence


def addresses(hostvars: Mapping[str, Any], hosts: Sequence[str], name: str) -> list[str]:
    """What a variable, a string or a list, has on these members; each value once."""
    found: list[str] = []
    for host in hosts:
        value = hostvars[host].get(name) or []
        found += [value] if isinstance(value, str) else [str(part) for part in value]
    return list(dict.fromkeys(found))


def sentences(hostvars: Mapping[str, Any], hosts: Sequence[str]) -> list[str]:
    found = []
    cloned = [host for host in hosts if hostvars[host].get("mysql_gr_clone") == "reprovision"]
    if cloned:
        found.append(
            f"mysql_gr_clone=reprovision: where {' or '.join(cloned)} has transactions that the group lacks, "
            "its data are deleted and replaced by the group's"
        )
    chosen = addresses(hostvars, hosts, "mysql_gr_bootstrap_from")
    if chosen:
        found.append(
            f"mysql_gr_bootstrap_from={', '.join(chosen)}: after a complete outage the transactions that only other members have are lost"
        )
    silent = addresses(hostvars, hosts, "mysql_gr_bootstrap_without")
    if silent:
        found.append(
            f"mysql_gr_bootstrap_without={', '.join(silent)}: a group is started although these members are silent; if one is alive, there are two groups"
        )
    return found


def ops_requests(clusters: Sequence[Mapping[str, Any]], hostvars: Mapping[str, Any]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {"clusters": [], "hosts": [], "does": []}
    for entry in clusters:
        found = sentences(hostvars, entry["members"])
        if found:
            result["clusters"].append(entry["name"])
            result["hosts"].append(entry["members"][0])
            result["does"] += found
    return result


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"ops_requests": ops_requests}
