# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users, rules and variables: what differs between layers, and from what a role wants; names only."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils import proxysql_admin as admin

USER = dict(
    username="app",
    password="secret",
    active="1",
    use_ssl="0",
    default_hostgroup="2",
    backend="1",
    frontend="1",
    attributes="",
    comment="",
)


class Tables:
    """Answers SELECT * FROM a table."""

    version = "2.7.1"

    def __init__(self, **tables):
        self.tables = tables

    def query(self, statement):
        name = statement.split(" FROM ")[1].split()[0].replace("main.", "").replace(".", "_")
        rows = self.tables.get(name, [])
        if "LIKE" in statement:
            prefix = statement.split("'")[1].rstrip("%")
            rows = [row for row in rows if row["variable_name"].startswith(prefix)]
        return rows


def variables(**values):
    return [dict(variable_name=name.replace("_", "-", 1), variable_value=value) for name, value in values.items()]


def drift(name, **tables):
    return admin.read_drift(Tables(**tables), [name])[name]


def test_a_user_is_two_rows_in_runtime_and_one_in_memory():
    split = [dict(USER, frontend="0"), dict(USER, backend="0")]
    assert drift("mysql_users", mysql_users=[USER], runtime_mysql_users=split, disk_mysql_users=[USER]) == dict(
        runtime=[], disk=[]
    )


@pytest.mark.parametrize(
    ("memory", "runtime", "same"),
    [
        ("secret", "secret", True),
        ("secret", "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7", True),
        ("*14E65567ABDB5135D0CFD9A70B3032C179A49EE7", "secret", True),
        ("secret2", "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7", False),
        ("secret", "Secret", False),
    ],
)
def test_a_hash_made_by_proxysql_is_the_same_password(memory, runtime, same):
    answer = drift(
        "mysql_users",
        mysql_users=[dict(USER, password=memory)],
        runtime_mysql_users=[dict(USER, password=runtime)],
        disk_mysql_users=[dict(USER, password=memory)],
    )
    assert answer == dict(runtime=[] if same else ["app"], disk=[])


def test_inactive_users_and_rules_are_never_loaded():
    assert (
        drift("mysql_users", mysql_users=[dict(USER, active="0")], disk_mysql_users=[dict(USER, active="0")])["runtime"]
        == []
    )
    rule = dict(rule_id="1", active="0", match_digest="x")
    assert drift("mysql_query_rules", mysql_query_rules=[rule], disk_mysql_query_rules=[rule]) == dict(
        runtime=[], disk=[]
    )


def test_missing_and_extra_users_and_rules_are_named():
    other = dict(USER, username="other")
    assert drift("mysql_users", mysql_users=[USER], runtime_mysql_users=[other]) == dict(
        runtime=["app", "other"], disk=["app"]
    )
    one, two = dict(rule_id="1", active="1", apply="1"), dict(rule_id="1", active="1", apply="0")
    assert drift(
        "mysql_query_rules", mysql_query_rules=[one], runtime_mysql_query_rules=[two], disk_mysql_query_rules=[one]
    ) == dict(runtime=["1"], disk=[])


def test_variables_are_named_without_their_values():
    memory = variables(mysql_monitor_password="one", mysql_threads="4", **{"admin_version": "1"})
    runtime = variables(mysql_monitor_password="two", mysql_threads="4", mysql_only_here="x", **{"admin_version": "2"})
    tables = dict(global_variables=memory, runtime_global_variables=runtime, disk_global_variables=memory)
    assert drift("mysql_variables", **tables) == dict(runtime=["mysql-monitor_password"], disk=[])
    assert drift("admin_variables", **tables) == dict(runtime=[], disk=[])


def compare(wanted, **tables):
    return admin.compare_memory(Tables(**tables), wanted)


def test_wanted_variables():
    tables = dict(global_variables=variables(mysql_a="1", mysql_b="true", mysql_password="x"))
    wanted = dict(variables={"mysql-a": 1, "mysql-b": True}, secret_variables={"mysql-password": "x"})
    assert compare(wanted, **tables) == dict(variables=[])
    wanted = dict(variables={"mysql-a": 2, "mysql-b": False}, secret_variables={"mysql-password": "y"})
    assert compare(wanted, **tables) == dict(variables=["mysql-a", "mysql-b", "mysql-password"])
    with pytest.raises(admin.AdminError, match="no variable mysql-zzz"):
        compare(dict(variables={"mysql-zzz": 1}), **tables)


@pytest.mark.parametrize(
    ("wanted", "differs"),
    [
        (dict(username="app"), False),
        (dict(username="app", password="secret", default_hostgroup=2, active=True, use_ssl=False), False),
        (dict(username="app", password="other"), True),
        (dict(username="app", default_hostgroup=3), True),
        (dict(username="app", frontend=False), True),
        (dict(username="app", state="absent"), True),
        (dict(username="gone", state="absent"), False),
        (dict(username="new", password="x"), True),
    ],
)
def test_wanted_users(wanted, differs):
    assert compare(dict(users=[wanted]), mysql_users=[USER])["users"] == ([0] if differs else [])


def test_wanted_rules_and_the_ones_left_over():
    rows = [
        dict(rule_id="1", active="1", match_digest="^SELECT", OK_msg=None, comment="mine"),
        dict(rule_id="90000", active="1", match_digest="^SELECT", OK_msg=None, comment="ours: split"),
        dict(rule_id="90001", active="1", match_digest="^SELECT", OK_msg=None, comment="ours: split"),
    ]
    wanted = [
        dict(rule_id=1, active=True, match_digest="^SELECT"),
        dict(rule_id=90000, active=True, match_digest="^INSERT"),
        dict(rule_id=5, state="absent"),
        dict(rule_id=6, active=True),
    ]
    answer = compare(dict(query_rules=wanted, query_rules_comment="ours"), mysql_query_rules=rows)
    assert answer == dict(query_rules=[1, 3], leftover_rules=[90001])
    assert compare(dict(query_rules=[], query_rules_comment="ours"), mysql_query_rules=rows)["leftover_rules"] == [
        90000,
        90001,
    ]


@pytest.mark.parametrize(
    ("text", "user", "password"),
    [
        ("[client]\nuser=me\npassword=p%w\n", "me", "p%w"),
        ("[client]\nuser=\"me\"\npassword='p w'\n!includedir /x\n[mysqld]\nskip-name-resolve\n", "me", "p w"),
    ],
)
def test_a_config_file(tmp_path, text, user, password):
    path = tmp_path / "my.cnf"
    path.write_text(text)
    params = dict(config_file=str(path), login_host="h", login_port=6032, connect_timeout=1)
    made = admin.Admin(params)
    assert (made.user, made._password) == (user, password)
    assert admin.Admin(dict(params, login_user="other")).user == "other"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("[other]\n", "no section"),
        ("[client]\nhost=x\n", "login_user is not set"),
        ("no section\n", "cannot be read"),
    ],
)
def test_a_config_file_that_does_not_help_is_said(tmp_path, text, words):
    path = tmp_path / "my.cnf"
    if text is not None:
        path.write_text(text)
    with pytest.raises(admin.AdminError, match=words):
        admin.Admin(dict(config_file=str(path), login_host="h", login_port=6032, connect_timeout=1))
