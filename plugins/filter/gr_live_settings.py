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
positional: new, version, tls
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
  tls:
    description: >-
      Whether settings of TLS count as such; who sets them has the server read its certificate again, and starts Group Replication anew.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Variables to be set
  ansible.builtin.debug:
    msg: "{{ (old | distdb.mysql_ha.gr_live_settings(new, '8.4.6')).variables }}"
"""

RETURN = r"""
_value:
  description: >-
    C(possible), whether every difference is one that the running server can take; C(variables), value by variable to be set by C(SET GLOBAL); C(lasting), the
    options that need a restart.
  type: dict
"""

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import effective_version
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.server_options import (
    LIVE,
    LIVE_BY_FUNCTION,
    LIVE_TLS,
    LIVE_TLS_WITHOUT,
    plain_name,
)


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


def gr_live_settings(old: str, new: str, version: str, tls: bool = False) -> dict[str, Any]:
    before, after = parse(old), parse(new)
    changed = sorted(name for name in set(before) | set(after) if before.get(name) != after.get(name))
    since = effective_version(version)
    live = {**LIVE, **LIVE_TLS} if tls else LIVE
    if tls:
        after = {**{name: LIVE_TLS_WITHOUT[name] for name in changed if name in LIVE_TLS_WITHOUT}, **after}
    variables: dict[str, Any] = {}
    lasting = []
    for name in changed:
        if name in LIVE_BY_FUNCTION:
            continue
        # An event scheduler that is DISABLED stays so until the server is restarted.
        if name not in after or name not in live or since < live[name] or "DISABLED" in (before.get(name), after[name]):
            lasting.append(name)
        else:
            variables[name] = int(after[name]) if after[name].isdigit() else after[name]
    return {"possible": not lasting, "variables": {} if lasting else variables, "lasting": lasting}


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_live_settings": gr_live_settings}
