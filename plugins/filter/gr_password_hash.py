# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_password_hash
short_description: What caching_sha2_password stores of a password
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role), so that accounts have the number of rounds that the server would take.
positional: salt, rounds
options:
  _input:
    description: The password.
    type: str
    required: true
  salt:
    description: 20 letters and digits. The same salt gives the same text.
    type: str
    required: true
  rounds:
    description: Rounds of hashing, in thousands, as C(caching_sha2_password_digest_rounds).
    type: int
    default: 5000
"""

EXAMPLES = r"""
- name: Make the text for CREATE USER … IDENTIFIED WITH caching_sha2_password AS
  ansible.builtin.set_fact:
    app_hash: "{{ app_password | distdb.mysql_ha.gr_password_hash('0123456789abcdef0123', 10000) }}"
  no_log: true
"""

RETURN = r"""
_value:
  description: The authentication string.
  type: str
"""

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.password_hash import stored


def gr_password_hash(password: object, salt: str, rounds: int = 5000) -> str:
    try:
        return stored(str(password), salt, int(rounds))
    except ValueError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_password_hash": gr_password_hash}
