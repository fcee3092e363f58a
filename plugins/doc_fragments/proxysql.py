# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import textwrap

# One hostgroup: options of a task, or of each entry of a list.
_HOSTGROUP = r"""
writer_hostgroup:
  description: Number of the writer hostgroup, 0 or more. It names the group.
  type: int
backup_writer_hostgroup:
  description: Number of the hostgroup for writers beyond O(max_writers), 0 or more. Needed with O(state=present).
  type: int
reader_hostgroup:
  description: Number of the reader hostgroup, 1 or more. Needed with O(state=present).
  type: int
offline_hostgroup:
  description: Number of the hostgroup for members that are not ONLINE, 0 or more. Needed with O(state=present).
  type: int
active:
  description: Whether ProxySQL monitors the group and moves its servers.
  type: bool
  default: true
max_writers:
  description: Largest number of servers in the writer hostgroup.
  type: int
  default: 1
writer_is_also_reader:
  description:
    - V(0), a writer is not in the reader hostgroup; V(1), it is; V(2), only backup writers are, if there are any.
  type: int
  choices: [0, 1, 2]
  default: 0
max_transactions_behind:
  description: Number of transactions waiting in a member's applier queue above which ProxySQL shuns it.
  type: int
  default: 0
comment:
  description: One line of text.
  type: str
  default: ''
servers:
  description:
    - The group's servers. Columns that are not given get their default.
    - Without this option the task says nothing about servers.
  type: list
  elements: dict
  suboptions:
    hostname:
      description: Host name, IPv4 or IPv6 address, or path of a socket. An IPv6 address is kept without brackets, in its short form.
      type: str
      required: true
    port:
      description: Port, 1 to 65535. With the path of a socket it is 0. By default V(3306).
      type: int
    gtid_port:
      description: Port of ProxySQL's binlog reader on that server, V(0) for none.
      type: int
      default: 0
    status:
      description:
        - V(OFFLINE_SOFT) drains the server, open transactions end, nothing new is sent to it. It has weight 0 in runtime meanwhile, so that it does not
          become the writer again where the monitor forgets the status; C(weight) holds again with V(ONLINE).
        - V(OFFLINE_HARD) cuts it off.
      type: str
      choices: [ONLINE, OFFLINE_SOFT, OFFLINE_HARD]
      default: ONLINE
    weight:
      description: Share of the traffic relative to others, 0 to 10000000.
      type: int
      default: 1
    compression:
      description: Whether connections to the server are compressed, 0 or 1.
      type: int
      default: 0
    max_connections:
      description: Largest number of connections to the server.
      type: int
      default: 1000
    max_replication_lag:
      description: Replication lag in seconds above which ProxySQL shuns the server, V(0) for no limit.
      type: int
      default: 0
    use_ssl:
      description: Whether connections to the server use TLS.
      type: bool
      default: false
    max_latency_ms:
      description: Ping time in milliseconds above which the server gets no traffic, V(0) for no limit.
      type: int
      default: 0
    comment:
      description: One line of text.
      type: str
      default: ''
exclusive:
  description:
    - Whether servers of this group that O(servers) does not list are removed.
    - If V(false), they stay as they are.
  type: bool
  default: false
servers_hostgroup:
  description:
    - In which of the group's hostgroups the servers are kept in memory and on disk.
    - ProxySQL uses this place when it starts, and at a C(LOAD) from elsewhere, until its monitor's first check.
    - V(auto) is the writer hostgroup if all servers may be writers (O(max_writers)) or O(active=false), else the reader hostgroup,
      so that no write reaches a read-only member.
  type: str
  choices: [auto, writer, backup_writer, reader, offline]
  default: auto
state:
  description:
    - V(present), the group is as the task says.
    - V(absent), the group and its servers are gone. Only O(writer_hostgroup) is needed.
  type: str
  choices: [present, absent]
  default: present
keep_servers:
  description: With O(state=absent), leaves the servers as plain servers of the hostgroup they are configured in.
  type: bool
  default: false
"""
_ENTRY = _HOSTGROUP.replace("O(", "O(hostgroups[].").replace("type: int", "type: int\n  required: true", 1)


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

    HOSTGROUP: str

    SERVERS_TLS = r"""
options:
  servers_tls:
    description:
      - Rows of C(mysql_servers_ssl_params), by which ProxySQL and its monitor use TLS towards a server whose row in C(mysql_servers) has C(use_ssl).
        For other servers C(mysql-ssl_p2s_ca) and its like count. Columns that are not given are empty.
      - ProxySQL verifies that the server's certificate is signed by O(servers_tls[].ssl_ca) and not expired. It does not look at the name in it, and
        it goes on in plain text where a server offers no TLS.
      - ProxySQL before 2.6.0 has no such table; this option is refused there.
      - It is loaded and saved together with the servers; the servers stay where the monitor has them.
    type: list
    elements: dict
    suboptions:
      hostname:
        description: Host name or address, as in C(mysql_servers).
        type: str
        required: true
      port:
        description: Port, as in C(mysql_servers).
        type: int
        default: 3306
      username:
        description: Only connections of this account; empty for all accounts that have no row of their own.
        type: str
        default: ""
      ssl_ca:
        description:
          - Path on the proxy's host of the CAs' certificates. Without it, and without O(servers_tls[].ssl_capath), nothing is verified.
          - "ProxySQL from 2.5.1 on keeps a CA that it has read from such a file until it is restarted, and takes it for all servers, unless
            O(servers_tls[].ssl_capath) is set, too."
        type: str
      ssl_capath:
        description: Path of a folder with the CAs' certificates by their hash.
        type: str
      ssl_cert:
        description: Path of the certificate that ProxySQL shows to the server.
        type: str
      ssl_key:
        description: Path of its key.
        type: str
      ssl_crl:
        description: Path of a list of revoked certificates.
        type: str
      ssl_crlpath:
        description: Path of a folder with lists of revoked certificates.
        type: str
      ssl_cipher:
        description: Ciphers for TLS 1.2, divided by colons.
        type: str
      tls_version:
        description: Column of the same name, not used by ProxySQL so far.
        type: str
      comment:
        description: One line of text.
        type: str
      state:
        description: Whether the row is to be there.
        type: str
        choices: [present, absent]
        default: present
  servers_tls_comment:
    description: Rows whose comment begins with this text, and that O(servers_tls) does not list, are removed.
    type: str
"""

    HOSTGROUPS: str


# ansible-test reads the class and knows literals only.
ModuleDocFragment.HOSTGROUP = "options:" + textwrap.indent(_HOSTGROUP, "  ")
ModuleDocFragment.HOSTGROUPS = r"""
options:
  drain_timeout:
    description:
      - Longest time in seconds to wait until a server's used connections are gone, before it is removed and with O(wait_drained).
      - When it is over a removal fails and everything is put back.
      - Where another server becomes the one writer of a group, statements wait until no connection to the one before is in use, for half a second
        at most. What has not ended then ends there within this time, while the new one writes; connections that are left are closed.
      - With V(0) a server is removed, or another one becomes the writer, at once; statements that run on it fail.
    type: int
    default: 30
  wait_drained:
    description: Whether the task waits until no connection to a server with status V(OFFLINE_SOFT) is in use.
    type: bool
    default: false
  allow_no_writer:
    description: Whether a change may leave a group that has an ONLINE writer without one. Otherwise it is refused.
    type: bool
    default: false
  hostgroups:
    description: Hostgroups and their servers.
    type: list
    elements: dict
    suboptions:""" + textwrap.indent(_ENTRY, "      ")
