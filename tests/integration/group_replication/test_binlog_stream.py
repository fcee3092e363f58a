# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stream of binary logs on real servers: a source that dies, gaps, hosts that are killed, places that go.

GR_MYSQLD_ROOT=/some/tree python -m pytest tests/integration/group_replication/test_binlog_stream.py
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import time

import pymysql
import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from backup_site import NAMES, Site, wait_for
from gr_local_servers import GROUP_NAME, REPL_PASSWORD, LocalServer

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim(
        "Binary logs are stored at most 5 s behind, whatever dies; a gap is mended from another member, or said."
    ),
]


class PatientServer(LocalServer):
    """A server on a machine that has much to do."""

    def wait_up(self, timeout=300):
        super().wait_up(timeout)


def account(server):
    """The account of backups, as the role makes it."""
    conn = server.session(
        "SET sql_log_bin=0",
        "CREATE USER gr_backup@'%' IDENTIFIED BY 'Backup-\"Secret\\\\.1' REQUIRE SSL",
        "GRANT BACKUP_ADMIN, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO gr_backup@'%'",
        "GRANT SELECT ON performance_schema.replication_group_members TO gr_backup@'%'",
    )
    conn.close()


def join(server, first=False, reset=False):
    """Into the group."""
    server.sql("STOP GROUP_REPLICATION")
    server.sql(
        "CHANGE REPLICATION SOURCE TO SOURCE_USER='repl', SOURCE_PASSWORD=%s FOR CHANNEL 'group_replication_recovery'", REPL_PASSWORD
    )  # fmt: skip
    if first:
        server.sql("SET GLOBAL group_replication_bootstrap_group=ON")
    if reset:
        server.sql("RESET BINARY LOGS AND GTIDS")
    server.sql("START GROUP_REPLICATION")
    server.sql("SET GLOBAL group_replication_bootstrap_group=OFF")
    wait_for(lambda: state(server)[0] == "ONLINE", 180, f"{server.name} joining")


@pytest.fixture(scope="session", name="tree")
def fixture_tree():
    """The tree with mysqld in it."""
    if "GR_MYSQLD_ROOT" not in os.environ:
        pytest.skip("servers of their own, in a tree of their own")
    return os.environ["GR_MYSQLD_ROOT"]


@pytest.fixture(scope="session", name="servers")
def fixture_servers(tree):
    """Three servers in a group."""
    made = [PatientServer(number, tree, "/var/tmp/backup", base_port=26100) for number in range(3)]
    try:
        for server in made:
            server.blank()
            account(server)
        join(made[0], first=True)
        made[0].sql("CREATE DATABASE shop")
        made[0].sql("CREATE TABLE shop.t (id INT PRIMARY KEY AUTO_INCREMENT, at DOUBLE, filler VARCHAR(200))")
        for server in made[1:]:
            join(server, reset=True)
        yield made
    finally:
        for server in made:
            server.stop()
            shutil.rmtree(server.host_path(), ignore_errors=True)


def state(server):
    """What a member says of itself, and whom it sees ONLINE."""
    try:
        rows = server.sql(
            "SELECT MEMBER_STATE AS state, MEMBER_ID = @@server_uuid AS mine FROM performance_schema.replication_group_members"
        )
    except pymysql.MySQLError:
        return "", 0
    return next((row["state"] for row in rows if row["mine"] == "1"), ""), sum(row["state"] == "ONLINE" for row in rows)


@pytest.fixture(name="group")
def fixture_group(servers):
    """Three ONLINE members."""
    for server in servers:
        with contextlib.suppress(TypeError, ProcessLookupError):
            server.thaw()
        server.start()
    alive = [server for server in servers if state(server)[0] == "ONLINE"]
    if not alive:
        # The one with most begins.
        counts = {
            server.name: server.sql("SELECT LENGTH(@@GLOBAL.gtid_executed) AS n, @@GLOBAL.gtid_executed AS g")[0]
            for server in servers
        }
        first = max(servers, key=lambda server: GtidSet(counts[server.name]["g"]).count())
        join(first, first=True)
        alive = [first]
    for server in servers:
        if server not in alive:
            join(server)
    wait_for(lambda: all(state(server) == ("ONLINE", 3) for server in servers), 180, "the group")
    return servers


@pytest.fixture(name="site")
def fixture_site(group, tree, tmp_path):
    """A place, and hosts that make backups."""
    made = Site(group, tree, tmp_path, GROUP_NAME)
    yield made
    made.end()


LOSS = 5.0


def streaming(host, seconds=120):
    """Its source, once there is one."""
    wait_for(lambda: host.state().get("state") == "streaming", seconds, f"{host.name} streaming: {host.said()}")
    return NAMES.index(host.state()["source"])


def rows(text):
    """The times of rows in what mysqlbinlog writes with -vv."""
    return [float(found) for found in re.findall(r"###   @2=([0-9.]+)", text)]


def test_parts_become_a_whole_and_can_be_read(site):
    begin = site.full()
    host = site.hosts[0].start()
    source = streaming(host)
    for _time in range(3):
        site.insert(count=5)
        host.wait_stored(site.executed())
    paths = {entry.path for entry in site.place.list("shop/timeline-0001/logs")}
    assert [path for path in paths if ".d/" in path and path.endswith(".zst.age")], paths
    found = site.plan()
    assert found.reached == site.executed()
    text = site.text(site.files(found))
    assert len(rows(text)) == 15
    # The file ends: it becomes one object.
    site.servers[source].sql("FLUSH BINARY LOGS")
    site.insert()
    wait_for(lambda: any(log.complete for log in site.plan().steps), 120, "the whole file")
    wait_for(lambda: host.state().get("spool", 1 << 30) < 1 << 20, 60, "the spool")
    host.wait_stored(site.executed())
    found = site.plan()
    assert found.reached == site.executed() and found.steps[0].complete and len(found.steps[0].parts) == 1
    site.text(site.files(found))
    assert host.json("check", "--deep")["ok"]
    assert host.json("list")["timelines"][0]["fulls"][0]["until"] == str(site.executed())
    status = host.json("status")
    assert status["state"] == "well" and status["leader"] == "backup0" and status["stream"]["behind"] < 3, status
    assert begin != found.reached


def test_the_source_is_killed_and_what_was_committed_5_s_before_is_there(site):
    site.full()
    host = site.hosts[0].start()
    source = streaming(host)
    others = [number for number in range(3) if number != source]
    committed = site.start_load((source, *others))
    wait_for(lambda: len(committed) > 200, 240, "load")
    host.wait_stored(site.executed(others[0]))
    # The member and the host in the same moment: what is in the place then is all there is.
    killed = time.time()
    host.kill()
    site.servers[source].kill9(restart=False)
    found = site.plan()
    times = rows(site.text(site.files(found)))
    assert times and max(times) > killed - LOSS, f"{killed - max(times):.1f} s are missing"
    print(f"killed {killed - max(times):.2f} s after the last transaction that is in the place")
    # It begins again, with another source; everything is there.
    (host.folder / "stream.json").unlink()
    host.start()
    assert streaming(host) != source
    site.stop_load()
    wanted = site.executed(others[0])
    host.wait_stored(wanted)
    found = site.plan()
    assert found.reached.contains(wanted)
    shutil.rmtree(site.top / "restored")
    assert len(set(rows(site.text(site.files(found))))) == len(set(rows_of(site, others[0])))


def rows_of(site, number):
    """The times of the rows since the site began."""
    return [float(row["at"]) for row in site.servers[number].sql("SELECT at FROM shop.t WHERE at > %s", site.began)]


def test_the_source_is_killed_and_the_stream_goes_on_from_another_member(site):
    site.full()
    host = site.hosts[0].start()
    source = streaming(host)
    others = [number for number in range(3) if number != source]
    committed = site.start_load((others[0],))
    wait_for(lambda: len(committed) > 50, 240, "load")
    site.servers[source].kill9(restart=False)
    wait_for(lambda: host.state().get("source") in [NAMES[number] for number in others], 120, "another source")
    worst = 0.0
    end = time.monotonic() + 8
    while time.monotonic() < end:
        worst = max(worst, host.state().get("behind", 0.0))
        time.sleep(0.2)
    assert worst <= LOSS, worst
    site.stop_load()
    wanted = site.executed(others[0])
    host.wait_stored(wanted)
    found = site.plan()
    assert found.reached.contains(wanted)
    assert len({log.source for log in found.steps}) >= 1
    site.text(site.files(found))


def test_a_frozen_source_is_left(site):
    site.full()
    host = site.hosts[0].start()
    source = streaming(host)
    site.servers[source].freeze()
    try:
        wait_for(lambda: host.state().get("source") not in (None, NAMES[source]), 120, "another source")
    finally:
        site.servers[source].thaw()
    site.insert((source + 1) % 3)
    host.wait_stored(site.executed((source + 1) % 3))


def test_what_is_deleted_in_the_place_is_mended_from_the_members(site):
    site.full()
    host = site.hosts[0].start()
    source = streaming(host)
    for _file in range(3):
        site.insert(source, 3)
        site.servers[source].sql("FLUSH BINARY LOGS")
    site.insert(source)
    host.wait_stored(site.executed(source))
    wait_for(lambda: sum(log.complete for log in site.plan().steps) >= 3, 120, "whole files")
    host.kill(signal.SIGTERM)
    reached = site.plan().reached
    victim = site.plan().steps[1].parts[0].path
    os.unlink(site.place_at / "shop" / "timeline-0001" / victim)
    assert not site.plan().reached.contains(reached)
    assert host.run("check", check=False).returncode == 4
    host.run("stream", "--once")
    assert site.plan().reached.contains(reached)


def test_a_gap_that_no_member_can_mend_is_said_and_a_full_ends_it(site):
    site.full()
    site.insert(0, 3)
    for server in site.servers:
        server.sql("FLUSH BINARY LOGS")
        wait_for(
            lambda server=server: GtidSet(server.sql("SELECT @@GLOBAL.gtid_executed AS g")[0]["g"]).contains(
                site.executed()
            ),
            10,
        )
        newest = server.sql("SHOW BINARY LOGS")[-1]["Log_name"]
        server.sql(f"PURGE BINARY LOGS TO '{newest}'")
    host = site.hosts[0].start()
    wait_for(lambda: host.state().get("state") == "gap", 120, "the gap")
    site.insert(0, 2)
    host.wait_stored(GtidSet(host.state()["stored_until"]))
    status = host.json("status", check=False)
    assert status["state"] == "alarm" and "gap" in [one["what"] for one in status["alarms"]]
    wait_for(lambda: host.json("status", check=False)["full"]["due"], 120, "a full that is due")
    assert "cannot be restored" in host.run("plan", "--after", str(site.executed()), check=False).stderr
    host.kill(signal.SIGTERM)
    site.full(name="later")
    host.start()
    streaming(host)
    site.insert(0, 2)
    host.wait_stored(site.executed())
    assert site.plan().reached.contains(site.executed()) and site.plan().full.id == "later"
    assert not host.json("status")["full"]["due"]


def test_killed_at_any_moment_and_started_again(site):
    site.full()
    host = site.hosts[0]
    committed = site.start_load((0, 1), each=0.01)
    for number in range(8):
        host.start()
        time.sleep(0.7 + 0.45 * number)
        host.kill()
        if number % 3 == 2:
            site.servers[number % 2].sql("FLUSH BINARY LOGS")
        assert site.catalog().problems == [] or all("object" in one.problem for one in site.catalog().problems)
    site.stop_load()
    assert committed
    host.run("stream", "--once")
    wanted = site.executed()
    found = site.plan()
    assert found.reached.contains(wanted)
    assert len(set(rows(site.text(site.files(found))))) == len(set(rows_of(site, 0)))


def test_the_place_goes_and_comes_back(site):
    site.full()
    host = site.hosts[0].start()
    streaming(host)
    site.insert()
    host.wait_stored(site.executed())
    os.rename(site.place_at, site.top / "away")
    site.insert(0, 5)
    wait_for(lambda: host.state().get("kind") == "place_gone", 120, "an alarm")
    status = host.json("status", check=False)
    assert [one["what"] for one in status["alarms"]][:1] == ["place_gone"], status
    assert not site.place_at.exists()
    os.rename(site.top / "away", site.place_at)
    host.wait_stored(site.executed())
    wait_for(lambda: host.json("status", check=False)["state"] == "well", 60, "well")


def test_the_second_host_takes_over_and_gives_back(site):
    site.full()
    first, second = site.hosts
    first.start()
    streaming(first)
    second.start()
    wait_for(lambda: second.state().get("state") == "standby", 120, "standby")
    assert second.json("prune")["nothing"].startswith("backup0 is at work")
    first.kill()
    site.insert()
    source = streaming(second, 60)
    site.insert(source)
    second.wait_stored(site.executed(source))
    # Both at once: nothing of it does harm.
    first.start()
    streaming(first)
    site.insert(source, 3)
    first.wait_stored(site.executed(source))
    wait_for(lambda: second.state().get("state") == "standby", 120, "standby")
    assert site.plan().reached.contains(site.executed(source))
    assert first.json("check", "--deep")["ok"]
    site.text(site.files(site.plan()))


def test_another_cluster_of_this_name_is_not_stored(site):
    site.full()
    gtids = site.executed()
    record = next(iter(site.place.list("shop/timeline-0001/fulls"))).path
    text = (site.place_at / record).read_text()
    (site.place_at / record).write_text(text.replace(str(gtids), "11111111-1111-1111-1111-111111111111:1-5"))
    done = site.hosts[0].run("stream", "--once", check=False)
    assert done.returncode == 1 and "does not hold what the newest full backup holds" in done.stderr
    assert not site.place.list("shop/timeline-0001/logs")
    site.hosts[1].write(group_name="11111111-1111-1111-1111-111111111111")
    done = site.hosts[1].run("list", check=False)
    assert done.returncode == 1 and "is of cluster 'shop' with group" in done.stderr
