# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: proxysql_virtual_plan
short_description: How a proxy takes part in the address that it shares with others
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.proxysql#role). A function of its variables, which P(distdb.mysql_ha.proxysql_preflight#filter) has checked, and
    of the inventory.
positional: host, peers, hostvars
options:
  _input:
    description: The role's variables by their full names.
    type: dict
    required: true
  host:
    description: The proxy's name in the inventory.
    type: str
    required: true
  peers:
    description: The hosts of the inventory group C(proxysql_inventory_group). Those with the same C(proxysql_virtual_address) share it.
    type: list
    elements: str
    required: true
  hostvars:
    description: Ansible's C(hostvars).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: The number by which the proxies that share an address know each other
  ansible.builtin.debug:
    msg: "{{ (variables | distdb.mysql_ha.proxysql_virtual_plan(inventory_hostname, groups.proxysql, hostvars)).router_id }}"
"""

RETURN = r"""
_value:
  description: >-
    What the templates of the role need - C(own) and C(peers) (addresses), C(addresses), C(advertised) and C(excluded) (with their prefixes), C(router_id),
    C(priority), C(version), C(advert), C(watchdog), C(user) (ProxySQL's account for the check) and C(check) (its options). Empty where no address is
    shared.
  type: dict
"""

from typing import Any, Mapping, Sequence

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.virtual_address import virtual_plan


def proxysql_virtual_plan(
    settings: Mapping[str, Any], host: str, peers: Sequence[str], hostvars: Any
) -> dict[str, Any]:
    return virtual_plan(settings, host, peers, hostvars)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"proxysql_virtual_plan": proxysql_virtual_plan}
