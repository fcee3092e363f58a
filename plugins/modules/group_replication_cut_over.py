#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let a group take over from the server that it replicates from."""

from __future__ import annotations

DOCUMENTATION = r"""
module: group_replication_cut_over
short_description: Let a group take over from the server that it replicates from
version_added: 1.0.0
description:
  - On the member with the replication channel C(source), after M(distdb.mysql_ha.group_replication_provision). The other members are fenced or not,
    as they are; M(distdb.mysql_ha.group_replication_fence) opens them afterwards.
  - Waits until the channel keeps up. Then, in one run, C(super_read_only) is set on the source, its last transaction is waited for, the channel is
    stopped, and this server takes writes. Last the channel is reset, and C(super_read_only) is persisted on the source.
  - The source takes writes again when the last transaction does not come in time, or anything else fails before this server takes writes.
  - The complete table of situations is in the collection's C(docs/reference/decisions.md).
options:
  timeout:
    description: Seconds to wait until the channel keeps up (1 to 86400). The source takes writes meanwhile.
    type: int
    default: 300
  closed_timeout:
    description:
      - Seconds for which a statement under way on the source, and then its last transaction, is waited for (1 to 3600).
    type: int
    default: 10
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.full
  - distdb.mysql_ha.mysql
  - distdb.mysql_ha.group_replication
  - distdb.mysql_ha.source
seealso:
  - module: distdb.mysql_ha.group_replication_provision
  - module: distdb.mysql_ha.group_replication_fence
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: The group takes over
  distdb.mysql_ha.group_replication_cut_over:
    login_unix_socket: /run/mysqld/mysqld.sock
    members: [192.0.2.130, 192.0.2.131, 192.0.2.132]
    peer_user: gr_peer
    peer_password: "{{ mysql_gr_peer_password }}"
    source: 192.0.2.140
    source_user: adopt
    source_password: "{{ source_password }}"
"""

RETURN = r"""
decision:
  description: V(unchanged), V(cut_over). On failure V(refuse).
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
closed_for:
  description: Seconds from the moment in which the source was told to take no writes until this server took writes.
  returned: success
  type: float
  sample: 0.053
before:
  description: State, role, read_only, super_read_only and channels of this server before.
  returned: always
  type: dict
  sample:
    read_only: true
    replicates_from: ["replicates from 192.0.2.140:3306, 0 transactions behind"]
    role: PRIMARY
    state: ONLINE
    super_read_only: true
after:
  description: The same after; in check mode as before.
  returned: success
  type: dict
statements:
  description: Statements that changed something (in check mode, that would); those on the source begin with its address.
  returned: always
  type: list
  elements: str
  sample:
    - "192.0.2.140:3306: SET GLOBAL super_read_only = ON"
    - STOP REPLICA FOR CHANNEL 'source'
    - SET GLOBAL read_only = OFF
    - RESET REPLICA ALL FOR CHANNEL 'source'
    - RESET PERSIST IF EXISTS skip_replica_start
    - "192.0.2.140:3306: SET PERSIST super_read_only = ON"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.operation import execute
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import cluster_options
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.source import source_options
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.cut_over import CutOver


def main() -> None:
    """Entry point."""
    spec = cluster_options()
    spec.update(source_options())
    spec.update(timeout={"type": "int", "default": 300}, closed_timeout={"type": "int", "default": 10})
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    execute(module, CutOver)


if __name__ == "__main__":
    main()
