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
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  writer_hostgroup:
    description: Number of the writer hostgroup, 0 or more. It names the group.
    type: int
  backup_writer_hostgroup:
    description: Number of the hostgroup for writers beyond O(max_writers), 0 or more. Needed with O(state=present).
    type: int
  reader_hostgroup:
    description: Number of the reader hostgroup, 1 or more. Needed with O(state=present).
    type: int
  offline_hostgroup:
    description: Number of the hostgroup for members that are not ONLINE, 0 or more. Needed with O(state=present).
    type: int
  active:
    description: Whether ProxySQL monitors the group and moves its servers.
    type: bool
    default: true
  max_writers:
    description: Largest number of servers in the writer hostgroup.
    type: int
    default: 1
  writer_is_also_reader:
    description:
      - V(0), a writer is not in the reader hostgroup; V(1), it is; V(2), only backup writers are, if there are any.
    type: int
    choices: [0, 1, 2]
    default: 0
  max_transactions_behind:
    description: Number of transactions waiting in a member's applier queue above which ProxySQL shuns it.
    type: int
    default: 0
  comment:
    description: One line of text.
    type: str
    default: ''
  servers:
    description:
      - The group's servers. Columns that are not given get their default.
      - Without this option the task says nothing about servers.
    type: list
    elements: dict
    suboptions: &servers
      hostname:
        description: Host name, IPv4 or IPv6 address, or path of a socket. An IPv6 address is kept without brackets, in its short form.
        type: str
        required: true
      port:
        description: Port, 1 to 65535. With the path of a socket it is 0. By default V(3306).
        type: int
      gtid_port:
        description: Port of ProxySQL's binlog reader on that server, V(0) for none.
        type: int
        default: 0
      status:
        description:
          - V(OFFLINE_SOFT) drains the server, open transactions end, nothing new is sent to it.
          - V(OFFLINE_HARD) cuts it off.
        type: str
        choices: [ONLINE, OFFLINE_SOFT, OFFLINE_HARD]
        default: ONLINE
      weight:
        description: Share of the traffic relative to others, 0 to 10000000.
        type: int
        default: 1
      compression:
        description: Whether connections to the server are compressed, 0 or 1.
        type: int
        default: 0
      max_connections:
        description: Largest number of connections to the server.
        type: int
        default: 1000
      max_replication_lag:
        description: Replication lag in seconds above which ProxySQL shuns the server, V(0) for no limit.
        type: int
        default: 0
      use_ssl:
        description: Whether connections to the server use TLS.
        type: bool
        default: false
      max_latency_ms:
        description: Ping time in milliseconds above which the server gets no traffic, V(0) for no limit.
        type: int
        default: 0
      comment:
        description: One line of text.
        type: str
        default: ''
  exclusive:
    description:
      - Whether servers of this group that O(servers) does not list are removed.
      - If V(false), they stay as they are.
    type: bool
    default: false
  servers_hostgroup:
    description:
      - In which of the group's hostgroups the servers are kept in memory and on disk.
      - ProxySQL uses this place when it starts, and at a C(LOAD) from elsewhere, until its monitor's first check.
      - V(auto) is the writer hostgroup if all servers may be writers (O(max_writers)) or O(active=false), else the reader hostgroup,
        so that no write reaches a read-only member.
    type: str
    choices: [auto, writer, backup_writer, reader, offline]
    default: auto
  state:
    description:
      - V(present), the group is as the task says.
      - V(absent), the group and its servers are gone. Only O(writer_hostgroup) is needed.
    type: str
    choices: [present, absent]
    default: present
  keep_servers:
    description: With O(state=absent), leaves the servers as plain servers of the hostgroup they are configured in.
    type: bool
    default: false
  hostgroups:
    description:
      - Many groups in one task, each with the options above. Either this or O(writer_hostgroup).
    type: list
    elements: dict
    suboptions:
      writer_hostgroup:
        description: See O(writer_hostgroup).
        type: int
        required: true
      backup_writer_hostgroup:
        description: See O(backup_writer_hostgroup).
        type: int
      reader_hostgroup:
        description: See O(reader_hostgroup).
        type: int
      offline_hostgroup:
        description: See O(offline_hostgroup).
        type: int
      active:
        description: See O(active).
        type: bool
        default: true
      max_writers:
        description: See O(max_writers).
        type: int
        default: 1
      writer_is_also_reader:
        description: See O(writer_is_also_reader).
        type: int
        choices: [0, 1, 2]
        default: 0
      max_transactions_behind:
        description: See O(max_transactions_behind).
        type: int
        default: 0
      comment:
        description: See O(comment).
        type: str
        default: ''
      servers:
        description: See O(servers).
        type: list
        elements: dict
        suboptions: *servers
      exclusive:
        description: See O(exclusive).
        type: bool
        default: false
      servers_hostgroup:
        description: See O(servers_hostgroup).
        type: str
        choices: [auto, writer, backup_writer, reader, offline]
        default: auto
      state:
        description: See O(state).
        type: str
        choices: [present, absent]
        default: present
      keep_servers:
        description: See O(keep_servers).
        type: bool
        default: false
  drain_timeout:
    description:
      - Longest time in seconds to wait until a server's used connections are gone, before it is removed and with O(wait_drained).
      - When it is over a removal fails and everything is put back.
      - With V(0) a server is removed at once; statements that run on it fail.
    type: int
    default: 30
  wait_drained:
    description: Whether the task waits until no connection to a server with status V(OFFLINE_SOFT) is in use.
    type: bool
    default: false
  allow_no_writer:
    description: Whether a change may leave a group that has an ONLINE writer without one. Otherwise it is refused.
    type: bool
    default: false
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
