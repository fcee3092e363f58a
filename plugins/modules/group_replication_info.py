#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of one member and a diagnosis of the whole cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: group_replication_info
short_description: Facts of a Group Replication member and a diagnosis of the whole cluster
version_added: 1.0.0
description:
  - Queries the managed server and all other declared members, at the same time, and says in which state the cluster is.
  - Changes nothing.
  - The words are those of MySQL Shell's AdminAPI.
options:
  group_name:
    description:
      - The group to diagnose, a UUID. Default is the name of the living group, else what the servers are configured for.
    type: str
  events:
    description:
      - How many of the newest events of the managed server to return as RV(events) (0 to 1000). Needs MySQL 8.0.22; of an older server there are none.
    type: int
    default: 0
    version_added: 1.1.0
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.looks
  - distdb.mysql_ha.mysql
  - distdb.mysql_ha.group_replication
seealso:
  - module: distdb.mysql_ha.group_replication_bootstrap
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: Ask the cluster
  distdb.mysql_ha.group_replication_info:
    login_unix_socket: /run/mysqld/mysqld.sock
    members: [192.0.2.130, 192.0.2.131, 192.0.2.132]
    peer_user: gr_peer
    peer_password: "{{ mysql_gr_peer_password }}"
  register: cluster

- name: All three are there
  ansible.builtin.assert:
    that:
      - cluster.cluster.state == 'ONLINE'
      - not cluster.cluster.uncertain

- name: Who has transactions that the group lacks
  ansible.builtin.debug:
    msg: "{{ cluster.cluster.members | dict2items | selectattr('value.errant') | map(attribute='key') }}"
"""

RETURN = r"""
cluster:
  description: Diagnosis of the whole cluster.
  returned: success
  type: dict
  contains:
    state:
      description:
        - V(ONLINE) - every declared member is ONLINE in one group with quorum.
        - V(ONLINE_PARTIAL) - a group has quorum, and some declared member is not ONLINE in it.
        - V(NO_QUORUM) - members are ONLINE, but none of them sees a majority; they cannot write.
        - V(OFFLINE) - no member that answered is in a group.
        - V(SPLIT_BRAIN) - more than one group of this name has quorum.
      type: str
      sample: ONLINE_PARTIAL
    uncertain:
      description: Whether a member did not answer, or the members' views differ, so that the state may be another one.
      type: bool
    uncertain_because:
      description: Why, one sentence each.
      type: list
      elements: str
      sample: ["192.0.2.132:3306 could not be asked: 192.0.2.132:3306 does not answer (timed out)"]
    group_name:
      description: The group that was diagnosed.
      type: str
    mode:
      description: V(single_primary), V(multi_primary), or empty when there is no group.
      type: str
    writers:
      description:
        - Who writes, by mode and C(group_replication_enforce_update_everywhere_checks) of the group. V(primary), single-primary mode; V(one), multi-primary
          mode without these checks, in which one member at a time may write; V(all), multi-primary mode with them.
        - Empty when there is no group.
      type: str
    communication_stack:
      description: By which the members of the group talk, V(XCOM) or V(MYSQL). Empty when there is no group.
      type: str
      sample: XCOM
    primaries:
      description: Addresses of the ONLINE members that are PRIMARY.
      type: list
      elements: str
    site:
      description:
        - Of a group that is one of two sites (M(distdb.mysql_ha.group_replication_site)), by its own history - C(role) (V(primary) or V(standby)), C(claim)
          (number of the newest claim that it knows of), C(takes_writes), and of a standby its channel, C(source), C(running), C(behind) (transactions that
          are received and not applied) and C(error). Empty of any other group, and where no primary answers.
        - Whether the other site has a newer claim, only the other site knows.
      type: dict
      sample: {behind: 0, claim: 1, error: "", role: standby, running: true, source: "192.0.2.130:3306", takes_writes: false}
    partitions:
      description: Groups that the declared members are in - members, those ONLINE, whether they have quorum, name.
      type: list
      elements: dict
    undeclared:
      description: Members that a view lists and that are not declared.
      type: list
      elements: str
    warnings:
      description: What else an operator should know.
      type: list
      elements: str
    members:
      description: One entry per declared member, by address.
      type: dict
      contains:
        kind:
          description:
            - V(member) - in the group.
            - V(rejoinable) - was in the group, is not, and can come back as it is.
            - V(joinable) - never was in the group and can join.
            - V(broken) - has transactions that the group lacks, or lacks transactions that no member can send any more.
            - V(unsuitable) - its version, plugin, settings, identity or group name does not fit.
            - V(unreachable) - did not answer.
          type: str
        why:
          description: Reason for V(broken), V(unsuitable) and V(unreachable).
          type: str
        would:
          description:
            - What M(distdb.mysql_ha.group_replication_bootstrap) would do with it first when run on all members with C(state=present) and no
              other options - C(decision), C(rule) and C(reason) as that module returns them.
          type: dict
          sample: {decision: join, reason: "a group is alive (192.0.2.130:3306 ONLINE)", rule: join}
        state:
          description: ONLINE, RECOVERING, ERROR, OFFLINE; of an unreachable member what the others' view says, else UNKNOWN.
          type: str
        role:
          description: PRIMARY, SECONDARY or empty.
          type: str
        version:
          description: Server version.
          type: str
        server_uuid:
          description: The server's UUID.
          type: str
        gtid_executed:
          description: Executed transactions.
          type: str
        received:
          description: Transactions received by the applier channel, applied or not.
          type: str
        errant:
          description: Transactions that the group (without a group, every other member) lacks.
          type: str
        transactions_behind:
          description: Number of transactions waiting to be applied, or null when not in a group.
          type: int
        transactions_to_certify:
          description: Number of transactions waiting for certification, or null when not in a group.
          type: int
        replicates_from:
          description: For each replication channel from a server outside of the group, from where, and how far behind it is or why it stands still.
          type: list
          elements: str
          sample: ["replicates from 192.0.2.140:3306, 3 transactions behind"]
        differing_settings:
          description: Settings that must be equal in a group and differ from the group's.
          type: list
          elements: str
member:
  description: Facts of the managed server, with its settings C(group_replication_*), view, channels and plugins.
  returned: success
  type: dict
address:
  description: Which declared member the managed server is.
  returned: success
  type: str
  sample: 192.0.2.130:3306
certificate:
  description:
    - The certificate that the managed server shows to others - C(expires), as the server says it, and C(days_left), for how many whole days it is valid,
      null where the server has none. C(ca_days_left), the same of its CA, null where the files cannot be read. Empty where it was not asked.
  returned: success
  type: dict
  sample: {expires: "Nov 26 19:30:03 2027 GMT", days_left: 364, ca_days_left: 3649}
guard:
  description:
    - What the guard on the managed host (C(mysql_gr_guard) of the role mysql_gr) last decided, as C(mysql-gr-guard status --json) shows it -
      C(mode), C(decision), C(rule), C(reason), C(since), C(paused_until). Empty where none runs.
  returned: success
  type: dict
events:
  description:
    - What happened to the managed server lately by its own error log, the newest first - its errors, and what concerns its group. C(at), seconds since 1970,
      C(severity) (V(error), V(warning) or V(note)), C(code) and C(what). Statements in messages are left out.
  returned: success
  type: list
  elements: dict
  sample: [{at: 1795799547.3, severity: warning, code: MY-011499, what: "Members removed from the group: 192.0.2.131:3306"}]
  version_added: 1.1.0
"""

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.certificate import certificate_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import PYMYSQL_ERROR
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.diagnosis import diagnose
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.events import STATEMENT, event
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.host import running
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import cluster_options, open_cluster
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import is_live
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import (
    has_error_log_table,
    has_json_aggregates,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, Result, conclude

MOST_EVENTS = 1000


def look(module: Any) -> Result:
    """Ask everybody, and say what it means."""
    wanted = module.params["events"]
    if not 0 <= wanted <= MOST_EVENTS:
        raise Refusal(f"events: {wanted} is not allowed (allowed: 0 to {MOST_EVENTS})")
    cluster, facts, group_name = open_cluster(module.params)
    mine = facts[cluster.me]
    if mine.reachable and not is_live(mine) and not mine.version_error and has_json_aggregates(mine.version):
        cluster.look_at_data(history=True)
        facts = cluster.with_data(facts)
    certificate = certificate_of(cluster.local, time.time()) if mine.reachable else {}
    events = events_of(cluster, mine.version, wanted) if mine.reachable and not mine.version_error else []
    cluster.close()
    report = diagnose(cluster.members, facts, group_name)
    for text in report["warnings"]:
        module.warn(text)
    return {
        "changed": False,
        "cluster": report,
        "member": facts[cluster.me].as_dict(),
        "address": cluster.me,
        "certificate": certificate,
        "guard": guard_of_host(),
        "events": events,
    }


def events_of(cluster: Any, version: str, wanted: int) -> list[Result]:
    """The newest events of the managed server."""
    if not wanted or not has_error_log_table(version):
        return []
    return [event(row)._asdict() for row in cluster.local.query(STATEMENT, (wanted,))]


def guard_of_host() -> Result:
    """What the guard says; nothing to an account that may not see it."""
    try:
        return running()
    except PermissionError:
        return {}


def main() -> None:
    """Entry point."""
    spec = cluster_options()
    spec.update(group_name={"type": "str"}, events={"type": "int", "default": 0})
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    conclude(module, lambda: look(module), pymysql_error=PYMYSQL_ERROR)


if __name__ == "__main__":
    main()
