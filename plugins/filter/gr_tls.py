# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_tls
short_description: Whose certificates the members of a cluster have
version_added: 1.1.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role).
  - V(auto) is the files that are given, else the own CA that the cluster has already, else an own CA where all servers that were looked at are
    blank, else the servers' own certificates.
positional: given, made, probes, config_file
options:
  _input:
    description: What is declared.
    type: str
    choices: [auto, own_ca, given, server]
    required: true
  given:
    description: The paths that are given, by C(ca), C(cert) and C(key); empty ones are not.
    type: dict
    required: true
  made:
    description: Whether there is a CA of the cluster on the control node.
    type: bool
    required: true
  probes:
    description: What M(distdb.mysql_ha.group_replication_host_info) saw, by host; empty where nobody was looked at.
    type: dict
    required: true
  config_file:
    description: The option file that the role writes on a host.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ 'auto' | distdb.mysql_ha.gr_tls({'ca': '', 'cert': '', 'key': ''}, true, {}) }}"
"""

RETURN = r"""
_value:
  description: V(own_ca), V(given) or V(server).
  type: str
"""

from typing import Any, Mapping

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.certificates import choose


def gr_tls(
    wanted: str,
    given: Mapping[str, str],
    made: bool,
    probes: Mapping[str, Mapping[str, Any]],
    config_file: str = "",
) -> str:
    return choose(wanted, given, made, probes, config_file)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_tls": gr_tls}
