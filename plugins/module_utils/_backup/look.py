# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that look at the place: list, check, plan, prune, status and timeline.

Private to this collection.
"""

from __future__ import annotations

import argparse
import calendar
import json
import re
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Tuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import coverage, hosts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.catalog import (
    Catalog,
    Records,
    begin_timeline,
    folder,
    read_catalog,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.coverage import (
    Target,
    assemble,
    gaps,
    reach,
    when,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.envelope import fetch
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Full, Stored, Timeline
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import Place
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.retention import History, doomed
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import Settings
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidError, GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

Arguments = argparse.Namespace
Parser = argparse.ArgumentParser
DAMAGED = 4


def place_of(settings: Settings) -> Place:
    """The place of these settings."""
    return Place(settings.place.remote, settings.place.config_file, settings.place.bandwidth)


def catalog_from(settings: Settings, place: Place) -> Catalog:
    """What is in it."""
    return read_catalog(place, settings.cluster, settings.group_name, Path(settings.directory) / "cache")


def show(given: Arguments, result: dict[str, Any], lines: Callable[[], list[str]]) -> None:
    """Print a result, as JSON or for people."""
    print(json.dumps(result) if given.json else "\n".join(lines()), flush=True)


def size_text(size: float) -> str:
    """Bytes, for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


# -- list ----------------------------------------------------------------------------------------------------------------
def _full_line(full: Full, records: Records, logs: coverage.Logs) -> dict[str, Any]:
    way = reach(GtidSet(full.gtids), logs)
    return {
        "id": full.id, "path": f"{folder(full.timeline)}/{full.folder}", "at": when(full.at), "point": full.gtids, "donor": full.donor,
        "host": full.host, "mysql": full.mysql, "stored": sum(piece.size for piece in full.pieces), "data": full.data, "pieces": len(full.pieces),
        "encrypted": full.encrypted, "whole": full.id not in records.damaged, "problem": records.damaged.get(full.id, ""),
        "until": str(way.reached), "until_time": when(way.last if way.last is not None else full.at) or None,
    }  # fmt: skip


def listed(catalog: Catalog, settings: Settings) -> dict[str, Any]:
    """The result of `list`."""
    timelines, files, stored = [], 0, 0
    for number, records in sorted(catalog.timelines.items()):
        logs = assemble(records.segments)
        files += len(logs)
        stored += sum(one.size for one in records.segments)
        timelines.append(
            {
                "number": number, "parent": records.timeline.parent, "fork": records.timeline.fork,
                "fulls": [_full_line(full, records, logs) for full in coverage.order(records.fulls)],
                "gaps": [{"after": gap.after, "missing": str(gap.missing)} for gap in gaps(records.good, records.segments)],
            }
        )  # fmt: skip
    return {
        "cluster": settings.cluster, "group_name": settings.group_name, "place": settings.place.remote, "timelines": timelines,
        "damaged": [{"path": one.path, "problem": one.problem} for one in catalog.problems], "logs": {"files": files, "stored": stored},
    }  # fmt: skip


def _list_text(result: dict[str, Any]) -> list[str]:
    lines = [f"{result['cluster']} in {result['place']}"]
    for line in result["timelines"]:
        fork = f", begun at {line['fork']} of timeline {line['parent']}" if line["parent"] else ""
        lines.append(f"timeline {line['number']}{fork}: {len(line['fulls'])} full backups")
        for full in line["fulls"]:
            state = (
                f"restores {full['at']} to {full['until_time']}"
                if full["whole"]
                else f"cannot be restored: {full['problem']}"
            )
            lines.append(
                f"  {full['id']}  {size_text(full['stored'])} of {size_text(full['data'])}, MySQL {full['mysql']}, {state}"
            )
        lines += [f"  gap after {gap['after']}: {gap['missing']}" for gap in line["gaps"]]
    lines += [f"damaged: {one['path']}: {one['problem']}" for one in result["damaged"]]
    return [*lines, f"logs: {result['logs']['files']} files, {size_text(result['logs']['stored'])}"]


def _list(given: Arguments, settings: Settings) -> int:
    result = listed(catalog_from(settings, place_of(settings)), settings)
    show(given, result, lambda: _list_text(result))
    return 0


# -- check ---------------------------------------------------------------------------------------------------------------
def _check_arguments(parser: Parser) -> None:
    parser.add_argument("id", nargs="?", help="one full backup, and the logs after it; without it, all")
    parser.add_argument("--deep", action="store_true", help="read everything, and compare its SHA-256")


def objects_of(catalog: Catalog, only: str | None) -> list[tuple[str, Stored]]:
    """All objects that records describe, or those of one full and of the logs after it."""
    found = []
    for number, records in sorted(catalog.timelines.items()):
        above = folder(number)
        fulls = [full for full in records.fulls if only in (None, full.id)]
        segments = records.segments
        if only is not None and fulls:
            segments = [part for log in reach(GtidSet(fulls[0].gtids), assemble(segments)).steps for part in log.parts]
        elif only is not None:
            segments = []
        found += [
            (f"{above}/{full.folder}/{piece.name}", Stored(piece.size, piece.sha256, piece.raw)) for full in fulls for piece in full.pieces
        ]  # fmt: skip
        found += [(f"{above}/{one.path}", Stored(one.size, one.sha256, one.end - one.start)) for one in segments]
    return found


def _check(given: Arguments, settings: Settings) -> int:
    place = place_of(settings)
    catalog = catalog_from(settings, place)
    fulls = [full for records in catalog.timelines.values() for full in records.fulls if given.id in (None, full.id)]
    if given.id and not fulls:
        raise Refusal(f"there is no full backup '{given.id}' in {settings.place.remote} (list shows what is there)")
    objects = objects_of(catalog, given.id)
    problems = [one._asdict() for one in catalog.problems if not given.id or f"/{given.id}/" in one.path]
    if given.deep:
        with tempfile.TemporaryDirectory(dir=settings.directory) as at:
            for path, stored in objects:
                if catalog.sizes.get(path) != stored.size:
                    continue
                try:
                    fetch(place, f"{settings.cluster}/{path}", f"{at}/object", stored.size, stored.sha256)
                    Path(at, "object").unlink()
                except Refusal as error:
                    problems.append({"path": path, "problem": str(error)})
    pieces = sum(len(full.pieces) for full in fulls)
    result = {
        "ok": not problems,
        "checked": {"fulls": len(fulls), "pieces": pieces, "segments": len(objects) - pieces, "bytes": sum(stored.size for _path, stored in objects)},
        "problems": problems,
    }  # fmt: skip
    show(
        given,
        result,
        lambda: [f"{one['path']}: {one['problem']}" for one in problems] or [f"{len(objects)} objects are there"],
    )
    return DAMAGED if problems else 0


# -- plan ----------------------------------------------------------------------------------------------------------------
def gtid_set(text: str) -> GtidSet:
    """A GTID set as an argument."""
    try:
        return GtidSet(text)
    except GtidError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def moment(text: str) -> float:
    """A time as an argument, in UTC."""
    found = re.match(r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,6})?Z$", text)
    try:
        if not found:
            raise ValueError
        whole = calendar.timegm(time.strptime(f"{found[1]} {found[2]}", "%Y-%m-%d %H:%M:%S"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not allowed (allowed: UTC, as 2026-11-27T17:00:00Z or with a fraction)"
        ) from None
    return whole + float(found[3] or 0)


def target_arguments(parser: Parser) -> None:
    """The arguments that name a point, of every command that takes one."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--latest", action="store_true", help="all that is stored (the default)")
    which.add_argument("--after", type=gtid_set, metavar="GTIDS", help="once these transactions are there")
    which.add_argument("--before", type=gtid_set, metavar="GTID", help="just before this transaction")
    which.add_argument(
        "--time",
        type=moment,
        metavar="TIME",
        help="before the first transaction that is later, in UTC: 2026-11-27T17:00:00Z",
    )
    parser.add_argument(
        "--full",
        metavar="ID",
        help="begin with this full backup; without it, with the newest one that leads to the point",
    )
    parser.add_argument("--timeline", type=int, metavar="N", help="without it, the newest one")


def target_of(given: Arguments) -> Target:
    """The point that the arguments name."""
    if given.after is not None:
        return Target(coverage.AFTER, given.after)
    if given.before is not None:
        return Target(coverage.BEFORE, given.before)
    return Target(coverage.TIME, time=given.time) if given.time is not None else Target()


def plan_of(given: Arguments, settings: Settings, catalog: Catalog, place: Place) -> coverage.Plan:
    """The plan for the point that the arguments name."""
    number = given.timeline or catalog.number
    if number not in catalog.timelines:
        known = ", ".join(str(one) for one in sorted(catalog.timelines)) or "none"
        raise Refusal(f"timeline: {number} is not allowed (allowed: what is in {settings.place.remote}: {known})")
    records = catalog.timelines[number]
    fulls = records.good
    if given.full:
        if given.full in records.damaged:
            raise Refusal(f"full: '{given.full}' cannot be restored: {records.damaged[given.full]}")
        fulls = [full for full in fulls if full.id == given.full]
        if not fulls:
            raise Refusal(
                f"full: '{given.full}' is not allowed (allowed: {', '.join(full.id for full in records.good) or 'none is there'})"
            )
    target = target_of(given)
    seen = hosts.seen_until(place, settings) if target.kind == coverage.TIME and number == catalog.number else 0.0
    return coverage.plan(fulls, records.segments, target, seen)


def _plan(given: Arguments, settings: Settings) -> int:
    place = place_of(settings)
    found = plan_of(given, settings, catalog_from(settings, place), place)
    steps = [{"source": log.source, "file": log.file, "bytes": log.size} for log in found.steps]
    size = sum(piece.size for piece in found.full.pieces) + sum(log.size for log in found.steps)
    result = {
        "full": found.full.id,
        "timeline": found.full.timeline,
        "steps": steps,
        "until": str(found.reached),
        "bytes": size,
    }
    show(given, result, lambda: [f"full backup {found.full.id}, then {len(steps)} logs; {size_text(size)}"])
    return 0


# -- prune ---------------------------------------------------------------------------------------------------------------
def _prune_arguments(parser: Parser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="say what would be deleted")


def _prune(given: Arguments, settings: Settings) -> int:
    place = place_of(settings)
    first = hosts.first_at_work(place, settings)
    if first != settings.host and not given.dry_run:
        result: dict[str, Any] = {"nothing": f"{first} is at work, and comes before {settings.host} in hosts"}
        show(given, result, lambda: [f"nothing to do: {result['nothing']}"])
        return 0
    catalog = catalog_from(settings, place)
    histories = {
        number: History(records.fulls, records.segments, frozenset(records.damaged)) for number, records in catalog.timelines.items()
    }  # fmt: skip
    gone = doomed(
        histories,
        settings.keep.fulls,
        settings.keep.days,
        settings.every,
        time.time(),
        hosts.streaming(place, settings),
    )
    sizes = 0
    for number, one in gone.fulls:
        prefix = f"{folder(number)}/fulls/{one}/"
        sizes += sum(size for path, size in catalog.sizes.items() if path.startswith(prefix))
        if not given.dry_run:
            # The record first: what is half deleted is no backup.
            place.delete([f"{settings.cluster}/{prefix}manifest.json"])
            place.delete_below(f"{settings.cluster}/{prefix}".rstrip("/"))
    paths = [f"{folder(number)}/{path}" for number, path in gone.segments]
    sizes += sum(catalog.sizes.get(path, 0) for path in paths)
    if not given.dry_run:
        place.delete(f"{settings.cluster}/{record_of(path)}" for path in paths)
        place.delete(f"{settings.cluster}/{path}" for path in paths)
    result = {
        "deleted": {"fulls": [one for _number, one in gone.fulls], "segments": paths, "bytes": sizes},
        "kept": {"fulls": sorted(gone.why)}, "why": gone.why,
    }  # fmt: skip
    verb = "would delete" if given.dry_run else "deleted"
    show(
        given, result,
        lambda: [f"{verb} {len(gone.fulls)} full backups and {len(paths)} parts of logs, {size_text(sizes)}",
                 *(f"{one} is kept: {reason}" for one, reason in sorted(gone.why.items()))],
    )  # fmt: skip
    return 0


def record_of(path: str) -> str:
    """The path of the record of an object."""
    return re.sub(r"\.zst(\.age)?$", "", path) + ".json"


# -- timeline ------------------------------------------------------------------------------------------------------------
def _timeline_arguments(parser: Parser) -> None:
    parser.add_argument("what", choices=["new"], help="begin the next one")
    parser.add_argument("--parent", type=int, required=True, metavar="N", help="the one that was restored")
    parser.add_argument("--fork", type=gtid_set, required=True, metavar="GTIDS", help="what of it was restored")


def _timeline(given: Arguments, settings: Settings) -> int:
    place = place_of(settings)
    catalog = catalog_from(settings, place)
    if given.parent not in catalog.timelines:
        raise Refusal(
            f"parent: {given.parent} is not allowed (allowed: {', '.join(map(str, sorted(catalog.timelines))) or 'none is there'})"
        )
    number = catalog.number + 1
    begin_timeline(
        place, Timeline(settings.cluster, settings.group_name, number, time.time(), given.parent, str(given.fork))
    )
    show(given, {"timeline": number}, lambda: [f"timeline {number}"])
    return 0


def _nothing(_parser: Parser) -> None:
    """No argument."""


def _status(given: Arguments, settings: Settings) -> int:
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.status import look

    code, result, lines = look(settings)
    show(given, result, lambda: lines)
    return code


Looking = Tuple[str, Callable[[Parser], None], Callable[[Arguments, Settings], int], str]
LOOKING: dict[str, Looking] = {
    "list": ("what is in the place, and which points can be restored", _nothing, _list, ""),
    "check": (
        "whether everything is there that the records describe",
        _check_arguments,
        _check,
        f"{DAMAGED} something is missing or damaged",
    ),
    "plan": ("what a restore of a point would take", target_arguments, _plan, ""),
    "prune": ("delete what need not be kept", _prune_arguments, _prune, ""),
    "status": ("whether backups are as they should be", _nothing, _status, "3 nothing is known yet; 1 is an alarm"),
    "timeline": ("begin a new timeline after a restore to an earlier point", _timeline_arguments, _timeline, ""),
}
