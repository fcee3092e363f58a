# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version table: golden statements and option lines for every version that matters."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.statements import (
    STATEMENTS,
    has_statement,
    statement,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import (
    Version,
    VersionError,
    can_join,
    check_version,
    effective_version,
    parse_version,
    stays_read_only,
)
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.option_lines import render_settings
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.server_options import OPTIONS, option_name
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.version_facts import first_version, version_facts

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("Statements and options for each version of MySQL are those of the recorded table."),
]

GOLDEN = Path(__file__).resolve().parents[2] / "fixtures" / "gr_versions.json"
VERSIONS = (
    "5.7.44", "8.0.20", "8.0.21", "8.0.22", "8.0.23", "8.0.26", "8.0.36", "8.2.0", "8.3.0", "8.4.0", "9.0.0", "9.5.0", "9.7.4", "26.7",
)  # fmt: skip
WORDS = {"name": "group_replication_start_on_boot", "port": 3306, "seconds": 60, "verify": 1, "more": ""}
WISHES = {
    "server_id": 130,
    "report_host": "192.0.2.130",
    "group_name": "8f22f846-9922-4139-b2b7-097d185a93cb",
    "local_address": "192.0.2.130:33061",
    "group_seeds": ["192.0.2.130:33061", "192.0.2.131:33061"],
    "ip_allowlist": ["192.0.2.130", "192.0.2.131"],
    "single_primary_mode": False,
    "enforce_update_everywhere_checks": True,
    "ssl_mode": "REQUIRED",
    "recovery_use_ssl": True,
    "start_on_boot": True,
}
PREFERRED = {
    "member_expel_timeout": 5,
    "exit_state_action": "READ_ONLY",
    "consistency": "EVENTUAL",
    "autorejoin_tries": 3,
    "message_cache_size": 134217728,
    "unreachable_majority_timeout": 60,
    "communication_stack": "XCOM",
}


def resolved(version):
    """Everything that the table says about a version."""
    statements = {}
    for meaning in STATEMENTS:
        try:
            statements[meaning] = statement(version, meaning, **WORDS)
        except VersionError as error:
            statements[meaning] = f"refused: {error}"
    lines = [
        ("loose-" if loose else "") + f"{name}={value}"
        for name, value, loose in render_settings(version, WISHES, PREFERRED, {"max_connections": 200})
    ]
    return {"statements": statements, "settings": lines}


@pytest.mark.parametrize("version", VERSIONS)
def test_golden(version):
    """UPDATE_GOLDEN=1 writes the file anew; read the difference before it is committed."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {}
    if os.environ.get("UPDATE_GOLDEN"):
        golden[version] = resolved(version)
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(golden, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert resolved(version) == golden[version]


# What the golden file must say, written down by hand: the file alone could be regenerated wrongly.
@pytest.mark.parametrize(
    ("version", "meaning", "text"),
    [
        ("8.0.22", "change_recovery_credentials",
         "CHANGE MASTER TO MASTER_USER=%s, MASTER_PASSWORD=%s FOR CHANNEL 'group_replication_recovery'"),
        ("8.0.23", "change_recovery_credentials",
         "CHANGE REPLICATION SOURCE TO SOURCE_USER=%s, SOURCE_PASSWORD=%s FOR CHANNEL 'group_replication_recovery'"),
        ("5.7.44", "stop_group_replication", "STOP GROUP_REPLICATION"),
        ("26.7", "stop_group_replication", "STOP GROUP_REPLICATION"),
        ("8.0.36", "set_as_primary", "SELECT group_replication_set_as_primary(%s)"),
    ],
)  # fmt: skip
def test_statement(version, meaning, text):
    assert statement(version, meaning) == text


@pytest.mark.parametrize(
    ("version", "meaning", "words"),
    [
        ("5.7.44", "clone_instance", "came with 8.0.17"),
        ("5.7.44", "set_persist", "came with 8.0.11"),
        ("5.7.44", "set_as_primary", "came with 8.0.13"),
        ("8.0.25", "disable_member_action", "came with 8.0.26"),
        ("8.0.20", "set_as_primary_timeout", "came with 8.0.29"),
    ],
)
def test_a_statement_that_a_version_lacks_is_refused(version, meaning, words):
    with pytest.raises(VersionError, match=words):
        statement(version, meaning, **WORDS)
    assert not has_statement(version, meaning)
    assert has_statement("9.7.4", meaning)


def test_no_statement_from_8_4_on_uses_removed_words():
    for version in VERSIONS[VERSIONS.index("8.4.0") :]:
        for meaning, text in resolved(version)["statements"].items():
            assert not {"SLAVE", "MASTER"} & set(text.replace("_", " ").split()), (version, meaning, text)


def test_unknown_meaning_is_a_programming_error():
    with pytest.raises(KeyError):
        statement("8.4.0", "no_such_thing")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("8.0.36-0ubuntu0.22.04.1", (8, 0, 36)),
        ("5.7.44-log", (5, 7, 44)),
        ("9.7.4-2", (9, 7, 4)),
        ("8.0.36-28", (8, 0, 36)),
        ("8.4.3-3.1", (8, 4, 3)),
        ("26.7", (26, 7, 0)),
        ("26.7.1", (26, 7, 1)),
        ("9.7.4-2 (Debian)", (9, 7, 4)),
        ((8, 4), (8, 4, 0)),
    ],
)
def test_parse(text, version):
    assert parse_version(text) == Version(*version)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10.11.6-MariaDB-0+deb12u1", "is MariaDB"),
        ("5.5.5-10.6.1-mariadb", "is MariaDB"),
        ("", "not understood"),
        ("eight", "not understood"),
        ("8", "not understood"),
        ("5.7.16", "no Group Replication"),
        ("5.6.51", "no Group Replication"),
    ],
)
def test_refused_versions(text, words):
    with pytest.raises(VersionError, match=words):
        check_version(text)


@pytest.mark.parametrize("text", ["9.8.0", "10.1.2", "26.10.0", "27.1.0"])
def test_an_unknown_newer_version_is_the_newest_known_with_a_warning(text):
    version, warning = check_version(text)
    assert str(version) in warning
    assert "26.7, the newest known" in warning
    assert effective_version(text) == (26, 7, 0)
    assert resolved(text)["settings"] == resolved("26.7")["settings"]


def test_known_versions_have_no_warning():
    for text in VERSIONS:
        assert check_version(text)[1] is None


# -- option lines ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", VERSIONS)
def test_every_rendered_option_exists_in_that_version(version):
    names = {name for name, _value, _loose in render_settings(version, WISHES, PREFERRED)}
    known = {option_name(version, meaning) for meaning in OPTIONS}
    assert names - {"plugin_load_add"} <= known
    assert all(
        loose == name.startswith("group_replication_")
        for name, _value, loose in render_settings(version, WISHES, PREFERRED)
    )
    assert not any("bootstrap" in name for name in names)


@pytest.mark.parametrize(
    ("version", "there", "gone"),
    [
        ("5.7.44", {"group_replication_ip_whitelist", "log_slave_updates", "master_info_repository", "transaction_write_set_extraction",
                    "binlog_checksum", "binlog_format"}, {"group_replication_consistency", "group_replication_ip_allowlist"}),
        ("8.0.20", {"group_replication_ip_whitelist", "binlog_checksum"}, {"group_replication_ip_allowlist", "master_info_repository"}),
        ("8.0.21", {"group_replication_ip_whitelist"}, {"binlog_checksum"}),
        ("8.0.22", {"group_replication_ip_allowlist"}, {"group_replication_ip_whitelist"}),
        ("8.0.26", {"replica_preserve_commit_order"}, {"slave_preserve_commit_order", "group_replication_communication_stack"}),
        ("8.0.36", {"group_replication_communication_stack"}, {"replica_preserve_commit_order", "binlog_format"}),
        ("9.7.4", {"gtid_mode", "log_bin", "enforce_gtid_consistency"}, {"transaction_write_set_extraction", "binlog_format"}),
    ],
)  # fmt: skip
def test_option_lines_follow_the_version(version, there, gone):
    names = {name for name, _value, _loose in render_settings(version, WISHES, PREFERRED)}
    assert there <= names
    assert not gone & names


@pytest.mark.parametrize(
    ("version", "wishes", "words"),
    [
        ("9.7.4", {"bootstrap_group": True}, "never written into a file"),
        ("9.7.4", {"loose-group_replication_bootstrap_group": "ON"}, "never written into a file"),
        ("9.7.4", {"group_replication_force_members": "x"}, "never written into a file"),
        ("8.0.20", {"paxos_single_leader": True}, "does not exist in MySQL 8.0.20 .since 8.0.27"),
        ("8.4.0", {"transaction_write_set_extraction": "XXHASH64"}, "does not exist in MySQL 8.4.0 .removed in 8.3.0"),
        ("9.7.4", {"member_weight": 101}, "'101' is not allowed .allowed: a whole number from 0 to 100"),
        ("9.7.4", {"member_weight": "much"}, "'much' is not allowed"),
        ("9.7.4", {"consistency": "SOMETIMES"}, "allowed: EVENTUAL, BEFORE_ON_PRIMARY_FAILOVER"),
        ("9.7.4", {"no_such_option": 1}, "is not in the version table"),
        ("9.7.4", {"report_host": "a\nb"}, "must not contain a line break"),
        (
            "9.7.4",
            {"single_primary_mode": True, "enforce_update_everywhere_checks": True},
            "not allowed in single-primary mode",
        ),
    ],
)
def test_refused_wishes(version, wishes, words):
    with pytest.raises(VersionError, match=words):
        render_settings(version, wishes)


def test_extra_settings():
    lines = render_settings(
        "9.7.4", {}, None, {"max-connections": 200, "group_replication_member_weight": 60, "skip_name_resolve": True}
    )
    assert ("max_connections", "200", False) in lines
    assert ("skip_name_resolve", "ON", False) in lines
    assert ("group_replication_member_weight", "60", True) in lines
    for extra, words in (
        ({"bad name": 1}, "is no name of a server option"),
        ({"ok": "a\nb"}, "line break"),
        ({"group_replication_bootstrap_group": "ON"}, "never written"),
    ):
        with pytest.raises(VersionError, match=words):
            render_settings("9.7.4", {}, None, extra)


def test_wishes_win_over_preferences_and_old_names_are_understood():
    lines = {
        name: value
        for name, value, _loose in render_settings(
            "9.7.4", {"ip_whitelist": "x", "member_weight": 10}, {"member_weight": 90, "recovery_complete_at": None}
        )
    }
    assert lines["group_replication_ip_allowlist"] == "x"
    assert lines["group_replication_member_weight"] == "10"
    assert "recovery_complete_at" not in lines


@pytest.mark.parametrize(
    ("joiner", "lowest", "allowed"),
    [
        ("8.4.0", "8.4.0", True),
        ("9.7.4", "8.4.0", True),
        ("8.0.36", "8.4.0", False),
        ("8.0.36", "8.0.40", True),
        ("8.0.30", "8.0.36", False),
        ("8.4.1", "8.4.6", True),
    ],
)
def test_who_may_join_whom(joiner, lowest, allowed):
    assert can_join(joiner, lowest)[0] is allowed


@pytest.mark.parametrize(
    ("version", "lowest", "closed"),
    [
        ("9.7.4", "9.7.4", False),
        ("9.7.4", "9.6.0", True),
        ("9.6.1", "9.6.0", True),
        ("9.7.4", "9.7.2", False),  # one long-term series
        ("8.0.44", "8.0.35", False),
        ("8.0.35", "8.0.34", True),
        ("8.4.0", "8.0.44", True),
        ("8.0.16", "8.0.14", False),  # patch levels count from 8.0.17 on
        ("8.0.17", "8.0.16", False),
        ("8.0.16", "5.7.44", True),
    ],
)
def test_which_member_of_a_mixed_multi_primary_group_stays_read_only(version, lowest, closed):
    assert stays_read_only(version, lowest) is closed


@pytest.mark.parametrize(
    ("version", "facts"),
    [
        ("5.7.44", {"check_arguments": ["--verbose", "--help"], "recovery_privileges": ["REPLICATION SLAVE"], "auth_plugin": "",
                    "dual_passwords": False, "clone_plugin": "", "monitor_view": True}),
        ("8.0.4", {"check_arguments": ["--verbose", "--help"], "auth_plugin": "caching_sha2_password", "monitor_view": False}),
        ("8.0.12", {"renewal_privileges": []}),
        ("8.0.13", {"dual_passwords": False, "renewal_privileges": ["GROUP_REPLICATION_ADMIN"]}),
        ("8.0.14", {"dual_passwords": True}),
        ("8.0.16", {"check_arguments": ["--validate-config"], "clone_plugin": ""}),
        ("8.0.17", {"clone_plugin": "mysql_clone.so"}),
        ("8.0.26-1", {"recovery_privileges": ["REPLICATION SLAVE", "CONNECTION_ADMIN"], "cloning_privileges": ["BACKUP_ADMIN"], "stack_privileges": []}),
        ("8.0.29", {"revoke_if_exists": False, "digest_rounds": 5000}),
        ("9.7.4-2", {"recovery_privileges": ["REPLICATION SLAVE", "CONNECTION_ADMIN"], "cloning_privileges": ["BACKUP_ADMIN"],
                     "stack_privileges": ["GROUP_REPLICATION_STREAM"], "revoke_if_exists": True, "digest_rounds": 10000}),
        ("27.1", {"clone_plugin": "mysql_clone.so", "dual_passwords": True}),
    ],
)  # fmt: skip
def test_what_a_version_has_and_needs(version, facts):
    found = version_facts(version)
    assert {name: found[name] for name in facts} == facts


def test_the_version_that_brought_it():
    assert first_version("dual_passwords", True) == "8.0.14"


def test_options_of_plugins_that_may_be_absent_are_loose():
    lines = render_settings("9.7.4", {}, {"mysqlx": False}, {"clone_buffer_size": 1, "loose-audit_log": "x", "port": 1})
    assert {name: loose for name, _value, loose in lines} == {
        "plugin_load_add": False, "port": False, "mysqlx": True, "clone_buffer_size": True, "audit_log": True,
        "log_bin": False, "gtid_mode": False, "enforce_gtid_consistency": False,
    }  # fmt: skip
