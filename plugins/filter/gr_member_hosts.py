# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_member_hosts
short_description: Addresses from which members connect to each other
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role) for the hosts of the accounts by which members query each other.
positional: probes
options:
  _input:
    description: The members as P(distdb.mysql_ha.gr_members#filter) returns them.
    type: list
    elements: dict
    required: true
  probes:
    description: What M(distdb.mysql_ha.group_replication_host_info) returned as C(host), by host. Hosts that were not looked at may be missing.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show from where members connect to each other
  ansible.builtin.debug:
    msg: "{{ groups['mysql_gr'] | distdb.mysql_ha.gr_members(hostvars) | distdb.mysql_ha.gr_member_hosts({}) }}"
"""

RETURN = r"""
_value:
  description: >-
    The declared addresses, a name by the addresses that it has on the hosts that were looked at; then the addresses that these hosts take for
    connections to members, where they are others.
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.account_hosts import member_hosts


def gr_member_hosts(members: list[dict[str, Any]], probes: dict[str, Any]) -> list[str]:
    return member_hosts(members, probes)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_member_hosts": gr_member_hosts}
