# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: backup_preflight
short_description: What stands against the variables of the role mysql_backup
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_backup#role). No host is asked, and no secret is shown.
positional: hostvars
options:
  _input:
    description: >-
      The role's variables - C(cluster), C(hosts), C(place), C(shared), C(remotes), C(encrypt_to), C(user), C(password), C(level), C(every), C(fulls),
      C(days), C(bandwidth), C(place_bandwidth), C(directory), C(spool_limit), C(reserve), C(drill_schedule), C(drill_identity), C(inventory_group)
      and C(members).
    type: dict
    required: true
  hostvars:
    description: Variables by host. Read are C(mysql_gr_clone) and C(mysql_gr_group_name) of the members.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse what cannot work
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: "{{ settings | distdb.mysql_ha.backup_preflight(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Sentences, none when all is well.
  type: list
  elements: str
"""

from typing import Any, Mapping

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.backup_preflight import problems


def backup_preflight(settings: Mapping[str, Any], hostvars: Any) -> list[str]:
    return problems(settings, hostvars)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"backup_preflight": backup_preflight}
