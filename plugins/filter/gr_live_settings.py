# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_live_settings
short_description: Whether a running member can take a new option file without a restart, and how
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Compares two option files written by the role P(distdb.mysql_ha.mysql_gr#role).
positional: new, version
options:
  _input:
    description: Text of the option file that the server has read.
    type: str
    required: true
  new:
    description: Text of the option file that it is to have.
    type: str
    required: true
  version:
    description: Version of the server.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Variables to be set
  ansible.builtin.debug:
    msg: "{{ (old | distdb.mysql_ha.gr_live_settings(new, '8.4.6')).variables }}"
"""

RETURN = r"""
_value:
  description: >-
    C(possible), whether every difference is one that the running server can take; C(variables), value by variable to be set by C(SET GLOBAL).
  type: dict
"""

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import effective_version
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.server_options import LIVE, LIVE_BY_FUNCTION, plain_name


def parse(text: str) -> dict[str, str]:
    """Value by option; a repeated option, as plugin_load_add is, has all its values in one."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        line = line.strip()
        if not line or line[0] in "#[":
            continue
        name, _equals, value = line.partition("=")
        name = plain_name(name.strip())
        value = value.strip()
        value = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
        found[name] = found[name] + "\n" + value if name in found else value
    return found


def gr_live_settings(old: str, new: str, version: str) -> dict[str, Any]:
    before, after = parse(old), parse(new)
    changed = sorted(name for name in set(before) | set(after) if before.get(name) != after.get(name))
    since = effective_version(version)
    variables: dict[str, Any] = {}
    for name in changed:
        if name in LIVE_BY_FUNCTION:
            continue
        # An event scheduler that is DISABLED stays so until the server is restarted.
        if name not in after or name not in LIVE or since < LIVE[name] or "DISABLED" in (before.get(name), after[name]):
            return {"possible": False, "variables": {}}
        variables[name] = int(after[name]) if after[name].isdigit() else after[name]
    return {"possible": True, "variables": variables}


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_live_settings": gr_live_settings}
