#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocol in which a group's members talk."""

from __future__ import annotations

DOCUMENTATION = r"""
module: group_replication_protocol
short_description: Raise the protocol in which a group's members talk to what its oldest member knows
version_added: 1.0.0
description:
  - A group goes on in the protocol with which it was started when all of its members have been upgraded. This module raises it to the newest one that every
    member knows (C(group_replication_set_communication_protocol)), and never lowers it.
  - Nothing is changed while a declared member is not ONLINE, since it may need the older protocol to join.
  - Run it on one ONLINE member (C(run_once)).
options:
  timeout:
    description: Seconds that the group has (1 to 86400).
    type: int
    default: 120
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.full
  - distdb.mysql_ha.mysql
  - distdb.mysql_ha.group_replication
seealso:
  - module: distdb.mysql_ha.group_replication_upgrade_check
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: After an upgrade of all members
  distdb.mysql_ha.group_replication_protocol:
    login_unix_socket: /run/mysqld/mysqld.sock
    members: [192.0.2.130, 192.0.2.131, 192.0.2.132]
    peer_user: gr_peer
    peer_password: "{{ mysql_gr_peer_password }}"
  run_once: true
"""

RETURN = r"""
decision:
  description: V(unchanged) or V(raise); on failure V(refuse).
  returned: always
  type: str
  sample: raise
rule:
  description: Name of the row of C(docs/reference/decisions.md) that decided.
  returned: always
  type: str
reason:
  description: Why, in one sentence.
  returned: always
  type: str
  sample: the group talks as MySQL 8.0.16 does, and every member knows 8.0.27
before:
  description: The group's protocol before, by the first version of MySQL that has it.
  returned: always
  type: dict
  sample: {protocol: 8.0.16}
after:
  description: The same after; in check mode the expected.
  returned: success
  type: dict
  sample: {protocol: 8.0.27}
statements:
  description: Statements that changed something (in check mode, that would).
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.operation import execute
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import cluster_options
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.protocol import Protocol


def main() -> None:
    """Entry point."""
    spec = cluster_options()
    spec.update(timeout={"type": "int", "default": 120})
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    execute(module, Protocol)


if __name__ == "__main__":
    main()
