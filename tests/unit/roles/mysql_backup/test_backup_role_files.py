# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's files: entry points, units that systemd would take, what of it the host keeps secret."""

from __future__ import annotations

import configparser
from pathlib import Path

import jinja2
import pytest
import yaml

ROLE = Path(__file__).resolve().parents[4] / "roles" / "mysql_backup"
SPECS = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]
VARIABLES = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
UNITS = VARIABLES["_mysql_backup_unit_names"]

pytestmark = pytest.mark.unit


def unit(name: str, place: str = "", identity: str = "") -> configparser.ConfigParser:
    """A unit as Ansible would write it."""
    folder = jinja2.FileSystemLoader(ROLE / "templates")
    environment = jinja2.Environment(loader=folder, trim_blocks=True, undefined=jinja2.StrictUndefined)
    text = environment.get_template(f"{name}.j2").render(
        mysql_backup_cluster="shop", mysql_backup_schedule="daily", mysql_backup_directory="/var/lib/mysql-gr-backup",
        mysql_backup_drill_schedule="weekly", mysql_backup_drill_identity=identity,
        _mysql_backup_identity_file="/etc/mysql-gr-backup/identity", _mysql_backup_reports="/var/lib/mysql-gr-backup/drills",
        _mysql_backup_local_place=place, _mysql_backup_program_file="/usr/local/sbin/mysql-gr-backup",
    )  # fmt: skip
    found = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    found.optionxform = str
    found.read_string(text)
    return found


@pytest.mark.parametrize("entry_point", SPECS)
def test_an_entry_point_has_a_file_and_says_what_it_does(entry_point):
    assert (ROLE / "tasks" / f"{entry_point}.yml").is_file()
    assert (
        SPECS[entry_point]["short_description"] and SPECS[entry_point]["description"] and SPECS[entry_point]["options"]
    )


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_a_service_is_hardened_and_runs_the_program(name):
    service = unit(name)["Service"]
    command = name.removesuffix(".service").rpartition("-")[2]
    assert service["ExecStart"] == f"/usr/bin/python3 -I -B /usr/local/sbin/mysql-gr-backup {command}"
    assert (
        service["ProtectSystem"] == "strict"
        and service["NoNewPrivileges"] == "yes"
        and service["SystemCallArchitectures"] == "native"
    )
    assert (
        service["ReadWritePaths"] == "/var/lib/mysql-gr-backup"
        and service["SystemCallFilter"]
        and service["UMask"] == "0077"
    )
    # Only what makes a copy starts a server, as another user.
    assert ("CAP_SETUID" in service["CapabilityBoundingSet"]) == (command == "full")


def test_a_drill_has_its_key_where_there_is_one():
    command = "/usr/bin/python3 -I -B /usr/local/sbin/mysql-gr-backup drill"
    assert (
        unit("mysql-gr-backup-drill.service")["Service"]["ExecStart"]
        == f"{command} --report /var/lib/mysql-gr-backup/drills"
    )
    service = unit("mysql-gr-backup-drill.service", identity="# a\nAGE-SECRET-KEY-1X\n")["Service"]
    assert (
        service["ExecStart"]
        == f"{command} --identity /etc/mysql-gr-backup/identity --report /var/lib/mysql-gr-backup/drills"
    )
    assert service["ProtectSystem"] == "strict" and "ExecStartPost" not in service
    assert unit("mysql-gr-backup-drill.timer")["Timer"]["OnCalendar"] == "weekly"


def test_a_directory_as_the_place_can_be_written():
    assert (
        unit("mysql-gr-backup-stream.service", "/srv/backup")["Service"]["ReadWritePaths"]
        == "/var/lib/mysql-gr-backup /srv/backup"
    )


def test_the_timer_makes_up_for_what_was_missed():
    assert dict(unit("mysql-gr-backup-full.timer")["Timer"]) == {"OnCalendar": "daily", "Persistent": "yes"}


def test_files_with_secrets_are_roots_alone():
    tasks = [
        task for name in ("program", "drill") for task in yaml.safe_load((ROLE / "tasks" / f"{name}.yml").read_text())
    ]
    secret = [task for task in tasks if task.get("no_log")]
    assert {task["ansible.builtin.copy"]["dest"] for task in secret} == {
        "{{ _mysql_backup_remotes_file }}",
        "{{ _mysql_backup_config_file }}",
        "{{ _mysql_backup_identity_file }}",
    }
    assert all(task["ansible.builtin.copy"]["mode"] == "0600" for task in secret)


def test_everything_that_is_written_is_removed():
    removed = (ROLE / "tasks" / "remove.yml").read_text()
    for name in (
        "_mysql_backup_program_file",
        "_mysql_backup_folder",
        "mysql_backup_directory",
        "_mysql_backup_unit_names",
        "_mysql_backup_drill_units",
    ):
        assert name in removed
