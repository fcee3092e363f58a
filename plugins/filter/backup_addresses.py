# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: backup_addresses
short_description: From where hosts that make backups connect to members
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - For the hosts of the account by which backups are made.
positional: hostvars
options:
  _input:
    description: Names of the hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: Variables by host. Read are C(mysql_gr_address), else C(proxysql_address), else C(ansible_host), else the host's name.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show from where backups are made
  ansible.builtin.debug:
    msg: "{{ ['backup1', 'db3'] | distdb.mysql_ha.backup_addresses(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Addresses or names, each once.
  type: list
  elements: str
"""

from typing import Any, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import classify
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.firewall import host_address


def backup_addresses(names: Sequence[str], hostvars: Any) -> list[str]:
    return list(dict.fromkeys(classify(host_address(hostvars, name)).text for name in names))


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"backup_addresses": backup_addresses}
