#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provision the first member of a group that is not there yet by a clone of a server outside of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: group_replication_provision
short_description: Give the first member of a new group the data of a server outside of it
version_added: 1.0.0
description:
  - The managed server, which is blank, gets all data of the source by clone, accounts included, and restarts. The source goes on and is not changed.
  - Afterwards M(distdb.mysql_ha.group_replication_bootstrap) makes a group of it and of blank servers, a replication channel brings what the
    source executes meanwhile, and M(distdb.mysql_ha.group_replication_cut_over) takes over.
  - C(skip_replica_start=ON) is persisted, so that no channel starts before the server is in its group; the cut-over takes that back.
  - Refused, before anything is changed, is a source that cannot be cloned or cannot send its transactions, or that has tables which a group does
    not replicate; a server that holds data of its own; and a group that is there already.
  - The complete table of situations is in the collection's C(docs/reference/decisions.md).
options:
  timeout:
    description: Seconds for the clone (1 to 604800).
    type: int
    default: 86400
  error_log:
    description: Path of the server's error log on the managed host, whose end is reported when the clone fails.
    type: path
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.full
  - distdb.mysql_ha.mysql
  - distdb.mysql_ha.group_replication
  - distdb.mysql_ha.source
seealso:
  - module: distdb.mysql_ha.group_replication_bootstrap
  - module: distdb.mysql_ha.group_replication_cut_over
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: The first member has the data of the server that the application uses now
  distdb.mysql_ha.group_replication_provision:
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
  description: V(unchanged), V(clone), V(hold) (only C(skip_replica_start) was missing). On failure V(refuse).
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
  sample: "this server is blank; it gets the data of 192.0.2.140:3306: shop (about 1,011,270 rows, 1.1 GiB, last change 2026-11-25 23:01)"
source:
  description: Host and port of the source, for a replication channel.
  returned: always
  type: dict
  sample: {host: 192.0.2.140, port: 3306}
before:
  description: State of this server before, as M(distdb.mysql_ha.group_replication_bootstrap) returns it.
  returned: always
  type: dict
after:
  description: State of this server after.
  returned: success
  type: dict
statements:
  description: Statements that changed something (in check mode, that would), secrets masked.
  returned: always
  type: list
  elements: str
  sample:
    - SET GLOBAL clone_valid_donor_list = '192.0.2.140:3306'
    - CLONE INSTANCE FROM 'adopt'@'192.0.2.140':3306 IDENTIFIED BY '********' REQUIRE SSL
    - SET PERSIST_ONLY skip_replica_start = 'ON'
error_log:
  description: End of the server's error log.
  returned: when the clone failed
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.operation import execute
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import cluster_options
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.source import source_options
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.provision import Provision


def main() -> None:
    """Entry point."""
    spec = cluster_options()
    spec.update(source_options())
    spec.update(timeout={"type": "int", "default": 86400}, error_log={"type": "path"})
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    execute(module, Provision)


if __name__ == "__main__":
    main()
