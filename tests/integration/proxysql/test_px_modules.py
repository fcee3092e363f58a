# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""proxysql_hostgroup and proxysql_hostgroup_info on a real admin interface: create, change, remove; layers; refusals; restarts."""

from __future__ import annotations

import pytest
from px_module import Failed

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim(
        "The ProxySQL modules create, change and remove in every layer, and refuse conflicts before they write."
    ),
]

GROUP = dict(
    writer_hostgroup=2,
    backup_writer_hostgroup=4,
    reader_hostgroup=3,
    offline_hostgroup=1,
    max_writers=3,
    writer_is_also_reader=1,
    max_transactions_behind=100,
)
# Nobody listens there: the monitor's refusals do not matter to these tests.
SERVERS = [dict(hostname="127.0.0.11", port=1), dict(hostname="127.0.0.12", port=1), dict(hostname="::1", port=1)]
WISH = dict(GROUP, servers=SERVERS, exclusive=True)
GROUPS = "mysql_group_replication_hostgroups"


def rows(proxy, table):
    return {tuple(map(str, row)) for row in proxy.rows(f"SELECT * FROM {table}")}


def layers(proxy):
    """What a run must not touch when there is nothing to do: the configured tables, and the count of LOADs."""
    tables = ("main.mysql_servers", "disk.mysql_servers", GROUPS, f"disk.{GROUPS}", f"runtime_{GROUPS}")
    loads = proxy.value("SELECT version FROM runtime_checksums_values WHERE name='mysql_servers_v2'")
    return {table: rows(proxy, table) for table in tables}, loads


def unchanged(proxy, modules, **wish):
    before = layers(proxy)
    answer = modules.hostgroup(**wish)
    assert not answer["changed"] and answer["statements"] == [] and "diff" not in answer
    assert layers(proxy) == before


CHANGES = [
    dict(max_writers=0, writer_is_also_reader=0, max_transactions_behind=0, comment="it's; -- ü \\"),
    dict(active=False),
    dict(reader_hostgroup=13),
    dict(servers=[dict(SERVERS[0], weight=9, max_connections=7, use_ssl=True, comment="x'y"), *SERVERS[1:]]),
    dict(servers=[dict(SERVERS[0], status="OFFLINE_SOFT"), *SERVERS[1:]]),
    dict(servers=SERVERS[:1]),
    dict(servers=[]),
    dict(servers=[*SERVERS, dict(hostname="db9.example.com")]),
]


@pytest.mark.parametrize("change", [{}, *CHANGES, dict(state="absent")])
def test_create_change_remove_and_the_rerun_after_each(proxy, modules, change):
    wish = dict(WISH, allow_no_writer=True, drain_timeout=5, **{})
    wish.update(change)
    if change:
        modules.hostgroup(**WISH)
    before = layers(proxy)
    foreseen = modules.hostgroup(check=True, **wish)
    assert layers(proxy) == before, "check mode changes nothing"
    done = modules.hostgroup(**wish)
    assert done["changed"] and (done["memory_changed"], done["runtime_changed"], done["disk_changed"]) == (True,) * 3
    assert [foreseen[key] for key in ("changed", "diff")] == [done[key] for key in ("changed", "diff")]
    assert rows(proxy, "main.mysql_servers") == rows(proxy, "disk.mysql_servers")
    assert rows(proxy, GROUPS) == rows(proxy, f"disk.{GROUPS}") == rows(proxy, f"runtime_{GROUPS}")
    unchanged(proxy, modules, **wish)


def test_the_rows_are_the_ones_that_were_asked_for(proxy, modules):
    modules.hostgroup(**dict(WISH, comment="it's; -- ü \\"))
    assert rows(proxy, GROUPS) == {("2", "4", "3", "1", "1", "3", "1", "100", "it's; -- ü \\")}
    assert {row[:3] for row in rows(proxy, "main.mysql_servers")} == {
        ("2", server["hostname"], "1") for server in SERVERS
    }


def test_memory_only_then_load_then_save(proxy, modules):
    answer = modules.hostgroup(**dict(WISH, load_to_runtime=False, save_to_disk=False))
    assert answer["memory_changed"] and rows(proxy, f"runtime_{GROUPS}") == set() == rows(proxy, f"disk.{GROUPS}")
    unchanged(proxy, modules, **dict(WISH, load_to_runtime=False, save_to_disk=False))
    answer = modules.hostgroup(**dict(WISH, save_to_disk=False))
    assert not answer["memory_changed"] and answer["runtime_changed"] and rows(proxy, f"disk.{GROUPS}") == set()
    assert modules.hostgroup(**WISH)["statements"] == ["SAVE MYSQL SERVERS TO DISK"]
    unchanged(proxy, modules, **WISH)


@pytest.mark.parametrize(
    ("statements", "layer"),
    [
        ([f"UPDATE {GROUPS} SET max_writers=1"], "memory"),
        (["UPDATE mysql_servers SET weight=5 WHERE hostname='127.0.0.11'"], "memory"),
        (["DELETE FROM mysql_servers WHERE hostname='127.0.0.11'"], "memory"),
        ([f"UPDATE {GROUPS} SET max_writers=1", "LOAD MYSQL SERVERS TO RUNTIME", "LOAD MYSQL SERVERS FROM DISK"], "runtime"),
        (["UPDATE mysql_servers SET weight=5", "LOAD MYSQL SERVERS TO RUNTIME", "LOAD MYSQL SERVERS FROM DISK"], "runtime"),
        (["DELETE FROM mysql_servers", "LOAD MYSQL SERVERS TO RUNTIME", "LOAD MYSQL SERVERS FROM DISK"], "runtime"),
        ([f"DELETE FROM disk.{GROUPS}"], "disk"),
        (["UPDATE disk.mysql_servers SET comment='by hand'"], "disk"),
    ],
)  # fmt: skip
def test_a_change_by_hand_in_one_layer_is_found_and_mended_there(proxy, modules, statements, layer):
    modules.hostgroup(**WISH)
    for statement in statements:
        proxy.run(statement)
    answer = modules.hostgroup(**WISH)
    assert {name for name in ("memory", "runtime", "disk") if answer[f"{name}_changed"]} == {layer}
    assert [diff["before_header"] for diff in answer["diff"]] == [layer]
    unchanged(proxy, modules, **WISH)


def test_the_info_module_names_the_drift_and_no_secret(proxy, modules):
    modules.hostgroup(**WISH)
    proxy.run("DELETE FROM disk.mysql_servers WHERE hostname='::1'")
    proxy.run("INSERT INTO mysql_users (username, password) VALUES ('app', 'hidden-app-password')")
    proxy.run(
        "UPDATE global_variables SET variable_value='hidden-monitor' WHERE variable_name='mysql-monitor_password'"
    )
    try:
        answer = modules.info()
        assert answer["drift"]["mysql_servers"] == {"runtime": [], "disk": ["[::1]:1"]}
        assert answer["drift"]["mysql_users"] == {"runtime": ["app"], "disk": ["app"]}
        assert "mysql-monitor_password" in answer["drift"]["mysql_variables"]["runtime"]
        assert [group["writer_hostgroup"] for group in answer["memory"]] == [2] and len(
            answer["memory"][0]["servers"]
        ) == 3
        assert "hidden" not in modules.outputs[-1]
    finally:
        proxy.run("LOAD MYSQL VARIABLES FROM DISK")
        proxy.run("DELETE FROM mysql_users")


def test_a_loaded_plain_password_is_no_drift(proxy, modules):
    proxy.run(
        "INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('app', 'hidden-app-password', 2)"
    )
    proxy.run("LOAD MYSQL USERS TO RUNTIME")
    proxy.run("SAVE MYSQL USERS TO DISK")
    assert modules.info()["drift"]["mysql_users"] == {"runtime": [], "disk": []}


def test_servers_that_nobody_answers_for_are_a_failure_of_waiting_with_the_monitor_s_error(proxy, modules):
    modules.hostgroup(**WISH)
    with pytest.raises(Failed, match=r"not every server is where it belongs.*127\.0\.0\.11:1 \(writer_hostgroup 2\)"):
        modules.info(wait_placed=1)
    answer = modules.info()
    assert len(answer["problems"]) == 3


def test_conflicts_are_refused_before_anything_is_written(proxy, modules):
    modules.hostgroup(**WISH)
    before = layers(proxy)
    for numbers in (
        dict(writer_hostgroup=12, backup_writer_hostgroup=14, reader_hostgroup=13, offline_hostgroup=2),
        dict(writer_hostgroup=3, backup_writer_hostgroup=14, reader_hostgroup=13, offline_hostgroup=11),
        dict(writer_hostgroup=12, backup_writer_hostgroup=1, reader_hostgroup=13, offline_hostgroup=11),
    ):
        with pytest.raises(Failed, match="a hostgroup may belong to one group only"):
            modules.hostgroup(**numbers)
    other = dict(writer_hostgroup=12, backup_writer_hostgroup=14, reader_hostgroup=13, offline_hostgroup=11)
    with pytest.raises(Failed, match=r"127\.0\.0\.11:1.*one group only"):
        modules.hostgroup(**other, servers=SERVERS[:1])
    proxy.run("INSERT INTO mysql_replication_hostgroups (writer_hostgroup, reader_hostgroup) VALUES (50, 13)")
    with pytest.raises(Failed, match="mysql_replication_hostgroups"):
        modules.hostgroup(**other)
    assert layers(proxy) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(writer_hostgroup=-2), "writer_hostgroup is -2; allowed are whole numbers from 0"),
        (dict(reader_hostgroup=2), "reader_hostgroup is 2 .*must differ"),
        (dict(reader_hostgroup=None), "reader_hostgroup is missing"),
        (dict(writer_hostgroup="two"), "writer_hostgroup.*int"),
        (dict(servers=[dict(hostname="a"), dict(hostname="a")]), "lists a:3306 twice"),
        (dict(servers=[dict(hostname="[::1]"), dict(hostname="0:0:0:0:0:0:0:1")]), r"lists \[::1\]:3306 twice"),
        (dict(servers=[dict(hostname="a", weight="heavy")]), "weight.*int"),
        (
            dict(servers=[dict(hostname="a", weight=-1)]),
            "weight is -1 for server a:3306; allowed are whole numbers from 0",
        ),
        (dict(servers=[dict(hostname="a", port=0)]), "port is 0 for server a:0"),
        (dict(servers=[dict(hostname="a", port="x")]), "port.*int"),
        (dict(servers=[dict(hostname="::g")]), "hostname is '::g'"),
        (dict(servers=[dict(hostname="not a name")]), "hostname is 'not a name'"),
        (dict(servers=[dict(port=3306)]), "hostname"),
        (dict(offline_hostgroup=-1), "offline_hostgroup is -1"),
        (dict(reader_hostgroup=0), "reader_hostgroup is 0 .*from 1"),
        (dict(servers=[dict(hostname="a", port=70000)]), "port is 70000"),
        (dict(servers=[dict(hostname="10.0.0.256")]), "10.0.0.256"),
        (dict(hostgroups=[]), "mutually exclusive"),
        (dict(drain_timeout=-1), "drain_timeout is -1"),
        (dict(login_port=0), "login_port is 0"),
        (dict(login_user=None), "login_user is not set"),
        (dict(config_file="/nowhere/x.cnf"), "config_file /nowhere/x.cnf cannot be read"),
        (dict(login_password="wrong-one"), "refused login_user 'conformance'"),
        (dict(login_port=9), r"127\.0\.0\.1:9 cannot be reached"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(proxy, modules, change, words):
    before = layers(proxy)
    with pytest.raises(Failed, match=words):
        modules.hostgroup(**dict(WISH, **change) if "servers" not in change else {**WISH, **change})
    assert layers(proxy) == before


def test_what_cannot_be_reached_can_be_an_answer(modules):
    answer = modules.info(login_port=9, unreachable_ok=True)
    assert not answer["reachable"] and not answer["denied"] and "cannot be reached" in answer["error"]
    answer = modules.info(login_password="wrong-one", unreachable_ok=True)
    assert not answer["reachable"] and answer["denied"]


def test_a_config_file_gives_the_login(proxy, modules, tmp_path):
    path = tmp_path / "my.cnf"
    path.write_text(f'[client]\nuser={proxy.user}\npassword="{proxy.password}"\n!include other\n')
    answer = modules.hostgroup(**dict(WISH, login_user=None, login_password=None, config_file=str(path)))
    assert answer["changed"]


def test_a_restart_between_load_and_save_is_mended(proxy, modules):
    modules.hostgroup(**WISH)
    modules.hostgroup(**dict(WISH, comment="new", save_to_disk=False))
    proxy.restart()
    answer = modules.hostgroup(**dict(WISH, comment="new"))
    assert (answer["memory_changed"], answer["runtime_changed"], answer["disk_changed"]) == (True, True, True)
    proxy.restart()
    unchanged(proxy, modules, **dict(WISH, comment="new"))


def test_a_refused_statement_puts_everything_back(proxy, modules):
    """A trigger of SQLite's makes the INSERT of one row fail after the DELETE was done."""
    modules.hostgroup(**WISH)
    before = layers(proxy)
    proxy.run(
        "CREATE TRIGGER px_refuse BEFORE INSERT ON mysql_servers WHEN NEW.weight=13 BEGIN SELECT RAISE(ABORT, 'refused by a test'); END"
    )
    try:
        with pytest.raises(Failed, match="refused by a test.*Put back"):
            modules.hostgroup(**dict(WISH, servers=[dict(SERVERS[0], weight=13)]))
    finally:
        proxy.run("DROP TRIGGER px_refuse")
    now = layers(proxy)
    assert now[0] == before[0]
    assert not modules.hostgroup(**WISH)["changed"]


@pytest.mark.parametrize("change", CHANGES[3:6])
def test_changes_in_memory_only_then_loaded_and_saved_later(proxy, modules, change):
    """Memory only and delayed save, for a change and a removal as for a creation."""
    modules.hostgroup(**WISH)
    wish = dict(WISH, allow_no_writer=True, drain_timeout=5, **{})
    wish.update(change)
    answer = modules.hostgroup(**dict(wish, load_to_runtime=False, save_to_disk=False))
    assert (answer["memory_changed"], answer["runtime_changed"], answer["disk_changed"]) == (True, False, False)
    unchanged(proxy, modules, **dict(wish, load_to_runtime=False, save_to_disk=False))
    answer = modules.hostgroup(**dict(wish, save_to_disk=False))
    assert (answer["memory_changed"], answer["runtime_changed"]) == (False, True)
    unchanged(proxy, modules, **dict(wish, save_to_disk=False))
    foreseen = modules.hostgroup(check=True, **wish)
    assert foreseen["statements"] == ["SAVE MYSQL SERVERS TO DISK"] == modules.hostgroup(**wish)["statements"]
    unchanged(proxy, modules, **wish)


def test_a_removal_in_memory_only_then_loaded_and_saved_later(proxy, modules):
    modules.hostgroup(**WISH)
    gone = dict(writer_hostgroup=2, state="absent")
    assert modules.hostgroup(**gone, load_to_runtime=False, save_to_disk=False)["memory_changed"]
    assert len(rows(proxy, f"runtime_{GROUPS}")) == 1 == len(rows(proxy, f"disk.{GROUPS}"))
    assert modules.hostgroup(**gone, save_to_disk=False)["runtime_changed"]
    assert rows(proxy, f"runtime_{GROUPS}") == set() and len(rows(proxy, f"disk.{GROUPS}")) == 1
    assert modules.hostgroup(**gone)["statements"] == ["SAVE MYSQL SERVERS TO DISK"]
    unchanged(proxy, modules, **gone)


def test_reload_loads_although_nothing_differs(proxy, modules):
    modules.hostgroup(**WISH)
    before = layers(proxy)
    assert modules.hostgroup(**WISH, reload=True)["statements"].count("LOAD MYSQL SERVERS TO RUNTIME") == 1
    after = layers(proxy)
    assert after[0] == before[0] and int(after[1]) == int(before[1]) + 1


def test_checksums_are_waited_for(proxy, modules):
    modules.hostgroup(**WISH)
    checksums = modules.info()["checksums"]
    assert {"mysql_servers_v2", "mysql_users", "admin_variables"} <= set(checksums) and "mysql_servers" not in checksums
    assert modules.info(checksums=checksums, wait_checksums=20)["checksums_differ"] == []
    modules.hostgroup(**dict(WISH, comment="another"))
    assert modules.info(checksums=checksums, wait_checksums=1)["checksums_differ"] == ["mysql_servers_v2"]


def test_many_groups_in_one_task_take_a_fixed_number_of_statements(proxy, modules):
    def many(size):
        return [
            dict(
                writer_hostgroup=base, backup_writer_hostgroup=base + 1, reader_hostgroup=base + 2, offline_hostgroup=base + 3,
                exclusive=True, servers=[dict(hostname=f"127.1.{base}.{n + 1}", port=1) for n in range(size)],
            )
            for base in range(10, 210, 10)
        ]  # fmt: skip

    first = len(modules.hostgroup(hostgroups=many(1))["statements"])
    assert len(modules.hostgroup(hostgroups=many(20), drain_timeout=0)["statements"]) <= first + 1 <= 7
    unchanged(proxy, modules, hostgroups=many(20))
