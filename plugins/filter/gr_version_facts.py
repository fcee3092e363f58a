# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_version_facts
short_description: What a version of MySQL has and needs
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Answers from the collection's table of versions, so that no role and no playbook compares versions.
  - A version that is newer than the table is answered like the newest one in it.
options:
  _input:
    description: The server's version, as its package or the server itself says it, for instance C(9.7.4-2).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse servers whose accounts cannot have two passwords
  ansible.builtin.assert:
    that: ('8.0.36' | distdb.mysql_ha.gr_version_facts).dual_passwords
"""

RETURN = r"""
_value:
  description: >-
    C(check_arguments), by which C(mysqld) checks its options; C(recovery_privileges); C(renewal_privileges); C(auth_plugin), empty
    for the server's default;
    C(dual_passwords), whether an account can have two; C(clone_plugin), empty without one; C(communication_stack) of a new group and
    C(communication_stack_default) of the server; C(receivers), the statement that counts a server's
    receivers of a group's messages, one from C(START GROUP_REPLICATION) on; C(monitor_view), whether ProxySQL's monitor needs a view in C(sys);
    C(since), by some of these names the version that brought it.
  type: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import VersionError
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.version_facts import first_version, version_facts


def gr_version_facts(version: str) -> dict[str, Any]:
    try:
        facts = version_facts(str(version))
    except VersionError as error:
        raise AnsibleFilterError(str(error)) from error
    return {**facts, "since": {"dual_passwords": first_version("dual_passwords", True)}}


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_version_facts": gr_version_facts}
