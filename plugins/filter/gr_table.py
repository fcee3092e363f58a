# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_table
short_description: Rows as a plain text table
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Lays rows out in columns as wide as their widest cell.
positional: columns
options:
  _input:
    description: The rows.
    type: list
    elements: dict
    required: true
  columns:
    description: Names of the columns, in their order. A row without one of them has an empty cell there.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show a table
  ansible.builtin.debug:
    msg: "{{ [{'host': 'db0', 'state': 'ONLINE'}] | distdb.mysql_ha.gr_table(['host', 'state']) }}"
"""

RETURN = r"""
_value:
  description: The table, with a heading.
  type: str
"""

from typing import Any


def gr_table(rows: list[dict[str, Any]], columns: list[str]) -> str:
    cells = [columns] + [
        ["" if row.get(column) is None else str(row.get(column)) for column in columns] for row in rows
    ]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_table": gr_table}
