# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of one server: one connection and a fixed number of statements, and all that decisions look at.

What could not be asked is a fact of its own: an unreachable server is never an absent one. The account with which the others are asked needs
SELECT on performance_schema.* and nothing else.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import format_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection, Row
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import Data
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.said import VARIABLE, Said, parse
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.statements import RECEIVERS
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import (
    VersionError,
    check_version,
    has_persist,
)

APPLIER_CHANNEL = "group_replication_applier"
RECOVERY_CHANNEL = "group_replication_recovery"

# States in which a server takes part in a group.
LIVE = ("ONLINE", "RECOVERING")

# Settings that a joiner must share with the group, or the server refuses it. The two of the mode are adopted instead.
MUST_EQUAL = (
    "group_replication_gtid_assignment_block_size",
    "group_replication_communication_stack",
    "group_replication_paxos_single_leader",
    "group_replication_view_change_uuid",
    "lower_case_table_names",
    "default_table_encryption",
    "transaction_write_set_extraction",
)
MODE_SETTINGS = ("group_replication_single_primary_mode", "group_replication_enforce_update_everywhere_checks")

_SCALARS = """SELECT VERSION() AS version, @@GLOBAL.server_uuid AS server_uuid, @@GLOBAL.server_id AS server_id,
 @@GLOBAL.hostname AS hostname, @@GLOBAL.port AS port, @@GLOBAL.report_host AS report_host, @@GLOBAL.report_port AS report_port,
 @@GLOBAL.gtid_executed AS gtid_executed, @@GLOBAL.gtid_purged AS gtid_purged, @@GLOBAL.gtid_mode AS gtid_mode,
 @@GLOBAL.enforce_gtid_consistency AS enforce_gtid_consistency, @@GLOBAL.log_bin AS log_bin,
 @@GLOBAL.read_only AS read_only, @@GLOBAL.super_read_only AS super_read_only, @@GLOBAL.offline_mode AS offline_mode"""
_VARIABLES = """SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value FROM performance_schema.global_variables
 WHERE VARIABLE_NAME LIKE 'group\\_replication\\_%' OR VARIABLE_NAME IN ('lower_case_table_names', 'default_table_encryption',
 'transaction_write_set_extraction', 'log_error', 'datadir')"""
_PERSISTED = """SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value FROM performance_schema.persisted_variables
 WHERE VARIABLE_NAME LIKE 'group\\_replication\\_%' OR VARIABLE_NAME = 'skip_replica_start'"""
_FLAG_SOURCE = """SELECT VARIABLE_SOURCE AS source, VARIABLE_PATH AS path FROM performance_schema.variables_info
 WHERE VARIABLE_NAME = 'group_replication_bootstrap_group'"""
_MEMBERS = "SELECT * FROM performance_schema.replication_group_members"
_STATS = "SELECT * FROM performance_schema.replication_group_member_stats"
_CHANNELS = """SELECT CHANNEL_NAME AS channel, SERVICE_STATE AS service_state, RECEIVED_TRANSACTION_SET AS received,
 LAST_ERROR_NUMBER AS error_number, LAST_ERROR_MESSAGE AS error_message
 FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME IN (%s, %s)"""
# From servers outside of the group.
_INBOUND = """SELECT c.CHANNEL_NAME AS channel, c.HOST AS host, c.PORT AS port, s.SOURCE_UUID AS source_uuid, s.SERVICE_STATE AS receiver,
 a.SERVICE_STATE AS applier, s.RECEIVED_TRANSACTION_SET AS received, NULLIF(s.LAST_ERROR_MESSAGE, '') AS receiver_error,
 COALESCE((SELECT MAX(NULLIF(LAST_ERROR_MESSAGE, '')) FROM performance_schema.replication_applier_status_by_worker AS w
 WHERE w.CHANNEL_NAME = c.CHANNEL_NAME AND w.LAST_ERROR_NUMBER <> 0),
 (SELECT MAX(NULLIF(LAST_ERROR_MESSAGE, '')) FROM performance_schema.replication_applier_status_by_coordinator AS k
 WHERE k.CHANNEL_NAME = c.CHANNEL_NAME AND k.LAST_ERROR_NUMBER <> 0)) AS applier_error
 FROM performance_schema.replication_connection_configuration AS c
 JOIN performance_schema.replication_connection_status AS s ON s.CHANNEL_NAME = c.CHANNEL_NAME
 JOIN performance_schema.replication_applier_status AS a ON a.CHANNEL_NAME = c.CHANNEL_NAME
 WHERE c.CHANNEL_NAME NOT IN (%s, %s)"""
_APPLIER_ERROR = """SELECT LAST_ERROR_NUMBER AS number, LAST_ERROR_MESSAGE AS message, LAST_ERROR_TIMESTAMP AS at, CHANNEL_NAME AS channel
 FROM performance_schema.replication_applier_status_by_worker WHERE CHANNEL_NAME IN (%s, %s) AND LAST_ERROR_NUMBER <> 0
 ORDER BY LAST_ERROR_TIMESTAMP DESC LIMIT 1"""
_PLUGINS = """SELECT PLUGIN_NAME AS name, PLUGIN_STATUS AS status FROM information_schema.PLUGINS
 WHERE PLUGIN_NAME IN ('group_replication', 'clone')"""
_CLONING = "SELECT SOURCE AS donor FROM performance_schema.clone_status WHERE STATE = 'In Progress'"
# While START GROUP_REPLICATION runs the member is shown as OFFLINE; its receiver thread tells.
# The lock is read after the bootstrap flag: a flag that is on while nobody holds the lock is then nobody's work in progress.
_LAST = f"""SELECT held.id AS lock_holder, CONNECTION_ID() AS connection_id,
 (SELECT CONCAT(PROCESSLIST_USER, '@', PROCESSLIST_HOST) FROM performance_schema.threads WHERE PROCESSLIST_ID = held.id) AS lock_account,
 ({RECEIVERS}) AS receivers
 FROM (SELECT IS_USED_LOCK(%s) AS id) AS held"""

# Of a session on the server's own host, with the account of the guards: nobody else's counts.
_SAID = """SELECT v.VARIABLE_VALUE AS said FROM performance_schema.user_variables_by_thread AS v
 JOIN performance_schema.threads AS t ON t.THREAD_ID = v.THREAD_ID
 WHERE v.VARIABLE_NAME = %s AND t.PROCESSLIST_HOST = 'localhost' AND t.PROCESSLIST_USER = %s"""


class Entry(NamedTuple):
    """One line of a member's view of its group."""

    host: str
    port: int
    state: str
    role: str
    version: str

    @property
    def address(self) -> str:
        """The SQL address in the form in which addresses are compared."""
        return format_address(self.host, self.port)


class Channel(NamedTuple):
    """The receiver of a replication channel."""

    service_state: str
    error_number: int
    error_message: str


class Inbound(NamedTuple):
    """A replication channel from a server outside of the group."""

    channel: str
    address: str
    source_uuid: str = ""
    receiver: str = "ON"
    applier: str = "ON"
    behind: int = 0  # transactions that were received and not applied yet
    error: str = ""

    @property
    def runs(self) -> bool:
        """Whether it receives and applies."""
        return self.receiver == "ON" and self.applier == "ON"

    def __str__(self) -> str:
        if self.runs and not self.error:
            return f"replicates from {self.address}, {self.behind} transactions behind"
        return f"does not replicate from {self.address} any more (receiver {self.receiver}, applier {self.applier}): {self.error or 'no error'}"


class ApplierError(NamedTuple):
    """The last error of the group's appliers."""

    number: int
    message: str
    at: str  # by the server's clock
    channel: str = ""


class Stats(NamedTuple):
    """What a member has in its queues."""

    transactions_to_certify: int
    transactions_behind: int
    conflicts: int


class ServerFacts(NamedTuple):
    """Everything that is known of one server. Of one that could not be asked: its address and the error."""

    address: str
    reachable: bool = True
    error: str = ""
    error_kind: str = ""  # unreachable or refused
    version: str = ""
    version_warning: str | None = None
    version_error: str = ""
    server_uuid: str = ""  # lower case, as everywhere
    server_id: int = 0
    hostname: str = ""
    port: int = 3306
    report_host: str = ""
    report_port: int = 0
    gtid_executed: str = ""
    gtid_purged: str = ""
    received: str = ""  # by the applier channel, applied or not
    gtid_mode: str = ""
    enforce_gtid_consistency: str = ""
    log_bin: bool = False
    read_only: bool = False
    super_read_only: bool = False
    offline_mode: bool = False
    settings: dict[str, str] = {}
    persisted: dict[str, str] = {}
    log_error: str = ""
    datadir: str = ""
    group_name: str = ""
    local_address: str = ""
    single_primary_mode: bool = False
    update_everywhere_checks: bool = False
    bootstrap_flag: bool = False
    bootstrap_flag_source: str = ""
    start_on_boot: bool = False
    plugins: dict[str, str] = {}
    plugin_active: bool = False
    clone_active: bool = False
    cloning_from: str = ""
    state: str = "OFFLINE"
    role: str = ""
    view: dict[str, Entry] = {}  # by server_uuid; empty when the server is in no group
    view_id: str = ""
    stats: dict[str, Stats] = {}
    channels: dict[str, Channel] = {}
    inbound: list[Inbound] = []
    applier_error: ApplierError | None = None
    data: Data | None = None  # beside its GTID set; None where nobody looked
    lock_held_by_other: bool = False
    lock_holder: str = ""
    starting: bool = False
    said: Said | None = None  # by the guard of its host

    def as_dict(self) -> dict[str, Any]:
        """As plain dicts, for a module's answer."""
        return {name: _plain(value) for name, value in self._asdict().items()}


def _plain(value: Any) -> Any:
    if hasattr(value, "as_dict"):
        return value.as_dict()
    if hasattr(value, "_asdict"):
        return value._asdict()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def writers(single_primary_mode: bool, update_everywhere_checks: bool) -> str:
    """Who writes in a group with these settings, as the value of the role's variable mysql_gr_writers."""
    return "primary" if single_primary_mode else "all" if update_everywhere_checks else "one"


def unreachable(address: str, error: str, kind: str = "unreachable") -> ServerFacts:
    """The facts of a server that could not be asked."""
    return ServerFacts(address, reachable=False, error=error, error_kind=kind, state="UNKNOWN")


def lock_name(group_name: str | None) -> str:
    """The name of the lock that is held on every declared member over decision and bootstrap (at most 64 characters)."""
    return ("distdb.mysql_ha:gr:" + (group_name or "").lower())[:64]


def gather(
    connection: Connection, address: str, lock: str = "", own: bool = False, account: str = "root"
) -> ServerFacts:
    """The facts of one server; raises ServerError when it cannot be asked. own: it is the managed server; account: with which guards log in."""
    facts = _basics(connection.query(_SCALARS)[0], address)
    facts = _with_settings(facts, {item["name"]: item["value"] for item in connection.query(_VARIABLES)})
    if not facts.version_error and has_persist(facts.version):
        facts = facts._replace(persisted={item["name"]: item["value"] for item in connection.query(_PERSISTED)})
        if facts.bootstrap_flag:
            for item in connection.query(_FLAG_SOURCE):
                source = f"{item['source']} {item['path'] or ''}".strip()
                facts = facts._replace(bootstrap_flag_source=source)
    plugins = {item["name"]: item["status"] for item in connection.query(_PLUGINS)}
    active = {name: plugins.get(name) == "ACTIVE" for name in ("group_replication", "clone")}
    facts = facts._replace(plugins=plugins, plugin_active=active["group_replication"], clone_active=active["clone"])
    # Of the others it is not asked: their accounts need not see it. Without the plugin there is no such table.
    cloning = connection.query(_CLONING) if own and facts.clone_active else []
    facts = facts._replace(cloning_from=(cloning[0]["donor"] or "").lower() if cloning else "")
    facts = _with_view(facts, connection.query(_MEMBERS) if facts.plugin_active else [])
    if facts.state != "OFFLINE":
        facts = _with_stats(facts, connection.query(_STATS))
    facts = _with_channels(facts, connection.query(_CHANNELS, (APPLIER_CHANNEL, RECOVERY_CHANNEL)))
    facts = _with_inbound(facts, connection.query(_INBOUND, (APPLIER_CHANNEL, RECOVERY_CHANNEL)))
    failed = connection.query(_APPLIER_ERROR, (APPLIER_CHANNEL, RECOVERY_CHANNEL)) if facts.plugin_active else []
    if failed:
        error = ApplierError(
            int(failed[0]["number"]), str(failed[0]["message"]), str(failed[0]["at"]), str(failed[0]["channel"])
        )
        facts = facts._replace(applier_error=error)
    said = connection.query(_SAID, (VARIABLE, account)) if facts.plugin_active else []
    row = connection.query(_LAST, (lock or lock_name(facts.group_name),))[0]
    held = row["lock_holder"] is not None and row["lock_holder"] != row["connection_id"]
    return facts._replace(
        lock_held_by_other=held,
        lock_holder=f"{row['lock_account'] or 'somebody'} (connection {row['lock_holder']})" if held else "",
        starting=facts.state == "OFFLINE" and bool(row["receivers"]),
        said=parse(said[0]["said"]) if len(said) == 1 else None,
    )


def _basics(row: Row, address: str) -> ServerFacts:
    values: dict[str, Any] = {
        name: row[name] or ""
        for name in ("version", "hostname", "report_host", "gtid_mode", "enforce_gtid_consistency")
    }
    values.update((name, bool(row[name])) for name in ("log_bin", "read_only", "super_read_only", "offline_mode"))
    values.update((name, int(row[name] or 0)) for name in ("server_id", "port", "report_port"))
    values.update((name, (row[name] or "").replace("\n", "")) for name in ("gtid_executed", "gtid_purged"))
    facts = ServerFacts(address, server_uuid=(row["server_uuid"] or "").lower(), **values)
    try:
        _version, warning = check_version(facts.version)
        return facts._replace(version_warning=warning)
    except VersionError as error:
        return facts._replace(version_error=str(error))


def _with_settings(facts: ServerFacts, variables: dict[str, str]) -> ServerFacts:
    prefix = "group_replication_"
    kept = {name: value for name, value in variables.items() if name.startswith(prefix) or name in MUST_EQUAL}
    return facts._replace(
        settings=kept,
        log_error=variables.get("log_error") or "",
        datadir=variables.get("datadir") or "",
        group_name=(kept.get(prefix + "group_name") or "").lower(),
        local_address=kept.get(prefix + "local_address") or "",
        single_primary_mode=kept.get(prefix + "single_primary_mode") == "ON",
        update_everywhere_checks=kept.get(prefix + "enforce_update_everywhere_checks") == "ON",
        bootstrap_flag=kept.get(prefix + "bootstrap_group") == "ON",
        start_on_boot=kept.get(prefix + "start_on_boot") == "ON",
    )


def _with_view(facts: ServerFacts, rows: list[Row]) -> ServerFacts:
    view = {
        (row["member_id"] or "").lower(): Entry(
            row["member_host"] or "",
            int(row["member_port"] or 0),
            row["member_state"] or "",
            row.get("member_role") or "",
            row.get("member_version") or "",
        )
        for row in rows
        if row["member_id"]
    }
    mine = view.get(facts.server_uuid)
    if mine is None or mine.state in ("OFFLINE", ""):
        # A stopped member's table shows itself only: that is no view of a group.
        return facts._replace(state="OFFLINE", role=mine.role if mine else "", view={})
    return facts._replace(state=mine.state, role=mine.role, view=view)


def _with_stats(facts: ServerFacts, rows: list[Row]) -> ServerFacts:
    stats = {
        (row.get("member_id") or "").lower(): Stats(
            int(row.get("count_transactions_in_queue") or 0),
            int(row.get("count_transactions_remote_in_applier_queue") or 0),
            int(row.get("count_conflicts_detected") or 0),
        )
        for row in rows
    }
    return facts._replace(stats=stats, view_id=next((row["view_id"] for row in rows if row.get("view_id")), ""))


def _with_channels(facts: ServerFacts, rows: list[Row]) -> ServerFacts:
    channels = {
        row["channel"]: Channel(row["service_state"], int(row["error_number"] or 0), row["error_message"] or "")
        for row in rows
    }
    received = next((row["received"] for row in rows if row["channel"] == APPLIER_CHANNEL), "") or ""
    return facts._replace(channels=channels, received=received.replace("\n", ""))


def _with_inbound(facts: ServerFacts, rows: list[Row]) -> ServerFacts:
    executed = GtidSet(facts.gtid_executed)
    return facts._replace(
        inbound=[
            Inbound(
                row["channel"],
                format_address(row["host"], int(row["port"])),
                (row["source_uuid"] or "").lower(),
                row["receiver"],
                row["applier"],
                (GtidSet((row["received"] or "").replace("\n", "")) - executed).count(),
                str(row["receiver_error"] or row["applier_error"] or ""),
            )
            for row in rows
        ]
    )
