# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_communication_stack
short_description: By what a member of a group talks to the others
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role). Chooses the communication stack, and says what follows from it for a member's settings.
  - V(auto) is the stack of the servers that are in the group, else of those that are set up for it, else what the collection's table of
    versions gives a new group. That a running group has another stack than declared is said by P(distdb.mysql_ha.gr_preflight#filter), not here.
positional: version, group_name, probes
options:
  _input:
    description: The stack that is declared.
    type: str
    choices: [auto, XCOM, MYSQL]
    required: true
  version:
    description: The server's version, as its package or the server itself says it.
    type: str
    required: true
  group_name:
    description: The group's name.
    type: str
    required: true
  probes:
    description: What M(distdb.mysql_ha.group_replication_host_info) saw, by host.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the stack of a new group
  ansible.builtin.debug:
    msg: "{{ ('auto' | distdb.mysql_ha.gr_communication_stack('9.7.4', '8f22f846-9922-4139-b2b7-097d185a93cb', {})).name }}"
"""

RETURN = r"""
_value:
  description: >-
    C(name); C(written), the option's value in the option file, null for the server's own default; C(address), C(group) or C(sql), the address by
    which the others reach a member, as P(distdb.mysql_ha.gr_members#filter) names it; C(allowlist), whether the server asks for members' addresses.
  type: dict
"""

from typing import Any, Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import VersionError
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.communication_stack import choose


def gr_communication_stack(
    declared: str, version: str, group_name: str, probes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    try:
        return choose(declared, str(version), str(group_name), probes)._asdict()
    except VersionError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_communication_stack": gr_communication_stack}
