# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against an upgrade of a server, as data: one entry each, with the version from which it counts.

Sources: the reference manuals' pages on option changes and reserved words, the release notes, the list of checks of MySQL Shell's upgrade checker,
and the options that mysqld 8.0.30, 8.4.8 and 9.7.4 know themselves.

Private to this collection.
"""

from __future__ import annotations

from typing import NamedTuple, Tuple

Since = Tuple[int, int, int]


class Removed(NamedTuple):
    """An option that mysqld has no longer from a version on: it does not start with it."""

    since: Since
    use: str = ""  # what has taken its place


class Plugin(NamedTuple):
    """An authentication plugin that goes away."""

    off: Since  # not loaded any more unless it is asked for
    removed: Since
    option: str = ""  # asks for it


class Check(NamedTuple):
    """A question to the server whose rows (one column: a name) are objects that the version from `since` on does not take as they are."""

    name: str
    since: Since
    refuse: bool
    sql: str
    sentence: str  # {names}: the first ones and how many


# fmt: off
# name -> the first version without it
REMOVED: dict[str, Removed] = {
    **dict.fromkeys((
        "date_format", "datetime_format", "time_format", "ignore_builtin_innodb", "ignore_db_dirs", "innodb_file_format",
        "innodb_file_format_check", "innodb_file_format_max", "innodb_large_prefix", "innodb_support_xa", "innodb_locks_unsafe_for_binlog",
        "log_builtin_as_identified_by_password", "max_tmp_tables", "multi_range_count", "old_passwords", "query_cache_limit",
        "query_cache_min_res_unit", "query_cache_size", "query_cache_type", "query_cache_wlock_invalidate", "secure_auth",
        "show_compatibility_56", "sync_frm", "bootstrap", "partition", "temp_pool", "des_key_file",
    ), Removed((8, 0, 11))),
    "group_replication_allow_local_disjoint_gtids_join": Removed((8, 0, 4)),
    "innodb_checksums": Removed((8, 0, 11), "innodb_checksum_algorithm"),
    "innodb_stats_sample_pages": Removed((8, 0, 11), "innodb_stats_transient_sample_pages"),
    "innodb_undo_logs": Removed((8, 0, 11), "innodb_rollback_segments"),
    "log_warnings": Removed((8, 0, 11), "log_error_verbosity"),
    "tx_isolation": Removed((8, 0, 11), "transaction_isolation"),
    "tx_read_only": Removed((8, 0, 11), "transaction_read_only"),
    **dict.fromkeys(("log_syslog", "log_syslog_facility", "log_syslog_include_pid", "log_syslog_tag"),
                    Removed((8, 0, 13), "component log_sink_syseventlog")),
    **dict.fromkeys(("metadata_locks_cache_size", "metadata_locks_hash_instances"), Removed((8, 0, 13))),
    "internal_tmp_disk_storage_engine": Removed((8, 0, 16)),
    "expire_logs_days": Removed((8, 2, 0), "binlog_expire_logs_seconds"),
    **dict.fromkeys((
        "abort_slave_event_count", "disconnect_slave_event_count", "log_bin_use_v1_row_events", "master_info_file", "master_info_repository",
        "relay_log_info_file", "relay_log_info_repository", "slave_rows_search_algorithms", "transaction_write_set_extraction",
    ), Removed((8, 3, 0))),
    "group_replication_ip_whitelist": Removed((8, 3, 0), "group_replication_ip_allowlist"),
    **dict.fromkeys((
        "authentication_fido_rp_id", "avoid_temporal_upgrade", "binlog_transaction_dependency_tracking", "character_set_client_handshake",
        "group_replication_recovery_complete_at", "keyring_encrypted_file_data", "keyring_encrypted_file_password", "keyring_file_data", "new",
        "old", "old_style_user_limits", "show_old_temporals",
    ), Removed((8, 4, 0))),
    "admin_ssl": Removed((8, 4, 0), "admin_tls_version"),
    "default_authentication_plugin": Removed((8, 4, 0), "authentication_policy"),
    "language": Removed((8, 4, 0), "lc_messages_dir and lc_messages"),
    "no_dd_upgrade": Removed((8, 4, 0), "upgrade"),
    "ssl": Removed((8, 4, 0), "tls_version"),
    **dict.fromkeys(("mysql_native_password", "mysql_native_password_proxy_users"), Removed((9, 0, 0))),
    "group_replication_allow_local_lower_version_join": Removed((9, 5, 0)),
    **dict.fromkeys((
        "rpl_semi_sync_master_enabled", "rpl_semi_sync_master_timeout", "rpl_semi_sync_master_trace_level", "rpl_semi_sync_master_wait_for_slave_count",
        "rpl_semi_sync_master_wait_no_slave", "rpl_semi_sync_master_wait_point",
    ), Removed((9, 5, 0), "rpl_semi_sync_source_*")),
    **dict.fromkeys(("rpl_semi_sync_slave_enabled", "rpl_semi_sync_slave_trace_level"), Removed((9, 5, 0), "rpl_semi_sync_replica_*")),
    "replica_parallel_type": Removed((9, 6, 0)),
    "slave_parallel_type": Removed((9, 6, 0)),
}

# name -> (deprecated from this version on, what to use): worth a word, no reason to refuse
DEPRECATED: dict[str, tuple[Since, str]] = {
    **{f"slave_{name}": ((8, 0, 26), f"replica_{name}") for name in (
        "load_tmpdir", "net_timeout", "skip_errors", "allow_batching", "checkpoint_group", "checkpoint_period", "compressed_protocol", "exec_mode",
        "max_allowed_packet", "parallel_type", "parallel_workers", "pending_jobs_size_max", "preserve_commit_order", "sql_verify_checksum",
        "transaction_retries", "type_conversions")},
    "skip_slave_start": ((8, 0, 26), "skip_replica_start"),
    "log_slave_updates": ((8, 0, 26), "log_replica_updates"),
    "log_slow_slave_statements": ((8, 0, 26), "log_slow_replica_statements"),
    "rpl_stop_slave_timeout": ((8, 0, 26), "rpl_stop_replica_timeout"),
    "master_verify_checksum": ((8, 0, 26), "source_verify_checksum"),
    "innodb_log_file_size": ((8, 0, 30), "innodb_redo_log_capacity"),
    "innodb_log_files_in_group": ((8, 0, 30), "innodb_redo_log_capacity"),
    "innodb_undo_tablespaces": ((8, 0, 4), ""),
    "binlog_format": ((8, 0, 34), ""),
    "log_bin_trust_function_creators": ((8, 0, 34), ""),
    "replica_parallel_type": ((8, 0, 29), ""),
    "sync_relay_log_info": ((8, 0, 34), ""),
    "binlog_transaction_dependency_tracking": ((8, 0, 35), ""),
    "mysql_native_password": ((8, 4, 0), "caching_sha2_password"),
    "group_replication_view_change_uuid": ((8, 3, 0), ""),
    "group_replication_allow_local_lower_version_join": ((8, 4, 0), ""),
}

# (option, value) -> the first version that does not take it as it is
FORBIDDEN_VALUES: dict[tuple[str, str], Since] = {("replica_parallel_workers", "0"): (9, 0, 0), ("slave_parallel_workers", "0"): (9, 0, 0)}

AUTH_PLUGINS: dict[str, Plugin] = {
    "mysql_native_password": Plugin((8, 4, 0), (9, 0, 0), "mysql_native_password"),
    "authentication_fido": Plugin((8, 4, 0), (8, 4, 0)),
}

_OWN = "('mysql', 'sys', 'information_schema', 'performance_schema')"
_WORDS: tuple[tuple[Since, tuple[str, ...]], ...] = (
    ((8, 0, 11), ("CUBE", "CUME_DIST", "DENSE_RANK", "EMPTY", "EXCEPT", "FIRST_VALUE", "FUNCTION", "GROUPING", "GROUPS", "JSON_TABLE", "LAG",
                  "LAST_VALUE", "LATERAL", "LEAD", "NTH_VALUE", "NTILE", "OF", "OVER", "PERCENT_RANK", "RANK", "RECURSIVE", "ROW", "ROWS",
                  "ROW_NUMBER", "SYSTEM", "WINDOW")),
    ((8, 0, 31), ("FULL", "INTERSECT")),
    ((8, 4, 0), ("MANUAL", "PARALLEL", "QUALIFY", "TABLESAMPLE")),
    # SETS was one in 9.6 only, by mistake.
    ((9, 2, 0), ("LIBRARY",)),
    ((9, 4, 0), ("EXTERNAL",)),
)


# Where names are: a view of information_schema, its schema's column, and the columns that name an object, the last of which may be the word.
_NAMED = (
    ("SCHEMATA", "SCHEMA_NAME", ("SCHEMA_NAME",)), ("TABLES", "TABLE_SCHEMA", ("TABLE_SCHEMA", "TABLE_NAME")),
    ("COLUMNS", "TABLE_SCHEMA", ("TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME")),
    ("ROUTINES", "ROUTINE_SCHEMA", ("ROUTINE_SCHEMA", "ROUTINE_NAME")),
    ("TRIGGERS", "TRIGGER_SCHEMA", ("TRIGGER_SCHEMA", "TRIGGER_NAME")), ("EVENTS", "EVENT_SCHEMA", ("EVENT_SCHEMA", "EVENT_NAME")),
)


def _words(since: Since, words: tuple[str, ...]) -> Check:
    among = ", ".join(f"'{word}'" for word in words)
    return Check(
        "reserved_words", since, False,
        " UNION ALL ".join(
            f"SELECT CONCAT_WS('.', {', '.join(names)}) AS name FROM information_schema.{view}"
            f" WHERE {schema} NOT IN {_OWN} AND UPPER({names[-1]}) IN ({among})"
            for view, schema, names in _NAMED),
        "{names}: the name becomes a reserved word; statements have to quote it")


CHECKS: tuple[Check, ...] = (
    Check("shared_tablespaces", (8, 0, 13), True,
          f"SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME, ' partition ', PARTITION_NAME) AS name FROM information_schema.PARTITIONS"
          f" WHERE PARTITION_NAME IS NOT NULL AND TABLESPACE_NAME IS NOT NULL AND TABLESPACE_NAME <> 'innodb_file_per_table'"
          f" AND TABLE_SCHEMA NOT IN {_OWN}",
          "{names}: partitions in a shared tablespace are not supported any more; ALTER TABLE … REORGANIZE PARTITION … TABLESPACE=innodb_file_per_table"),
    Check("partitioned_engines", (8, 0, 11), True,
          f"SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME, ' (', ENGINE, ')') AS name FROM information_schema.TABLES"
          f" WHERE CREATE_OPTIONS LIKE '%partitioned%' AND ENGINE NOT IN ('InnoDB', 'ndbcluster') AND TABLE_SCHEMA NOT IN {_OWN}",
          "{names}: only InnoDB's tables can be partitioned; ALTER TABLE … ENGINE=InnoDB, or REMOVE PARTITIONING"),
    Check("long_foreign_keys", (8, 0, 11), True,
          "SELECT CONCAT(CONSTRAINT_SCHEMA, '.', CONSTRAINT_NAME) AS name FROM information_schema.REFERENTIAL_CONSTRAINTS"
          " WHERE CHAR_LENGTH(CONSTRAINT_NAME) > 64",
          "{names}: the name of a foreign key has 64 characters at most; add it again by a shorter name"),
    Check("orphaned_routines", (8, 0, 11), True,
          "SELECT CONCAT(ROUTINE_SCHEMA, '.', ROUTINE_NAME) AS name FROM information_schema.ROUTINES"
          " WHERE ROUTINE_SCHEMA NOT IN (SELECT SCHEMA_NAME FROM information_schema.SCHEMATA)",
          "{names}: routines of a schema that does not exist; drop them"),
    Check("old_sql_modes", (8, 0, 11), False,
          "SELECT CONCAT(ROUTINE_SCHEMA, '.', ROUTINE_NAME) AS name FROM information_schema.ROUTINES WHERE SQL_MODE REGEXP"
          " 'NO_AUTO_CREATE_USER|DB2|MSSQL|MYSQL323|MYSQL40|ORACLE|POSTGRESQL|MAXDB|NO_FIELD_OPTIONS|NO_KEY_OPTIONS|NO_TABLE_OPTIONS'",
          "{names}: made with modes of SQL that go away"),
    Check("removed_functions", (8, 0, 11), False,
          f"SELECT CONCAT(ROUTINE_SCHEMA, '.', ROUTINE_NAME) AS name FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN {_OWN} AND"
          " UPPER(ROUTINE_DEFINITION) REGEXP"
          " '(^|[^A-Z_])(ENCODE|DECODE|ENCRYPT|DES_ENCRYPT|DES_DECRYPT|PASSWORD|GEOMFROMTEXT|ASWKT|ASTEXT|GLENGTH) *[(]'",
          "{names}: may use a function that goes away (ENCODE, DECODE, ENCRYPT, DES_*, PASSWORD, GeomFromText …)"),
    Check("removed_functions", (8, 4, 0), False,
          f"SELECT CONCAT(ROUTINE_SCHEMA, '.', ROUTINE_NAME) AS name FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN {_OWN} AND"
          " UPPER(ROUTINE_DEFINITION) REGEXP"
          " 'WAIT_UNTIL_SQL_THREAD_AFTER_GTIDS|(SHOW|CHANGE|RESET|START|STOP) +(MASTER|SLAVE)'",
          "{names}: may use a statement or a function that goes away (… MASTER, … SLAVE, WAIT_UNTIL_SQL_THREAD_AFTER_GTIDS)"),
    Check("dollar_names", (8, 0, 32), False,
          f"SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN {_OWN}"
          " AND (TABLE_NAME LIKE '$%' OR TABLE_SCHEMA LIKE '$%')",
          "{names}: a name that begins with $ has to be quoted"),
    Check("auto_increment_types", (8, 4, 0), True,
          f"SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME, '.', COLUMN_NAME) AS name FROM information_schema.COLUMNS"
          f" WHERE DATA_TYPE IN ('float', 'double') AND EXTRA LIKE '%auto_increment%' AND TABLE_SCHEMA NOT IN {_OWN}",
          "{names}: AUTO_INCREMENT of FLOAT and DOUBLE is not supported any more; make it a BIGINT"),
    Check("prefix_partitions", (8, 4, 0), True,
          f"SELECT DISTINCT CONCAT(s.TABLE_SCHEMA, '.', s.TABLE_NAME, '.', s.COLUMN_NAME) AS name FROM information_schema.STATISTICS AS s"
          f" JOIN information_schema.PARTITIONS AS p ON p.TABLE_SCHEMA = s.TABLE_SCHEMA AND p.TABLE_NAME = s.TABLE_NAME"
          f" WHERE s.SUB_PART IS NOT NULL AND p.PARTITION_METHOD = 'KEY' AND (p.PARTITION_EXPRESSION IS NULL OR"
          f" INSTR(p.PARTITION_EXPRESSION, CONCAT('`', s.COLUMN_NAME, '`')) > 0) AND s.TABLE_SCHEMA NOT IN {_OWN}",
          "{names}: a prefix of a column in the key of PARTITION BY KEY is not supported any more; partition by whole columns"),
    Check("foreign_keys", (8, 4, 0), False,
          f"SELECT CONCAT(k.TABLE_SCHEMA, '.', k.TABLE_NAME, ' (', k.CONSTRAINT_NAME, ')') AS name FROM ("
          f"SELECT CONSTRAINT_SCHEMA, CONSTRAINT_NAME, TABLE_SCHEMA, TABLE_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME,"
          f" GROUP_CONCAT(REFERENCED_COLUMN_NAME ORDER BY ORDINAL_POSITION) AS wanted FROM information_schema.KEY_COLUMN_USAGE"
          f" WHERE REFERENCED_TABLE_NAME IS NOT NULL AND TABLE_SCHEMA NOT IN {_OWN} GROUP BY 1, 2, 3, 4, 5, 6) AS k LEFT JOIN ("
          f"SELECT TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX) AS has"
          f" FROM information_schema.STATISTICS WHERE NON_UNIQUE = 0 AND TABLE_SCHEMA NOT IN {_OWN} GROUP BY 1, 2, 3 HAVING MAX(SUB_PART) IS NULL) AS i"
          f" ON i.TABLE_SCHEMA = k.REFERENCED_TABLE_SCHEMA AND i.TABLE_NAME = k.REFERENCED_TABLE_NAME AND i.has = k.wanted WHERE i.has IS NULL",
          "{names}: the foreign key refers to no full unique index; the newer server takes it, but makes no such key any more (restore of a dump)"),
    Check("keyring_plugins", (8, 4, 0), True,
          "SELECT PLUGIN_NAME AS name FROM information_schema.PLUGINS WHERE PLUGIN_STATUS = 'ACTIVE'"
          " AND PLUGIN_NAME IN ('keyring_file', 'keyring_encrypted_file', 'keyring_oci', 'authentication_fido')",
          "plugin {names}: does not exist any more; migrate to its component first"),
    *(_words(since, words) for since, words in _WORDS),
)
# fmt: on
# Versions of the protocol in which a group's members talk, by the first server that has them; MySQL names each by that version.
PROTOCOLS: tuple[Since, ...] = ((5, 7, 14), (8, 0, 16), (8, 0, 27))
