# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_preflight
short_description: What stands against making a host a member of its group
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role) before it changes anything. A function of the declared members, of what was seen on
    the hosts that take part in the play, and of the role's variables.
  - It queries no host itself. Package files on the control node are read for their checksum.
positional: probes, wishes
options:
  _input:
    description: The declared members, as P(distdb.mysql_ha.gr_members#filter) makes them.
    type: list
    elements: dict
    required: true
  probes:
    description: What M(distdb.mysql_ha.group_replication_host_info) saw, by host; hosts outside the play are missing.
    type: dict
    required: true
  wishes:
    description: >-
      The role's variables for this host, without their prefix, and what the role works out itself (see roles/mysql_gr/tasks/preflight.yml).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Look for what stands against it
  ansible.builtin.set_fact:
    found: "{{ members | distdb.mysql_ha.gr_preflight(probes, wishes) }}"
"""

RETURN = r"""
_value:
  description: >-
    C(problems): sentences, none when all is well; C(new_uuid): hosts whose server shares its C(server_uuid) with another one and holds no
    data of a group, so that it can be given a new one; C(warnings): sentences about what changes for a server that held data before.
  type: dict
"""

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils import certificates
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.preflight_data import data_problems
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.preflight_hosts import host_problems, uuid_findings
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.preflight_newcomers import newcomer_findings
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.preflight_variables import (
    member_problems,
    variable_problems,
)


def gr_preflight(members: list[dict[str, Any]], probes: dict[str, Any], wishes: dict[str, Any]) -> dict[str, Any]:
    found, renew = uuid_findings(probes)
    problems = member_problems(members, wishes["inventory_group"], wishes["stack"]) + variable_problems(wishes) + found
    problems += certificates.host_problems(members, probes, wishes)
    for member in members:
        if member["name"] == wishes["host"] and member["name"] in probes:
            problems += host_problems(member, members, probes[member["name"]], wishes)
    if problems:
        return {"problems": problems, "warnings": [], "new_uuid": renew}
    # What is said about data supposes that all the rest is well.
    brought = newcomer_findings(members, probes, wishes)
    problems = data_problems(members, probes, wishes) + brought.problems
    return {"problems": problems, "warnings": brought.warnings, "new_uuid": renew}


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_preflight": gr_preflight}
