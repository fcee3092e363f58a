# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_status_page
short_description: The status of clusters and proxies as one HTML page
version_added: 1.1.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the playbook C(distdb.mysql_ha.status). The page has no script and loads nothing; whatever servers say is escaped.
options:
  _input:
    description: A report of P(distdb.mysql_ha.gr_status_report#filter).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write the page
  ansible.builtin.copy:
    content: "{{ report | distdb.mysql_ha.gr_status_page }}"
    dest: status.html
    mode: "0600"
"""

RETURN = r"""
_value:
  description: The page.
  type: str
"""

from typing import Any, Callable

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.status_page import page


def gr_status_page(report: dict[str, Any]) -> str:
    """The page's text."""
    return page(report)


class FilterModule:
    """Filter plugin."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Filters by name."""
        return {"gr_status_page": gr_status_page}
