# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses: the only place of the collection that reads, compares and writes ``host`` and ``host:port``.

One grammar for roles, modules and filters, so that an address is one and the same wherever it is compared:

* IPv4: four numbers from 0 to 255. ``192.168.1.300`` and ``192.168.1`` are neither an address nor a name.
* IPv6: with or without brackets; in brackets as soon as a port follows. Canonical form is the short one, in lower case.
* Name: labels of letters, digits, ``-`` and ``_``, in lower case. One dot at the end is allowed and dropped. The last label is not
  all digits.

``classify`` never fails, for who collects problems; ``parse_address`` raises an AddressError, which is a Refusal;
``format_address`` brings the host into its canonical form, so that it may be given what a server reports; ``join_address`` does not.

Private to this collection.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

IPV4, IPV6, NAME, INVALID = "ipv4", "ipv6", "name", "invalid"

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(r"^" + _OCTET + r"(?:\." + _OCTET + r"){3}$")
_LABEL = re.compile(r"^(?!-)[A-Za-z0-9_-]{1,63}(?<!-)$")
_BRACKETS = re.compile(r"^\[([^\[\]]*)\](?::([0-9]+))?$")
_PLAIN = re.compile(r"^([^:]*)(?::([0-9]+))?$")


class AddressError(Refusal):
    """Not an address of the form that is needed; str() is what the user reads."""


class Host(NamedTuple):
    """A host as it was classified: kind is ipv4, ipv6, name or invalid; text is its canonical form (of an invalid one, what was given)."""

    kind: str
    text: str


class Address(NamedTuple):
    """A host in its canonical form, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return format_address(self.host, self.port)


def classify(text: object) -> Host:
    """What a host is, and its canonical form."""
    shown = str(text).strip()
    if _IPV4.match(shown):
        return Host(IPV4, shown)
    bracketed = _BRACKETS.match(shown)
    if bracketed and bracketed.group(2):
        return Host(INVALID, shown)
    plain = bracketed.group(1) if bracketed else shown
    if ":" in plain:
        canonical = _ipv6(plain)
        return Host(IPV6, canonical) if canonical else Host(INVALID, shown)
    name = plain[:-1] if plain.endswith(".") else plain
    labels = name.split(".")
    if bracketed or len(name) > 253 or not all(_LABEL.match(label) for label in labels) or labels[-1].isdigit():
        return Host(INVALID, shown)
    return Host(NAME, name.lower())


def _ipv6(text: str) -> str:
    """The canonical form of an IPv6 address, the same for every version of Python; '' when it is none."""
    address, percent, zone = text.partition("%")
    if percent and not re.match(r"^[A-Za-z0-9._-]+$", zone):
        return ""
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return ""
    mapped = parsed.ipv4_mapped
    return (f"::ffff:{mapped}" if mapped else str(parsed)) + percent + zone


def parse_address(text: object, default_port: int = 3306, option: str = "members") -> Address:
    """The Address in 'host', 'host:port', '[v6]' or '[v6]:port'; AddressError with one sentence when it is none."""
    shown = str(text).strip()
    match = _BRACKETS.match(shown) or _PLAIN.match(shown)
    host = (
        classify(f"[{match.group(1)}]" if shown.startswith("[") else match.group(1)) if match else Host(INVALID, shown)
    )
    if match is None or host.kind == INVALID:
        raise AddressError(
            f"{option}: '{shown}' is not allowed (allowed: host or host:port; an IPv6 address in brackets, [2001:db8::1]:3306)"
        )
    port = int(match.group(2)) if match.group(2) else default_port
    if not 1 <= port <= 65535:
        raise AddressError(f"{option}: port {port} of '{shown}' is not allowed (allowed: 1 to 65535)")
    return Address(host.text, port)


def format_address(host: str, port: object) -> str:
    """'host:port' with the host in its canonical form, an IPv6 address in brackets."""
    return join_address(classify(host).text, port)


def join_address(host: str, port: object) -> str:
    """'host:port' with the host as it is, for rows that are shown as they were found."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def normal_address(text: object, default_port: int = 3306, option: str = "members") -> str:
    """'host:port' in the one form in which addresses are compared."""
    return str(parse_address(text, default_port, option))
