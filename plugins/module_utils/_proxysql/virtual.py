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
RunCommand = Callable[["list[str]"], "tuple[int, str, str]"]
POLL = 0.02
# Seconds: for which clients are sent away before another proxy can take the address, and how much later than due that is tolerated.
EARLY, LATE = 0.1, 1.0


def interfaces(run_command: RunCommand) -> list[dict[str, Any]]:
    """The host's interfaces, as ip shows them with their addresses."""
    code, out, _err = run_command(["ip", "-json", "address", "show"])
    return json.loads(out) if not code and out.strip() else []


def local_addresses(links: Iterable[dict[str, Any]]) -> dict[str, str]:
    """The interface of each address that a host with these interfaces has."""
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


def interface_of(own: str, wanted: str, links: Iterable[dict[str, Any]]) -> tuple[str, str]:
    """(interface, problem): the one that was named, or the one with the host's own address."""
    here, names = local_addresses(links), {str(link["ifname"]) for link in links}
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


def outdated(run_command: RunCommand) -> list[str]:
    """What runs by other files than there are now, or does not run: check, unit (keepalived's) and conf (its options)."""
    return [
        name
        for name in ("check", "unit", "conf")
        if run_command(["sha1sum", "--check", "--status", f"{DIRECTORY}/{name}.sum"])[0]
    ]


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

    def here(self) -> bool:
        return bool(held(self.addresses, local_addresses(interfaces(self.run_command))))

    def give(self, close: Callable[[], None]) -> bool:
        """Whether no address is here any more. close() sends new clients away; it is called before the address goes, in any case.

        From now on the check says WORSE and has no connection to this proxy. A better one takes the address when it has heard nothing as good
        for three advertisements, which is two to three from now. Until shortly before, this one serves.
        """
        state = check_state() if self.addresses else {}
        if not state:
            close()
            return False
        self.lease = os.open(f"{DIRECTORY}/lease", os.O_WRONLY | os.O_CREAT, 0o600)
        fcntl.flock(self.lease, fcntl.LOCK_EX)
        advert = float(state.get("advert", 1))
        begin = time.monotonic()
        if self.here():
            time.sleep(max(0.0, 2 * advert - EARLY))
        close()
        while self.here():
            if time.monotonic() > begin + 3 * advert + LATE:
                return False
            time.sleep(POLL)
        return True

    def end(self) -> None:
        if self.lease is not None:
            os.close(self.lease)
        self.lease = None
