# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_admitted
short_description: Who is admitted to the ports of a member of the group
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role). A function of its variables, which P(distdb.mysql_ha.gr_preflight#filter) has checked, and of the
    inventory.
positional: host, stack, clients, expected, groups, hostvars
options:
  _input:
    description: The declared members, as P(distdb.mysql_ha.gr_members#filter) gives them.
    type: list
    elements: dict
    required: true
  host:
    description: The member's name in the inventory.
    type: str
    required: true
  stack:
    description: The group's communication stack, V(XCOM) or V(MYSQL). V(MYSQL) has no port of its own.
    type: str
    required: true
  clients:
    description: Addresses, networks, names of hosts and groups of the inventory, or V(any), admitted to the SQL port.
    type: list
    elements: str
    required: true
  expected:
    description: The same, for clients that the host has as a member only.
    type: list
    elements: str
    required: true
  groups:
    description: Ansible's C(groups).
    type: dict
    required: true
  hostvars:
    description: Ansible's C(hostvars).
    type: dict
    required: true
  without:
    description: Names of members that are about to be none. They are not admitted, and if the host is one of them, O(clients) alone are.
    type: list
    elements: str
    default: []
  monitoring:
    description: Addresses and networks of the hosts that scrape the exporters; none where the role sets up no exporters.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show who is admitted
  ansible.builtin.debug:
    msg: "{{ groups.mysql_gr | distdb.mysql_ha.gr_members(hostvars) | distdb.mysql_ha.gr_admitted(inventory_hostname, 'XCOM', [], [], groups, hostvars) }}"
"""

RETURN = r"""
_value:
  description: The option O(distdb.mysql_ha.firewall_ports#module:admitted) of M(distdb.mysql_ha.firewall_ports).
  type: list
  elements: dict
"""

from typing import Any, Mapping, Sequence

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.firewall import expand, member_entries


def gr_admitted(
    members: Sequence[Mapping[str, Any]],
    host: str,
    stack: str,
    clients: Sequence[str],
    expected: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    hostvars: Any,
    without: Sequence[str] = (),
    monitoring: Sequence[str] = (),
) -> list[dict[str, Any]]:
    return member_entries(
        members, host, stack, expand(clients, groups, hostvars), expand(expected, groups, hostvars), without, monitoring
    )


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_admitted": gr_admitted}
