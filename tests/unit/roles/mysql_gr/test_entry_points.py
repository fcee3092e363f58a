# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's entry points: each one has a file and a specification, and an option that several of them take stands once."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROLE = Path(__file__).resolve().parents[4] / "roles" / "mysql_gr"
SPECS = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]


@pytest.mark.parametrize("entry_point", SPECS)
def test_an_entry_point_has_a_file_and_says_what_it_does(entry_point):
    assert (ROLE / "tasks" / f"{entry_point}.yml").is_file()
    assert SPECS[entry_point]["short_description"] and SPECS[entry_point]["description"]
    assert SPECS[entry_point]["options"]


@pytest.mark.parametrize("entry_point", SPECS)
def test_an_option_of_several_entry_points_is_the_same_one_in_all(entry_point):
    for name, option in SPECS[entry_point]["options"].items():
        assert option == SPECS["main"]["options"].get(name, option), name


def test_status_says_who_the_members_are():
    tasks = [
        task
        for name in ("status.yml", "connection.yml")
        for task in yaml.safe_load((ROLE / "tasks" / name).read_text())
    ]
    facts = {name for task in tasks for name in task.get("ansible.builtin.set_fact", {})}
    assert facts | {task.get("register") for task in tasks} >= {
        "mysql_gr_members",
        "mysql_gr_member",
        "mysql_gr_status",
        "mysql_gr_login",
        "mysql_gr_connection",
    }
