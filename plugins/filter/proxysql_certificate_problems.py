# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: proxysql_certificate_problems
short_description: Whether the certificate that a proxy shows to clients ends soon
version_added: 1.1.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.proxysql#role).
positional: name, there, given, days_left
options:
  _input:
    description: Whose certificates the proxy has, C(own_ca), C(given) or C(server).
    type: str
    required: true
  name:
    description: Name of the proxy.
    type: str
    required: true
  there:
    description: What M(distdb.mysql_ha.tls_files_info) saw on the proxy's host.
    type: dict
    required: true
  given:
    description: Paths on the control node, C(ca), C(cert) and C(key); empty where none were given.
    type: dict
    required: true
  days_left:
    description: What ends within so many days is named.
    type: int
    required: true
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ 'own_ca' | distdb.mysql_ha.proxysql_certificate_problems('proxy', {'expires': 1800000000}, {'ca': '', 'cert': '', 'key': ''}, 3) }}"
"""

RETURN = r"""
_value:
  description: Sentences, none where nothing ends.
  type: list
  elements: str
"""

import time
from typing import Any, Mapping

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.proxy_tls import ending_problems


def proxysql_certificate_problems(
    kind: str, name: str, there: Mapping[str, Any], given: Mapping[str, str], days_left: int
) -> list[str]:
    return ending_problems(kind, name, there, given, time.time(), days_left)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"proxysql_certificate_problems": proxysql_certificate_problems}
