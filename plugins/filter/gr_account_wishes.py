# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_account_wishes
short_description: What mysql_account_info compares accounts with
version_added: 1.1.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role). A password becomes what the server stores of it.
positional: group_name, plugin, rounds, append
options:
  _input:
    description: The accounts, each at one host, as P(distdb.mysql_ha.gr_accounts#filter) makes them.
    type: list
    elements: dict
    required: true
  group_name:
    description: UUID of the group. With the account's name and host it makes the salt of its password.
    type: str
    required: true
  plugin:
    description: Authentication plugin of the accounts.
    type: str
    required: true
  rounds:
    description: Rounds of hashing.
    type: int
    required: true
  append:
    description: Whether all accounts may have other privileges, too.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: See which accounts differ
  distdb.mysql_ha.mysql_account_info:
    accounts: >-
      {{ mysql_gr_users | distdb.mysql_ha.gr_accounts({})
         | distdb.mysql_ha.gr_account_wishes('aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa', 'caching_sha2_password', 5000) }}
  no_log: true
"""

RETURN = r"""
_value:
  description: The option C(accounts) of M(distdb.mysql_ha.mysql_account_info).
  type: list
  elements: dict
"""

import hashlib
from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.filter.gr_password_hash import gr_password_hash
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.password_hash import SALT

SAME = ("name", "host", "priv", "resource_limits", "state")


def gr_account_wishes(
    accounts: list[dict[str, Any]], group_name: str, plugin: str, rounds: int, append: bool = False
) -> list[dict[str, Any]]:
    found = []
    for account in accounts:
        wish = {name: account[name] for name in SAME if account.get(name) is not None}
        wish["plugin"] = plugin
        wish["append_privs"] = bool(account.get("append_privs") or append)
        if account.get("tls_requires") or account.get("require_tls"):
            wish["tls_requires"] = account.get("tls_requires") or {"SSL": True}
        if "password" in account:
            # By the salt of its password an account shows who wrote it. The salt is fixed, so that an unchanged password has an unchanged hash and a
            # changed one is found; it says nothing about the password.
            name = f"{group_name.lower()}/{account['name']}@{account['host']}"
            salt = hashlib.sha256(name.encode()).hexdigest()[:SALT]
            wish["hash"] = gr_password_hash(account["password"], salt, rounds)
        found.append(wish)
    return found


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_account_wishes": gr_account_wishes}
