# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one table of what differs between MySQL versions.

Modules ask for a statement by its meaning (``statement(version, "start_replica")``), the role asks for option lines
(``render_settings``). Nothing else in the collection compares server versions.

Sources: the MySQL reference manuals' pages on option changes and the release notes; what was tried on a real server
(9.7.4) has precedence.

Private to this collection, apart from the filter plugin that renders the role's drop-in file.
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
# Server options.
#
# name: the meaning, which is also the newest name of the option.
# names: ((first version, option name or None), ...): renames; None: removed from that version on.
# plugin: the plugin owns it; written with `loose-`, since the server must start (and initialize) without the plugin.
# default: ((first version, value), ...): the server's default, for information and comparison.
# allowed: tuple of words, or (smallest, largest) of an integer, or None.
Option = namedtuple("Option", "name names plugin default allowed deprecated")


def _gr(name, since=(5, 7, 17), default=None, allowed=None, removed=None, deprecated=None, renamed=()):
    names = list(renamed) + [(since, "group_replication_" + name)]
    if removed:
        names.append((removed, None))
    return Option("group_replication_" + name, tuple(names), True, default, allowed, deprecated)


def _srv(name, since=(5, 7, 17), default=None, allowed=None, removed=None, deprecated=None, renamed=()):
    names = list(renamed) + [(since, name)]
    if removed:
        names.append((removed, None))
    return Option(name, tuple(names), False, default, allowed, deprecated)


_ONOFF = ("ON", "OFF")
_A = (5, 7, 17)  # from the beginning

# fmt: off
OPTIONS = {option.name: option for option in (
    # -- Group Replication ------------------------------------------------------------------------------------------
    _gr("group_name"),
    _gr("local_address"),
    _gr("group_seeds"),
    _gr("ip_allowlist", since=(8, 0, 22), renamed=((_A, "group_replication_ip_whitelist"),), default=((_A, "AUTOMATIC"),)),
    _gr("start_on_boot", default=((_A, "ON"),), allowed=_ONOFF),
    _gr("single_primary_mode", default=((_A, "ON"),), allowed=_ONOFF),
    _gr("enforce_update_everywhere_checks", default=((_A, "OFF"),), allowed=_ONOFF),
    _gr("ssl_mode", default=((_A, "DISABLED"),), allowed=("DISABLED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")),
    _gr("recovery_use_ssl", default=((_A, "OFF"),), allowed=_ONOFF),
    _gr("recovery_ssl_ca"),
    _gr("recovery_ssl_cert"),
    _gr("recovery_ssl_key"),
    _gr("recovery_ssl_verify_server_cert", default=((_A, "OFF"),), allowed=_ONOFF),
    _gr("recovery_get_public_key", since=(8, 0, 4), default=(((8, 0, 4), "OFF"),), allowed=_ONOFF),
    _gr("recovery_public_key_path", since=(8, 0, 4)),
    _gr("recovery_retry_count", default=((_A, "10"),), allowed=(0, 31536000)),
    _gr("recovery_reconnect_interval", default=((_A, "60"),), allowed=(0, 31536000)),
    _gr("recovery_complete_at", default=((_A, "TRANSACTIONS_APPLIED"),), allowed=("TRANSACTIONS_CERTIFIED", "TRANSACTIONS_APPLIED"),
        deprecated=(8, 0, 34), removed=(8, 4, 0)),
    _gr("recovery_tls_version", since=(8, 0, 19)),
    _gr("advertise_recovery_endpoints", since=(8, 0, 21), default=(((8, 0, 21), "DEFAULT"),)),
    _gr("tls_source", since=(8, 0, 21), default=(((8, 0, 21), "MYSQL_MAIN"),), allowed=("MYSQL_MAIN", "MYSQL_ADMIN")),
    _gr("allow_local_disjoint_gtids_join", default=((_A, "OFF"),), allowed=_ONOFF, deprecated=(5, 7, 21), removed=(8, 0, 4)),
    _gr("allow_local_lower_version_join", default=((_A, "OFF"),), allowed=_ONOFF, deprecated=(8, 4, 0), removed=(9, 5, 0)),
    _gr("auto_increment_increment", default=((_A, "7"),), allowed=(1, 65535)),
    _gr("unreachable_majority_timeout", since=(5, 7, 19), default=((_A, "0"),), allowed=(0, 31536000)),
    _gr("member_weight", since=(5, 7, 20), default=((_A, "50"),), allowed=(0, 100)),
    _gr("exit_state_action", since=(5, 7, 24), allowed=("READ_ONLY", "OFFLINE_MODE", "ABORT_SERVER"),
        default=(((5, 7, 24), "READ_ONLY"), ((8, 0, 12), "ABORT_SERVER"), ((8, 0, 16), "READ_ONLY"), ((8, 4, 0), "OFFLINE_MODE"))),
    _gr("member_expel_timeout", since=(8, 0, 13), default=(((8, 0, 13), "0"), ((8, 0, 21), "5")), allowed=(0, 3600)),
    _gr("consistency", since=(8, 0, 14), default=(((8, 0, 14), "EVENTUAL"), ((8, 4, 0), "BEFORE_ON_PRIMARY_FAILOVER")),
        allowed=("EVENTUAL", "BEFORE_ON_PRIMARY_FAILOVER", "BEFORE", "AFTER", "BEFORE_AND_AFTER")),
    _gr("autorejoin_tries", since=(8, 0, 16), default=(((8, 0, 16), "0"), ((8, 0, 21), "3")), allowed=(0, 2016)),
    _gr("message_cache_size", since=(8, 0, 16), default=(((8, 0, 16), "1073741824"),), allowed=(134217728, 315360000000)),
    _gr("communication_max_message_size", since=(8, 0, 16), default=(((8, 0, 16), "10485760"),), allowed=(0, 1073741824)),
    _gr("clone_threshold", since=(8, 0, 17), default=(((8, 0, 17), "9223372036854775807"),), allowed=(1, 9223372036854775807)),
    _gr("view_change_uuid", since=(8, 0, 26), default=(((8, 0, 26), "AUTOMATIC"),), deprecated=(8, 3, 0)),
    _gr("paxos_single_leader", since=(8, 0, 27), default=(((8, 0, 27), "OFF"),), allowed=_ONOFF),
    _gr("communication_stack", since=(8, 0, 27), default=(((8, 0, 27), "XCOM"),), allowed=("XCOM", "MYSQL")),
    _gr("preemptive_garbage_collection", since=(8, 4, 0), default=(((8, 4, 0), "OFF"),), allowed=_ONOFF),
    _gr("flow_control_mode", default=((_A, "QUOTA"),), allowed=("DISABLED", "QUOTA")),
    _gr("flow_control_applier_threshold", default=((_A, "25000"),), allowed=(0, 2147483647)),
    _gr("flow_control_certifier_threshold", default=((_A, "25000"),), allowed=(0, 2147483647)),
    _gr("flow_control_hold_percent", since=(8, 0, 2), default=(((8, 0, 2), "10"),), allowed=(0, 100)),
    _gr("flow_control_max_quota", since=(8, 0, 2), default=(((8, 0, 2), "0"),), allowed=(0, 2147483647)),
    _gr("flow_control_member_quota_percent", since=(8, 0, 2), default=(((8, 0, 2), "0"),), allowed=(0, 100)),
    _gr("flow_control_min_quota", since=(8, 0, 2), default=(((8, 0, 2), "0"),), allowed=(0, 2147483647)),
    _gr("flow_control_min_recovery_quota", since=(8, 0, 2), default=(((8, 0, 2), "0"),), allowed=(0, 2147483647)),
    _gr("flow_control_period", since=(8, 0, 2), default=(((8, 0, 2), "1"),), allowed=(1, 60)),
    _gr("flow_control_release_percent", since=(8, 0, 2), default=(((8, 0, 2), "50"),), allowed=(0, 1000)),
    _gr("poll_spin_loops", default=((_A, "0"),), allowed=(0, 4294967295)),
    _gr("communication_debug_options", since=(8, 0, 3)),
    _gr("recovery_ssl_capath"),
    _gr("recovery_ssl_cipher"),
    _gr("recovery_ssl_crl"),
    _gr("recovery_ssl_crlpath"),
    _gr("recovery_tls_ciphersuites", since=(8, 0, 19)),
    _gr("recovery_compression_algorithms", since=(8, 0, 18), default=(((8, 0, 18), "uncompressed"),)),
    _gr("recovery_zstd_compression_level", since=(8, 0, 18), default=(((8, 0, 18), "3"),), allowed=(1, 22)),
    _gr("preemptive_garbage_collection_rows_threshold", since=(8, 4, 0), default=(((8, 4, 0), "100000"),),
        allowed=(1, 2147483647)),
    _gr("transaction_size_limit", default=((_A, "0"), ((8, 0, 2), "150000000")), allowed=(0, 2147483647)),
    _gr("compression_threshold", default=((_A, "1000000"),), allowed=(0, 4294967295)),
    _gr("gtid_assignment_block_size", default=((_A, "1000000"),), allowed=(1, 9223372036854775807)),
    _gr("components_stop_timeout", default=((_A, "31536000"), ((8, 0, 27), "300")), allowed=(2, 31536000)),
    # -- what Group Replication needs of the server -----------------------------------------------------------------
    _srv("server_id", allowed=(1, 4294967295)),
    _srv("bind_address", default=((_A, "*"),)),
    _srv("port", allowed=(1, 65535)),
    _srv("report_host"),
    _srv("report_port", allowed=(1, 65535)),
    _srv("admin_address", since=(8, 0, 14)),
    _srv("mysqlx", since=(8, 0, 11), default=(((8, 0, 11), "ON"),)),
    _srv("log_bin"),
    _srv("gtid_mode", default=((_A, "OFF"),), allowed=("OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON")),
    _srv("enforce_gtid_consistency", default=((_A, "OFF"),), allowed=("OFF", "ON", "WARN")),
    # The default has been ROW ever since 5.7.7; setting it is deprecated from 8.0.34 on.
    _srv("binlog_format", default=((_A, "ROW"),), allowed=("ROW",), deprecated=(8, 0, 34)),
    _srv("binlog_checksum", default=((_A, "CRC32"),), allowed=("NONE", "CRC32")),
    _srv("log_replica_updates", since=(8, 0, 26), renamed=((_A, "log_slave_updates"),), default=((_A, "OFF"), ((8, 0, 3), "ON")),
         allowed=_ONOFF),
    _srv("master_info_repository", default=((_A, "FILE"), ((8, 0, 2), "TABLE")), allowed=("TABLE", "FILE"), deprecated=(8, 0, 23),
         removed=(8, 3, 0)),
    _srv("relay_log_info_repository", default=((_A, "FILE"), ((8, 0, 2), "TABLE")), allowed=("TABLE", "FILE"), deprecated=(8, 0, 23),
         removed=(8, 3, 0)),
    _srv("transaction_write_set_extraction", default=((_A, "OFF"), ((8, 0, 2), "XXHASH64")), allowed=("XXHASH64", "MURMUR32", "OFF"),
         deprecated=(8, 0, 26), removed=(8, 3, 0)),
    _srv("binlog_transaction_dependency_tracking", since=(5, 7, 22), allowed=("COMMIT_ORDER", "WRITESET", "WRITESET_SESSION"),
         default=(((5, 7, 22), "COMMIT_ORDER"),), deprecated=(8, 0, 35), removed=(8, 4, 0)),
    _srv("replica_parallel_workers", since=(8, 0, 26), renamed=((_A, "slave_parallel_workers"),), default=((_A, "0"), ((8, 0, 27), "4")),
         allowed=(0, 1024)),
    _srv("replica_parallel_type", since=(8, 0, 26), renamed=((_A, "slave_parallel_type"),),
         default=((_A, "DATABASE"), ((8, 0, 27), "LOGICAL_CLOCK")), allowed=("DATABASE", "LOGICAL_CLOCK"), deprecated=(8, 0, 29),
         removed=(9, 6, 0)),
    _srv("replica_preserve_commit_order", since=(8, 0, 26), renamed=((_A, "slave_preserve_commit_order"),),
         default=((_A, "OFF"), ((8, 0, 27), "ON")), allowed=_ONOFF),
    _srv("binlog_expire_logs_seconds", since=(8, 0, 1), default=(((8, 0, 1), "0"), ((8, 0, 11), "2592000")), allowed=(0, 4294967295)),
    _srv("expire_logs_days", default=((_A, "0"),), allowed=(0, 99), deprecated=(8, 0, 3), removed=(8, 2, 0)),
    _srv("default_authentication_plugin", default=((_A, "mysql_native_password"), ((8, 0, 4), "caching_sha2_password")),
         deprecated=(8, 0, 27), removed=(8, 4, 0)),
    _srv("skip_replica_start", since=(8, 0, 26), renamed=((_A, "skip_slave_start"),)),
    _srv("require_secure_transport", default=((_A, "OFF"),), allowed=_ONOFF),
)}
# fmt: on

# Older names that a user may still write for an option.
ALIASES = {
    old: option.name for option in OPTIONS.values() for _since, old in option.names if old and old != option.name
}

# An option that is never rendered: in a file it would bootstrap a second group at every start.
FORBIDDEN = ("group_replication_bootstrap_group", "group_replication_force_members")

# What every member needs, whatever is wished: meaning -> (value, until). It is written while the version still knows
# the option and does not have the value by default (or, for log_bin, says nothing against it).
BASE = (
    ("gtid_mode", "ON", None),
    ("enforce_gtid_consistency", "ON", None),
    ("log_bin", "binlog", None),
    ("binlog_format", "ROW", (8, 0, 0)),
    ("log_replica_updates", "ON", (8, 0, 3)),
    ("master_info_repository", "TABLE", (8, 0, 2)),
    ("relay_log_info_repository", "TABLE", (8, 0, 2)),
    ("transaction_write_set_extraction", "XXHASH64", (8, 0, 2)),
    # Checksums of events are supported by Group Replication from 8.0.21 on.
    ("binlog_checksum", "NONE", (8, 0, 21)),
    # Group Replication needs the applier's commit order kept; the defaults do so from 8.0.27 on.
    ("replica_preserve_commit_order", "ON", (8, 0, 27)),
    ("replica_parallel_type", "LOGICAL_CLOCK", (8, 0, 27)),
)

# Logical settings of the role that stand for more than one option.
# single_primary: False needs both group_replication_single_primary_mode=OFF and the update-everywhere checks.


def plain_name(name):
    """An option's name in the one spelling that the tables use: underscores, and without `loose-`."""
    name = str(name).replace("-", "_")
    return name[len("loose_") :] if name.startswith("loose_") else name


def _meaning(name):
    """The key in OPTIONS for a name, its older name, or either without group_replication_; the name itself when there is none."""
    for candidate in (name, "group_replication_" + name):
        candidate = ALIASES.get(candidate, candidate)
        if candidate in OPTIONS:
            return candidate
    return name


# Long-term series: an upgrade goes from one to the next, never past one.
LONG_TERM = ((5, 7), (8, 0), (8, 4), (9, 7))

# Options that a member of a running group takes by SET GLOBAL, and the version from which it does. The mode is switched by the group's own
# functions, which set both of its options: nothing is left to be done for them.
LIVE = {
    "group_replication_group_seeds": (5, 7, 17),
    "group_replication_ip_allowlist": (8, 0, 24),
    "group_replication_member_weight": (5, 7, 20),
    "group_replication_member_expel_timeout": (8, 0, 13),
    "group_replication_unreachable_majority_timeout": (5, 7, 19),
    "group_replication_autorejoin_tries": (8, 0, 16),
    "group_replication_exit_state_action": (5, 7, 24),
    "group_replication_consistency": (8, 0, 14),
    "group_replication_recovery_reconnect_interval": (5, 7, 17),
    "max_connections": (5, 7, 17),
}
LIVE_BY_FUNCTION = ("group_replication_single_primary_mode", "group_replication_enforce_update_everywhere_checks")


def option_name(version, meaning):
    """The name of the option for this server version, or None where that version does not have it (any more)."""
    meaning = _meaning(meaning)
    if meaning not in OPTIONS:
        raise KeyError(f"no option '{meaning}' in the version table")
    wanted = effective_version(version)
    found = None
    for since, name in OPTIONS[meaning].names:
        if wanted >= since:
            found = name
    return found


def option_default(version, meaning):
    """The server's default of an option, as text, or None when the table does not say."""
    wanted = effective_version(version)
    found = None
    for since, value in OPTIONS[meaning].default or ():
        if wanted >= since:
            found = value
    return found


def _text(value):
    if value is True:
        return "ON"
    if value is False:
        return "OFF"
    if isinstance(value, (list, tuple)):
        return ",".join(_text(item) for item in value)
    return str(value)


def check_value(meaning, value):
    """The value as option text; VersionError with one sentence when it is not allowed."""
    text = _text(value)
    if "\n" in text or "\r" in text:
        raise VersionError(f"option {meaning}: a value must not contain a line break")
    allowed = OPTIONS[meaning].allowed
    if allowed is None:
        return text
    if isinstance(allowed[0], int):
        if not re.match(r"^\d+$", text) or not allowed[0] <= int(text) <= allowed[1]:
            raise VersionError(
                "option %s: '%s' is not allowed (allowed: a whole number from %d to %d)"
                % (meaning, text, allowed[0], allowed[1])
            )
        return text
    if allowed == _ONOFF:
        text = {"1": "ON", "0": "OFF", "TRUE": "ON", "FALSE": "OFF", "YES": "ON", "NO": "OFF"}.get(
            text.upper(), text.upper()
        )
    for word in allowed:
        if text.upper() == word.upper():
            return word
    raise VersionError("option {}: '{}' is not allowed (allowed: {})".format(meaning, text, ", ".join(allowed)))


def render_settings(version, wishes, preferred=None, extra=None):
    """The option lines of a member's drop-in file, valid for exactly this server version.

    version:   what the server (or its package) says, for instance '8.4.6' or '9.7.4-2'
    wishes:    dict of settings that must be in force. Keys: names of the table above (``group_replication_`` may be left
               out; older names are understood), or ``single_primary`` (bool: the mode, sets both options that it needs).
               Values: text, number, bool, list (joined by commas); None means not wished. A setting that the version does
               not have is refused.
    preferred: dict like wishes, but a setting that the version does not have is left out. Wishes win over it.
    extra:     dict of any other mysqld options; written as they are. Options of the table are treated like wishes.

    Returns a list of (name, value, loose): in the file, write ``loose-`` before the name where loose is true.
    ``plugin_load_add=group_replication.so`` comes first. Never contains group_replication_bootstrap_group.
    Raises VersionError with one sentence on a value that is not allowed or an option that the version does not have.
    """
    wanted = effective_version(version)
    shown = parse_version(version)
    settings = {}
    for meaning, value, until in BASE:
        if (until is None or wanted < until) and option_name(version, meaning):
            settings[meaning] = value
    others = {}

    def take(source, strict, free):
        for key, value in (source or {}).items():
            name = plain_name(key)
            if name in FORBIDDEN or "group_replication_" + name in FORBIDDEN:
                raise VersionError(
                    f"option {name} is never written into a file: at every start it would act again (bootstrap a second "
                    "group, or force a membership)"
                )
            if value is None:
                continue
            if name == "single_primary":
                settings["group_replication_single_primary_mode"] = _text(bool(value))
                settings["group_replication_enforce_update_everywhere_checks"] = _text(not value)
                continue
            name = _meaning(name)
            if name not in OPTIONS:
                if not free:
                    raise VersionError(f"option {key} is not in the version table (give it as an extra setting)")
                others[name] = check_free(name, value)
                continue
            if option_name(version, name) is None:
                if strict:
                    raise VersionError(f"option {name} does not exist in MySQL {shown}{_existence(name)}")
                continue
            settings[name] = check_value(name, value)

    take(preferred, False, False)
    take(wishes, True, False)
    take(extra, True, True)
    if (
        settings.get("group_replication_single_primary_mode") == "ON"
        and settings.get("group_replication_enforce_update_everywhere_checks") == "ON"
    ):
        raise VersionError(
            "option group_replication_enforce_update_everywhere_checks: ON is not allowed in single-primary mode"
        )

    lines = [("plugin_load_add", "group_replication.so", False)]
    for meaning, option in OPTIONS.items():
        if meaning in settings and not option.plugin:
            lines.append((option_name(version, meaning), settings[meaning], False))
    for meaning, option in OPTIONS.items():
        if meaning in settings and option.plugin:
            lines.append((option_name(version, meaning), settings[meaning], True))
    for name in sorted(others):
        lines.append((name, others[name], name.startswith(("group_replication_", "clone_", "mysqlx_"))))
    return lines


def check_free(name, value):
    """An option that the table does not know: only its form is checked."""
    if not re.match(r"^[A-Za-z][A-Za-z0-9_.]*$", name):
        raise VersionError(
            f"option '{name}' is no name of a server option (allowed: letters, digits, '_', '-' and '.')"
        )
    text = _text(value)
    if "\n" in text or "\r" in text:
        raise VersionError(f"option {name}: a value must not contain a line break")
    return text


def _existence(meaning):
    names = OPTIONS[meaning].names
    words = []
    if names[0][0] > OLDEST:
        words.append("since %s" % ("%d.%d.%d" % names[0][0]))
    if names[-1][1] is None:
        words.append("removed in %s" % ("%d.%d.%d" % names[-1][0]))
    return " ({})".format(", ".join(words)) if words else ""


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
