# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members that are not as the inventory has them, on a converged cluster: refused in one sentence, or made good."""

from __future__ import annotations

import contextlib
import json
import secrets

import pytest
import yaml
from support import ROOT

pytestmark = [
    pytest.mark.integration,
    pytest.mark.usefixtures("converged"),
    pytest.mark.claim(
        "Members and names that are not as the inventory has them are refused in one sentence, or made good."
    ),
]


def refused(run, *words: str) -> None:
    assert run.code != 0, run
    for word in words:
        assert word in run.flat, f"{word!r} is not in the output\n{run}"
    assert set(run.changed.values()) <= {0}, run


@contextlib.contextmanager
def hosts_file(lab, text_of) -> None:
    """/etc/hosts of every member with further lines: text_of(member)."""
    for member in lab.members:
        lab.on(member, "cp", "/etc/hosts", "/root/hosts")
        lab.give(member, "cat /root/hosts - >/etc/hosts", text_of(member))
    try:
        yield
    finally:
        for member in lab.members:
            lab.on(member, "sh", "-c", "cat /root/hosts >/etc/hosts; rm /root/hosts")


NAMES = ("-e", '{"mysql_gr_address": "{{ inventory_hostname }}.lab.example"}')


def test_a_name_that_is_a_loopback_address_on_its_own_host_is_refused(lab):
    def text(member):
        lines = [f"{lab.address(other)} {other}.lab.example" for other in lab.members]
        # Before the others, as Debian's installer and cloud-init write it.
        return "\n".join(["127.0.1.1 db0.lab.example", *lines] if member == "db0" else lines) + "\n"

    with hosts_file(lab, text):
        run = lab.site(*NAMES)
    refused(run, "mysql_gr_address of db0 is 'db0.lab.example', which is 127.0.1.1 on db0 itself")


def test_a_name_that_another_member_cannot_resolve_is_refused(lab):
    def text(member):
        known = [other for other in lab.members if (member, other) != ("db1", "db2")]
        return "".join(f"{lab.address(other)} {other}.lab.example\n" for other in known)

    with hosts_file(lab, text):
        run = lab.site(*NAMES)
    refused(run, "db1 cannot resolve 'db2.lab.example', the mysql_gr_address of db2")


@pytest.fixture
def without_db2(tmp_path):
    """The lab's inventory without db2."""
    inventory = yaml.safe_load((ROOT / "inventories/lab/hosts.yml").read_text())
    del inventory["all"]["children"]["mysql_gr"]["hosts"]["db2"]
    folder = ROOT / "inventories/lab"
    path = folder / "hosts-without-db2.yml"
    path.write_text(yaml.safe_dump(inventory))
    yield str(path.relative_to(ROOT))
    path.unlink()


def test_a_member_that_the_inventory_does_not_know_is_refused_and_shown(lab, without_db2):
    def play(playbook):
        return lab.command("ansible-playbook", "-i", without_db2, playbook, check=False)

    done = play("site.yml")
    flat = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert (
        f"{lab.address('db2')}:3306 is a member of the group and not declared in the inventory group 'mysql_gr'" in flat
    )
    shown = play("playbooks/status.yml")
    assert shown.returncode == 0
    assert f"{lab.address('db2')}:3306" in shown.stdout and "not declared in the inventory" in shown.stdout


def test_a_changed_password_reaches_a_member_that_has_left_its_group(lab, tmp_path):
    given = tmp_path / "new.json"
    given.write_text(json.dumps({"mysql_gr_peer_password": secrets.token_hex(16)}))
    lab.sql("db1", "STOP GROUP_REPLICATION")
    assert lab.sql("db1", "SELECT @@super_read_only") == [["1"]]
    run = lab.site("-e", f"@{given}")
    assert run.code == 0, run
    lab.one_group()
    again = lab.site("-e", f"@{given}")
    assert again.code == 0 and set(again.changed.values()) == {0}, again


def test_a_strategy_by_which_members_do_not_wait_for_each_other_is_refused(lab):
    done = lab.command("ansible-playbook", "-i", "inventories/lab", "site.yml", check=False, ANSIBLE_STRATEGY="free")
    flat = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert "strategy: only linear is allowed for the role mysql_gr" in flat, done.stdout[-3000:]


@pytest.fixture(scope="module")
def blank_db2(lab):
    lab.command("lab/host", "remove", "db2")
    lab.up()


def test_check_mode_on_a_half_built_cluster_refuses_nothing(lab, blank_db2):
    """What the real run makes good: a member that is blank."""
    run = lab.site("--check")
    assert run.code == 0, run


def test_a_package_whose_configuration_fails_says_why_and_the_next_run_finishes_it(lab, blank_db2):
    broken = "/etc/mysql/conf.d/broken.cnf"
    lab.give("db2", f"mkdir -p /etc/mysql/conf.d; cat >{broken}", "[mysqld]\nno_such_option = 1\n")
    run = lab.site()
    assert run.code != 0
    assert "could not install mysql-server" in run.flat and "dpkg: error processing package" in run.flat, run
    assert "unknown variable 'no_such_option=1'" in run.flat, run
    lab.on("db2", "rm", broken)
    # The server's own words: it had begun to make its data. Nobody but the operator may remove a data directory.
    assert "You can remove all files that the server added to it" in run.flat, run
    lab.on("db2", "find", "/var/lib/mysql", "-mindepth", "1", "-delete")
    assert "half-configured" in lab.on("db2", "cat", "/var/lib/dpkg/status")
    run = lab.site()
    assert run.code == 0, run
    lab.one_group()
