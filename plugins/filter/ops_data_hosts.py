# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ops_data_hosts
short_description: From which member of each cluster a backup is taken, and which one writes a restore
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the playbooks of this collection. Members that did not answer are passed over; a group without quorum is a problem.
options:
  _input:
    description: Clusters, as P(distdb.mysql_ha.ops_targets#filter) returns them.
    type: list
    elements: dict
    required: true
  hostvars:
    description: Variables by host, with the facts of entry point C(status) of the role P(distdb.mysql_ha.mysql_gr#role).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the members that backups would be taken from
  ansible.builtin.debug:
    msg: "{{ (hostvars.localhost.operations_targets.clusters | distdb.mysql_ha.ops_data_hosts(hostvars)).sources }}"
"""

RETURN = r"""
_value:
  description: >-
    C(sources) (of each cluster the last ONLINE member of the run that is no primary of single-primary mode, if there is one), C(writers) (of each cluster
    the first primary, if it is in the run) and C(problems) (sentences).
  type: dict
"""

from typing import Any, Mapping, Sequence


def witness(entry: Mapping[str, Any], hostvars: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The facts of a member that sees a group with quorum."""
    for host in entry["members"]:
        facts: Mapping[str, Any] = hostvars[host]
        cluster = (facts.get("mysql_gr_status") or {}).get("cluster") or {}
        if cluster.get("state") in ("ONLINE", "ONLINE_PARTIAL"):
            return facts
    return None


def answered(facts: Mapping[str, Any]) -> bool:
    status = facts.get("mysql_gr_status") or {}
    return bool(status.get("cluster")) and not status.get("unreachable")


def ops_data_hosts(clusters: Sequence[Mapping[str, Any]], hostvars: Mapping[str, Any]) -> dict[str, list[str]]:
    sources: list[str] = []
    writers: list[str] = []
    problems: list[str] = []
    for entry in clusters:
        facts = witness(entry, hostvars)
        if facts is None:
            problems.append(
                f"No group with quorum was found in cluster {entry['name']} (distdb.mysql_ha.recover brings members back)."
            )
            continue
        cluster = facts["mysql_gr_status"]["cluster"]
        names = {member["sql"]: member["name"] for member in facts["mysql_gr_members"]}
        primaries = [names[address] for address in cluster["primaries"] if address in names]
        online = [
            name for address, name in names.items() if cluster["members"].get(address, {}).get("state") == "ONLINE"
        ]
        here = [name for name in online if name in entry["members"] and answered(hostvars[name])]
        busy = primaries if cluster["mode"] == "single_primary" else []
        rested = [name for name in here if name not in busy] or here
        if not rested:
            problems.append(
                f"No member of cluster {entry['name']} that is ONLINE is in this run (--limit?) and could be asked."
            )
            continue
        sources.append(rested[-1])
        writers += [name for name in primaries if name in entry["members"]][:1]
    return {"sources": sources, "writers": writers, "problems": problems}


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"ops_data_hosts": ops_data_hosts}
