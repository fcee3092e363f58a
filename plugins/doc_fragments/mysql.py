# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the connection to the managed server, named as in ansible.mysql."""

from __future__ import annotations


class ModuleDocFragment:
    """Connection options."""

    DOCUMENTATION = r"""
options:
  login_user:
    description:
      - Account with which the module logs in to the managed server.
      - Default is the user of O(config_file), else V(root).
    type: str
  login_password:
    description:
      - Password of O(login_user).
      - Not needed over a unix socket with an account that authenticates by C(auth_socket).
    type: str
  login_host:
    description:
      - Host of the managed server, seen from the machine on which the module runs.
      - Ignored when O(login_unix_socket) is given.
    type: str
    default: localhost
  login_port:
    description: Port of the managed server.
    type: int
    default: 3306
  login_unix_socket:
    description:
      - Path of the server's unix socket, for instance V(/run/mysqld/mysqld.sock).
      - Preferred over TCP where it is there, as it is for the account V(root) of most packages.
    type: str
  config_file:
    description:
      - Option file whose C([client]) section gives user, password, socket, host and TLS files that no option gives.
      - An empty string reads none.
    type: path
    default: ~/.my.cnf
  connect_timeout:
    description: Seconds after which connecting to the managed server is given up (1 to 3600).
    type: int
    default: 30
  ca_cert:
    description:
      - CA certificate with which the server's certificate is verified. Without it, TLS is used over TCP when the server
        offers it, but nothing is verified.
    type: path
    aliases: [ssl_ca]
  client_cert:
    description: Client certificate.
    type: path
    aliases: [ssl_cert]
  client_key:
    description: Private key of O(client_cert).
    type: path
    aliases: [ssl_key]
  check_hostname:
    description:
      - Whether the host name must match the server's certificate. Only with O(ca_cert); then the default is to check.
    type: bool
requirements:
  - PyMySQL 0.10 or newer (Debian and Ubuntu package C(python3-pymysql)) on the machine on which the module runs
notes:
  - MariaDB is refused, it has no Group Replication.
"""

    # Of modules that query the server of their host by its own client program.
    CLIENT = r"""
options:
  login_unix_socket:
    description: Unix socket of the server.
    type: path
    default: /run/mysqld/mysqld.sock
  login_user:
    description: Account that queries the server.
    type: str
    default: root
  login_password:
    description: Password of O(login_user).
    type: str
"""
