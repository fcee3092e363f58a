# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Version strings as programs really print them, and the table of pairs."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.versions import (
    has_feature,
    hole_problems,
    pair_problem,
    parse_version,
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("2.7.1-0-g2726c27", (2, 7, 1)),
        ("3.0.6-percona-1.1", (3, 0, 6)),
        ("ProxySQL version 2.0.12-38-g58a909a0, codename Truls", (2, 0, 12)),
        ("8.0.36-0ubuntu0.22.04.1", (8, 0, 36)),
        ("9.7.4", (9, 7, 4)),
        ("26.7", (26, 7, 0)),
        ("3.0.0-alpha", (3, 0, 0)),
        ("", None),
        (None, None),
        ("unknown", None),
    ],
)
def test_versions_are_read(text, version):
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("proxysql", "mysql", "source"),
    [
        ("2.7.1", "9.7.4", "4954"),
        ("2.6.0", "9.0.0", "4954"),
        ("3.0.1", "26.7", "4954"),
        ("3.0.1", "5.7.44", "4706"),
        ("2.5.5", "9.1.0", "4954"),
        ("2.4.8", "8.0.36", "4082"),
        ("1.3.9", "8.4.0", "mysql_group_replication_hostgroups"),
    ],
)
def test_known_bad_pairs_are_refused_with_reason_and_source(proxysql, mysql, source):
    sentence = pair_problem(proxysql, mysql)
    assert proxysql in sentence and mysql in sentence and source in sentence and "source:" in sentence


@pytest.mark.parametrize(
    ("proxysql", "mysql"),
    [
        ("3.0.2", "9.7.4"),
        ("3.0.9", "8.4.6"),
        ("2.7.1", "8.4.6"),
        ("2.5.0", "8.0.36"),
        ("2.0.18", "5.7.44"),
        ("", "9.7.4"),
        ("2.7.1", ""),
    ],
)
def test_other_pairs_are_not(proxysql, mysql):
    assert pair_problem(proxysql, mysql) == ""


def test_an_unknown_version_is_taken_as_a_current_one():
    assert has_feature(None, "loaded_servers") and not has_feature((2, 5, 5), "loaded_servers")


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("1.4.16", []),
        ("2.0.0", ["CVE-2026-48772"]),
        ("2.0.17", ["CVE-2026-48772"]),
        ("2.0.18", ["CVE-2026-48773", "CVE-2026-48772"]),
        ("2.7.1-16-g2726c27", ["CVE-2026-48773", "CVE-2026-48772"]),
        ("3.0.8", ["CVE-2026-48773", "CVE-2026-48772"]),
        ("3.0.9", []),
        ("3.1.0", []),
        ("", []),
    ],
)
def test_known_holes_by_version(version, names):
    found = hole_problems(version)
    assert [name for name in names if name not in " ".join(found)] == [] and len(found) == len(names)
    assert all("fixed in 3.0.9" in sentence for sentence in found)
