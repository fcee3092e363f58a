# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_members
short_description: The declared members of a group, from the inventory
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Makes the list of declared members from the names of the inventory's hosts and their variables, in the inventory's order.
  - Hosts outside the current play are declared like any other; nothing but their inventory variables is looked at.
  - Addresses are brought into their canonical form. What is wrong with one is said by P(distdb.mysql_ha.gr_preflight#filter), not here.
positional: hostvars
options:
  _input:
    description: Names of the hosts that form one group.
    type: list
    elements: str
    required: true
  hostvars:
    description: >-
      Variables by host. Read are C(mysql_gr_address) (else C(ansible_host), else the host's name), C(mysql_gr_port),
      C(mysql_gr_local_port) and C(mysql_gr_server_id).
    type: dict
    required: true
  port:
    description: SQL port of a host without C(mysql_gr_port).
    type: int
    default: 3306
  local_port:
    description: Port for the group's own traffic of a host without C(mysql_gr_local_port).
    type: int
    default: 33061
"""

EXAMPLES = r"""
- name: Show the declared members
  ansible.builtin.debug:
    msg: "{{ groups['mysql_gr'] | distdb.mysql_ha.gr_members(hostvars) | map(attribute='sql') }}"
"""

RETURN = r"""
_value:
  description: >-
    One dict per member: C(name) (in the inventory), C(address) (canonical, without brackets), C(kind) (C(ipv4), C(ipv6), C(name) or
    C(invalid)), C(port), C(local_port), C(server_id), C(sql) and C(group) (address and port of the SQL and the group's own traffic, IPv6 in
    brackets).
  type: list
  elements: dict
"""

import re
from typing import Any, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import classify, format_address


def number(value: Any, default: Any) -> Any:
    """A whole number where it is one, else what was given, for the preflight to name."""
    if value is None or value == "":
        return default
    return int(value) if re.match(r"^\d+$", str(value)) else value


def gr_members(names: Sequence[str], hostvars: Any, port: int = 3306, local_port: int = 33061) -> list[dict[str, Any]]:
    if isinstance(names, str):
        raise AnsibleFilterError(f"gr_members needs a list of host names, not the string {names!r}.")
    members = []
    for name in names:
        facts = hostvars[name]

        def first(*keys: str, facts: Any = facts) -> Any:
            for key in keys:
                value = facts.get(key)
                if value is not None and value != "":
                    return value
            return None

        kind, address = classify(first("mysql_gr_address", "ansible_host") or name)
        sql_port = number(first("mysql_gr_port"), port)
        group_port = number(first("mysql_gr_local_port"), local_port)
        members.append(
            {
                "name": str(name),
                "address": address,
                "kind": kind,
                "port": sql_port,
                "local_port": group_port,
                "server_id": number(first("mysql_gr_server_id"), None),
                "sql": format_address(address, sql_port),
                "group": format_address(address, group_port),
            }
        )
    return members


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_members": gr_members}
