# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: proxysql_pair_problems
short_description: Why a ProxySQL version does not work with given MySQL versions
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Looks a version of ProxySQL and the versions of the group's members up in the table of pairs known not to work together with Group
    Replication.
  - A version that is empty or cannot be read gives no problem.
positional: mysql_versions
options:
  _input:
    description: The version of ProxySQL, as its C(SELECT version\(\)) or C(proxysql --version) says it.
    type: str
    required: true
  mysql_versions:
    description: The versions of the members.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse a pair that cannot work
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: "{{ '2.7.1' | distdb.mysql_ha.proxysql_pair_problems(['9.7.4', '8.4.6']) }}"
"""

RETURN = r"""
_value:
  description: One sentence per pair that does not work, with the reason and its source.
  type: list
  elements: str
"""

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.versions import pair_problem


def proxysql_pair_problems(proxysql_version: Any, mysql_versions: Any) -> list[str]:
    if isinstance(mysql_versions, str):
        raise AnsibleFilterError(
            f"proxysql_pair_problems: mysql_versions must be a list of version strings, not the string {mysql_versions!r}."
        )
    problems = (pair_problem(str(proxysql_version or ""), str(version or "")) for version in mysql_versions)
    return sorted({problem for problem in problems if problem})


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"proxysql_pair_problems": proxysql_pair_problems}
