#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode of a running group, and which member is its primary."""

from __future__ import annotations

DOCUMENTATION = r"""
module: group_replication_primary
short_description: Switch a running group between single-primary and multi-primary mode, and choose the primary
version_added: 1.0.0
description:
  - Changes the mode of a running group, and in single-primary mode which member is primary, by the group's own functions. The
    members stay ONLINE.
  - Waits until all declared members that are in the group agree.
  - Run it on one ONLINE member (C(run_once)). On several at the same time it does the work once.
options:
  mode:
    description:
      - V(single_primary) - one member takes writes. V(multi_primary) - all do.
      - Default leaves the mode as it is. At least one of O(mode) and O(primary) is required.
    type: str
    choices: [single_primary, multi_primary]
  primary:
    description:
      - The one of O(members) that is primary; only in single-primary mode. It must be ONLINE and run the lowest version of the group.
      - Default leaves the choice to the group - the present primary stays, and a switch of mode elects one by weight.
    type: str
  running_transactions_timeout:
    description:
      - When another member becomes primary, seconds after which transactions still running on the old one are ended (0 to 3600).
      - Default waits for them. Ignored before MySQL 8.0.29 and when the mode is switched.
    type: int
  hold_until:
    description:
      - Path of a file on the managed host. The change, if one is needed, is made when the file is there; everything is looked at
        before and after the waiting. Ignored in check mode.
      - For a task that runs with C(async) while another one, such as draining a proxy, makes ready; without it the time between two
        tasks would be time without a writer.
    type: path
  timeout:
    description: Seconds to wait for O(hold_until) and until the group agrees (1 to 86400).
    type: int
    default: 120
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.full
  - distdb.mysql_ha.mysql
  - distdb.mysql_ha.group_replication
notes:
  - MySQL 8.0.13 or newer on all members.
  - The server persists the mode on every member that is ONLINE (C(mysqld-auto.cnf)), which wins over configuration files. A member
    that was away takes the mode over when M(distdb.mysql_ha.group_replication_bootstrap) makes it join again.
seealso:
  - module: distdb.mysql_ha.group_replication_bootstrap
  - module: distdb.mysql_ha.group_replication_info
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: Single-primary mode, and this member is primary
  distdb.mysql_ha.group_replication_primary:
    login_unix_socket: /run/mysqld/mysqld.sock
    members: [192.0.2.130, 192.0.2.131, 192.0.2.132]
    peer_user: gr_peer
    peer_password: "{{ mysql_gr_peer_password }}"
    mode: single_primary
    primary: 192.0.2.131
  run_once: true

- name: Move the primary away before maintenance, end transactions that take longer than a minute
  distdb.mysql_ha.group_replication_primary:
    login_unix_socket: /run/mysqld/mysqld.sock
    members: [192.0.2.130, 192.0.2.131, 192.0.2.132]
    peer_user: gr_peer
    peer_password: "{{ mysql_gr_peer_password }}"
    primary: 192.0.2.130
    running_transactions_timeout: 60
  run_once: true
"""

RETURN = r"""
decision:
  description: V(unchanged), V(set_primary), V(switch_single), V(switch_multi); on failure V(refuse).
  returned: always
  type: str
  sample: set_primary
rule:
  description: Name of the row of C(docs/reference/decisions.md) that decided.
  returned: always
  type: str
reason:
  description: Why, in one sentence.
  returned: always
  type: str
  sample: 192.0.2.131:3306 is not primary
before:
  description: State, mode and primaries as the managed server saw them before.
  returned: always
  type: dict
  sample: {mode: single_primary, primaries: ["192.0.2.130:3306"], state: ONLINE}
after:
  description: The same after; in check mode the expected.
  returned: success
  type: dict
  sample: {mode: single_primary, primaries: ["192.0.2.131:3306"], state: ONLINE}
messages:
  description: What the group's functions answered.
  returned: success
  type: list
  elements: str
  sample: ["Primary server switched to: 26fa82bd-e647-11f1-9668-02fc00000001"]
statements:
  description: Statements that changed something (in check mode, that would).
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.operation import execute
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import cluster_options
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.primary import Primary


def main() -> None:
    """Entry point."""
    spec = cluster_options()
    spec.update(
        mode={"type": "str", "choices": ["single_primary", "multi_primary"]},
        primary={"type": "str"},
        running_transactions_timeout={"type": "int"},
        hold_until={"type": "path"},
        timeout={"type": "int", "default": 120},
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    execute(module, Primary)


if __name__ == "__main__":
    main()
