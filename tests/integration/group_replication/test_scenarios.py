# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""group_replication_bootstrap on three real servers: every situation, with the state checked on all members afterwards."""

from __future__ import annotations

import os
import re
import time
from contextlib import closing

import pytest
from gr_scenario import decisions, refused, wait_for

pytestmark = [
    pytest.mark.members,
    pytest.mark.integration,
    pytest.mark.claim(
        "group_replication_bootstrap does the right thing in 25 situations on real servers: join, rejoin, outage, clone, refusal, leaving.",
        minutes=18,
    ),
]


def test_fresh_group_then_nothing_to_do(blank):
    seen = blank.call(check=True)
    assert decisions(seen) == {"db0": "bootstrap", "db1": "wait_for_seed", "db2": "wait_for_seed"}
    blank.nobody()
    made = blank.call(diff=True)
    assert decisions(made) == {"db0": "bootstrap", "db1": "join", "db2": "join"}
    assert all(result["changed"] for result in made.values())
    assert made["db1"]["diff"]["before"]["state"] == "OFFLINE"
    assert made["db1"]["diff"]["after"]["state"] == "ONLINE"
    text = str(made)
    assert blank.backend.repl_password not in text
    assert blank.backend.peer_password not in text
    assert "SOURCE_PASSWORD='********'" in text
    blank.is_one_group()
    again = blank.call()
    assert decisions(again) == {"db0": "unchanged", "db1": "unchanged", "db2": "unchanged"}
    assert not any(result["changed"] or result["statements"] for result in again.values())
    assert not any(result["changed"] for result in blank.call(check=True).values())


def test_second_and_third_join_at_the_same_time(group):
    group.insert(0, "before")
    group.out(1, 2)
    group.insert(0, "meanwhile")
    seen = group.call("db1", "db2")
    assert decisions(seen) == {"db1": "join", "db2": "join"}
    group.is_one_group()
    group.same_rows("before", "meanwhile")


def test_rejoin_after_a_clean_stop(group):
    group[1].stop()
    group.insert(0, "while db1 was down")
    group[1].start()
    assert decisions(group.call("db1")) == {"db1": "join"}
    group.is_one_group()
    group.same_rows("while db1 was down")


def test_rejoin_while_the_group_still_lists_the_killed_incarnation(group):
    with group[2].started_at_once():
        group[2].kill9()
        group[2].wait_up()
    group.insert(0, "after the kill")
    assert group.view(group[0])[group[2].address] in ("ONLINE", "UNREACHABLE"), (
        "the old incarnation was expelled too early for this test"
    )
    assert decisions(group.call("db2")) == {"db2": "join"}
    group.is_one_group()
    group.same_rows("after the kill")


def test_rejoin_after_expulsion(group):
    group[2].sql("SET GLOBAL group_replication_autorejoin_tries = 0")
    group[2].freeze()
    try:
        wait_for(lambda: group[2].address not in group.view(group[0]), 60, "expulsion of db2")
        group.insert(0, "after the expulsion")
    finally:
        group[2].thaw()
    wait_for(lambda: group.state(group[2]) == "ERROR", 60, "db2 in state ERROR")
    result = group.call("db2")
    assert decisions(result) == {"db2": "join"}
    assert result["db2"]["statements"].index("STOP GROUP_REPLICATION") < result["db2"]["statements"].index(
        "START GROUP_REPLICATION"
    )
    group.is_one_group()
    group.same_rows("after the expulsion")


def test_wrong_recovery_password(group):
    group.out(1)
    group.insert(0, "to be fetched")
    result = group.call("db1", recovery_password="not the password")
    assert result["db1"]["failed"]
    assert "the donor refuses the recovery account 'repl'" in result["db1"]["msg"]
    assert "not the password" not in str(result)
    group.is_one_group(0, 2)
    assert decisions(group.call("db1")) == {"db1": "join"}
    group.is_one_group()


def test_complete_outage_with_equal_sets(group):
    group.insert(0, "before the outage")
    group.each("stop")
    group.up()
    assert decisions(group.call()) == {"db0": "bootstrap", "db1": "join", "db2": "join"}
    group.is_one_group()
    group.same_rows("before the outage")


def test_complete_outage_with_one_superset(group):
    group.out(0)
    group.insert(1, "db0 lacks this")
    group.out(1)
    group.insert(2, "only db2 has this")
    group.out(2)
    results = group.call("db0", "db1", acting_members=group.backend.members[:2])
    refused(results, "only " + group[2].address)
    group.nobody()
    assert decisions(group.call()) == {"db0": "join", "db1": "join", "db2": "bootstrap"}
    group.is_one_group()
    group.same_rows("db0 lacks this", "only db2 has this")


def test_complete_outage_with_conflicting_sets_then_told_whom_to_start_from(group):
    group.out()
    for index in (0, 1):
        group[index].sql("SET GLOBAL super_read_only = OFF")
        group[index].sql("SET GLOBAL read_only = OFF")
        group.insert(index, f"conflict {index}")
    uuids = [server.sql("SELECT @@server_uuid AS u")[0]["u"] for server in group.servers]
    results = group.call()
    refused(results, "no member has everybody's transactions", f"(alone: {uuids[0]}:", f"(alone: {uuids[1]}:")
    group.nobody()
    results = group.call(bootstrap_from=group[0].address)
    assert results["db0"]["decision"] == "bootstrap"
    assert results["db2"]["decision"] == "join"
    assert "transactions that the group lacks" in results["db1"]["msg"]
    group.is_one_group(0, 2)
    assert decisions(group.call("db1", clone="reprovision")) == {"db1": "join"}
    group.is_one_group()
    assert "conflict 1" not in group.rows(group[1])
    group.same_rows("conflict 0")


def test_complete_outage_with_received_but_not_applied_transactions(group):
    """db1 has received what it has not applied and nobody else has any more: it must start the group, and the row must appear."""
    group.out(0)
    # A read lock in a session of db1 keeps its applier from the table, but lets it receive.
    session = group[1].session("LOCK TABLES scenario.t READ")
    try:
        group.insert(2, "received, not applied")
        wait_for(lambda: pending(group[1]), 30, "db1 to receive what it cannot apply")
        group[2].kill9(restart=False)
        group[1].kill9()
    finally:
        session.close()
    group[1].wait_up()
    # db2, which executed it, comes back as a fresh server: only db1 can tell.
    group[2].blank()
    assert "received, not applied" not in group.rows(group[1])
    assert pending(group[1])
    assert decisions(group.call()) == {"db0": "join", "db1": "bootstrap", "db2": "join"}
    group.is_one_group()
    group.same_rows("received, not applied")


def pending(server):
    """Transactions that the applier channel has received and not applied."""
    rows = server.sql(
        "SELECT GTID_SUBTRACT(RECEIVED_TRANSACTION_SET, @@GLOBAL.gtid_executed) AS g "
        "FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = 'group_replication_applier'"
    )
    return rows[0]["g"] if rows else ""


def test_outage_with_one_member_unreachable(group):
    group.each("stop")
    group[0].start()
    group[1].start()
    results = group.call("db0", "db1")
    refused(results, group[2].address + " could not be asked", "unreachable is not absent")
    group[0].sql("SELECT 1")
    assert [group.state(group[index]) for index in (0, 1)] == ["OFFLINE", "OFFLINE"]
    group[2].start()
    group[2].freeze()
    try:
        # A server that accepts connections and never answers is no different.
        refused(group.call("db0", "db1"), group[2].address + " could not be asked")
    finally:
        group[2].thaw()
    # Known to be down for good: told so, the others start without it.
    group[2].stop()
    results = group.call("db0", "db1", bootstrap_without=[group[2].address])
    assert decisions(results) == {"db0": "bootstrap", "db1": "join"}
    group[2].start()
    assert decisions(group.call("db2")) == {"db2": "join"}
    group.is_one_group()


def test_errant_transaction_is_refused_then_cloned(group):
    group.out(2)
    group[2].sql("SET GLOBAL super_read_only = OFF")
    group[2].sql("SET GLOBAL read_only = OFF")
    group.insert(2, "errant")
    uuid = group[2].sql("SELECT @@server_uuid AS u")[0]["u"]
    refused(group.call("db2"), "transactions that the group lacks: " + uuid, "clone=reprovision")
    refused(group.call("db2", clone="when_needed"), "transactions that the group lacks: " + uuid)
    group.is_one_group(0, 1)
    seen = group.call("db2", clone="reprovision", check=True)
    assert decisions(seen) == {"db2": "clone"}
    group.is_one_group(0, 1)
    result = group.call("db2", clone="reprovision")
    assert decisions(result) == {"db2": "join"}
    assert any(
        text.startswith("CLONE INSTANCE FROM 'repl'@") and "'********'" in text for text in result["db2"]["statements"]
    )
    group.is_one_group()
    assert "errant" not in group.rows(group[2])


@pytest.mark.skipif("GR_MYSQLD_ROOT" in os.environ, reason="servers without systemd")
@pytest.mark.parametrize("pause", ["100ms", "4s"])
def test_a_server_that_does_not_come_back_after_its_clone_ends_the_wait(group, pause):
    """systemd gives up after five starts within 10 s; slower ones it would go on with for ever."""
    group.out(2)
    group[2].sql("SET GLOBAL super_read_only = OFF")
    group[2].sql("SET GLOBAL read_only = OFF")
    group.insert(2, "errant")
    folder = "/run/systemd/system/mysql.service.d"
    lines = f"[Service]\nRestartSec={pause}\nExecStartPre=/bin/sh -c 'echo the volume is not there; exit 1'\n"
    group[2].on("sh", "-c", f"mkdir -p {folder}; cat >{folder}/broken.conf; systemctl daemon-reload", text=lines)
    started = time.monotonic()
    try:
        result = group.call("db2", clone="reprovision", service="mysql", error_log="/var/log/mysql/error.log")["db2"]
    finally:
        group[2].on("sh", "-c", f"rm {folder}/broken.conf; systemctl daemon-reload; systemctl reset-failed mysql")
    assert result["failed"] and "the server does not come back: its service " in result["msg"], result
    assert "the volume is not there" in result["msg"]
    assert time.monotonic() - started < 60, "it waited for its timeout of 150 s"
    group[2].start()
    assert decisions(group.call("db2")) == {"db2": "join"}
    group.is_one_group()


def test_purged_binary_logs_are_refused_then_cloned(group):
    group.out(2)
    group.insert(0, "will be purged")
    for index in (0, 1):
        group[index].sql("FLUSH BINARY LOGS")
        last = group[index].sql("SHOW BINARY LOGS")[-1]["Log_name"]
        group[index].sql("PURGE BINARY LOGS TO %s", last)
    refused(group.call("db2"), "no member still has the binary logs with", "clone=when_needed")
    group.is_one_group(0, 1)
    assert decisions(group.call("db2", clone="when_needed")) == {"db2": "join"}
    group.is_one_group()
    group.same_rows("will be purged")


def reported(group, pattern, held, **changes):
    """Run on db2, with a report every second, while held (a context) keeps it from its end; the decisions.

    What is waited for ends when a report like this was written, on however fast a machine, and not before.
    """
    with held:
        call = group.backend.start_call(["db2"], progress=1, **changes)
        wait_for(lambda: re.search(pattern, call.written()) or call.over(), 60, f"a report like {pattern}")
        assert not call.over(), call.written()[-3000:]
    return decisions(call.wait())


def test_a_long_recovery_is_reported(group):
    group.out(2)
    for number in range(20):
        group.insert(0, f"much {number}")
    # A read lock in a session of db2 keeps its applier from the table.
    held = closing(group[2].session("LOCK TABLES scenario.t READ"))
    pattern = r"\[db2\] RECOVERING: [1-9][0-9,]* of [0-9,]+ transactions left \([0-9]+ s\)"
    assert reported(group, pattern, held) == {"db2": "join"}
    group.is_one_group()
    group.same_rows("much 19")


@pytest.mark.skipif("GR_MYSQLD_ROOT" in os.environ, reason="servers on one loopback have no link to make slow")
def test_a_long_clone_is_reported(group):
    group.out(2)
    group[2].sql("SET GLOBAL super_read_only = OFF")
    group[2].sql("SET GLOBAL read_only = OFF")
    group.insert(2, "errant")
    # Not by clone_max_data_bandwidth: MySQL copies at full speed until it has measured its speed, and may be through by then.
    held = group.backend.slow_links(group.servers[:2])
    pattern = r"\[db2\] CLONE of \S+: FILE COPY, [1-9][0-9]* %, [0-9.]+ MiB of [0-9.]+ MiB \([0-9]+ s\)"
    assert reported(group, pattern, held, clone="reprovision") == {"db2": "join"}
    group.is_one_group()
    assert "errant" not in group.rows(group[2])


def test_duplicate_server_uuid(group):
    group.out(2)
    mine = group[2].sql("SELECT @@server_uuid AS u")[0]["u"]
    other = group[0].sql("SELECT @@server_uuid AS u")[0]["u"]
    try:
        group[2].set_uuid(other)
        refused(group.call("db2"), "have the same server_uuid " + other, group[0].address, group[2].address)
        group.is_one_group(0, 1)
    finally:
        group[2].set_uuid(mine)


def test_wrong_group_name(group):
    wrong = "11111111-2222-3333-4444-555555555555"
    refused(group.call("db0", group_name=wrong), "group_replication_group_name is " + group.backend.group_name, wrong)
    group.is_one_group()
    group.out(2)
    group[2].sql("SET GLOBAL group_replication_group_name = %s", wrong)
    try:
        refused(group.call("db2"), "group_replication_group_name is " + wrong)
        # Asked for the wrong one, the living group is of another name.
        refused(group.call("db2", group_name=wrong), "is in the living group " + group.backend.group_name)
        group.is_one_group(0, 1)
    finally:
        group[2].sql("SET GLOBAL group_replication_group_name = %s", group.backend.group_name)


def test_foreign_living_group(group):
    """A declared member lives in another group: nobody bootstraps beside it."""
    foreign = "99999999-2222-3333-4444-555555555555"
    group.out()
    group[2].sql("SET GLOBAL group_replication_group_name = %s", foreign)
    group[2].sql("SET GLOBAL group_replication_bootstrap_group = ON")
    group[2].sql("START GROUP_REPLICATION")
    group[2].sql("SET GLOBAL group_replication_bootstrap_group = OFF")
    try:
        refused(group.call("db0", "db1"), "is in the living group " + foreign)
        assert [group.state(server) for server in group.servers] == ["OFFLINE", "OFFLINE", "ONLINE"]
    finally:
        group.out(2)
        group[2].sql("SET GLOBAL group_replication_group_name = %s", group.backend.group_name)


def test_bootstrap_flag_persisted_by_somebody(group):
    group.out()
    group[1].sql("SET PERSIST group_replication_bootstrap_group = ON")
    try:
        results = group.call()
        refused(results, "group_replication_bootstrap_group is ON", "RESET PERSIST")
        group.nobody()
    finally:
        group[1].sql("RESET PERSIST group_replication_bootstrap_group")
        group[1].sql("SET GLOBAL group_replication_bootstrap_group = OFF")


def test_bootstrap_flag_left_on_by_a_killed_run(group):
    group.out(1)
    group[1].sql("SET GLOBAL group_replication_bootstrap_group = ON")
    result = group.call("db1")
    assert decisions(result) == {"db1": "join"}
    assert "SET GLOBAL group_replication_bootstrap_group = OFF" in result["db1"]["statements"]
    group.is_one_group()


def test_leaving_and_coming_back(group):
    seen = group.call("db2", state="absent", check=True)
    assert decisions(seen) == {"db2": "leave"}
    group.is_one_group()
    result = group.call("db2", state="absent")
    assert decisions(result) == {"db2": "leave"}
    group.is_one_group(0, 1)
    again = group.call("db2", state="absent")
    assert decisions(again) == {"db2": "unchanged"}
    assert not again["db2"]["changed"]
    group[2].stop()
    group[2].start()
    assert group.state(group[2]) == "OFFLINE"
    assert group[2].sql("SELECT @@group_replication_start_on_boot AS b")[0]["b"] == "0"
    assert decisions(group.call("db2")) == {"db2": "join"}
    persisted = group[2].sql(
        "SELECT * FROM performance_schema.persisted_variables WHERE VARIABLE_NAME LIKE '%%start_on_boot'"
    )
    assert not persisted
    group.is_one_group()


def test_leaving_that_would_end_or_block_the_group(group):
    # All three told to leave at the same time: the lock lets them go one by one, and the last one stays.
    results = group.call(state="absent")
    stayed = [name for name, result in results.items() if result.get("failed")]
    assert len(stayed) == 1, results
    assert "last ONLINE member" in results[stayed[0]]["msg"]
    group.is_one_group(group.names.index(stayed[0]))
    assert decisions(group.call(*stayed, state="absent", allow_last_member=True)) == {stayed[0]: "leave"}
    group.nobody()
    assert sorted(decisions(group.call()).values()) == ["bootstrap", "join", "join"]
    group.is_one_group()


def test_leaving_that_would_lose_quorum(group):
    group[0].sql("SET GLOBAL group_replication_member_expel_timeout = 60")
    group[1].sql("SET GLOBAL group_replication_member_expel_timeout = 60")
    group[2].freeze()
    try:
        wait_for(lambda: group.view(group[0])[group[2].address] == "UNREACHABLE", 30, "db2 to be UNREACHABLE")
        wait_for(lambda: group.view(group[1])[group[2].address] == "UNREACHABLE", 30, "db2 to be UNREACHABLE")
        refused(group.call("db1", state="absent"), "no majority", "allow_quorum_loss")
        assert group.state(group[1]) == "ONLINE"
    finally:
        group[2].thaw()
        for index in (0, 1):
            group[index].sql("SET GLOBAL group_replication_member_expel_timeout = 5")
    wait_for(lambda: group.view(group[0]).get(group[2].address) == "ONLINE", 60, "db2 to be back")


def test_member_without_majority_is_refused(group):
    group[1].kill9(restart=False)
    group[2].kill9(restart=False)
    wait_for(lambda: list(group.view(group[0]).values()).count("UNREACHABLE") == 2, 30, "db0 to see that it is alone")
    group[1].start()
    results = group.call("db0", "db1")
    refused(results, "NO_QUORUM")
    group[0].stop()
    group.up()
    decisions(group.call())
    group.is_one_group()


def test_start_under_way_at_boot(group):
    """All three boot with start_on_boot=ON while nobody is in a group: each tries to join for a minute first."""
    group.insert(0, "before the reboot")
    for server in group.servers:
        server.sql("SET PERSIST group_replication_start_on_boot = ON")
    group.each("stop")
    group.each("start")
    decisions(group.call())
    group.is_one_group()
    group.same_rows("before the reboot")
    for server in group.servers:
        server.sql("RESET PERSIST group_replication_start_on_boot")
        server.sql("SET GLOBAL group_replication_start_on_boot = OFF")


def test_two_controllers_at_once(group):
    for _time in range(3):
        group.out()
        one = group.backend.start_call(["db0"], acting_members=[group[0].address])
        two = group.backend.start_call(["db1"], acting_members=[group[1].address])
        found = sorted(list(decisions(one.wait()).values()) + list(decisions(two.wait()).values()))
        assert found == ["bootstrap", "join"], found
        group.is_one_group(0, 1)
        decisions(group.call("db2"))
        group.is_one_group()


def read_only(server):
    return server.sql("SELECT @@GLOBAL.super_read_only AS closed")[0]["closed"] == "1"


def opened(server):
    server.sql("SET GLOBAL super_read_only = OFF")
    server.sql("SET GLOBAL read_only = OFF")


@pytest.mark.skipif(
    "GR_MYSQLD_ROOT" in os.environ, reason="the module does not see the files of servers in a tree of their own"
)
def test_a_member_that_cannot_join_takes_no_writes_and_says_why(group):
    """It is told to verify the others by another CA, the one that its server made for itself, and the server's log does not say why."""
    group.out(2)
    opened(group[2])
    before = group[2].sql("SELECT @@group_replication_ssl_mode AS mode, @@ssl_ca AS ca")[0]
    group[2].sql("SET GLOBAL group_replication_ssl_mode = 'VERIFY_CA'")
    group[2].sql("SET GLOBAL ssl_ca = 'ca.pem'")
    try:
        result = group.call("db2")["db2"]
    finally:
        group[2].sql(f"SET GLOBAL group_replication_ssl_mode = '{before['mode']}'")
        group[2].sql(f"SET GLOBAL ssl_ca = '{before['ca']}'")
    assert result.get("failed"), result
    assert re.search(r"TLS between this server and \S+:33061 fails: certificate verify failed: ", result["msg"]), (
        result["msg"]
    )
    assert read_only(group[2]), "a member that failed to join takes writes"
    assert "SET GLOBAL super_read_only = ON" in result["statements"]
    assert decisions(group.call("db2")) == {"db2": "join"}
    assert not read_only(group[2])
    group.is_one_group()


def test_a_member_that_cannot_apply_ends_the_run_with_the_appliers_error(group):
    """Its data differ although its transactions do not: every START leads to the same error."""
    group.out(2)
    opened(group[2])
    group.unlogged(2, "DROP TABLE scenario.t")
    group.insert(0, "nowhere to go")
    for _time in range(2):
        result = group.call("db2")["db2"]
        assert result.get("failed"), result
        assert "cannot apply the group's transactions" in result["msg"] and "scenario.t" in result["msg"], result["msg"]
        assert result["statements"].count("START GROUP_REPLICATION") == 1
    assert read_only(group[2])
    group.is_one_group(0, 1)
    # It lacks what no transaction brings: only to start over, or a clone, helps.
    group[2].blank()
    assert decisions(group.call("db2", clone="when_needed")) == {"db2": "join"}
    group.is_one_group()
    group.same_rows("nowhere to go")


def applier_error(server):
    rows = server.sql(
        "SELECT LAST_ERROR_NUMBER AS n FROM performance_schema.replication_applier_status_by_worker WHERE LAST_ERROR_NUMBER <> 0"
    )
    return rows[0]["n"] if rows else ""


def test_a_wait_for_a_member_that_was_started_before_ends_with_its_appliers_error(group):
    """It is RECOVERING and tries donor after donor, each with the same error, or has given up; this run has not started it."""
    group.out(2)
    opened(group[2])
    group.unlogged(2, "CREATE TABLE scenario.twice (id INT PRIMARY KEY)")
    group[0].sql("CREATE TABLE scenario.twice (id INT PRIMARY KEY)")
    group[2].sql("START GROUP_REPLICATION")
    wait_for(lambda: applier_error(group[2]), 60, "the applier's error")
    call = group.backend.start_call(["db2"])
    result = call.wait()["db2"]
    assert result.get("failed"), result
    assert "'twice' already exists" in result["msg"] and "clone=reprovision" in result["msg"], result["msg"]
    assert call.seconds < 60, call.seconds
    group.out(2)
    group.unlogged(2, "SET GLOBAL super_read_only = OFF")
    group.unlogged(2, "DROP TABLE scenario.twice")
    assert decisions(group.call("db2")) == {"db2": "join"}
    group[0].sql("DROP TABLE scenario.twice")
    group.is_one_group()


def test_a_recovery_account_that_is_locked_ends_the_run_at_once(group):
    group.out(2)
    group[0].sql("ALTER USER repl@'%' ACCOUNT LOCK")
    try:
        result = group.call("db2")["db2"]
        assert result.get("failed"), result
        assert "Account is locked" in result["msg"] and "ACCOUNT UNLOCK in the group" in result["msg"], result["msg"]
    finally:
        group[0].sql("ALTER USER repl@'%' ACCOUNT UNLOCK")
    group.is_one_group(0, 1)
    assert decisions(group.call("db2")) == {"db2": "join"}
    group.is_one_group()


def test_schemas_that_no_transaction_covers_are_refused(blank):
    for server in blank.servers:
        assert blank.gtid(server) == ""
    blank.unlogged(0, "CREATE DATABASE before_gtids")
    results = blank.call("db0", acting_members=[blank[0].address])
    refused(results, "before_gtids (no tables)", "not one transaction with a GTID", "clone=when_needed")
    blank.nobody()
    blank.unlogged(0, "DROP DATABASE before_gtids")
    assert sorted(decisions(blank.call()).values()) == ["bootstrap", "join", "join"]
    blank[0].sql("CREATE DATABASE scenario")
    blank[0].sql("CREATE TABLE scenario.t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(64))")


def test_members_with_one_server_id_are_let_be_until_they_are_restarted(group):
    """A run that restarts one after the other may pass through this: it has to be able to go on."""
    mine = group[1].sql("SELECT @@server_id AS id")[0]["id"]
    group[1].sql("SET GLOBAL server_id = " + group[0].sql("SELECT @@server_id AS id")[0]["id"])
    try:
        assert set(decisions(group.call()).values()) == {"unchanged"}
        group.out(2)
        refused(group.call("db2"), "have the same server_id", "a server_id of its own and restart it")
    finally:
        group[1].sql(f"SET GLOBAL server_id = {mine}")
    assert decisions(group.call("db2")) == {"db2": "join"}
    group.is_one_group()


def test_an_account_that_keeps_the_lock_is_named_at_once(group):
    lock = "distdb.mysql_ha:gr:" + group.backend.group_name
    group.out(2)
    group[0].sql("CREATE USER IF NOT EXISTS app@'localhost' IDENTIFIED BY 'Lock3r-of-joins'")
    session = group[0].session(f"SELECT GET_LOCK('{lock}:join', 0)", user="app", password="Lock3r-of-joins")
    try:
        result = group.call("db2")["db2"]
        assert result.get("failed"), result
        assert re.search(
            r"is held by app@localhost \(connection \d+\), which is no account of a controller", result["msg"]
        ), result["msg"]
    finally:
        session.close()
        group[0].sql("DROP USER app@'localhost'")
    assert decisions(group.call("db2")) == {"db2": "join"}
    group.is_one_group()
