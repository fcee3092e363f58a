# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules of the group from their options to their answer, on servers that answer their statements."""

from __future__ import annotations

import pymysql
import pytest
from ansible_collections.distdb.mysql_ha.plugins.modules import (
    group_replication_bootstrap,
    group_replication_fence,
    group_replication_force_quorum,
    group_replication_info,
    group_replication_primary,
)
from gr_servers import NAMES, rehearsed

pytestmark = [pytest.mark.unit]

BOOTSTRAP, FENCE, QUORUM = group_replication_bootstrap, group_replication_fence, group_replication_force_quorum
INFO, PRIMARY = group_replication_info, group_replication_primary


# ---- info ---------------------------------------------------------------------------------------------------------------


def test_info_of_a_whole_group(run, world):
    world.group(*NAMES)
    answer = run(INFO)
    assert answer["address"] == "db0:3306" and not answer["changed"]
    assert answer["cluster"]["state"] == "ONLINE" and answer["cluster"]["mode"] == "multi_primary"
    assert {one["state"] for one in answer["cluster"]["members"].values()} == {"ONLINE"}
    # What the server says with line breaks and in upper case is compared in one form.
    assert answer["member"]["server_uuid"] == world.servers["db0"].uuid
    assert answer["member"]["stats"][world.servers["db0"].uuid]["transactions_behind"] == 2
    assert answer["member"]["channels"]["group_replication_applier"]["service_state"] == "ON"


def test_info_tells_a_server_that_is_down_from_one_that_refuses_the_account(run, world):
    world.group("db0")
    world.servers["db1"].alive = False
    world.servers["db2"].account = "somebody"
    members = run(INFO)["cluster"]["members"]
    assert {members[f"{name}:3306"]["kind"] for name in ("db1", "db2")} == {"unreachable"}
    assert "does not answer" in members["db1:3306"]["why"] and "refuses account 'gr_peer'" in members["db2:3306"]["why"]


def test_info_needs_the_managed_server(run, world):
    world.servers["db0"].alive = False
    assert "does not answer" in run(INFO)["msg"]


def test_info_does_not_guess_which_member_the_server_is(run, world):
    world.group(*NAMES)
    answer = run(INFO, members=["other0", "db1"])
    assert "cannot tell which of members" in answer["msg"] and "name it with member" in answer["msg"]


def test_info_of_a_server_with_the_bootstrap_flag_says_where_it_is_from(run, world):
    server = world.servers["db0"]
    server.variables["group_replication_bootstrap_group"] = "ON"
    server.cloning_from, server.schemas = "DB1:3306", ["shop"]
    server.applier_error = {
        "number": 1062,
        "message": "Duplicate entry",
        "at": "2026-01-01",
        "channel": "group_replication_recovery",
    }
    server.locked_by = 9
    member = run(INFO, group_name="8f22f846-9922-4139-b2b7-097d185a93cb")["member"]
    assert member["bootstrap_flag"] and member["bootstrap_flag_source"] == "DYNAMIC"
    assert member["cloning_from"] == "db1:3306" and [schema["name"] for schema in member["data"]["schemas"]] == ["shop"]
    assert member["data"]["history"] == "it has not one transaction with a GTID"
    assert member["applier_error"]["message"] == "Duplicate entry"
    assert member["lock_holder"] == "gr_peer@h (connection 9)" and member["state"] == "OFFLINE" and member["view"] == {}


def test_a_version_without_group_replication_is_said(run, world):
    world.servers["db0"].version = "5.6.51"
    answer = run(BOOTSTRAP)
    assert answer["failed"] and "5.6.51" in answer["msg"]


# ---- bootstrap ----------------------------------------------------------------------------------------------------------


def test_the_first_member_bootstraps_the_next_ones_join_and_nobody_is_changed_again(run, world):
    _foreseen, done = rehearsed(run, BOOTSTRAP)
    assert done["decision"] == "bootstrap" and done["after"]["state"] == "ONLINE"
    assert world.servers["db0"].variables["group_replication_bootstrap_group"] == "OFF"
    assert rehearsed(run, BOOTSTRAP, on="db1")[1]["decision"] == "join"
    assert world.members == ["db0", "db1"]
    again = run(BOOTSTRAP, on="db1")
    assert not again["changed"] and again["decision"] == "unchanged" and again["statements"] == []


def test_a_member_leaves_for_good_and_comes_back(run, world):
    world.group(*NAMES)
    left = rehearsed(run, BOOTSTRAP, state="absent")[1]
    assert left["decision"] == "leave" and world.servers["db0"].persisted == {"group_replication_start_on_boot": "OFF"}
    assert not run(BOOTSTRAP, state="absent")["changed"]
    assert run(BOOTSTRAP)["decision"] == "join" and world.servers["db0"].persisted == {}


def test_an_unreachable_member_is_never_absent(run, world):
    world.servers["db2"].alive = False
    answer = run(BOOTSTRAP)
    assert answer["failed"] and "db2:3306" in answer["msg"] and world.members == []


# ---- fence --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fence", "offline"), [("writes", 0), ("all", 1)])
def test_a_fence_and_back(run, world, fence, offline):
    world.group(*NAMES)
    _foreseen, done = rehearsed(run, FENCE, fence=fence)
    assert done["after"]["super_read_only"] is True and world.servers["db0"].globals["offline_mode"] == offline
    assert not run(FENCE, fence=fence)["changed"]
    foreseen, back = rehearsed(run, FENCE, fence="none")
    assert foreseen["after"] == back["after"] == {**done["before"], "state": "ONLINE"}
    assert not run(FENCE, fence="none")["changed"]


def test_the_fence_of_a_primary_keeps_a_new_one_closed_too(run, world):
    world.group(*NAMES, primary="db0")
    done = rehearsed(run, FENCE, fence="writes")[1]
    assert any("group_replication_disable_member_action" in text for text in done["statements"])
    # Without the fence a secondary stays closed, which is the group's own wish.
    assert world.servers["db0"].action == 0
    run(FENCE, fence="none")
    assert world.servers["db0"].action == 1
    assert not run(FENCE, on="db1", fence="none")["changed"]


def test_before_8_0_26_there_is_no_action_to_switch_off(run, world):
    world.servers["db0"].version = "8.0.25"
    world.group("db0", primary="db0")
    assert run(FENCE, fence="writes")["statements"] == ["SET GLOBAL super_read_only = ON"]


# ---- primary ------------------------------------------------------------------------------------------------------------


def test_modes_and_primaries_change_and_stay(run, world):
    world.group(*NAMES)
    foreseen, done = rehearsed(run, PRIMARY, mode="single_primary", primary="db1")
    assert done["after"]["primaries"] == foreseen["after"]["primaries"] == ["db1:3306"]
    assert done["messages"] == ["Primary server switched"]
    assert not run(PRIMARY, mode="single_primary", primary="db1")["changed"]
    moved = rehearsed(run, PRIMARY, primary="db2", running_transactions_timeout=60)[1]
    assert moved["decision"] == "set_primary" and "60" in moved["statements"][0]
    assert rehearsed(run, PRIMARY, mode="multi_primary")[1]["after"]["mode"] == "multi_primary"
    assert rehearsed(run, PRIMARY, mode="single_primary")[1]["after"]["primaries"] == ["db0:3306"]


def test_what_the_group_refuses_is_said(run, world):
    world.group(*NAMES, primary="db0")
    world.refused["set_as_primary"] = pymysql.err.OperationalError(3910, "The function failed. Member is not eligible")
    answer = run(PRIMARY, primary="db1")
    assert "the group refuses" in answer["msg"] and "not eligible" in answer["msg"]


@pytest.mark.parametrize(
    "busy",
    [
        "Another group configuration operation is ongoing",
        "There is already a configuration action being executed. Wait for it to finish.",
    ],
)
def test_what_the_group_is_busy_with_is_waited_for(run, world, busy):
    world.group(*NAMES, primary="db0")
    world.refused["set_as_primary"] = pymysql.err.OperationalError(3910, busy)
    late = run(PRIMARY, primary="db1", timeout=1)
    assert "timeout: after 1 seconds still waiting" in late["msg"] and late["statements"] == [] and not late["changed"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "multi_primary", "primary": "db1"}, "primary: is not allowed together with mode=multi_primary"),
        ({}, "mode: must be given, or primary, or both"),
    ],
)
def test_a_wish_that_contradicts_itself(run, options, words):
    assert words in run(PRIMARY, **options)["msg"]


# ---- quorum -------------------------------------------------------------------------------------------------------------


def test_the_survivor_goes_on_without_those_that_are_named(run, world):
    world.group(*NAMES)
    for name in ("db1", "db2"):
        world.servers[name].alive = False
        world.seen["db0", name] = "UNREACHABLE"
    assert "is not allowed (allowed: exactly the UNREACHABLE members" in run(QUORUM, lost_members=["db1"])["msg"]
    foreseen, done = rehearsed(run, QUORUM, lost_members=["db1", "db2"])
    assert foreseen["after"] == done["after"] == {"state": "ONLINE", "quorum": True, "members": ["db0:3306 ONLINE"]}
    # The variable is emptied again, or it would act at the next change of the group.
    assert world.servers["db0"].statements[-1] == "SET GLOBAL group_replication_force_members = ''"
    assert not run(QUORUM, lost_members=["db1", "db2"])["changed"]


@pytest.fixture
def lost(world):
    """db1 and db2 are lost; called with an error, and what happens meanwhile, it is how db0 answers the wish to go on without them."""
    world.group(*NAMES)
    for name in ("db1", "db2"):
        world.servers[name].alive = False
        world.seen["db0", name] = "UNREACHABLE"
    real = world.connection

    def says(code, words, meanwhile=lambda: None):
        def failing(**arguments):
            session = real(**arguments)
            execute = session.execute

            def refuse(text, args=None):
                if "force_members" in text and args[0]:
                    meanwhile()
                    raise pymysql.err.OperationalError(code, words)
                return execute(text, args)

            session.execute = refuse
            return session

        world.connection = failing

    return says


def test_what_the_group_says_against_force_is_said_and_the_variable_emptied(run, world, lost):
    lost(1231, "Variable can't be set")
    answer = run(QUORUM, lost_members=["db1", "db2"])
    assert "the group refuses" in answer["msg"] and "Variable can't be set" in answer["msg"]
    assert world.servers["db0"].statements[1:] == ["SET GLOBAL group_replication_force_members = ''"]


TOO_LATE = (
    4118,
    (
        "The 'SET GLOBAL group_replication_force_members=db0:33061' command encountered a failure. Timeout on wait for view"
        " after setting group_replication_force_members."
    ),
)


def test_a_view_that_comes_after_the_servers_own_patience(run, world, lost):
    lost(*TOO_LATE, lambda: setattr(world, "members", ["db0"]))
    answer = run(QUORUM, lost_members=["db1", "db2"])
    assert answer["changed"] and answer["after"] == {"state": "ONLINE", "quorum": True, "members": ["db0:3306 ONLINE"]}
    assert world.servers["db0"].statements[-1] == "SET GLOBAL group_replication_force_members = ''"


def test_a_view_that_does_not_come(run, world, lost):
    lost(*TOO_LATE)
    answer = run(QUORUM, lost_members=["db1", "db2"], timeout=1)
    assert "after 1 seconds the group still has no quorum; it may come later" in answer["msg"]
    assert world.servers["db0"].statements[-1] == "SET GLOBAL group_replication_force_members = ''"


def test_sessions_do_not_wait_for_the_group(world, run):
    """With BEFORE, a member without a majority would let its own diagnosis hang."""
    run(INFO)
    told = [world.servers[name].statements[:1] for name in ("db0", "db1", "db2")]
    assert told == [["SET SESSION group_replication_consistency = 'EVENTUAL'"]] * 3
