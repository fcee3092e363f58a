# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared members: all asked at the same time, each over one connection.

Private to this collection.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Dict, Iterable

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import format_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import (
    Connection,
    ServerError,
    peer_connection,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import Data, look, without_waiting
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import ServerFacts, gather, unreachable
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

Facts = Dict[str, ServerFacts]


class Cluster:
    """The declared members: connections that stay open while the module runs, at most one per member."""

    def __init__(
        self,
        members: Iterable[str],
        me: str | None,
        local: Connection,
        peer_user: str | None,
        peer_password: str | None,
        peer_ca_cert: str | None = None,
        connect_timeout: int = 3,
        read_timeout: int = 10,
        lock: str = "",
    ) -> None:
        """members: normalized addresses; me: the one of the managed server, or None; local: the connection to it."""
        self.members = list(members)
        self.me = me or ""
        self.local = local
        self.lock = lock
        self.connect_timeout = connect_timeout
        self.data: dict[
            str, Data
        ] = {}  # what is known of members beside their GTID sets: given, and of the managed server looked at
        self.peers = {
            address: peer_connection(address, peer_user, peer_password, peer_ca_cert, connect_timeout, read_timeout)
            for address in self.members
            if address != me
        }

    def connection(self, address: str) -> Connection:
        """The connection to a declared member."""
        return self.local if address == self.me else self.peers[address]

    def gather(self, only: Iterable[str] | None = None, within: float | None = None) -> Facts:
        """The facts of all declared members (or of some) by address, asked at the same time. within: seconds, after which who has not answered does not."""
        wanted = self.members if only is None else list(only)
        found: Facts = {}

        def ask(address: str) -> None:
            try:
                found[address] = self._ask(address)
            except ServerError as error:
                self.connection(address).close()
                found[address] = unreachable(address, str(error), "unreachable" if error.lost else "refused")
            except Exception as error:  # a thread must not lose its member: that would make it absent
                self.connection(address).close()
                found[address] = unreachable(address, f"{address}: {type(error).__name__}: {error}")

        threads = [threading.Thread(target=ask, args=(address,), daemon=True) for address in wanted]
        for thread in threads:
            thread.start()
        # A server that hangs in the middle of an answer is bounded by the read timeout; this is the bound on everything.
        end = time.monotonic() + (4 * (self.connect_timeout + 10) if within is None else within)
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        return self.with_data(
            {address: found.get(address) or unreachable(address, f"{address}: no answer in time") for address in wanted}
        )

    def with_data(self, facts: Facts) -> Facts:
        """The facts with what is known of members beside their GTID sets."""
        return {a: f._replace(data=self.data.get(a)) if f.reachable else f for a, f in facts.items()}

    def look_at_data(self, history: bool) -> None:
        """See what the managed server holds beside its GTID set."""

        def ask(text: str) -> list[list[Any]]:
            return [list(row.values()) for row in self.local.query(text)]

        before = without_waiting(ask)
        if before:
            self.local.query(before)
        self.data[self.me] = look(ask, history)

    def _ask(self, address: str) -> ServerFacts:
        connection = self.connection(address)
        was_open, account = connection.is_open, self.local.user or "root"
        try:
            return gather(connection, address, self.lock, address == self.me, account)
        except ServerError as error:
            if not error.lost or not was_open or address == self.me:
                raise
            # An idle connection may have died with a server that is back by now.
            return gather(connection, address, self.lock, account=account)

    def close(self) -> None:
        """Close all connections."""
        for connection in (*self.peers.values(), self.local):
            connection.close()


def find_me(members: list[str], facts: ServerFacts) -> str:
    """Which declared member the server with these facts is; a Refusal when that is not clear."""
    address = format_address(facts.report_host or facts.hostname, facts.report_port or facts.port or 3306)
    if address in members:
        return address
    raise Refusal(
        f"member: cannot tell which of members ({', '.join(members)}) is this server, whose report_host:report_port is {address}; "
        "name it with member"
    )
