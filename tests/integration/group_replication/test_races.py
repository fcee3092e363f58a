# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers at once, and controllers killed at random moments. GR_RACES and GR_KILLS set how often."""

from __future__ import annotations

import os
import random
import time

import pytest
from gr_scenario import decisions, wait_for

pytestmark = [
    pytest.mark.members,
    pytest.mark.long,
    pytest.mark.claim(
        "Two controllers at once bootstrap one group; controllers killed at random moments leave one group and every row.",
        minutes=17,
    ),
]

RACES = int(os.environ.get("GR_RACES", "20"))
KILLS = int(os.environ.get("GR_KILLS", "30"))


def groups_of(group):
    """The groups that are alive, by the first part of their view's identifier: made at the bootstrap, the same through all views.

    Views themselves say less: asked one after the other while a member joins, two of one group differ.
    """
    rows = [
        server.sql(
            "SELECT s.VIEW_ID AS view FROM performance_schema.replication_group_member_stats s "
            "JOIN performance_schema.replication_group_members m USING (MEMBER_ID) "
            "WHERE m.MEMBER_ID = @@GLOBAL.server_uuid AND m.MEMBER_STATE IN ('ONLINE', 'RECOVERING') AND s.VIEW_ID <> ''"
        )
        for server in group.servers
    ]
    return {row["view"].split(":")[0] for found in rows for row in found}


def test_two_controllers_cannot_both_bootstrap(group):
    """Each controller knows of its own host only as acting; without the lock both would bootstrap."""
    for _time in range(RACES):
        group.out()
        one = group.backend.start_call(["db0"], acting_members=[group[0].address])
        two = group.backend.start_call(["db1"], acting_members=[group[1].address])
        results = {**one.wait(), **two.wait()}
        assert sorted(decisions(results).values()) == ["bootstrap", "join"]
        group.is_one_group(0, 1)


def test_killed_controllers_leave_what_the_next_run_completes(group):
    """SIGKILL ansible and the module at a random moment; run again: exactly one group, and every acknowledged row is there."""
    seed = random.SystemRandom().randrange(1 << 32)
    rng = random.Random(seed)
    decisions(group.call())
    acknowledged = []
    for number in range(KILLS):
        told = f"random seed {seed}, kill {number}"
        value = f"kill {number}"
        group.insert(number % 3, value)
        acknowledged.append(value)
        group.same_rows(value)
        group.out()
        call = group.backend.start_call()
        time.sleep(rng.uniform(0.3, 6.0))
        call.kill()
        group.backend.kill_modules()
        assert len(groups_of(group)) <= 1, told
        results = group.call()
        failed = {name: result["msg"] for name, result in results.items() if result.get("failed")}
        assert not failed, f"{told}: {failed}"
        group.is_one_group()
        assert len(groups_of(group)) == 1, told
    group.same_rows(*acknowledged)
    wait_for(
        lambda: all(set(acknowledged) <= set(group.rows(server)) for server in group.servers), 30, "all rows everywhere"
    )
