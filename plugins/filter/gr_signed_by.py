# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_signed_by
short_description: Whether a CA has signed a certificate
version_added: 1.1.0
author:
  - distdb contributors (@distdb)
description:
  - For CAs that the role P(distdb.mysql_ha.mysql_gr#role) makes. Needs the Python library cryptography on the control node.
positional: ca
options:
  _input:
    description: Text of the certificate.
    type: str
    required: true
  ca:
    description: Text of the CA's certificate.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show it
  ansible.builtin.debug:
    msg: "{{ lookup('ansible.builtin.file', 'tls/mysql_gr/hosts/db0.pem')
      | distdb.mysql_ha.gr_signed_by(lookup('ansible.builtin.file', 'tls/mysql_gr/ca.pem')) }}"
"""

RETURN = r"""
_value:
  description: Whether it has.
  type: bool
"""

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.certificates import text_signed_by


def gr_signed_by(certificate: str, ca: str) -> bool:
    return text_signed_by(certificate, ca)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_signed_by": gr_signed_by}
