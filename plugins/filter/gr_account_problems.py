# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_account_problems
short_description: What stands against accounts that are to be written into a group
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role) before it writes accounts. Names them, never their passwords.
positional: option
options:
  _input:
    description: The accounts.
    type: list
    elements: dict
    required: true
  option:
    description: The variable that holds them, for the sentences.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse accounts without a name or a password
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: "{{ mysql_gr_accounts | distdb.mysql_ha.gr_account_problems('mysql_gr_accounts') }}"
"""

RETURN = r"""
_value:
  description: Sentences, none when all is well.
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.preflight_variables import account_problems


def gr_account_problems(accounts: list[dict[str, Any]], option: str) -> list[str]:
    return account_problems(accounts, option, {})


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_account_problems": gr_account_problems}
