# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other modules on three real servers: info, primary, fence, force quorum; with the state checked on all members afterwards."""

from __future__ import annotations

import threading
import time

import pytest
from gr_scenario import decisions, refused, wait_for

pytestmark = [
    pytest.mark.members,
    pytest.mark.integration,
    pytest.mark.claim("Info, primary, fence and force quorum do on real servers what their documentation says."),
]

INFO = {"module": "distdb.mysql_ha.group_replication_info", "bootstrap_options": False}
PRIMARY = {"module": "distdb.mysql_ha.group_replication_primary", "bootstrap_options": False}
FENCE = {"module": "distdb.mysql_ha.group_replication_fence", "bootstrap_options": False}
QUORUM = {"module": "distdb.mysql_ha.group_replication_force_quorum", "bootstrap_options": False}


def cluster(group, host="db0"):
    """The diagnosis from one host."""
    result = group.call(host, **INFO)[host]
    assert not result.get("failed"), result.get("msg")
    assert not result["changed"]
    return result["cluster"]


def kinds(group, report):
    """Kinds in declared order."""
    return [report["members"][server.address]["kind"] for server in group.servers]


class Writer(threading.Thread):
    """Inserts numbered rows through whichever member takes them; keeps those that were acknowledged."""

    def __init__(self, group):
        super().__init__(daemon=True)
        self.group = group
        self.acknowledged = []
        self.ended = threading.Event()

    def run(self):
        number = 0
        while not self.ended.is_set():
            number += 1
            value = f"w{number:06d}"
            try:
                self.group.insert(number % 3, value)
                self.acknowledged.append(value)
            except Exception:  # refused or lost: not acknowledged
                self.ended.wait(0.05)

    def stop(self):
        """The acknowledged values."""
        self.ended.set()
        self.join(30)
        return self.acknowledged


def primaries(group, index):
    """Who is primary, as this member sees it."""
    rows = group[index].sql(
        "SELECT MEMBER_HOST AS host, MEMBER_PORT AS port FROM performance_schema.replication_group_members WHERE MEMBER_ROLE = 'PRIMARY'"
    )
    return sorted(f"{row['host']}:{row['port']}" for row in rows)


def test_info_of_a_healthy_group(group):
    report = cluster(group)
    assert (report["state"], report["uncertain"], report["warnings"]) == ("ONLINE", False, [])
    assert kinds(group, report) == ["member"] * 3
    assert report["group_name"] == group.backend.group_name
    assert report["undeclared"] == []


def test_info_of_every_kind_of_member(group):
    group.out(1, 2)
    group[2].sql("SET GLOBAL super_read_only = OFF")
    group[2].sql("SET GLOBAL read_only = OFF")
    group.insert(2, "errant")
    report = cluster(group)
    assert (report["state"], report["uncertain"]) == ("ONLINE_PARTIAL", False)
    assert kinds(group, report) == ["member", "rejoinable", "broken"]
    assert report["members"][group[2].address]["errant"].startswith(group[2].sql("SELECT @@server_uuid AS u")[0]["u"])
    group[1].stop()
    report = cluster(group)
    assert report["uncertain"]
    assert kinds(group, report) == ["member", "unreachable", "broken"]
    group[1].start()
    group.out(0)
    report = cluster(group)
    assert (report["state"], report["uncertain"]) == ("OFFLINE", False)
    # Asked from a server that is down itself: the others still answer.
    group[0].stop()
    report = cluster(group)
    assert (report["state"], report["uncertain"]) == ("OFFLINE", True)
    assert kinds(group, report)[0] == "unreachable"


def test_a_dead_host_costs_a_short_timeout(group):
    started = time.monotonic()
    cluster(group)
    healthy = time.monotonic() - started
    group[2].freeze()
    try:
        started = time.monotonic()
        result = group.call("db0", peer_connect_timeout=1, **INFO)["db0"]
        frozen = time.monotonic() - started
        assert result["cluster"]["members"][group[2].address]["kind"] == "unreachable"
        # A frozen server accepts the connection and says nothing: that too is bounded by the short timeout.
        assert frozen < healthy + 8, f"{frozen:.1f} s with a frozen member, {healthy:.1f} s without"
    finally:
        group[2].thaw()
    group.wait_whole()


def connections(server):
    """How often the module's accounts have connected; a proxy's monitor connects too, all the time."""
    rows = server.sql(
        "SELECT SUM(TOTAL_CONNECTIONS) AS n FROM performance_schema.accounts WHERE USER IN ('root', 'gr_peer')"
    )
    return int(rows[0]["n"])


def test_one_connection_per_member(group):
    """No change costs at most one connection on every member."""
    before = [connections(server) for server in group.servers]
    probe = [connections(server) for server in group.servers]
    own = [after - earlier for earlier, after in zip(before, probe)]
    decisions(group.call("db0"))
    after = [connections(server) for server in group.servers]
    assert [last - earlier - mine for earlier, last, mine in zip(probe, after, own)] == [1, 1, 1]


def test_mode_and_primary_switch_under_writes(group):
    writer = Writer(group)
    writer.start()
    try:
        wait_for(lambda: len(writer.acknowledged) > 3, 20, "the first rows")
        seen = group.call("db0", mode="single_primary", primary=group[1].address, check=True, **PRIMARY)
        assert decisions(seen) == {"db0": "switch_single"}
        assert [len(primaries(group, index)) for index in range(3)] == [3, 3, 3]
        result = group.call("db0", mode="single_primary", primary=group[1].address, diff=True, **PRIMARY)
        assert decisions(result) == {"db0": "switch_single"}
        assert result["db0"]["diff"]["after"]["primaries"] == [group[1].address]
        assert [primaries(group, index) for index in range(3)] == [[group[1].address]] * 3
        again = group.call("db0", mode="single_primary", primary=group[1].address, **PRIMARY)
        assert decisions(again) == {"db0": "unchanged"}
        assert not again["db0"]["changed"]
        # Told on all members at the same time, the work is done once.
        results = group.call(primary=group[2].address, **PRIMARY)
        assert set(decisions(results).values()) <= {"set_primary", "unchanged"}
        assert [primaries(group, index) for index in range(3)] == [[group[2].address]] * 3
        assert decisions(group.call("db1", mode="multi_primary", **PRIMARY)) == {"db1": "switch_multi"}
        assert [len(primaries(group, index)) for index in range(3)] == [3, 3, 3]
    finally:
        acknowledged = writer.stop()
    group.is_one_group()
    group.same_rows(*acknowledged)


def test_refusals_of_mode_and_primary(group):
    refused(group.call("db0", primary=group[1].address, **PRIMARY), "multi-primary mode")
    group.out(2)
    refused(group.call("db2", mode="single_primary", **PRIMARY), "this server is OFFLINE")
    refused(
        group.call("db0", mode="single_primary", primary=group[2].address, **PRIMARY),
        group[2].address + " is not in the group",
    )
    group.is_one_group(0, 1)


def test_a_member_that_was_away_takes_over_the_mode(group):
    group.out(2)
    decisions(group.call("db0", mode="single_primary", primary=group[0].address, **PRIMARY))
    try:
        assert decisions(group.call("db2")) == {"db2": "join"}
        group.is_one_group()
        assert [primaries(group, index) for index in range(3)] == [[group[0].address]] * 3
    finally:
        decisions(group.call("db0", mode="multi_primary", **PRIMARY))


def test_fence_and_back(group):
    assert decisions(group.call(fence="writes", check=True, **FENCE)) == dict.fromkeys(group.names, "fence")
    group.insert(0, "not fenced yet")
    assert decisions(group.call(fence="writes", **FENCE)) == dict.fromkeys(group.names, "fence")
    for index in range(3):
        with pytest.raises(Exception, match="super-read-only"):
            group.insert(index, "must not get in")
    assert decisions(group.call(fence="writes", **FENCE)) == dict.fromkeys(group.names, "unchanged")
    assert decisions(group.call(fence="all", **FENCE)) == dict.fromkeys(group.names, "fence")
    assert {server.sql("SELECT @@offline_mode AS o")[0]["o"] for server in group.servers} == {"1"}
    assert decisions(group.call(fence="none", **FENCE)) == dict.fromkeys(group.names, "unfence")
    for index in range(3):
        group.insert(index, f"free again {index}")
    group.is_one_group()
    group.same_rows("free again 0", "free again 1", "free again 2")


def test_force_quorum(group):
    lost = [group[1].address, group[2].address]
    refused_nothing = group.call("db0", lost_members=lost, **QUORUM)
    assert decisions(refused_nothing) == {"db0": "unchanged"}
    group[1].kill9(restart=False)
    group[2].kill9(restart=False)
    wait_for(lambda: list(group.view(group[0]).values()).count("UNREACHABLE") == 2, 30, "db0 to see that it is alone")
    assert cluster(group)["state"] == "NO_QUORUM"
    refused(group.call("db0", lost_members=lost[:1], **QUORUM), "allowed: exactly the UNREACHABLE members", *lost)
    assert decisions(group.call("db0", lost_members=lost, check=True, **QUORUM)) == {"db0": "force"}
    result = group.call("db0", lost_members=lost, **QUORUM)
    assert decisions(result) == {"db0": "force"}
    assert result["db0"]["after"]["quorum"]
    assert group[0].sql("SELECT @@group_replication_force_members AS f")[0]["f"] in ("", None)
    group.insert(0, "written by the survivor")
    group[1].start()
    group[2].start()
    group.is_one_group(0)
    assert decisions(group.call()) == {"db0": "unchanged", "db1": "join", "db2": "join"}
    group.is_one_group()
    group.same_rows("written by the survivor")
