# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: proxysql_hole_problems
short_description: Known security holes of a ProxySQL version
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Looks a version of ProxySQL up in the table of released versions with known security holes.
  - A version that is empty or cannot be read gives no problem.
options:
  _input:
    description: The version of ProxySQL, as its C(SELECT version\(\)) or C(proxysql --version) says it.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse a version with known holes
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: "{{ '3.0.8' | distdb.mysql_ha.proxysql_hole_problems }}"
"""

RETURN = r"""
_value:
  description: One sentence for each hole, with its CVE number and the version that has the fix.
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.versions import hole_problems


def proxysql_hole_problems(proxysql_version: Any) -> list[str]:
    return hole_problems(str(proxysql_version or ""))


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"proxysql_hole_problems": proxysql_hole_problems}
