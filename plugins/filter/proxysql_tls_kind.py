# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: proxysql_tls_kind
short_description: Whose certificates a proxy has
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.proxysql#role). C(auto) becomes C(given) where files were given, C(own_ca) where the cluster has a CA of its own,
    else C(server).
positional: given, members, made
options:
  _input:
    description: C(proxysql_tls).
    type: str
    required: true
  given:
    description: Paths of files that were given; empty ones do not count.
    type: list
    elements: str
    required: true
  members:
    description: C(mysql_gr_tls) of the members.
    type: str
    required: true
  made:
    description: Whether there is a CA of the cluster on the control node.
    type: bool
    required: true
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ 'auto' | distdb.mysql_ha.proxysql_tls_kind([], 'own_ca', true) }}"
"""

RETURN = r"""
_value:
  description: V(own_ca), V(given) or V(server).
  type: str
"""

from typing import Any, Sequence

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.proxy_tls import choose


def proxysql_tls_kind(wanted: str, given: Sequence[str], members: str, made: bool) -> str:
    return choose(wanted, given, members, made)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"proxysql_tls_kind": proxysql_tls_kind}
