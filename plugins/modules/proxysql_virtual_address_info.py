#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxysql_virtual_address_info
short_description: Whether this host has the address that proxies share, and what its check says
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Looks at the addresses of this host, and at what the role P(distdb.mysql_ha.proxysql#role) has put there for C(proxysql_virtual_address).
  - Changes nothing. Needs C(ip) of iproute2.
options:
  addresses:
    description: The shared addresses, with or without a prefix.
    type: list
    elements: str
    default: []
  own:
    description: The host's own address, by which the other proxies reach it. Without it, no interface is looked for.
    type: str
    default: ""
  interface:
    description: The interface that the shared addresses are to be on. Without it, the one that has O(own).
    type: str
    default: ""
  wait_good:
    description: Longest time in seconds to wait until the check says that this host's ProxySQL is good. When it is over, RV(state) says why it is not.
    type: int
    default: 0
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.looks
seealso:
  - module: distdb.mysql_ha.proxysql_hostgroup_info
"""

EXAMPLES = r"""
- name: See whether this proxy has the address
  distdb.mysql_ha.proxysql_virtual_address_info:
    addresses: [192.0.2.10]
  register: seen
"""

RETURN = r"""
held:
  description: Those of O(addresses) that this host has now, without their prefix.
  returned: success
  type: list
  elements: str
  sample: [192.0.2.10]
interface:
  description: The interface for the shared addresses; V("") where there is a problem, or O(own) is not given.
  returned: success
  type: str
  sample: eth0
problems:
  description: Why this host cannot have the addresses, one sentence each.
  returned: success
  type: list
  elements: str
  sample: []
keepalived:
  description: Path of keepalived; V("") where it is not installed.
  returned: success
  type: str
  sample: /usr/sbin/keepalived
configured:
  description: Whether the role has configured a shared address on this host.
  returned: success
  type: bool
  sample: true
outdated:
  description: Of C(check), C(unit) and C(conf), what was started by other files than there are now. All of them where nothing is configured.
  returned: success
  type: list
  elements: str
  sample: []
state:
  description: What the check said last - C(value), 0 where this host's ProxySQL is good, and C(reason). Empty where there is no check.
  returned: success
  type: dict
  sample: {value: 0, reason: ""}
"""

import os
import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.virtual import (
    check_state,
    held,
    interface_of,
    interfaces,
    local_addresses,
    outdated,
)

UNITS = ("/etc/systemd/system/proxysql-address-check.service", "/etc/systemd/system/proxysql-address.service")


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            addresses=dict(type="list", elements="str", default=[]),
            own=dict(type="str", default=""),
            interface=dict(type="str", default=""),
            wait_good=dict(type="int", default=0),
        ),
        supports_check_mode=True,
    )
    params = module.params
    deadline = time.monotonic() + params["wait_good"]
    while (state := check_state()).get("value") != 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    links = interfaces(module.run_command)
    interface, problem = "", ""
    if params["own"]:
        interface, problem = interface_of(params["own"], params["interface"], links)
    module.exit_json(
        changed=False,
        held=held(params["addresses"], local_addresses(links)),
        interface=interface,
        problems=[problem] if problem else [],
        keepalived=module.get_bin_path("keepalived") or "",
        configured=any(map(os.path.exists, UNITS)),
        outdated=outdated(module.run_command),
        state=state,
    )


if __name__ == "__main__":
    main()
