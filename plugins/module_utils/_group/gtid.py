# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GTID sets as a value type.

A set is held as ``{(uuid, tag): [(first, last), ...]}`` with sorted, disjoint intervals that do not touch, so that two
sets are equal exactly when their dicts are. Every operation is one merge over sorted intervals: linear in their number.

Text form, as the server reads and prints it (tags from MySQL 8.3 on)::

    uuid:1-5:7,uuid:1-3:tag:4-9:other_tag:1

Private to this collection.
"""

from __future__ import annotations

import re
from typing import Dict, List, Tuple, Union

# The largest transaction number that the server accepts.
MAX_GNO = (1 << 63) - 2

_UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")
_TAG = re.compile(r"^[a-z_][a-z0-9_]{0,31}$")
_INTERVAL = re.compile(r"^([0-9]+)(?:-([0-9]+))?$")


Intervals = List[Tuple[int, int]]
Sets = Dict[Tuple[str, str], Intervals]


class GtidError(ValueError):
    """The text is not a GTID set."""


Value = Union["GtidSet", str, bytes, None]


def _short(text: str) -> str:
    """The text, cut for a message."""
    return text if len(text) <= 60 else text[:57] + "..."


def _number(text: str, item: str) -> int:
    value = int(text)
    if value < 1 or value > MAX_GNO:
        raise GtidError(f"GTID set: {text} in '{_short(item)}' is no transaction number (allowed: 1 to {MAX_GNO})")
    return value


def _normal(pairs: Intervals) -> Intervals:
    """Sorted, disjoint, not touching."""
    pairs.sort()
    out: Intervals = []
    for first, last in pairs:
        if out and first <= out[-1][1] + 1:
            if last > out[-1][1]:
                out[-1] = (out[-1][0], last)
        else:
            out.append((first, last))
    return out


def _minus(left: Intervals, right: Intervals) -> Intervals:
    """Intervals of left without those of right; both normal."""
    out: Intervals = []
    pos = 0
    for first, last in left:
        while pos < len(right) and right[pos][1] < first:
            pos += 1
        look = pos
        while look < len(right) and right[look][0] <= last:
            if right[look][0] > first:
                out.append((first, right[look][0] - 1))
            first = right[look][1] + 1
            look += 1
        # The interval at look - 1 may reach into the next one of left.
        pos = max(pos, look - 1)
        if first <= last:
            out.append((first, last))
    return out


def _both(left: Intervals, right: Intervals) -> Intervals:
    """Intervals that are in left and in right; both normal."""
    out: Intervals = []
    i = j = 0
    while i < len(left) and j < len(right):
        first = max(left[i][0], right[j][0])
        last = min(left[i][1], right[j][1])
        if first <= last:
            out.append((first, last))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return out


class GtidSet:
    """An immutable set of global transaction identifiers."""

    __slots__ = ("_sets",)

    def __init__(self, text: str | bytes | None = "") -> None:
        self._sets = self._parse(text or "")

    @classmethod
    def _make(cls, sets: Sets) -> GtidSet:
        new = cls.__new__(cls)
        new._sets = {key: pairs for key, pairs in sets.items() if pairs}
        return new

    @staticmethod
    def _parse(text: str | bytes) -> Sets:
        if isinstance(text, bytes):
            text = text.decode("ascii", "replace")
        if not isinstance(text, str):
            raise GtidError(f"GTID set: expected text, got {type(text).__name__}")
        found: Sets = {}
        for item in text.split(","):
            item = item.strip()
            if not item:
                continue
            parts = [part.strip() for part in item.split(":")]
            uuid = parts[0].lower()
            if not _UUID.match(uuid):
                raise GtidError(
                    f"GTID set: '{_short(parts[0])}' is no UUID (expected 8-4-4-4-12 hexadecimal digits before the first colon)"
                )
            if len(parts) == 1:
                raise GtidError(f"GTID set: '{_short(item)}' has no interval (expected uuid:first-last)")
            tag = ""
            tag_open = False  # a tag was named and still lacks its interval
            for part in parts[1:]:
                match = _INTERVAL.match(part)
                if match:
                    tag_open = False
                    first = _number(match.group(1), item)
                    last = _number(match.group(2), item) if match.group(2) else first
                    if last < first:
                        raise GtidError(f"GTID set: interval '{part}' in '{_short(item)}' ends before it begins")
                    found.setdefault((uuid, tag), []).append((first, last))
                elif _TAG.match(part.lower()) and not tag_open:
                    tag = part.lower()
                    tag_open = True
                else:
                    raise GtidError(
                        f"GTID set: '{_short(part)}' in '{_short(item)}' is neither an interval (n or n-m) nor a tag (a letter or '_', then "
                        "letters, digits or '_', at most 32)"
                    )
            if tag_open:
                raise GtidError(f"GTID set: tag '{tag}' in '{_short(item)}' has no interval")
        return {key: _normal(pairs) for key, pairs in found.items()}

    # -- algebra -----------------------------------------------------------------------------------------------------
    def union(self, *others: Value) -> GtidSet:
        """Transactions that are in this set or in one of the others."""
        sets = {key: list(pairs) for key, pairs in self._sets.items()}
        for other in others:
            for key, pairs in as_gtid_set(other)._sets.items():
                sets.setdefault(key, []).extend(pairs)
        return self._make({key: _normal(pairs) for key, pairs in sets.items()})

    def subtract(self, other: Value) -> GtidSet:
        """Transactions that are in this set and not in the other."""
        taken = as_gtid_set(other)
        return self._make({key: _minus(pairs, taken._sets.get(key, [])) for key, pairs in self._sets.items()})

    def intersect(self, other: Value) -> GtidSet:
        """Transactions that are in both sets."""
        common = as_gtid_set(other)
        return self._make({key: _both(pairs, common._sets.get(key, [])) for key, pairs in self._sets.items()})

    def contains(self, other: Value) -> bool:
        """Whether every transaction of the other set is in this one."""
        return not as_gtid_set(other).subtract(self)

    def count(self) -> int:
        """Number of transactions."""
        return sum(last - first + 1 for pairs in self._sets.values() for first, last in pairs)

    def uuids(self) -> list[str]:
        """The UUIDs with at least one transaction, sorted."""
        return sorted({uuid for uuid, _tag in self._sets})

    def of_uuid(self, uuid: str | None) -> GtidSet:
        """The part of the set whose transactions carry this UUID."""
        uuid = (uuid or "").lower()
        return self._make({key: pairs for key, pairs in self._sets.items() if key[0] == uuid})

    def last(self, uuid: str) -> int:
        """The largest number of this UUID's transactions; 0 where it has none."""
        return max((pairs[-1][1] for key, pairs in self._sets.items() if key[0] == uuid.lower()), default=0)

    # -- Python ------------------------------------------------------------------------------------------------------

    def __sub__(self, other: Value) -> GtidSet:
        return self.subtract(other)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            other = GtidSet(other)
        return isinstance(other, GtidSet) and self._sets == other._sets

    def __hash__(self) -> int:
        return hash(str(self))

    def __bool__(self) -> bool:
        return bool(self._sets)

    def __str__(self) -> str:
        """Canonical text: as the server prints it, without its line breaks."""
        by_uuid: dict[str, list[str]] = {}
        for uuid, tag in sorted(self._sets):
            text = ":".join(str(first) if first == last else f"{first}-{last}" for first, last in self._sets[uuid, tag])
            by_uuid.setdefault(uuid, []).append(f"{tag}:{text}" if tag else text)
        return ",".join(f"{uuid}:{':'.join(parts)}" for uuid, parts in by_uuid.items())

    def __repr__(self) -> str:
        return f"GtidSet({str(self)!r})"


def as_gtid_set(value: Value) -> GtidSet:
    """The value as a GtidSet; text is parsed, None is the empty set."""
    return value if isinstance(value, GtidSet) else GtidSet(value)
