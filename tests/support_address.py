# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two proxies that share one address: the lab's hosts with it, and who has it when."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from support import ROOT, Lab, wait_for

PROXIES = ("proxy", "proxy2")
INVENTORY = ("-i", "inventories/lab-proxy2", "-i", "inventories/lab-address")


def address_of(lab: Lab) -> str:
    """inventories/lab-address says the same."""
    return f"{lab.address('db0').rpartition('.')[0]}.120"


def address6_of(lab: Lab) -> str:
    """An IPv6 address for the proxies to share; empty where the lab has no IPv6."""
    own = lab.on("proxy", "sh", "-c", "ip -6 -oneline address show scope global | awk '{print $4; exit}'").strip()
    return own and own.rpartition(":")[0] + ":120"


def proxy_addresses(lab: Lab) -> dict[str, str]:
    """By name; inventories/lab-proxy2 says the same."""
    prefix = address_of(lab).rpartition(".")[0]
    return {"proxy": f"{prefix}.129", "proxy2": f"{prefix}.127"}


def holders(lab: Lab, address: str = "") -> list[str]:
    """The proxies that have the address now."""
    wanted = f" {address or address_of(lab)}/"
    return [proxy for proxy in PROXIES if wanted in lab.on(proxy, "ip", "-oneline", "address", "show", check=False)]


def holder(lab: Lab) -> str:
    """The one proxy that has it, when there is one."""
    return wait_for(lambda: len(found := holders(lab)) == 1 and found[0], 20, "one proxy has the address", every=0.1)


def other(proxy: str) -> str:
    return next(name for name in PROXIES if name != proxy)


def value(lab: Lab, proxy: str) -> str:
    """What the check of a proxy says: 0 is good."""
    return lab.on(proxy, "cat", "/run/proxysql-address/priority", check=False).strip()


def both_good(lab: Lab) -> None:
    wait_for(lambda: [value(lab, proxy) for proxy in PROXIES] == ["0", "0"], 60, "both proxies are good", every=0.2)


# Not masked: a unit in /etc, as the stand-in's, would go before that.
STAYS_DOWN = "/run/systemd/system/proxysql.service.d/zz-stays-down.conf"


def kill(lab: Lab, proxy: str) -> None:
    """ProxySQL ends at once, and is not started again."""
    down = (
        f"install -D /dev/null {STAYS_DOWN}; printf '[Service]\\nRestart=no\\n' >{STAYS_DOWN}; systemctl daemon-reload"
    )
    lab.on(proxy, "sh", "-ec", f"{down}; systemctl kill --signal=KILL proxysql")


def start_again(lab: Lab, proxy: str) -> None:
    up = f"rm {STAYS_DOWN}; systemctl daemon-reload; systemctl reset-failed proxysql; systemctl start proxysql"
    lab.on(proxy, "sh", "-ec", up)


class Watch:
    """[(unix time, hosts that have the address)] of every change."""

    def __init__(self) -> None:
        self.changes: list[tuple[float, list[str]]] = []

    def longest(self, number: int) -> float:
        """The longest time for which so many hosts had the address; number 2 stands for two and more."""
        times = [
            after - before
            for (before, hosts), (after, _later) in zip(self.changes, self.changes[1:])
            if min(len(hosts), 2) == number
        ]
        return round(max(times, default=0.0), 3)

    def taken(self, proxy: str, since: float) -> float | None:
        """Seconds from a moment until this proxy has the address."""
        return next(
            (round(max(at - since, 0.0), 3) for at, hosts in self.changes if proxy in hosts and at >= since), None
        )


@contextmanager
def watched(lab: Lab, address: str = "") -> Iterator[Watch]:
    """Who has the address meanwhile; known afterwards."""
    command = ["lab/enter", "python3", "tests/integration/operations/holders.py", address or address_of(lab), *PROXIES]
    process = subprocess.Popen(command, cwd=ROOT, env=lab.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    watch = Watch()
    try:
        yield watch
    finally:
        text, _nothing = process.communicate(timeout=20)
        for line in text.splitlines():
            at, *hosts = line.split()
            watch.changes.append((float(at), hosts))
