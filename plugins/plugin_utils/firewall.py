# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is admitted to which port, as the inventory has it: the wanted state of M(distdb.mysql_ha.firewall_ports).

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.monitoring import NODE, PORTS
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.networks import network_problems
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.virtual_address import own_address, said, sharing

ANY = "any"
XCOM = "XCOM"
Entry = Mapping[str, Any]


def sources_problems(sources: object, option: str, known: Iterable[str]) -> list[str]:
    """One sentence for every entry that is no address, no network, no name of the inventory and not any."""
    names = {ANY, *known}
    rest = [entry for entry in sources if entry not in names] if isinstance(sources, list) else sources
    return network_problems(rest, option, ", any, and names of hosts and groups of the inventory")


def host_address(hostvars: Any, host: str) -> str:
    """By what a host of the inventory connects: what a role says of it, else what Ansible says."""
    return str(said(hostvars, host, "mysql_gr_address") or own_address(hostvars, host))


def expand(sources: Sequence[str], groups: Mapping[str, Sequence[str]], hostvars: Any) -> list[str]:
    """Names of hosts and groups of the inventory become the addresses of these hosts."""
    found: list[str] = []
    for source in sources:
        hosts = groups.get(source, [source] if source in groups.get("all", []) else [])
        # A group of the inventory may have no hosts: nobody, and not a name that is to be resolved.
        found += [host_address(hostvars, host) for host in hosts] if hosts or source in groups else [source]
    return list(dict.fromkeys(found))


def entries(sources: Iterable[str], *ports: int) -> list[dict[str, Any]]:
    return [{"source": source, "port": port} for source in sources for port in ports]


def member_entries(
    members: Sequence[Entry],
    me: str,
    stack: str,
    clients: Sequence[str],
    expected: Sequence[str] = (),
    without: Iterable[str] = (),
    monitoring: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """What a member admits: the others to the group's port and SQL, clients to SQL, monitoring hosts to the exporters. expected: clients that it has
    as a member, such as proxies. without: members that are members no longer."""
    gone = set(without)
    mine = next(member for member in members if member["name"] == me)
    others = [member["address"] for member in members if member["name"] not in {me, *gone}]
    measured = entries(monitoring, *PORTS.values())
    if me in gone:
        return entries(clients, mine["port"]) + measured
    ports = [mine["local_port"], mine["port"]] if stack == XCOM else [mine["port"]]
    return entries(others, *ports) + entries([*expected, *clients], mine["port"]) + measured


def proxy_entries(
    settings: Mapping[str, Any],
    host: str,
    peers: Sequence[str],
    clients: Sequence[str],
    admins: Sequence[str],
    hostvars: Any,
    monitoring: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """What a proxy admits: clients to SQL, the ones named and the peers of its cluster to the admin interface, VRRP and the check of who shares an address,
    monitoring hosts to node_exporter."""
    port, admin = int(settings["proxysql_port"]), int(settings["proxysql_admin_port"])
    clustered = boolean(settings.get("proxysql_cluster"), strict=False)
    others = [own_address(hostvars, peer) for peer in peers if peer != host] if clustered else []
    together = [
        own_address(hostvars, peer)
        for peer in (sharing(settings, host, peers, hostvars) if settings.get("proxysql_virtual_address") else [])
        if peer != host
    ]
    return [
        *entries(clients, port),
        *entries(together, port),
        *({"source": source, "protocol": "vrrp"} for source in together),
        *entries([*admins, *others], admin),
        *entries(monitoring, PORTS[NODE]),
    ]
