# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: certificates_united
short_description: The certificates of several PEM files in one
version_added: 1.1.0
author:
  - distdb contributors (@distdb)
description:
  - Each certificate once, in the order of the files. What else is in them is left out.
options:
  _input:
    description: Texts of the files.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show them
  ansible.builtin.debug:
    msg: "{{ [former, new] | distdb.mysql_ha.certificates_united }}"
"""

RETURN = r"""
_value:
  description: Text of a PEM file.
  type: str
"""

from typing import Any, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._certificates import united


def certificates_united(texts: Sequence[str]) -> str:
    return united(*texts)


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"certificates_united": certificates_united}
