# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups and servers of ProxySQL, what a task says about them, and the state of one proxy. No I/O here.

Words: a *group* is one row of mysql_group_replication_hostgroups, known by its writer hostgroup. *Memory* is what the admin tables
hold, *runtime* what the proxy works by, *disk* what it starts from. *Loaded* servers are the rows of memory at the last LOAD; *placed*
servers are where the monitor has them now. A server is *configured* in one hostgroup and *placed* in others, so runtime is compared
through the loaded rows, never through the placed ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence, Tuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import join_address

ServerKey = Tuple[int, str, int]  # hostgroup, hostname, port
Address = Tuple[str, int]

ROLES = ("writer", "backup_writer", "reader", "offline")
CONFIGURED_IN = ("auto",) + ROLES
STATUSES = ("ONLINE", "OFFLINE_SOFT", "OFFLINE_HARD")

LOAD = "LOAD MYSQL SERVERS TO RUNTIME"
SAVE = "SAVE MYSQL SERVERS TO DISK"
GROUP_TABLE = "mysql_group_replication_hostgroups"
SERVER_TABLE = "mysql_servers"


class Group(NamedTuple):
    writer_hostgroup: int
    backup_writer_hostgroup: int
    reader_hostgroup: int
    offline_hostgroup: int
    active: int
    max_writers: int
    writer_is_also_reader: int
    max_transactions_behind: int
    comment: str

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        return self[:4]

    def role_of(self, hostgroup: int) -> str | None:
        return ROLES[self.numbers.index(hostgroup)] if hostgroup in self.numbers else None

    def counterpart(self, other: Group, hostgroup: int) -> int | None:
        """The hostgroup that has here the role of this one in the other group; None if it has none there."""
        role = other.role_of(hostgroup)
        return self.number_of(role) if role else None

    def number_of(self, role: str) -> int:
        return self.numbers[ROLES.index(role)]


class Server(NamedTuple):
    """The columns of mysql_servers beside its key."""

    gtid_port: int = 0
    status: str = "ONLINE"
    weight: int = 1
    compression: int = 0
    max_connections: int = 1000
    max_replication_lag: int = 0
    use_ssl: int = 0
    max_latency_ms: int = 0
    comment: str = ""


class Layer(NamedTuple):
    groups: dict[int, Group]
    servers: dict[ServerKey, Server]


class Desired(NamedTuple):
    """What a task says about one group."""

    writer_hostgroup: int
    group: Group | None  # None: absent
    servers: dict[Address, Server] | None = None  # None: the task says nothing about servers
    exclusive: bool = False
    configured_in: str = "auto"
    keep_servers: bool = False


class Extras(NamedTuple):
    """Columns that this module does not know, of a newer ProxySQL: a row that is written anew keeps them."""

    groups: dict[int, dict[str, str | None]]
    servers: dict[Address, dict[str, str | None]]


class Facts(NamedTuple):
    """The state of one ProxySQL. Placed rows are empty until a LOAD needs them (needs_places)."""

    memory: Layer
    runtime: Layer  # its groups, and the servers as they were loaded
    disk: Layer
    placed: dict[ServerKey, Server] = {}
    monitor_enabled: bool = True
    extras: Extras = Extras({}, {})

    @property
    def layers(self) -> tuple[Layer, Layer, Layer]:
        return self.memory, self.runtime, self.disk


def show_address(address: Sequence[Any]) -> str:
    hostname, port = address[0], address[1]
    return hostname if hostname.startswith("/") else join_address(hostname, port)
