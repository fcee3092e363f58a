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

PEER_TABLES_5_7 = [
    "global_variables:SELECT",
    "replication_applier_status:SELECT",
    "replication_applier_status_by_coordinator:SELECT",
    "replication_applier_status_by_worker:SELECT",
    "replication_connection_configuration:SELECT",
    "replication_connection_status:SELECT",
    "replication_group_member_stats:SELECT",
    "replication_group_members:SELECT",
    # In the order in which the server shows them, by which ansible.mysql.mysql_user compares.
    "threads:SELECT (NAME, PROCESSLIST_HOST, PROCESSLIST_ID, PROCESSLIST_USER, THREAD_ID)",
    "user_variables_by_thread:SELECT",
]

# What a version has and needs: meaning -> ((first version, value), ...), newest last.
# fmt: off
FACTS: dict[str, tuple[tuple[tuple[int, int, int], Any], ...]] = {
    # Arguments by which mysqld checks its options and ends.
    "check_arguments": (((5, 7, 17), ["--verbose", "--help"]), ((8, 0, 16), ["--validate-config"])),
    # Privileges of the account by which a joining member fetches what it lacks; what it needs besides where members may be cloned, and where members
    # talk to each other by the communication stack MYSQL.
    "recovery_privileges": (((5, 7, 17), ["REPLICATION SLAVE"]), ((8, 0, 4), ["REPLICATION SLAVE", "CONNECTION_ADMIN"])),
    "cloning_privileges": (((5, 7, 17), []), ((8, 0, 17), ["BACKUP_ADMIN"])),
    "stack_privileges": (((5, 7, 17), []), ((8, 0, 27), ["GROUP_REPLICATION_STREAM"])),
    # What a member reads of another one (_group/facts.py, locks.py, and the role's files/wait.py), as privileges of ansible.mysql.mysql_user. Of threads
    # not what they execute: statements hold data.
    "peer_tables": (((5, 7, 17), PEER_TABLES_5_7), ((8, 0, 0), PEER_TABLES_5_7 + ["persisted_variables:SELECT", "variables_info:SELECT"])),
    # Whether privileges can be revoked that a replica of the statement may not have (REVOKE IF EXISTS).
    "revoke_if_exists": (((5, 7, 17), False), ((8, 0, 30), True)),
    # Privileges by which the peer account renews the group's configuration before a killed member starts (roles/mysql_gr/files/wait.py).
    "renewal_privileges": (((5, 7, 17), []), ((8, 0, 13), ["GROUP_REPLICATION_ADMIN"])),
    # Privileges of the account by which backups are made: to clone, to read binary logs, and to read tables at one moment for a drill.
    "backup_privileges": (
        ((5, 7, 17), ["RELOAD", "REPLICATION CLIENT", "REPLICATION SLAVE", "SELECT"]),
        ((8, 0, 17), ["BACKUP_ADMIN", "RELOAD", "REPLICATION CLIENT", "REPLICATION SLAVE", "SELECT"]),
        ((8, 0, 23), ["BACKUP_ADMIN", "FLUSH_TABLES", "REPLICATION CLIENT", "REPLICATION SLAVE", "SELECT"]),
    ),
    # Authentication plugin of accounts; empty: the server's default.
    "auth_plugin": (((5, 7, 17), ""), ((8, 0, 4), "caching_sha2_password")),
    # How often the server hashes a password, if nobody says it (caching_sha2_password_digest_rounds).
    "digest_rounds": (((5, 7, 17), 5000), ((9, 7, 0), 10000)),
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
