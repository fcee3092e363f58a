# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status playbook with a format: its file and its exit status. The members are this machine, on which no server answers."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("With status_format the status playbook writes a file for its owner alone, in one step, and fails where an operator is needed."),
]  # fmt: skip


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A project with two clusters of one member each."""
    folder = tmp_path_factory.mktemp("status")
    member = {"mysql_gr_group_name": "8f22f846-9922-4139-b2b7-097d185a93cb", "mysql_gr_login_unix_socket": str(folder / "none.sock"),
              "mysql_gr_peer_password": "Peer-pass.1", "mysql_gr_port": 1, "ansible_host": "127.0.0.1", "ansible_connection": "local",
              "ansible_python_interpreter": sys.executable}  # fmt: skip
    groups = {
        name: {
            "hosts": {f"{name}0": {**member, "mysql_gr_server_id": number}},
            "vars": {"mysql_gr_inventory_group": name},
        }
        for number, name in enumerate(("alpha", "beta"), 1)
    }
    inventory = {"all": {"children": {"mysql_gr": {"children": groups}}}}
    (folder / "inventory.json").write_text(json.dumps(inventory))
    return folder


def run(here, *arguments):
    # "python -m ansible" looks for its commands in the package's metadata, which ansible-test hides. A umask that hides nothing.
    program = "import os; os.umask(0); from ansible.cli.playbook import main; main()"
    return subprocess.run(
        [sys.executable, "-c", program, "-i", "inventory.json", str(ROOT / "playbooks/status.yml"), *arguments], cwd=here,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip


@pytest.fixture(scope="module")
def written(here):
    return run(here, "-e", "status_format=json")


def test_a_script_gets_data_and_an_exit_status(here, written):
    report = json.loads((here / "status.json").read_text())
    assert written.returncode == 2, written.stdout + written.stderr
    assert (report["status"], report["verdict"]) == (2, "CRITICAL")
    assert [cluster["name"] for cluster in report["clusters"]] == ["alpha", "beta"]
    said = "alpha: No member that answered is in a group: there is no service."
    assert said in report["summary"] and said in " ".join(written.stdout.split())


def test_a_new_file_is_its_owners_alone(here, written):
    assert stat.S_IMODE((here / "status.json").stat().st_mode) == 0o600


def test_a_file_is_replaced_in_one_step(here):
    target = here / "page.html"
    target.write_text("the page before")
    target.chmod(0o644)
    with target.open() as before:
        done = run(here, "-e", "status_format=html", "-e", "status_file=page.html", "-e", "status_fails_on=never")
        # Who reads it meanwhile has the one before, whole.
        assert before.read() == "the page before"
        assert os.fstat(before.fileno()).st_ino != target.stat().st_ino
    assert done.returncode == 0, done.stdout + done.stderr
    page = target.read_text()
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n")
    assert "Group alpha" in page and "Group beta" in page
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_metrics_are_for_the_account_of_node_exporter_too(here):
    """And the age of each cluster's backup is in them."""
    (here / "backups/beta").mkdir(parents=True)
    (here / "backups/beta/backup.json").write_text('{"at": "2026-11-27T17:20:00.000000Z"}')
    done = run(here, "-e", "status_format=prometheus", "-e", "status_fails_on=never", "-e", "operations_backup=backups")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (here / "status.prom").read_text().splitlines()[
        -1
    ] == 'mysql_gr_backup_timestamp_seconds{cluster="beta"} 1795800000'
    assert stat.S_IMODE((here / "status.prom").stat().st_mode) == 0o644


def test_check_mode_shows_the_difference_and_writes_nothing(here, written):
    before = (here / "status.json").read_bytes()
    done = run(here, "-e", "status_format=html", "-e", "status_file=status.json", "--check", "--diff")
    assert done.returncode == 2
    assert "+<!DOCTYPE html>" in done.stdout
    assert (here / "status.json").read_bytes() == before
    assert not (here / "status.html").exists()


@pytest.mark.parametrize(
    ("option", "allowed"),
    [("status_format=xml", "text, json, html, prometheus"), ("status_fails_on=always", "critical, warning, never")],
)
def test_other_values_are_refused_before_anything_is_done(here, option, allowed):
    done = run(here, "-e", option)
    name, _, value = option.partition("=")
    assert done.returncode == 2
    assert f"{name}: '{value}' is not allowed (allowed: {allowed})." in " ".join(done.stdout.split()).replace("''", "'")
    assert "Query the cluster" not in done.stdout
