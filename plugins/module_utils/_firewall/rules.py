# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is admitted where: rules in one form for every firewall, and what is to change.

Private to this collection.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import INVALID, NAME, classify
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

IPV4, IPV6 = "ipv4", "ipv6"
ANY = "any"
TCP, VRRP = "tcp", "vrrp"
PROTOCOLS = (TCP, VRRP)
ALLOWED = (
    "(allowed: an address, a network such as 192.0.2.0/24 or 2001:db8::/32, a name that this host resolves, or any)"
)


class Rule(NamedTuple):
    """Packets that are let in. source: an address or a network in its shortest form, '' for every one of the family; port: 0 for VRRP, which has none."""

    family: str
    source: str
    protocol: str
    port: int

    def __str__(self) -> str:
        what = f"{self.protocol} {self.port}" if self.port else self.protocol
        return f"{what} from {self.source or f'any ({self.family})'}"


class Ours(NamedTuple):
    """The owner's rules as they are. whole: in force now and after a restart; any: in one of the two at least."""

    whole: set[Rule]
    any: set[Rule]


class Change(NamedTuple):
    """What makes the rules of one owner the wanted ones."""

    add: list[Rule]
    remove: list[Rule]


def networks(text: str, option: str, resolve: Callable[[str], Iterable[str]]) -> list[tuple[str, str]]:
    """(family, source) of one entry; Refusal with one sentence where there is none."""
    if text == ANY:
        return [(IPV4, ""), (IPV6, "")]
    host, slash, prefix = text.partition("/")
    kind = classify(host).kind
    if kind == INVALID or (kind == NAME and slash):
        raise Refusal(f"{option}: '{text}' is not allowed {ALLOWED}")
    if kind == NAME:
        found = [address.partition("%")[0] for address in resolve(host)]
        found = [address for address in found if not ipaddress.ip_address(address).is_loopback]
        if not found:
            raise Refusal(
                f"{option}: '{text}' is not allowed (this host does not resolve it to an address of another one)"
            )
        return [pair for address in found for pair in networks(address, option, resolve)]
    try:
        network = ipaddress.ip_network(classify(host).text.partition("%")[0] + (slash + prefix))
    except ValueError as error:
        raise Refusal(f"{option}: '{text}' is not allowed ({error}; {ALLOWED[1:]}") from error
    family = IPV4 if network.version == 4 else IPV6
    if network.prefixlen == 0:
        return [(family, "")]
    single = network.prefixlen == network.max_prefixlen
    return [(family, str(network.network_address if single else network))]


def wanted_rules(
    entries: Sequence[Mapping[str, Any]], resolve: Callable[[str], Iterable[str]], option: str = "admitted"
) -> list[Rule]:
    """Each rule once, in the order of the entries."""
    found = []
    for entry in entries:
        protocol, port = entry.get("protocol") or TCP, entry.get("port") or 0
        if (protocol == TCP) != (0 < port < 65536):
            raise Refusal(
                f"{option}: port {port} is not allowed with {protocol} (allowed: 1 to 65535 with tcp, none with vrrp)"
            )
        found += [Rule(family, source, protocol, port) for family, source in networks(entry["source"], option, resolve)]
    return list(dict.fromkeys(found))


def difference(wanted: Sequence[Rule], ours: Ours, others: Iterable[Rule] = ()) -> Change:
    """others: rules that are not ours and let in the very same packets: left alone, and not written a second time."""
    there = set(others)
    return Change(
        add=[rule for rule in wanted if rule not in ours.whole and rule not in there],
        remove=sorted(ours.any - set(wanted)),
    )


def lines(rules: Iterable[Rule]) -> str:
    """Rules for a diff."""
    return "".join(f"{rule}\n" for rule in sorted(rules))
