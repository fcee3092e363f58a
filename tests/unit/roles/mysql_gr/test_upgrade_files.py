# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package source of a series and the upgrade of a member: what is written, in which order, and what is said when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

pytestmark = [pytest.mark.unit]

ROLE = Path(__file__).resolve().parents[4] / "roles/mysql_gr"
VARIABLES = yaml.safe_load((ROLE / "vars/main.yml").read_text())
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text())


def tasks(name):
    return {task["name"]: task for task in yaml.safe_load((ROLE / f"tasks/{name}.yml").read_text())}


def filled_in(value, **variables):
    templar = Templar(loader=DataLoader(), variables=variables)
    return templar.template(trust_as_template(value))


def source(os_id="debian", codename="trixie", series="8.4", url="https://mysql.example.com/apt"):
    every = tasks("repository_apt")
    variables = {
        **DEFAULTS, "mysql_gr_repository_url": url, "mysql_gr_series": series, "_mysql_gr_components": VARIABLES["_mysql_gr_components"],
        "_mysql_gr_probe": {"os": {"id": os_id, "codename": codename}},
    }  # fmt: skip
    names = ("Prefer this repository's packages", "Add the repository of the chosen series")
    return [filled_in(every[name]["ansible.builtin.copy"]["content"], **variables) for name in names]


@pytest.mark.parametrize(
    ("os_id", "codename", "series", "lines"),
    [
        (
            "debian",
            "trixie",
            "8.4",
            ["URIs: https://mysql.example.com/apt/debian", "Suites: trixie", "Components: mysql-8.4-lts"],
        ),
        (
            "ubuntu",
            "noble",
            "8.0",
            ["URIs: https://mysql.example.com/apt/ubuntu", "Suites: noble", "Components: mysql-8.0"],
        ),
    ],
)
def test_the_source_is_that_of_the_distribution_and_the_series(os_id, codename, series, lines):
    pin, written = source(os_id, codename, series)
    for line in [*lines, "Signed-By: /etc/apt/keyrings/mysql-release.asc", "Types: deb"]:
        assert line in written.splitlines()
    # Not above 1000: apt would go back to an older version by itself.
    assert pin.splitlines() == ["Package: *", "Pin: origin mysql.example.com", "Pin-Priority: 990"]


def test_the_key_is_trusted_for_this_source_alone_and_is_there_before_the_source():
    every = tasks("repository_apt")
    names = list(every)
    key = every["Trust the repository's key for this repository alone"]["ansible.builtin.copy"]
    assert key["dest"] == "/etc/apt/keyrings/mysql-release.asc" and "trusted.gpg" not in str(every)
    assert names.index("Trust the repository's key for this repository alone") < names.index(
        "Add the repository of the chosen series"
    )


def test_package_lists_are_renewed_only_where_the_source_of_a_server_changes():
    renew = tasks("repository_apt")["Renew the package lists, where the server is there already"]
    assert renew["when"] == ["_mysql_gr_source is changed", "_mysql_gr_probe.installed"]


def test_only_the_packages_that_are_named_are_upgraded_and_the_users_files_stay():
    apt = tasks("upgrade")["Upgrade"]["block"][0]
    arguments = apt["ansible.builtin.apt"]
    assert arguments["only_upgrade"] and not arguments["install_recommends"]
    assert arguments["dpkg_options"] == "force-confdef,force-confold"
    assert filled_in(arguments["name"]) == ["mysql-server"]
    assert filled_in(arguments["name"], mysql_gr_upgrade_packages=["a", "b"]) == ["a", "b"]
    # The server that Debian's packages start by themselves reads the settings that the tasks before have written.
    names = list(tasks("upgrade"))
    assert apt["environment"]["MYSQL_HOME"] == "{{ _mysql_gr_upgrade_directory }}"
    assert names.index("Write the settings of the server that the packages start") < names.index("Upgrade")
    assert names[-1] == "Make it a member again"


def test_the_server_of_the_packages_neither_joins_nor_writes_a_binary_log():
    written = tasks("upgrade")["Write the settings of the server that the packages start"]["ansible.builtin.copy"][
        "content"
    ]
    assert written.splitlines() == ["[mysqld]", "skip_log_bin", "loose-group_replication_start_on_boot = OFF"]


def said(started, **failed):
    task = tasks("upgrade")["Upgrade"]["rescue"][-1]
    known = {
        "_mysql_gr_started": started, "inventory_hostname": "db1", "_mysql_gr_upgrade_directory": VARIABLES["_mysql_gr_upgrade_directory"], **failed,
    }  # fmt: skip
    which = "down" if "errors" in started else "up"
    words = {"up": "", "down": "", which: filled_in(task["vars"][which], **known)}
    return " ".join(filled_in(task["ansible.builtin.fail"]["msg"], **known, **words).split())


def test_a_server_that_does_not_start_is_told_from_packages_that_were_not_installed():
    text = said({"errors": ["unknown variable 'x=1'."]})
    assert text.startswith(
        "db1 was upgraded and its server does not start; the run ends here, and the other members serve."
    )
    assert (
        "The server says: unknown variable 'x=1'. Remove the cause" in text
        and "MYSQL_HOME=/etc/mysql/gr-upgrade dpkg --configure -a on db1" in text
    )
    text = said(
        {"changed": False},
        ansible_failed_result={"msg": "no space left"},
        ansible_failed_task={"name": "Upgrade the packages"},
    )
    assert text == "db1 was not upgraded, and its server runs: no space left"
