# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings with which a server does not start, on a converged cluster: found before any file is written, or the old file is put back."""

from __future__ import annotations

import json

import pytest
from support import wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.usefixtures("converged"),
    pytest.mark.claim(
        "Settings with which a server does not start are refused before a file is written, or the old file is put back and no other member is touched."
    ),
]

FILE = "/etc/mysql/mysql.conf.d/zz-mysql-gr.cnf"


def files(lab) -> dict[str, str]:
    return {member: lab.on(member, "cat", FILE) for member in lab.members}


def starts(lab) -> dict[str, str]:
    shown = ("systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "--value", "mysql")
    return {member: lab.on(member, *shown).strip() for member in lab.members}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_conections": 200}, "unknown variable 'max_conections=200'"),
        ({"default_time_zone": "Europe/Berlin"}, "Unknown or incorrect time zone: 'Europe/Berlin'"),
        ({"lower_case_table_names": 1}, "lower_case_table_names=1: the data directory was made with 0"),
        ({"sql_mode": "NO_SUCH_MODE"}, "Error while setting value 'NO_SUCH_MODE' to 'sql_mode'"),
        ({"secure_file_priv": "/no/such"}, "Failed to access directory for --secure-file-priv"),
        ({"innodb_buffer_pool_size": "banana"}, "innodb_buffer_pool_size is 'banana'; allowed is a size such as 128M"),
        ({"innodb_buffer_pool_size": ["128M"]}, "innodb_buffer_pool_size is ['128M']; allowed is a size such as 128M"),
    ],
)
def test_refused_before_any_file_is_written(lab, settings, words):
    before, running = files(lab), starts(lab)
    run = lab.site("-e", json.dumps({"mysql_gr_settings": settings}))
    assert run.code != 0
    assert words in run.flat, run
    assert "Traceback" not in run.output and "TypeError" not in run.output
    assert files(lab) == before and starts(lab) == running
    assert set(run.changed.values()) <= {0}, run
    lab.one_group()


def test_check_mode_refuses_them_too(lab):
    run = lab.site("--check", "-e", json.dumps({"mysql_gr_settings": {"max_conections": 200}}))
    assert run.code != 0 and "unknown variable 'max_conections=200'" in run.flat, run


def test_a_server_that_does_not_start_gets_its_old_file_back_and_nobody_else_is_touched(lab):
    """A file that is missing: mysqld finds out only when it starts."""
    before, running = files(lab), starts(lab)
    settings = {"init_file": "/no/such/file"}
    run = lab.site("-e", json.dumps({"mysql_gr_settings": settings}))
    assert run.code != 0
    assert "does not start with them" in run.flat and "/no/such/file" in run.flat, run
    assert files(lab) == before
    now = starts(lab)
    assert [member for member in lab.members if now[member] != running[member]] == [lab.members[0]]
    wait_for(lambda: sorted(lab.view(lab.members[0]).values()) == ["ONLINE"] * 3, 90, "three ONLINE members")
    run = lab.site()
    assert run.code == 0 and set(run.changed.values()) == {0}, run
