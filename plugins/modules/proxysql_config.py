#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxysql_config
short_description: ProxySQL's variables, users, query rules, peers, hostgroups and TLS parameters in one task
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Compares rows of ProxySQL's tables with memory, runtime and disk, each by itself, writes what differs, and issues C(LOAD) and C(SAVE) only
    where runtime or disk differs. A run that finds nothing to do writes nothing.
  - Everything is read and planned before anything is written. If a step fails, memory, runtime and disk are put back to what they were.
  - After a C(LOAD) the task looks whether ProxySQL took the rows as they were given, and fails otherwise.
  - Tables that the task does not name are left alone, as are columns that this module does not know.
notes:
  - C(LOAD) and C(SAVE) are for a whole table. Rows of others that were in memory but not loaded or saved are taken along.
  - ProxySQL takes C(mysql-interfaces), C(mysql-threads), C(mysql-stacksize) and their C(pgsql-) twins when it starts only. They are saved to
    disk, and RV(restart_needed) names them until ProxySQL has been restarted.
  - Two tasks that write to the same ProxySQL at the same time can undo each other's rows, as with any client of the admin interface.
extends_documentation_fragment:
  - distdb.mysql_ha.proxysql
  - distdb.mysql_ha.proxysql.layers
  - distdb.mysql_ha.proxysql.hostgroups
  - distdb.mysql_ha.proxysql.servers_tls
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  variables:
    description:
      - Variables by their full name, such as C(mysql-max_connections). Others stay as they are.
      - A variable that this version of ProxySQL does not have is refused.
    type: dict
  secret_variables:
    description: The same for variables whose value is a secret.
    type: dict
  optional_variables:
    description: Variables that are set where this version of ProxySQL has them, and left out where it has not.
    type: dict
  users:
    description:
      - Rows of C(mysql_users). Columns that are not given stay as they are; a new row gets ProxySQL's defaults.
    type: list
    elements: dict
    suboptions:
      username:
        description: Name of the user.
        type: str
        required: true
      backend:
        description: Whether the row is for connections to the servers. Together with O(users[].username) it names the row.
        type: bool
        default: true
      frontend:
        description: Whether the row is for clients.
        type: bool
      password:
        description: Password in plain text, or its hash.
        type: str
      active:
        description: Whether the user is loaded at all.
        type: bool
      use_ssl:
        description: Whether the client must use TLS.
        type: bool
      default_hostgroup:
        description: Hostgroup for statements that no rule sends elsewhere.
        type: int
      default_schema:
        description: Schema after connecting.
        type: str
      schema_locked:
        description: Column of the same name, not used by ProxySQL so far.
        type: bool
      transaction_persistent:
        description: Whether a transaction stays on the hostgroup on which it began.
        type: bool
      fast_forward:
        description: Whether statements bypass rules.
        type: bool
      max_connections:
        description: Largest number of client connections.
        type: int
      attributes:
        description: 'JSON text, for instance C({"spiffe_id": "…"}).'
        type: str
      comment:
        description: One line of text.
        type: str
      state:
        description: Whether the row is to be there.
        type: str
        choices: [present, absent]
        default: present
  query_rules:
    description:
      - Rows of C(mysql_query_rules). Columns that are not given get ProxySQL's defaults.
    type: list
    elements: dict
    suboptions:
      rule_id:
        description: Number of the rule; rules are tried in this order.
        type: int
        required: true
      active:
        description: Whether the rule is loaded.
        type: bool
      username:
        description: Only statements of this user.
        type: str
      schemaname:
        description: Only statements in this schema.
        type: str
      flagIN:
        description: Only statements that carry this flag; every statement begins with 0.
        type: int
      client_addr:
        description: Only statements from this client address.
        type: str
      proxy_addr:
        description: Only statements that came in on this address of ProxySQL's.
        type: str
      proxy_port:
        description: Only statements that came in on this port of ProxySQL's.
        type: int
      digest:
        description: Only statements with this digest.
        type: str
      match_digest:
        description: Regular expression for the statement without its values.
        type: str
      match_pattern:
        description: Regular expression for the statement.
        type: str
      negate_match_pattern:
        description: Whether only statements that do not match count.
        type: bool
      re_modifiers:
        description: Modifiers of the regular expressions, C(CASELESS) and C(GLOBAL), comma separated.
        type: str
      flagOUT:
        description: Flag that a matching statement carries on.
        type: int
      replace_pattern:
        description: What replaces the part that O(query_rules[].match_pattern) matches.
        type: str
      destination_hostgroup:
        description: Hostgroup to which a matching statement goes.
        type: int
      cache_ttl:
        description: For how long the result is kept, in milliseconds.
        type: int
      cache_empty_result:
        description: Whether an empty result is kept.
        type: bool
      cache_timeout:
        description: Column of the same name, not used by ProxySQL so far.
        type: int
      reconnect:
        description: Column of the same name, not used by ProxySQL so far.
        type: bool
      timeout:
        description: Longest time of a statement, in milliseconds.
        type: int
      retries:
        description: How often a statement is tried again, 0 to 1000.
        type: int
      delay:
        description: For how long a statement is held back, in milliseconds.
        type: int
      next_query_flagIN:
        description: Flag with which the session's next statement begins.
        type: int
      mirror_flagOUT:
        description: Flag of the mirrored statement.
        type: int
      mirror_hostgroup:
        description: Hostgroup to which the statement is mirrored.
        type: int
      error_msg:
        description: Error with which a matching statement is answered.
        type: str
      OK_msg:
        description: Message with which a matching statement is answered as done.
        type: str
      sticky_conn:
        description: Column of the same name, not used by ProxySQL so far.
        type: bool
      multiplex:
        description: V(0) keeps the connection for the session, V(1) gives it back, V(2) does not look at this statement.
        type: int
      gtid_from_hostgroup:
        description: Hostgroup whose last GTID a server must have for this statement.
        type: int
      log:
        description: Whether matching statements are logged.
        type: bool
      apply:
        description: Whether no further rule is tried.
        type: bool
      attributes:
        description: JSON text.
        type: str
      comment:
        description: One line of text.
        type: str
      state:
        description: Whether the rule is to be there.
        type: str
        choices: [present, absent]
        default: present
  query_rules_comment:
    description: Rules whose comment begins with this text, and that O(query_rules) does not list, are removed.
    type: str
  peers:
    description:
      - Rows of C(proxysql_servers), the proxies that copy each other's configuration. Columns that are not given get ProxySQL's defaults.
    type: list
    elements: dict
    suboptions:
      hostname:
        description: Host name or address at which the peer's admin interface is reached from the other peers.
        type: str
        required: true
      port:
        description: Port of the peer's admin interface, 1 to 65535.
        type: int
        default: 6032
      weight:
        description: Kept by ProxySQL and not used so far, 0 or more.
        type: int
      comment:
        description: One line of text.
        type: str
      state:
        description: Whether the row is to be there.
        type: str
        choices: [present, absent]
        default: present
  exclusive:
    description: Tables whose rows are removed unless this task lists them.
    type: list
    elements: str
    choices: [users, query_rules, peers, hostgroups, servers_tls]
    default: []
  reload:
    description:
      - Tables that are loaded even if runtime does not differ. A peer of ProxySQL's cluster takes over only what was loaded since the start.
      - Such a task reports a change every time.
    type: list
    elements: str
    choices: [admin_variables, mysql_variables, pgsql_variables, users, query_rules, peers, hostgroups]
    default: []
seealso:
  - module: distdb.mysql_ha.proxysql_hostgroup
  - module: distdb.mysql_ha.proxysql_hostgroup_info
  - name: ProxySQL's tables
    description: Columns and their meaning.
    link: https://proxysql.com/documentation/main-runtime/
"""

EXAMPLES = r"""
- name: Variables, users and rules
  distdb.mysql_ha.proxysql_config:
    login_user: radmin
    login_password: "{{ proxysql_admin_password }}"
    variables:
      mysql-max_connections: 4096
      mysql-have_ssl: true
    secret_variables:
      mysql-monitor_password: "{{ proxysql_monitor_password }}"
    users:
      - username: shop
        password: "{{ shop_password }}"
        default_hostgroup: 2
      - username: retired
        state: absent
    query_rules:
      - rule_id: 10
        active: true
        username: shop
        match_digest: ^SELECT
        destination_hostgroup: 3
        apply: true

- name: These rules and no others
  distdb.mysql_ha.proxysql_config:
    config_file: /root/.proxysql.cnf
    query_rules: "{{ rules }}"
    exclusive: [query_rules]

- name: One variable for the moment
  distdb.mysql_ha.proxysql_config:
    config_file: /root/.proxysql.cnf
    variables:
      mysql-monitor_groupreplication_healthcheck_interval: 100
    save_to_disk: false

- name: Two proxies that copy each other's configuration
  distdb.mysql_ha.proxysql_config:
    config_file: /root/.proxysql.cnf
    peers:
      - hostname: 192.0.2.129
      - hostname: 192.0.2.128
    exclusive: [peers]
"""

RETURN = r"""
memory_changed:
  description: Whether memory differed from what the task says.
  returned: always
  type: bool
  sample: true
runtime_changed:
  description: Whether runtime differed and was loaded, or would be in check mode.
  returned: always
  type: bool
  sample: true
disk_changed:
  description: Whether disk differed and was saved, or would be in check mode.
  returned: always
  type: bool
  sample: true
statements:
  description: The writing statements that were issued, or would be in check mode, with C(********) for passwords and credentials.
  returned: always
  type: list
  elements: str
  sample: ["INSERT INTO mysql_users (username,password) VALUES ('shop','********')", "LOAD MYSQL USERS TO RUNTIME", "SAVE MYSQL USERS TO DISK"]
restart_needed:
  description: Variables that ProxySQL takes only when it starts, and whose saved value is not the one that it runs with.
  returned: always
  type: list
  elements: str
  sample: [mysql-threads]
proxysql_version:
  description: Version of the ProxySQL that answered.
  returned: always
  type: str
  sample: 3.0.9
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import conclude
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import PYMYSQL_ERROR
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.config import configure
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.specs import config_spec


def main() -> None:
    module = AnsibleModule(argument_spec=config_spec(), supports_check_mode=True)
    conclude(module, lambda: configure(module), pymysql_error=PYMYSQL_ERROR)


if __name__ == "__main__":
    main()
