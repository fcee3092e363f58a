# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_status_metrics
short_description: What only the control node knows of proxies and backups, as metrics
version_added: 1.1.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the playbook C(distdb.mysql_ha.status). The text is for the textfile collector of Prometheus' node_exporter on the control node.
  - Members are not in it, they measure themselves (C(mysql-gr-guard metrics)).
options:
  _input:
    description: A report of P(distdb.mysql_ha.gr_status_report#filter).
    type: dict
    required: true
  backups:
    description: When the newest backup of a cluster was made, in UTC, by the cluster's name.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Write the metrics
  ansible.builtin.copy:
    content: "{{ report | distdb.mysql_ha.gr_status_metrics({'mysql_gr': '2026-11-27T17:20:00Z'}) }}"
    dest: /var/lib/prometheus/node-exporter/mysql_ha.prom
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The file's text.
  type: str
"""

from typing import Any, Callable

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.status_metrics import textfile


def gr_status_metrics(report: dict[str, Any], backups: dict[str, str] | None = None) -> str:
    """The file's text."""
    return textfile(report, backups or {})


class FilterModule:
    """Filter plugin."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Filters by name."""
        return {"gr_status_metrics": gr_status_metrics}
