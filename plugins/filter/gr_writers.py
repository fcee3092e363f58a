# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_writers
short_description: What belongs to a choice of who writes
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Both roles take what depends on C(mysql_gr_writers) from here, so that it cannot contradict itself.
positional: members
options:
  _input:
    description: Value of C(mysql_gr_writers).
    type: str
    required: true
  members:
    description: How many members there are.
    type: int
    default: 1
"""

EXAMPLES = r"""
- name: Writers at the proxies, where every member of three writes
  ansible.builtin.debug:
    msg: "{{ ('all' | distdb.mysql_ha.gr_writers(3)).max_writers }}"
"""

RETURN = r"""
_value:
  description: >-
    C(name); C(single_primary) and C(update_everywhere_checks), the mode of the group; C(max_writers), how many writers the proxies use;
    C(consistency) and C(member_expel_timeout), the defaults; C(described), one clause for people.
  type: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.writers import CHOICES, choice_problem


def gr_writers(name: str, members: int = 1) -> dict[str, Any]:
    if name not in CHOICES:
        raise AnsibleFilterError(choice_problem(name))
    choice = CHOICES[name]
    return {**choice._asdict(), "max_writers": max(int(members), 1) if choice.all_write else 1}


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_writers": gr_writers}
