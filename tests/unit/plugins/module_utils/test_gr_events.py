# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events from a server's error log."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.events import (
    LONGEST,
    NOISE,
    NOTED,
    STATEMENT,
    event,
)


def row(what, severity="System", code="MY-011503", at="1795799547.302"):
    return {"at": at, "severity": severity, "code": code, "what": what}


@pytest.mark.parametrize(
    ("what", "shown"),
    [
        ("Plugin group_replication reported: 'Members removed from the group: db1:3306'", "Members removed from the group: db1:3306"),
        ("Plugin group_replication reported: 'Plugin 'group_replication' has been started.'", "Plugin 'group_replication' has been started."),
        ("two\nlines\tof it", "two lines of it"),
        ("Error 'Duplicate' on query. Default database: 'shop'. Query: 'INSERT INTO cards VALUES (4711)'",
         "Error 'Duplicate' on query. Default database: 'shop'. Query (left out)"),
        ("bad statement: ALTER USER x IDENTIFIED BY 'secret'", "bad statement (left out)"),
        (None, ""),
    ],
)  # fmt: skip
def test_what_is_shown_of_a_message(what, shown):
    assert event(row(what)).what == shown


def test_what_else_an_event_has():
    assert event(row("x", "Error"))[:3] == (1795799547.302, "error", "MY-011503")
    assert [event(row("x", word)).severity for word in ("Warning", "System", "Note")] == ["warning", "note", "note"]
    assert len(event(row("x" * 1000)).what) == LONGEST


def test_the_statement_names_every_code_once():
    assert all(STATEMENT.count(f"'{code}'") == 1 for code in NOTED + NOISE)
