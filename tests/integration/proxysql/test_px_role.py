# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role proxysql on the lab's proxy, in front of a live group."""

from __future__ import annotations

import json

import pytest
from support import wait_for

ADMIN = """
import json, sys, pymysql
request = json.load(sys.stdin)
connection = pymysql.connect(host='127.0.0.1', port=6032, user='admin', password=request['password'], autocommit=None)
cursor, answer = connection.cursor(), []
for statement in request['statements']:
    cursor.execute(statement)
    answer.append(cursor.fetchall())
print(json.dumps(answer, default=str))
"""


class Proxy:
    def __init__(self, lab):
        self.lab = lab
        self.password = lab.variable("proxy", "proxysql_admin_password")

    def run(self, *statements, password=None) -> list:
        """The rows of each statement on the admin interface; the password goes through standard input."""
        request = json.dumps(dict(password=password or self.password, statements=statements))
        quoted = request.replace("'", "'\\''")
        return json.loads(self.lab.on("proxy", "sh", "-c", f"printf %s '{quoted}' | python3 -c \"{ADMIN}\""))

    def role(self, *arguments):
        return self.lab.site("--limit", "proxy", *arguments)

    def placed(self) -> set:
        rows = self.run("SELECT hostgroup_id, hostname, status FROM runtime_mysql_servers")[0]
        return {(int(row[0]), row[1]) for row in rows if row[2] == "ONLINE"}

    def unchanged(self):
        again = self.role()
        assert again.code == 0 and set(again.changed.values()) == {0}, again


@pytest.fixture(scope="module")
def converged(lab):
    lab.up()
    run = lab.site()
    assert run.code == 0, run
    return Proxy(lab)


@pytest.fixture
def proxy(converged):
    """The proxy, which every test leaves as the role makes it."""
    yield converged
    run = converged.role()
    assert run.code == 0, run


def multi_primary(lab):
    addresses = [lab.address(member) for member in lab.members]
    return {(hostgroup, address) for hostgroup in (2, 3) for address in addresses}


def test_changes_by_hand_in_every_part_and_layer_are_mended(proxy):
    user = proxy.lab.variable("proxy", "proxysql_users")[0]["username"]
    proxy.run(
        "UPDATE mysql_group_replication_hostgroups SET max_writers=1",
        "DELETE FROM disk.mysql_servers",
        "UPDATE mysql_users SET default_hostgroup=99",
        "LOAD MYSQL USERS TO RUNTIME",
        "LOAD MYSQL USERS FROM DISK",
        "UPDATE disk.global_variables SET variable_value='7777' WHERE variable_name='mysql-monitor_groupreplication_healthcheck_interval'",
        "UPDATE global_variables SET variable_value='wrong' WHERE variable_name='mysql-monitor_username'",
    )
    run = proxy.role()
    assert run.code == 0 and run.changed["proxy"] > 0, run
    answers = proxy.run(
        "SELECT max_writers FROM mysql_group_replication_hostgroups",
        "SELECT COUNT(*) FROM disk.mysql_servers",
        f"SELECT DISTINCT default_hostgroup FROM runtime_mysql_users WHERE username='{user}'",
        "SELECT variable_value FROM disk.global_variables WHERE variable_name='mysql-monitor_groupreplication_healthcheck_interval'",
        "SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-monitor_username'",
    )
    assert [str(rows[0][0]) for rows in answers] == ["3", "3", "2", "1000", "monitor"]
    proxy.unchanged()


def test_admin_credentials_are_rotated_from_old_to_new_and_back(proxy):
    def rotated(password, old):
        credentials = json.dumps(
            {
                "proxysql_admin_password": password,
                "proxysql_admin_old_credentials": [{"user": "admin", "password": old}],
            }
        )
        run = proxy.role("-e", credentials)
        assert run.code == 0 and run.changed["proxy"] > 0, run
        assert password not in run.output and old not in run.output
        assert proxy.run("SELECT 1", password=password)

    new = "rotated0password1"
    rotated(new, proxy.password)
    refused = proxy.role()
    assert refused.code != 0 and "proxysql_admin_old_credentials" in refused.flat and refused.changed["proxy"] == 0, (
        refused
    )
    rotated(proxy.password, new)
    proxy.unchanged()


def test_read_write_split_comes_and_goes(proxy):
    rules = "SELECT rule_id, username, match_digest, destination_hostgroup, active, apply FROM runtime_mysql_query_rules ORDER BY rule_id"
    run = proxy.role("-e", '{"proxysql_read_write_split": true}')
    assert run.code == 0, run
    found = [[str(value) for value in row] for row in proxy.run(rules)[0]]
    assert [row[3:] for row in found] == [["2", "1", "1"], ["3", "1", "1"]] and "FOR UPDATE" in found[0][2]
    again = proxy.role("-e", '{"proxysql_read_write_split": true}')
    assert again.changed["proxy"] == 0, again
    run = proxy.role()
    assert run.changed["proxy"] > 0 and proxy.run(rules)[0] == []


def test_a_stopped_member_goes_offline_and_comes_back(proxy):
    lab = proxy.lab
    gone = lab.address(lab.members[2])
    assert proxy.placed() == multi_primary(lab)
    lab.on(lab.members[2], "systemctl", "stop", "mysql")
    try:
        wait_for(lambda: not {(2, gone), (3, gone)} & proxy.placed(), 30, "the stopped member leaves its hostgroups")
        refused = proxy.role("-e", "proxysql_verify_timeout=2")
        assert refused.code != 0 and f"{gone}:3306 (writer_hostgroup 2): the monitor" in refused.flat, refused
    finally:
        lab.on(lab.members[2], "systemctl", "start", "mysql", timeout=120)
        run = lab.site()
        assert run.code == 0, run
    wait_for(lambda: proxy.placed() == multi_primary(lab), 30, "the member is back")


def test_single_primary_has_one_writer(proxy):
    lab = proxy.lab
    primary = lab.address(lab.members[1])
    uuid = lab.sql(lab.members[1], "SELECT @@server_uuid")[0][0]
    lab.sql(lab.members[0], f"SELECT group_replication_switch_to_single_primary_mode('{uuid}')", timeout=120)
    try:
        run = proxy.role("-e", '{"mysql_gr_single_primary": true}')
        assert run.code == 0, run
        assert {place for place in proxy.placed() if place[0] == 2} == {(2, primary)}
        assert {place for place in proxy.placed() if place[0] == 3} == {
            place for place in multi_primary(lab) if place[0] == 3
        }
        configured = proxy.run("SELECT DISTINCT hostgroup_id FROM mysql_servers")[0]
        assert [str(row[0]) for row in configured] == ["3"], "no write reaches a read-only member when ProxySQL starts"
        again = proxy.role("-e", '{"mysql_gr_single_primary": true}')
        assert again.changed["proxy"] == 0, again
    finally:
        lab.sql(lab.members[0], "SELECT group_replication_switch_to_multi_primary_mode()", timeout=120)
        run = proxy.role()
        assert run.code == 0, run
    assert proxy.placed() == multi_primary(lab)


def test_a_wrong_monitor_password_fails_with_the_monitor_s_own_error(proxy):
    run = proxy.role("-e", "proxysql_monitor_password=not-this-one", "-e", "proxysql_verify_timeout=20")
    # The monitor goes on with the connections that it has; cut, it must log in again.
    if run.code == 0:
        user = proxy.lab.variable("proxy", "proxysql_monitor_user") or "monitor"
        for member in proxy.lab.members:
            sessions = proxy.lab.sql(member, f"SELECT id FROM information_schema.processlist WHERE user='{user}'")
            for session in sessions:
                proxy.lab.sql(member, f"KILL {session[0]}", check=False)

        def failing():
            again = proxy.role("-e", "proxysql_monitor_password=not-this-one", "-e", "proxysql_verify_timeout=5")
            return again if again.code else None

        run = wait_for(failing, 60, "the role fails")
    assert "Access denied" in run.flat and "not-this-one" not in run.output, run


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (dict(proxysql_mysql_version="5.7.44", proxysql_allow_version_pair=False), "issues/4706"),
        (dict(proxysql_mysql_version="9.7.4", proxysql_allow_version_pair=False), "issues/4954"),
        (dict(proxysql_admin_password="admin"), "proxysql_admin_password is the default"),
        (dict(proxysql_admin_bind=["127.0.0.1", "0.0.0.0"]), "proxysql_stats_password is not set"),
        (dict(proxysql_port=6032), "proxysql_port and proxysql_admin_port are both 6032"),
        (dict(proxysql_reader_hostgroup=2), "reader_hostgroup is 2"),
        (dict(proxysql_servers=[]), "has no servers"),
        (dict(proxysql_servers=[{"hostname": "10.0.0.999"}]), "10.0.0.999"),
        (dict(proxysql_users=[{"username": "app"}]), "password is not set for app in proxysql_users"),
        (dict(proxysql_variables={"monitor_enabled": "false"}), "proxysql_variables has monitor_enabled"),
        (dict(proxysql_install_method="package"), "proxysql_package needs either url or path"),
    ],
)
def test_what_is_refused_changes_nothing(converged, variables, words):
    run = converged.role("-e", json.dumps(variables))
    assert run.code != 0 and words in run.flat and run.changed["proxy"] == 0, run
