# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is in the place of a cluster: its records, and whether the objects that they describe are there.

Private to this collection.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.coverage import (
    Key,
    Reach,
    assemble,
    gaps,
    order,
    reach,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import (
    Full,
    ManifestError,
    Segment,
    Timeline,
    from_json,
    to_json,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import GONE, Place, PlaceError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import Settings
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

RECORD = re.compile(r"^timeline-(\d{4})/(?:(timeline)|(fulls)/([^/]+)/manifest|(logs)/.+)\.json$")


class Problem(NamedTuple):
    """Something in the place that is not as it should be."""

    path: str
    problem: str


class Records(NamedTuple):
    """One timeline."""

    timeline: Timeline
    fulls: list[Full]
    segments: list[Segment]  # whose objects are there
    damaged: dict[str, str]  # id of a full: why it cannot be restored

    @property
    def good(self) -> list[Full]:
        """Fulls that can be restored, from the oldest to the newest."""
        return order(full for full in self.fulls if full.id not in self.damaged)


ByNumber = Dict[int, Records]
Problems = List[Problem]
Sizes = Dict[str, int]
MaybeFull = Optional[Full]


class Catalog(NamedTuple):
    """All timelines, by their numbers."""

    timelines: ByNumber
    problems: Problems
    sizes: Sizes  # of all objects, by their paths below the folder of the cluster

    @property
    def number(self) -> int:
        """The newest timeline; 0 where there is none."""
        return max(self.timelines, default=0)

    @property
    def newest(self) -> Full | None:
        """The newest full that can be restored, of the newest timeline."""
        found = self.timelines[self.number].good if self.timelines else []
        return found[-1] if found else None

    def way(self) -> Reach | None:
        """How far the logs lead from the newest full."""
        full = self.newest
        return reach(GtidSet(full.gtids), assemble(self.timelines[self.number].segments)) if full else None


def folder(number: int) -> str:
    """The folder of a timeline, below that of the cluster."""
    return f"timeline-{number:04d}"


def mark(cluster: str) -> str:
    """The object by which a place is known to be the one that it was."""
    return f"{cluster}/{folder(1)}/timeline.json"


def full_problem(full: Full, sizes: Sizes, above: str) -> str:
    """Why a full cannot be restored, by the sizes of its pieces; '' where they are all there."""
    for piece in full.pieces:
        path = f"{above}/{full.folder}/{piece.name}"
        if path not in sizes:
            return f"{piece.name} is not there"
        if sizes[path] != piece.size:
            return f"{piece.name} has {sizes[path]} of {piece.size} bytes"
    return ""


def segment_problem(segment: Segment, sizes: Sizes, above: str) -> str:
    """Why the bytes of a log cannot be used; '' where they are all there."""
    found = sizes.get(f"{above}/{segment.path}")
    if found is None:
        return "its object is not there"
    return "" if found == segment.size else f"its object has {found} of {segment.size} bytes"


def _key(one: Segment) -> Key:
    return (one.source, one.file, one.created)


def catalog_of(texts: dict[str, str | bytes], sizes: Sizes, cluster: str, group_name: str) -> Catalog:
    """The catalog from the texts of the records, by their paths. Another cluster's are refused, damaged ones are problems."""
    found: dict[type, dict[str, Timeline | Full | Segment]] = {Timeline: {}, Full: {}, Segment: {}}
    problems = []
    for path, text in sorted(texts.items()):
        match = RECORD.match(path)
        if not match:
            problems.append(Problem(path, "is no record that this version knows"))
            continue
        kind = Timeline if match[2] else Full if match[3] else Segment
        try:
            record: Timeline | Full | Segment = from_json(text, kind, path)  # type: ignore[type-var,assignment]
        except ManifestError as error:
            problems.append(Problem(path, str(error).partition(": ")[2] or str(error)))
            continue
        if isinstance(record, (Timeline, Full)) and (record.cluster, record.group_name) != (cluster, group_name):
            raise Refusal(
                f"{path} is of cluster '{record.cluster}' with group {record.group_name}, and not of '{cluster}' with {group_name}"
            )
        if isinstance(record, Full) and record.id != match[4]:
            problems.append(Problem(path, f"is the record of {record.id}"))
            continue
        found[kind][path] = record
    timelines = {}
    for path, line in found[Timeline].items():
        assert isinstance(line, Timeline)
        timelines[int(path[9:13])] = Records(line, [], [], {})
    for path, full in found[Full].items():
        assert isinstance(full, Full)
        above = path[:13]
        if int(above[9:]) not in timelines:
            problems.append(Problem(path, "its timeline has no record"))
            continue
        records = timelines[int(above[9:])]
        records.fulls.append(full)
        problem = full_problem(full, sizes, above)
        if problem:
            records.damaged[full.id] = problem
            problems.append(Problem(path, problem))
    whole = {
        (path[:13], *_key(one)) for path, one in found[Segment].items() if isinstance(one, Segment) and one.complete
    }
    for path, segment in found[Segment].items():
        assert isinstance(segment, Segment)
        above = path[:13]
        problem = segment_problem(segment, sizes, above)
        if problem and not segment.complete and (above, *_key(segment)) in whole:
            continue  # a part of a file that is whole by now
        if problem:
            problems.append(Problem(path, problem))
        elif int(above[9:]) in timelines:
            timelines[int(above[9:])].segments.append(segment)
    return Catalog(timelines, problems, sizes)


def read_catalog(place: Place, cluster: str, group_name: str, cache: str | Path) -> Catalog:
    """Read the records of a cluster in a place; cache keeps them between two looks."""
    for looks_left in (2, 1, 0):
        place.mirror(cluster, str(cache))
        sizes = {entry.path[len(cluster) + 1 :]: entry.size for entry in place.list(cluster)}
        texts: dict[str, str | bytes] = {}
        for path in sorted(Path(cache).rglob("*.json")):
            name = str(path.relative_to(cache))
            # What is not in the list was deleted in between.
            if name in sizes:
                texts[name] = path.read_bytes()
        found = catalog_of(texts, sizes, cluster, group_name)
        # What came in between may stand for what was deleted: the record of a whole log for those of its parts.
        came = {name for name in sizes if RECORD.match(name)} - texts.keys()
        # An object may have been replaced in between, too: then all is well at the next look.
        if not looks_left or not (found.problems or came):
            break
    return found


def begin_timeline(place: Place, line: Timeline) -> None:
    """Write the record of a timeline that is not there yet."""
    path = f"{line.cluster}/{folder(line.number)}/timeline.json"
    if any(entry.path == path for entry in place.list(f"{line.cluster}/{folder(line.number)}")):
        raise Refusal(f"timeline {line.number} of {line.cluster} is there already")
    place.write(path, to_json(line).encode())


def known_place(place: Place, settings: Settings, read: Callable[[], Catalog]) -> Catalog:
    """What is in the place, with a first timeline where it was never used; PlaceError where it was, and nothing is there any more."""
    known = Path(settings.directory) / "place.json"
    here = {"remote": settings.place.remote, "cluster": settings.cluster, "group_name": settings.group_name}
    used = known.exists() and json.loads(known.read_text(encoding="utf-8")) == here
    found = read()
    if not found.timelines:
        if used:
            raise PlaceError(
                GONE,
                f"place {settings.place.remote}: {mark(settings.cluster)} is not there any more (if the place is to be a new one: rm {known})",
            )
        begin_timeline(place, Timeline(settings.cluster, settings.group_name, 1, time.time(), None, ""))
        found = read()
    place.mark = mark(settings.cluster) if 1 in found.timelines else None
    if not used:
        known.write_text(json.dumps(here), encoding="utf-8")
    return found


def why_full(records: Records | None, now: float, every: float) -> str:
    """Why a full backup is due; '' where it is not."""
    good = records.good if records else []
    if not records or not good:
        return "there is none that can be restored" if records else "there is no timeline"
    lost = [gap for gap in gaps(good, records.segments) if gap.after == good[-1].id]
    if lost:
        return f"{lost[0].missing.count()} transactions after {good[-1].id} are stored nowhere: {lost[0].missing}"
    age = now - good[-1].at
    if age >= every or age < -every:
        return f"the newest one, {good[-1].id}, is from {'the future' if age < 0 else f'{age:.0f} s ago'}"
    return ""
