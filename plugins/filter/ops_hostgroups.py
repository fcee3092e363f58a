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
    description:
      - Their status, V(ONLINE), V(OFFLINE_SOFT), V(absent) or V(admit).
      - With V(absent) the group is left with its other servers.
      - With V(admit) groups that have a server of O(like) get those of O(servers) that they do not have, V(OFFLINE_SOFT) and otherwise like it.
    type: str
    choices: [ONLINE, OFFLINE_SOFT, absent, admit]
    required: true
  like:
    description: With O(status=admit), the other servers of the same cluster.
    type: list
    elements: str
  instead:
    description: With O(status=OFFLINE_SOFT), servers that are put into service by the same change.
    type: list
    elements: str
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

from typing import Any, Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import show_address

STATUSES = ("ONLINE", "OFFLINE_SOFT", "absent", "admit")

Row = Mapping[str, Any]


def address_of(row: Row) -> str:
    return show_address((row["hostname"], row.get("port", 3306))).lower()


def change(
    rows: Sequence[Row], wanted: Sequence[str], status: str, like: Sequence[str], instead: Sequence[str]
) -> dict[str, Any] | None:
    """What becomes of a group with these servers: servers and exclusive; None where it has none of those that are meant."""
    if status == "admit":
        model = next((row for row in rows if address_of(row) in like), None)
        known = [address_of(row) for row in rows]
        new = [address.rpartition(":") for address in wanted if address not in known]
        if model is None or not new:
            return None
        added = [
            dict(model, hostname=host.strip("[]"), port=int(port), status="OFFLINE_SOFT") for host, _colon, port in new
        ]
        return {"servers": added, "exclusive": False}
    meant = [row for row in rows if address_of(row) in wanted]
    if not meant:
        return None
    if status == "absent":
        return {"servers": [row for row in rows if row not in meant], "exclusive": True}
    # Others, which are not named, are not to go.
    servers = [dict(row, status=status) for row in meant]
    servers += [dict(row, status="ONLINE") for row in rows if address_of(row) in instead and row not in meant]
    return {"servers": servers, "exclusive": False}


def ops_hostgroups(
    groups: Sequence[Row],
    servers: Sequence[str],
    status: str,
    max_writers: int | None = None,
    like: Sequence[str] = (),
    instead: Sequence[str] = (),
) -> list[dict[str, Any]]:
    if status not in STATUSES:
        raise AnsibleFilterError(f"status: '{status}' is not allowed (allowed: {', '.join(STATUSES)})")
    wanted = [str(server).lower() for server in servers]
    siblings = [str(server).lower() for server in like]
    replacing = [str(server).lower() for server in instead]
    found = []
    for group in groups:
        rows = [{key: value for key, value in row.items() if key != "hostgroup"} for row in group.get("servers") or []]
        changed = change(rows, wanted, status, siblings, replacing)
        if changed is None:
            continue
        writers = {} if max_writers is None else {"max_writers": int(max_writers)}
        found.append(dict(group, **writers, **changed))
    return found


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"ops_hostgroups": ops_hostgroups}
