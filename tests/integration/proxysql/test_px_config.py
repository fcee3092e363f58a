# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""proxysql_config on a real admin interface: every table comes, changes and goes in every layer; refusals; everything put back."""

from __future__ import annotations

import pymysql
import pytest
from px_module import Failed

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim("All of ProxySQL's configuration in one task: every table in every layer, all of it or nothing."),
]

PEERS = [dict(hostname="127.0.0.21", port=6032), dict(hostname="::1", port=16032, comment="it's")]
USERS = [
    dict(username="o'brien;--", password="pä'ss\\wörd", default_hostgroup=2),
    dict(username="second", password="*0123456789012345678901234567890123456789", max_connections=7, use_ssl=True),
]
RULES = [
    dict(rule_id=7, active=True, match_digest="^SELECT.*'x'", destination_hostgroup=3, apply=True, comment="it's"),
    dict(rule_id=10, active=True, username="second", error_msg="no", log=True, flagIN=2),
]
GROUP = dict(writer_hostgroup=2, backup_writer_hostgroup=4, reader_hostgroup=3, offline_hostgroup=1)
GROUPS = [dict(GROUP, max_writers=3, servers=[dict(hostname="127.0.0.11", port=1)], exclusive=True)]
VARIABLES = {"mysql-max_connections": 1234, "mysql-monitor_ping_timeout": "777", "mysql-query_retries_on_failure": 2}
# Per table: what is there first, what it becomes, its table, and what runtime must hold then.
TABLES = {
    "peers": (PEERS, PEERS[:1], "proxysql_servers"),
    "users": (USERS, [dict(USERS[1], max_connections=9)], "mysql_users"),
    "query_rules": (RULES, [dict(RULES[0], match_digest="^UPDATE")], "mysql_query_rules"),
}
EVERYTHING = dict(users=USERS, query_rules=RULES, peers=PEERS, hostgroups=GROUPS)


def rows(proxy, table):
    return {tuple(map(str, row)) for row in proxy.rows(f"SELECT * FROM {table}")}


def state(proxy):
    """Every layer of every table."""
    tables = ["mysql_users", "mysql_query_rules", "proxysql_servers", "mysql_group_replication_hostgroups"]
    names = [layer + table for table in tables for layer in ("main.", "runtime_", "disk.")]
    names += ["main.mysql_servers", "disk.mysql_servers"]
    return {name: rows(proxy, name) for name in names}


def variables(proxy, *names):
    listed = ",".join(f"'{name}'" for name in names)
    where = f"WHERE variable_name IN ({listed}) ORDER BY 1"
    layers = ("main.global_variables", "runtime_global_variables", "disk.global_variables")
    return [dict(proxy.rows(f"SELECT variable_name, variable_value FROM {layer} {where}")) for layer in layers]


@pytest.fixture
def config(proxy, modules):
    """The module; variables are put back."""
    kept = proxy.rows("SELECT variable_name, variable_value FROM global_variables")
    yield modules.config
    now = dict(proxy.rows("SELECT variable_name, variable_value FROM global_variables"))
    for name, value in kept:
        if now.get(name) != value:
            proxy.run(f"UPDATE global_variables SET variable_value='{value}' WHERE variable_name='{name}'")
    for settings in ("ADMIN VARIABLES", "MYSQL VARIABLES"):
        proxy.run(f"LOAD {settings} TO RUNTIME")
        proxy.run(f"SAVE {settings} TO DISK")


def unchanged(proxy, config, **wish):
    before = state(proxy)
    answer = config(**wish)
    assert not answer["changed"] and answer["statements"] == [] and "diff" not in answer, answer
    assert state(proxy) == before


@pytest.mark.parametrize("table", TABLES)
def test_rows_come_change_and_go_in_every_layer(proxy, config, table):
    first, then, name = TABLES[table]
    for wish in (first, then, []):
        arguments = {table: wish, "exclusive": [table]}
        before = state(proxy)
        foreseen = config(check=True, **arguments)
        assert state(proxy) == before, "check mode changes nothing"
        done = config(**arguments)
        assert (done["memory_changed"], done["runtime_changed"], done["disk_changed"]) == (True,) * 3
        assert (foreseen["diff"], foreseen["statements"]) == (done["diff"], done["statements"])
        assert len(rows(proxy, f"main.{name}")) == len(wish)
        assert rows(proxy, f"main.{name}") == rows(proxy, f"disk.{name}")
        assert len(rows(proxy, f"runtime_{name}")) == len(wish) * (2 if table == "users" else 1)
        unchanged(proxy, config, **arguments)


@pytest.mark.parametrize("table", TABLES)
def test_memory_only_then_loaded_then_saved(proxy, config, table):
    wish, _then, name = TABLES[table]
    config(**{table: wish}, load_to_runtime=False, save_to_disk=False)
    assert rows(proxy, f"runtime_{name}") == set() == rows(proxy, f"disk.{name}")
    loaded = config(**{table: wish}, save_to_disk=False)
    assert [text.split()[0] for text in loaded["statements"]] == ["LOAD"] and rows(proxy, f"disk.{name}") == set()
    saved = config(**{table: wish})
    assert [text.split()[0] for text in saved["statements"]] == ["SAVE"]
    unchanged(proxy, config, **{table: wish})


def test_everything_in_one_task_with_no_secret_in_its_output(proxy, config, modules):
    secret = {"mysql-monitor_password": "hidden-monitor"}
    wish = dict(EVERYTHING, variables=VARIABLES, secret_variables=secret, allow_no_writer=True)
    done = config(**wish)
    assert done["changed"] and done["restart_needed"] == []
    for layer in variables(proxy, *VARIABLES):
        assert layer == {name: str(value) for name, value in VARIABLES.items()}
    for layer in variables(proxy, *secret):
        assert layer == secret
    again = config(**wish)
    assert not again["changed"], again
    changed = config(**dict(wish, secret_variables={"mysql-monitor_password": "hidden-too"}))
    assert changed["changed"] and "********" in str(changed["diff"])
    output = " ".join(modules.outputs)
    assert not [
        word for word in ("hidden-monitor", "hidden-too", USERS[1]["password"], "wörd", "w\\u00f6rd") if word in output
    ]


def test_columns_that_are_not_given_stay_in_users_and_get_their_default_in_rules(proxy, config):
    config(users=USERS, query_rules=RULES)
    proxy.run("UPDATE mysql_users SET comment='by hand', attributes='{\"a\": 1}' WHERE username='second'")
    proxy.run("UPDATE mysql_query_rules SET timeout=5 WHERE rule_id=7")
    config(users=[dict(username="second", max_connections=8)], query_rules=RULES)
    assert proxy.rows(
        "SELECT max_connections, comment, attributes, password FROM mysql_users WHERE username='second'"
    ) == [("8", "by hand", '{"a": 1}', USERS[1]["password"])]
    assert proxy.rows("SELECT timeout FROM mysql_query_rules WHERE rule_id=7") == [(None,)]
    unchanged(proxy, config, users=[dict(username="second", max_connections=8)], query_rules=RULES)


def test_rows_that_are_not_listed_stay_unless_they_carry_the_task_s_comment(proxy, config):
    rules = [dict(RULES[0]), dict(RULES[1], comment="mine: a"), dict(RULES[1], rule_id=11, comment="mine: b")]
    config(query_rules=rules)
    config(query_rules=rules[2:], query_rules_comment="mine")
    assert [row[0] for row in proxy.rows("SELECT rule_id FROM runtime_mysql_query_rules ORDER BY 1")] == ["7", "11"]
    config(query_rules=[dict(rule_id=11, state="absent")])
    for layer in ("main.", "runtime_", "disk."):
        assert proxy.rows(f"SELECT rule_id FROM {layer}mysql_query_rules") == [("7",)]
    proxy.run("DELETE FROM disk.mysql_query_rules")
    assert config(query_rules=RULES[:1])["statements"] == ["SAVE MYSQL QUERY RULES TO DISK"]


@pytest.mark.parametrize(
    ("statements", "layer"),
    [
        (["UPDATE mysql_users SET default_hostgroup=9 WHERE default_hostgroup=2"], "memory"),
        (["DELETE FROM mysql_query_rules"], "memory"),
        (["UPDATE mysql_users SET default_hostgroup=9", "LOAD MYSQL USERS TO RUNTIME", "LOAD MYSQL USERS FROM DISK"], "runtime"),
        (["DELETE FROM mysql_query_rules", "LOAD MYSQL QUERY RULES TO RUNTIME", "LOAD MYSQL QUERY RULES FROM DISK"], "runtime"),
        (["UPDATE disk.global_variables SET variable_value='5' WHERE variable_name='mysql-max_connections'"], "disk"),
        (["DELETE FROM disk.proxysql_servers"], "disk"),
    ],
)  # fmt: skip
def test_a_change_by_hand_in_one_layer_is_put_right_there(proxy, config, statements, layer):
    wish = dict(EVERYTHING, variables=VARIABLES, allow_no_writer=True)
    config(**wish)
    for statement in statements:
        proxy.run(statement)
    answer = config(**wish)
    assert {name for name in ("memory", "runtime", "disk") if answer[f"{name}_changed"]} == {layer}
    assert len(answer["diff"]) == 1 and layer in answer["diff"][0]["before_header"]
    assert not config(**wish)["changed"]


def test_inactive_rows_are_kept_and_not_loaded(proxy, config):
    wish = dict(users=[dict(USERS[0], active=False)], query_rules=[dict(RULES[0], active=False)])
    config(**wish)
    assert rows(proxy, "runtime_mysql_users") == set() == rows(proxy, "runtime_mysql_query_rules")
    unchanged(proxy, config, **wish)


def test_a_user_that_is_two_rows(proxy, config):
    sides = [dict(USERS[0], frontend=False), dict(USERS[0], backend=False, frontend=True)]
    config(users=sides)
    assert len(rows(proxy, "mysql_users")) == 2 == len(rows(proxy, "runtime_mysql_users"))
    unchanged(proxy, config, users=sides)
    config(users=[dict(username=USERS[0]["username"], backend=False, state="absent")])
    assert [row[9:11] for row in rows(proxy, "mysql_users")] == [("1", "0")]


@pytest.mark.parametrize("kind", ["last", "save"])
def test_whatever_fails_everything_is_put_back(proxy, config, kind):
    """A trigger of SQLite's: in the last table's INSERT, or on disk when everything is loaded. ProxySQL answers OK to such a SAVE."""
    config(**EVERYTHING, variables=VARIABLES, allow_no_writer=True)
    before, values = state(proxy), variables(proxy, *VARIABLES)
    table = "main.mysql_query_rules" if kind == "last" else "disk.mysql_query_rules"
    layer = table.partition(".")[0]
    proxy.run(
        f"CREATE TRIGGER {layer}.px_refuse BEFORE INSERT ON mysql_query_rules WHEN NEW.match_digest='^BROKEN' "
        "BEGIN SELECT RAISE(ABORT, 'refused by a test'); END"
    )
    wish = dict(
        peers=PEERS[:1],
        exclusive=["peers", "users", "query_rules"],
        variables={"mysql-max_connections": 99},
        users=[dict(username="third", password="x")],
        hostgroups=[dict(GROUPS[0], comment="new")],
        query_rules=[dict(RULES[0], match_digest="^BROKEN")],
        allow_no_writer=True,
    )
    try:
        with pytest.raises(Failed, match="Put back to what it was"):
            config(**wish)
    finally:
        proxy.run(f"DROP TRIGGER {layer}.px_refuse")
    assert (state(proxy), variables(proxy, *VARIABLES)) == (before, values)
    assert not config(**EVERYTHING, variables=VARIABLES, allow_no_writer=True)["changed"]


def test_a_value_that_proxysql_does_not_take_is_named_and_put_back(proxy, config):
    config(users=USERS)
    before, values = state(proxy), variables(proxy, "mysql-query_retries_on_failure", "mysql-max_connections")
    wish = dict(variables={"mysql-query_retries_on_failure": 5000000, "mysql-max_connections": 999}, users=[])
    with pytest.raises(Failed, match="did not take variables mysql-query_retries_on_failure.*Put back"):
        config(**wish, exclusive=["users"])
    assert (state(proxy), variables(proxy, "mysql-query_retries_on_failure", "mysql-max_connections")) == (
        before,
        values,
    )


def test_a_value_with_a_double_quote_is_taken_although_runtime_does_not_show_it(proxy, config):
    """ProxySQL 2.7.1 writes runtime_global_variables with double quotes around the value."""
    name = "admin-admin_credentials"
    kept = proxy.value(f"SELECT variable_value FROM global_variables WHERE variable_name='{name}'")
    for password in ('a"b\\', "plain", 'a"c'):
        wish = dict(secret_variables={name: f"{kept};quoted:{password}"})
        assert config(**wish)["runtime_changed"]
        proxy.connect("quoted", password.encode()).close()
        assert not config(**wish)["changed"]
        assert not config(**wish, check=True)["statements"]
    config(secret_variables={name: kept})
    with pytest.raises(pymysql.OperationalError):
        proxy.connect("quoted", b"plain")


def test_what_is_only_taken_at_the_start_is_saved_and_named(proxy, config):
    wish = dict(variables={"mysql-threads": 3, "mysql-max_connections": 777})
    done = config(**wish)
    assert done["restart_needed"] == ["mysql-threads"]
    memory, runtime, disk = variables(proxy, *wish["variables"])
    assert memory == disk == {"mysql-threads": "3", "mysql-max_connections": "777"}
    assert runtime == {"mysql-threads": "2", "mysql-max_connections": "777"}
    again = config(**wish)
    assert not again["changed"] and again["restart_needed"] == ["mysql-threads"]
    proxy.restart()
    after = config(**wish)
    assert not after["changed"] and after["restart_needed"] == []
    config(variables={"mysql-threads": 2})
    proxy.restart()


def test_a_variable_of_another_version_is_refused_or_left_out(proxy, config):
    with pytest.raises(Failed, match="has no variable mysql-of_the_future"):
        config(variables={"mysql-of_the_future": 1})
    done = config(optional_variables={"mysql-of_the_future": 1, "mysql-max_connections": 1111})
    assert done["changed"] and variables(proxy, "mysql-max_connections")[1] == {"mysql-max_connections": "1111"}


def test_one_variable_for_the_moment(proxy, config):
    name = "mysql-monitor_groupreplication_healthcheck_interval"
    before = variables(proxy, name)[2]
    done = config(variables={name: 111}, save_to_disk=False)
    assert done["runtime_changed"] and not done["disk_changed"]
    assert variables(proxy, name) == [{name: "111"}, {name: "111"}, before]


@pytest.mark.parametrize("value", [True, "true", 1, "YES"])
def test_a_boolean_may_be_written_in_any_way(proxy, config, value):
    config(variables={"mysql-query_digests": False})
    config(variables={"mysql-query_digests": value})
    assert [set(layer.values()) for layer in variables(proxy, "mysql-query_digests")] == [{"true"}] * 3
    assert not config(variables={"mysql-query_digests": value})["changed"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (dict(peers=[PEERS[0], PEERS[0]]), "peers: 127.0.0.21:6032 is listed twice"),
        (dict(peers=[dict(hostname="a b")]), "hostname is 'a b'"),
        (dict(peers=[dict(hostname="a", port=0)]), "port is 0"),
        (dict(peers=[dict(hostname="a", port="six")]), "port.*int"),
        (dict(peers=[dict(hostname="a", weight=-1)]), "weight is -1"),
        (dict(peers=[dict(port=6032)]), "hostname"),
        (dict(users=[USERS[1], USERS[1]]), "users: second is listed twice"),
        (dict(users=[dict(password="x")]), "username"),
        (dict(users=[dict(username="a", comment="two\nlines")]), "comment has a control character"),
        (dict(query_rules=[RULES[0], RULES[0]]), "query_rules: 7 is listed twice"),
        (dict(query_rules=[dict(active=True)]), "rule_id"),
        (dict(query_rules=[dict(rule_id=1, colour="red")]), "colour"),
        (dict(variables={"mysql-max_connections": None}), "the value of mysql-max_connections is not allowed"),
        (dict(variables={"mysql-max_connections": [1]}), "the value of mysql-max_connections is not allowed"),
        (dict(variables={"max_connections": 1}), "no variable max_connections"),
        (dict(hostgroups=[dict(GROUP, reader_hostgroup=2)]), "reader_hostgroup is 2"),
        (dict(hostgroups=GROUPS, drain_timeout=-1), "drain_timeout is -1"),
        (dict(exclusive=["variables"]), "exclusive"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(proxy, config, arguments, words):
    before = state(proxy)
    with pytest.raises(Failed, match=words):
        config(**dict(dict(users=USERS), **arguments))
    assert state(proxy) == before


def test_groups_that_are_not_listed_go_with_exclusive(proxy, config):
    other = dict(writer_hostgroup=12, backup_writer_hostgroup=14, reader_hostgroup=13, offline_hostgroup=11)
    config(hostgroups=[*GROUPS, dict(other, servers=[dict(hostname="127.0.0.12", port=1)])])
    config(hostgroups=GROUPS, exclusive=["hostgroups"])
    assert [
        row[0] for row in proxy.rows("SELECT writer_hostgroup FROM runtime_mysql_group_replication_hostgroups")
    ] == ["2"]
    assert [row[1] for row in rows(proxy, "disk.mysql_servers")] == ["127.0.0.11"]


def test_a_refusal_of_groups_comes_before_users_are_changed(proxy, config):
    """Users on their way to hostgroup 5 stay where they are, when the group cannot go there."""
    config(users=[dict(USERS[0], default_hostgroup=2)], hostgroups=GROUPS)
    before = state(proxy)
    moved = dict(users=[dict(USERS[0], default_hostgroup=5)], hostgroups=[dict(GROUPS[0], writer_hostgroup=5)])
    with pytest.raises(Failed, match="one group only"):
        config(**moved)
    assert state(proxy) == before
    whole = dict(
        moved, hostgroups=[*moved["hostgroups"], dict(writer_hostgroup=2, state="absent")], allow_no_writer=True
    )
    config(**whole)
    assert proxy.rows("SELECT writer_hostgroup FROM runtime_mysql_group_replication_hostgroups") == [("5",)]
    assert proxy.rows("SELECT DISTINCT default_hostgroup FROM runtime_mysql_users") == [("5",)]
    assert not config(**whole)["changed"]


def test_reload_loads_although_nothing_differs(proxy, config):
    config(users=USERS)
    assert config(users=USERS, reload=["users"])["statements"] == ["LOAD MYSQL USERS TO RUNTIME"]


def test_a_column_of_a_newer_proxysql_is_left_alone(proxy, config):
    """A column that this module does not know, added to the tables as a newer version would have it."""
    config(users=USERS, hostgroups=GROUPS, allow_no_writer=True)
    added = [f"{layer}.{table}" for table in ("mysql_users", "mysql_servers") for layer in ("main", "disk")]
    for table in added:
        proxy.run(f"ALTER TABLE {table} ADD COLUMN of_the_future VARCHAR NOT NULL DEFAULT 'new'")
    try:
        proxy.run("UPDATE mysql_users SET of_the_future='kept'")
        proxy.run("UPDATE mysql_servers SET of_the_future='kept'")
        groups = [dict(GROUPS[0], servers=[dict(GROUPS[0]["servers"][0], weight=5)])]
        users = [dict(USERS[1], max_connections=8)]
        config(users=users, hostgroups=groups, load_to_runtime=False, save_to_disk=False, allow_no_writer=True)
        assert set(
            proxy.rows("SELECT of_the_future FROM mysql_users UNION ALL SELECT of_the_future FROM mysql_servers")
        ) == {("kept",)}
        assert proxy.rows("SELECT weight FROM mysql_servers") == [("5",)]
    finally:
        for table in added:
            proxy.run(f"ALTER TABLE {table} DROP COLUMN of_the_future")


def test_many_rows_take_a_fixed_number_of_statements(proxy, config):
    def many(size):
        return dict(
            users=[dict(username=f"user{n}", password=f"password{n}", default_hostgroup=2) for n in range(size)],
            query_rules=[dict(rule_id=n + 1, active=True, match_digest=f"^x{n}") for n in range(size)],
        )

    first = len(config(**many(1))["statements"])
    assert len(config(**many(200), exclusive=["users"])["statements"]) <= first + 2
    unchanged(proxy, config, **many(200))
