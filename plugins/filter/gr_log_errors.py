# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_log_errors
short_description: The errors of the last start in an error log of mysqld
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role) to say why a server did not start.
options:
  _input:
    description: Text of the error log, or its end.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Say why the server did not start
  ansible.builtin.debug:
    msg: "{{ log.stdout | distdb.mysql_ha.gr_log_errors | join('; ') }}"
"""

RETURN = r"""
_value:
  description: The last errors, at most five, without time and codes; none where the last start had no error.
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.module_utils._error_log import error_lines, last_start

MOST = 5


def gr_log_errors(text: str) -> list[str]:
    return error_lines(last_start(str(text)))[-MOST:]


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_log_errors": gr_log_errors}
