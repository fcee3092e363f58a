# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of one server, and of all declared members at the same time.

One connection and a fixed number of statements per server. What could not be asked is a fact of its own: an unreachable
server is never an absent one.

Private to this collection.
"""

from __future__ import annotations

import threading
import time

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import format_address, normal_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_versions import (
    VersionError,
    check_version,
    has_persist,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils.mysql_conn import (
    ServerError,
    peer_connection,
)

APPLIER_CHANNEL = "group_replication_applier"
RECOVERY_CHANNEL = "group_replication_recovery"

# What the account with which a member asks the others needs, and nothing else. The account should have REQUIRE SSL.
# (global_variables, variables_info, persisted_variables and threads are part of performance_schema; @@gtid_executed, GET_LOCK
# and information_schema.PLUGINS need no privilege.)
PEER_GRANTS = (("SELECT", "performance_schema.*"),)
# The tables read, for those who grant table by table.
PEER_TABLES = (
    "replication_group_members",
    "replication_group_member_stats",
    "replication_connection_status",
    "global_variables",
    "variables_info",
    "persisted_variables",
    "threads",
)

# Settings that must be equal on all members: the server refuses a joiner otherwise, or the group misbehaves.
GROUP_WIDE = (
    "group_replication_single_primary_mode",
    "group_replication_enforce_update_everywhere_checks",
    "group_replication_gtid_assignment_block_size",
    "group_replication_communication_stack",
    "group_replication_paxos_single_leader",
    "group_replication_view_change_uuid",
    "group_replication_consistency",
    "lower_case_table_names",
    "default_table_encryption",
    "transaction_write_set_extraction",
)

_SCALARS = """SELECT VERSION() AS version, @@GLOBAL.server_uuid AS server_uuid, @@GLOBAL.server_id AS server_id,
 @@GLOBAL.hostname AS hostname, @@GLOBAL.port AS port, @@GLOBAL.report_host AS report_host, @@GLOBAL.report_port AS report_port,
 @@GLOBAL.gtid_executed AS gtid_executed, @@GLOBAL.gtid_purged AS gtid_purged, @@GLOBAL.gtid_mode AS gtid_mode,
 @@GLOBAL.enforce_gtid_consistency AS enforce_gtid_consistency, @@GLOBAL.log_bin AS log_bin,
 @@GLOBAL.read_only AS read_only, @@GLOBAL.super_read_only AS super_read_only, @@GLOBAL.offline_mode AS offline_mode"""
_VARIABLES = """SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value FROM performance_schema.global_variables
 WHERE VARIABLE_NAME LIKE 'group\\_replication\\_%' OR VARIABLE_NAME IN ('lower_case_table_names', 'default_table_encryption',
 'transaction_write_set_extraction', 'log_error', 'datadir')"""
_PERSISTED = """SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value FROM performance_schema.persisted_variables
 WHERE VARIABLE_NAME LIKE 'group\\_replication\\_%'"""
_FLAG_SOURCE = """SELECT VARIABLE_SOURCE AS source, VARIABLE_PATH AS path FROM performance_schema.variables_info
 WHERE VARIABLE_NAME = 'group_replication_bootstrap_group'"""
_MEMBERS = "SELECT * FROM performance_schema.replication_group_members"
_STATS = "SELECT * FROM performance_schema.replication_group_member_stats"
_CHANNELS = """SELECT CHANNEL_NAME AS channel, SERVICE_STATE AS service_state, RECEIVED_TRANSACTION_SET AS received,
 LAST_ERROR_NUMBER AS error_number, LAST_ERROR_MESSAGE AS error_message
 FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME IN (%s, %s)"""
_PLUGINS = """SELECT PLUGIN_NAME AS name, PLUGIN_STATUS AS status FROM information_schema.PLUGINS
 WHERE PLUGIN_NAME IN ('group_replication', 'clone')"""
_CLONING = "SELECT SOURCE AS donor FROM performance_schema.clone_status WHERE STATE = 'In Progress'"
# While START GROUP_REPLICATION runs the member is shown as OFFLINE; its receiver thread tells.
# The lock is read after the bootstrap flag: a flag that is on while nobody holds the lock is then nobody's work in progress.
_LAST = """SELECT held.id AS lock_holder, CONNECTION_ID() AS connection_id,
 (SELECT CONCAT(PROCESSLIST_USER, '@', PROCESSLIST_HOST) FROM performance_schema.threads WHERE PROCESSLIST_ID = held.id) AS lock_account,
 (SELECT COUNT(*) FROM performance_schema.threads WHERE NAME = 'thread/group_rpl/THD_applier_module_receiver') AS receivers
 FROM (SELECT IS_USED_LOCK(%s) AS id) AS held"""
_APPLIER_ERROR = """SELECT LAST_ERROR_NUMBER AS number, LAST_ERROR_MESSAGE AS message, LAST_ERROR_TIMESTAMP AS at
 FROM performance_schema.replication_applier_status_by_worker WHERE CHANNEL_NAME IN (%s, %s) AND LAST_ERROR_NUMBER <> 0
 ORDER BY LAST_ERROR_TIMESTAMP DESC LIMIT 1"""
_SCHEMAS = """SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN
 ('mysql', 'sys', 'information_schema', 'performance_schema', 'ndbinfo', 'mysql_innodb_cluster_metadata') ORDER BY SCHEMA_NAME"""


def lock_name(group_name):
    """The name of the lock that is held on every declared member over decision and bootstrap (at most 64 characters)."""
    return ("distdb.mysql_ha:gr:" + (group_name or "").lower())[:64]


def unreachable(address, error, kind="unreachable"):
    """The facts of a server that could not be asked."""
    return {"address": address, "reachable": False, "error": error, "error_kind": kind}


def gather(connection, address, lock="", own=False):
    """The facts of one server as a dict; raises ServerError when it cannot be asked. own: it is the managed server."""
    row = connection.query(_SCALARS)[0]
    facts = {"address": address, "reachable": True, "error": "", "error_kind": ""}
    for name in (
        "version",
        "server_uuid",
        "server_id",
        "hostname",
        "port",
        "report_host",
        "report_port",
        "gtid_executed",
        "gtid_purged",
        "gtid_mode",
        "enforce_gtid_consistency",
    ):
        facts[name] = row[name]
    for name in ("gtid_executed", "gtid_purged"):
        facts[name] = (facts[name] or "").replace("\n", "")
    for name in ("log_bin", "read_only", "super_read_only", "offline_mode"):
        facts[name] = bool(row[name])
    facts["report_host"] = facts["report_host"] or ""
    try:
        version, facts["version_warning"] = check_version(row["version"])
        facts["version_error"] = ""
    except VersionError as error:
        version, facts["version_warning"], facts["version_error"] = None, None, str(error)
    variables = {item["name"]: item["value"] for item in connection.query(_VARIABLES)}
    facts["settings"] = {
        name: value for name, value in variables.items() if name.startswith("group_replication_") or name in GROUP_WIDE
    }
    facts["log_error"] = variables.get("log_error") or ""
    facts["datadir"] = variables.get("datadir") or ""
    facts["group_name"] = (variables.get("group_replication_group_name") or "").lower()
    facts["local_address"] = variables.get("group_replication_local_address") or ""
    facts["single_primary_mode"] = variables.get("group_replication_single_primary_mode") == "ON"
    facts["bootstrap_flag"] = variables.get("group_replication_bootstrap_group") == "ON"
    facts["start_on_boot"] = variables.get("group_replication_start_on_boot") == "ON"
    facts["persisted"] = {}
    facts["bootstrap_flag_source"] = ""
    if version is not None and has_persist(version):
        facts["persisted"] = {item["name"]: item["value"] for item in connection.query(_PERSISTED)}
        if facts["bootstrap_flag"]:
            for item in connection.query(_FLAG_SOURCE):
                facts["bootstrap_flag_source"] = ("{} {}".format(item["source"], item["path"] or "")).strip()
    facts["plugins"] = {item["name"]: item["status"] for item in connection.query(_PLUGINS)}
    facts["plugin_active"] = facts["plugins"].get("group_replication") == "ACTIVE"
    facts["clone_active"] = facts["plugins"].get("clone") == "ACTIVE"
    # Of the others it is not asked: their accounts need not see it. Without the plugin there is no such table.
    cloning = connection.query(_CLONING) if own and facts["clone_active"] else []
    facts["cloning_from"] = (cloning[0]["donor"] or "").lower() if cloning else ""
    members = connection.query(_MEMBERS) if facts["plugin_active"] else []
    facts["view"] = {}
    facts["state"] = "OFFLINE"
    facts["role"] = ""
    for item in members:
        uuid = (item["member_id"] or "").lower()
        if not uuid:
            continue
        entry = {
            "host": item["member_host"] or "",
            "port": int(item["member_port"] or 0),
            "state": item["member_state"] or "",
            "role": item.get("member_role") or "",
            "version": item.get("member_version") or "",
        }
        if uuid == (facts["server_uuid"] or "").lower():
            facts["state"], facts["role"] = entry["state"] or "OFFLINE", entry["role"]
        facts["view"][uuid] = entry
    if facts["state"] in ("OFFLINE", ""):
        facts["state"] = "OFFLINE"
        # A stopped member's table shows itself only: that is no view of a group.
        facts["view"] = {}
    facts["view_id"] = ""
    facts["stats"] = {}
    if facts["state"] != "OFFLINE":
        for item in connection.query(_STATS):
            facts["view_id"] = item.get("view_id") or facts["view_id"]
            facts["stats"][(item.get("member_id") or "").lower()] = {
                "transactions_to_certify": int(item.get("count_transactions_in_queue") or 0),
                "transactions_behind": int(item.get("count_transactions_remote_in_applier_queue") or 0),
                "conflicts": int(item.get("count_conflicts_detected") or 0),
            }
    facts["received"] = ""
    facts["channels"] = {}
    for item in connection.query(_CHANNELS, (APPLIER_CHANNEL, RECOVERY_CHANNEL)):
        if item["channel"] == APPLIER_CHANNEL:
            facts["received"] = (item["received"] or "").replace("\n", "")
        facts["channels"][item["channel"]] = {
            "service_state": item["service_state"],
            "error_number": item["error_number"],
            "error_message": item["error_message"],
        }
    failed = connection.query(_APPLIER_ERROR, (APPLIER_CHANNEL, RECOVERY_CHANNEL)) if facts["plugin_active"] else []
    facts["applier_error"] = {name: str(value) for name, value in failed[0].items()} if failed else {}
    # Only the managed server's own account sees all schemas.
    facts["schemas"] = (
        [item["name"] for item in connection.query(_SCHEMAS)] if own and not facts["gtid_executed"] else []
    )
    row = connection.query(_LAST, (lock or lock_name(facts["group_name"]),))[0]
    facts["lock_held_by_other"] = row["lock_holder"] is not None and row["lock_holder"] != row["connection_id"]
    facts["lock_holder"] = (
        f"{row['lock_account'] or 'somebody'} (connection {row['lock_holder']})" if facts["lock_held_by_other"] else ""
    )
    facts["starting"] = facts["state"] == "OFFLINE" and bool(row["receivers"])
    return facts


class Cluster:
    """The declared members: connections that stay open while the module runs, at most one per member."""

    def __init__(
        self,
        members,
        me,
        local,
        peer_user,
        peer_password,
        peer_ca_cert=None,
        connect_timeout=3,
        read_timeout=10,
        lock="",
    ):
        """members: normalized addresses; me: the one of the managed server, or None; local: the connection to it."""
        self.members = list(members)
        self.me = me
        self.local = local
        self.lock = lock
        self.connect_timeout = connect_timeout
        self.peers = {}
        for address in self.members:
            if address != me:
                self.peers[address] = peer_connection(
                    address, peer_user, peer_password, peer_ca_cert, connect_timeout, read_timeout
                )

    def connection(self, address):
        """The connection to a declared member."""
        return self.local if address == self.me else self.peers[address]

    def gather(self, only=None):
        """{address: facts} of all declared members (or of some), asked at the same time."""
        wanted = self.members if only is None else list(only)
        found = {}

        def ask(address):
            connection = self.connection(address)
            was_open = connection.is_open
            try:
                try:
                    found[address] = gather(connection, address, self.lock, address == self.me)
                except ServerError as error:
                    if not error.lost or not was_open or address == self.me:
                        raise
                    # An idle connection may have died with a server that is back by now.
                    found[address] = gather(connection, address, self.lock, address == self.me)
            except ServerError as error:
                connection.close()
                found[address] = unreachable(address, str(error), "unreachable" if error.lost else "refused")
            except Exception as error:  # a thread must not lose its member: that would make it absent
                connection.close()
                found[address] = unreachable(address, f"{address}: {type(error).__name__}: {error}")

        threads = [threading.Thread(target=ask, args=(address,), daemon=True) for address in wanted]
        for thread in threads:
            thread.start()
        # A server that hangs in the middle of an answer is bounded by the read timeout; this is the bound on everything.
        end = time.monotonic() + 4 * (self.connect_timeout + 10)
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        return {
            address: dict(found.get(address) or unreachable(address, f"{address}: no answer in time"))
            for address in wanted
        }

    def close(self):
        """Close the connections to the others; the local one belongs to the caller."""
        for connection in self.peers.values():
            connection.close()


def find_me(members, facts, declared=None):
    """Which declared member the server with these facts is; Refusal with one sentence when that is not clear."""
    if declared:
        address = normal_address(declared, option="member")
        if address not in members:
            raise Refusal("member: '{}' is not among members ({})".format(declared, ", ".join(members)))
        return address
    host = facts.get("report_host") or facts.get("hostname") or ""
    port = int(facts.get("report_port") or facts.get("port") or 3306)
    address = format_address(host, port)
    if address in members:
        return address
    raise Refusal(
        "member: cannot tell which of members ({}) is this server, whose report_host:report_port is {}; name it with member".format(
            ", ".join(members), address
        )
    )
