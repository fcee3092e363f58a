#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxysql_restart
short_description: Restart or stop ProxySQL once its clients have gone to another proxy
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Refuses new clients with error 1040 (too many connections), so that they go to another proxy, waits until the clients that are connected have gone,
    and restarts the service. A statement that is under way when ProxySQL ends fails at its client.
  - For this it sets C(mysql-max_connections) to 1 in runtime and is that one client. In a ProxySQL cluster, whose other proxies would take this over, it
    closes the ports for clients instead (C(PROXYSQL PAUSE)), which takes about a second for each of ProxySQL's threads; who connects then waits as long.
  - When the time is over it restarts nevertheless; RV(clients) says how many clients were still connected.
  - With O(virtual_addresses) a proxy that is good gets these addresses before. Clients are sent away for less than half a second for this, so that no
    statement is under way when the address goes (in a ProxySQL cluster they are not). When the module ends, however it does, this proxy may have the
    addresses again.
extends_documentation_fragment:
  - distdb.mysql_ha.proxysql
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  state:
    description: V(restarted), or V(stopped) for a proxy that is taken away. Whether it starts at boot is not changed.
    type: str
    choices: [restarted, stopped]
    default: restarted
  service:
    description: Name of ProxySQL's systemd unit on this host.
    type: str
    default: proxysql
  clients_timeout:
    description: Longest time in seconds to wait until all clients have gone.
    type: int
    default: 10
  wait_ready:
    description:
      - Longest time in seconds to wait, after a restart, until ProxySQL answers and has at least as many writers in runtime as before, and until the check
        of a shared address is good again if it was before. When it is over the module fails.
    type: int
    default: 0
  virtual_addresses:
    description: Addresses that this proxy shares with others (C(proxysql_virtual_address) of the role).
    type: list
    elements: str
    default: []
seealso:
  - module: distdb.mysql_ha.proxysql_hostgroup_info
"""

EXAMPLES = r"""
- name: Restart ProxySQL
  distdb.mysql_ha.proxysql_restart:
    login_user: radmin
    login_password: "{{ proxysql_admin_password }}"
    clients_timeout: 30
"""

RETURN = r"""
clients:
  description: Clients that were still connected when ProxySQL was restarted or stopped.
  returned: when it was restarted or stopped
  type: int
  sample: 0
handed_over:
  description: Whether none of O(virtual_addresses) was on this host when ProxySQL was restarted or stopped.
  returned: when it was restarted or stopped
  type: bool
  sample: true
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import (
    HAS_PYMYSQL,
    PYMYSQL_ERROR,
    Admin,
    AdminError,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.clients import Gate
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.ready import Ready
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.specs import connection_spec
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.unit import last_lines
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.virtual import HandOver

VERBS = {"restarted": "restart", "stopped": "stop"}


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            connection_spec(),
            state=dict(type="str", choices=list(VERBS), default="restarted"),
            service=dict(type="str", default="proxysql"),
            clients_timeout=dict(type="int", default=10),
            wait_ready=dict(type="int", default=0),
            virtual_addresses=dict(type="list", elements="str", default=[]),
        ),
        supports_check_mode=True,
    )
    params = module.params
    for option in ("clients_timeout", "wait_ready"):
        if params[option] < 0:
            module.fail_json(msg=f"{option} is {params[option]}; allowed are whole numbers of seconds from 0.")
    restarts = params["state"] == "restarted"
    if not HAS_PYMYSQL:
        module.fail_json(msg=missing_required_lib("PyMySQL"), exception=PYMYSQL_ERROR)
    try:
        with Admin(params) as admin:
            if module.check_mode:
                module.exit_json(changed=True)
            ready = Ready(lambda: Admin(params), admin) if restarts and params["wait_ready"] else None
            gate = Gate(admin)
            hand_over = HandOver(params["virtual_addresses"], module.run_command)
            try:
                if gate.has_peers():
                    # Its ports are closed slowly: the address is gone before.
                    handed_over = hand_over.give(lambda: None)
                    gate.close()
                else:
                    handed_over = hand_over.give(gate.close)
                clients = gate.wait_gone(params["clients_timeout"])
            except AdminError:
                gate.open()
                raise
            code, _out, err = module.run_command(["systemctl", VERBS[params["state"]], params["service"]])
            gate.release()
            hand_over.end()
    except AdminError as error:
        module.fail_json(msg=str(error))
    if code:
        module.fail_json(
            msg=f"{params['service']} could not be {params['state']}: {err.strip()} {last_lines(module.run_command, params['service'])}"
        )
    missing = ready.wait(params["wait_ready"]) if ready else ""
    if missing:
        module.fail_json(
            msg=f"{params['service']} was restarted, and {params['wait_ready']} s later (wait_ready) {missing}.",
            changed=True,
        )
    module.exit_json(changed=True, clients=clients, handed_over=handed_over)


if __name__ == "__main__":
    main()
