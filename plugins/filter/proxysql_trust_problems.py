# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: proxysql_trust_problems
short_description: What stands against certificates that members are going to show, at a proxy that verifies them
version_added: 1.1.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.proxysql#role), before certificates of members are changed.
positional: members
options:
  _input:
    description: >-
      By what the proxy verifies - C(wanted) (C(proxysql_tls)), C(client_cert) and C(backend_ca) (C(proxysql_client_tls_cert) and C(proxysql_backend_tls_ca)),
      C(backend_text) (what is in the latter), and C(verifies), whether it verifies members now.
    type: dict
    required: true
  members:
    description: By member, C(kind) (C(own_ca), C(given) or C(server)), and the texts C(cert) and C(ca), the latter empty where the own CA is not made yet.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ proxy | distdb.mysql_ha.proxysql_trust_problems({'db0': {'kind': 'own_ca', 'ca': '', 'cert': ''}}) }}"
  vars:
    proxy: {wanted: auto, client_cert: "", backend_ca: "", backend_text: "", verifies: true}
"""

RETURN = r"""
_value:
  description: Sentences, none where nothing stands against it.
  type: list
  elements: str
"""

from typing import Any, Mapping

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.proxy_tls import Verifier, trust_problems


def proxysql_trust_problems(proxy: Mapping[str, Any], members: Mapping[str, Mapping[str, str]]) -> list[str]:
    return trust_problems(Verifier(**proxy), members)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"proxysql_trust_problems": proxysql_trust_problems}
