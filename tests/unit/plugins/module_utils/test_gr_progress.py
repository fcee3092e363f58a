# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a wait is, as text from facts."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import progress
from gr_model import GROUP, MEMBERS, change, gone, group_of

DB0, DB1, DB2 = MEMBERS
GIB = 1 << 30


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.0 KiB"), (3 * GIB // 2, "1.5 GiB"), (5000 * GIB, "4.9 TiB")],
)
def test_size(number, text):
    assert progress.size(number) == text


def test_transactions_are_counted_without_those_executed():
    facts = group_of({DB0: "ONLINE", DB1: "RECOVERING"})
    change(facts, DB0, gtid_executed=GROUP + ":1-20331")
    change(facts, DB1, gtid_executed=GROUP + ":1-19000", received=GROUP + ":18000-19127")
    assert progress.transactions_left(facts, DB1) == 1331
    assert progress.recovery_text(1331, 20331) == "RECOVERING: 1,331 of 20,331 transactions left"
    # What the group did meanwhile: never more left than there were.
    assert progress.recovery_text(25000, 20331) == "RECOVERING: 25,000 of 25,000 transactions left"


def test_what_it_received_itself_counts_and_strangers_do_not():
    facts = group_of({DB0: "RECOVERING"})
    change(facts, DB0, gtid_executed=GROUP + ":1-10", received=GROUP + ":9-30")
    change(facts, DB1, gtid_executed=facts[DB1].server_uuid + ":1-500")
    facts[DB2] = gone(DB2)
    assert progress.transactions_left(facts, DB0) == 20


def stages(**states):
    return [
        {"stage": name.replace("_", " "), "state": state, "estimate": estimate, "data": data}
        for name, (state, estimate, data) in states.items()
    ]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([], "CLONE of db0:3306: it begins"),
        (stages(DROP_DATA=("In Progress", 0, 0)), "CLONE of db0:3306: DROP DATA"),
        (
            stages(DROP_DATA=("Completed", 0, 0), FILE_COPY=("In Progress", 3 * GIB, 9 * GIB // 7), PAGE_COPY=("Not Started", 0, 0)),
            "CLONE of db0:3306: FILE COPY, 42 %, 1.3 GiB of 3.0 GiB",
        ),
        # An estimate that was too small.
        (stages(FILE_COPY=("In Progress", 100, 120)), "CLONE of db0:3306: FILE COPY, 100 %, 120 bytes of 120 bytes"),
        (stages(FILE_COPY=("Completed", 100, 100), RESTART=("In Progress", 0, 0)), "CLONE of db0:3306: RESTART"),
    ],
)  # fmt: skip
def test_clone(rows, text):
    assert progress.clone_text("db0:3306", rows) == text
