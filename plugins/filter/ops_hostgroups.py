# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ops_hostgroups
short_description: Hostgroups as they are, with another status of some servers
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Makes the option C(hostgroups) of M(distdb.mysql_ha.proxysql_hostgroup) from the layer that M(distdb.mysql_ha.proxysql_hostgroup_info) found,
    or from such an option.
  - Groups that have none of the servers are left out, as are servers that are not named.
positional: servers, status
options:
  _input:
    description: RV(distdb.mysql_ha.proxysql_hostgroup_info#module:memory), or O(distdb.mysql_ha.proxysql_hostgroup#module:hostgroups).
    type: list
    elements: dict
    required: true
  servers:
    description: Servers as C(host:port), an IPv6 address in brackets.
    type: list
    elements: str
    required: true
  status:
    description: Their status, V(ONLINE), V(OFFLINE_SOFT) or V(absent). With V(absent) the group is left with its other servers.
    type: str
    choices: [ONLINE, OFFLINE_SOFT, absent]
    required: true
  max_writers:
    description: The groups' C(max_writers). Without it, as it is.
    type: int
"""

EXAMPLES = r"""
- name: Drain one server
  distdb.mysql_ha.proxysql_hostgroup:
    hostgroups: "{{ proxy.memory | distdb.mysql_ha.ops_hostgroups(['192.0.2.130:3306'], 'OFFLINE_SOFT') }}"
    wait_drained: true
"""

RETURN = r"""
_value:
  description: Groups for O(distdb.mysql_ha.proxysql_hostgroup#module:hostgroups).
  type: list
  elements: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.module_utils.proxysql_plan import show_address

STATUSES = ("ONLINE", "OFFLINE_SOFT", "absent")


def ops_hostgroups(groups, servers, status, max_writers=None):
    if status not in STATUSES:
        raise AnsibleFilterError(
            "ops_hostgroups: status is {0!r}; allowed are {1}.".format(status, ", ".join(STATUSES))
        )
    wanted = {str(server).lower() for server in servers}
    found = []
    for group in groups:
        rows = [{key: value for key, value in row.items() if key != "hostgroup"} for row in group.get("servers") or []]
        meant = [row for row in rows if show_address((row["hostname"], row.get("port", 3306))).lower() in wanted]
        if not meant:
            continue
        group = dict(group)
        if max_writers is not None:
            group["max_writers"] = int(max_writers)
        if status == "absent":
            group.update(servers=[row for row in rows if row not in meant], exclusive=True)
        else:
            # Others, which are not named, are not to go.
            group.update(servers=[dict(row, status=status) for row in meant], exclusive=False)
        found.append(group)
    return found


class FilterModule:
    def filters(self):
        return {"ops_hostgroups": ops_hostgroups}
