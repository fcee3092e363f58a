# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of ProxySQL's tables: comparing layers, writing, loading, saving, and putting back, by examples and at random."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, os.path.dirname(__file__))

from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql import config, rows
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import AdminError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.carry_out import carry_out
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.hostgroups import make_plan
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import Desired, Server
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.parts import (
    GroupsPart,
    Layers,
    TablePart,
    as_memory,
    statements_of,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.rows import TableFacts, Wanted
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.tables import (
    ADMIN_VARIABLES,
    MYSQL_VARIABLES,
    PEERS,
    QUERY_RULES,
    SERVERS_TLS,
    USERS,
)
from proxysql_model import Model, group

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("Whatever statement fails, every layer of ProxySQL's tables is put back."),
]

HASH = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"  # of "secret"
BOTH = Layers()
COMMON = dict(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def part(model, table, entries=(), exclusive=False, own="", layers=BOTH, reload=False):
    facts = rows.read_table(model, table)
    return TablePart(table, config.wanted_rows(table, list(entries), exclusive, own), facts, layers, reload)


def variables(model, wanted, table=MYSQL_VARIABLES, layers=BOTH, optional=None):
    facts = {one.settings: rows.read_table(model, one) for one in config.VARIABLES}
    made = config.wanted_variables(facts, wanted, optional or {}, "2.7.1")
    return TablePart(table, made[table.settings], facts[table.settings], layers)


def do(model, *parts):
    model.statements, model.shown = [], []
    foreseen = statements_of(parts)
    carry_out(model, parts, 1)
    assert foreseen == model.shown, "check mode says what a run does"
    return model.statements


def user(name="app", **columns):
    return dict(username=name, **columns)


def test_a_user_is_one_row_in_memory_and_two_in_runtime():
    model = Model()
    do(model, part(model, USERS, [user(password="p", default_hostgroup=2)]))
    assert len(model.rows("mysql_users")) == 1 == len(model.rows("disk.mysql_users"))
    assert len(model.rows("runtime_mysql_users")) == 2
    assert do(model, part(model, USERS, [user(password="p", default_hostgroup=2)])) == []


@pytest.mark.parametrize(
    ("memory", "runtime", "same"),
    [
        ("secret", "secret", True),
        ("secret", HASH, True),
        (HASH, "secret", True),
        ("secret2", HASH, False),
        ("secret", "Secret", False),
        (None, "", True),
        ("a", None, False),
    ],
)
def test_a_hash_made_by_proxysql_is_the_same_password(memory, runtime, same):
    assert rows.same_password(memory, runtime) is same
    model = Model()
    model.db.execute("INSERT INTO mysql_users (username, password) VALUES ('app', ?)", (memory,))
    model.load_plain("MYSQL USERS")
    model.save_plain("MYSQL USERS")
    model.db.execute("UPDATE runtime_mysql_users SET password=?", (runtime,))
    drift = rows.drift(USERS, rows.read_table(model, USERS))
    assert drift == dict(runtime=[] if same else ["app"], disk=[])


@pytest.mark.parametrize(("limit", "left"), [("1", True), ("3000", False), ("2048", False)])
def test_a_restart_that_was_killed_while_it_refused_clients_is_taken_back(limit, left):
    model = Model()
    model.variables(mysql_max_connections="2048", mysql_x="1")
    model.db.execute(
        "UPDATE runtime_global_variables SET variable_value=? WHERE variable_name='mysql-max_connections'", (limit,)
    )
    said = do(model, variables(model, {"mysql-x": "1"}))
    assert bool(said) is left
    found = dict(model.rows("runtime_global_variables"))
    assert found["mysql-max_connections"] == ("2048" if left else limit)
    assert do(model, variables(model, {"mysql-x": "1"})) == []


def test_drift_names_variables_and_never_a_value():
    model = Model()
    model.variables(mysql_monitor_password="one", mysql_x="1", admin_version="1")
    model.db.execute("UPDATE runtime_global_variables SET variable_value='two'")
    model.db.execute("INSERT INTO runtime_global_variables VALUES ('mysql-only_here', 'x')")
    assert rows.drift(MYSQL_VARIABLES, rows.read_table(model, MYSQL_VARIABLES)) == dict(
        runtime=["mysql-monitor_password", "mysql-x"], disk=[]
    )
    assert rows.drift(ADMIN_VARIABLES, rows.read_table(model, ADMIN_VARIABLES)) == dict(runtime=[], disk=[])


def test_missing_and_extra_rows_are_drift_and_inactive_ones_are_not():
    model = Model()
    model.db.execute("INSERT INTO mysql_users (username, active) VALUES ('off', 0), ('on', 1)")
    model.db.execute("INSERT INTO runtime_mysql_users (username, frontend) VALUES ('gone', 0)")
    assert rows.drift(USERS, rows.read_table(model, USERS)) == dict(runtime=["gone", "on"], disk=["off", "on"])


def test_peers_are_written_row_by_row():
    model = Model()
    do(model, part(model, PEERS, [dict(hostname=name, port=6032) for name in "abc"]))
    wanted = [
        dict(hostname="a", port=6032),
        dict(hostname="b", port=6032, comment="it's"),
        dict(hostname="[::1]", port=16032, weight=2),
    ]
    assert do(model, part(model, PEERS, wanted, exclusive=True)) == [
        "DELETE FROM proxysql_servers WHERE (hostname,port) IN (VALUES ('b',6032),('c',6032))",
        "INSERT INTO proxysql_servers (hostname,port,weight,comment) VALUES ('::1','16032','2',''),('b','6032','0','it''s')",
        "LOAD PROXYSQL SERVERS TO RUNTIME",
        "SAVE PROXYSQL SERVERS TO DISK",
    ]
    assert do(model, part(model, PEERS, wanted, exclusive=True)) == []


def test_a_column_that_is_not_given_stays_in_users_and_gets_its_default_in_rules():
    model = Model()
    do(model, part(model, USERS, [user(password="p", max_connections=5)]))
    do(model, part(model, USERS, [user(default_hostgroup=3)]))
    assert [(row[1], row[4], row[11]) for row in model.rows("runtime_mysql_users")] == [("p", 3, 5)] * 2
    do(model, part(model, QUERY_RULES, [dict(rule_id=1, active=True, match_digest="^x")]))
    do(model, part(model, QUERY_RULES, [dict(rule_id=1, active=True, username="app")]))
    assert model.rows("disk.mysql_query_rules") == {(1, 1, "app", None, None, 0, None)}


def test_a_column_that_this_version_has_not_is_refused():
    model = Model()
    facts = rows.read_table(model, QUERY_RULES)
    wanted = config.wanted_rows(QUERY_RULES, [dict(rule_id=1, OK_msg="x")], False)
    with pytest.raises(Refusal, match="query_rules: ProxySQL 2.7.1 has no column OK_msg"):
        config.check_columns(QUERY_RULES, wanted, facts, "2.7.1")


def test_rules_with_the_task_s_comment_go_in_every_layer():
    model = Model()
    for layer in ("", "disk.", "runtime_"):
        model.db.execute(
            f"INSERT INTO {layer}mysql_query_rules (rule_id, active, comment) VALUES (1, 1, 'mine: a'), (2, 1, 'other')"
        )
    model.db.execute("DELETE FROM main.mysql_query_rules WHERE rule_id=1")
    assert do(model, part(model, QUERY_RULES, own="mine")) == [
        "LOAD MYSQL QUERY RULES TO RUNTIME",
        "SAVE MYSQL QUERY RULES TO DISK",
    ]
    assert {row[0] for row in model.rows("runtime_mysql_query_rules")} == {2}


def test_secrets_are_neither_in_what_is_shown_nor_in_a_diff():
    model = Model()
    model.variables(**{"mysql_monitor_password": "hidden-old", "mysql_max_connections": "1"})
    parts = [
        part(model, USERS, [user(password="hidden-user")]),
        variables(model, {"mysql-monitor_password": "hidden-new", "mysql-max_connections": 5}),
    ]
    shown = str([one.diffs() for one in parts]) + str(statements_of(parts))
    assert "hidden" not in shown and rows.MASKED in shown and "'5'" in shown, shown
    model.fail_at = 1
    with pytest.raises(AdminError) as error:
        carry_out(model, parts, 1)
    assert "hidden" not in str(error.value)


def test_a_changed_password_is_to_be_seen_in_the_diff():
    model = Model()
    do(model, part(model, USERS, [user(password="one")]))
    diff = part(model, USERS, [user(password="two")]).diffs()[0]
    assert "(before)" in diff["before"] and "(after)" in diff["after"] and diff["before"] != diff["after"]


@pytest.mark.parametrize(
    ("value", "now", "kept"),
    [
        (True, "false", "true"),
        ("YES", "false", "true"),
        (1, "true", "true"),
        ("0", "true", "false"),
        (1, "0", "1"),
        (0, "x", "0"),
    ],
)
def test_booleans_are_written_as_proxysql_has_them(value, now, kept):
    assert config.variable_text(value, now) == kept


def test_a_variable_that_is_unknown_is_refused_and_an_optional_one_left_out():
    model = Model()
    model.variables(mysql_a="1")
    for wanted in ({"mysql-b": 1}, {"b": 1}):
        with pytest.raises(Refusal, match="has no variable"):
            variables(model, wanted)
    assert do(model, variables(model, {}, optional={"mysql-b": 1, "mysql-a": 1})) == []
    with pytest.raises(Refusal, match="the value of mysql-a is not allowed"):
        variables(model, {"mysql-a": None})


def test_what_is_taken_at_the_start_is_written_after_the_load_and_saved():
    model = Model()
    model.variables(mysql_threads="4", mysql_a="1")
    made = variables(model, {"mysql-threads": 2, "mysql-a": 2})
    assert made.restart_needed == ["mysql-threads"]
    do(model, made)
    values = [dict(model.rows(layer + "global_variables")) for layer in ("main.", "runtime_", "disk.")]
    assert [one["mysql-threads"] for one in values] == ["2", "4", "2"] and {one["mysql-a"] for one in values} == {"2"}
    again = variables(model, {"mysql-threads": 2, "mysql-a": 2})
    assert do(model, again) == [] and again.restart_needed == ["mysql-threads"]


def test_a_value_that_is_not_taken_is_named_and_everything_is_put_back():
    model = Model()
    model.variables(mysql_a="1", mysql_b="1")
    do(model, part(model, USERS, [user()]))
    before = model.everything()
    model.refused_values = {"mysql-a": "2"}
    with pytest.raises(
        AdminError, match="did not take variables mysql-a as given.*Put back to what it was: memory, runtime"
    ):
        carry_out(model, [variables(model, {"mysql-a": 2, "mysql-b": 2}), part(model, USERS, exclusive=True)], 1)
    assert model.everything() == before


def test_a_save_that_fails_last_puts_back_what_was_saved_before_it():
    model = Model()
    rule = dict(rule_id=1, active=True, match_digest="^x")
    do(model, part(model, USERS, [user()]), part(model, QUERY_RULES, [rule]))
    before = model.everything()
    parts = [
        part(model, USERS, [user("new")], exclusive=True),
        part(model, QUERY_RULES, [dict(rule, match_digest="^y")]),
    ]
    model.statements = []
    model.fail_at = len(statements_of(parts))
    with pytest.raises(AdminError, match="Put back to what it was: memory, runtime, disk"):
        carry_out(model, parts, 1)
    assert model.everything() == before


def test_a_save_that_wrote_nothing_is_found():
    model = Model()
    do(model, part(model, USERS, [user()]))
    model.full_disk = True
    with pytest.raises(AdminError, match="did not save users app, new to disk"):
        carry_out(model, [part(model, USERS, [user(), user("new")])], 1)
    assert (
        {row[0] for row in model.rows("mysql_users")}
        == {"app"}
        == {row[0] for row in model.rows("runtime_mysql_users")}
    )


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([user(), user()], "users: app is listed twice"),
        ([user(), user(state="absent")], "users: app is listed twice"),
        ([user(comment="a\nb")], "comment has a control character in it for app in users"),
    ],
)
def test_entries_that_are_wrong_are_refused(entries, words):
    with pytest.raises(Refusal, match=words):
        config.wanted_rows(USERS, entries, False)


def test_long_lists_are_split_below_sqlite_s_limit():
    facts = TableFacts(("username", "password"), {}, {}, {})
    wanted = config.wanted_rows(USERS, [user(f"user{n}", password="p" * 200) for n in range(9000)], False)
    statements = rows.rewrite(USERS, {}, rows.resolve(USERS, wanted, facts))
    assert 1 < len(statements) < 20 and max(len(statement.text) for statement in statements) < 1000000


# ---- at random ------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from("abc")


@st.composite
def models(draw):
    """Any rows in any layer, runtime in the form that it has."""
    model = Model()
    for layer in ("disk", "runtime", "main"):
        for name, hostgroup, active in draw(
            st.lists(st.tuples(NAMES, st.integers(1, 2), st.integers(0, 1)), max_size=3, unique_by=lambda row: row[0])
        ):
            model.db.execute(
                "INSERT INTO main.mysql_users (username, password, default_hostgroup, active) VALUES (?, 'p', ?, ?)",
                (name, hostgroup, active),
            )
        for rule_id, text in draw(
            st.lists(st.tuples(st.integers(1, 3), NAMES), max_size=3, unique_by=lambda row: row[0])
        ):
            model.db.execute(
                "INSERT INTO main.mysql_query_rules (rule_id, active, match_digest, comment) VALUES (?, 1, ?, ?)",
                (rule_id, text, draw(st.sampled_from(["mine", "other"]))),
            )
        model.db.execute("INSERT OR REPLACE INTO main.global_variables VALUES ('mysql-a', ?)", (draw(NAMES),))
        model.db.execute("INSERT OR REPLACE INTO main.global_variables VALUES ('mysql-threads', ?)", (draw(NAMES),))
        if layer == "runtime":
            model.db.execute("DELETE FROM runtime_global_variables")
            model.db.execute("INSERT INTO runtime_global_variables SELECT * FROM main.global_variables")
            for settings_ in ("MYSQL USERS", "MYSQL QUERY RULES"):
                model.load_plain(settings_)
        elif layer == "disk":
            for settings_ in ("MYSQL USERS", "MYSQL QUERY RULES", "MYSQL VARIABLES"):
                model.save_plain(settings_)
        if layer != "main":
            model.db.execute("DELETE FROM main.mysql_users")
            model.db.execute("DELETE FROM main.mysql_query_rules")
    return model


def server_tls(hostname="a", ca="/ca.pem", **columns):
    return dict(dict(hostname=hostname, port=3306, username="", ssl_ca=ca, comment="mine"), **columns)


@st.composite
def wishes(draw):
    def state():
        return draw(st.sampled_from(["present", "absent"]))

    names = draw(st.lists(NAMES, max_size=3, unique=True))
    rules = draw(st.lists(st.integers(1, 3), max_size=3, unique=True))
    return dict(
        users=[user(name, default_hostgroup=draw(st.integers(1, 2)), state=state()) for name in names],
        rules=[dict(rule_id=n, active=draw(st.booleans()), match_digest=draw(NAMES), state=state()) for n in rules],
        variables={name: draw(NAMES) for name in draw(st.sets(st.sampled_from(["mysql-a", "mysql-threads"])))},
        exclusive=draw(st.booleans()),
        own=draw(st.sampled_from(["", "mine"])),
        layers=Layers(draw(st.booleans()), draw(st.booleans())),
    )


def planned(model, wish, groups=False):
    parts = [
        variables(model, wish["variables"], layers=wish["layers"]),
        part(model, USERS, wish["users"], wish["exclusive"], layers=wish["layers"]),
        part(model, QUERY_RULES, wish["rules"], False, wish["own"], layers=wish["layers"]),
    ]
    if groups:
        desired = [Desired(2, group(), {("a", 3306): Server(use_ssl=1)}, True)]
        facts = model.facts()
        tls = part(model, SERVERS_TLS, [server_tls()], own="mine")
        parts.insert(1, GroupsPart(desired, facts, make_plan(desired, facts), Layers(), tls))
    return parts


@settings(**COMMON)
@given(models(), wishes())
def test_a_run_converges_and_the_second_one_writes_nothing(model, wish):
    parts = planned(model, wish)
    statements = do(model, *parts)
    loads = [text for text in statements if text.startswith("LOAD")]
    saves = [text for text in statements if text.startswith("SAVE")]
    assert len(loads) == sum(one.runtime_changed for one in parts) and len(saves) == sum(
        one.disk_changed for one in parts
    )
    assert (wish["layers"].load or not loads) and (wish["layers"].save or not saves)
    assert do(model, *planned(model, wish)) == []


@settings(**COMMON)
@given(models(), wishes())
def test_rows_of_others_stay_in_memory(model, wish):
    listed = {entry["username"] for entry in wish["users"]}
    before = {row for row in model.rows("mysql_users") if row[0] not in listed}
    do(model, *planned(model, wish))
    after = {row for row in model.rows("mysql_users") if row[0] not in listed}
    assert after == (set() if wish["exclusive"] else before)


@settings(**COMMON)
@given(models(), wishes(), st.integers(min_value=1, max_value=20))
def test_whatever_statement_fails_every_layer_is_as_before(model, wish, at):
    parts = planned(model, wish, groups=True)
    statements = statements_of(parts)
    before = model.everything()
    model.statements = []
    model.fail_at = 1 + (at - 1) % len(statements)
    with pytest.raises(AdminError, match="broken on purpose. Put back to what it was"):
        carry_out(model, parts, 1)
    assert model.everything() == before


def test_runtime_s_users_can_be_loaded_again():
    model = Model()
    do(model, part(model, USERS, [user("a", password="p"), user("b", frontend=False)]))
    runtime = rows.read_runtime(model, USERS)
    again = as_memory(USERS, runtime)
    assert rows.runtime_rows(USERS, again.values()) == runtime and len(again) == 3


def test_a_desired_state_without_rows_says_nothing_about_a_table():
    assert rows.scope(USERS, Wanted({}), TableFacts((), {("a", "1"): {}}, {}, {})) == set()


# ---- what a mutation run found unseen ------------------------------------------------------------------------------------

ONE = dict(
    username="app", password="secret", active="1", use_ssl="0", default_hostgroup="2", default_schema="", attributes=""
)


@pytest.mark.parametrize("limit", range(9, 40))
def test_a_statement_holds_as_many_rows_as_its_limit_and_no_more(monkeypatch, limit):
    monkeypatch.setattr(rows, "MAX_STATEMENT", limit)
    values = [rows.Statement.plain("x" * (1 + number * 7 % 5)) for number in range(40)]
    made = [statement.text[1:-1] for statement in rows.chunks("(", ")", values)]
    assert ",".join(made) == ",".join(value.text for value in values)
    assert all(len(text) <= limit for text in made)
    following = [text.split(",")[0] for text in made[1:]]
    assert all(len(text) + 1 + len(first) > limit for text, first in zip(made, following)), "one more row had room"


def test_layers_are_compared_by_the_columns_that_both_have():
    newer = dict(ONE, spiffe="x")
    assert rows.same_row(USERS, ONE, newer, True) and rows.same_row(USERS, newer, ONE, False)
    assert not rows.same_row(USERS, ONE, None, True) and rows.same_row(USERS, None, None, True)


@pytest.mark.parametrize("column", ["active", "use_ssl", "default_hostgroup", "default_schema", "username"])
def test_no_other_column_hides_behind_a_hashed_password_or_one_in_another_form(column):
    other = dict(ONE, password=HASH, attributes="{}")
    assert rows.same_row(USERS, ONE, other, True)
    assert not rows.same_row(USERS, ONE, dict(other, **{column: "9"}), True)


def test_nothing_and_empty_are_the_same_at_runtime_only_and_nothing_and_something_never():
    empty, nothing = dict(ONE, default_schema=""), dict(ONE, default_schema=None)
    assert rows.same_row(USERS, empty, nothing, True) and not rows.same_row(USERS, empty, nothing, False)
    assert not rows.same_row(USERS, nothing, dict(ONE, default_schema="shop"), True)


def test_attributes_are_compared_on_disk():
    assert not rows.same_row(USERS, ONE, dict(ONE, attributes="{}"), False)


# The hashes of the first two are below and above this one.
@pytest.mark.parametrize("other", ["2", "a", "", "*", "*14"])
def test_a_hash_is_of_one_password(other):
    assert rows.same_password("secret", HASH) and rows.same_password(HASH, "secret")
    assert not rows.same_password(other, HASH) and not rows.same_password(HASH, other)


def test_numbers_are_numbers_and_names_of_digits_are_names():
    assert rows.order(USERS, ("123", "1")) == ("123", 1)
    assert rows.order(PEERS, ("10", "6032")) == ("10", 6032)


def test_only_a_secret_is_masked_in_a_statement_and_only_where_there_is_one():
    (statement,) = rows.rewrite(USERS, {}, {("app", "1"): dict(username="app", backend="1", password="s", comment="c")})
    assert statement.text.endswith("VALUES ('app','1','s','c')")
    assert statement.shown.endswith("VALUES ('app','1','********','c')")
    (statement,) = rows.rewrite(USERS, {}, {("app", "1"): dict(username="app", backend="1", password="", comment="")})
    assert statement.shown == statement.text


def test_a_diff_shows_the_rows_that_are_asked_for_and_masks_nothing_else():
    shown = {
        ("a", "1"): dict(username="a", backend="1", comment="x"),
        ("b", "1"): dict(username="b", password="p", comment="y"),
    }
    text = rows.describe(USERS, shown, {("b",)}, {}, "after")
    assert text == "users b 1 password='********' (after) comment='y'\n"
    value = {("mysql-a",): {"variable_name": "mysql-a", "variable_value": "7"}}
    assert rows.describe(MYSQL_VARIABLES, value, {("mysql-a",)}, {}, "after") == "variables mysql-a '7'\n"


def test_a_row_that_is_left_in_runtime_only_goes_too():
    """Deleted by hand in memory and on disk, and never loaded."""
    model = Model()
    do(model, part(model, QUERY_RULES, [dict(rule_id=1, active=True, comment="mine: a"), dict(rule_id=2, active=True)]))
    for layer in ("main.", "disk."):
        model.db.execute(f"DELETE FROM {layer}mysql_query_rules")
    assert not part(model, QUERY_RULES, []).runtime_changed
    do(model, part(model, QUERY_RULES, [dict(rule_id=2, active=True)], own="mine:"))
    assert {row[0] for row in model.rows("runtime_mysql_query_rules")} == {2}
    model.db.execute("DELETE FROM main.mysql_query_rules")
    model.db.execute("DELETE FROM disk.mysql_query_rules")
    do(model, part(model, QUERY_RULES, [], exclusive=True))
    assert model.rows("runtime_mysql_query_rules") == set()


# ---- mysql_servers_ssl_params ------------------------------------------------------------------------------------------


def planned_tls(model, *entries, exclusive=False, own="mine", layers=BOTH):
    tls = part(model, SERVERS_TLS, entries, exclusive, own, layers)
    facts = model.facts()
    plan = make_plan([], facts, load_to_runtime=layers.load, save_to_disk=layers.save, reload=tls.runtime_changed)
    return GroupsPart([], facts, plan, layers, tls)


def placed_group():
    """A group whose members the monitor has moved: one writes, one reads."""
    model = Model()
    model.put("", [group()], [(3, "a", 3306, *Server()), (3, "b", 3306, *Server())])
    model.load()
    model.execute(rows.Statement.plain("SAVE MYSQL SERVERS TO DISK"))
    model.unplace()
    model.place(2, "a")
    model.place(3, "b")
    model.variables(mysql_monitor_enabled="true")
    return model


def test_tls_parameters_are_loaded_and_move_no_server():
    model = placed_group()
    placed = model.placed()
    do(model, planned_tls(model, server_tls(), server_tls("b")))
    for layer in ("main.", "runtime_", "disk."):
        assert {row[:4] for row in model.rows(layer + "mysql_servers_ssl_params")} == {
            ("a", 3306, "", "/ca.pem"),
            ("b", 3306, "", "/ca.pem"),
        }
    assert model.placed() == placed
    assert {row[0] for row in model.rows("mysql_servers")} == {3}
    assert do(model, planned_tls(model, server_tls(), server_tls("b"))) == []


def test_tls_parameters_that_are_the_role_s_go_when_they_are_not_listed():
    model = placed_group()
    do(model, planned_tls(model, server_tls(), server_tls("b")))
    do(model, planned_tls(model, server_tls("x", comment="another's"), own=""))
    do(model, planned_tls(model, server_tls("b", ca="/new.pem")))
    assert {(row[0], row[3]) for row in model.rows("runtime_mysql_servers_ssl_params")} == {
        ("b", "/new.pem"),
        ("x", "/ca.pem"),
    }


@pytest.mark.parametrize("at", range(1, 9))
def test_whatever_statement_fails_tls_parameters_are_put_back(at):
    model = placed_group()
    do(model, planned_tls(model, server_tls(ca="/old.pem")))
    before, placed = model.everything(), model.placed()
    planned = planned_tls(model, server_tls(), server_tls("b"))
    model.statements, model.fail_at = [], at
    assert len(statements_of([planned])) == 8
    with pytest.raises(AdminError, match="broken on purpose. Put back to what it was"):
        carry_out(model, [planned], 1)
    assert model.everything() == before and model.placed() == placed


def test_tls_parameters_need_a_version_that_has_them():
    params = dict(servers_tls=[server_tls()])
    config.check_tables(params, "2.6.0")
    config.check_tables(params, "3.0.6-standin")
    config.check_tables(dict(servers_tls=None), "2.5.5")
    with pytest.raises(Refusal, match="servers_tls: ProxySQL 2.5.5-10 has no such table"):
        config.check_tables(params, "2.5.5-10")


@pytest.mark.parametrize(
    "entry, problem",
    [
        (dict(port=0), "port is 0 for server a:0 in servers_tls; allowed are whole numbers from 1 to 65535."),
        (dict(ssl_ca="ca.pem"), "ssl_ca is ca.pem for server a:3306 in servers_tls; allowed is an absolute path"),
        (dict(hostname="a b"), "hostname is 'a b'"),
        (dict(ssl_key="/x\ny"), "ssl_key has a control character in it for server a:3306 in servers_tls"),
    ],
)
def test_a_bad_entry_of_tls_parameters_is_refused(entry, problem):
    with pytest.raises(Refusal) as refused:
        config.wanted_rows(SERVERS_TLS, [server_tls(**{"hostname": "a", **entry})], False)
    assert problem in str(refused.value)


def test_tls_parameters_of_one_server_for_two_users_and_an_ipv6_address():
    wanted = config.wanted_rows(
        SERVERS_TLS, [server_tls("[2001:db8::1]"), server_tls("[2001:db8::1]", username="u")], False
    )
    assert sorted(map(SERVERS_TLS.name_of, wanted.rows)) == ["[2001:db8::1]:3306", "[2001:db8::1]:3306 for user u"]
    with pytest.raises(Refusal, match="servers_tls: a:3306 is listed twice"):
        config.wanted_rows(SERVERS_TLS, [server_tls(), server_tls()], False)
