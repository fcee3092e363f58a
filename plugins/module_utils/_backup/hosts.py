# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts that make backups tell each other in the place: a counter, which moves while a host is at work, and what it stores.

A clock is not asked: each host judges by how long the counter of another one has not moved while it looked.

Private to this collection.
"""

from __future__ import annotations

import json
import time
from typing import Any, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.coverage import Key
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import MISSING, Place, PlaceError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import Settings

# Seconds after which a host whose counter does not move is not at work; a host at work moves it this often.
STILL = 20.0
BEAT = 4.0


def path_of(cluster: str, host: str) -> str:
    """The object of a host."""
    return f"{cluster}/hosts/{host}.json"


def text_of(host: str, counter: int, **more: Any) -> bytes:
    """What a host writes of itself."""
    return json.dumps({"format": 1, "host": host, "counter": counter, **more}).encode()


def read_host(place: Place, cluster: str, host: str) -> dict[str, Any]:
    """What a host wrote last; nothing where it never did, or is about to."""
    try:
        found = json.loads(place.read(path_of(cluster, host)))
    except PlaceError as error:
        if error.kind != MISSING:
            raise
        return {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("counter"), int) else {}


class Others:
    """The hosts before this one, as it sees them over time."""

    def __init__(self, earlier: list[str]) -> None:
        self.earlier = earlier
        self._moved: dict[str, tuple[int, float]] = {}
        self._since: float | None = None

    def look(self, counters: Mapping[str, int | None], now: float) -> str | None:
        """The first host before this one that is at work, or may be; None once it is known that none is."""
        self._since = now if self._since is None else self._since
        for host in self.earlier:
            counter = counters.get(host)
            if counter is None:
                # It never was, or its object is just being written: what was seen before counts.
                if host in self._moved and now - self._moved[host][1] < STILL:
                    return host
                continue
            if host not in self._moved or self._moved[host][0] != counter:
                self._moved[host] = (counter, now)
            if now - self._moved[host][1] < STILL:
                return host
        return None


def _looks(place: Place, settings: Settings, seconds: float) -> dict[str, dict[str, Any]]:
    """The hosts whose counter moves while one looks; the others' objects are not among them."""
    before = {host: read_host(place, settings.cluster, host) for host in settings.hosts}
    waiting = {host for host, found in before.items() if found and host != settings.host}
    moving: dict[str, dict[str, Any]] = {}
    end = time.monotonic() + seconds
    while waiting and time.monotonic() < end:
        time.sleep(1)
        for host in sorted(waiting):
            found = read_host(place, settings.cluster, host)
            if found and found["counter"] != before[host]["counter"]:
                moving[host] = found
                waiting.discard(host)
        if any(host in moving for host in settings.hosts[: settings.hosts.index(settings.host)]):
            break
    return moving


def first_at_work(place: Place, settings: Settings) -> str:
    """The first host in order that is at work; this one is."""
    moving = _looks(place, settings, 3 * BEAT)
    return next(host for host in settings.hosts if host == settings.host or host in moving)


def streaming(place: Place, settings: Settings) -> set[Key]:
    """The files that hosts are storing, as they say; one that is not at work any more only keeps them a while longer."""
    found: set[Key] = set()
    for host in settings.hosts:
        for one in read_host(place, settings.cluster, host).get("files", []):
            found.add((str(one[0]), str(one[1]), int(one[2])))
    return found


def seen_until(place: Place, settings: Settings) -> float:
    """Until when a host knows that all that the members had is stored."""
    return max(
        (float(read_host(place, settings.cluster, host).get("seen", 0.0)) for host in settings.hosts), default=0.0
    )
