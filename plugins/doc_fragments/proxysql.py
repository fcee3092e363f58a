# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_user:
    description:
      - User of ProxySQL's admin interface. Without it, the one of O(config_file) is used.
    type: str
  login_password:
    description:
      - Password of O(login_user). Without it, the one of O(config_file) is used.
    type: str
  login_host:
    description:
      - Host name or address at which ProxySQL's admin interface listens.
    type: str
    default: 127.0.0.1
  login_port:
    description:
      - Port at which ProxySQL's admin interface listens.
    type: int
    default: 6032
  login_unix_socket:
    description:
      - Path of the admin interface's socket; used instead of O(login_host) and O(login_port).
    type: path
  config_file:
    description:
      - Option file whose section C([client]) holds C(user) and C(password).
    type: path
    default: ''
  connect_timeout:
    description:
      - Longest time to wait for a connection, in seconds.
    type: int
    default: 10
requirements:
  - PyMySQL on the host where the module runs (Debian, Ubuntu package C(python3-pymysql))
  - ProxySQL 2.0 or newer
attributes:
  check_mode:
    description: Can run in check mode and say what would change without changing anything.
  diff_mode:
    description: Says in diff mode what differed and what it is to be.
  action_group:
    description: Use C(group/distdb.mysql_ha.proxysql) in C(module_defaults) to write the connection options once.
    support: full
    membership: [distdb.mysql_ha.proxysql]
"""

    # Of what changes a configuration that is kept in memory, runtime and on disk.
    LAYERS = r"""
options:
  load_to_runtime:
    description: Whether runtime is compared and, if it differs, loaded.
    type: bool
    default: true
  save_to_disk:
    description: Whether disk is compared and, if it differs, saved.
    type: bool
    default: true
"""
