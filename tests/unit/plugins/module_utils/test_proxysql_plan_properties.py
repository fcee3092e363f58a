# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of the plan: from any state of the three layers, for any wish, on the model of ProxySQL."""

from __future__ import annotations

import os
import sqlite3
import sys

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import AdminError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.hostgroups import make_plan
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import LOAD, SAVE, Desired, Group, Server
from proxysql_model import Model, carry_out

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("For any configuration: the plan makes each layer as wanted, and a second plan is empty."),
]

NAMES = ("a", "b", "c", "it's; -- \\ ü")
# More of them: EXAMPLES=4000 pytest --hypothesis-seed=7 …
COMMON = dict(
    max_examples=int(os.environ.get("EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

hostgroup = st.integers(min_value=1, max_value=9)


def make_server(weight=1, status="ONLINE", comment=""):
    return Server(weight=weight, status=status, comment=comment)


servers = st.builds(
    make_server,
    weight=st.integers(min_value=0, max_value=2),
    status=st.sampled_from(["ONLINE", "ONLINE", "ONLINE", "OFFLINE_SOFT", "OFFLINE_HARD"]),
    comment=st.sampled_from(["", "x'y", "ü;"]),
)


@st.composite
def groups(draw, writer=None):
    numbers = draw(st.lists(hostgroup, min_size=4, max_size=4, unique=True))
    if writer is not None:
        assume(writer not in numbers[1:])
        numbers[0] = writer
    return Group(
        *numbers,
        active=draw(st.sampled_from([1, 1, 1, 0])),
        max_writers=draw(st.integers(min_value=0, max_value=3)),
        writer_is_also_reader=draw(st.integers(min_value=0, max_value=2)),
        max_transactions_behind=draw(st.sampled_from([0, 100])),
        comment=draw(st.sampled_from(["", "c"])),
    )


def server_rows(statuses=None):
    row = (
        servers
        if statuses is None
        else st.builds(make_server, weight=st.integers(0, 2), status=st.sampled_from(statuses))
    )
    return st.lists(st.tuples(hostgroup, st.sampled_from(NAMES), row), max_size=6)


@st.composite
def wishes(draw):
    group = draw(groups())
    if draw(st.integers(min_value=0, max_value=4)) == 0:
        return Desired(group.writer_hostgroup, None, keep_servers=draw(st.booleans()))
    listed = draw(
        st.one_of(st.none(), st.dictionaries(st.tuples(st.sampled_from(NAMES), st.just(3306)), servers, max_size=4))
    )
    place = draw(st.sampled_from(["auto", "writer", "reader", "offline", "backup_writer"]))
    return Desired(group.writer_hostgroup, group, listed, listed is not None and draw(st.booleans()), place)


@st.composite
def models(draw):
    """Three layers and placements that need not fit each other: left by others, by hand, by a crash."""
    model = Model()
    for layer in ("", "disk.", "runtime_"):
        for group in draw(st.lists(groups(), max_size=2)):
            try:
                model.put(layer, [group])
            except sqlite3.IntegrityError:
                continue
        if layer != "runtime_":
            for place, name, row in draw(server_rows()):
                try:
                    model.put(layer, [], [(place, name, 3306) + tuple(row)])
                except sqlite3.IntegrityError:
                    continue
    for table, statuses in (
        ("loaded", ["ONLINE", "OFFLINE_SOFT"]),
        ("runtime_mysql_servers", ["ONLINE", "SHUNNED", "OFFLINE_SOFT", "OFFLINE_HARD"]),
    ):
        for place, name, row in draw(server_rows(statuses)):
            columns = (place, name, 3306) + tuple(row)
            model.db.execute(
                "INSERT OR IGNORE INTO {} VALUES ({})".format(table, ",".join("?" * len(columns))), columns
            )
    if draw(st.integers(min_value=0, max_value=5)) == 0:
        model.db.execute("INSERT INTO runtime_global_variables VALUES ('mysql-monitor_enabled', 'false')")
    return model


def planned(model, wish, **options):
    facts = model.facts()
    try:
        return facts, make_plan([wish], facts, allow_no_writer=True, **options)
    except Refusal:
        assert model.statements == []
        return facts, None


@settings(**COMMON)
@given(models(), wishes(), st.booleans(), st.booleans())
def test_a_plan_converges_and_the_second_one_is_empty(model, wish, load, save):
    facts, plan = planned(model, wish, load_to_runtime=load, save_to_disk=save)
    assume(plan is not None)
    carry_out(model, [wish], facts, plan)
    again = model.facts()
    assert again.memory == plan.target
    if wish.group is None:
        assert wish.writer_hostgroup not in again.memory.groups
    else:
        assert again.memory.groups[wish.writer_hostgroup] == wish.group
        here = {key[1:]: row for key, row in again.memory.servers.items() if key[0] in wish.group.numbers}
        for address, row in (wish.servers or {}).items():
            assert here[address] == row
        if wish.exclusive:
            assert set(here) == set(wish.servers)
    second = make_plan([wish], again, load_to_runtime=load, save_to_disk=save, allow_no_writer=True)
    assert not second.changed and second.statements == []


@settings(**COMMON)
@given(models(), wishes(), st.booleans(), st.booleans())
def test_each_layer_is_written_only_if_it_differs(model, wish, load, save):
    _facts, plan = planned(model, wish, load_to_runtime=load, save_to_disk=save)
    assume(plan is not None)
    assert (LOAD in plan.statements) == plan.runtime_changed <= load
    assert (SAVE in plan.statements) == plan.disk_changed <= save
    # As many as four: to let servers drain, to pause writes, to move them, to give way.
    assert plan.statements.count(SAVE) <= 1 and plan.statements.count(LOAD) <= 4
    assert bool(plan.statements) == plan.changed
    if not plan.memory_changed and not plan.runtime_changed:
        assert plan.statements == ([SAVE] if plan.disk_changed else [])


@settings(**COMMON)
@given(models(), wishes())
def test_rows_of_others_are_the_same_afterwards(model, wish):
    facts, plan = planned(model, wish)
    assume(plan is not None)
    carry_out(model, [wish], facts, plan)
    after = model.facts()
    mine = {wish.writer_hostgroup} | (set(wish.group.numbers) if wish.group else set())
    for layer in facts[:3]:
        if wish.writer_hostgroup in layer.groups:
            mine |= set(layer.groups[wish.writer_hostgroup].numbers)
    for key, row in facts.memory.servers.items():
        if key[0] not in mine:
            assert after.memory.servers[key] == row
    for writer, group in facts.memory.groups.items():
        if writer != wish.writer_hostgroup:
            assert after.memory.groups[writer] == group


GROUP = Group(2, 4, 3, 1, 1, 3, 1, 100, "")


@st.composite
def running(draw):
    """One loaded group whose servers the monitor has put anywhere."""
    model = Model()
    model.put("", [GROUP], [(2, name, 3306) + tuple(Server()) for name in NAMES])
    model.load()
    model.unplace()
    for name in NAMES:
        for place in draw(st.sampled_from([(2, 3), (3,), (4, 3), (1,), (2,), ()])):
            model.place(place, name, status=draw(st.sampled_from(["ONLINE", "ONLINE", "SHUNNED"])))
    return model


@settings(**COMMON)
@given(
    running(), st.dictionaries(st.sampled_from(NAMES), servers), st.booleans(), st.integers(min_value=0, max_value=1)
)
def test_a_load_moves_no_server_that_stays(model, columns, exclusive, behind):
    """Whoever stays ONLINE is, at every LOAD, where the monitor had it; a surplus of writers goes where the monitor would put it."""
    listed = {(name, 3306): row for name, row in columns.items()}
    wish = Desired(2, GROUP._replace(max_transactions_behind=behind, max_writers=4), listed, exclusive)
    facts, plan = planned(model, wish)
    assume(plan is not None and plan.runtime_changed)
    kept = {key[1] for key, row in plan.target.servers.items() if row.status == "ONLINE"}
    before = {place for place in model.placed("ONLINE") if place[1] in kept and place[0] != 4}
    loads = []
    model.after_load = lambda m: loads.append(m.placed("ONLINE"))
    carry_out(model, [wish], facts, plan)
    assert loads
    for seen in loads:
        assert before <= seen
        # nobody whom the monitor has not judged gets traffic
        judged = {name for _place, name in {(key[0], key[1]) for key in facts.placed}}
        assert not [place for place in seen if place[1] not in judged and place[0] != 1]


@settings(**COMMON)
@given(models(), wishes(), st.integers(min_value=1, max_value=12))
def test_a_failure_leaves_memory_as_it_was(model, wish, at):
    facts, plan = planned(model, wish)
    assume(plan is not None and at <= len(plan.statements))
    disk = model.rows("disk.mysql_servers")
    model.fail_at = at
    with pytest.raises(AdminError, match="Put back"):
        carry_out(model, [wish], facts, plan)
    after = model.facts()
    assert after.memory == facts.memory
    assert model.rows("disk.mysql_servers") == disk
