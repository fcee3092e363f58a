# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of the option file: by version, quoted, sizes in bytes, and never a bootstrap."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_settings import gr_settings
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.option_lines import quote, to_bytes

STRICT = {
    "server_id": 130,
    "group_name": "8f22f846-9922-4139-b2b7-097d185a93cb",
    "single_primary_mode": False,
    "enforce_update_everywhere_checks": True,
    "ssl_mode": "REQUIRED",
    "recovery_use_ssl": True,
}


@pytest.mark.parametrize(
    ("text", "size"),
    [("128M", 134217728), ("1g", 1073741824), ("64 KiB", 65536), (134217728, 134217728), ("many", "many")],
)
def test_sizes(text, size):
    assert to_bytes(text) == size


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("ROW", "ROW"),
        ("SET a = 1", "SET a = 1"),
        ("a#b", '"a#b"'),
        (" a", '" a"'),
        ("c:\\x", '"c:\\\\x"'),
        ('say "x"', '"say \\"x\\""'),
    ],
)
def test_values_that_an_option_file_would_misread_are_quoted(value, written):
    assert quote(value) == written


def test_a_size_is_written_in_bytes():
    lines = gr_settings("8.4.6", STRICT, {"message-cache-size": "256M"})
    assert "loose-group_replication_message_cache_size = 268435456" in lines


def test_what_a_version_does_not_have_is_left_out_when_only_preferred():
    assert not [
        line for line in gr_settings("5.7.44", STRICT, {"message_cache_size": "256M"}) if "message_cache" in line
    ]


@pytest.mark.parametrize(
    "option", ["group_replication_bootstrap_group", "loose-group-replication-bootstrap-group", "bootstrap_group"]
)
def test_a_bootstrap_is_never_written(option):
    with pytest.raises(AnsibleFilterError, match="never written into a file"):
        gr_settings("8.4.6", STRICT, {}, {option: "ON"})


@pytest.mark.parametrize("version", ["5.7.44", "8.0.36", "8.4.6", "9.7.4-2", "26.7"])
def test_no_version_gets_a_bootstrap_and_every_one_gets_tls(version):
    lines = gr_settings(version, STRICT)
    assert not [line for line in lines if "bootstrap" in line]
    assert "loose-group_replication_ssl_mode = REQUIRED" in lines
    assert "loose-group_replication_recovery_use_ssl = ON" in lines


def test_a_value_that_is_not_allowed_is_named():
    with pytest.raises(AnsibleFilterError, match="member_expel_timeout.*'long' is not allowed.*3600"):
        gr_settings("8.4.6", STRICT, {"member_expel_timeout": "long"})


def test_other_options_are_written_as_they_are_and_null_leaves_one_out():
    lines = gr_settings("8.4.6", STRICT, {}, {"sync-binlog": 1, "max_connections": None})
    assert "sync_binlog = 1" in lines
    assert not [line for line in lines if "max_connections" in line]
