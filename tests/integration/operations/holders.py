# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts of the lab have an address, looked at every few milliseconds, until standard input ends. Runs in the lab (lab/enter).

    holders.py ADDRESS HOST [HOST ...]

One line for each change: unix time and the hosts, separated by spaces. The last line is the end.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import sys
import threading
import time

PAUSE = 0.005
CLONE_NEWNET = 0x40000000
LIBRARY = ctypes.CDLL(None, use_errno=True)


def enter(namespace: int) -> None:
    """os.setns() of Python 3.12."""
    if LIBRARY.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Host(threading.Thread):
    """A thread in the host's network. A host that is off has no address."""

    def __init__(self, name: str, address: str) -> None:
        super().__init__(daemon=True)
        self.host, self.address, self.has = name, address, False

    def namespace(self) -> int:
        with open(f"/run/distdb-lab/hosts/{self.host}.pid", encoding="ascii") as file:
            return os.open(f"/proc/{file.read().strip()}/ns/net", os.O_RDONLY)

    def run(self) -> None:
        there = -1
        while True:
            with contextlib.suppress(OSError, ValueError):
                now = self.namespace()
                if there < 0 or not os.path.sameopenfile(now, there):
                    enter(now)
                    now, there = there, now
                if now >= 0:
                    os.close(now)
                self.has = self.look()
                time.sleep(PAUSE)
                continue
            self.has = False
            time.sleep(PAUSE)

    def look(self) -> bool:
        with socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((self.address, 0))
            except OSError as error:
                if error.errno != errno.EADDRNOTAVAIL:
                    raise
                return False
            return True


def main(address: str, *names: str) -> None:
    hosts = [Host(name, address) for name in names]
    for host in hosts:
        host.start()
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    said = None
    while not ended.wait(PAUSE):
        now = [host.host for host in hosts if host.has]
        if now != said:
            print(f"{time.time():.3f}", *now, flush=True)
            said = now
    print(f"{time.time():.3f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
