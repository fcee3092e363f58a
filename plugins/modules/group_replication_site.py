#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One of two sites: it writes, closes for a switch-over, or follows the other one."""

from __future__ import annotations

DOCUMENTATION = r"""
module: group_replication_site
short_description: Let a group write, close, or follow the group of another site
version_added: 1.0.0
description:
  - Two groups in single-primary mode, one at each of two sites, are one database. One writes; the other one follows it by the asynchronous channel
    C(site), which finds another source and another receiver by itself when a primary fails, and takes no writes.
  - A site that becomes the one that writes puts a claim into its history first, an empty transaction whose number is larger than that of every claim
    that it has seen. The site with the newest claim writes. A site that finds a newer claim closes, and never opens itself.
  - Run it on every member of a site. The primary acts; on a secondary the channel is made or removed.
  - A site opens only if it has asked the other one. What is not seen may write. A person may give it up (O(give_up)).
  - Members have an C(init_file) that switches the member action C(mysql_disable_super_read_only_if_primary) off at each start of the server
    (C(mysql_gr_other_site) of the role mysql_gr writes it). So a group that was down as a whole comes back closed.
  - Needs MySQL 8.0.27 or newer.
  - The complete table of situations is in the collection's C(docs/reference/decisions.md).
options:
  state:
    description:
      - V(primary) - this site writes. It is opened again where it was the one that wrote, and takes over where it was not.
      - V(closed) - the first half of a planned switch-over. It waits until the other site keeps up, and takes no writes.
      - V(standby) - this site follows the other one. Where it takes writes, it is closed first. The first member of a blank site is cloned.
    type: str
    choices: [primary, closed, standby]
    required: true
  group_name:
    description: Name of this site's group, a UUID.
    type: str
    required: true
  other_members:
    description: SQL addresses of the other site's members.
    type: list
    elements: str
    required: true
  other_group:
    description: Name of the other site's group, a UUID.
    type: str
    required: true
  other_name:
    description: What people call the other site; O(give_up) has to repeat it.
    type: str
    required: true
  give_up:
    description:
      - A person's word that the other site is given up, by O(other_name). What it committed and this site has not received is lost; the answer says what
        is known of that. Refused where the other site has a living group that is seen.
    type: str
  site_user:
    description:
      - Account at both sites by which the channel replicates, the other site is asked, and a first member is cloned. Needs REPLICATION SLAVE and
        BACKUP_ADMIN on C(*.*), and what O(peer_user) needs.
    type: str
    required: true
  site_password:
    description: Password of O(site_user), of at most 32 characters, without C(') and C(\\).
    type: str
    required: true
  site_ca_cert:
    description:
      - CA certificate, a file on the managed host that the server can read, by which certificates of the other site are verified, with their names. Without
        it connections are encrypted, and not verified.
    type: path
  timeout:
    description: Seconds to wait for transactions that are to come or to be applied, or for the clone (1 to 86400).
    type: int
    default: 300
  closed_timeout:
    description: For V(state=closed), seconds for which a statement under way is waited for (1 to 3600).
    type: int
    default: 10
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.full
  - distdb.mysql_ha.mysql
  - distdb.mysql_ha.group_replication
seealso:
  - module: distdb.mysql_ha.group_replication_bootstrap
  - module: distdb.mysql_ha.group_replication_info
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: This site follows the other one
  distdb.mysql_ha.group_replication_site:
    login_unix_socket: /run/mysqld/mysqld.sock
    state: standby
    members: [198.51.100.130, 198.51.100.131, 198.51.100.132]
    peer_user: gr_peer
    peer_password: "{{ mysql_gr_peer_password }}"
    group_name: 5f22f846-9922-4139-b2b7-097d185a93cb
    other_name: north
    other_members: [192.0.2.130, 192.0.2.131, 192.0.2.132]
    other_group: 8f22f846-9922-4139-b2b7-097d185a93cb
    site_user: gr_site
    site_password: "{{ mysql_gr_site_password }}"

- name: The other site has burnt down
  distdb.mysql_ha.group_replication_site:
    login_unix_socket: /run/mysqld/mysqld.sock
    state: primary
    give_up: north
    members: [198.51.100.130, 198.51.100.131, 198.51.100.132]
    peer_user: gr_peer
    peer_password: "{{ mysql_gr_peer_password }}"
    group_name: 5f22f846-9922-4139-b2b7-097d185a93cb
    other_name: north
    other_members: [192.0.2.130, 192.0.2.131, 192.0.2.132]
    other_group: 8f22f846-9922-4139-b2b7-097d185a93cb
    site_user: gr_site
    site_password: "{{ mysql_gr_site_password }}"
"""

RETURN = r"""
decision:
  description:
    - V(unchanged), V(claim), V(open), V(take_over), V(fail_over), V(drop_channel), V(close), V(clone), V(make_channel), V(follow). On failure V(refuse).
  returned: always
  type: str
rule:
  description: Name of the row of C(docs/reference/decisions.md) that decided.
  returned: always
  type: str
reason:
  description: Why, in one sentence.
  returned: always
  type: str
  sample: "this site takes over by claim 2; north takes no writes, and everything of it is here"
site:
  description: What is known of both sites.
  returned: success
  type: dict
  contains:
    writes:
      description: Whether this site has the newest claim that was seen.
      type: bool
    claim:
      description: Number of the newest claim that was seen; 0 where there is none.
      type: int
    other_seen:
      description: Whether all is known that the other site has executed.
      type: bool
    missing:
      description: Transactions that members of the other site have that answer, and this server has not executed.
      type: str
    lost:
      description: Of a fail-over, those of them that were lost by it, as far as is known.
      type: str
    last_applied:
      description: Of a take-over and a fail-over, C(gtid) and C(committed) (by the clock of who committed it) of the last transaction of the channel.
      type: dict
    gtid_executed:
      description: Transactions of this server.
      type: str
before:
  description:
    - State, role, read_only, super_read_only of this server, whether a newly elected primary opens itself (C(opens)), and its channel (C(follows)), before.
  returned: always
  type: dict
after:
  description: The same after; in check mode as before.
  returned: success
  type: dict
statements:
  description: Statements that changed something (in check mode, that would), secrets masked.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.operation import execute
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import cluster_options
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.site import SiteChange


def main() -> None:
    """Entry point."""
    spec = cluster_options()
    spec.update(
        state={"type": "str", "choices": ["primary", "closed", "standby"], "required": True},
        group_name={"type": "str", "required": True},
        other_members={"type": "list", "elements": "str", "required": True},
        other_group={"type": "str", "required": True},
        other_name={"type": "str", "required": True},
        give_up={"type": "str"},
        site_user={"type": "str", "required": True},
        site_password={"type": "str", "required": True, "no_log": True},
        site_ca_cert={"type": "path"},
        timeout={"type": "int", "default": 300},
        closed_timeout={"type": "int", "default": 10},
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    execute(module, SiteChange)


if __name__ == "__main__":
    main()
