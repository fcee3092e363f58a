# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the library netaddr says of networks and addresses. Control node only: hosts do not have it.

Private to this collection.
"""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import INVALID, IPV4, IPV6, classify

try:
    import netaddr
except ImportError:
    netaddr = None


def _library() -> Any:
    if netaddr is None:
        raise AnsibleFilterError(
            "The Python library netaddr is missing on the control node; install it for the Python that runs Ansible."
        )
    return netaddr


def ip_address(text: str) -> Any:
    """netaddr.IPAddress of an address that was classified as one before; an interface after % is dropped."""
    return _library().IPAddress(text.partition("%")[0])


def network_problems(networks: object, option: str, also: str = "") -> list[str]:
    """One sentence for every entry that is no network; none when all are. An address is a network of one host. also: what else the option takes."""
    allowed = f"(allowed: a list of addresses and networks such as 192.0.2.0/24 or 2001:db8::/32{also})"
    if not isinstance(networks, list):
        return [f"{option}: {networks!r} is not allowed {allowed}"]
    library = _library()
    problems = []
    for entry in networks:
        try:
            # netaddr takes "10" for a network, too.
            kind = classify(entry.partition("/")[0]).kind if isinstance(entry, str) else INVALID
            network = library.IPNetwork(entry) if kind in (IPV4, IPV6) else None
        except (library.AddrFormatError, ValueError):
            network = None
        if network is None:
            problems.append(f"{option}: {entry!r} is not allowed {allowed}")
        elif network.ip != network.network and network.prefixlen < (32 if network.version == 4 else 128):
            # ufw and firewalld would each make another rule of it, and find it different at every run.
            problems.append(
                f"{option}: {entry!r} is not allowed (it has bits beyond its prefix; allowed: {network.cidr})"
            )
    return problems
