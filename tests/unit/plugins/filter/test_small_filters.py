# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that bring a table or a reader of logs to roles and playbooks."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_log_errors import gr_log_errors
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_version_facts import gr_version_facts
from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_hole_problems import proxysql_hole_problems

FILTERS = sorted(path.stem for path in Path(gr_log_errors.__code__.co_filename).parent.glob("[a-z]*.py"))
LOG = """2026-01-01T10:00:00 0 [ERROR] [MY-000067] [Server] of an earlier start
2026-01-01T10:01:00 0 [System] [MY-010116] [Server] mysqld (mysqld 9.7.4) starting as process 1
2026-01-01T10:01:01 0 [ERROR] [MY-000067] [Server] unknown variable 'x=1'.
2026-01-01T10:01:01 0 [ERROR] [MY-000067] [Server] unknown variable 'x=1'.
2026-01-01T10:01:02 0 [ERROR] [MY-010119] [Server] Aborting
"""


def test_the_errors_of_the_last_start_only_each_once():
    assert gr_log_errors(LOG) == ["unknown variable 'x=1'."]
    assert gr_log_errors("") == []
    many = "\n".join(f"[ERROR] [MY-1] [Server] error {number}" for number in range(9))
    assert gr_log_errors(many) == [f"error {number}" for number in range(4, 9)]


def test_facts_of_a_version_and_the_version_that_brought_one():
    assert gr_version_facts("8.0.36")["dual_passwords"] is True
    assert gr_version_facts("8.0.13")["since"] == {"dual_passwords": "8.0.14"}
    with pytest.raises(AnsibleFilterError, match="'new' is not understood"):
        gr_version_facts("new")


def test_a_proxysql_with_a_known_hole_is_named_and_one_that_cannot_be_read_is_not():
    assert proxysql_hole_problems("3.0.8") and "CVE-" in proxysql_hole_problems("3.0.8")[0]
    assert proxysql_hole_problems(None) == [] == proxysql_hole_problems("unreadable")


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_file_brings_the_filter_of_its_name(name):
    module = importlib.import_module(f"ansible_collections.distdb.mysql_ha.plugins.filter.{name}")
    assert module.FilterModule().filters() == {name: getattr(module, name)}
