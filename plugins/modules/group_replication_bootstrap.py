#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a server an ONLINE member of the one group, or take it out."""

from __future__ import annotations

DOCUMENTATION = r"""
module: group_replication_bootstrap
short_description: Make a MySQL server an ONLINE member of its one group, or take it out
version_added: 1.0.0
description:
  - Run on every declared member at the same time. O(state=present) makes each of them an ONLINE member of the one group,
    whatever was there before - nothing, a part of the group, a stopped member, or a complete outage.
  - Already ONLINE in the right group - nothing changes.
  - A declared member is in a living group - this server joins it, also from state ERROR, after an expulsion and while the group
    still lists this server's previous incarnation (that is waited for).
  - No member is in a group and B(every) declared member answered - exactly one of them bootstraps, the others wait
    for it and join. The one is chosen by rule - its executed and received transactions contain everyone's; then the lowest
    version; then the first in declared order among O(acting_members).
  - Anything else is refused, and nothing is changed. The message names the members that did not answer, or the transactions that are in the way.
    The complete table of situations is in the collection's C(docs/reference/decisions.md).
  - Bootstrap and leaving happen under a lock (C(GET_LOCK)) that is held on all declared members, with the facts gathered again
    under it, so that two controllers at once cannot both bootstrap. C(group_replication_bootstrap_group) is switched off again
    whatever happens.
  - Members join one after the other, under a lock on one ONLINE member. A group commits nothing for about half a second while a member joins, and for
    up to two and a half when two join at once. Each fetches what it lacks while the next one joins.
options:
  state:
    description:
      - V(present) - the server is an ONLINE member.
      - V(absent) - the server has left the group cleanly and does not come back at its next boot
        (C(group_replication_start_on_boot=OFF) is persisted, from MySQL 8.0.11 on). V(present) takes that back.
    type: str
    choices: [present, absent]
    default: present
  group_name:
    description:
      - The group's name, a UUID. Default is what the server is configured for.
      - A server that is configured for, or is a member of, another group is refused.
    type: str
  acting_members:
    description:
      - Those of O(members) on which this task runs now; the one that bootstraps is chosen among them. With C(--limit) or C(serial),
        give V(ansible_play_batch) translated to addresses.
      - Default is all of O(members).
    type: list
    elements: str
  recovery_user:
    description:
      - Account for channel C(group_replication_recovery), and for clone. Set on the channel only when it has another one.
      - The account must exist on every member with REPLICATION SLAVE; for O(clone) also with BACKUP_ADMIN, for communication stack
        MYSQL also with GROUP_REPLICATION_STREAM and CONNECTION_ADMIN. It should have REQUIRE SSL.
      - Default leaves the channel as it is.
    type: str
  recovery_password:
    description: Password of O(recovery_user); required with it.
    type: str
  clone:
    description:
      - V(never) - this server's data is never replaced.
      - V(when_needed) - by clone, when no member still has the binary logs that this server needs and this server has no
        transaction of its own; and when this server has not one transaction and the group's history does not account for the group's data.
      - V(reprovision) - also when this server has transactions that the group lacks. B(They are lost.)
      - A clone replaces B(all) data of this server and restarts it; mysqld must be supervised (systemd does). Needs the clone plugin
        on the donor and MySQL 8.0.17.
    type: str
    choices: [never, when_needed, reprovision]
    default: never
  gtid_set_is_complete:
    description:
      - Says that every transaction ever executed on the servers that hold data had a GTID, so that a server without any transaction gets all of
        the data from binary logs. Only for servers where nothing proves the contrary; the module finds out as much as it can by itself.
      - Without it, and with O(clone=never), a server whose history may not account for its data neither starts a group for servers
        without transactions nor is joined by them.
    type: bool
    default: false
  data:
    description:
      - What members hold beside their GTID sets, by address - RV(distdb.mysql_ha.group_replication_host_info#module:host.data) of each.
      - This server is looked at anyway. Only an account that sees all schemas can say this of the others, and O(peer_user) does not. Without it, a
        member that holds data outside of its history is noticed by its own run alone, and of a living group, that it was started by this module.
    type: dict
  bootstrap_without:
    description:
      - Declared members that may be silent while no member is in a group. B(Only) for members known to be down for good -
        if one of them is alive in a group of its own, there will be two groups.
    type: list
    elements: str
    default: []
  bootstrap_from:
    description:
      - Declared member that bootstraps after a complete outage even though others have transactions that it lacks. Those others
        are refused afterwards, unless O(clone=reprovision) replaces their data. B(Their transactions are lost.)
    type: str
  allow_last_member:
    description: With O(state=absent), let the last ONLINE member leave. No member serves then.
    type: bool
    default: false
  allow_quorum_loss:
    description: With O(state=absent), leave even when the remaining members have no majority without this one. The group blocks then.
    type: bool
    default: false
  hold_until:
    description:
      - With O(state=absent), path of a file on the managed host. The member leaves when the file is there. Ignored in check mode.
      - For a task that runs with C(async) while another one, such as draining a proxy, makes ready.
    type: path
  timeout:
    description:
      - Seconds for everything, waiting for others included (1 to 86400).
      - Waits can be long - the previous incarnation of a killed server is expelled after 10 to 20 seconds with default settings, and a
        server that boots while no member is in a group tries to join for 60 seconds before it can do anything else.
    type: int
    default: 300
  progress:
    description:
      - Seconds after which a wait is reported on, and then again (0 to 3600) - what is waited for, and how far it is, in
        transactions or bytes. V(0) reports nothing.
      - The lines go to standard error, beside whatever callback writes to standard output. A task with C(async) has none.
    type: int
    default: 10
  turn:
    description:
      - For the action plugin of the same name alone, which lets the module work in turns and reports in between. What the turn
        before has left.
    type: dict
  service:
    description:
      - Name of the server's systemd service on the managed host. With it, waiting for a server that restarts after a clone ends when systemd has given
        up or starts it again and again, with the server's last words.
    type: str
  error_log:
    description:
      - Path of the server's error log on the managed host, whose end is reported when a start fails.
      - Default is the server's own table C(performance_schema.error_log) (from 8.0.22 on), else C(log_error).
    type: path
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.full
  - distdb.mysql_ha.mysql
  - distdb.mysql_ha.group_replication
seealso:
  - module: distdb.mysql_ha.group_replication_info
  - module: distdb.mysql_ha.group_replication_primary
  - name: Group Replication in the MySQL manual
    description: What a group is, and what its settings mean.
    link: https://dev.mysql.com/doc/refman/8.4/en/group-replication.html
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: Every member of the inventory group is an ONLINE member of the one group
  distdb.mysql_ha.group_replication_bootstrap:
    login_unix_socket: /run/mysqld/mysqld.sock
    group_name: 8f22f846-9922-4139-b2b7-097d185a93cb
    members: "{{ groups['mysql_gr'] | map('extract', hostvars, 'mysql_gr_address') }}"
    member: "{{ mysql_gr_address }}"
    acting_members: "{{ ansible_play_batch | map('extract', hostvars, 'mysql_gr_address') }}"
    peer_user: gr_peer
    peer_password: "{{ mysql_gr_peer_password }}"
    recovery_user: repl
    recovery_password: "{{ mysql_gr_recovery_password }}"

- name: Connection options once for several tasks
  module_defaults:
    group/distdb.mysql_ha.group_replication:
      login_unix_socket: /run/mysqld/mysqld.sock
      members: [192.0.2.130, 192.0.2.131, 192.0.2.132]
      peer_user: gr_peer
      peer_password: "{{ mysql_gr_peer_password }}"
  block:
    - name: The member has left the group and stays out after a reboot
      distdb.mysql_ha.group_replication_bootstrap:
        state: absent

- name: Replace the data of a member that has transactions of its own by the group's data
  distdb.mysql_ha.group_replication_bootstrap:
    login_unix_socket: /run/mysqld/mysqld.sock
    members: [192.0.2.130, 192.0.2.131, 192.0.2.132]
    peer_user: gr_peer
    peer_password: "{{ mysql_gr_peer_password }}"
    recovery_user: repl
    recovery_password: "{{ mysql_gr_recovery_password }}"
    clone: reprovision
    timeout: 1800
"""

RETURN = r"""
decision:
  description:
    - What was done - V(unchanged), V(join), V(bootstrap), V(clone), V(mark), V(leave), V(stay_out), V(reset_flag); or, in check mode,
      what would be done first, V(wait) and V(wait_for_seed) included. On failure V(refuse).
  returned: always
  type: str
  sample: join
rule:
  description: Name of the row of C(docs/reference/decisions.md) that decided.
  returned: always
  type: str
  sample: join
reason:
  description: Why, in one sentence.
  returned: always
  type: str
  sample: a group is alive (192.0.2.130:3306 ONLINE)
before:
  description: State of this server before.
  returned: always
  type: dict
  sample: &state
    group_name: 8f22f846-9922-4139-b2b7-097d185a93cb
    gtid_executed: 8f22f846-9922-4139-b2b7-097d185a93cb:1-7
    members: ["192.0.2.130:3306 ONLINE PRIMARY", "192.0.2.131:3306 ONLINE PRIMARY"]
    role: PRIMARY
    server_uuid: 5027942c-e646-11f1-8004-02fc00000001
    start_on_boot: true
    state: ONLINE
    super_read_only: false
    version: 9.7.4-2
after:
  description: State of this server after; in check mode the expected one.
  returned: success
  type: dict
  sample: *state
statements:
  description: Statements that changed something (in check mode, that would), secrets masked.
  returned: always
  type: list
  elements: str
  sample:
    - CHANGE REPLICATION SOURCE TO SOURCE_USER='repl', SOURCE_PASSWORD='********' FOR CHANNEL 'group_replication_recovery'
    - START GROUP_REPLICATION
error_log:
  description: End of the server's error log.
  returned: when a start failed
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.operation import execute
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import cluster_options
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.member import Member


def main() -> None:
    """Entry point."""
    spec = cluster_options()
    spec.update(
        state={"type": "str", "choices": ["present", "absent"], "default": "present"},
        group_name={"type": "str"},
        acting_members={"type": "list", "elements": "str"},
        recovery_user={"type": "str"},
        recovery_password={"type": "str", "no_log": True},
        clone={"type": "str", "choices": ["never", "when_needed", "reprovision"], "default": "never"},
        gtid_set_is_complete={"type": "bool", "default": False},
        data={"type": "dict"},
        bootstrap_without={"type": "list", "elements": "str", "default": []},
        bootstrap_from={"type": "str"},
        allow_last_member={"type": "bool", "default": False},
        allow_quorum_loss={"type": "bool", "default": False},
        hold_until={"type": "path"},
        timeout={"type": "int", "default": 300},
        progress={"type": "int", "default": 10},
        turn={"type": "dict"},
        service={"type": "str"},
        error_log={"type": "path"},
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    execute(module, Member)


if __name__ == "__main__":
    main()
