# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_guard_program
short_description: The program of the guard of a member, as one text file
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Makes the program C(mysql-gr-guard) of the collection's own modules, so that the guard of a member decides by the same rules as
    M(distdb.mysql_ha.group_replication_bootstrap) of the same version.
  - The same version of the collection always makes the same text.
options:
  _input:
    description: The program's first line, which names its interpreter.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: The program is there
  ansible.builtin.copy:
    content: "{{ first_line | distdb.mysql_ha.gr_guard_program }}"
    dest: /usr/local/sbin/mysql-gr-guard
    mode: "0755"
"""

RETURN = r"""
_value:
  description: The program's text.
  type: str
"""

from typing import Callable

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.host_program import host_program


def gr_guard_program(first_line: str) -> str:
    """The program's text."""
    return host_program("mysql-gr-guard", first_line)


class FilterModule:
    """Filter plugin."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Filters by name."""
        return {"gr_guard_program": gr_guard_program}
