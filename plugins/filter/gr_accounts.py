# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_accounts
short_description: Accounts, each at one host
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role). An account with a list of hosts becomes one account for each of them.
positional: probes
options:
  _input:
    description: >-
      The accounts. C(host) is one host part, or a list of them; C(from_hosts) a list of addresses and names of hosts, of which a name is replaced by the
      addresses that it has on the members.
    type: list
    elements: dict
    required: true
  probes:
    description: What M(distdb.mysql_ha.group_replication_host_info) returned as C(host), by host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show at which hosts an account is written
  ansible.builtin.debug:
    msg: "{{ [{'name': 'app', 'from_hosts': ['192.0.2.129', 'proxy.example.com']}] | distdb.mysql_ha.gr_accounts({}) | map(attribute='host') }}"
"""

RETURN = r"""
_value:
  description: The accounts with C(host), a text, and C(several), whether other hosts' accounts of that name belong to it.
  type: list
  elements: dict
"""

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.account_hosts import expand


def gr_accounts(accounts: list[dict[str, Any]], probes: dict[str, Any]) -> list[dict[str, Any]]:
    return expand(accounts, probes)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_accounts": gr_accounts}
