#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the survivors of a group that lost its majority go on."""

from __future__ import annotations

DOCUMENTATION = r"""
module: group_replication_force_quorum
short_description: Let the members that are left go on after a group lost its majority
version_added: 1.0.0
description:
  - A group whose members see no majority blocks all writes, because the members that they do not see might be alive and go on
    elsewhere. This module makes those that are left a group of their own (C(group_replication_force_members)).
  - Run it on one of them, B(after) making sure that the lost members are really stopped.
  - Refused when a lost member answers and is in a group, when another part has quorum, when a survivor does not answer or sees other
    members, and when O(lost_members) are not exactly the members that are UNREACHABLE.
  - Also refused where the role's C(mysql_gr_guard_evidence) is V(majority) - the guards of the lost members would not know of the forced group, and could
    start another one.
options:
  lost_members:
    description:
      - SQL addresses of the members that are given up. This is the confirmation - it must name exactly those that the managed server
        sees as UNREACHABLE. B(If one of them is alive, there will be two groups.)
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds to wait until the rest has quorum (1 to 86400).
    type: int
    default: 300
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
- name: Two of three hosts burned down
  distdb.mysql_ha.group_replication_force_quorum:
    login_unix_socket: /run/mysqld/mysqld.sock
    members: [192.0.2.130, 192.0.2.131, 192.0.2.132]
    peer_user: gr_peer
    peer_password: "{{ mysql_gr_peer_password }}"
    lost_members: [192.0.2.131, 192.0.2.132]
"""

RETURN = r"""
decision:
  description: V(unchanged), V(force). On failure V(refuse).
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
  description: State, quorum and members as the managed server saw them before.
  returned: always
  type: dict
  sample: {members: ["192.0.2.130:3306 ONLINE", "192.0.2.131:3306 UNREACHABLE", "192.0.2.132:3306 UNREACHABLE"], quorum: false, state: ONLINE}
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
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.quorum import Quorum


def main() -> None:
    """Entry point."""
    spec = cluster_options()
    spec.update(
        lost_members={"type": "list", "elements": "str", "required": True},
        timeout={"type": "int", "default": 300},
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    execute(module, Quorum)


if __name__ == "__main__":
    main()
