# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_certificate_names
short_description: Names and addresses as a certificate has them
version_added: 1.1.0
author:
  - distdb contributors (@distdb)
description:
  - Each once, in the given order, as C(DNS:name) or C(IP:address). What leads to the host itself alone (C(localhost), loopback addresses), and what
    is neither a name nor an address, is left out.
options:
  _input:
    description: Names and addresses, without ports.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show them
  ansible.builtin.debug:
    msg: "{{ ['db0', '192.0.2.130', '2001:db8::130'] | distdb.mysql_ha.gr_certificate_names }}"
"""

RETURN = r"""
_value:
  description: Subject alternative names, as C(community.crypto.openssl_csr_pipe) takes them.
  type: list
  elements: str
"""

from typing import Any, Iterable

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.certificates import alternative_names


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_certificate_names": gr_certificate_names}


def gr_certificate_names(names: Iterable[object]) -> list[str]:
    return alternative_names(names)
