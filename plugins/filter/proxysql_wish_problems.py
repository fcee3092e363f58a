# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: proxysql_wish_problems
short_description: What is wrong in a list of hostgroups, before any ProxySQL is asked
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Checks a list as the option C(hostgroups) of M(distdb.mysql_ha.proxysql_hostgroup) takes it - numbers, ranges, names and addresses,
    duplicates, conflicts between the groups.
options:
  _input:
    description: The list of groups.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse wrong hostgroups before anything is changed
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: "{{ proxysql_hostgroups | distdb.mysql_ha.proxysql_wish_problems }}"
"""

RETURN = r"""
_value:
  description: The first thing that is wrong, as a list with one sentence; empty if nothing is.
  type: list
  elements: str
"""

from ansible_collections.distdb.mysql_ha.plugins.module_utils.proxysql_plan import (
    Layer,
    WishError,
    check_conflicts,
    check_wishes,
    resolve,
    wish_group,
)


def proxysql_wish_problems(hostgroups):
    try:
        wishes = [wish_group(dict(entry)) for entry in hostgroups]
        check_wishes(wishes)
        check_conflicts(wishes, resolve(wishes, Layer({}, {})))
    except WishError as error:
        return [str(error)]
    except (TypeError, ValueError) as error:
        return ["an entry of the hostgroups has a value of the wrong kind ({0}).".format(error)]
    return []


class FilterModule:
    def filters(self):
        return {"proxysql_wish_problems": proxysql_wish_problems}
