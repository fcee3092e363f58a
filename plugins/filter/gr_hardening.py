# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_hardening
short_description: Server options for protections that are chosen by name
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role) for its variable C(mysql_gr_hardening).
positional: plugins
options:
  _input:
    description: Names of protections.
    type: list
    elements: str
    choices: [require_secure_transport, validate_password, connection_control, password_history]
    required: true
  plugins:
    description: Plugins that are loaded anyway.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show what is written for a protection
  ansible.builtin.debug:
    msg: "{{ ['require_secure_transport'] | distdb.mysql_ha.gr_hardening }}"
"""

RETURN = r"""
_value:
  description: Options by name; C(plugin_load_add) is null where nothing is loaded.
  type: dict
"""

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.hardening import PROTECTIONS, hardening


def gr_hardening(names: Any, plugins: list[str] | None = None) -> dict[str, Any]:
    # What is no protection is said by the preflight.
    known = [name for name in names if name in PROTECTIONS] if isinstance(names, list) else []
    return hardening(known, plugins or [])


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_hardening": gr_hardening}
