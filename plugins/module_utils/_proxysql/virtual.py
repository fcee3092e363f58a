# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address that proxies share, as one host sees it: on which interface it belongs, whether it is here, what the check says.

Private to this collection.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from typing import Any, Callable, Iterable, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import classify

DIRECTORY = "/run/proxysql-address"
RunCommand = Callable[[Sequence[str]], "tuple[int, str, str]"]
ADDRESSES = ("ip", "-json", "address", "show")
POLL = 0.02
# Seconds: how long clients that come and go have to be gone, and how long another proxy has to take the address.
PAUSE, TAKEN = 0.4, 2.0


def local_addresses(run_command: RunCommand) -> dict[str, str]:
    """The interface of each address that this host has now."""
    code, out, _err = run_command(ADDRESSES)
    links = json.loads(out) if not code and out.strip() else []
    return {
        classify(entry["local"]).text: str(link["ifname"])
        for link in links
        for entry in link.get("addr_info", [])
        if entry.get("local")
    }


def host_of(address: str) -> str:
    """An address without its prefix, in its canonical form."""
    return classify(address.partition("/")[0]).text


def held(addresses: Iterable[str], here: dict[str, str]) -> list[str]:
    return [host_of(address) for address in addresses if host_of(address) in here]


def interface_of(own: str, wanted: str, here: dict[str, str], names: Iterable[str]) -> tuple[str, str]:
    """(interface, problem): the one that was named, or the one with the host's own address."""
    if classify(own).text not in here:
        return (
            "",
            f"proxysql_address is {own}, which this host does not have; VRRP is sent from it, so it has to be an address of this host.",
        )
    if wanted and wanted not in names:
        return (
            "",
            f"proxysql_virtual_interface is {wanted}, which this host does not have; it has {', '.join(sorted(names))}.",
        )
    return wanted or here[classify(own).text], ""


def interfaces(run_command: RunCommand) -> list[str]:
    code, out, _err = run_command(("ip", "-json", "link", "show"))
    return [str(link["ifname"]) for link in json.loads(out)] if not code and out.strip() else []


def check_state() -> dict[str, Any]:
    """What the check said last: value (0 is good) and reason; {} where there is none."""
    try:
        with open(f"{DIRECTORY}/state.json", encoding="utf-8") as source:
            found = json.load(source)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class HandOver:
    """Gives the shared addresses to another proxy until its end, or that of this process."""

    def __init__(self, addresses: Sequence[str], run_command: RunCommand) -> None:
        self.addresses, self.run_command = addresses, run_command
        self.lease: int | None = None

    def begin(self) -> bool:
        """Whether there is a check; from now on it has no connection to this proxy."""
        if not self.addresses or not check_state():
            return False
        self.lease = os.open(f"{DIRECTORY}/lease", os.O_WRONLY | os.O_CREAT, 0o600)
        fcntl.flock(self.lease, fcntl.LOCK_EX)
        say(self.lease, "quiet")
        return True

    def give(self) -> bool:
        """Whether no address is here any more."""
        if self.lease is None:
            return False
        say(self.lease, "leave")
        deadline = time.monotonic() + TAKEN
        while held(self.addresses, local_addresses(self.run_command)):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
        return True

    def end(self) -> None:
        if self.lease is not None:
            os.close(self.lease)
        self.lease = None


def say(lease: int, word: str) -> None:
    os.ftruncate(lease, 0)
    os.pwrite(lease, f"{word}\n".encode(), 0)
