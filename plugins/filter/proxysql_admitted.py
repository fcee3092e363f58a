# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: proxysql_admitted
short_description: Who is admitted to the ports of a proxy
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.proxysql#role). A function of its variables, which P(distdb.mysql_ha.proxysql_preflight#filter) has checked, and
    of the inventory.
positional: host, groups, hostvars
options:
  _input:
    description: The role's variables by their full names.
    type: dict
    required: true
  host:
    description: The proxy's name in the inventory.
    type: str
    required: true
  groups:
    description: Ansible's C(groups).
    type: dict
    required: true
  hostvars:
    description: Ansible's C(hostvars).
    type: dict
    required: true
  monitoring:
    description: Addresses and networks of the hosts that scrape node_exporter; none where the role does not set it up.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show who is admitted
  ansible.builtin.debug:
    msg: "{{ variables | distdb.mysql_ha.proxysql_admitted(inventory_hostname, groups, hostvars) }}"
"""

RETURN = r"""
_value:
  description: The option O(distdb.mysql_ha.firewall_ports#module:admitted) of M(distdb.mysql_ha.firewall_ports).
  type: list
  elements: dict
"""

from typing import Any, Mapping, Sequence

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.firewall import expand, proxy_entries


def proxysql_admitted(
    settings: Mapping[str, Any],
    host: str,
    groups: Mapping[str, Sequence[str]],
    hostvars: Any,
    monitoring: Sequence[str] = (),
) -> list[dict[str, Any]]:
    clients, admins = (
        expand(settings[f"proxysql_firewall_{name}"], groups, hostvars) for name in ("clients", "admin_clients")
    )
    peers = groups.get(settings["proxysql_inventory_group"], [])
    return proxy_entries(settings, host, peers, clients, admins, hostvars, monitoring)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"proxysql_admitted": proxysql_admitted}
