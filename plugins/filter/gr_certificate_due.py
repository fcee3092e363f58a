# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_certificate_due
short_description: Why a host needs a new certificate of the own CA
version_added: 1.1.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the entry point C(certificate) of the role P(distdb.mysql_ha.mysql_gr#role).
  - Needs the Python library cryptography on the control node.
positional: ca, cert, seen
options:
  _input:
    description: The names that the certificate is to have, as P(distdb.mysql_ha.gr_certificate_names#filter) makes them.
    type: list
    elements: str
    required: true
  ca:
    description: Text of the CA's certificate; empty without one.
    type: str
    required: true
  cert:
    description: Text of the certificate that was made for this host last; empty without one.
    type: str
    required: true
  seen:
    description: What M(distdb.mysql_ha.tls_files_info) saw on the host.
    type: dict
    required: true
  renew_days:
    description: >-
      For how many days the certificate has to be valid still, in a renewal. Without it, the age and the CA of a certificate that has not expired do
      not count.
    type: int
"""

EXAMPLES = r"""
- name: Show why
  ansible.builtin.debug:
    msg: "{{ ['DNS:db0'] | distdb.mysql_ha.gr_certificate_due('', '', seen.tls) }}"
"""

RETURN = r"""
_value:
  description: The reason; empty where the host needs none.
  type: str
"""

import hashlib
import time
from typing import Any, Mapping, Sequence

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.certificates import due


def gr_certificate_due(
    names: Sequence[str], ca: str, cert: str, seen: Mapping[str, Any], renew_days: int | None = None
) -> str:
    # Not for secrecy: what hosts report of files is SHA-1.
    checksum = hashlib.sha1(cert.encode()).hexdigest()
    # From the command line, numbers are text.
    days = None if renew_days is None else int(renew_days)
    return due(names, ca, cert, seen, checksum, time.time(), days)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_certificate_due": gr_certificate_due}
