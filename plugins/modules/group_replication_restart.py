#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a whole group anew, so that one member at a time may write."""

from __future__ import annotations

DOCUMENTATION = r"""
module: group_replication_restart
short_description: Start a whole group anew in multi-primary mode without update-everywhere checks
version_added: 1.0.0
description:
  - MySQL changes C(group_replication_enforce_update_everywhere_checks) in a multi-primary group only while no member is in it. This module restarts the
    group; the servers go on running. Run it on every declared member at the same time.
  - Every member becomes read-only. When all of them are and have executed the same transactions, they leave the group, about 3 seconds long. Then one
    bootstraps it and the others join, by the rules of M(distdb.mysql_ha.group_replication_bootstrap).
  - Refused, with nothing changed, unless every declared member answers, is ONLINE in the one group and takes part in this run. A restart that cannot be
    finished is given up - members that are in the group still are opened again; M(distdb.mysql_ha.group_replication_bootstrap) joins the others.
  - Other modes are switched to while the group runs, by M(distdb.mysql_ha.group_replication_primary).
options:
  group_name:
    description: The group's name, a UUID. Default is what the server is configured for.
    type: str
  acting_members:
    description: Those of O(members) on which this task runs now. Default is all of them; fewer are refused.
    type: list
    elements: str
  recovery_user:
    description: Account for channel C(group_replication_recovery). Set on the channel only when it has another one. Default leaves the channel as it is.
    type: str
  recovery_password:
    description: Password of O(recovery_user); required with it.
    type: str
  first:
    description:
      - That of O(members) which bootstraps, so that applications find it before the others. Where it does not have everybody's transactions, and without
        this option, the one that M(distdb.mysql_ha.group_replication_bootstrap) chooses.
    type: str
  hold_until:
    description:
      - Path on the managed host. Before anything is changed, the module waits until there is such a file; O(timeout) counts anew then.
      - For a play that lets applications wait meanwhile, and makes everything ready before.
    type: path
  timeout:
    description: Seconds to wait for O(hold_until), and for everything after it (1 to 86400).
    type: int
    default: 300
  error_log:
    description: Path of the server's error log on the managed host, whose end is reported when a start fails.
    type: path
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.full
  - distdb.mysql_ha.mysql
  - distdb.mysql_ha.group_replication
notes:
  - Check mode says the first statement only; what comes after it depends on the other members.
seealso:
  - module: distdb.mysql_ha.group_replication_bootstrap
  - module: distdb.mysql_ha.group_replication_primary
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: One member at a time may write, cascading foreign keys are admitted
  distdb.mysql_ha.group_replication_restart:
    login_unix_socket: /run/mysqld/mysqld.sock
    members: [192.0.2.130, 192.0.2.131, 192.0.2.132]
    peer_user: gr_peer
    peer_password: "{{ mysql_gr_peer_password }}"
"""

RETURN = r"""
decision:
  description: What was done last - V(unchanged), V(close), V(leave), V(bootstrap), V(join). On failure V(refuse).
  returned: always
  type: str
  sample: join
rule:
  description: Name of the row of C(docs/reference/decisions.md) that decided.
  returned: always
  type: str
reason:
  description: Why, in one sentence.
  returned: always
  type: str
before:
  description: State of this server before.
  returned: always
  type: dict
after:
  description: State of this server after.
  returned: success
  type: dict
statements:
  description: Statements that changed something (in check mode, that would).
  returned: always
  type: list
  elements: str
error_log:
  description: End of the server's error log.
  returned: when a start failed
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.operation import execute
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import cluster_options
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.restart import Restart


def main() -> None:
    """Entry point."""
    spec = cluster_options()
    spec.update(
        group_name={"type": "str"},
        acting_members={"type": "list", "elements": "str"},
        recovery_user={"type": "str"},
        recovery_password={"type": "str", "no_log": True},
        first={"type": "str"},
        hold_until={"type": "path"},
        timeout={"type": "int", "default": 300},
        error_log={"type": "path"},
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    execute(module, Restart)


if __name__ == "__main__":
    main()
