# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server outside of the group, from which a group is made: its facts, and what stands against it.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import normal_address, parse_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import (
    Connection,
    Recorder,
    login_connection,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import (
    Data,
    Tables,
    enabled_events,
    look,
    table_problems,
    without_waiting,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import ServerFacts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.statements import has_statement
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import can_clone, has_clone
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

CHANNEL = "source"  # the replication channel that leads to it
# Persisted on the member with that channel, from the clone until the cut-over: at boot a channel would start before the member is in its group.
HELD = "skip_replica_start"
# What the account needs: to see everything, to give a clone, to send transactions, and to take no writes any more.
NEEDED = ("SELECT", "EVENT", "BACKUP_ADMIN", "REPLICATION SLAVE", "SYSTEM_VARIABLES_ADMIN")
LONGEST_PASSWORD = 32  # of a replication channel
GTID_STEPS = (
    "SET GLOBAL enforce_gtid_consistency = WARN, and look into the error log for a while; then enforce_gtid_consistency = ON, gtid_mode = OFF_PERMISSIVE and "
    "gtid_mode = ON_PERMISSIVE; when SHOW STATUS LIKE 'Ongoing_anonymous_transaction_count' is 0, gtid_mode = ON; and both in its option file"
)

_PRIVILEGES = """SELECT PRIVILEGE_TYPE AS privilege FROM information_schema.USER_PRIVILEGES
 WHERE GRANTEE = CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')"""
_VARIABLES = """SELECT VARIABLE_NAME AS name, VARIABLE_VALUE AS value FROM performance_schema.global_variables WHERE VARIABLE_NAME IN
 ('version', 'server_uuid', 'server_id', 'gtid_mode', 'enforce_gtid_consistency', 'log_bin', 'binlog_format', 'lower_case_table_names')"""
_NOW = "SELECT @@GLOBAL.gtid_executed AS executed, @@GLOBAL.read_only AS read_only, @@GLOBAL.super_read_only AS super_read_only"
_COUNTS = """SELECT (SELECT COUNT(*) FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'clone' AND PLUGIN_STATUS = 'ACTIVE') AS clone,
 (SELECT COUNT(*) FROM performance_schema.replication_group_members WHERE MEMBER_STATE IN ('ONLINE', 'RECOVERING')) AS members,
 (SELECT VARIABLE_VALUE FROM performance_schema.session_status WHERE VARIABLE_NAME = 'Ssl_cipher') AS cipher"""
_LOGIN = "SELECT plugin FROM mysql.user WHERE user = %s AND host = 'localhost'"


class SourceFacts(NamedTuple):
    """What is known of the source."""

    address: str
    privileges: list[str] = []
    version: str = ""
    server_uuid: str = ""
    server_id: int = 0
    gtid_executed: str = ""
    gtid_mode: str = ""
    enforce_gtid_consistency: str = ""
    log_bin: bool = False
    binlog_format: str = ""  # '' where the server knows one only, rows
    lower_case_table_names: str = ""
    read_only: bool = False
    super_read_only: bool = False
    clone_active: bool = False
    in_group: bool = False
    tls: bool = False
    login_plugin: str | None = (
        None  # of the account by which a member's own server is asked; None where the source has none
    )
    events: Tables = Tables()
    data: Data = Data()

    @property
    def lacking(self) -> list[str]:
        """Privileges that the account lacks."""
        return [name for name in NEEDED if name not in self.privileges]


def source_options() -> dict[str, dict[str, Any]]:
    """Arguments about the source."""
    return {
        "source": {"type": "str", "required": True},
        "source_user": {"type": "str", "required": True},
        "source_password": {"type": "str", "required": True, "no_log": True},
        "source_ca_cert": {"type": "path"},
    }


def check_source(params: Mapping[str, Any], members: list[str]) -> str:
    """The source's address; a Refusal where the options cannot be meant."""
    address = normal_address(params["source"], option="source")
    if address in members:
        raise Refusal(f"source: '{address}' is not allowed (allowed: a server that is not one of members)")
    password = params["source_password"]
    if not password or len(password) > LONGEST_PASSWORD or "'" in password or "\\" in password:
        raise Refusal(
            f"source_password: this one is not allowed (allowed: 1 to {LONGEST_PASSWORD} characters, the most that a replication channel takes, "
            "without ' and \\)"
        )
    return address


class _Named(Recorder):
    """Notes at whom a statement was run."""

    def __init__(self, recorder: Recorder, where: str) -> None:
        super().__init__()
        self.recorder = recorder
        self.where = where

    def add(self, text: str) -> None:
        self.recorder.add(f"{self.where}: {text}")


def source_connection(params: Mapping[str, Any], recorder: Recorder) -> Connection:
    """The (not yet opened) connection to the source."""
    address = normal_address(params["source"], option="source")
    host, port = parse_address(address)
    given = {
        "login_host": host,
        "login_port": port,
        "login_user": params["source_user"],
        "login_password": params["source_password"],
        "ca_cert": params.get("source_ca_cert"),
        "connect_timeout": params.get("connect_timeout"),
    }
    return login_connection(given, _Named(recorder, address))


def gather_now(connection: Connection, facts: SourceFacts) -> SourceFacts:
    """The facts with what changes all the time."""
    row = connection.query(_NOW)[0]
    return facts._replace(
        gtid_executed=(row["executed"] or "").replace("\n", ""),
        read_only=bool(row["read_only"]),
        super_read_only=bool(row["super_read_only"]),
    )


def gather_source(connection: Connection, address: str, login_user: str) -> SourceFacts:
    """The facts of the source; of an account that lacks a privilege, its privileges only."""
    facts = SourceFacts(address, [str(row["privilege"]) for row in connection.query(_PRIVILEGES)])
    if facts.lacking:
        return facts
    variables = {row["name"]: str(row["value"] or "") for row in connection.query(_VARIABLES)}
    counts = connection.query(_COUNTS)[0]
    logins = connection.query(_LOGIN, (login_user,))

    def ask(text: str) -> list[list[Any]]:
        return [list(row.values()) for row in connection.query(text)]

    before = without_waiting(ask)
    if before:
        connection.query(before)
    return gather_now(connection, facts)._replace(
        version=variables.get("version", ""),
        server_uuid=variables.get("server_uuid", "").lower(),
        server_id=int(variables.get("server_id") or 0),
        gtid_mode=variables.get("gtid_mode", ""),
        enforce_gtid_consistency=variables.get("enforce_gtid_consistency", ""),
        log_bin=variables.get("log_bin") == "ON",
        binlog_format=variables.get("binlog_format", ""),
        lower_case_table_names=variables.get("lower_case_table_names", ""),
        clone_active=bool(counts["clone"]),
        in_group=bool(counts["members"]),
        tls=bool(counts["cipher"]),
        login_plugin=str(logins[0]["plugin"]) if logins else None,
        events=enabled_events(ask),
        data=look(ask, history=False),
    )


def source_problems(source: SourceFacts, mine: ServerFacts, wish: Mapping[str, Any]) -> list[str]:
    """What stands against making a group from this source by a clone into the server with these facts, and what to do about each.

    wish: login_user, login_password (whether there is one), event_scheduler (of this server), server_ids (of all members), update_everywhere
    """
    if source.lacking:
        return [
            f"account {wish['source_user']} lacks {', '.join(source.lacking)} there (GRANT {', '.join(source.lacking)} ON *.* TO …, to the account itself)"
        ]
    found = _version_problems(source, mine) + _setting_problems(source, mine, wish)
    if source.in_group or source.data.cluster_metadata:
        found.append("it is, or was, a member of a group: adopt the group in place by distdb.mysql_ha.site")
    if source.data.sources:
        found.append(
            f"it replicates from {', '.join(map(str, source.data.sources))}, whose transactions would come after it was closed: "
            "STOP REPLICA and RESET REPLICA ALL first, or name that server"
        )
    tables = table_problems(source.data, wish["update_everywhere"])
    if tables:
        found.append(f"it has tables that Group Replication does not replicate: {'; '.join(tables)}")
    if source.events.number and wish["event_scheduler"] == "ON":
        found.append(
            f"{source.events.number} events are ENABLED there, which every member would execute: {source.events} (set mysql_gr_settings: "
            "{event_scheduler: 'OFF'} for the members)"
        )
    return found + _login_problems(source, wish)


def _version_problems(source: SourceFacts, mine: ServerFacts) -> list[str]:
    if not has_clone(source.version):
        return [f"MySQL {source.version} has no clone plugin (it came with 8.0.17): upgrade it first"]
    if not can_clone(source.version, mine.version):
        return [
            f"it runs MySQL {source.version} and this server {mine.version}: a clone needs the same series, before 8.0.37 the same version"
        ]
    if not has_statement(mine.version, "persist_only"):
        return [f"this server runs MySQL {mine.version}, which has no {HELD} (it came with 8.0.26)"]
    return (
        []
        if source.clone_active
        else ["the clone plugin is not active there: INSTALL PLUGIN clone SONAME 'mysql_clone.so'"]
    )


def _setting_problems(source: SourceFacts, mine: ServerFacts, wish: Mapping[str, Any]) -> list[str]:
    found = []
    if source.gtid_mode != "ON" or source.enforce_gtid_consistency != "ON":
        found.append(
            f"gtid_mode is {source.gtid_mode} and enforce_gtid_consistency {source.enforce_gtid_consistency} (needed: ON). Without a restart: {GTID_STEPS}"
        )
    if not source.log_bin:
        found.append("its binary log is off (needed: log_bin, which takes a restart)")
    if source.binlog_format not in ("", "ROW"):
        found.append(f"binlog_format is {source.binlog_format} (needed: ROW)")
    if not source.tls:
        found.append("it does not offer TLS (needed: ssl_cert and ssl_key)")
    if source.server_id in wish["server_ids"] or not source.server_id:
        found.append(
            f"its server_id is {source.server_id}, which a member has, too, or which is none: SET GLOBAL server_id"
        )
    theirs = mine.settings.get("lower_case_table_names")
    if theirs is not None and source.lower_case_table_names != theirs:
        found.append(
            f"lower_case_table_names is {source.lower_case_table_names} there and {theirs} here (mysql_gr_settings)"
        )
    return found


def _login_problems(source: SourceFacts, wish: Mapping[str, Any]) -> list[str]:
    """The copy has the source's accounts: this server has to be asked by one of them afterwards."""
    account = f"{wish['login_user']}@localhost"
    if source.login_plugin is None:
        return [f"it has no account {account}, by which the copy is asked (mysql_gr_login_user)"]
    if source.login_plugin != "auth_socket" and not wish["login_password"]:
        return [
            f"its account {account} has a password ({source.login_plugin}), and by this account the copy is asked: "
            "set mysql_gr_login_password to it"
        ]
    return []
