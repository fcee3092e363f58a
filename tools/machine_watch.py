# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine itself costs while something is measured on it.

All hosts of the lab share its cores and its disk, and every commit on each of them waits for the disk. So a small synchronous write is made again
and again beside what is measured, and its times are kept, with how late the process was woken and with the kernel's own accounts (/proc/pressure): how
long everything that wanted the disk stood still, and how long something that could have run waited for a core. That says of a gap whether it was the
machine's.
"""

from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

PRESSURE = Path("/proc/pressure")
EVERY = 0.05  # seconds between two writes
BLOCK = b"\0" * 4096


@dataclass(frozen=True)
class Sample:
    """One synchronous write. `began` is unix time; all others are seconds; `disk` and `cores` count since the machine started."""

    began: float
    late: float
    took: float
    disk: float
    cores: float


def account(text: str, kind: str) -> float:
    """Seconds since the machine started in which everything ("full") or something ("some") waited."""
    found = re.search(rf"^{kind} .*\btotal=(\d+)", text, re.MULTILINE)
    return int(found[1]) / 1e6 if found else 0.0


def accounts() -> tuple[float, float]:
    """Those of the disk and of the cores; zeros from a kernel that keeps none."""
    try:
        return account((PRESSURE / "io").read_text(), "full"), account((PRESSURE / "cpu").read_text(), "some")
    except OSError:
        return 0.0, 0.0


def meanwhile(samples, begin: float, end: float) -> dict[str, float]:
    """Of what was seen between two moments (unix time): the longest synchronous write, the latest wake-up, and the share of the time that went
    to waiting for the disk and for a core.

    A write that had begun before or ended after counts with its whole time: the disk was as slow as that. Nothing seen gives nothing.
    """
    inside = [one for one in samples if one.began <= end and one.began + one.took >= begin]
    if not inside:
        return {}
    # The accounts are read after each write, so what came before the first of them counts from the one before.
    before = ([one for one in samples if one.began < inside[0].began][-1:] or inside[:1])[0]
    after = inside[-1]
    seconds = max(after.began + after.took - before.began - before.took, EVERY)
    return {
        "longest_sync": round(max(one.took for one in inside), 3),
        "latest_wakeup": round(max(one.late for one in inside), 3),
        "disk_waited": round(min(1.0, (after.disk - before.disk) / seconds), 2),
        "core_waited": round(min(1.0, (after.cores - before.cores) / seconds), 2),
    }


class MachineWatch(threading.Thread):
    """Writes to a file of its own in `directory` until stopped; use it as a context."""

    def __init__(self, directory: Path) -> None:
        super().__init__(daemon=True)
        self.path = directory / f"machine-watch-{os.getpid()}"
        self.samples: list[Sample] = []
        self.stopped = threading.Event()

    def run(self) -> None:
        with open(self.path, "wb", buffering=0) as target:
            due = time.monotonic()
            while not self.stopped.is_set():
                began, started = time.time(), time.monotonic()
                os.pwrite(target.fileno(), BLOCK, 0)
                os.fsync(target.fileno())
                took = time.monotonic() - started
                self.samples.append(Sample(began, max(0.0, started - due), took, *accounts()))
                due = time.monotonic() + EVERY
                self.stopped.wait(EVERY)

    def __enter__(self) -> MachineWatch:
        self.start()
        return self

    def __exit__(self, *_problem: object) -> None:
        self.stopped.set()
        self.join()
        self.path.unlink()
