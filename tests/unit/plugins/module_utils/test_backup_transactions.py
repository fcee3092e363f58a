# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions of binary log files; tests/integration/group_replication/test_backup.py reads files of a real server."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.transactions import (
    Head,
    LogError,
    Spans,
    Transaction,
    read_log,
    signed,
    unsigned,
)  # fmt: skip
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from binlog_files import ROTATE, STOP, A, B, event, log, plain, tagged, varlen
from binlog_files import signed as signed_bytes
from hypothesis import given
from hypothesis import strategies as st

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "The transactions of a binary log are found with their GTIDs, tags included, times and bytes; a half one is none."
    ),
]

T = 1795800000000000


def read(tmp_path, data):
    (tmp_path / "log").write_bytes(data)
    return list(read_log(str(tmp_path / "log")))


@given(st.integers(0, (1 << 64) - 1))
def test_unsigned(value):
    data = varlen(value)
    assert unsigned(b"x" + data + b"y", 1) == (value, 1 + len(data))


@given(st.integers(-(1 << 62), 1 << 62))
def test_signed(value):
    data = signed_bytes(value)
    assert signed(data, 0) == (value, len(data))


@pytest.mark.parametrize("original", [True, False])
@pytest.mark.parametrize("rows", [1, 200, 400, 70000])
def test_both_kinds_of_transactions(tmp_path, rows, original):
    first, second = plain(A, 7, T, rows, original), tagged(B, "blue", 9, T + 1, rows, original)
    head, *found = read(tmp_path, log(first, second, end=ROTATE))
    begin = head.size
    assert found == [
        Transaction(A, 7, T, begin, begin + len(first)),
        Transaction(f"{B}:blue", 9, T + 1, begin + len(first), begin + len(first) + len(second)),
    ]
    assert [one.gtid for one in found] == [f"{A}:7", f"{B}:blue:9"]


def test_what_came_before_a_file(tmp_path):
    head, *_none = read(tmp_path, log(plain(A, 3, T), before=[(A, "", 1, 2), (B, "", 5, 5)]))
    assert head.previous == GtidSet(f"{A}:1-2,{B}:5")
    head, *_none = read(tmp_path, log(plain(A, 3, T), before=[(A, "", 1, 2), (A, "blue", 4, 8)], tags=True))
    assert head.previous == GtidSet(f"{A}:1-2:blue:4-8")


def test_a_file_without_transactions(tmp_path):
    data = log(before=[(A, "", 1, 2)], end=STOP)
    assert read(tmp_path, data) == [Head(len(data), GtidSet(f"{A}:1-2"))]


@pytest.mark.parametrize("lost", [1, 20, 60, 100])
def test_a_half_transaction_is_none(tmp_path, lost):
    whole, half = plain(A, 1, T), plain(A, 2, T)
    found = read(tmp_path, log(whole, half)[:-lost])
    assert [one.number for one in found[1:]] == [1]


@pytest.mark.parametrize(
    "data, problem",
    [
        (b"", "is no binary log"),
        (b"MZ" * 40, "is no binary log"),
        (log() + event(34, b"x" * 60), "has transactions without a GTID"),
        (log() + event(30, b"x"), "an event of type 30 at byte"),
        (log() + b"\0" * 40, "damaged at byte"),
    ],
)
def test_what_is_no_log(tmp_path, data, problem):
    with pytest.raises(LogError, match=problem):
        read(tmp_path, data)


def test_neighbours_become_one_interval():
    spans = Spans()
    for number in (1, 2, 3, 7, 5, 6):
        spans.add(Transaction(A, number, T, 0, 1))
    spans.add(Transaction(f"{A}:blue", 4, T, 0, 1))
    assert spans.gtids() == GtidSet(f"{A}:1-3:5-7:blue:4")
    assert spans.count == 7


def test_a_file_that_grows_is_read_on(tmp_path):
    file = tmp_path / "binlog.000001"
    file.write_bytes(log(plain(A, 1, 1_000_000)))
    _head, first = read_log(str(file))
    assert list(read_log(str(file), first.end)) == []
    with open(file, "ab") as out:
        out.write(plain(A, 2, 2_000_000) + plain(A, 3, 3_000_000)[:-1])
    (second,) = read_log(str(file), first.end)
    assert (second.gtid, second.start) == (f"{A}:2", first.end)
