# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook of the collection in a real ansible-navigator, without an execution environment and without a terminal."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from support import ROOT

TOOLS = Path(os.environ.get("EDA_TOOLS", ROOT / ".cache/eda/bin"))
MISSING = f"there is no {TOOLS}/ansible-navigator; make eda installs it, and EDA_TOOLS names another folder"

pytestmark = [
    pytest.mark.eda,
    pytest.mark.skipif(not (TOOLS / "ansible-navigator").exists(), reason=MISSING),
    pytest.mark.claim(
        "ansible-navigator runs a playbook by its full name, and one that may give data up ends without the cluster's name."
    ),
]


def test_a_playbook_that_may_give_data_up_ends_before_it_connects_to_a_host(tmp_path):
    hosts = {"db0": {"mysql_gr_address": "192.0.2.130"}, "db1": {"mysql_gr_address": "192.0.2.131"}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": {"mysql_gr": {"hosts": hosts}}}}))
    others = next((TOOLS.parent / "lib").glob("python3*")) / "site-packages"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment.update(
        PATH=f"{TOOLS}:{os.environ['PATH']}",
        ANSIBLE_COLLECTIONS_PATH=f"{ROOT / 'collections'}:{others}",
        HOME=str(tmp_path),
    )
    done = subprocess.run(
        [
            TOOLS / "ansible-navigator", "run", "distdb.mysql_ha.recover", "--execution-environment", "false", "--mode", "stdout",
            "--playbook-artifact-enable", "false", "-i", "hosts.yml", "-e", "mysql_gr_clone=reprovision",
        ],
        cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode != 0
    assert "confirm: '' is not allowed (allowed: mysql_gr, the name of the cluster" in done.stdout, (
        done.stdout + done.stderr
    )
    assert "where db0 or db1 has transactions that the group lacks" in done.stdout
    assert "PLAY [Recover the members]" not in done.stdout
