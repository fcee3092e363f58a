# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The servers beside the table of docs/reference/hardening.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim(
        "Every server has the values that the hardening table calls met, and the accounts that it names."
    ),
]

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "hardening.md").read_text()
MET = [line for line in PAGE.splitlines() if line.startswith("|") and "| met |" in line]
# Options without a system variable of that name.
OPTIONS = {
    "mysqlx": "SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_name = 'mysqlx' AND plugin_status = 'ACTIVE'"
}


def test_values_that_are_met(cluster):
    values = [pair for line in MET for pair in re.findall(r"`(\w+) = ([^`]+)`", line)]
    assert len(values) >= 7
    for member in cluster.members:
        shown = {name.lower(): value for name, value in cluster.sql(member, "SHOW GLOBAL VARIABLES") if name}
        for name, value in values:
            if name in OPTIONS:
                assert cluster.sql(member, OPTIONS[name]) == [["0"]], (member, name)
            elif name == "have_symlink" and name not in shown:
                continue  # gone with its option
            else:
                assert shown[name] == value, (member, name)
        assert shown["secure_file_priv"] not in ("", "/")
        assert "STRICT_TRANS_TABLES" in shown["sql_mode"]


def test_accounts_that_are_met(cluster):
    for member in cluster.members:
        assert (
            cluster.sql(
                member, "SELECT user, host FROM mysql.user WHERE user = '' OR (user = 'root' AND host <> 'localhost')"
            )
            == []
        )
        open_ones = "SELECT user, host FROM mysql.user WHERE authentication_string = '' AND plugin NOT IN ('auth_socket') AND account_locked = 'N'"
        assert cluster.sql(member, open_ones) == []
        assert (
            cluster.sql(member, "SELECT schema_name FROM information_schema.schemata WHERE schema_name = 'test'") == []
        )
        technical = (
            "'"
            + "', '".join(
                [
                    cluster.var(member, "mysql_gr_recovery_user", "repl"),
                    cluster.var(member, "mysql_gr_peer_user", "gr_peer"),
                ]
            )
            + "'"
        )
        found = cluster.sql(
            member,
            f"SELECT host, plugin, ssl_type FROM mysql.user WHERE user IN ({technical}) AND account_locked = 'N'",
        )
        assert len(found) == 2 * len(cluster.members)
        assert {(plugin, required) for _host, plugin, required in found} == {
            ("caching_sha2_password", "ANY")
        } and "%" not in {row[0] for row in found}
