# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stream as a service of a host, and as a command that ends once everything is stored.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import signal
import threading
import time
from pathlib import Path

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.depot import NOTHING
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import Settings
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.status import DOWN, lock_file
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.stream import TURN, Stream, Trouble
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

PATIENCE = 15.0  # seconds for what may end by itself, with --once


class Once:
    """Whether everything is stored that the members had in the beginning."""

    def __init__(self, running: Stream) -> None:
        self._running, self._wanted = running, NOTHING
        self._began = time.monotonic()

    def done(self, now: float) -> bool:
        """A Refusal where it cannot be."""
        running = self._running
        if now - self._began < 2:
            # Each member has been looked at by then, if it answers at all.
            self._wanted = NOTHING.union(self._wanted, *(view.executed for view in running.views(now).values()))
            return False
        if running.state == DOWN and running.kind and now - self._began > PATIENCE:
            raise Trouble(running.kind, running.error)
        return running.source is not None and running.depot.sender.idle and running.stock.stored.contains(self._wanted)


def stream(settings: Settings, once: bool) -> int:
    """Store binary logs until it is enough."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: ended.set())
    spool = Path(settings.directory) / "spool"
    spool.mkdir(parents=True, mode=0o700, exist_ok=True)
    with open(lock_file(settings), "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refusal("a stream runs on this host already") from None
        for left in spool.iterdir():
            with contextlib.suppress(OSError):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        running = Stream(settings, lambda text: print(text, flush=True), alone=once)
        enough = Once(running) if once else None
        try:
            while not ended.is_set():
                running.turn(time.monotonic())
                if enough and enough.done(time.monotonic()):
                    break
                ended.wait(TURN)
        finally:
            running.close()
    return 0
