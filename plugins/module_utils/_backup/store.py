# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stream does beside its loop: it stores parts, one after the other, and unites the parts of a file that has ended.

A place that is full, slow or gone stops one of these threads, and not the loop, which watches the members and fills the spool.

Private to this collection.
"""

from __future__ import annotations

import queue
import shutil
import threading
from pathlib import Path
from typing import Callable

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.catalog import Catalog, folder, read_catalog
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.envelope import Sealer
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.look import record_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Segment, to_json
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import Place
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import Settings
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.sources import Cut
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.spool import RawFile
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

FIRST_WAIT, LONGEST_WAIT = 1.0, 15.0


class Worker:
    """A thread that does one thing after the other, each until it succeeds."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Callable[[], None]] = queue.Queue()
        self._ended = threading.Event()
        self.error: Refusal | None = None  # why the thing at hand has not succeeded yet
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def submit(self, thing: Callable[[], None]) -> None:
        """Do it after all others."""
        self._waiting.put(thing)

    @property
    def idle(self) -> bool:
        """Whether nothing is left."""
        return self._waiting.unfinished_tasks == 0

    def stop(self) -> None:
        """Begin nothing more, and do not try again."""
        self._ended.set()

    def _work(self) -> None:
        while not self._ended.is_set():
            try:
                thing = self._waiting.get(timeout=0.2)
            except queue.Empty:
                continue
            wait = FIRST_WAIT
            while not self._ended.is_set():
                try:
                    thing()
                    self.error = None
                    break
                except Refusal as error:
                    self.error = error
                except OSError as error:
                    self.error = Refusal(f"spool: {error}")
                self._ended.wait(wait)
                wait = min(2 * wait, LONGEST_WAIT)
            self._waiting.task_done()


class Store:
    """How things get from the spool into the place."""

    def __init__(self, place: Place, settings: Settings) -> None:
        self.place, self._cluster = place, settings.cluster
        self._group, self._cache = settings.group_name, Path(settings.directory) / "cache"
        self.sealer = Sealer(settings.encrypt_to, settings.level)

    def catalog(self) -> Catalog:
        """What is there."""
        return read_catalog(self.place, self._cluster, self._group, self._cache)

    def _path(self, number: int, path: str) -> str:
        return f"{self._cluster}/{folder(number)}/{path}"

    def delete_parts(self, number: int, parts: list[Segment]) -> None:
        """Parts that are in others now. Their records first: a record without its object would be a damage."""
        self.place.delete(self._path(number, record_of(part.path)) for part in parts)
        self.place.delete(self._path(number, part.path) for part in parts)

    def send(self, batch: Path) -> None:
        """All that is below a directory, which is then removed."""
        if batch.is_dir():
            self.place.copy_in(str(batch), self._cluster)
            shutil.rmtree(batch)

    def unite(self, one: RawFile, number: int) -> Segment:
        """A file that has ended, as a whole, instead of its parts."""
        size = one.path.stat().st_size
        with self.place.put_stream(self._path(number, one.stem + self.sealer.ending), size) as out:
            stored = one.seal(Cut(0, size, []), out, self.sealer)
        record = one.whole_record(stored, self.sealer)
        self.place.write(self._path(number, record_of(record.path)), to_json(record).encode())
        self.delete_parts(number, [part for part in one.parts if part.host == one.host])
        return record
