# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address that proxies share (proxysql_virtual_address): what stands against it, and what each of them is configured with.

Proxies that name the same addresses share them. Private to this collection.
"""

from __future__ import annotations

import re
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import (
    INVALID,
    IPV4,
    IPV6,
    classify,
    format_address,
)
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.networks import ip_address
from jinja2.exceptions import UndefinedError

OPTION = "proxysql_virtual_address"
ALLOWED = "(allowed: IPv4 and IPv6 addresses, each with or without the length of its prefix, such as 192.0.2.10/24)"
BITS = {IPV4: 32, IPV6: 128}
INTERFACE = re.compile(r"[A-Za-z0-9_.:@-]{1,15}")
# What keepalived reads as one word, and VRRP has room for.
SECRET = re.compile(r"[A-Za-z0-9_.,:;+*/=-]{1,8}")
ANYWHERE = {IPV4: "0.0.0.0", IPV6: "::"}
LOOPBACK = {IPV4: "127.0.0.1", IPV6: "::1"}
# The highest that is not the owner's: the higher, the sooner an address that is given up is taken.
PRIORITY = 254
# Seconds: between two advertisements, between two questions of the check, and how long an answer may take.
PATIENCE = {"fast": (0.25, 0.25, 0.5), "patient": (1, 0.5, 1.5)}


class Virtual(NamedTuple):
    """One address that is shared."""

    kind: str
    host: str
    prefix: int

    def __str__(self) -> str:
        return f"{self.host}/{self.prefix}"


def declared(value: Any) -> list[Any]:
    """The entries of the option: one address, or a list of them."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def parse(entry: Any) -> Virtual | None:
    """An entry of the option, or None where it is no address."""
    text, slash, length = str(entry).strip().partition("/")
    host = classify(text)
    if host.kind not in BITS or "%" in host.text or (slash and not re.fullmatch("[0-9]{1,3}", length)):
        return None
    prefix = int(length) if slash else BITS[host.kind]
    return Virtual(host.kind, host.text, prefix) if 1 <= prefix <= BITS[host.kind] else None


def addresses(value: Any) -> list[Virtual]:
    return [found for found in map(parse, declared(value)) if found is not None]


def unusable(address: Virtual) -> str:
    """What kind of address it is that no host can serve clients on, or ""."""
    found = ip_address(address.host)
    kinds = {"a loopback address": found.is_loopback(), "a multicast address": found.is_multicast(),
             "a link-local address": found.is_link_local(), "no host's address": not int(found)}  # fmt: skip
    return next((kind for kind, applies in kinds.items() if applies), "")


def said(hostvars: Any, host: str, option: str) -> Any:
    """What the inventory says of a host; None where only its own play knows it."""
    try:
        return hostvars[host].get(option)
    except (AnsibleError, UndefinedError):
        return None


def own_address(hostvars: Any, host: str) -> str:
    """By what the other proxies reach this one, as its canonical text."""
    return classify(said(hostvars, host, "proxysql_address") or said(hostvars, host, "ansible_host") or host).text


def sharing(settings: Mapping[str, Any], host: str, peers: Sequence[str], hostvars: Any) -> list[str]:
    """The proxies that share this one's addresses, itself included, in the inventory's order."""
    mine = {found.host for found in addresses(settings.get(OPTION))}
    return [
        peer
        for peer in peers
        if peer == host or {found.host for found in addresses(said(hostvars, peer, OPTION))} == mine
    ]


def router_id(value: Any, shared: Sequence[Virtual]) -> int | None:
    """The option's value, or the last number of the first address; None where it is no such number."""
    if value is None or value == "":
        return int(ip_address(shared[0].host)) % 256 or 255
    text = str(value)
    number = int(text) if re.fullmatch("[0-9]{1,3}", text) and not isinstance(value, bool) else 0
    return number if 1 <= number <= 255 else None


def entry_problems(value: Any) -> Iterator[str]:
    seen = set()
    for entry in declared(value):
        address = parse(entry)
        if address is None:
            yield f"{OPTION}: {entry!r} is not allowed {ALLOWED}"
            continue
        kind = unusable(address)
        if kind:
            yield f"{OPTION}: {entry!r} is {kind} {ALLOWED}"
        if address.host in seen:
            yield f"{OPTION}: {address.host} is listed twice; list it once."
        seen.add(address.host)


def taken_problems(shared: Sequence[Virtual], hosts: Sequence[str], hostvars: Any) -> Iterator[str]:
    """An address that a host of the inventory has of its own."""
    for host in hosts:
        for option in ("proxysql_address", "mysql_gr_address", "ansible_host"):
            own = said(hostvars, host, option)
            if own and classify(own).text in {address.host for address in shared}:
                yield f"{OPTION}: {own} is the address of {host} ({option}); allowed is one that no host has of its own."
                break


def clash_problems(shared: Sequence[Virtual], number: int, hosts: Sequence[str], hostvars: Any) -> Iterator[str]:
    """Other addresses with the same router id, or with a part of these."""
    mine = {address.host for address in shared}
    for host in hosts:
        others = addresses(said(hostvars, host, OPTION))
        theirs = {address.host for address in others}
        if not others or theirs == mine:
            continue
        if theirs & mine:
            yield f"{OPTION} of {host} is {', '.join(sorted(theirs))}; proxies share all of their addresses ({', '.join(sorted(mine))}) or none."
        elif router_id(said(hostvars, host, "proxysql_virtual_router_id"), others) == number:
            yield (
                f"proxysql_virtual_router_id is {number} for {', '.join(sorted(mine))} and, of {host}, for {', '.join(sorted(theirs))}; "
                "each shared address needs a number of its own (1 to 255)."
            )


def agreement_problems(host: str, together: Sequence[str], hostvars: Any) -> Iterator[str]:
    """As the inventory says it; a default of the role is in no host's variables."""
    for option in ("proxysql_virtual_router_id", "proxysql_virtual_preempt", "proxysql_virtual_secret"):
        for peer in together:
            if said(hostvars, peer, option) != said(hostvars, host, option):
                yield f"{option} of {peer} and {host} differ; proxies that share an address need the same."


def listening(settings: Mapping[str, Any]) -> set[str]:
    """Hosts of the addresses on which applications are served."""
    interfaces = (settings.get("proxysql_variables") or {}).get("mysql-interfaces") or format_address(
        str(settings.get("proxysql_bind")), settings["proxysql_port"]
    )
    return {classify(text.strip().rpartition(":")[0].strip("[]")).text for text in str(interfaces).split(";")}


def virtual_problems(
    settings: Mapping[str, Any], host: str, peers: Sequence[str], hosts: Sequence[str], hostvars: Any
) -> list[str]:
    """One sentence for each thing that cannot work; none when all is well, or no address is shared."""
    if not declared(settings.get(OPTION)):
        return []
    problems = list(entry_problems(settings[OPTION]))
    number = None if problems else router_id(settings.get("proxysql_virtual_router_id"), addresses(settings[OPTION]))
    if not problems and number is None:
        problems.append(
            f"proxysql_virtual_router_id is {settings['proxysql_virtual_router_id']}; allowed are 1 to 255, or nothing."
        )
    name = str(settings.get("proxysql_virtual_interface") or "")
    if name and not INTERFACE.fullmatch(name):
        problems.append(
            f"proxysql_virtual_interface is {name}; allowed is the name of a network interface, or nothing."
        )
    secret = settings.get("proxysql_virtual_secret") or ""
    if secret and not (isinstance(secret, str) and SECRET.fullmatch(secret)):
        problems.append(
            "proxysql_virtual_secret is not allowed (allowed: text of 1 to 8 letters, digits and _.,:;+*/=-, all that VRRP has room for)."
        )
    if problems or number is None:
        return problems
    shared = addresses(settings[OPTION])
    together = sharing(settings, host, peers, hostvars)
    if host not in together:
        return [
            f"{OPTION}: {host} is no host of the inventory group {settings['proxysql_inventory_group']}, whose hosts share it."
        ]
    return [
        *taken_problems(shared, hosts, hostvars),
        *clash_problems(shared, number, hosts, hostvars),
        *agreement_problems(host, together, hostvars),
        *family_problems(settings, shared, together, hostvars),
    ]


def family_problems(
    settings: Mapping[str, Any], shared: Sequence[Virtual], together: Sequence[str], hostvars: Any
) -> Iterator[str]:
    owns = {peer: classify(own_address(hostvars, peer)) for peer in together}
    for peer, own in owns.items():
        if own.kind not in BITS:
            shown = "no address" if own.kind == INVALID else "a name"
            yield f"proxysql_address of {peer} is {own.text}, {shown}; with {OPTION} it has to be an IP address, which VRRP is sent to."
            return
    kinds = {own.kind for own in owns.values()}
    if len(kinds) > 1:
        yield f"proxysql_address of {', '.join(together)} are IPv4 and IPv6; with {OPTION} all have to be of one kind."
    elif not kinds & {address.kind for address in shared}:
        yield (
            f"{OPTION} has no address of the kind of proxysql_address ({', '.join(own.text for own in owns.values())}); "
            "VRRP needs one, others may be listed beside it."
        )
    elif kinds == {IPV6} and settings.get("proxysql_virtual_secret"):
        yield "proxysql_virtual_secret is set and proxysql_address is an IPv6 address; VRRP has passwords with IPv4 only."
    for kind in sorted({address.kind for address in shared}):
        if ANYWHERE[kind] not in listening(settings):
            yield (
                f"proxysql_bind is {settings.get('proxysql_bind')}; with {OPTION} ProxySQL has to listen on {ANYWHERE[kind]} (for several "
                "addresses, mysql-interfaces in proxysql_variables)."
            )


def virtual_plan(settings: Mapping[str, Any], host: str, peers: Sequence[str], hostvars: Any) -> dict[str, Any]:
    """What this proxy is configured with; {} where it shares no address. For settings without a problem."""
    shared = addresses(settings.get(OPTION))
    if not shared:
        return {}
    together = sharing(settings, host, peers, hostvars)
    own = classify(own_address(hostvars, host))
    others = [peer for peer in together if peer != host]
    secret = bool(settings.get("proxysql_virtual_secret"))
    advert, interval, timeout = PATIENCE.get(str(settings.get("proxysql_network")), PATIENCE["fast"])
    advert = 1 if secret else advert
    # Its monitor may see a writer by one interval later than that of another proxy.
    again = round(int(settings["proxysql_monitor_interval"]) / 1000 + 0.15, 3)
    preempt = boolean(settings.get("proxysql_virtual_preempt"), strict=False)
    port = settings["proxysql_port"]
    groups = [one for one in settings["proxysql_hostgroups"] if (one.get("state") or "present") == "present"]
    writers = int(groups[0]["writer_hostgroup"])
    listed = any(user["username"] == settings["proxysql_monitor_user"] for user in settings["proxysql_users"])
    return dict(
        own=own.text,
        peers=[own_address(hostvars, peer) for peer in others],
        addresses=[address.host for address in shared],
        advertised=[str(address) for address in shared if address.kind == own.kind],
        excluded=[str(address) for address in shared if address.kind != own.kind],
        router_id=router_id(settings.get("proxysql_virtual_router_id"), shared),
        # Equal ones: who has the address keeps it until it is worse than another one.
        priority=PRIORITY - (together.index(host) if preempt else 0),
        # Only the older one has passwords, and it counts in whole seconds.
        version=2 if secret else 3,
        advert=advert,
        watchdog=round(3 + 4 * timeout + again),
        user=dict() if listed else dict(
            username=settings["proxysql_monitor_user"], default_hostgroup=writers, comment="the check of distdb.mysql_ha's virtual address"
        ),
        check=dict(
            own=format_address(LOOPBACK[own.kind] if ANYWHERE[own.kind] in listening(settings) else own.text, port),
            peers=[
                format_address(own_address(hostvars, peer), said(hostvars, peer, "proxysql_port") or port) for peer in others
            ],
            # By which the proxies' advertisements are known, and the address.
            name=own.text,
            others=[own_address(hostvars, peer) for peer in others],
            address=next(address.host for address in shared if address.kind == own.kind),
            router_id=router_id(settings.get("proxysql_virtual_router_id"), shared),
            user=settings["proxysql_monitor_user"],
            hostgroup=writers,
            interval=interval,
            timeout=timeout,
            again=again,
            advert=advert,
        ),
    )  # fmt: skip
