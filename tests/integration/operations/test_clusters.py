# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two clusters in one inventory, one proxy that serves both and one that serves the second: every playbook works on the named one only."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml
from support import ROOT, wait_for

pytestmark = [
    pytest.mark.operations,
    pytest.mark.claim(
        "With two clusters in one inventory each playbook works on the named one only, or on both.", minutes=25
    ),
]

CLUSTERS = ROOT / "inventories/lab-two/hosts.yml"
OTHER = ROOT / ".cache/operations/clusters.yml"
ALPHA, BETA = ("db0", "db1", "db2"), ("db3", "db4", "db5")
BETA_SINGLE = ("-e", "operations_cluster=beta", "-e", "mysql_gr_writers=primary")


class Clusters:
    """Playbooks on the lab's two clusters."""

    def __init__(self, lab) -> None:
        self.lab = lab
        self.inventory = CLUSTERS

    def play(self, name: str, *arguments: str, code: int = 0, timeout: float = 1200):
        path = "site.yml" if name == "site" else f"playbooks/{name}.yml"
        run = self.lab.site("-i", str(self.inventory), *arguments, playbook=path, timeout=timeout)
        assert (run.code == 0) == (code == 0), run
        return run

    def view(self, member: str) -> list[str]:
        return sorted(self.lab.view(member).values())

    def whole(self, *members: str) -> None:
        for member in members or ALPHA + BETA:
            assert self.view(member) == ["ONLINE"] * 3, member

    def servers(self, proxy: str) -> set[tuple[str, str]]:
        """(hostgroup, host) of what a proxy works by."""
        password = self.lab.secrets()["proxysql_admin_password"]
        text = self.lab.give(
            proxy,
            "read -r MYSQL_PWD; export MYSQL_PWD; python3 - <<'END'\n"
            "import os, pymysql\n"
            "c = pymysql.connect(host='127.0.0.1', port=6032, user='admin', password=os.environ['MYSQL_PWD']).cursor()\n"
            "c.execute('SELECT hostgroup_id, hostname FROM runtime_mysql_servers')\n"
            "[print(*row) for row in c.fetchall()]\nEND",
            password + "\n",
        )
        return {tuple(line.split()) for line in text.splitlines()}


@pytest.fixture(scope="module")
def clusters(lab):
    lab.command("lab/up", timeout=900, LAB_HOSTS=" ".join((*ALPHA, *BETA, "proxy", "proxy1")))
    found = Clusters(lab)
    run = lab.site("-i", str(CLUSTERS), "--limit", "localhost,proxy1", playbook="lab/prepare.yml")
    assert run.code == 0, run
    found.play("site", timeout=1800)
    yield found
    for name in (*BETA, "proxy1"):
        lab.command("lab/host", "remove", name)
    # The proxy serves the first cluster only again.
    lab.site()


def test_the_clusters_have_names_and_contents_of_their_own(clusters, lab):
    names = [
        {lab.sql(member, "SELECT @@group_replication_group_name")[0][0] for member in members}
        for members in (ALPHA, BETA)
    ]
    assert [len(found) for found in names] == [1, 1] and names[0] != names[1]
    schemas = "SELECT schema_name FROM information_schema.schemata WHERE schema_name IN ('simkp', 'shop')"
    assert lab.sql("db1", schemas) == [["simkp"]] and lab.sql("db4", schemas) == [["shop"]]


def moved(before: dict, after: dict) -> set[str]:
    return {name for name in before if before[name] != after[name]}


def test_the_site_is_converged_for_both_and_status_shows_both(clusters):
    run = clusters.play("site")
    assert not any(run.changed.values()), run
    shown = clusters.play("status").output
    assert "Group alpha" in shown and "Group beta" in shown
    shown = clusters.play("status", "-e", "operations_cluster=beta").output
    assert "Group alpha" not in shown and "Group beta" in shown
    run = clusters.play("site", "-e", "operations_cluster=beta")
    assert {host for host, numbers in run.recap.items() if numbers["ok"] > 5} == {*BETA, "proxy", "proxy1"}


def test_one_member_of_the_second_cluster_is_restarted(clusters, lab):
    before = lab.started(*ALPHA, *BETA)
    clusters.play("rolling_restart", "--limit", "db4")
    assert moved(before, lab.started(*ALPHA, *BETA)) == {"db4"}
    clusters.whole()


def test_one_cluster_is_restarted(clusters, lab):
    before = lab.started(*ALPHA, *BETA)
    clusters.play("rolling_restart", "-e", "operations_cluster=beta")
    assert moved(before, lab.started(*ALPHA, *BETA)) == set(BETA)
    clusters.whole()


def test_both_clusters_are_restarted(clusters, lab):
    before = lab.started(*ALPHA, *BETA)
    clusters.play("rolling_restart")
    assert moved(before, lab.started(*ALPHA, *BETA)) == {*ALPHA, *BETA}
    clusters.whole()


def roles(lab, member: str) -> list[str]:
    rows = lab.sql(member, "SELECT member_role FROM performance_schema.replication_group_members")
    return sorted(row[0] for row in rows)


def test_the_mode_of_one_cluster_is_switched(clusters, lab):
    before = lab.started(*ALPHA, *BETA)
    try:
        clusters.play("switch_mode", *BETA_SINGLE)
        assert roles(lab, "db3") == ["PRIMARY", "SECONDARY", "SECONDARY"] and roles(lab, "db0") == ["PRIMARY"] * 3
        clusters.play("switch_primary", *BETA_SINGLE, "-e", "operations_primary=db4")
        primary = "SELECT member_host FROM performance_schema.replication_group_members WHERE member_role = 'PRIMARY'"
        assert lab.sql("db3", primary) == [[lab.address("db0").rpartition(".")[0] + ".134"]]
        assert moved(before, lab.started(*ALPHA, *BETA)) == set()
        # A primary that is restarted by itself hands over to a member that the run does not change.
        clusters.play("rolling_restart", "--limit", "db4", *BETA_SINGLE[2:])
        assert moved(before, lab.started(*ALPHA, *BETA)) == {"db4"}
        assert lab.sql("db3", primary) != [[lab.address("db0").rpartition(".")[0] + ".134"]]
    finally:
        clusters.play("switch_mode", "-e", "operations_cluster=beta")
    assert roles(lab, "db3") == ["PRIMARY"] * 3


def test_backup_and_restore_of_either_and_of_both(clusters, lab, tmp_path):
    lab.sql("db0", "CREATE TABLE IF NOT EXISTS simkp.either (id INT PRIMARY KEY)")
    lab.sql("db3", "CREATE TABLE IF NOT EXISTS shop.either (id INT PRIMARY KEY)")
    both, one = tmp_path / "both", tmp_path / "one"
    clusters.play("backup", "-e", f"operations_backup={both}")
    for name, schema in (("alpha", "simkp"), ("beta", "shop")):
        assert json.loads((both / name / "backup.json").read_text())["schemas"] == [schema]
    # Only the second one, without its first member.
    clusters.play("backup", "-e", f"operations_backup={one}", "-e", "operations_cluster=beta", "--limit", "!db3")
    assert json.loads((one / "backup.json").read_text())["schemas"] == ["shop"]
    lab.sql("db3", "INSERT INTO shop.either VALUES (1)")
    lab.sql("db0", "INSERT INTO simkp.either VALUES (1)")
    replace = ("-e", "operations_replace=true", "-e")
    clusters.play(
        "restore", "-e", f"operations_backup={one}", "-e", "operations_cluster=beta", *replace, "confirm=beta"
    )
    assert lab.sql("db4", "SELECT * FROM shop.either") == [] and lab.sql("db1", "SELECT * FROM simkp.either") == [["1"]]
    clusters.play("restore", "-e", f"operations_backup={both}", *replace, "confirm=beta", code=1)
    clusters.play("restore", "-e", f"operations_backup={both}", *replace, "confirm=alpha,beta")
    assert lab.sql("db1", "SELECT * FROM simkp.either") == []
    lab.sql("db0", "DROP TABLE simkp.either")
    lab.sql("db3", "DROP TABLE shop.either")


def test_a_new_member_of_the_second_cluster_comes_to_its_proxies(clusters, lab):
    address = lab.address("db0").rpartition(".")[0] + ".135"
    before = lab.started(*ALPHA, "db3", "db4")
    clusters.play("remove_member", "-e", "operations_member=db5", "-e", "confirm=beta")
    assert clusters.view("db3") == ["ONLINE"] * 2
    for proxy in ("proxy", "proxy1"):
        assert address not in {host for _hostgroup, host in clusters.servers(proxy)}
    run = clusters.play("add_member", "-e", '{"operations_members": ["db5"]}')
    # It was announced before it joined, by a member that was there.
    assert "db3 -> proxy: distdb.mysql_ha.proxysql : Change the members' status on the proxies" in run.what_changed
    assert clusters.servers("proxy") >= {("12", address), ("13", address)}
    assert clusters.servers("proxy1") >= {("2", address), ("3", address)}
    assert not {host for host, changed in run.changed.items() if changed} & set(ALPHA)
    assert moved(before, lab.started(*ALPHA, "db3", "db4")) == set()
    clusters.whole()


def test_an_outage_of_one_cluster_is_healed(clusters, lab):
    before = lab.started(*ALPHA)
    for member in BETA:
        lab.on(member, "systemctl", "stop", "mysql", timeout=180)
    # The first cluster is worked on as ever, on the proxy that serves both, too.
    clusters.play("rolling_restart", "--limit", "db1")
    run = clusters.play("recover", "-e", "operations_cluster=beta")
    assert not {host for host, changed in run.changed.items() if changed} & set(ALPHA)
    assert moved(before, lab.started(*ALPHA)) == {"db1"}
    clusters.whole()


def test_survivors_go_on_without_those_that_are_lost(clusters, lab, tmp_path):
    # It waits for the others for as long as it takes to switch hosts off; by itself it leaves after 30 s, and is ERROR.
    lab.sql("db3", "SET GLOBAL group_replication_unreachable_majority_timeout = 0")
    for member in ("db4", "db5"):
        lab.on(member, "systemctl", "kill", "--signal=STOP", "mysql")
    try:
        wait_for(lambda: clusters.view("db3").count("UNREACHABLE") == 2, 60, "two UNREACHABLE members")
        run = clusters.play("force_quorum", "-e", '{"operations_lost": ["db4"], "confirm": "beta"}', code=1)
        assert not any(run.changed.values()), run
        lost = ("-e", '{"operations_lost": ["db4", "db5"], "confirm": "beta"}', "--limit", "db3")
        # Whoever is named as lost has to be off: they are ended before the others go on.
        for member in ("db4", "db5"):
            lab.command("lab/host", "stop", member)
        clusters.play("force_quorum", *lost)
        assert clusters.view("db3") == ["ONLINE"]
        # A backup is taken from whoever is left, although the others are no longer reachable.
        clusters.play("backup", "-e", f"operations_backup={tmp_path / 'rest'}", "-e", "operations_cluster=beta")
        assert json.loads((tmp_path / "rest" / "backup.json").read_text())["member"] == "db3"
    finally:
        for member in ("db4", "db5"):
            lab.command("lab/host", "stop", member, check=False)
            lab.command("lab/host", "start", member)
    wait_for(lambda: all(lab.on(m, "true", check=False) == "" for m in ("db4", "db5")), 60, "hosts that are up")
    clusters.play("recover", "-e", "operations_cluster=beta")
    lab.sql("db3", "SET GLOBAL group_replication_unreachable_majority_timeout = 30")
    clusters.whole()


def test_a_blank_host_takes_the_place_of_a_lost_one(clusters, lab):
    """db5 is lost, db6 comes, and nothing of db5 is left anywhere."""
    prefix = lab.address("db0").rpartition(".")[0]
    lab.command("lab/up", "db6", timeout=300)
    inventory = yaml.safe_load(CLUSTERS.read_text())
    inventory["all"]["children"]["mysql_gr"]["children"]["beta"]["hosts"] = {
        f"db{number}": {"mysql_gr_server_id": 130 + number} for number in (3, 4, 6)
    }
    shutil.copytree(CLUSTERS.parent / "group_vars", OTHER.parent / "group_vars", dirs_exist_ok=True)
    OTHER.write_text(yaml.safe_dump(inventory))
    lab.command("lab/host", "stop", "db5")
    wait_for(lambda: clusters.view("db3") == ["ONLINE"] * 2, 90, "a view without db5")
    wanted = ("-e", "operations_member=db6")
    clusters.play("replace_member", *wanted, "-e", f"operations_replaced={prefix}.135:3306", code=1)
    clusters.inventory = OTHER
    clusters.play("replace_member", *wanted, "-e", f"operations_replaced={prefix}.135:3306", timeout=1800)
    clusters.whole("db3", "db4", "db6")
    for proxy in ("proxy", "proxy1"):
        hosts = {host for _hostgroup, host in clusters.servers(proxy)}
        assert f"{prefix}.136" in hosts and f"{prefix}.135" not in hosts
    for member in ("db3", "db4", "db6"):
        assert f"{prefix}.135" not in lab.sql(member, "SELECT @@group_replication_group_seeds")[0][0]
    clusters.whole(*ALPHA)
    lab.command("lab/host", "remove", "db6")
