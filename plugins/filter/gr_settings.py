# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_settings
short_description: The lines of a member's option file, valid for its server version
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Renders settings for exactly one server version, by the collection's one version table. An option that the version does not have is
    never written; options that the plugin owns are written with C(loose-).
  - Never renders an option that would bootstrap a group at every start.
positional: wishes
options:
  _input:
    description: The server's version, as its package or the server itself says it, for instance C(9.7.4-2).
    type: str
    required: true
  wishes:
    description: Settings that must be in force. One that the version does not have is an error.
    type: dict
    required: true
  preferred:
    description: Settings that are left out where the version does not have them.
    type: dict
  extra:
    description: Other options of the server. They are written as they are; V(null) leaves one out.
    type: dict
"""

EXAMPLES = r"""
- name: Show an option file
  ansible.builtin.debug:
    msg: "{{ '8.4.6' | distdb.mysql_ha.gr_settings({'server_id': 130, 'single_primary_mode': false}) }}"
"""

RETURN = r"""
_value:
  description: Lines such as C(loose-group_replication_single_primary_mode = OFF).
  type: list
  elements: str
"""

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import VersionError
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.option_lines import option_lines
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.server_options import Settings


def gr_settings(
    version: str, wishes: Settings, preferred: Settings | None = None, extra: Settings | None = None
) -> list[str]:
    try:
        return option_lines(str(version), wishes, preferred, extra)
    except VersionError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_settings": gr_settings}
