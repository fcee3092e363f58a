# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clients of one ProxySQL: new ones are sent away, and those that are there are waited for.

PROXYSQL PAUSE is the command for it. It takes about a second for each of ProxySQL's threads, in which who connects is kept waiting. So ProxySQL is
told to have one client at most instead, in runtime only, and that one is here: all others are refused at once. Peers of a ProxySQL cluster would take
the variable over, so there it is PAUSE nevertheless.
"""

from __future__ import annotations

import contextlib
import socket
import time

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import AddressError, parse_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import Admin, AdminError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.read import number
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.rows import Statement
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.tables import GATE, ONE_CLIENT

CONNECTED = "SELECT Variable_Value FROM stats_mysql_global WHERE Variable_Name = 'Client_Connections_connected'"
PEERS = "SELECT COUNT(*) AS peers FROM runtime_proxysql_servers"
LIMIT = f"SELECT variable_value AS value FROM global_variables WHERE variable_name = '{GATE[0]}'"
INTERFACES = "SELECT variable_value AS value FROM runtime_global_variables WHERE variable_name = 'mysql-interfaces'"
LOAD = "LOAD MYSQL VARIABLES TO RUNTIME"
POLL = 0.02
# ProxySQL closes a connection that does not log in within mysql-connect_timeout_client, 10 s.
RENEW = 5.0
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class Gate:
    """Closed to new clients from `close` until ProxySQL is restarted, or `open`."""

    def __init__(self, admin: Admin) -> None:
        self.admin = admin
        self.limit = ""  # that memory has; "" where it was not changed
        self.held: socket.socket | None = None
        self.since = 0.0

    def close(self) -> None:
        """Take no new clients."""
        if self.has_peers():
            self.pause()
            return
        self.limit = "".join(str(row["value"]) for row in self.admin.query(LIMIT))
        self.execute(f"SET {GATE[0]} = {ONE_CLIENT}", LOAD)
        # In runtime only: what is saved or loaded after an interrupted run is as it was. The site playbook loads it then (config.gate_left).
        self.execute(f"SET {GATE[0]} = {self.limit}")
        self.hold()

    def has_peers(self) -> bool:
        """Whether it is one of a ProxySQL cluster."""
        return any(number(row["peers"]) for row in self.admin.query(PEERS))

    def open(self) -> None:
        """Take clients again, where nothing is restarted after all."""
        if self.limit:
            self.execute(f"SET {GATE[0]} = {self.limit}", LOAD)
        self.release()

    def pause(self) -> None:
        """A run that was interrupted may have done it."""
        try:
            self.execute("PROXYSQL PAUSE")
        except AdminError as error:
            if "already paused" not in str(error):
                raise

    def execute(self, *statements: str) -> None:
        for text in statements:
            self.admin.execute(Statement.plain(text))

    def hold(self) -> None:
        """Be the one client, one that never logs in."""
        earlier, self.held = self.held, knock("".join(str(row["value"]) for row in self.admin.query(INTERFACES)))
        self.since = time.monotonic()
        if earlier is not None:
            earlier.close()

    def release(self) -> None:
        if self.held is not None:
            self.held.close()
        self.held = None

    def others(self) -> int:
        """How many clients are connected, this one not counted."""
        clients = sum(number(value) for row in self.admin.query(CONNECTED) for value in row.values())
        return max(0, clients - (self.held is not None))

    def wait_gone(self, timeout: int) -> int:
        """How many clients are there when none is left, or the time is over."""
        deadline = time.monotonic() + timeout
        while (clients := self.others()) and time.monotonic() < deadline:
            if self.held is not None and time.monotonic() - self.since > RENEW:
                self.hold()
            time.sleep(POLL)
        return clients


def knock(interfaces: str) -> socket.socket | None:
    """A connection to the first of ProxySQL's addresses for clients that takes one; it has greeted, so it is counted."""
    for text in interfaces.split(";"):
        with contextlib.suppress(OSError, AddressError):
            return greeted(text.strip())
    return None


def greeted(interface: str) -> socket.socket:
    if interface.startswith("/"):
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(2)
        made.connect(interface)
    else:
        address = parse_address(interface, 6033, "mysql-interfaces")
        made = socket.create_connection((ANYWHERE.get(address.host, address.host), address.port), 2)
    made.recv(1)
    return made
