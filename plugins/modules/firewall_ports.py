#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is admitted to ports of this host, by the firewall that it has; what is no longer admitted is closed again."""

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall_ports
short_description: Who is admitted to ports of this host, by ufw, firewalld or nftables
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Makes the rules of one owner those that O(admitted) asks for, in the firewall that the host has. Rules of that owner which are no longer wanted are
    removed; rules of others are left alone.
  - >-
    The modules for ufw (C(community.general.ufw)) and firewalld (C(ansible.posix.firewalld)) write rules that their caller knows. They do not say which
    rules are there, so they cannot remove what an earlier run has written. There is none for nftables.
  - The firewall is neither installed nor switched on, and the policy for other packets is never changed, so no run of this module closes SSH.
  - Used by the roles P(distdb.mysql_ha.mysql_gr#role) and P(distdb.mysql_ha.proxysql#role).
options:
  firewall:
    description:
      - >-
        V(ufw) - rules with O(owner) as their comment. Those that name a source go before all others, so that no deny that is there already hides them; those
        for everyone go to the end. A rule that somebody else has written, and that is the same but for its comment, counts as there and is left alone.
        Needs C(prepend), which ufw 0.36 and later have, and for VRRP 0.36.2.
      - >-
        V(firewalld) - rich rules in two policies whose names are made from O(owner), one before the zones and one, for everyone, after them. Needs
        firewalld 0.9 or later, running. Making a policy takes a reload, which is refused where rules would be lost by it.
      - >-
        V(nftables) - a table of the owner's, in a file in C(/etc/nftables.d) that C(/etc/nftables.conf) includes (the line is added). It drops what is
        sent to O(ports) and not admitted. See O(chain).
    type: str
    choices: [ufw, firewalld, nftables]
    required: true
  owner:
    description: By what the rules are found again, unique on the host - letters, digits, spaces and the characters C(._-).
    type: str
    required: true
  admitted:
    description: What is let in. None means that every rule of O(owner) is removed; with V(nftables), O(ports) are closed for everyone then.
    type: list
    elements: dict
    default: []
    suboptions:
      source:
        description: An address, a network, V(any), or a name, for which the addresses count that it has on this host now.
        type: str
        required: true
      port:
        description: With O(admitted[].protocol=tcp), the port.
        type: int
        default: 0
      protocol:
        description: V(vrrp) is IP protocol 112.
        type: str
        choices: [tcp, vrrp]
        default: tcp
  ports:
    description: TCP ports that belong to the owner. With nftables they are closed for those who are not admitted.
    type: list
    elements: int
    default: []
  chain:
    description:
      - With nftables, the chain of the host's own rules, such as V(inet filter input), if it drops by default. What one table accepts, another one can
        still drop, so O(admitted) has to be accepted there, too. It gets one jump, before its other rules, to a chain of the owner's.
      - A host that has such a chain is refused without it.
    type: str
    default: ""
  former_owners:
    description: Comments by which rules for O(ports) were marked before. With ufw such rules count as the owner's.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.full
"""

EXAMPLES = r"""
- name: Admit the members of the group, and the applications' network to SQL
  distdb.mysql_ha.firewall_ports:
    firewall: ufw
    owner: mysql_gr of alpha
    ports: [3306, 33061]
    admitted:
      - {source: 192.0.2.131, port: 33061}
      - {source: 192.0.2.131, port: 3306}
      - {source: 2001:db8:7::/64, port: 3306}

- name: Close again what a run before has opened
  distdb.mysql_ha.firewall_ports:
    firewall: ufw
    owner: mysql_gr of alpha
"""

RETURN = r"""
rules:
  description: The rules of the owner that are wanted.
  returned: success
  type: list
  elements: str
  sample: [tcp 3306 from 192.0.2.131]
added:
  description: Those of them that were not there.
  returned: success
  type: list
  elements: str
  sample: []
removed:
  description: Rules of the owner that were there and are not wanted.
  returned: success
  type: list
  elements: str
  sample: [tcp 3306 from any (ipv4)]
"""

import os
import re
import socket
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._firewall import nftables
from ansible_collections.distdb.mysql_ha.plugins.module_utils._firewall.firewalld import Firewalld
from ansible_collections.distdb.mysql_ha.plugins.module_utils._firewall.rules import (
    PROTOCOLS,
    Change,
    Rule,
    difference,
    lines,
    wanted_rules,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._firewall.ufw import Ufw
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import read, run
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, Result, conclude

OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}")


def resolve(name: str) -> list[str]:
    """The addresses that a name has on this host; none where it does not resolve."""
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)})
    except OSError:
        return []


class Ports:
    """One run of the module."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.wish: dict[str, Any] = module.params
        if not OWNER.fullmatch(self.wish["owner"]):
            raise Refusal(f"owner: '{self.wish['owner']}' is not allowed (allowed: letters, digits, spaces and ._-)")
        self.rules = wanted_rules(self.wish["admitted"], resolve)

    def work(self) -> Result:
        if self.wish["firewall"] == "nftables":
            return self.by_file()
        backend = (
            Firewalld(run, self.wish["owner"])
            if self.wish["firewall"] == "firewalld"
            else Ufw(run, read, self.wish["owner"], self.wish["former_owners"], self.wish["ports"])
        )
        change = difference(self.rules, backend.ours, backend.others)
        changed = bool(change.add or change.remove)
        if changed:
            # Everything is looked at before the first rule is set.
            backend.check(change)
        if changed and not self.module.check_mode:
            backend.apply(change)
        after = (backend.ours.any | set(change.add)) - set(change.remove)
        return self.result(changed, change, lines(backend.ours.any), lines(after))

    def by_file(self) -> Result:
        where = nftables.place(self.wish["owner"], self.wish["chain"], self.wish["ports"])
        backend = nftables.Nftables(run, read, self.write, self.wish["owner"], where)
        changed = not backend.settled(self.rules)
        if changed:
            backend.check(self.rules)
        if changed and not self.module.check_mode:
            backend.apply(self.rules)
        if not backend.starts():
            self.module.warn(
                "The service nftables is not enabled: from the next boot on, nothing of these rules is in force."
            )
        text = nftables.file_text(where, self.wish["owner"], self.rules)
        change = difference(list(dict.fromkeys(nftables.parse(text))), backend.ours)
        return self.result(changed, change, backend.before, text)

    def result(self, changed: bool, change: Change, before: str, after: str) -> Result:
        def shown(rules: list[Rule]) -> list[str]:
            return [str(rule) for rule in rules]

        return dict(
            changed=changed,
            rules=shown(self.rules),
            added=shown(change.add),
            removed=shown(change.remove),
            diff=dict(before=before, after=after, before_header=self.wish["owner"], after_header=self.wish["owner"]),
        )

    def write(self, path: str, text: str) -> None:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        handle, fresh = tempfile.mkstemp(dir=self.module.tmpdir)
        with os.fdopen(handle, "w", encoding="utf-8") as target:
            target.write(text)
        self.module.atomic_move(fresh, path)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            firewall=dict(type="str", choices=["ufw", "firewalld", "nftables"], required=True),
            owner=dict(type="str", required=True),
            admitted=dict(
                type="list",
                elements="dict",
                default=[],
                options=dict(
                    source=dict(type="str", required=True),
                    port=dict(type="int", default=0),
                    protocol=dict(type="str", choices=list(PROTOCOLS), default="tcp"),
                ),
            ),
            ports=dict(type="list", elements="int", default=[]),
            chain=dict(type="str", default=""),
            former_owners=dict(type="list", elements="str", default=[]),
        ),
        supports_check_mode=True,
    )
    conclude(module, lambda: Ports(module).work())


if __name__ == "__main__":
    main()
