# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options about the declared members and how they are asked."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of all modules of the action group group_replication."""

    DOCUMENTATION = r"""
options:
  members:
    description:
      - SQL addresses of B(all) declared members, as V(host) or V(host:port) (port 3306 if left out); IPv6 addresses in
        brackets, V([2001:db8::1]:3306).
      - The same list, in the same order, on every member.
    type: list
    elements: str
    required: true
  member:
    description:
      - Which of O(members) the managed server is.
      - Default is the server's own C(report_host:report_port).
    type: str
  peer_user:
    description:
      - Account with which the other declared members are asked. Default is O(login_user) with O(login_password).
      - Needs SELECT on C(performance_schema.*) and nothing else. The connection always uses TLS.
    type: str
  peer_password:
    description: Password of O(peer_user).
    type: str
  peer_ca_cert:
    description:
      - CA certificate with which the other members' certificates and host names are verified. Without it the connections are
        encrypted, but not verified.
    type: path
  peer_connect_timeout:
    description:
      - Seconds after which connecting to another member is given up, so that it counts as unreachable (1 to 3600); the login may take
        twice as long. All are asked at the same time.
    type: int
    default: 3
attributes:
  action_group:
    description: Use C(group/distdb.mysql_ha.group_replication) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - distdb.mysql_ha.group_replication
notes:
  - A member that cannot be asked is never taken for absent.
  - At most one connection per declared member is opened, and all are closed at the end.
"""
