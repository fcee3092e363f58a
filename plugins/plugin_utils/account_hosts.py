# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At which hosts an account exists: those that use it, and no others. Pure functions; nobody is asked.

A host part that is an address counts whatever the server resolves (skip_name_resolve), so names are replaced by their addresses.

Private to this collection.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import INVALID, NAME, classify

ANY = "%"
Account = Mapping[str, Any]


def admits(pattern: str, address: str) -> bool:
    """Whether an account with this host part is one for who comes from there."""
    if "/" in pattern:
        try:
            return ip_address(address) in ip_network(pattern, strict=False)
        except ValueError:
            return False
    wanted = "".join({"%": ".*", "_": "."}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(wanted, address, re.IGNORECASE) is not None


def exact(host: str) -> int:
    """How exact a host part is: MySQL takes the account with the most exact one first."""
    wildcard = re.search(r"[%_]", host)
    return wildcard.start() if wildcard else 255


def resolved(names: Iterable[str], probes: Mapping[str, Any]) -> list[str]:
    """Addresses as they are; a name by the addresses that it has on the hosts that were looked at, and as it is where it has none there. A name that
    is this host's own on itself (127.0.1.1 in /etc/hosts) says nothing."""
    found: list[str] = []
    for name in names:
        kind, text = classify(name)
        seen = [a for probe in probes.values() for a in probe.get("resolved", {}).get(text, []) if not loopback(a)]
        found += seen if kind == NAME and seen else [str(name) if kind == INVALID else text]
    return list(dict.fromkeys(found))


def names_in(accounts: Iterable[Account]) -> list[str]:
    """The names of hosts in accounts' from_hosts, which have to be looked up."""
    places = [classify(host) for account in accounts for host in account.get("from_hosts") or ()]
    return list(dict.fromkeys(place.text for place in places if place.kind == NAME))


def loopback(address: str) -> bool:
    try:
        return ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def member_hosts(members: Sequence[Mapping[str, Any]], probes: Mapping[str, Any]) -> list[str]:
    """Addresses from which members connect to each other: those that are declared, and those that the hosts of this run take for it."""
    taken = [classify(source).text for m in members for source in probes.get(m["name"], {}).get("sources", [])]
    return list(dict.fromkeys(resolved([m["address"] for m in members], probes) + taken))


def expand(accounts: Iterable[Account], probes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The accounts, each with one host. One that is written for a list of hosts (host as a list, or from_hosts) says so: several."""
    found = []
    for account in accounts:
        host, several = account.get("host"), account.get("from_hosts")
        if several:
            hosts = resolved(several, probes)
        else:
            several = isinstance(host, (list, tuple))
            hosts = [*host] if isinstance(host, (list, tuple)) else [host or ANY]
        rest = {name: value for name, value in account.items() if name not in ("host", "from_hosts")}
        found += [{**rest, "host": str(host).lower(), "several": bool(several)} for host in dict.fromkeys(hosts)]
    return found


class Rest(NamedTuple):
    """Accounts of this collection at hosts that are no longer meant, as user and host: to be removed, and kept since somebody uses them now."""

    gone: list[list[str]]
    kept: list[str]


def rest(accounts: Iterable[Account], seen: Iterable[Mapping[str, str]]) -> Rest:
    """seen: rows with user, host and what: account (one that this collection wrote) or client (an address that is connected now)."""
    wanted: dict[str, set[str]] = {}
    managed = set()
    for account in accounts:
        if account.get("state", "present") == "present":
            wanted.setdefault(account["name"], set()).add(account["host"])
        if account.get("several"):
            managed.add(account["name"])
    rows = list(seen)
    found = Rest([], [])
    for row in rows:
        user, host = row["user"], row["host"]
        hosts = wanted.get(user, set())
        if row["what"] != "account" or user not in managed or host in hosts or not hosts:
            continue
        clients = {r["host"] for r in rows if r["what"] == "client" and r["user"] == user}
        others = sorted(c for c in clients if admits(host, c) and not any(admits(other, c) for other in hosts))
        if others:
            found.kept.append(
                f"{user}@{host} stays, since {', '.join(others)} is connected by it now and is none of {', '.join(sorted(hosts))}"
            )
        else:
            found.gone.append([user, host])
    return found
