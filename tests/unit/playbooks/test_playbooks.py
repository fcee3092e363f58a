# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every play."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted(
    path for folder in ("playbooks", "playbooks/plays", "examples/simkp") for path in (ROOT / folder).glob("*.yml")
)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_play_that_ends_at_an_error_ends_the_run_at_an_unreachable_host_too(path):
    for play in yaml.safe_load(path.read_text()):
        assert play.get("any_errors_fatal", False) == ("max_fail_percentage" in play), play["name"]
        assert play.get("max_fail_percentage", 0) == 0


def test_an_unreachable_host_ends_the_run(tmp_path):
    """With any_errors_fatal alone the second play went on (ansible-core 2.21)."""
    (tmp_path / "inventory.yml").write_text(
        "all: {children: {members: {hosts: {there: {ansible_connection: local}, gone: {ansible_connection: ssh, ansible_host: 127.0.0.1,"
        " ansible_port: 1}}}, proxies: {hosts: {proxy: {ansible_connection: local}}}}}"
    )
    tasks = "gather_facts: false\n  tasks: [{ansible.builtin.ping: {}}]"
    (tmp_path / "play.yml").write_text(
        f"- hosts: members\n  any_errors_fatal: true\n  max_fail_percentage: 0\n  {tasks}\n- hosts: proxies\n  {tasks}\n"
    )
    # "python -m ansible" looks for its commands in the package's metadata, which ansible-test hides.
    program = "from ansible.cli.playbook import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "-i", "inventory.yml", "play.yml"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "UNREACHABLE" in done.stdout and "PLAY [proxies]" not in done.stdout
