# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_account_rest
short_description: Accounts at hosts that are no longer meant
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role) once the accounts exist at the hosts that are meant. One by which a host is connected that none of
    these would admit is kept.
positional: seen
options:
  _input:
    description: The accounts as P(distdb.mysql_ha.gr_accounts#filter) returns them.
    type: list
    elements: dict
    required: true
  seen:
    description: >-
      What is on the server, as rows with C(user), C(host) and C(what) - V(account) for an account that the role wrote, V(client) for an address that
      is connected as that user.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show which accounts the members no longer use
  ansible.builtin.debug:
    msg: "{{ (accounts | distdb.mysql_ha.gr_account_rest(seen)).gone }}"
"""

RETURN = r"""
_value:
  description: C(gone), a list of pairs of user and host, and C(kept), a sentence for each account that is kept.
  type: dict
"""

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.account_hosts import rest


def gr_account_rest(accounts: list[dict[str, Any]], seen: list[dict[str, str]]) -> dict[str, Any]:
    return rest(accounts, seen)._asdict()


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_account_rest": gr_account_rest}
