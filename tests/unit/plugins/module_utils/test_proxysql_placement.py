# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where servers belong, by the monitor's last result."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import Group, Layer, Server
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.placement import (
    Check,
    placement_problems,
    problem_sentence,
    server_problem,
)

GROUP = Group(2, 4, 3, 1, 1, 3, 1, 100, "")
WRITER, READER = Check(True, False, 0, ""), Check(True, True, 0, "")
ON = "ONLINE"


@pytest.mark.parametrize(
    ("group", "places", "check"),
    [
        (GROUP, dict(writer=ON, reader=ON), WRITER),
        (GROUP, dict(backup_writer=ON, reader=ON), WRITER),
        (GROUP, dict(reader=ON), READER),
        (GROUP._replace(writer_is_also_reader=0), dict(writer=ON), WRITER),
        (GROUP._replace(writer_is_also_reader=2), dict(writer=ON), WRITER),
        (GROUP._replace(active=0), dict(writer=ON), None),
    ],
)
def test_right_places(group, places, check):
    assert server_problem(group, places, check, "") == ""
    # one lost ping alone is not a problem
    assert server_problem(group, places, check, "Lost connection") == ""


@pytest.mark.parametrize(
    ("group", "places", "check", "ping", "words"),
    [
        (GROUP, dict(offline=ON), WRITER, "", "has not moved it yet"),
        (GROUP, {}, WRITER, "", "none of the group's hostgroups"),
        (GROUP, dict(reader=ON), WRITER, "", "belongs in the writer hostgroup"),
        (GROUP, dict(writer=ON), WRITER, "", "belongs in the reader hostgroup too"),
        (
            GROUP._replace(writer_is_also_reader=0),
            dict(writer=ON, reader=ON),
            WRITER,
            "",
            "does not belong in the reader",
        ),
        (GROUP, dict(writer=ON, reader=ON), READER, "", "belongs in the reader hostgroup"),
        (GROUP, dict(writer=ON, reader="SHUNNED"), Check(True, False, 500, ""), "", "SHUNNED.*500 transactions"),
        (GROUP, dict(writer="SHUNNED", reader="SHUNNED"), WRITER, "Can't connect", "SHUNNED.*Can't connect"),
        (GROUP, dict(offline=ON), Check(False, True, 0, ""), "", "viable_candidate=NO"),
        (GROUP, dict(offline=ON), Check(False, True, 0, "Access denied"), "", "failed: Access denied"),
        (GROUP, dict(offline=ON), Check(False, True, 0, "old"), "Can't connect", "cannot reach it: Can't connect"),
        (GROUP, dict(offline=ON), None, "", "no result for it yet"),
        (GROUP, dict(offline=ON), None, "Can't connect", "cannot reach it: Can't connect"),
        (GROUP._replace(active=0), dict(writer="SHUNNED"), None, "", "not ONLINE"),
    ],
)
def test_wrong_places_are_said(group, places, check, ping, words):
    import re

    assert re.search(words, server_problem(group, places, check, ping))


def test_every_configured_server_is_looked_at_but_drained_ones():
    memory = Layer(
        {2: GROUP}, {(2, "a", 1): Server(), (2, "b", 1): Server(), (2, "c", 1): Server(status="OFFLINE_SOFT")}
    )
    placed = {(2, "a", 1): Server(), (3, "a", 1): Server(), (1, "b", 1): Server()}
    checks = {("a", 1): WRITER, ("b", 1): Check(False, True, 0, "boom")}
    problems = placement_problems(memory, placed, checks, {}, [2])
    assert [(problem.hostname, problem.writer_hostgroup) for problem in problems] == [("b", 2)]
    assert problem_sentence(problems[0]) == "b:1 (writer_hostgroup 2): the monitor's last check failed: boom"


def test_a_group_of_readers_only_has_a_problem():
    memory = Layer({2: GROUP}, {(2, "a", 1): Server()})
    problems = placement_problems(memory, {(3, "a", 1): Server()}, {("a", 1): READER}, {})
    assert (
        problem_sentence(problems[0])
        == "the group with writer_hostgroup 2: no server is ONLINE in the writer hostgroup"
    )


def test_a_group_of_readers_only_may_be_meant():
    memory = Layer({2: GROUP}, {(2, "a", 1): Server()})
    assert placement_problems(memory, {(3, "a", 1): Server()}, {("a", 1): READER}, {}, None, True) == []


def test_a_group_that_is_not_there_is_a_problem():
    assert "no such group" in placement_problems(Layer({}, {}), {}, {}, {}, [2])[0].reason
