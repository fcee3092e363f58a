# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: proxysql_exporter_problems
short_description: What stands against node_exporter on a proxy's host
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.proxysql#role) before it changes anything.
positional: host, there
options:
  _input:
    description: Ports that are in use, as M(distdb.mysql_ha.group_replication_host_info) gives them.
    type: list
    elements: dict
    required: true
  host:
    description: The proxy's name in the inventory.
    type: str
    required: true
  there:
    description: Whether the role has set node_exporter up on this host before.
    type: bool
    required: true
"""

EXAMPLES = r"""
- name: Refuse an exporter that this host cannot have
  ansible.builtin.assert:
    that: seen.host.ports | distdb.mysql_ha.proxysql_exporter_problems(inventory_hostname, false) == []
"""

RETURN = r"""
_value:
  description: One sentence for each port that another program has; none when all is well.
  type: list
  elements: str
"""

from typing import Any, Mapping, Sequence

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.monitoring import NODE, PORTS, port_problems


def proxysql_exporter_problems(used: Sequence[Mapping[str, Any]], host: str, there: bool) -> list[str]:
    found = {one["port"]: one["process"] for one in used}
    return port_problems(host, found, there, "proxysql", {NODE: PORTS[NODE]})


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"proxysql_exporter_problems": proxysql_exporter_problems}
