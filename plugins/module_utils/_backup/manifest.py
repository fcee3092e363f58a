# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of backups: typed values and their JSON. A record is written once, after what it describes, and never changed.

Times are seconds since the epoch; paths are relative to the folder of the timeline, those of pieces to the folder of their full.

Private to this collection.
"""

from __future__ import annotations

import json
import typing
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, TypeVar

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidError, GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

FORMAT = 1

# Annotations of records are read at run time, by Python 3.8 too: what it cannot write in them has a name.
Names = List[str]
MaybeInt = Optional[int]
MaybeTime = Optional[float]
Texts = Dict[str, str]
Tables = Dict[str, Tuple[int, Optional[int]]]


class ManifestError(Refusal):
    """The text is no record that this version can read."""


class Stored(NamedTuple):
    """An object as it lies in the place, and how many bytes are in its envelope."""

    size: int
    sha256: str
    raw: int


class Piece(NamedTuple):
    """One tar of a full: files of the data directory."""

    name: str  # in the folder of the full
    size: int  # as stored
    sha256: str  # as stored
    raw: int  # the tar itself
    files: Names


Pieces = List[Piece]


class Full(NamedTuple):
    """A full backup: a data directory that was started once, and stopped."""

    id: str
    cluster: str
    group_name: str
    timeline: int
    gtids: str  # exactly what is in it
    at: float  # when the donor was as it says
    ended: float
    host: str
    donor: str
    donor_uuid: str
    mysql: str
    encrypted: bool
    data: int  # bytes of the data directory
    pieces: Pieces
    tables: Tables  # schema.table: rows and, where it was asked for, its checksum
    variables: Texts  # of the donor, what a server on this data directory has to have too

    @property
    def folder(self) -> str:
        return f"fulls/{self.id}"


class Segment(NamedTuple):
    """A binary log file of a member, or a part of one: bytes start to end, whole transactions."""

    path: str
    source: str  # server_uuid
    member: str
    host: str
    file: str
    created: int  # of the file, by its own first event: after RESET BINARY LOGS the same name comes again
    start: int
    end: int
    complete: bool  # the whole file, which the source has ended
    previous: str  # all that the source had before this file
    gtids: str  # the transactions in these bytes
    first: MaybeTime  # when the first of them was committed where it came from; None without one
    last: MaybeTime  # the latest of them
    mysql: str
    encrypted: bool
    size: int
    sha256: str
    at: float


class Timeline(NamedTuple):
    """One history. A restore to an earlier point begins the next one: the same GTIDs may come again with other content."""

    cluster: str
    group_name: str
    number: int
    began: float
    parent: MaybeInt
    fork: str  # what of the parent is in it


Record = TypeVar("Record", Full, Segment, Timeline)
KINDS: dict[str, Any] = {"full": Full, "segment": Segment, "timeline": Timeline}
GTIDS = ("gtids", "previous", "fork")


def kind_of(record: type) -> str:
    """The name of a kind of record in its JSON."""
    return next(name for name, known in KINDS.items() if known is record)


def _plain(value: Any) -> Any:
    """A record as dicts, lists and numbers."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: _plain(getattr(value, name)) for name in value._fields}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value


def to_json(record: Any) -> str:
    """One line of JSON."""
    return json.dumps({"format": FORMAT, "kind": kind_of(type(record)), **_plain(record)}, sort_keys=True) + "\n"


def from_json(text: str | bytes, record: type[Record], where: str = "record") -> Record:
    """The record in a text; ManifestError with one sentence where there is none, or one of a later version."""
    try:
        found = json.loads(text)
    except ValueError:
        raise ManifestError(f"{where}: no JSON (cut off, or damaged)") from None
    if not isinstance(found, dict) or not isinstance(found.get("format"), int):
        raise ManifestError(f"{where}: no record of a backup")
    if found["format"] != FORMAT:
        raise ManifestError(
            f"{where}: format {found['format']} is not known to this version of the collection (known: {FORMAT})"
        )
    del found["format"]
    kind = found.pop("kind", None)
    if kind != kind_of(record):
        raise ManifestError(f"{where}: a record of kind {kind!r}, where one of kind '{kind_of(record)}' is expected")
    made: Record = typed(found, record, where)
    for name in GTIDS:
        if name in made._fields:
            try:
                GtidSet(getattr(made, name))
            except GtidError as error:
                raise ManifestError(f"{where}: {name}: {error}") from None
    return made


def typed(value: Any, wanted: Any, where: str) -> Any:
    """The value of JSON as the type wanted; ManifestError that names the place of what does not fit."""
    if hasattr(wanted, "_fields"):
        return _typed_record(value, wanted, where)
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is typing.Union:
        return None if value is None else typed(value, next(one for one in inner if one is not type(None)), where)
    if origin is list and isinstance(value, list):
        return [typed(one, inner[0], f"{where}[{number}]") for number, one in enumerate(value)]
    if origin is tuple and isinstance(value, list) and len(value) == len(inner):
        return tuple(typed(one, kind, where) for one, kind in zip(value, inner))
    if origin is dict and isinstance(value, dict):
        return {name: typed(one, inner[1], f"{where}.{name}") for name, one in value.items()}
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    # To Python a bool is an int.
    if isinstance(wanted, type) and isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool)):
        return value
    shown = "this value" if where.endswith("password") else json.dumps(value)[:60]
    raise ManifestError(f"{where}: {shown} is not allowed (allowed: {getattr(wanted, '__name__', wanted)})")


def _typed_record(value: Any, wanted: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise ManifestError(f"{where}: {json.dumps(value)[:60]} is not allowed (allowed: an object)")
    hints = typing.get_type_hints(wanted)
    missing = sorted(set(hints) - set(value) - set(wanted._field_defaults))
    unknown = sorted(set(value) - set(hints))
    if missing or unknown:
        said = [f"'{name}' is missing" for name in missing] + [f"'{name}' is not known" for name in unknown]
        raise ManifestError(f"{where}: {', '.join(said)}")
    return wanted(**{name: typed(one, hints[name], f"{where}.{name}") for name, one in value.items()})
