# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's own view of the network: who listens on its ports, which addresses are its own, and which of them it shows to others.

Private to this collection.
"""

from __future__ import annotations

import glob
import os
import socket
from typing import Any, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import read


def listening(text: str) -> list[tuple[int, str]]:
    """(port, inode) of every listening TCP socket in the text of /proc/net/tcp or tcp6."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == "0A":
            found.append((int(fields[1].rsplit(":", 1)[1], 16), fields[9]))
    return found


def owner(inode: str) -> str:
    """Name of the process that holds a socket, or ''."""
    wanted = f"socket:[{inode}]"
    for entry in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(entry) == wanted:
                return read(f"/proc/{entry.split('/')[2]}/comm").strip()
        except OSError:
            continue
    return ""


def ports_in_use(wanted: Sequence[int]) -> list[dict[str, Any]]:
    found: dict[int, str] = {}
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for port, inode in listening(read(path)):
            if port in wanted and port not in found:
                found[port] = owner(inode)
    return [{"port": port, "process": found[port]} for port in sorted(found)]


def is_local(address: str) -> bool | None:
    """Whether the address is one of this host's; None where it is a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, address)
        except OSError:
            continue
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.bind((address, 0))
        except OSError:
            return False
        return True
    return None


def resolve(name: str) -> list[str]:
    """The addresses that this host has for a name, in the resolver's order."""
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return list(dict.fromkeys(str(answer[4][0]) for answer in answers))


def is_own(address: str) -> bool | None:
    """Whether an address, or one of the addresses of a name, is one of this host's; None where the name does not resolve."""
    known = is_local(address)
    if known is not None:
        return known
    found = resolve(address)
    return any(is_local(text) for text in found) if found else None


def sources(peers: Sequence[str]) -> list[str]:
    """The addresses that this host takes for connections to these, in their order. A datagram socket that is connected sends nothing."""
    found: dict[str, None] = {}
    for peer in peers:
        try:
            answers = socket.getaddrinfo(peer, 9, type=socket.SOCK_DGRAM)
        except OSError:
            continue
        for family, kind, protocol, _name, place in answers:
            try:
                with socket.socket(family, kind, protocol) as probe:
                    probe.connect(place)
                    found[str(probe.getsockname()[0])] = None
            except OSError:
                continue  # there is no route
    return list(found)
