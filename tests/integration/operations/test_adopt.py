# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that an application writes to, three blank hosts that replicate from it as a group, and the cut-over.

The tests of this file follow one story and stand in its order. They begin with blank hosts, and leave a cluster as the others of this folder want it.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from support import ROOT, Lab, Run, wait_for
from support_adopt import DOUBLE, PASSWORD, SHOP, same_everywhere, writer
from support_secrets import HERE, KEPT, search_here, search_host, stray, watched

pytestmark = [
    pytest.mark.operations,
    pytest.mark.claim(
        "A group replicates from a server outside of it and takes over from it within two seconds, with every row; its password is shown nowhere.",
        minutes=10,
    ),
]

VARIABLES = ROOT / ".cache/operations/adopt.json"
SECRET = "Source-pass.1"
LEAD = "db2"  # ProxySQL makes it the writer of equal ones
# Rows of a kilobyte, as a power of two.
DOUBLINGS = int(os.environ.get("ADOPT_DOUBLINGS", "15"))
GROWN = f"""
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends mysql-server >/dev/null 2>&1 || true
address=$(hostname -I | cut -d' ' -f1)
cd /var/lib/mysql
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=source-ca -keyout ca-key.pem -out ca.pem 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=source -keyout server-key.pem -out request.pem 2>/dev/null
printf "subjectAltName=IP:$address" >extensions
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 30 -extfile extensions -out server-cert.pem 2>/dev/null
chown mysql: *.pem
printf '[mysqld]\\nserver_id=140\\nbind-address=*\\nplugin_load_add=mysql_clone.so\\n' >/etc/mysql/mysql.conf.d/old.cnf
systemctl restart mysql
mysql <<'SQL'
{SHOP}CREATE USER adopt@'%' IDENTIFIED BY '{SECRET}' REQUIRE SSL;
GRANT SELECT, EVENT, BACKUP_ADMIN, REPLICATION SLAVE, SYSTEM_VARIABLES_ADMIN ON *.* TO adopt@'%';
SQL
for i in $(seq {DOUBLINGS}); do mysql -e "{DOUBLE}"; done
"""
CA = "/etc/source-ca.pem"
CLOSED = "SELECT @@super_read_only"
CHANNEL = "SELECT service_state FROM performance_schema.replication_connection_status WHERE channel_name = 'source'"


class Source:
    """The server that the application has today, and the two commands."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.began = lab, time.time() - 1
        self.address = lab.command("lab/host", "address", "db3").stdout.strip()
        self.proxy = f"{lab.variable('proxy', 'proxysql_address')}:6033"
        users = [
            *lab.variable("proxy", "proxysql_users"),
            {"username": "app", "password": PASSWORD, "default_hostgroup": 2},
        ]
        given = {
            "mysql_gr_clone": "when_needed", "proxysql_users": users, "operations_source": self.address, "operations_source_user": "adopt",
            "operations_source_password": SECRET, "operations_source_ca_cert": CA,
        }  # fmt: skip
        VARIABLES.parent.mkdir(parents=True, exist_ok=True)
        VARIABLES.write_text(json.dumps(given))

    def sql(self, statement: str) -> list[list[str]]:
        return self.lab.sql("db3", statement)

    def run(self, name: str, *arguments: str) -> Run:
        path = "site.yml" if name == "site" else f"playbooks/{name}.yml"
        run = self.lab.site("-e", f"@{VARIABLES}", *arguments, playbook=path, timeout=1800)
        assert SECRET not in run.output
        return run

    def play(self, name: str, *arguments: str) -> Run:
        run = self.run(name, *arguments)
        assert run.code == 0, run
        return run

    def play_verbosely(self, name: str, *hosts: str) -> Run:
        """Neither its output nor, while it runs, anything on these hosts or here shows a password."""
        texts = self.texts()
        with watched(self.lab, hosts, texts) as seen:
            run = self.play(name, "-vvv", "--diff")
        assert seen == dict.fromkeys((*hosts, HERE), [])
        assert [text for text in texts if text in run.output] == []
        return run

    def texts(self) -> dict[str, str]:
        """All passwords, by what they are."""
        return {SECRET: "the source's", **{str(value): name for name, value in self.lab.secrets().items()}}

    def kept(self, host: str) -> set[str]:
        """Which passwords are on a member and where they are kept; nowhere else there is one."""
        found = search_host(self.lab, host, self.texts(), self.began)
        assert stray(found, KEPT["db"]) == [], host
        return {name for name, _place, _mode in found}

    def refuse(self, name: str, *arguments: str) -> str:
        run = self.run(name, *arguments)
        assert run.code != 0, run
        return run.flat

    def unchanged(self, name: str, *arguments: str) -> None:
        run = self.play(name, *arguments)
        assert set(run.changed.values()) == {0}, run.what_changed


@pytest.fixture(scope="module")
def source(lab):
    lab.down()
    lab.up()
    lab.command("lab/up", "db3", timeout=300)
    lab.give("db3", "bash", GROWN, timeout=900)
    for member in lab.members:
        lab.give(member, f"cat >{CA}", lab.on("db3", "cat", "/var/lib/mysql/ca.pem"))
    yield Source(lab)
    VARIABLES.unlink()
    lab.down()
    lab.up()
    run = lab.site()
    assert run.code == 0, run


def test_check_mode_changes_nothing_on_blank_hosts(source, lab):
    source.play("replicate_from", "--check")
    assert lab.on(LEAD, "sh", "-c", "command -v mysqld || echo none").strip() == "none"


def test_a_source_that_cannot_work_is_refused_before_anything_is_copied(source, lab):
    source.sql("SET GLOBAL gtid_mode = ON_PERMISSIVE")
    source.sql("CREATE TABLE shop.nokey (id INT)")
    source.sql("CREATE EVENT shop.nightly ON SCHEDULE EVERY 1 DAY DO DELETE FROM shop.item WHERE id < 0")
    text = source.refuse("replicate_from")
    assert "gtid_mode is ON_PERMISSIVE" in text and "Ongoing_anonymous_transaction_count" in text
    assert "1 without a primary key: shop.nokey" in text and "shop.nightly" in text
    assert lab.sql(
        LEAD, "SELECT @@gtid_executed, COUNT(*) FROM information_schema.schemata WHERE schema_name = 'shop'"
    ) == [["", "0"]]
    source.sql("DROP EVENT shop.nightly")
    source.sql("DROP TABLE shop.nokey")
    source.sql("SET GLOBAL gtid_mode = ON")
    source.sql("REVOKE BACKUP_ADMIN ON *.* FROM adopt@'%'")
    assert "account adopt lacks BACKUP_ADMIN there" in source.refuse("replicate_from")
    source.sql("GRANT BACKUP_ADMIN ON *.* TO adopt@'%'")
    another = source.refuse("replicate_from", "-e", "operations_source_ca_cert=/var/lib/mysql/ca.pem")
    assert f"{source.address}:3306" in another and "certificate verify failed" in another
    assert "operations_source_password: must be given" in lab.site(
        "-e", f"operations_source={source.address}", "-e", "operations_source_user=adopt", "-e", "mysql_gr_clone=when_needed",
        playbook="playbooks/replicate_from.yml",
    ).flat  # fmt: skip


def test_a_group_replicates_from_it_and_the_application_sees_nothing_of_it(source, lab):
    before = lab.started("db3")
    with writer(source.address) as seen:
        run = source.play_verbosely("replicate_from", *lab.members, "db3")
        print(f"replicate_from: {run.seconds:.0f} s")
        lab.one_group()
    assert seen["failed"] == 0 and seen["longest_gap"] < 5, seen["errors"]
    assert lab.started("db3") == before
    assert f"replicates from {source.address}:3306" in run.flat, run
    assert [lab.sql(member, CLOSED) for member in lab.members] == [[["1"]]] * 3
    # The one with the channel has the source's password in MySQL's own table.
    assert [member for member in lab.members if "the source's" in source.kept(member)] == [LEAD]


def test_neither_it_nor_site_changes_anything_again(source):
    source.unchanged("replicate_from")
    source.unchanged("site")
    source.play("status")


def test_a_restart_does_not_start_the_channel_outside_of_the_group(source, lab):
    lab.on(LEAD, "systemctl", "restart", "mysql")
    wait_for(lambda: sorted(lab.view(LEAD).values()) == ["ONLINE"] * 3, 90, "the member in its group")
    assert lab.sql(LEAD, CHANNEL) == [["OFF"]]
    assert "does not replicate from" in source.play("status").flat
    assert "distdb.mysql_ha.replicate_from starts it again" in source.refuse("cut_over")
    source.play("replicate_from")
    assert lab.sql(LEAD, CHANNEL) == [["ON"]]
    assert lab.sql(LEAD, CLOSED) == [["1"]]


def test_the_source_goes_on_where_the_group_does_not_keep_up(source, lab):
    lab.on(
        LEAD,
        "systemd-run",
        "--collect",
        "--unit=blocked",
        "mysql",
        "-e",
        "LOCK TABLES shop.written READ; SELECT SLEEP(300)",
    )
    try:
        with writer(source.address) as seen:
            text = source.refuse("cut_over", "-e", "operations_catch_up_timeout=5")
        assert "does not keep up with" in text and "Nothing was changed" in text
        assert seen["failed"] == 0
    finally:
        lab.on(LEAD, "systemctl", "kill", "--signal=KILL", "blocked")
    assert source.sql(CLOSED) == [["0"]]
    assert [lab.sql(member, CLOSED) for member in lab.members] == [[["1"]]] * 3


def test_the_cut_over_costs_the_application_two_seconds_and_no_row(source, lab):
    run = source.play("cut_over", "--check")
    assert source.sql(CLOSED) == [["0"]] and lab.sql(LEAD, CLOSED) == [["1"]]
    with writer(source.address, source.proxy) as seen:
        run = source.play_verbosely("cut_over", LEAD)
        # A moment of the application on the cluster.
        count = "SELECT COUNT(*) FROM shop.written"
        now = int(lab.sql("db0", count)[0][0])
        wait_for(lambda: int(lab.sql("db0", count)[0][0]) > now + 50, 30, "rows through the proxy")
    print(run.flat[run.flat.index("neither did for") :][:40])
    assert seen["longest_gap"] <= 2, seen["errors"]
    assert set(seen["errors"]) == {"1290"}, seen["errors"]
    same_everywhere(lab, seen)
    # What the application wrote before this test, too.
    ids = "SELECT id FROM shop.written"
    assert {row[0] for row in source.sql(ids)} <= {row[0] for row in lab.sql("db0", ids)}
    assert lab.sql(LEAD, CHANNEL) == [] and source.sql(CLOSED) == [["1"]]
    assert [lab.sql(member, CLOSED) for member in lab.members] == [[["0"]]] * 3


def test_no_password_is_where_it_is_not_needed(source, lab):
    for member in lab.members:
        assert source.kept(member)
    here = search_here([Path.home() / ".ansible", Path("/tmp")], [], source.texts(), source.began)
    assert here == []


def test_it_is_over(source, lab):
    source.unchanged("cut_over")
    source.unchanged("site")
    assert "already in a group" in source.refuse("replicate_from")
    # Whoever still knows its address is refused, also after a restart.
    lab.on("db3", "systemctl", "restart", "mysql")
    assert source.sql(CLOSED) == [["1"]]
