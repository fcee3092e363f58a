# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options about a server outside of the group, from which the group is made."""

from __future__ import annotations


class ModuleDocFragment:
    """Options about the source."""

    DOCUMENTATION = r"""
options:
  source:
    description: SQL address of the source, as V(host) or V(host:port), as the managed server reaches it.
    type: str
    required: true
  source_user:
    description:
      - Account of the source. It is asked by it, gives its clone to it, and takes no writes any more by it.
      - Needs SELECT, EVENT, BACKUP_ADMIN, REPLICATION SLAVE and SYSTEM_VARIABLES_ADMIN on C(*.*), granted to the account itself.
    type: str
    required: true
  source_password:
    description: Password of O(source_user), of at most 32 characters, without C(') and C(\\).
    type: str
    required: true
  source_ca_cert:
    description:
      - CA certificate with which the source's certificate is verified when the module asks it. Without it the connection is encrypted, but not
        verified.
    type: path
"""
