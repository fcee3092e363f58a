# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ops_differences
short_description: Which tables of a server are not as they are to be
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the playbook C(distdb.mysql_ha.restore), after a restore.
positional: wanted
options:
  _input:
    description: What the server holds - RV(distdb.mysql_ha.mysqld_content_info#module:tables).
    type: dict
    required: true
  wanted:
    description: What it is to hold, in the same form. A checksum that is null in one of them is not compared.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what differs
  ansible.builtin.debug:
    msg: "{{ content.tables | distdb.mysql_ha.ops_differences(restored.tables) }}"
"""

RETURN = r"""
_value:
  description: A few words for each table that differs, by name.
  type: list
  elements: str
"""

from typing import Any, Iterator, Mapping

Tables = Mapping[str, Mapping[str, Any]]


def differences(found: Tables, wanted: Tables) -> Iterator[str]:
    for name in sorted({*found, *wanted}):
        if name not in found:
            yield f"{name} is missing"
        elif name not in wanted:
            yield f"{name} is there and was not"
        elif found[name]["rows"] != wanted[name]["rows"]:
            yield f"{name} has {found[name]['rows']} rows instead of {wanted[name]['rows']}"
        elif None not in (sums := (found[name]["checksum"], wanted[name]["checksum"])) and sums[0] != sums[1]:
            yield f"{name} has another checksum"


def ops_differences(found: Tables, wanted: Tables) -> list[str]:
    return list(differences(found, wanted))


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"ops_differences": ops_differences}
