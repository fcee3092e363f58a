#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against the upgrade of a server, before it is touched."""

from __future__ import annotations

DOCUMENTATION = r"""
module: group_replication_upgrade_check
short_description: What stands against the upgrade of a MySQL server
version_added: 1.0.0
description:
  - Says before an upgrade what the newer server would not take - a way that MySQL does not go (a downgrade, a long-term series that is skipped), options
    that it has no longer, accounts whose authentication plugin it does not have, objects that it does not support, and too little room on the disks.
  - Asks as MySQL Shell's upgrade checker does, as far as SQL and option files can tell. The table of what is asked is the same for every server.
  - Changes nothing. Run it on each member; option files and accounts of replication can differ.
  - Used by the playbook C(distdb.mysql_ha.rolling_upgrade).
options:
  to_version:
    description: The version to which the server is to be upgraded, as its package says it without the epoch, for instance V(8.4.8-1).
    type: str
    required: true
  option_files:
    description:
      - Option files that the server reads. Files that they include are read, too.
      - Options in these files, on the command line and those that the server has persisted are looked at.
    type: list
    elements: path
    default: [/etc/my.cnf, /etc/mysql/my.cnf]
  check_tables_timeout:
    description:
      - Seconds for C(CHECK TABLE … FOR UPGRADE) on all tables, which is run only where the series changes. Tables for which there was no time are counted
        in a note.
      - V(0) leaves it out.
    type: int
    default: 60
  directories:
    description: Directories, beside the server's data directory, whose file systems need O(free_space).
    type: list
    elements: path
    default: [/var, /usr]
  free_space:
    description: MiB that each of these file systems must have free.
    type: int
    default: 1024
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.looks
  - distdb.mysql_ha.mysql
seealso:
  - module: distdb.mysql_ha.mysqld_options_check
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: See what stands against MySQL 8.4
  distdb.mysql_ha.group_replication_upgrade_check:
    login_unix_socket: /run/mysqld/mysqld.sock
    to_version: 8.4.8
  register: upgrade

- name: Refuse what the newer server does not take
  ansible.builtin.assert:
    that: upgrade.problems | length == 0
    fail_msg: "{{ upgrade.problems | join(' ') }}"
"""

RETURN = r"""
version:
  description: The version that runs.
  returned: success
  type: str
  sample: 8.0.30
problems:
  description: Why the server cannot be upgraded as it is, one sentence each, with the first ten names and how many there are.
  returned: success
  type: list
  elements: str
  sample: ["expire_logs_days in /etc/mysql/my.cnf: MySQL 8.2.0 has no such option and does not start with it; use binlog_expire_logs_seconds"]
notes:
  description: What is worth knowing, and no reason to refuse, such as options that are deprecated.
  returned: success
  type: list
  elements: str
checked:
  description: What was looked at.
  returned: success
  type: list
  elements: str
  sample: [options, accounts, free space, reserved_words, CHECK TABLE … FOR UPGRADE]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import (
    PYMYSQL_ERROR,
    login_connection,
    login_options,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import check_range
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.upgrade_facts import gather_upgrade
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.upgrade_rules import changes_series, judge
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import VersionError, check_version
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, Result, conclude


def look(params: dict[str, Any]) -> Result:
    """Ask the server, and judge."""
    check_range(params, "check_tables_timeout", 0, 86400)
    check_range(params, "free_space", 0, 1 << 30, " MiB")
    wanted = params["to_version"]
    try:
        check_version(wanted)
    except VersionError as error:
        raise Refusal(f"to_version: '{wanted}' is not allowed ({error})") from None
    connection = login_connection(params)
    try:
        upgrade = gather_upgrade(
            connection,
            wanted,
            params["option_files"],
            params["check_tables_timeout"],
            params["directories"],
            params["free_space"],
        )
    except VersionError as error:
        raise Refusal(str(error)) from None
    finally:
        connection.close()
    report = judge(upgrade)
    tables = (
        ["CHECK TABLE … FOR UPGRADE"]
        if changes_series(upgrade.current, wanted) and params["check_tables_timeout"]
        else []
    )
    names = list(dict.fromkeys(check.name for check, _rows in upgrade.found))
    return {
        "changed": False,
        "version": upgrade.current,
        "problems": report.problems,
        "notes": report.warnings,
        "checked": ["options", "accounts", "free space", *names, *tables] if upgrade.space else [],
    }


def main() -> None:
    """Entry point."""
    spec = login_options()
    spec.update(
        to_version={"type": "str", "required": True},
        option_files={"type": "list", "elements": "path", "default": ["/etc/my.cnf", "/etc/mysql/my.cnf"]},
        check_tables_timeout={"type": "int", "default": 60},
        directories={"type": "list", "elements": "path", "default": ["/var", "/usr"]},
        free_space={"type": "int", "default": 1024},
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    conclude(module, lambda: look(module.params), pymysql_error=PYMYSQL_ERROR)


if __name__ == "__main__":
    main()
