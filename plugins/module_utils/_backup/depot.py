# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stream has stored, and what lies in its spool on the way there.

Private to this collection.
"""

from __future__ import annotations

import queue
import shutil
from pathlib import Path
from typing import Callable

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.catalog import Catalog, folder
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.coverage import Key, assemble
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.look import place_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Segment
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import Settings
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.sources import LARGEST_UNITED
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.spool import Dump, RawFile
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.store import Store, Worker
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet

NOTHING = GtidSet("")


class Stock:
    """What is in the place, as far as the stream knows."""

    def __init__(self) -> None:
        self.number = 0  # of the timeline; 0 while it is not known
        self.have: GtidSet | None = None  # up to where one can restore; None while it is not known
        self.gap = NOTHING  # what is lacking then,
        self.beyond = NOTHING  # and what is stored after it
        self.point = NOTHING  # of the newest full
        self.known: dict[Key, list[Segment]] = {}  # the parts of each file, in order

    @property
    def stored(self) -> GtidSet:
        """All of it."""
        return (self.have or NOTHING).union(self.beyond)

    def forget(self) -> None:
        """What is there is to be looked at anew."""
        self.__init__()  # type: ignore[misc]

    def learn(self, catalog: Catalog) -> None:
        """Take over what is in the place."""
        self.forget()
        self.number = catalog.number
        logs = assemble(catalog.timelines[self.number].segments)
        self.known = {log.key: list(log.parts) for log in logs}
        newest, way = catalog.newest, catalog.way()
        if newest and way:
            self.point, self.have = GtidSet(newest.gtids), way.reached
        else:
            # Nothing can be restored yet. It goes on where it ended.
            self.have = max((log.previous.union(log.gtids) for log in logs), key=lambda one: one.count(), default=None)

    def landed(self, part: Segment) -> None:
        """Bytes of a log are in the place."""
        if self.gap:
            self.beyond = self.beyond.union(part.gtids)
        else:
            self.have = (self.have or NOTHING).union(part.gtids)
        key = (part.source, part.file, part.created)
        self.known[key] = [*(one for one in self.known.get(key, []) if one.end <= part.start), part]

    def verified(self, catalog: Catalog, had: GtidSet) -> str:
        """Compare with what is there now. had: what was thought to be there when that was read. What makes a new beginning necessary, or ''."""
        if catalog.number != self.number:
            return f"timeline {catalog.number} has begun"
        newest, way = catalog.newest, catalog.way()
        if newest is None or way is None:
            return ""
        self.point = GtidSet(newest.gtids)
        if not way.reached.contains(had):
            return f"{had.subtract(way.reached)} is not in the place any more"
        if way.reached.contains(self.gap):
            # A full has brought what is lacking, or another host.
            self.have = self.stored.union(way.reached)
            self.gap = self.beyond = NOTHING
        return ""


class Depot:
    """The spool: files come from a member, and go into the place."""

    def __init__(self, settings: Settings, stock: Stock, say: Callable[[str], None]) -> None:
        self.settings, self.stock, self._say = settings, stock, say
        self.at = Path(settings.directory) / "spool"
        self.store = Store(place_of(settings), settings)
        self.sender, self.background = Worker(), Worker()
        self.dumps: list[Dump] = []  # those that have something which is not stored yet, and the one that runs
        self.news: queue.Queue[Callable[[], None]] = queue.Queue()
        self._number = 0

    def next_folder(self) -> Path:
        """Where the next dump writes."""
        self._number += 1
        return self.at / f"raw-{self._number}"

    def size(self) -> int:
        """Bytes in the spool."""
        return sum(dump.size() for dump in self.dumps)

    def full(self) -> str:
        """Why nothing more may come, so that no disk fills up; '' where there is room."""
        free = shutil.disk_usage(self.at).free
        if self.size() <= self.settings.spool_limit and free > self.settings.reserve:
            return ""
        return f"{self.size()} bytes wait for the place, {free} are free; the members keep the rest"

    def hear(self) -> None:
        """What the threads have done."""
        while not self.news.empty():
            self.news.get()()

    def scan(self) -> GtidSet:
        """Look at what came; the transactions of it."""
        found = NOTHING
        for dump in self.dumps:
            for one in dump.discover():
                self._say(f"{dump.source.member}: {one.file}")
            for one in dump.files:
                if one.handed or one.dropped:
                    continue
                known = one.headed
                if one.head() and not known:
                    one.known(self.stock.known.get(one.key, []))
                found = found.union(one.scan())
        return found

    @property
    def pending(self) -> bool:
        """Whether whole transactions are in the spool and not on their way."""
        return any(one.pending for dump in self.dumps for one in dump.files if not one.handed and not one.dropped)

    def parts(self, batch: Path) -> tuple[list[Segment], list[Segment]]:
        """Write the next part of each file below a directory; these parts, and the ones that they replace."""
        made, replaced = [], []
        for dump in self.dumps:
            for one in dump.files:
                if one.handed or one.dropped or (one.ended and one.pending > LARGEST_UNITED):
                    continue
                found = one.next_part(batch / folder(self.stock.number), self.store.sealer)
                if found:
                    made.append(found[0])
                    replaced += found[1]
        return made, replaced

    def send(self, batch: Path, parts: list[Segment], replaced: list[Segment]) -> None:
        """Store what is below a directory."""
        number = self.stock.number

        def landed() -> None:
            for part in parts:
                self.stock.landed(part)

        def job() -> None:
            self.store.send(batch)
            self.news.put(landed)
            self.store.delete_parts(number, replaced)

        self.sender.submit(job)

    def unite(self, running: Dump | None) -> None:
        """Files that have ended become one object; what need not stay in the spool goes."""
        for dump in list(self.dumps):
            for one in dump.files:
                if one.handed or one.dropped or not one.ended or not one.head():
                    continue
                if one.whole or not one.has_transactions:
                    dump.drop(one)
                elif one.pending > LARGEST_UNITED or (not one.pending and self.sender.idle):
                    one.handed = True
                    self.background.submit(self._uniting(dump, one))
            busy = any(one.handed or (one.pending and not one.dropped) for one in dump.files)
            if dump is not running and not busy and self.sender.idle:
                shutil.rmtree(dump.folder, ignore_errors=True)
                self.dumps.remove(dump)

    def _uniting(self, dump: Dump, one: RawFile) -> Callable[[], None]:
        number = self.stock.number

        def united(record: Segment) -> None:
            self.stock.landed(record)
            one.whole, one.handed = True, False
            dump.drop(one)

        def job() -> None:
            record = self.store.unite(one, number)
            self.news.put(lambda: united(record))

        return job

    def stop(self) -> None:
        """Begin nothing more."""
        self.sender.stop()
        self.background.stop()
