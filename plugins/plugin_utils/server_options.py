# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server's options, by version: one entry per option. Only the control node has to know them.

A new version is a new entry, or none. What else a version has and needs stands in version_facts.py, statements that modules run in
module_utils/_group/statements.py.

Sources: the MySQL reference manuals' pages on option changes and the release notes; what was tried on a real server
(9.7.4) has precedence.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Tuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import (
    effective_version,
)


# ---------------------------------------------------------------------------------------------------------------------
# Server options.
class Option(NamedTuple):
    """One option of the server."""

    # The meaning, which is also the newest name.
    name: str
    # ((first version, name or None), ...): renames; None: removed from that version on.
    names: tuple[tuple[tuple[int, int, int], str | None], ...]
    # A plugin owns it: written with `loose-`, since the server must start (and initialize) without the plugin.
    plugin: bool
    # Words, or (smallest, largest) of a whole number, or None.
    allowed: tuple[Any, ...] | None


Since = Tuple[int, int, int]


def _option(name: str, plugin: bool, since: Since, allowed: Any, removed: Since | None, renamed: Any) -> Option:
    names = (*renamed, (since, name), *(((removed, None),) if removed else ()))
    return Option(name, names, plugin, allowed)


def _gr(
    name: str, since: Since = (5, 7, 17), allowed: Any = None, removed: Since | None = None, renamed: Any = ()
) -> Option:
    return _option(f"group_replication_{name}", True, since, allowed, removed, renamed)


def _srv(
    name: str,
    since: Since = (5, 7, 17),
    allowed: Any = None,
    removed: Since | None = None,
    renamed: Any = (),
    plugin: bool = False,
) -> Option:
    return _option(name, plugin, since, allowed, removed, renamed)


ON_OFF = ("ON", "OFF")
_A = (5, 7, 17)  # from the beginning

# fmt: off
OPTIONS: dict[str, Option] = {option.name: option for option in (
    # -- Group Replication ------------------------------------------------------------------------------------------
    _gr("group_name"),
    _gr("local_address"),
    _gr("group_seeds"),
    _gr("ip_allowlist", since=(8, 0, 22), renamed=((_A, "group_replication_ip_whitelist"),)),
    _gr("start_on_boot", allowed=ON_OFF),
    _gr("single_primary_mode", allowed=ON_OFF),
    _gr("enforce_update_everywhere_checks", allowed=ON_OFF),
    _gr("ssl_mode", allowed=("DISABLED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")),
    _gr("recovery_use_ssl", allowed=ON_OFF),
    _gr("recovery_ssl_ca"),
    _gr("recovery_ssl_cert"),
    _gr("recovery_ssl_key"),
    _gr("recovery_ssl_verify_server_cert", allowed=ON_OFF),
    _gr("recovery_get_public_key", since=(8, 0, 4), allowed=ON_OFF),
    _gr("recovery_public_key_path", since=(8, 0, 4)),
    _gr("recovery_retry_count", allowed=(0, 31536000)),
    _gr("recovery_reconnect_interval", allowed=(0, 31536000)),
    _gr("recovery_complete_at", allowed=("TRANSACTIONS_CERTIFIED", "TRANSACTIONS_APPLIED"), removed=(8, 4, 0)),
    _gr("recovery_tls_version", since=(8, 0, 19)),
    _gr("advertise_recovery_endpoints", since=(8, 0, 21)),
    _gr("tls_source", since=(8, 0, 21), allowed=("MYSQL_MAIN", "MYSQL_ADMIN")),
    _gr("allow_local_disjoint_gtids_join", allowed=ON_OFF, removed=(8, 0, 4)),
    _gr("allow_local_lower_version_join", allowed=ON_OFF, removed=(9, 5, 0)),
    _gr("auto_increment_increment", allowed=(1, 65535)),
    _gr("unreachable_majority_timeout", since=(5, 7, 19), allowed=(0, 31536000)),
    _gr("member_weight", since=(5, 7, 20), allowed=(0, 100)),
    _gr("exit_state_action", since=(5, 7, 24), allowed=("READ_ONLY", "OFFLINE_MODE", "ABORT_SERVER")),
    _gr("member_expel_timeout", since=(8, 0, 13), allowed=(0, 3600)),
    _gr("consistency", since=(8, 0, 14),
        allowed=("EVENTUAL", "BEFORE_ON_PRIMARY_FAILOVER", "BEFORE", "AFTER", "BEFORE_AND_AFTER")),
    _gr("autorejoin_tries", since=(8, 0, 16), allowed=(0, 2016)),
    _gr("message_cache_size", since=(8, 0, 16), allowed=(134217728, 315360000000)),
    _gr("communication_max_message_size", since=(8, 0, 16), allowed=(0, 1073741824)),
    _gr("clone_threshold", since=(8, 0, 17), allowed=(1, 9223372036854775807)),
    _gr("view_change_uuid", since=(8, 0, 26)),
    _gr("paxos_single_leader", since=(8, 0, 27), allowed=ON_OFF),
    _gr("communication_stack", since=(8, 0, 27), allowed=("XCOM", "MYSQL")),
    _gr("preemptive_garbage_collection", since=(8, 4, 0), allowed=ON_OFF),
    _gr("flow_control_mode", allowed=("DISABLED", "QUOTA")),
    _gr("flow_control_applier_threshold", allowed=(0, 2147483647)),
    _gr("flow_control_certifier_threshold", allowed=(0, 2147483647)),
    _gr("flow_control_hold_percent", since=(8, 0, 2), allowed=(0, 100)),
    _gr("flow_control_max_quota", since=(8, 0, 2), allowed=(0, 2147483647)),
    _gr("flow_control_member_quota_percent", since=(8, 0, 2), allowed=(0, 100)),
    _gr("flow_control_min_quota", since=(8, 0, 2), allowed=(0, 2147483647)),
    _gr("flow_control_min_recovery_quota", since=(8, 0, 2), allowed=(0, 2147483647)),
    _gr("flow_control_period", since=(8, 0, 2), allowed=(1, 60)),
    _gr("flow_control_release_percent", since=(8, 0, 2), allowed=(0, 1000)),
    _gr("poll_spin_loops", allowed=(0, 4294967295)),
    _gr("communication_debug_options", since=(8, 0, 3)),
    _gr("recovery_ssl_capath"),
    _gr("recovery_ssl_cipher"),
    _gr("recovery_ssl_crl"),
    _gr("recovery_ssl_crlpath"),
    _gr("recovery_tls_ciphersuites", since=(8, 0, 19)),
    _gr("recovery_compression_algorithms", since=(8, 0, 18)),
    _gr("recovery_zstd_compression_level", since=(8, 0, 18), allowed=(1, 22)),
    _gr("preemptive_garbage_collection_rows_threshold", since=(8, 4, 0),
        allowed=(1, 2147483647)),
    _gr("transaction_size_limit", allowed=(0, 2147483647)),
    _gr("compression_threshold", allowed=(0, 4294967295)),
    _gr("gtid_assignment_block_size", allowed=(1, 9223372036854775807)),
    _gr("components_stop_timeout", allowed=(2, 31536000)),
    # -- what Group Replication needs of the server -----------------------------------------------------------------
    _srv("server_id", allowed=(1, 4294967295)),
    _srv("bind_address"),
    _srv("port", allowed=(1, 65535)),
    _srv("report_host"),
    _srv("report_port", allowed=(1, 65535)),
    _srv("admin_address", since=(8, 0, 14)),
    _srv("mysqlx", since=(8, 0, 11), plugin=True),
    _srv("log_bin"),
    _srv("gtid_mode", allowed=("OFF", "OFF_PERMISSIVE", "ON_PERMISSIVE", "ON")),
    _srv("enforce_gtid_consistency", allowed=("OFF", "ON", "WARN")),
    # The default has been ROW ever since 5.7.7; setting it is deprecated from 8.0.34 on.
    _srv("binlog_format", allowed=("ROW",)),
    _srv("binlog_checksum", allowed=("NONE", "CRC32")),
    _srv("log_replica_updates", since=(8, 0, 26), renamed=((_A, "log_slave_updates"),),
         allowed=ON_OFF),
    _srv("master_info_repository", allowed=("TABLE", "FILE"),
         removed=(8, 3, 0)),
    _srv("relay_log_info_repository", allowed=("TABLE", "FILE"),
         removed=(8, 3, 0)),
    _srv("transaction_write_set_extraction", allowed=("XXHASH64", "MURMUR32", "OFF"), removed=(8, 3, 0)),
    _srv("binlog_transaction_dependency_tracking", since=(5, 7, 22), allowed=("COMMIT_ORDER", "WRITESET", "WRITESET_SESSION"), removed=(8, 4, 0)),
    _srv("replica_parallel_workers", since=(8, 0, 26), renamed=((_A, "slave_parallel_workers"),),
         allowed=(0, 1024)),
    _srv("replica_parallel_type", since=(8, 0, 26), renamed=((_A, "slave_parallel_type"),), allowed=("DATABASE", "LOGICAL_CLOCK"),
         removed=(9, 6, 0)),
    _srv("replica_preserve_commit_order", since=(8, 0, 26), renamed=((_A, "slave_preserve_commit_order"),), allowed=ON_OFF),
    _srv("binlog_expire_logs_seconds", since=(8, 0, 1), allowed=(0, 4294967295)),
    _srv("expire_logs_days", allowed=(0, 99), removed=(8, 2, 0)),
    _srv("default_authentication_plugin", removed=(8, 4, 0)),
    _srv("skip_replica_start", since=(8, 0, 26), renamed=((_A, "skip_slave_start"),)),
    _srv("require_secure_transport", allowed=ON_OFF),
)}
# fmt: on

# Older names that a user may still write for an option.
ALIASES = {
    old: option.name for option in OPTIONS.values() for _since, old in option.names if old and old != option.name
}

# An option that is never rendered: in a file it would bootstrap a second group at every start.
FORBIDDEN = ("group_replication_bootstrap_group", "group_replication_force_members")

# Options of plugins that a server may lack, besides those of the table: written with `loose-`.
PLUGIN_PREFIXES = ("group_replication_", "clone_", "mysqlx_")

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


Settings = Dict[str, Any]


def plain_name(name: object) -> str:
    """An option's name in the one spelling that the tables use: underscores, and without `loose-`."""
    name = str(name).replace("-", "_")
    return name[len("loose_") :] if name.startswith("loose_") else name


def meaning_of(name: str) -> str:
    """The key in OPTIONS for a name, its older name, or either without group_replication_; the name itself when there is none."""
    for candidate in (name, "group_replication_" + name):
        candidate = ALIASES.get(candidate, candidate)
        if candidate in OPTIONS:
            return candidate
    return name


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
    "event_scheduler": (5, 7, 17),
    "clone_ssl_ca": (8, 0, 17),
}
# With what follows from them: ALTER INSTANCE RELOAD TLS, and that Group Replication is started anew.
LIVE_TLS = {
    "ssl_ca": (8, 0, 16),
    "ssl_cert": (8, 0, 16),
    "ssl_key": (8, 0, 16),
    "tls_version": (8, 0, 16),
    "group_replication_ssl_mode": (5, 7, 17),
    "group_replication_recovery_ssl_ca": (5, 7, 17),
    "group_replication_recovery_ssl_verify_server_cert": (5, 7, 17),
}
# What a running server is given where the option is left out from now on; of its versions of TLS it keeps what is the default of newer servers.
LIVE_TLS_WITHOUT = {
    "tls_version": "TLSv1.2,TLSv1.3",
    "group_replication_recovery_ssl_verify_server_cert": "OFF",
}
LIVE_BY_FUNCTION = ("group_replication_single_primary_mode", "group_replication_enforce_update_everywhere_checks")


def option_name(version: str, meaning: str) -> str | None:
    """The name of the option for this server version, or None where that version does not have it (any more)."""
    meaning = meaning_of(meaning)
    if meaning not in OPTIONS:
        raise KeyError(f"no option '{meaning}' in the version table")
    wanted = effective_version(version)
    found = None
    for since, name in OPTIONS[meaning].names:
        if wanted >= since:
            found = name
    return found
