#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxysql_peers
short_description: The peers of ProxySQL's own cluster
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Makes C(proxysql_servers) hold the listed peers and nobody else. Peers copy each other's servers, users, rules and variables once one of
    them has loaded something new.
  - Memory, runtime and disk are compared each by itself. C(LOAD) is issued only if runtime differs, C(SAVE) only if disk differs.
  - When memory cannot be written, it is put back to what it was.
extends_documentation_fragment:
  - distdb.mysql_ha.proxysql
  - distdb.mysql_ha.proxysql.layers
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  peers:
    description: All proxies of the cluster, this one among them; an empty list for none.
    type: list
    elements: dict
    required: true
    suboptions:
      hostname:
        description: Host name or address at which the peer's admin interface is reached from the other peers.
        type: str
        required: true
      port:
        description: Port of the peer's admin interface, 1 to 65535.
        type: int
        default: 6032
      weight:
        description: Kept by ProxySQL and not used so far, 0 or more.
        type: int
        default: 0
      comment:
        description: One line of text.
        type: str
        default: ''
seealso:
  - module: distdb.mysql_ha.proxysql_hostgroup_info
  - name: ProxySQL's cluster
    description: How peers find and copy each other's configuration.
    link: https://proxysql.com/documentation/proxysql-cluster/
"""

EXAMPLES = r"""
- name: Two proxies that copy each other's configuration
  distdb.mysql_ha.proxysql_peers:
    login_user: radmin
    login_password: "{{ proxysql_admin_password }}"
    peers:
      - hostname: 192.0.2.129
      - hostname: 192.0.2.128
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
  description: The writing statements that were issued, or would be in check mode.
  returned: always
  type: list
  elements: str
  sample: ["INSERT INTO proxysql_servers (hostname,port,weight,comment) VALUES ('192.0.2.129',6032,0,'')", "LOAD PROXYSQL SERVERS TO RUNTIME"]
proxysql_version:
  description: Version of the ProxySQL that answered.
  returned: always
  type: str
  sample: 3.0.6-percona-1.1
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils.proxysql_admin import (
    Admin,
    AdminError,
    connection_argument_spec,
    execute,
    peers_argument_spec,
    read_peers,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils.proxysql_plan import (
    rewrite_peers,
    show_address,
    wish_peers,
)

LAYERS = (
    ("memory", "main.proxysql_servers"),
    ("runtime", "runtime_proxysql_servers"),
    ("disk", "disk.proxysql_servers"),
)


def carry_out(admin, before, wanted, moves):
    written = False
    try:
        for statement in rewrite_peers(before, wanted):
            written = True
            admin.execute(statement)
    except AdminError as error:
        if not written:
            raise
        try:
            for statement in rewrite_peers(read_peers(admin, LAYERS[0][1]), before):
                admin.execute(statement)
        except AdminError:
            raise AdminError(
                error.kind, "{0} Memory could not be put back; run the task again.".format(error)
            ) from error
        raise AdminError(error.kind, "{0} Memory was put back to what it was.".format(error)) from error
    for statement in moves:
        admin.execute(statement)


def run(module):
    params = module.params
    wanted = wish_peers(params["peers"])
    with Admin(params) as admin:
        found = {layer: read_peers(admin, table) for layer, table in LAYERS}
        compared = dict(memory=True, runtime=params["load_to_runtime"], disk=params["save_to_disk"])
        differs = {layer: compared[layer] and rows != wanted for layer, rows in found.items()}
        moves = ["LOAD PROXYSQL SERVERS TO RUNTIME"] * differs["runtime"] + ["SAVE PROXYSQL SERVERS TO DISK"] * differs[
            "disk"
        ]
        if not module.check_mode:
            carry_out(admin, found["memory"], wanted, moves)
    result = {"{0}_changed".format(layer): differs[layer] for layer in differs}
    result.update(
        changed=any(differs.values()),
        statements=rewrite_peers(found["memory"], wanted) + moves,
        proxysql_version=admin.version,
    )
    if module._diff and result["changed"]:
        result["diff"] = [
            dict(before_header=layer, after_header=layer, before=describe(found[layer]), after=describe(wanted))
            for layer in differs
            if differs[layer]
        ]
    return result


def describe(peers):
    return "".join(
        "peer {0} weight={1} comment={2!r}\n".format(show_address(address), weight, comment)
        for address, (weight, comment) in sorted(peers.items())
    )


def main():
    module = AnsibleModule(
        argument_spec=dict(
            connection_argument_spec(),
            peers=dict(peers_argument_spec(), required=True),
            load_to_runtime=dict(type="bool", default=True),
            save_to_disk=dict(type="bool", default=True),
        ),
        supports_check_mode=True,
    )
    execute(module, run)


if __name__ == "__main__":
    main()
