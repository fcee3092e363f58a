# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task says about groups, servers and peers, checked: every refusal is one sentence for the user."""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import INVALID, classify
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import (
    STATUSES,
    Address,
    Desired,
    Group,
    Server,
    show_address,
)

_RANGES = {
    "gtid_port": (0, 65535),
    "weight": (0, 10000000),
    "peers.weight": (0, 2**31 - 1),
    "compression": (0, 1),
    "max_connections": (0, 2**31 - 1),
    "max_replication_lag": (0, 126144000),
    "max_latency_ms": (0, 2**31 - 1),
    "writer_hostgroup": (0, 2**31 - 1),
    "backup_writer_hostgroup": (0, 2**31 - 1),
    "reader_hostgroup": (1, 2**31 - 1),
    "offline_hostgroup": (0, 2**31 - 1),
    "max_writers": (0, 2**31 - 1),
    "writer_is_also_reader": (0, 2),
    "max_transactions_behind": (0, 2**31 - 1),
}


def _in_range(option: str, value: Any, where: str = "") -> int:
    low, high = _RANGES[option]
    number = int(value)
    if not low <= number <= high:
        raise Refusal(f"{option} is {number}{where}; allowed are whole numbers from {low} to {high}.")
    return number


def one_line(option: str, value: str | None, where: str) -> str:
    text = value or ""
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise Refusal(f"{option} has a control character in it{where}; allowed is one line of text.")
    return text


def clean_hostname(hostname: str) -> str:
    """A name, an address, or the path of a socket, as ProxySQL keeps it; brackets around an IPv6 address are taken off."""
    text = (hostname or "").strip()
    if text.startswith("/"):
        return one_line("hostname", text, "")
    host = classify(text)
    if host.kind == INVALID:
        raise Refusal(
            f"hostname is {hostname!r}; allowed are a host name, an IPv4 or IPv6 address, or the path of a socket."
        )
    return host.text


def desired_server(options: dict[str, Any]) -> tuple[Address, Server]:
    if not options.get("hostname"):
        raise Refusal("hostname is missing in an entry of servers; it must name the server.")
    hostname = clean_hostname(options["hostname"])
    default_port = 0 if hostname.startswith("/") else 3306
    port = default_port if options.get("port") is None else int(options["port"])
    where = f" for server {show_address((hostname, port))}"
    if hostname.startswith("/"):
        if port != 0:
            raise Refusal(f"port is {port}{where}; with the path of a socket only 0 is allowed.")
    elif not 1 <= port <= 65535:
        raise Refusal(f"port is {port}{where}; allowed are whole numbers from 1 to 65535.")
    columns = {}
    for name, default in Server._field_defaults.items():
        value = options.get(name)
        if value is None:
            columns[name] = default
        elif name == "status":
            if value not in STATUSES:
                raise Refusal(f"status is {value!r}{where}; allowed are {', '.join(STATUSES)}.")
            columns[name] = value
        elif name == "comment":
            columns[name] = one_line(name, value, where)
        elif name == "use_ssl":
            columns[name] = int(value)
        else:
            columns[name] = _in_range(name, value, where)
    if columns["gtid_port"] and columns["gtid_port"] == port:
        raise Refusal(f"gtid_port is {port}{where}; it must differ from port.")
    return (hostname, port), Server(**columns)


def desired_group(options: dict[str, Any]) -> Desired:
    """A Desired from a module's options (one group); Refusal says what is wrong."""
    if options.get("writer_hostgroup") is None:
        raise Refusal("writer_hostgroup is missing; it names the group and must be given.")
    writer = _in_range("writer_hostgroup", options["writer_hostgroup"])
    where = f" for the group with writer_hostgroup {writer}"
    configured_in = options.get("servers_hostgroup") or "auto"
    servers = None
    if options.get("servers") is not None:
        servers = {}
        for entry in options["servers"]:
            address, server = desired_server(entry)
            if address in servers:
                raise Refusal(f"servers lists {show_address(address)} twice{where}; each server may be listed once.")
            servers[address] = server
    exclusive = bool(options.get("exclusive"))
    if exclusive and servers is None:
        raise Refusal(
            f"exclusive is true but servers is not given{where}; list the servers that are to stay, or [] for none."
        )

    if options.get("state") == "absent":
        return Desired(writer, None, None, False, configured_in, bool(options.get("keep_servers")))

    numbers = {}
    for name in Group._fields[:4]:
        if options.get(name) is None:
            raise Refusal(f"{name} is missing{where}; a group needs all four hostgroups.")
        numbers[name] = _in_range(name, options[name], where)
    for position, name in enumerate(Group._fields[:4]):
        for other in Group._fields[:position]:
            if numbers[other] == numbers[name]:
                raise Refusal(
                    f"{name} is {numbers[name]}{where}, the same as {other}; the four hostgroups must differ."
                )

    def given(name: str, default: int) -> int:
        return _in_range(name, default if options.get(name) is None else options[name], where)

    active = options.get("active")
    group = Group(
        active=1 if active is None else int(active),
        max_writers=given("max_writers", 1),
        writer_is_also_reader=given("writer_is_also_reader", 0),
        max_transactions_behind=given("max_transactions_behind", 0),
        comment=one_line("comment", options.get("comment"), where),
        **numbers,
    )
    return Desired(writer, group, servers, exclusive, configured_in)


def check_desired(desired: Sequence[Desired]) -> None:
    seen: dict[int, bool] = {}
    owner: dict[Address, int] = {}
    for want in desired:
        if want.writer_hostgroup in seen:
            raise Refusal(
                f"writer_hostgroup {want.writer_hostgroup} is listed twice in hostgroups; each group may be listed once."
            )
        seen[want.writer_hostgroup] = True
        for address in want.servers or ():
            if address in owner:
                raise Refusal(
                    f"server {show_address(address)} is listed for the groups with writer_hostgroup {owner[address]} and "
                    f"{want.writer_hostgroup}; ProxySQL's monitor follows a server in one group only."
                )
            owner[address] = want.writer_hostgroup


def address_of_peer(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of peers with its host name as ProxySQL keeps it, checked."""
    hostname, port = clean_hostname(entry["hostname"]), int(entry["port"])
    where = f" for peer {show_address((hostname, port))}"
    if hostname.startswith("/"):
        raise Refusal(f"hostname is {hostname!r} in peers; allowed are a host name and an address.")
    if not 1 <= port <= 65535:
        raise Refusal(f"port is {port}{where}; allowed are whole numbers from 1 to 65535.")
    _in_range("peers.weight", entry.get("weight") or 0, where)
    return {**entry, "hostname": hostname, "port": port}


def tls_of_server(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of servers_tls with its host name as ProxySQL keeps it, checked."""
    hostname, port = clean_hostname(entry["hostname"]), int(entry["port"])
    where = f" for server {show_address((hostname, port))} in servers_tls"
    low = 0 if hostname.startswith("/") else 1
    if not low <= port <= 65535:
        raise Refusal(f"port is {port}{where}; allowed are whole numbers from {low} to 65535.")
    for name in ("ssl_ca", "ssl_cert", "ssl_key", "ssl_capath", "ssl_crl", "ssl_crlpath"):
        if entry.get(name) and not one_line(name, entry[name], where).startswith("/"):
            raise Refusal(f"{name} is {entry[name]}{where}; allowed is an absolute path on the proxy's host.")
    return {**entry, "hostname": hostname, "port": port}
