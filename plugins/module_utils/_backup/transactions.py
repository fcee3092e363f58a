# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transactions of a binary log file: GTID, time of commit, and where each begins and ends. Of each only its first event is read.

Private to this collection.
"""

from __future__ import annotations

import functools
import mmap
import os
import struct
import uuid
from typing import Iterator, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

MAGIC = b"\xfebin"
HEADER = struct.Struct("<IBIIIH")  # time, type, server_id, size, end position, flags
STOP, ROTATE, FORMAT_DESCRIPTION, GTID, ANONYMOUS_GTID, PREVIOUS_GTIDS, HEARTBEAT, TAGGED_GTID = (
    3,
    4,
    15,
    33,
    34,
    35,
    27,
    42,
)
# Events that stand between transactions.
BETWEEN = (STOP, ROTATE, FORMAT_DESCRIPTION, PREVIOUS_GTIDS, HEARTBEAT)
HEAD = 512  # bytes of a GTID event that are read at most


class LogError(Refusal):
    """The file is no binary log of whole transactions."""


class Transaction(NamedTuple):
    """One transaction of a file."""

    source: str  # uuid, with ':tag' where it has one
    number: int
    committed: int  # microseconds since the epoch, where it was committed first
    start: int
    end: int

    @property
    def gtid(self) -> str:
        return f"{self.source}:{self.number}"


class Head(NamedTuple):
    """How a file begins: bytes before its first transaction, and what its server had before it."""

    size: int
    previous: GtidSet


class Spans:
    """Transactions that are collected one by one: neighbours become one interval, for a file has very many."""

    def __init__(self) -> None:
        self._spans: dict[str, list[list[int]]] = {}
        self.count = 0

    def add(self, one: Transaction) -> None:
        pairs = self._spans.setdefault(one.source, [])
        if pairs and pairs[-1][1] + 1 == one.number:
            pairs[-1][1] = one.number
        else:
            pairs.append([one.number, one.number])
        self.count += 1

    def gtids(self) -> GtidSet:
        parts = (f"{source}:{first}-{last}" for source, pairs in self._spans.items() for first, last in pairs)
        return GtidSet(",".join(parts))


def unsigned(data: bytes, at: int) -> tuple[int, int]:
    """An integer of variable length, as tagged GTIDs are written in: the ones at the low end of its first byte say how many bytes follow."""
    first = data[at]
    more = 0
    while more < 8 and first >> more & 1:
        more += 1
    value = int.from_bytes(data[at + 1 : at + 1 + more], "little")
    if more < 7:
        value = value << (7 - more) | first >> (more + 1)
    return value, at + 1 + more


def signed(data: bytes, at: int) -> tuple[int, int]:
    value, at = unsigned(data, at)
    return (-(value >> 1) - 1 if value & 1 else value >> 1), at


def length_encoded(data: bytes, at: int) -> tuple[int, int]:
    """An integer of the client protocol."""
    first = data[at]
    if first < 251:
        return first, at + 1
    size = {252: 2, 253: 3, 254: 8}[first]
    return int.from_bytes(data[at + 1 : at + 1 + size], "little"), at + 1 + size


@functools.lru_cache(maxsize=64)
def text_of(octets: bytes) -> str:
    """The text of a UUID; a log has few of them."""
    return str(uuid.UUID(bytes=octets))


def plain_gtid(data: bytes) -> tuple[str, int, int, int]:
    """Source, number, time of commit and length of the transaction, of the body of a GTID event."""
    source = text_of(data[1:17])
    number = int.from_bytes(data[17:25], "little")
    at = 42  # after the flags, the GTID, and the logical clock
    immediate = int.from_bytes(data[at : at + 7], "little")
    at += 7
    committed = immediate & ~(1 << 55)
    if immediate >> 55 & 1:
        committed = int.from_bytes(data[at : at + 7], "little")
        at += 7
    length, _at = length_encoded(data, at)
    return source, number, committed, length


def tagged_gtid(data: bytes) -> tuple[str, int, int, int]:
    """The same, of the body of a tagged one: fields with their numbers, of which some may be missing."""
    _version, at = unsigned(data, 0)
    size, at = unsigned(data, at)
    _last_needed, at = unsigned(data, at)
    source, tag, number, immediate, original, length = b"", "", 0, 0, 0, 0
    while at < min(size, len(data)):
        field, at = unsigned(data, at)
        if field == 1:
            octets = []
            for _octet in range(16):
                octet, at = unsigned(data, at)
                octets.append(octet)
            source = bytes(octets)
        elif field == 3:
            count, at = unsigned(data, at)
            tag, at = data[at : at + count].decode("ascii"), at + count
        else:
            value, at = (signed if field in (2, 4, 5) else unsigned)(data, at)
            if field == 2:
                number = value
            elif field == 6:
                immediate = value
            elif field == 7:
                original = value
            elif field == 8:
                length = value
    return text_of(source) + (f":{tag}" if tag else ""), number, original or immediate, length


def previous_gtids(data: bytes) -> GtidSet:
    """The set in the body of an event that says what came before the file."""
    first = int.from_bytes(data[:8], "little")
    # From 8.3 on the highest byte says whether there are tags, and then the count is in the middle.
    tagged = first >> 56 == 1
    count = (first >> 8) & ((1 << 48) - 1) if tagged else first
    at, parts, source = 8, [], ""
    for _number in range(count):
        source = text_of(data[at : at + 16])
        at += 16
        if tagged:
            size, at = unsigned(data, at)
            tag, at = data[at : at + size].decode("ascii"), at + size
            source += f":{tag}" if tag else ""
        spans = int.from_bytes(data[at : at + 8], "little")
        at += 8
        for _span in range(spans):
            begin, end = struct.unpack_from("<qq", data, at)
            at += 16
            parts.append(f"{source}:{begin}-{end - 1}")
    return GtidSet(",".join(parts))


def read_log(path: str, start: int = 0) -> Iterator[Head | Transaction]:
    """The head of a file, then its whole transactions. What follows the last one is of a transaction that was not written to its end.

    start: where a transaction that was read before ended; then there is no head.
    """
    with open(path, "rb") as source:
        if os.fstat(source.fileno()).st_size < len(MAGIC) + HEADER.size:
            raise LogError(f"{path}: is no binary log")
        with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[: len(MAGIC)] != MAGIC:
                raise LogError(f"{path}: is no binary log")
            yield from _read(data, path, start)


def _read(data: mmap.mmap, path: str, start: int) -> Iterator[Head | Transaction]:
    at, size = start or len(MAGIC), len(data)
    previous, in_head = GtidSet(""), not start
    while at + HEADER.size <= size:
        _time, kind, _server, length, _end, _flags = HEADER.unpack_from(data, at)
        if length < HEADER.size:
            raise LogError(f"{path}: damaged at byte {at}")
        if at + length > size:
            return
        if kind in (GTID, TAGGED_GTID):
            if in_head:
                in_head = False
                yield Head(at, previous)
            body = data[at + HEADER.size : at + min(HEAD, length)]
            source, number, committed, whole = (plain_gtid if kind == GTID else tagged_gtid)(body)
            length = max(length, whole)
            if at + length > size:
                return
            yield Transaction(source, number, committed, at, at + length)
        elif kind == ANONYMOUS_GTID:
            raise LogError(f"{path}: has transactions without a GTID")
        elif kind not in BETWEEN:
            raise LogError(f"{path}: an event of type {kind} at byte {at}, outside of a transaction")
        elif kind == PREVIOUS_GTIDS:
            previous = previous_gtids(data[at + HEADER.size : at + length])
        at += length
    if in_head:
        yield Head(at, previous)
