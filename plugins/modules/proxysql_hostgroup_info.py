#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxysql_hostgroup_info
short_description: Hostgroups of MySQL groups in ProxySQL, their servers, drift between layers, and what the monitor says
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Reads C(mysql_group_replication_hostgroups) and C(mysql_servers) in memory, runtime and on disk, says where they differ, where the
    monitor has placed each server, and the monitor's last result for it.
  - Nothing is written, and no secret is returned. Of peers, users, rules and variables only the names of what differs are returned.
  - With O(wait_placed) it waits until every server is where it belongs, and fails with the monitor's own error otherwise.
extends_documentation_fragment:
  - distdb.mysql_ha.proxysql
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  writer_hostgroups:
    description: Groups to look at, by their writer hostgroup. Without it, all.
    type: list
    elements: int
  wait_placed:
    description:
      - Longest time in seconds to wait until every server with status ONLINE in memory is where it belongs by the monitor's last check.
      - With V(0) there is no waiting, and servers in the wrong place are no failure.
    type: int
    default: 0
  allow_no_writer:
    description: Whether servers are where they belong although none of them is a writer, as in a group that takes no writes for a while.
    type: bool
    default: false
  checksums:
    description:
      - What RV(checksums) is to be, usually that of another proxy of a cluster. The answer is RV(checksums_differ). Names that only one side
        knows do not count.
    type: dict
  wait_checksums:
    description: Longest time in seconds to wait until O(checksums) is what this proxy has. When it is over, RV(checksums_differ) says what is not.
    type: int
    default: 0
  unreachable_ok:
    description:
      - Whether an admin interface that does not answer, or refuses the credentials, or a host without PyMySQL, is an answer instead of
        a failure. See RV(reachable), RV(denied) and RV(error).
    type: bool
    default: false
  wait_reachable:
    description:
      - Longest time in seconds to wait until the admin interface answers, if only to refuse the credentials. When it is over the task fails.
      - With V(0) it is tried once.
    type: int
    default: 0
  service:
    description:
      - Name of ProxySQL's systemd unit on this host. With O(wait_reachable), the task fails as soon as the unit has ended, with the last lines
        that it wrote.
    type: str
  client_ca:
    description:
      - Path on this host of the CAs that clients trust, to see what they make of the certificate that ProxySQL shows. Nothing is looked at without such a
        file.
    type: path
  probe_members:
    description:
      - Database servers to ask for their version from this host, as C(host), C(host:port) or C([IPv6 address]:port). No account is needed.
    type: list
    elements: str
    default: []
seealso:
  - module: distdb.mysql_ha.proxysql_config
  - module: distdb.mysql_ha.proxysql_hostgroup
"""

EXAMPLES = r"""
- name: Wait until applications can connect
  distdb.mysql_ha.proxysql_hostgroup_info:
    login_user: radmin
    login_password: "{{ proxysql_admin_password }}"
    wait_placed: 60

- name: Which ProxySQL and which MySQL are these
  distdb.mysql_ha.proxysql_hostgroup_info:
    login_user: radmin
    login_password: "{{ proxysql_admin_password }}"
    unreachable_ok: true
    probe_members: [192.0.2.130, "192.0.2.131:3306"]
"""

RETURN = r"""
reachable:
  description: Whether the admin interface answered with these credentials.
  returned: always
  type: bool
  sample: true
denied:
  description: Whether the admin interface answered and refused the credentials.
  returned: always
  type: bool
  sample: false
error:
  description: Why the admin interface could not be read, or V("").
  returned: always
  type: str
  sample: ''
proxysql_version:
  description: Version of ProxySQL.
  returned: when reachable
  type: str
  sample: 3.0.6-percona-1.1
memory: &layer
  description: Groups in this layer, each with its columns and its servers.
  returned: when reachable
  type: list
  elements: dict
  sample:
    - writer_hostgroup: 2
      backup_writer_hostgroup: 4
      reader_hostgroup: 3
      offline_hostgroup: 1
      active: true
      max_writers: 3
      writer_is_also_reader: 1
      max_transactions_behind: 100
      comment: ''
      servers:
        - {hostgroup: 2, hostname: 192.0.2.130, port: 3306, status: ONLINE, weight: 1, gtid_port: 0, compression: 0, max_connections: 1000,
           max_replication_lag: 0, use_ssl: false, max_latency_ms: 0, comment: ''}
runtime:
  description: As RV(memory), for runtime. Servers are as at the last C(LOAD); see RV(placement) for where they are now.
  returned: when reachable
  type: list
  elements: dict
disk:
  description: As RV(memory), on disk.
  returned: when reachable
  type: list
  elements: dict
drift:
  description:
    - For each part of the configuration, the differences between memory and runtime, and memory and disk. Names only, never values.
  returned: when reachable
  type: dict
  sample:
    mysql_servers: {runtime: [], disk: ["192.0.2.132:3306"]}
    mysql_users: {runtime: [], disk: []}
    mysql_variables: {runtime: [mysql-monitor_password], disk: []}
placement:
  description: Where the monitor has each server now, and its last result for it.
  returned: when reachable
  type: list
  elements: dict
  sample:
    - hostname: 192.0.2.130
      port: 3306
      writer_hostgroup: 2
      hostgroups: [{hostgroup: 2, role: writer, status: ONLINE}, {hostgroup: 3, role: reader, status: ONLINE}]
      check: {viable_candidate: true, read_only: false, transactions_behind: 0, error: '', checked_at: 1782000000.5}
      ping_error: ''
checksums:
  description: Checksum of each part of the configuration at runtime, by which proxies of a cluster know whether theirs are the same.
  returned: when reachable
  type: dict
  sample: {mysql_users: "0x0ED7B6C1D5A3B1AA", mysql_servers_v2: "0x23A5C06CA6D1F5E0"}
checksums_differ:
  description: Parts whose checksum is not the one in O(checksums).
  returned: when reachable and O(checksums) is given
  type: list
  elements: str
  sample: []
problems:
  description: Why servers are not where they belong, one sentence each; empty when all are.
  returned: when reachable
  type: list
  elements: str
  sample: []
certificate:
  description: >-
    What clients that trust O(client_ca) see - C(expires) and C(ca_expires), when the certificate and its CA's end in seconds since 1970, or C(problem), why
    they refuse it. Null without such a file.
  returned: when reachable
  type: dict
  sample: {expires: 1813500000, ca_expires: 2097500000, problem: ""}
member_versions:
  description: Version of each server of O(probe_members) that answered.
  returned: always
  type: dict
  sample: {"192.0.2.130:3306": "8.4.6"}
member_errors:
  description: Why a server of O(probe_members) did not answer.
  returned: always
  type: dict
  sample: {"192.0.2.131:3306": "[Errno 111] Connection refused"}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import parse_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import (
    HAS_PYMYSQL,
    PYMYSQL_ERROR,
    AdminError,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.greeting import server_version
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.look import read_all, wait_reachable
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import show_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.specs import connection_spec


def ask_members(module: Any) -> dict[str, Any]:
    params, versions, errors = module.params, {}, {}
    try:
        members = [parse_address(text, option="probe_members") for text in params["probe_members"]]
    except Refusal as error:
        module.fail_json(msg=str(error))
    for host, port in members:
        name = show_address((host, port))
        try:
            versions[name] = server_version(host, port, params["connect_timeout"])
        except OSError as error:
            errors[name] = str(error)
    return dict(member_versions=versions, member_errors=errors)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            connection_spec(),
            writer_hostgroups=dict(type="list", elements="int"),
            wait_placed=dict(type="int", default=0),
            allow_no_writer=dict(type="bool", default=False),
            checksums=dict(type="dict"),
            wait_checksums=dict(type="int", default=0),
            unreachable_ok=dict(type="bool", default=False),
            wait_reachable=dict(type="int", default=0),
            service=dict(type="str"),
            probe_members=dict(type="list", elements="str", default=[]),
            client_ca=dict(type="path"),
        ),
        supports_check_mode=True,
    )
    params = module.params
    for name in ("wait_placed", "wait_checksums", "wait_reachable"):
        if params[name] < 0:
            module.fail_json(msg=f"{name} is {params[name]}; allowed are whole numbers of seconds from 0.")
    result = dict(changed=False, reachable=False, denied=False, error="", **ask_members(module))
    if not HAS_PYMYSQL:
        if not params["unreachable_ok"]:
            module.fail_json(msg=missing_required_lib("PyMySQL"), exception=PYMYSQL_ERROR)
        result["error"] = missing_required_lib("PyMySQL")
        module.exit_json(**result)
    try:
        if params["wait_reachable"]:
            wait_reachable(params, module.run_command)
        result.update(read_all(params), reachable=True)
    except AdminError as error:
        if not params["unreachable_ok"] or error.kind not in ("denied", "unreachable"):
            module.fail_json(msg=str(error))
        result.update(denied=error.kind == "denied", error=str(error))
    if params["wait_placed"] and result.get("problems"):
        reasons = "; ".join(result["problems"])
        module.fail_json(
            msg=f"After {params['wait_placed']} s (wait_placed) not every server is where it belongs. {reasons}.",
            problems=result["problems"],
            placement=result["placement"],
            proxysql_version=result["proxysql_version"],
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
