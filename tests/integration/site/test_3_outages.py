# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members down, one by one and all together; the site playbook run again."""

from __future__ import annotations

import uuid

import pytest
from support import wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim(
        "Stopped members rejoin; after a complete outage they come back as one group with every row; an unreachable member stops the bootstrap."
    ),
]


@pytest.fixture(scope="module", autouse=True)
def kept_table(lab, converged):
    lab.sql(
        lab.members[0],
        "CREATE TABLE IF NOT EXISTS simkp.kept (id INT AUTO_INCREMENT PRIMARY KEY, token CHAR(32) NOT NULL)",
    )


def write(lab, member: str) -> str:
    token = uuid.uuid4().hex
    lab.sql(member, f"INSERT INTO simkp.kept (token) VALUES ('{token}')")
    return token


def tokens(lab, member: str) -> set[str]:
    return {row[0] for row in lab.sql(member, "SELECT token FROM simkp.kept")}


def has_rows(lab, wanted: set[str]) -> None:
    """Every member comes to hold all the rows."""
    for member in lab.members:
        wait_for(lambda member=member: wanted <= tokens(lab, member), 30, f"every row on {member}")


def stop(lab, *members: str) -> None:
    for member in members:
        lab.on(member, "systemctl", "stop", "mysql")


def test_one_member_stopped_rejoins_with_limit(lab):
    member = lab.members[2]
    stop(lab, member)
    said = lab.on(member, "journalctl", "--unit", "mysql", "--lines", "20", "--output", "cat")
    assert "left the group" in said, said
    written = write(lab, lab.members[0])
    run = lab.site("--limit", member)
    assert run.code == 0, run
    assert set(run.recap) == {member}
    lab.one_group()
    has_rows(lab, {written})


def test_limit_on_a_healthy_cluster_changes_nothing(lab):
    run = lab.site("--limit", lab.members[1])
    assert run.code == 0, run
    assert set(run.changed.values()) == {0}, run
    lab.one_group()


def test_all_stopped_come_back_as_one_group_with_every_row(lab):
    """The last to stop holds a row that the others have not got: it has to be the one that starts the group."""
    before = tokens(lab, lab.members[0]) | {write(lab, lab.members[0])}
    stop(lab, lab.members[0])
    before.add(write(lab, lab.members[1]))
    stop(lab, lab.members[1])
    # The last one alone has left or keeps its majority, as it was told of both leaving.
    before.add(write(lab, lab.members[2]))
    stop(lab, lab.members[2])
    run = lab.site()
    print(f"site.yml after a complete outage: {run.seconds:.1f} s")
    assert run.code == 0, run
    lab.one_group()
    has_rows(lab, before)
    again = lab.site()
    assert again.code == 0, again
    assert set(again.changed.values()) == {0}, again


def test_an_unreachable_member_during_an_outage_is_named_and_nothing_is_started(lab):
    away, *others = reversed(lab.members)
    stop(lab, *lab.members)
    lab.command("lab/host", "stop", away)
    try:
        run = lab.site()
        assert run.code != 0, run
        assert lab.address(away) in run.flat or away in run.flat, run
        for member in others:
            assert "ONLINE" not in lab.view(member).values(), "nobody may start a group while a member was not asked"
        limited = lab.site("--limit", ",".join(others))
        assert limited.code != 0, limited
        assert lab.address(away) in limited.flat, limited
        for member in others:
            assert "ONLINE" not in lab.view(member).values()
    finally:
        lab.command("lab/host", "start", away)
    run = lab.site()
    assert run.code == 0, run
    lab.one_group()
