# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The replication channel from the other site.

What MySQL (seen with 9.7.4) asks for: the channel is made on the secondaries first, without failover, where it is refused; and on the primary last, with
failover, which the primary tells the others: who has no such channel then is expelled. A newly elected primary starts it by itself.

Private to this collection.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import parse_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import operation
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.sites import CHANNEL, channel_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

if TYPE_CHECKING:
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.site import SiteChange

LOOK = 5  # seconds after which it is looked whether what is waited for still can come
STARTED = 30  # seconds for a channel to connect
_WAIT = "SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, {seconds}) AS missing"
_CHANNEL = """SELECT c.SOURCE_CONNECTION_AUTO_FAILOVER AS failover, s.RECEIVED_TRANSACTION_SET AS received,
 (SELECT COUNT(*) FROM performance_schema.replication_asynchronous_connection_failover_managed AS m WHERE m.CHANNEL_NAME = c.CHANNEL_NAME
 AND m.MANAGED_NAME = %s) AS managed
 FROM performance_schema.replication_connection_configuration AS c
 JOIN performance_schema.replication_connection_status AS s ON s.CHANNEL_NAME = c.CHANNEL_NAME WHERE c.CHANNEL_NAME = %s"""
# By the clock of the server that committed it first.
_LAST = """SELECT LAST_APPLIED_TRANSACTION AS gtid, LAST_APPLIED_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP AS committed
 FROM performance_schema.replication_applier_status_by_worker WHERE CHANNEL_NAME = %s AND LAST_APPLIED_TRANSACTION <> ''
 ORDER BY LAST_APPLIED_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP DESC LIMIT 1"""


class SiteChannel:
    """The channel of the managed server, for one run."""

    def __init__(self, run: SiteChange) -> None:
        self.run = run
        self.found: dict[str, Any] = {}
        self.last: dict[str, str] = {}  # what it applied last

    def source_of(self, details: Mapping[str, Any]) -> tuple[str, int]:
        """Host and port of the other site's primary, or of another member that is ONLINE."""
        if "host" in details:
            return details["host"], details["port"]
        other = self.run.situation.other
        address = other.primary or (other.home.online[0] if other.home else other.members[0])
        return parse_address(address)

    def look(self) -> bool:
        """See how it is configured; whether it is made to fail over."""
        channel = channel_of(self.run.mine)
        rows = self.run.local.query(_CHANNEL, (self.run.wish["other_group"], CHANNEL)) if channel else []
        self.found = dict(rows[0]) if rows else {}
        return bool(rows) and str(self.found["failover"]) == "1" and int(self.found["managed"]) == 1

    def has(self, executed: str, seconds: float) -> bool:
        """Whether this server has executed these transactions, after at most as many seconds."""
        rows = self.run.local.query(_WAIT.format(seconds=f"{seconds:.1f}"), (executed,))
        return int(rows[0]["missing"]) == 0

    def make(self, details: Mapping[str, Any]) -> None:
        """On a secondary: configured only."""
        self.change_source(self.source_of(details), "")

    def change_source(self, source: tuple[str, int], more: str) -> None:
        """Where the channel leads to."""
        ca = self.run.params.get("site_ca_cert") or ""
        words = (source[0], self.run.params["site_user"], self.run.params["site_password"], ca, CHANNEL)
        self.run.execute("change_source", words, (2,), port=source[1], verify=int(bool(ca)), more=more)

    def follow(self, details: Mapping[str, Any]) -> None:
        """Make the channel, or make it again, and start it."""
        source = self.source_of(details)
        if details["made"] and self.run.wish["complete"] is False and channel_of(self.run.mine) is not None:
            self.run.execute("stop_channel", (CHANNEL,))
        if not details["made"] or self.run.wish["complete"] is False:
            self.change_source(source, ", SOURCE_CONNECTION_AUTO_FAILOVER=1")
            if not int(self.found.get("managed") or 0):
                words = (CHANNEL, self.run.wish["other_group"], source[0])
                self.run.execute("add_managed_source", words, port=source[1])
        self.run.execute("start_channel", (CHANNEL,))
        if not self.run.check_mode:
            self.started()

    def started(self) -> None:
        """Wait until it receives and applies."""
        end = time.monotonic() + STARTED
        while True:
            self.run.facts.update(self.run.cluster.gather([self.run.me]))
            channel = channel_of(self.run.mine)
            if channel is not None and channel.runs and not channel.error:
                return
            if (channel is not None and channel.error and channel.receiver != "CONNECTING") or time.monotonic() > end:
                raise Refusal(f"this site {channel or 'has no channel'}; run again when that is put right")
            time.sleep(operation.POLL)

    def leave(self) -> None:
        """Apply what was received, and follow nobody any more. The channel of the secondaries is removed by their own run."""
        if channel_of(self.run.mine) is None:
            return
        self.run.execute("stop_receiver", (CHANNEL,))
        if not self.run.check_mode:
            rows = self.run.local.query(_CHANNEL, (self.run.wish["other_group"], CHANNEL))
            received = str(rows[0]["received"] or "").replace("\n", "")
            while not self.has(received, LOOK):
                self.run.facts.update(self.run.cluster.gather([self.run.me]))
                channel = channel_of(self.run.mine)
                if self.run.left() <= 0 or (channel is not None and channel.applier != "ON"):
                    left = (GtidSet(received) - GtidSet(self.run.mine.gtid_executed)).count()
                    raise Refusal(
                        f"{left} transactions were received and are not applied: this site {channel}. It takes no writes yet; put that right, START REPLICA "
                        f"SQL_THREAD FOR CHANNEL '{CHANNEL}', and run again"
                    )
            for row in self.run.local.query(_LAST, (CHANNEL,)):
                self.last = {"gtid": str(row["gtid"]), "committed": str(row["committed"])}
        self.run.execute("stop_channel", (CHANNEL,))
        self.run.execute("forget_failover", (CHANNEL,))
        if int(self.found.get("managed") or 0):
            self.run.execute("delete_managed_source", (CHANNEL, self.run.wish["other_group"]))
        self.run.execute("reset_channel", (CHANNEL,))
