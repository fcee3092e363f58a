# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one table of what differs between MySQL versions.

Modules ask for a statement by its meaning (``statement(version, "start_replica")``). What only the control node has to know - options of the
server, privileges, how mysqld checks its options - stands in plugin_utils/server_options.py. Nothing else in the collection compares server
versions.

Sources: the MySQL reference manuals' pages on option changes and the release notes; what was tried on a real server
(9.7.4) has precedence.

Private to this collection.
"""

from __future__ import annotations

import re
from collections import namedtuple

# Group Replication came with 5.7.17.
OLDEST = (5, 7, 17)
# The series in which the table was checked. MySQL's numbering jumps from 9.7 to 26.7 (year.month).
KNOWN_SERIES = (
    (5, 7),
    (8, 0),
    (8, 1),
    (8, 2),
    (8, 3),
    (8, 4),
    (9, 0),
    (9, 1),
    (9, 2),
    (9, 3),
    (9, 4),
    (9, 5),
    (9, 6),
    (9, 7),
    (26, 7),
)

# Long-term series: an upgrade goes from one to the next, never past one.
LONG_TERM = ((5, 7), (8, 0), (8, 4), (9, 7))


class VersionError(ValueError):
    """The server's version is not one that the collection can work with, or lacks what was asked for."""


class Version(namedtuple("Version", "major minor patch")):
    """A server version, compared as a tuple."""

    __slots__ = ()

    def __str__(self):
        return "%d.%d.%d" % self

    @property
    def series(self):
        """The first two numbers, for instance (8, 4)."""
        return (self.major, self.minor)


def parse_version(text):
    """A Version from what ``SELECT VERSION()`` gives: '8.0.36-0ubuntu0.22.04.1', '5.7.44-log', '9.7.4-2', '26.7'."""
    if isinstance(text, Version):
        return text
    if isinstance(text, (tuple, list)):
        numbers = [int(number) for number in text][:3]
        return Version(*(numbers + [0] * (3 - len(numbers))))
    text = str(text or "").strip()
    if "mariadb" in text.lower():
        raise VersionError(
            "server version '{}' is MariaDB, which has no Group Replication (needed: MySQL {} or newer)".format(
                text, "%d.%d.%d" % OLDEST
            )
        )
    match = re.match(r"^(\d+)\.(\d+)(?:\.(\d+))?(?![\d.])", text)
    if not match:
        raise VersionError(f"server version '{text}' is not understood (expected numbers such as 8.4.6 or 26.7)")
    return Version(int(match.group(1)), int(match.group(2)), int(match.group(3) or 0))


def check_version(text):
    """(Version, warning or None). Refuses servers without Group Replication; a series not in the table is a warning."""
    version = parse_version(text)
    if version < OLDEST:
        raise VersionError(
            "server version {} has no Group Replication (needed: MySQL {} or newer)".format(
                version, "%d.%d.%d" % OLDEST
            )
        )
    if version.series in KNOWN_SERIES:
        return version, None
    newest = "%d.%d" % KNOWN_SERIES[-1]
    return version, f"MySQL {version} is not known to this collection; it is treated as {newest}, the newest known"


def effective_version(text):
    """The version to look up in the table: an unknown one is treated as the newest known."""
    version, warning = check_version(text)
    return Version(KNOWN_SERIES[-1][0], KNOWN_SERIES[-1][1], 0) if warning else version


# ---------------------------------------------------------------------------------------------------------------------
# Statements: meaning -> ((first version, text or None), ...), newest last. None: that version has no such statement.
# Words in braces are filled in by statement(); values always travel as parameters (%s), never inside the text.
# fmt: off
STATEMENTS = {
    "start_group_replication": (((5, 7, 17), "START GROUP_REPLICATION"),),
    "start_group_replication_user": (((5, 7, 17), None), ((8, 0, 21), "START GROUP_REPLICATION USER=%s, PASSWORD=%s")),
    "stop_group_replication": (((5, 7, 17), "STOP GROUP_REPLICATION"),),
    "start_replica": (((5, 7, 17), "START SLAVE"), ((8, 0, 22), "START REPLICA")),
    "stop_replica": (((5, 7, 17), "STOP SLAVE"), ((8, 0, 22), "STOP REPLICA")),
    "reset_replica": (((5, 7, 17), "RESET SLAVE"), ((8, 0, 22), "RESET REPLICA")),
    "reset_replica_all": (((5, 7, 17), "RESET SLAVE ALL"), ((8, 0, 22), "RESET REPLICA ALL")),
    "reset_applier_channel": (((5, 7, 17), "RESET SLAVE ALL FOR CHANNEL 'group_replication_applier'"),
                              ((8, 0, 22), "RESET REPLICA ALL FOR CHANNEL 'group_replication_applier'")),
    "show_replica_status": (((5, 7, 17), "SHOW SLAVE STATUS"), ((8, 0, 22), "SHOW REPLICA STATUS")),
    "show_replicas": (((5, 7, 17), "SHOW SLAVE HOSTS"), ((8, 0, 22), "SHOW REPLICAS")),
    "show_binary_log_status": (((5, 7, 17), "SHOW MASTER STATUS"), ((8, 2, 0), "SHOW BINARY LOG STATUS")),
    "show_binary_logs": (((5, 7, 17), "SHOW BINARY LOGS"),),
    "purge_binary_logs_to": (((5, 7, 17), "PURGE BINARY LOGS TO %s"),),
    "reset_binary_logs": (((5, 7, 17), "RESET MASTER"), ((8, 2, 0), "RESET BINARY LOGS AND GTIDS")),
    "change_recovery_credentials": (
        ((5, 7, 17), "CHANGE MASTER TO MASTER_USER=%s, MASTER_PASSWORD=%s FOR CHANNEL 'group_replication_recovery'"),
        ((8, 0, 23), "CHANGE REPLICATION SOURCE TO SOURCE_USER=%s, SOURCE_PASSWORD=%s FOR CHANNEL 'group_replication_recovery'")),
    "set_persist": (((5, 7, 17), None), ((8, 0, 11), "SET PERSIST {name} = %s")),
    "reset_persist": (((5, 7, 17), None), ((8, 0, 11), "RESET PERSIST IF EXISTS {name}")),
    "restart": (((5, 7, 17), None), ((8, 0, 11), "RESTART")),
    "clone_instance": (((5, 7, 17), None), ((8, 0, 17), "CLONE INSTANCE FROM %s@%s:{port} IDENTIFIED BY %s REQUIRE SSL")),
    "install_clone_plugin": (((5, 7, 17), None), ((8, 0, 17), "INSTALL PLUGIN clone SONAME 'mysql_clone.so'")),
    "install_group_replication_plugin": (((5, 7, 17), "INSTALL PLUGIN group_replication SONAME 'group_replication.so'"),),
    "set_as_primary": (((5, 7, 17), None), ((8, 0, 13), "SELECT group_replication_set_as_primary(%s)")),
    "set_as_primary_timeout": (((5, 7, 17), None), ((8, 0, 29), "SELECT group_replication_set_as_primary(%s, {seconds})")),
    "switch_to_single_primary": (((5, 7, 17), None), ((8, 0, 13), "SELECT group_replication_switch_to_single_primary_mode()")),
    "switch_to_single_primary_member": (((5, 7, 17), None),
                                        ((8, 0, 13), "SELECT group_replication_switch_to_single_primary_mode(%s)")),
    "switch_to_multi_primary": (((5, 7, 17), None), ((8, 0, 13), "SELECT group_replication_switch_to_multi_primary_mode()")),
    "get_communication_protocol": (((5, 7, 17), None), ((8, 0, 16), "SELECT group_replication_get_communication_protocol()")),
    "disable_member_action": (((5, 7, 17), None), ((8, 0, 26), "SELECT group_replication_disable_member_action(%s, %s)")),
    "enable_member_action": (((5, 7, 17), None), ((8, 0, 26), "SELECT group_replication_enable_member_action(%s, %s)")),
}
# fmt: on


def statement(version, meaning, **words):
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
            "MySQL {} has no statement to {} (it came with {})".format(
                parse_version(version), meaning.replace("_", " "), "%d.%d.%d" % first
            )
        )
    return text.format(**words) if words else text


def has_statement(version, meaning):
    """Whether this server version has a statement of that meaning."""
    try:
        statement(version, meaning)
    except VersionError:
        return False
    except KeyError:
        # A word in braces was not given: the statement exists.
        return meaning in STATEMENTS
    return True


# ---------------------------------------------------------------------------------------------------------------------
# Other facts that depend on the version.
def has_clone(version):
    """Whether the clone plugin exists."""
    return effective_version(version) >= (8, 0, 17)


def has_persist(version):
    """Whether variables can be persisted by the server."""
    return effective_version(version) >= (8, 0, 11)


def has_online_mode_switch(version):
    """Whether the group's mode and primary can be switched while it is running."""
    return effective_version(version) >= (8, 0, 13)


def has_member_role_column(version):
    """Whether performance_schema.replication_group_members says who is primary."""
    return effective_version(version) >= (8, 0, 2)


def can_join(joiner, lowest_in_group):
    """(bool, reason): whether a member of this version may join a group whose oldest member has that version."""
    new, old = effective_version(joiner), effective_version(lowest_in_group)
    if new >= old:
        return True, ""
    if new.series == old.series and new.series in ((8, 0), (8, 4), (9, 7)) and new >= (8, 0, 35):
        return True, ""
    if new.series == old.series and new.series == (8, 0) and old < (8, 0, 17):
        return True, ""
    return False, (
        f"MySQL {parse_version(joiner)} is older than the group's oldest member ({parse_version(lowest_in_group)}), and the group does not take older members"
    )
