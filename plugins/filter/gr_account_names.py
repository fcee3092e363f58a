# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_account_names
short_description: Names of hosts that accounts need the addresses of
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role) before P(distdb.mysql_ha.gr_accounts#filter).
options:
  _input:
    description: The accounts.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show which names are looked up
  ansible.builtin.debug:
    msg: "{{ [{'name': 'app', 'from_hosts': ['192.0.2.129', 'proxy.example.com']}] | distdb.mysql_ha.gr_account_names }}"
"""

RETURN = r"""
_value:
  description: Those of C(from_hosts) that are names, each once.
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.account_hosts import names_in


def gr_account_names(accounts: list[dict[str, Any]]) -> list[str]:
    return names_in(accounts)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_account_names": gr_account_names}
