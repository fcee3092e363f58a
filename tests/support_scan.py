# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs by itself, on a host or in the lab's namespace: which TCP ports of hosts answer from here. Every port of them is tried, by SYN packets.

python3 support_scan.py [--ports PORT,PORT] ADDRESS [ADDRESS ...]     prints JSON: the open ports by address
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Iterable

FROM = 61999
SYN, SYN_ACK, RST = 0x02, 0x12, 0x04
# A port that gives no answer at all may have lost the packet.
PASSES = 2
QUIET = 0.5


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def segment(family: int, here: str, there: str, port: int) -> bytes:
    def packed(sum_: int) -> bytes:
        return struct.pack("!HHIIBBHHH", FROM, port, 1, 0, 5 << 4, SYN, 1024, sum_, 0)

    if family == socket.AF_INET6:
        return packed(0)  # the kernel adds it
    ends = socket.inet_aton(here) + socket.inet_aton(there)
    return packed(checksum(ends + struct.pack("!BBH", 0, socket.IPPROTO_TCP, 20) + packed(0)))


class Scan:
    """One host from here."""

    def __init__(self, there: str) -> None:
        self.there = there
        self.family = socket.AF_INET6 if ":" in there else socket.AF_INET
        with socket.socket(self.family, socket.SOCK_DGRAM) as probe:
            probe.connect((there, 9))
            self.here = probe.getsockname()[0]
        self.raw = socket.socket(self.family, socket.SOCK_RAW, socket.IPPROTO_TCP)
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.raw.setblocking(False)
        if self.family == socket.AF_INET6:
            self.raw.setsockopt(socket.IPPROTO_IPV6, 7, 16)  # IPV6_CHECKSUM
        self.open: set[int] = set()
        self.closed: set[int] = set()
        self.heard = time.monotonic()
        self.ended = False

    def listen(self) -> None:
        while not self.ended:
            if not select.select([self.raw], [], [], 0.1)[0]:
                continue
            data, sender = self.raw.recvfrom(2048)
            if sender[0] != self.there:
                continue
            tcp = data[(data[0] & 15) * 4 :] if self.family == socket.AF_INET else data
            port, to, flags = (*struct.unpack("!HH", tcp[:4]), tcp[13])
            if to == FROM:
                self.heard = time.monotonic()
                (self.open if flags & SYN_ACK == SYN_ACK else self.closed).add(port)

    def send(self, port: int) -> None:
        while True:
            try:
                self.raw.sendto(segment(self.family, self.here, self.there, port), (self.there, 0))
                return
            except (BlockingIOError, OSError):
                select.select([], [self.raw], [], 0.05)

    def run(self, ports: Iterable[int]) -> list[int]:
        listener = threading.Thread(target=self.listen)
        listener.start()
        for _pass in range(PASSES):
            for port in set(ports) - self.open - self.closed:
                self.send(port)
            self.heard = time.monotonic()
            while time.monotonic() - self.heard < QUIET:
                time.sleep(0.05)
        self.ended = True
        listener.join()
        return sorted(self.open)


if __name__ == "__main__":
    addresses, wanted = sys.argv[1:], range(1, 65536)
    if addresses[0] == "--ports":
        wanted, addresses = [int(port) for port in addresses[1].split(",")], addresses[2:]
    with ThreadPoolExecutor(len(addresses)) as pool:
        found = dict(zip(addresses, pool.map(lambda address: Scan(address).run(wanted), addresses)))
    print(json.dumps(found))
