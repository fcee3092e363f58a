# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_account_failures
short_description: Which accounts could not be written, and why, without their passwords
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role). The results of a loop over accounts hold whole accounts, so they are not shown themselves.
positional: accounts
options:
  _input:
    description: The results of C(ansible.mysql.mysql_user), in the order of the accounts.
    type: list
    elements: dict
    required: true
  accounts:
    description: The accounts. Their passwords are masked wherever a server or module repeats one.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Say which accounts could not be written
  ansible.builtin.fail:
    msg: "{{ written.results | distdb.mysql_ha.gr_account_failures(accounts) | join('; ') }}"
"""

RETURN = r"""
_value:
  description: >-
    One text per account that failed, such as C(app@%: invalid privileges string …).
  type: list
  elements: str
"""

from typing import Any

MASK = "********"


def secret_texts(accounts: list[dict[str, Any]]) -> list[str]:
    """The passwords, and as a server's message would quote them; longest first, so that none is a part of one that is left."""
    texts = set()
    for account in accounts:
        password = str(account.get("password") or "")
        if password:
            texts |= {password, password.replace("\\", "\\\\").replace("'", "\\'"), password.replace("'", "''")}
    return sorted(texts, key=len, reverse=True)


def gr_account_failures(results: list[dict[str, Any]], accounts: list[dict[str, Any]]) -> list[str]:
    secrets = secret_texts(accounts)
    failures = []
    for result, account in zip(results, accounts):
        if not result.get("failed"):
            continue
        reason = str(result.get("msg") or "no reason was given")
        if reason.startswith("Cannot execute SQL "):
            # Behind the statement and its arguments, of which one is the hash of the password.
            reason = reason.rpartition("]: ")[2]
        for secret in secrets:
            reason = reason.replace(secret, MASK)
        failures.append(f"{account.get('name')}@{account.get('host', '%')}: {reason}")
    return failures


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_account_failures": gr_account_failures}
