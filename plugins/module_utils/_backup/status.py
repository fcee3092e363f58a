# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of backups as one host sees it, and what of it is an alarm.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from pathlib import Path
from typing import Any, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import hosts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.catalog import Catalog, why_full
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.coverage import when
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.look import catalog_from, place_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import PlaceError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import Settings

WELL, ALARM, UNKNOWN = 0, 1, 3
BEHIND = 30.0  # seconds
STALE = 30.0  # seconds without a sign of life of a process that runs

STREAMING, STANDBY, WAITING, GAP, DOWN = "streaming", "standby", "waiting", "gap", "down"
NO_STREAM = {
    "running": False,
    "state": DOWN,
    "source": None,
    "file": None,
    "behind": 0.0,
    "stored_until": "",
    "spool": 0,
    "since": 0.0,
    "error": "",
    "kind": "",
}


def stream_file(settings: Settings) -> Path:
    """What the stream of this host writes of itself."""
    return Path(settings.directory) / "stream.json"


def lock_file(settings: Settings) -> Path:
    """What the stream of this host holds a lock on while it runs."""
    return Path(settings.directory) / "stream.lock"


def own_stream(settings: Settings, now: float) -> dict[str, Any]:
    """The stream of this host. now: of the monotonic clock, which all processes of a boot share."""
    found: dict[str, Any] = dict(NO_STREAM)
    with contextlib.suppress(OSError, ValueError):
        found.update(json.loads(stream_file(settings).read_text(encoding="utf-8")))
    running = False
    with contextlib.suppress(OSError), open(lock_file(settings), encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            running = True
    found["running"] = running
    if not running:
        found["state"] = DOWN
    elif abs(now - float(found.get("beat", now))) > STALE:
        found.update(state=DOWN, error=f"it has said nothing for {abs(now - float(found['beat'])):.0f} s", kind="")
    return found


def alarms(
    stream: Mapping[str, Any],
    leader: str | None,
    full: Mapping[str, Any] | None,
    place: Mapping[str, Any],
    damaged: int,
) -> list[dict[str, str]]:
    """What is not as it should be. A pure function of the parts of the status."""
    found = []

    def alarm(what: str, text: str) -> None:
        found.append({"what": what, "text": text})

    if place["error"]:
        alarm(f"place_{place['kind']}", place["error"])
    elif damaged:
        alarm("damaged", f"{damaged} records or objects are missing or damaged (mysql-gr-backup check names them)")
    if stream["running"] and stream["kind"] and not (place["error"] and stream["kind"].startswith("place_")):
        alarm(stream["kind"], stream["error"])
    if stream["running"] and stream["state"] != STANDBY and stream["behind"] > BEHIND:
        alarm("behind", f"what the members have is not stored for {stream['behind']:.0f} s")
    if not place["error"] and not leader:
        alarm("no_stream", "no host stores binary logs")
    if full is None:
        if not place["error"]:
            alarm("no_full", "there is no full backup that can be restored")
    elif full["overdue"]:
        alarm("full_overdue", f"the newest full backup, {full['id']}, is from {full['at']}")
    return found


def full_line(catalog: Catalog, settings: Settings, now: float) -> dict[str, Any] | None:
    """The newest full backup."""
    newest = catalog.newest
    if newest is None:
        return None
    due = why_full(catalog.timelines[catalog.number], now, settings.every)
    age = now - newest.at
    return {
        "id": newest.id,
        "at": when(newest.at),
        "age": age,
        "due": bool(due),
        "why": due,
        "overdue": age > 2 * settings.every,
    }


def look(settings: Settings) -> tuple[int, dict[str, Any], list[str]]:
    """Exit status, result and text of `status`."""
    place = place_of(settings)
    state: dict[str, Any] = {"reachable": True, "free": None, "error": "", "kind": ""}
    full, damaged, seen_others, known = None, 0, False, False
    stream = own_stream(settings, time.monotonic())
    leader = None
    if stream["running"] and stream["state"] != DOWN:
        leader = stream.get("leader") if stream["state"] == STANDBY else settings.host
    try:
        catalog = catalog_from(settings, place)
        known = bool(catalog.timelines)
        full, damaged = full_line(catalog, settings, time.time()), len(catalog.problems)
        state["free"] = place.free()
        if leader is None:
            first = hosts.first_at_work(place, settings)
            seen_others = first != settings.host
            leader = first if seen_others else None
    except PlaceError as error:
        state.update(reachable=False, error=str(error), kind=error.kind)
    found = alarms(stream, leader, full, state, damaged)
    nothing = not known and not stream["running"] and state["reachable"]
    word = "unknown" if nothing else "alarm" if found else "well"
    shown = {name: stream[name] for name in NO_STREAM if name != "kind"}
    result = {
        "state": word,
        "alarms": found,
        "host": settings.host,
        "leader": leader,
        "stream": shown,
        "full": full,
        "place": state,
    }
    return (UNKNOWN if nothing else ALARM if found else WELL), result, _text(result)


def _text(result: Mapping[str, Any]) -> list[str]:
    stream, full = result["stream"], result["full"]
    lines = [f"{result['host']}: {result['state']}"]
    lines += [f"  {one['what']}: {one['text']}" for one in result["alarms"]]
    if stream["state"] == STREAMING:
        lines.append(f"  stores {stream['file']} of {stream['source']}, {stream['behind']:.0f} s behind")
    else:
        lines.append(f"  stream: {stream['state']}, at work is {result['leader'] or 'nobody'}")
    if full:
        lines.append(
            f"  newest full backup: {full['id']}{', the next one is due: ' + full['why'] if full['due'] else ''}"
        )
    return lines
