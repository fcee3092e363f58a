# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_status_report
short_description: The status of clusters and proxies as data, with a verdict and what to do next
version_added: 1.1.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the playbook C(distdb.mysql_ha.status). Takes what the info modules said of each host, those that failed included, and judges it.
options:
  _input:
    description: The clusters of the run, as P(distdb.mysql_ha.ops_targets#filter) returns them.
    type: list
    elements: dict
    required: true
  members:
    description: For each cluster by name, the answers of M(distdb.mysql_ha.group_replication_info) by host.
    type: dict
    required: true
  addresses:
    description: SQL address by host.
    type: dict
    required: true
  proxies:
    description: The answers of M(distdb.mysql_ha.proxysql_hostgroup_info) by host.
    type: dict
    default: {}
  shared:
    description: Addresses that proxies share, rows of P(distdb.mysql_ha.gr_status#filter) with V(shared).
    type: list
    elements: dict
    default: []
  now:
    description: The moment of the report in seconds since 1970; default is now.
    type: float
"""

EXAMPLES = r"""
- name: A cluster on which no operator has to do anything
  ansible.builtin.assert:
    that: report.status == 0
  vars:
    report: "{{ operations_targets.clusters | distdb.mysql_ha.gr_status_report({'mysql_gr': answers}, addresses) }}"
"""

RETURN = r"""
_value:
  description: >-
    C(format), C(at), C(status) (V(0), V(1), V(2) or V(3)), C(verdict) (V(OK), V(WARNING), V(CRITICAL) or V(UNKNOWN)), C(summary) (its reasons, one
    sentence each), and C(clusters), C(proxies) and
    C(addresses), each with its own C(status), C(verdict) and C(findings). A finding has C(severity), C(about), C(what), C(do) and C(see).
  type: dict
"""

import time
from typing import Any, Callable

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.status_report import report


def gr_status_report(
    clusters: list[dict[str, Any]],
    members: dict[str, dict[str, Any]],
    addresses: dict[str, str],
    proxies: dict[str, Any] | None = None,
    shared: list[dict[str, Any]] | None = None,
    now: float | None = None,
) -> dict[str, Any]:
    """The report."""
    return report(clusters, members, addresses, proxies or {}, shared or [], time.time() if now is None else now)


class FilterModule:
    """Filter plugin."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Filters by name."""
        return {"gr_status_report": gr_status_report}
