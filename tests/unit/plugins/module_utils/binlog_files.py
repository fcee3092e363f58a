# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Binary log files as a server writes them, as far as the collection reads them."""

from __future__ import annotations

import struct
import uuid

A = "aaaaaaaa-0000-0000-0000-000000000001"
B = "bbbbbbbb-0000-0000-0000-000000000002"


def event(kind, body=b"", server=130):
    return struct.pack("<IBIIIH", 1795800000, kind, server, 19 + len(body), 0, 0) + body


def varlen(value):
    """An unsigned integer of variable length: the ones at the low end of its first byte say how many bytes follow."""
    bits = value.bit_length()
    size = 9 if bits > 56 else max(1, -(-bits // 7))
    if size == 9:
        return b"\xff" + value.to_bytes(8, "little")
    return (value << size | (1 << (size - 1)) - 1).to_bytes(size, "little")


def signed(value):
    return varlen(value << 1 if value >= 0 else (-value - 1) << 1 | 1)


def length_encoded(value):
    if value < 251:
        return bytes([value])
    return b"\xfc" + struct.pack("<H", value) if value < 1 << 16 else b"\xfd" + struct.pack("<I", value)[:3]


def plain(source, number, committed, rows=30, original=True):
    """A transaction: its GTID event, and one event of this many bytes."""
    rest = event(30, b"r" * rows)

    def body(length):
        times = struct.pack("<Q", committed + 77 | 1 << 55)[:7] + struct.pack("<Q", committed)[:7]
        if not original:
            times = struct.pack("<Q", committed)[:7]
        head = b"\0" + uuid.UUID(source).bytes + struct.pack("<Q", number) + b"\2" + struct.pack("<QQ", 1, 2)
        return head + times + length_encoded(length) + struct.pack("<I", 90704)

    length = 19 + len(body(1000)) + len(rest)
    while 19 + len(body(length)) + len(rest) != length:
        length = 19 + len(body(length)) + len(rest)
    return event(33, body(length)) + rest


def tagged(source, tag, number, committed, rows=30, original=True):
    rest = event(30, b"r" * rows)

    def body(length):
        fields = [
            (0, varlen(1)), (1, b"".join(varlen(octet) for octet in uuid.UUID(source).bytes)), (2, signed(number)),
            (3, varlen(len(tag)) + tag.encode()), (4, signed(1)), (5, signed(2)), (6, varlen(committed + 77 if original else committed)),
            *([(7, varlen(committed))] if original else []), (8, varlen(length)), (9, varlen(90704)),
        ]  # fmt: skip
        data = b"".join(varlen(number) + value for number, value in fields)
        # Its own size is part of what it counts.
        size = len(data) + 4
        return varlen(0) + varlen(size) + varlen(0) + data

    length = 19 + len(body(1000)) + len(rest)
    while 19 + len(body(length)) + len(rest) != length:
        length = 19 + len(body(length)) + len(rest)
    return event(42, body(length)) + rest


def previous(sets, tags=False):
    """What came before the file: [(source, tag, first, last)]."""
    body = struct.pack("<Q", len(sets) << 8 | 1 << 56 if tags else len(sets))
    for source, tag, first, last in sets:
        body += uuid.UUID(source).bytes + (varlen(len(tag)) + tag.encode() if tags else b"")
        body += struct.pack("<Qqq", 1, first, last + 1)
    return event(35, body)


def log(*transactions, before=(), tags=False, end=b""):
    """A whole file."""
    return b"\xfebin" + event(15, b"9.7.4" + b"\0" * 60) + previous(list(before), tags) + b"".join(transactions) + end


ROTATE = event(4, b"\4" + b"\0" * 7 + b"binlog.000002")
STOP = event(3)
