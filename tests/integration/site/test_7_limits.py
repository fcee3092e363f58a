# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks work on what --limit names, and on nobody else."""

from __future__ import annotations

import json
import os

import pytest
from support import ROOT

pytestmark = [
    pytest.mark.integration,
    pytest.mark.usefixtures("converged"),
    pytest.mark.claim(
        "A playbook changes the members that --limit names and nobody else, or refuses in one sentence.", minutes=2
    ),
]


def test_one_member_is_restarted_and_nobody_else(lab):
    before = lab.started()
    run = lab.site("--limit", "db1", playbook="playbooks/rolling_restart.yml")
    assert run.code == 0, run
    after = lab.started()
    assert after["db1"] > before["db1"]
    assert [after[name] for name in ("db0", "db2")] == [before[name] for name in ("db0", "db2")]
    assert set(run.recap) == {"db1"}
    # It was drained although no proxy is in the limit.
    assert "db1 -> proxy: distdb.mysql_ha.proxysql : Change the members' status on the proxies" in run.what_changed
    lab.one_group()


@pytest.mark.parametrize(
    ("playbook", "arguments", "sentence"),
    [
        ("rolling_restart", ("--limit", "proxy"), "No host of this run is a member of the inventory group mysql_gr"),
        ("rolling_restart", ("-e", "operations_cluster=beta"), "operations_cluster: 'beta' is not allowed (allowed: mysql_gr)"),
        ("switch_mode", ("--limit", "db0"), "--limit leaves out db1, db2 of cluster mysql_gr"),
        ("remove_member", ("--limit", "db0", "-e", "operations_member=db1"), "operations_member: 'db1' is outside of --limit"),
        ("force_quorum", (), "operations_lost: '' is not allowed (allowed: db0, db1, db2)"),
        ("replace_member", ("-e", "operations_member=db2"), "operations_replaced: '' is not allowed"),
        ("fence", ("-e", "operations_fence=some"), "operations_fence: 'some' is not allowed (allowed: writes, all)"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(lab, playbook, arguments, sentence):
    run = lab.site(*arguments, playbook=f"playbooks/{playbook}.yml")
    assert run.code != 0 and sentence in run.flat, run
    assert not any(run.changed.values())


def test_a_backup_is_taken_from_any_member(lab, tmp_path):
    # Relative to where the command is given, not to where the playbook is.
    where = ("-e", f"operations_backup={os.path.relpath(tmp_path / 'backup', ROOT)}")
    run = lab.site("--limit", "!db0", *where, playbook="playbooks/backup.yml")
    assert run.code == 0, run
    manifest = json.loads((tmp_path / "backup" / "backup.json").read_text())
    assert manifest["member"] == "db2" and (tmp_path / "backup" / "schemas.sql.gz").stat().st_size > 0


def test_one_member_is_fenced(lab):
    fenced = "SELECT @@super_read_only"
    # Without a terminal there is no question.
    refused = lab.site("--limit", "db2", playbook="playbooks/fence.yml")
    assert refused.code != 0 and "confirm: '' is not allowed (allowed: mysql_gr" in refused.flat, refused
    assert lab.sql("db2", fenced)[0][0] == "0"
    planned = lab.site("--limit", "db2", "--check", playbook="playbooks/fence.yml")
    assert planned.code == 0 and "statements of applications that write fail on db2" in planned.flat, planned
    run = lab.site("--limit", "db2", "-e", "confirm=mysql_gr", playbook="playbooks/fence.yml")
    assert run.code == 0, run
    try:
        assert [lab.sql(member, fenced)[0][0] for member in lab.members] == ["0", "0", "1"]
        again = lab.site("--limit", "db2", "-e", "confirm=mysql_gr", playbook="playbooks/fence.yml")
        assert again.code == 0 and not any(again.changed.values()), again
    finally:
        run = lab.site("--limit", "db2", playbook="playbooks/unfence.yml")
    assert run.code == 0, run
    assert [lab.sql(member, fenced)[0][0] for member in lab.members] == ["0", "0", "0"]
