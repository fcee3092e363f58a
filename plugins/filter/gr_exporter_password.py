# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_exporter_password
short_description: The bcrypt hash of a password, for the web configuration of a Prometheus exporter
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the roles P(distdb.mysql_ha.mysql_gr#role) and P(distdb.mysql_ha.proxysql#role). The same password and salt always give the same hash, so that an
    unchanged password changes no file.
  - Needs the Python library bcrypt on the control node, or a libcrypt that knows bcrypt, as that of Linux distributions does.
positional: salted_by
options:
  _input:
    description: The password, of at most 72 bytes.
    type: str
    required: true
  salted_by:
    description: A text from which the salt is made, such as the name of the host.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Write who may scrape an exporter
  ansible.builtin.copy:
    content: "basic_auth_users: {prometheus: {{ password | distdb.mysql_ha.gr_exporter_password(inventory_hostname) }}}\n"
    dest: /etc/exporter/web.yml
    mode: "0640"
"""

RETURN = r"""
_value:
  description: The hash, C($2b$10$…).
  type: str
"""

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.monitoring import bcrypt_hash


def gr_exporter_password(password: str, salted_by: str) -> str:
    return bcrypt_hash(str(password), str(salted_by))


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_exporter_password": gr_exporter_password}
