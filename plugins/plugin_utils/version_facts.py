# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a version of MySQL has and needs, as far as only the control node has to know it.

A new version is a new entry, or none.

Private to this collection.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.statements import RECEIVERS
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import dotted, effective_version

# What a version has and needs: meaning -> ((first version, value), ...), newest last.
# fmt: off
FACTS: dict[str, tuple[tuple[tuple[int, int, int], Any], ...]] = {
    # Arguments by which mysqld checks its options and ends.
    "check_arguments": (((5, 7, 17), ["--verbose", "--help"]), ((8, 0, 16), ["--validate-config"])),
    # Privileges of the account by which a joining member fetches what it lacks.
    "recovery_privileges": (((5, 7, 17), ["REPLICATION SLAVE"]),
                            ((8, 0, 4), ["REPLICATION SLAVE", "CONNECTION_ADMIN", "BACKUP_ADMIN"]),
                            ((8, 0, 27), ["REPLICATION SLAVE", "CONNECTION_ADMIN", "BACKUP_ADMIN", "GROUP_REPLICATION_STREAM"])),
    # Privileges by which the peer account renews the group's configuration before a killed member starts (roles/mysql_gr/files/wait.py).
    "renewal_privileges": (((5, 7, 17), []), ((8, 0, 13), ["GROUP_REPLICATION_ADMIN"])),
    # Authentication plugin of accounts; empty: the server's default.
    "auth_plugin": (((5, 7, 17), ""), ((8, 0, 4), "caching_sha2_password")),
    # Whether an account can have two passwords (RETAIN CURRENT PASSWORD).
    "dual_passwords": (((5, 7, 17), False), ((8, 0, 14), True)),
    # The plugin by which a member's data can be copied.
    "clone_plugin": (((5, 7, 17), ""), ((8, 0, 17), "mysql_clone.so")),
    # By what the members of a new group talk to each other. MYSQL, from 8.0.27 on and MySQL Shell's choice, is left to the user: its connections
    # count in max_connections, so that an application can keep members apart. 9.7 calls XCOM deprecated where it is written down, and has it by default.
    "communication_stack": (((5, 7, 17), "XCOM"),),
    # What the server has where its option file says nothing.
    "communication_stack_default": (((5, 7, 17), "XCOM"),),
    # How many receivers of a group's messages a server has: none, or one from a START on for as long as it is in its group.
    "receivers": (((5, 7, 17), RECEIVERS),),
    # Whether ProxySQL's monitor reads a view in sys, which has to be made; else it reads performance_schema.
    "monitor_view": (((5, 7, 17), True), ((8, 0, 0), False)),
}
# fmt: on


def first_version(meaning: str, value: Any) -> str:
    """The version that brought this value of a fact, as text."""
    return next(dotted(since) for since, found in FACTS[meaning] if found == value)


def version_facts(version: str) -> dict[str, Any]:
    """Everything in FACTS, for one server version."""
    wanted = effective_version(version)
    return {meaning: [value for since, value in entries if wanted >= since][-1] for meaning, entries in FACTS.items()}
