# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: proxysql_addresses
short_description: Addresses of proxies, from the inventory
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - For the hosts of accounts that proxies use at the members.
positional: hostvars
options:
  _input:
    description: Names of the proxies.
    type: list
    elements: str
    required: true
  hostvars:
    description: Variables by host. Read are C(proxysql_address), else C(ansible_host), else the host's name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show from where proxies come
  ansible.builtin.debug:
    msg: "{{ groups['proxysql'] | distdb.mysql_ha.proxysql_addresses(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Addresses or names, each once.
  type: list
  elements: str
"""

from typing import Any, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import classify


def proxysql_addresses(names: Sequence[str], hostvars: Any) -> list[str]:
    found = []
    for name in names:
        facts = hostvars[name]
        host = classify(facts.get("proxysql_address") or facts.get("ansible_host") or name)
        found.append(host.text)
    return list(dict.fromkeys(found))


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"proxysql_addresses": proxysql_addresses}
