#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxysql_hostgroup
short_description: Hostgroups of a MySQL group in ProxySQL, with their servers
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Manages rows of C(mysql_group_replication_hostgroups), ProxySQL's table for MySQL Group Replication, and the servers of these groups.
  - A group is known by its O(writer_hostgroup). All its other columns are made what the task says, or their default.
  - Memory, runtime and disk are compared each by itself. C(LOAD) is issued only if runtime differs, C(SAVE) only if disk differs. A run
    that finds nothing to do writes nothing.
  - Servers are compared with runtime as they were at the last C(LOAD), not by where ProxySQL's monitor has placed them since.
  - A C(LOAD) leaves every server where the monitor has placed it. A new server waits in the offline hostgroup for the monitor's first
    check. A server that is removed is drained first.
  - Either everything is done or nothing. On failure memory is put back, and runtime too if it was loaded.
notes:
  - C(LOAD) and C(SAVE) are for the whole table. Rows of others that were in memory but not loaded are taken along; a warning names them.
  - From C(LOAD) to the end of the task memory holds the places that the monitor found, then again where each server is configured.
  - Two tasks that write to the same ProxySQL at the same time can undo each other's rows, as with any client of the admin interface.
extends_documentation_fragment:
  - distdb.mysql_ha.proxysql
  - distdb.mysql_ha.proxysql.layers
  - distdb.mysql_ha.proxysql.hostgroup
  - distdb.mysql_ha.proxysql.hostgroups
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  hostgroups:
    description: Many groups in one task, each with the options above. Either this or O(writer_hostgroup).
  reload:
    description:
      - Whether runtime is loaded even if it does not differ. A peer of ProxySQL's cluster takes over only what was loaded since the start.
      - Such a task reports a change every time.
    type: bool
    default: false
seealso:
  - module: distdb.mysql_ha.proxysql_config
  - module: distdb.mysql_ha.proxysql_hostgroup_info
  - name: ProxySQL's tables
    description: Columns and their meaning.
    link: https://proxysql.com/documentation/main-runtime/
"""

EXAMPLES = r"""
- name: Three members, all of them writers
  distdb.mysql_ha.proxysql_hostgroup:
    login_user: radmin
    login_password: "{{ proxysql_admin_password }}"
    writer_hostgroup: 2
    backup_writer_hostgroup: 4
    reader_hostgroup: 3
    offline_hostgroup: 1
    max_writers: 3
    writer_is_also_reader: 1
    max_transactions_behind: 100
    servers:
      - hostname: 192.0.2.130
      - hostname: 192.0.2.131
      - hostname: 192.0.2.132
        weight: 10
    exclusive: true

- name: Take one server out of service and wait until nobody uses it
  distdb.mysql_ha.proxysql_hostgroup:
    login_user: radmin
    login_password: "{{ proxysql_admin_password }}"
    writer_hostgroup: 2
    backup_writer_hostgroup: 4
    reader_hostgroup: 3
    offline_hostgroup: 1
    max_writers: 3
    writer_is_also_reader: 1
    max_transactions_behind: 100
    servers:
      - hostname: 192.0.2.130
        status: OFFLINE_SOFT
    wait_drained: true
    drain_timeout: 60

- name: Two groups in one task
  distdb.mysql_ha.proxysql_hostgroup:
    config_file: /root/.proxysql.cnf
    hostgroups:
      - {writer_hostgroup: 2, backup_writer_hostgroup: 4, reader_hostgroup: 3, offline_hostgroup: 1}
      - {writer_hostgroup: 12, backup_writer_hostgroup: 14, reader_hostgroup: 13, offline_hostgroup: 11}

- name: Remove a group and its servers
  distdb.mysql_ha.proxysql_hostgroup:
    login_user: radmin
    login_password: "{{ proxysql_admin_password }}"
    writer_hostgroup: 12
    state: absent
"""

RETURN = r"""
memory_changed:
  description: Whether memory differed from what the task says.
  returned: always
  type: bool
  sample: true
runtime_changed:
  description: Whether runtime differed and was loaded, or would be in check mode.
  returned: always
  type: bool
  sample: true
disk_changed:
  description: Whether disk differed and was saved, or would be in check mode.
  returned: always
  type: bool
  sample: true
statements:
  description: The writing statements that were issued, or would be in check mode. There are no secrets in these tables.
  returned: always
  type: list
  elements: str
  sample: ["INSERT INTO mysql_group_replication_hostgroups (…) VALUES (2,4,3,1,1,3,1,100,'')", "LOAD MYSQL SERVERS TO RUNTIME"]
proxysql_version:
  description: Version of the ProxySQL that answered.
  returned: always
  type: str
  sample: 3.0.6-percona-1.1
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import conclude
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import PYMYSQL_ERROR, Admin
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.config import GroupOptions, finish, plan_groups
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.parts import Layers
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.specs import (
    connection_spec,
    group_spec,
    layers_spec,
)


def run(module: Any) -> dict[str, Any]:
    params = module.params
    entries = params["hostgroups"] if params["hostgroups"] is not None else [params]
    options = GroupOptions(params["drain_timeout"], params["wait_drained"], params["allow_no_writer"], params["reload"])
    with Admin(params) as admin:
        part = plan_groups(admin, entries, options, Layers(params["load_to_runtime"], params["save_to_disk"]))
        return finish(module, admin, [part], options.drain_timeout)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            connection_spec(),
            **group_spec(False),
            **layers_spec(),
            hostgroups=dict(type="list", elements="dict", options=group_spec(True)),
            drain_timeout=dict(type="int", default=30),
            wait_drained=dict(type="bool", default=False),
            allow_no_writer=dict(type="bool", default=False),
            reload=dict(type="bool", default=False),
        ),
        supports_check_mode=True,
        mutually_exclusive=[("hostgroups", "writer_hostgroup")],
        required_one_of=[("hostgroups", "writer_hostgroup")],
    )
    conclude(module, lambda: run(module), pymysql_error=PYMYSQL_ERROR)


if __name__ == "__main__":
    main()
