# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements by their meaning: the one place that knows how a version of MySQL words them.

Private to this collection.
"""

from __future__ import annotations

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import (
    OLDEST,
    Version,
    VersionError,
    effective_version,
    parse_version,
)

# ---------------------------------------------------------------------------------------------------------------------
# Statements: meaning -> ((first version, text or None), ...), newest last. None: that version has no such statement.
# Words in braces are filled in by statement(); values always travel as parameters (%s), never inside the text.
# fmt: off
STATEMENTS: dict[str, tuple[tuple[tuple[int, int, int], str | None], ...]] = {
    "start_group_replication": (((5, 7, 17), "START GROUP_REPLICATION"),),
    "stop_group_replication": (((5, 7, 17), "STOP GROUP_REPLICATION"),),
    "change_recovery_credentials": (
        ((5, 7, 17), "CHANGE MASTER TO MASTER_USER=%s, MASTER_PASSWORD=%s FOR CHANNEL 'group_replication_recovery'"),
        ((8, 0, 23), "CHANGE REPLICATION SOURCE TO SOURCE_USER=%s, SOURCE_PASSWORD=%s FOR CHANNEL 'group_replication_recovery'")),
    "set_persist": (((5, 7, 17), None), ((8, 0, 11), "SET PERSIST {name} = %s")),
    "persist_only": (((5, 7, 17), None), ((8, 0, 26), "SET PERSIST_ONLY {name} = %s")),
    "reset_persist": (((5, 7, 17), None), ((8, 0, 11), "RESET PERSIST IF EXISTS {name}")),
    "clone_instance": (((5, 7, 17), None), ((8, 0, 17), "CLONE INSTANCE FROM %s@%s:{port} IDENTIFIED BY %s REQUIRE SSL")),
    "install_clone_plugin": (((5, 7, 17), None), ((8, 0, 17), "INSTALL PLUGIN clone SONAME 'mysql_clone.so'")),
    "add_purged": (((5, 7, 17), None), ((8, 0, 1), "SET GLOBAL gtid_purged = %s")),
    "stop_channel": (((5, 7, 17), "STOP SLAVE FOR CHANNEL %s"), ((8, 0, 22), "STOP REPLICA FOR CHANNEL %s")),
    "reset_channel": (((5, 7, 17), "RESET SLAVE ALL FOR CHANNEL %s"), ((8, 0, 22), "RESET REPLICA ALL FOR CHANNEL %s")),
    "stop_receiver": (((5, 7, 17), "STOP SLAVE IO_THREAD FOR CHANNEL %s"), ((8, 0, 22), "STOP REPLICA IO_THREAD FOR CHANNEL %s")),
    "start_channel": (((5, 7, 17), "START SLAVE FOR CHANNEL %s"), ((8, 0, 22), "START REPLICA FOR CHANNEL %s")),
    # A channel between two groups. Only on the primary with AUTO_FAILOVER, last: a secondary without the channel is expelled then.
    "change_source": (((5, 7, 17), None), ((8, 0, 27),
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST=%s, SOURCE_PORT={port}, SOURCE_USER=%s, SOURCE_PASSWORD=%s, SOURCE_SSL=1, SOURCE_SSL_CA=%s, "
        "SOURCE_SSL_VERIFY_SERVER_CERT={verify}, SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=3, SOURCE_HEARTBEAT_PERIOD=2"
        "{more} FOR CHANNEL %s")),
    "forget_failover": (((5, 7, 17), None), ((8, 0, 27), "CHANGE REPLICATION SOURCE TO SOURCE_CONNECTION_AUTO_FAILOVER=0 FOR CHANNEL %s")),
    "add_managed_source": (((5, 7, 17), None), ((8, 0, 27),
        "SELECT asynchronous_connection_failover_add_managed(%s, 'GroupReplication', %s, %s, {port}, '', 80, 60)")),
    "delete_managed_source": (((5, 7, 17), None), ((8, 0, 27), "SELECT asynchronous_connection_failover_delete_managed(%s, %s)")),
    "set_as_primary": (((5, 7, 17), None), ((8, 0, 13), "SELECT group_replication_set_as_primary(%s)")),
    "set_as_primary_timeout": (((5, 7, 17), None), ((8, 0, 29), "SELECT group_replication_set_as_primary(%s, {seconds})")),
    "switch_to_single_primary": (((5, 7, 17), None), ((8, 0, 13), "SELECT group_replication_switch_to_single_primary_mode()")),
    "switch_to_single_primary_member": (((5, 7, 17), None),
                                        ((8, 0, 13), "SELECT group_replication_switch_to_single_primary_mode(%s)")),
    "switch_to_multi_primary": (((5, 7, 17), None), ((8, 0, 13), "SELECT group_replication_switch_to_multi_primary_mode()")),
    "disable_member_action": (((5, 7, 17), None), ((8, 0, 26), "SELECT group_replication_disable_member_action(%s, %s)")),
    "get_communication_protocol": (((5, 7, 17), None), ((8, 0, 16), "SELECT group_replication_get_communication_protocol() AS protocol")),
    "set_communication_protocol": (((5, 7, 17), None), ((8, 0, 16), "SELECT group_replication_set_communication_protocol(%s)")),
    "enable_member_action": (((5, 7, 17), None), ((8, 0, 26), "SELECT group_replication_enable_member_action(%s, %s)")),
}
# fmt: on
# Whether a server has a receiver of the group's messages, which runs from a START on for as long as it is in a group.
RECEIVERS = "SELECT COUNT(*) AS receivers FROM performance_schema.threads WHERE NAME = 'thread/group_rpl/THD_applier_module_receiver'"


def statement(version: object, meaning: str, **words: object) -> str:
    """The statement of this meaning for a server version; VersionError where that version has none."""
    if meaning not in STATEMENTS:
        raise KeyError(f"no statement with the meaning '{meaning}'")
    wanted = effective_version(version)
    text = None
    first = None
    for since, candidate in STATEMENTS[meaning]:
        if candidate is not None and first is None:
            first = since
        if wanted >= since:
            text = candidate
    if text is None:
        raise VersionError(
            f"MySQL {parse_version(version)} has no statement to {meaning.replace('_', ' ')} (it came with {Version(*(first or OLDEST))})"
        )
    return text.format(**words) if words else text


def has_statement(version: object, meaning: str) -> bool:
    """Whether this server version has a statement of that meaning."""
    try:
        statement(version, meaning)
    except VersionError:
        return False
    except KeyError:
        # A word in braces was not given: the statement exists.
        return meaning in STATEMENTS
    return True
