# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ops_sites
short_description: A cluster that is one of two sites, and the other one
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the playbooks of this collection.
options:
  _input:
    description: The inventory's C(groups).
    type: dict
    required: true
  hostvars:
    description: Variables by host.
    type: dict
    required: true
  site:
    description: Name of the cluster that is meant, its inventory group. C(mysql_gr_other_site) of its members names the other one.
    type: str
    required: true
  alone:
    description: Whether the other one is left out of the run, since it may be gone.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the sites
  ansible.builtin.debug:
    msg: "{{ groups | distdb.mysql_ha.ops_sites(hostvars, 'south') }}"
"""

RETURN = r"""
_value:
  description: Names of the two clusters, the one that is meant first.
  type: list
  elements: str
"""

from typing import Any, Mapping, Sequence

from ansible.errors import AnsibleFilterError


def ops_sites(
    groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Any], site: str, alone: bool = False
) -> list[str]:
    sites: dict[str, str] = {}
    for host in groups.get("mysql_gr", []):
        facts = hostvars[host]
        other = facts.get("mysql_gr_other_site") or ""
        if other:
            sites[str(facts.get("mysql_gr_inventory_group") or "mysql_gr")] = str(other)
    if not sites:
        raise AnsibleFilterError(
            "no cluster of the inventory is one of two sites: mysql_gr_other_site of its members names the other one"
        )
    if site not in sites:
        raise AnsibleFilterError(f"operations_site: '{site}' is not allowed (allowed: {', '.join(sites)})")
    other = sites[site]
    if sites.get(other) != site:
        raise AnsibleFilterError(
            f"mysql_gr_other_site of {site} is '{other}', whose own is '{sites.get(other, '')}': each has to name the other one"
        )
    return [site] if alone else [site, other]


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"ops_sites": ops_sites}
