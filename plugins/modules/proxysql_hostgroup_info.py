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
  - Nothing is written, and no secret is returned. Of users, rules and variables only the names of what differs are returned.
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
  probe_members:
    description:
      - Database servers to ask for their version from this host, as C(host), C(host:port) or C([IPv6 address]:port). No account is needed.
    type: list
    elements: str
    default: []
  compare:
    description:
      - What memory is to hold of variables, users and query rules. The answer is RV(differs).
      - Columns and variables that are not mentioned do not count.
    type: dict
    suboptions:
      variables:
        description: Variables by their full name, such as C(mysql-monitor_username).
        type: dict
      secret_variables:
        description: The same for variables whose value is a secret.
        type: dict
      users:
        description: Rows of C(mysql_users) by O(compare.users[].username), with the columns as options and C(state).
        type: list
        elements: dict
        suboptions:
          username:
            description: Name of the user.
            type: str
            required: true
          password:
            description: Password or hash.
            type: str
          active:
            description: Column of the same name.
            type: bool
          use_ssl:
            description: Column of the same name.
            type: bool
          default_hostgroup:
            description: Column of the same name.
            type: int
          default_schema:
            description: Column of the same name.
            type: str
          transaction_persistent:
            description: Column of the same name.
            type: bool
          fast_forward:
            description: Column of the same name.
            type: bool
          backend:
            description: Column of the same name.
            type: bool
          frontend:
            description: Column of the same name.
            type: bool
          max_connections:
            description: Column of the same name.
            type: int
          state:
            description: Whether the row is to be there.
            type: str
            choices: [present, absent]
      peers:
        description: All rows of C(proxysql_servers), as the option C(peers) of M(distdb.mysql_ha.proxysql_peers).
        type: list
        elements: dict
        suboptions:
          hostname:
            description: Column of the same name.
            type: str
            required: true
          port:
            description: Column of the same name.
            type: int
            default: 6032
          weight:
            description: Column of the same name.
            type: int
            default: 0
          comment:
            description: Column of the same name.
            type: str
            default: ''
      query_rules:
        description: Rows of C(mysql_query_rules) by C(rule_id), with the columns as keys and C(state).
        type: list
        elements: dict
      query_rules_comment:
        description: Rules whose comment begins with this and that O(compare.query_rules) does not list are in C(leftover_rules) of RV(differs).
        type: str
seealso:
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
    - For each part of the configuration, what differs between memory and runtime, and memory and disk. Names only, never values.
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
differs:
  description:
    - What memory does not hold as O(compare) says, names of variables, positions in the lists of users and rules, left over rules, and
      peers by their address.
  returned: when reachable and O(compare) is given
  type: dict
  sample: {variables: [mysql-monitor_username], users: [0], query_rules: [], leftover_rules: [], peers: []}
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
member_versions:
  description: Version of each server of O(probe_members) that answered.
  returned: always
  type: dict
  sample: {"192.0.2.130:3306": "8.4.6"}
member_errors:
  description: Why a server of O(probe_members) could not be asked.
  returned: always
  type: dict
  sample: {"192.0.2.131:3306": "[Errno 111] Connection refused"}
"""

import time

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.distdb.mysql_ha.plugins.module_utils.proxysql_admin import (
    HAS_PYMYSQL,
    MODULES,
    PYMYSQL_ERROR,
    Admin,
    AdminError,
    compare_memory,
    connection_argument_spec,
    peers_argument_spec,
    read_checks,
    read_checksums,
    read_drift,
    read_facts,
    read_ping_errors,
    read_placed,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils.proxysql_greeting import server_version
from ansible_collections.distdb.mysql_ha.plugins.module_utils.proxysql_placement import (
    Check,
    parse_members,
    placement_problems,
    problem_sentence,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils.proxysql_plan import collapse, show_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils.proxysql_unit import last_lines, unit_state


def show_layer(layer, writers):
    shown = []
    for writer in sorted(layer.groups):
        if writers is not None and writer not in writers:
            continue
        group = layer.groups[writer]
        row = group._asdict()
        row["active"] = bool(group.active)
        row["servers"] = []
        for key in sorted(layer.servers):
            if key[0] in group.numbers:
                server = dict(layer.servers[key]._asdict(), hostgroup=key[0], hostname=key[1], port=key[2])
                server["use_ssl"] = bool(server["use_ssl"])
                row["servers"].append(server)
        shown.append(dict(row))
    return shown


def hostgroup_drift(facts):
    """What differs between the layers in the two tables of the group, by name."""
    memory, runtime, disk, writers = (
        facts.memory,
        facts.runtime,
        facts.disk,
        sorted(set(facts.memory.groups) | set(facts.runtime.groups)),
    )
    numbers = {key[0] for layer in (memory, runtime) for key in layer.servers}
    here, there = collapse(memory, writers, numbers), collapse(runtime, writers, numbers)

    def groups(other):
        both = set(memory.groups) | set(other.groups)
        return [str(writer) for writer in sorted(both) if memory.groups.get(writer) != other.groups.get(writer)]

    keys = set(memory.servers) | set(disk.servers)
    return dict(
        mysql_group_replication_hostgroups=dict(runtime=groups(runtime), disk=groups(disk)),
        mysql_servers=dict(
            runtime=sorted(
                {show_address(key[2:]) for key in set(here) | set(there) if here.get(key) != there.get(key)}
            ),
            disk=sorted({show_address(key[1:]) for key in keys if memory.servers.get(key) != disk.servers.get(key)}),
        ),
    )


def read_placement(admin, memory, writers):
    placed, checks, pings = read_placed(admin), read_checks(admin), read_ping_errors(admin)
    plain = {
        address: Check(row["viable_candidate"], row["read_only"], row["transactions_behind"], row["error"])
        for address, row in checks.items()
    }
    problems = [problem_sentence(problem) for problem in placement_problems(memory, placed, plain, pings, writers)]
    shown = {}
    for writer in sorted(memory.groups):
        if writers is not None and writer not in writers:
            continue
        group = memory.groups[writer]
        for key, row in sorted(placed.items()):
            role = group.role_of(key[0])
            if role:
                entry = shown.setdefault(
                    key[1:],
                    dict(
                        hostname=key[1],
                        port=key[2],
                        writer_hostgroup=writer,
                        hostgroups=[],
                        check=checks.get(key[1:]),
                        ping_error=pings.get(key[1:], ""),
                    ),
                )
                entry["hostgroups"].append(dict(hostgroup=key[0], role=role, status=row.status))
    return [shown[address] for address in sorted(shown)], problems


def differing(wanted, found):
    return sorted(name for name in set(wanted) & set(found) if wanted[name] != found[name])


def settle(ask, seconds):
    """(answer, what is missing) of ask(), which is asked again until nothing is missing or the seconds are over."""
    deadline = time.monotonic() + seconds
    while True:
        answer, missing = ask()
        if not missing or time.monotonic() >= deadline:
            return answer, missing
        time.sleep(0.2)


def wait_reachable(module):
    """Until the admin interface answers; a unit that has ended is not waited for."""
    params = module.params
    deadline = time.monotonic() + params["wait_reachable"]
    while True:
        try:
            with Admin(params):
                return
        except AdminError as error:
            if error.kind == "denied":
                return
            reason = str(error)
        state = unit_state(module.run_command, params["service"]) if params["service"] else None
        if state and state.ended:
            module.fail_json(msg="{0} {1}".format(state, last_lines(module.run_command, params["service"])))
        if time.monotonic() >= deadline:
            module.fail_json(
                msg="{0} It was waited for {1} s (wait_reachable).".format(reason, params["wait_reachable"])
            )
        time.sleep(0.2)


def read_all(params):
    writers = params["writer_hostgroups"]
    with Admin(params) as admin:
        facts = read_facts(admin)
        wanted = params["checksums"] or {}

        def compared():
            checksums = read_checksums(admin)
            return checksums, differing(wanted, checksums)

        placement, problems = settle(lambda: read_placement(admin, facts.memory, writers), params["wait_placed"])
        checksums, differ = settle(compared, params["wait_checksums"])
        return dict(
            proxysql_version=admin.version,
            checksums=checksums,
            checksums_differ=differ,
            memory=show_layer(facts.memory, writers),
            runtime=show_layer(facts.runtime, writers),
            disk=show_layer(facts.disk, writers),
            drift=dict(hostgroup_drift(facts), **read_drift(admin, sorted(MODULES))),
            placement=placement,
            problems=problems,
            differs=compare_memory(admin, params["compare"]) if params["compare"] else {},
        )


def main():
    module = AnsibleModule(
        argument_spec=dict(
            connection_argument_spec(),
            writer_hostgroups=dict(type="list", elements="int"),
            wait_placed=dict(type="int", default=0),
            checksums=dict(type="dict"),
            wait_checksums=dict(type="int", default=0),
            unreachable_ok=dict(type="bool", default=False),
            wait_reachable=dict(type="int", default=0),
            service=dict(type="str"),
            probe_members=dict(type="list", elements="str", default=[]),
            compare=dict(
                type="dict",
                options=dict(
                    variables=dict(type="dict", no_log=False),
                    secret_variables=dict(type="dict", no_log=True),
                    users=dict(
                        type="list",
                        elements="dict",
                        no_log=False,
                        options=dict(
                            username=dict(type="str", required=True),
                            password=dict(type="str", no_log=True),
                            active=dict(type="bool"),
                            use_ssl=dict(type="bool"),
                            default_hostgroup=dict(type="int"),
                            default_schema=dict(type="str"),
                            transaction_persistent=dict(type="bool"),
                            fast_forward=dict(type="bool"),
                            backend=dict(type="bool"),
                            frontend=dict(type="bool"),
                            max_connections=dict(type="int"),
                            state=dict(type="str", choices=["present", "absent"]),
                        ),
                    ),
                    peers=peers_argument_spec(),
                    query_rules=dict(type="list", elements="dict"),
                    query_rules_comment=dict(type="str"),
                ),
            ),
        ),
        supports_check_mode=True,
    )
    params = module.params
    for name in ("wait_placed", "wait_checksums", "wait_reachable"):
        if params[name] < 0:
            module.fail_json(msg="{0} is {1}; allowed are whole numbers of seconds from 0.".format(name, params[name]))
    result = dict(changed=False, reachable=False, denied=False, error="", member_versions={}, member_errors={})
    try:
        members = parse_members(params["probe_members"])
    except ValueError as error:
        module.fail_json(msg="probe_members: {0}".format(error))
    for address in members:
        try:
            result["member_versions"][show_address(address)] = server_version(
                address[0], address[1], params["connect_timeout"]
            )
        except OSError as error:
            result["member_errors"][show_address(address)] = str(error)
    if not HAS_PYMYSQL:
        if not params["unreachable_ok"]:
            module.fail_json(msg=missing_required_lib("PyMySQL"), exception=PYMYSQL_ERROR)
        result["error"] = missing_required_lib("PyMySQL")
        module.exit_json(**result)
    try:
        if params["wait_reachable"]:
            wait_reachable(module)
        result.update(read_all(params), reachable=True)
    except AdminError as error:
        if not params["unreachable_ok"] or error.kind not in ("denied", "unreachable"):
            module.fail_json(msg=str(error))
        result.update(denied=error.kind == "denied", error=str(error))
    if params["wait_placed"] and result.get("problems"):
        module.fail_json(
            msg="After {0} s (wait_placed) not every server is where it belongs. {1}.".format(
                params["wait_placed"], "; ".join(result["problems"])
            ),
            problems=result["problems"],
            placement=result["placement"],
            proxysql_version=result["proxysql_version"],
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
