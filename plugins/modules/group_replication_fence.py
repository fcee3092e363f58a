#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep writes, or all traffic, away from a member."""

from __future__ import annotations

DOCUMENTATION = r"""
module: group_replication_fence
short_description: Keep writes, or all applications, away from a group member
version_added: 1.0.0
description:
  - Fences the managed server, or takes the fence away. The member stays in its group. Run it on every member to fence a cluster.
  - A fence does not survive a restart of the server.
options:
  fence:
    description:
      - V(writes) - C(super_read_only) is on. In single-primary mode (MySQL 8.0.26 or newer) the member action that would make a newly
        elected primary writable is disabled in the group, when this task runs on the primary.
      - V(all) - C(offline_mode) is on too, which ends all sessions of accounts without the privilege CONNECTION_ADMIN.
      - V(none) - none of it. Writes are let in only where the group itself wants them, on an ONLINE primary with quorum.
    type: str
    choices: [writes, all, none]
    required: true
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.full
  - distdb.mysql_ha.mysql
  - distdb.mysql_ha.group_replication
seealso:
  - module: distdb.mysql_ha.group_replication_bootstrap
  - module: distdb.mysql_ha.group_replication_info
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: No writes on the whole cluster, for a consistent copy
  distdb.mysql_ha.group_replication_fence:
    login_unix_socket: /run/mysqld/mysqld.sock
    members: [192.0.2.130, 192.0.2.131, 192.0.2.132]
    peer_user: gr_peer
    peer_password: "{{ mysql_gr_peer_password }}"
    fence: writes

- name: And back
  distdb.mysql_ha.group_replication_fence:
    login_unix_socket: /run/mysqld/mysqld.sock
    members: [192.0.2.130, 192.0.2.131, 192.0.2.132]
    peer_user: gr_peer
    peer_password: "{{ mysql_gr_peer_password }}"
    fence: none
"""

RETURN = r"""
decision:
  description: V(unchanged), V(fence), V(unfence). On failure V(refuse).
  returned: always
  type: str
rule:
  description: Name of the row of C(docs/reference/decisions.md) that decided.
  returned: always
  type: str
reason:
  description: Why, in one sentence.
  returned: always
  type: str
before:
  description: State, role, read_only, super_read_only and offline_mode before.
  returned: always
  type: dict
  sample: {offline_mode: false, read_only: false, role: PRIMARY, state: ONLINE, super_read_only: false}
after:
  description: The same after; in check mode the expected.
  returned: success
  type: dict
statements:
  description: Statements that changed something (in check mode, that would).
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.operation import execute
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import cluster_options
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.fence import Fence


def main() -> None:
    """Entry point."""
    spec = cluster_options()
    spec.update(
        fence={"type": "str", "choices": ["writes", "all", "none"], "required": True},
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    execute(module, Fence)


if __name__ == "__main__":
    main()
