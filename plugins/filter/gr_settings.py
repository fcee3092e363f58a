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
    msg: "{{ '8.4.6' | distdb.mysql_ha.gr_settings({'server_id': 130, 'single_primary': false}) }}"
"""

RETURN = r"""
_value:
  description: Lines such as C(loose-group_replication_single_primary_mode = OFF).
  type: list
  elements: str
"""

import re

from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_versions import (
    VersionError,
    plain_name,
    render_settings,
)

SIZE = re.compile(r"^(\d+)\s*([KMGT])i?B?$", re.IGNORECASE)
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
# Sizes that the version table knows as whole numbers of bytes.
SIZES = ("message_cache_size", "communication_max_message_size", "transaction_size_limit", "compression_threshold")


def to_bytes(value):
    """Bytes of a size such as 128M; anything else unchanged."""
    match = SIZE.match(str(value).strip())
    return int(match.group(1)) * UNITS[match.group(2).upper()] if match else value


def quote(value):
    """A value as it stands in an option file, where '#' begins a comment and a backslash an escape."""
    if re.search(r"[#;\"'\\]|^\s|\s$", value):
        return '"{0}"'.format(value.replace("\\", "\\\\").replace('"', '\\"'))
    return value


def plain(settings):
    """Option names in one spelling, sizes in bytes."""
    found = {}
    for name, value in (settings or {}).items():
        name = plain_name(name)
        short = name[len("group_replication_") :] if name.startswith("group_replication_") else name
        found[name] = to_bytes(value) if short in SIZES else value
    return found


def gr_settings(version, wishes, preferred=None, extra=None):
    try:
        lines = render_settings(str(version), plain(wishes), plain(preferred), plain(extra))
    except VersionError as error:
        raise AnsibleFilterError(str(error)) from error
    return ["{0}{1} = {2}".format("loose-" if loose else "", name, quote(str(value))) for name, value, loose in lines]


class FilterModule:
    def filters(self):
        return {"gr_settings": gr_settings}
