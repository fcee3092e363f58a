# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role proxysql on the lab's proxy, in front of a live group."""

from __future__ import annotations

import json
import re
import time

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.versions import hole_problems, pair_problem
from px_lab import Proxy
from support import wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim(
        "The role proxysql repairs changes by hand in every layer, rotates credentials, and refuses what cannot work."
    ),
]


@pytest.fixture(scope="module")
def proxy(lab):
    """The proxy, which every test leaves as the role makes it."""
    lab.up()
    run = lab.site()
    assert run.code == 0, run
    return Proxy(lab)


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
    assert [str(rows[0][0]) for rows in answers] == ["3", "3", "2", "250", "monitor"]
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


def test_read_write_split_comes_and_goes(proxy):
    rules = "SELECT rule_id, username, match_digest, destination_hostgroup, active, apply FROM runtime_mysql_query_rules ORDER BY rule_id"
    refused = proxy.role("-e", '{"proxysql_read_write_split": true}')
    assert refused.code != 0 and refused.changed["proxy"] == 0, refused
    assert "proxysql_read_write_split is true, but mysql_gr_writers is all" in refused.flat
    split = {"proxysql_read_write_split": True, "mysql_gr_writers_exceptions": ["proxysql_read_write_split"]}
    run = proxy.role("-e", json.dumps(split))
    assert run.code == 0, run
    found = [[str(value) for value in row] for row in proxy.run(rules)[0]]
    assert [row[3:] for row in found] == [["2", "1", "1"], ["3", "1", "1"]] and "FOR UPDATE" in found[0][2]
    again = proxy.role("-e", json.dumps(split))
    assert again.changed["proxy"] == 0, again
    run = proxy.role()
    assert run.code == 0 and run.changed["proxy"] > 0 and proxy.run(rules)[0] == [], run


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
    # mysqld joins the group by itself when it starts.
    wait_for(lambda: proxy.placed() == multi_primary(lab), 60, "the member is back")


def test_single_primary_has_one_writer(proxy):
    lab = proxy.lab
    primary = lab.address(lab.members[1])
    uuid = lab.sql(lab.members[1], "SELECT @@server_uuid")[0][0]
    lab.sql(lab.members[0], f"SELECT group_replication_switch_to_single_primary_mode('{uuid}')", timeout=120)
    try:
        run = proxy.role("-e", "mysql_gr_writers=primary")
        assert run.code == 0, run
        assert {place for place in proxy.placed() if place[0] == 2} == {(2, primary)}
        assert {place for place in proxy.placed() if place[0] == 3} == {
            place for place in multi_primary(lab) if place[0] == 3
        }
        configured = proxy.run("SELECT DISTINCT hostgroup_id FROM mysql_servers")[0]
        assert [str(row[0]) for row in configured] == ["3"], "no write reaches a read-only member when ProxySQL starts"
        again = proxy.role("-e", "mysql_gr_writers=primary")
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
    run = proxy.role()
    assert run.code == 0 and run.changed["proxy"] > 0, run


@pytest.mark.parametrize(
    ("variables", "sentences"),
    [
        (dict(proxysql_reader_hostgroup=2), ["reader_hostgroup is 2"]),
        (dict(proxysql_servers=[{"hostname": "10.0.0.999"}]), ["10.0.0.999"]),
        (
            dict(
                proxysql_admin_password="admin",
                proxysql_admin_bind=["127.0.0.1", "0.0.0.0"],
                proxysql_port=6032,
                proxysql_servers=[],
                proxysql_users=[{"username": "app"}, {"username": "b", "password": "*Xy12abCD"}],
                proxysql_variables={"monitor_enabled": "false"},
                proxysql_install_method="package",
                proxysql_cluster=True,
                proxysql_cluster_user="admin",
                proxysql_client_tls_cert="/nowhere/cert.pem",
            ),
            [
                "proxysql_admin_password is the default",
                "proxysql_users begins with *",
                "proxysql_port and proxysql_admin_port are both 6032",
                "has no servers",
                "password is not set for app in proxysql_users",
                "proxysql_variables has monitor_enabled",
                "proxysql_package needs either url or path",
                "proxysql_cluster_password is not set",
                "proxysql_cluster_user is admin",
                "proxysql_client_tls_key are not all set",
            ],
        ),
    ],
)
def test_what_is_refused_changes_nothing(proxy, variables, sentences):
    run = proxy.role("-e", json.dumps(variables))
    assert run.code != 0 and run.changed["proxy"] == 0, run
    assert [words for words in sentences if words not in run.flat] == [], run


@pytest.mark.parametrize("mysql", ["5.7.44", "9.7.4"])
def test_a_pair_of_versions_is_refused_exactly_where_the_table_says_so(proxy, mysql):
    """What is refused depends on the ProxySQL of this lab, so the table is asked too."""
    problem = pair_problem(proxy.run("SELECT version()")[0][0][0], mysql)
    run = proxy.role("-e", json.dumps(dict(proxysql_mysql_version=mysql, proxysql_allow_version_pair=False)))
    assert bool(run.code) == bool(problem) and run.changed["proxy"] == 0, run
    assert [source for source in re.findall(r"issues/\d+", problem) if source not in run.flat] == [], run


def test_a_version_with_known_holes_is_refused_unless_the_inventory_accepts_it(proxy):
    version = proxy.run("SELECT version()")[0][0][0]
    problems = hole_problems(version)
    run = proxy.role("-e", '{"proxysql_allow_vulnerable_version": false}')
    assert bool(run.code) == bool(problems) and run.changed["proxy"] == 0, run
    assert [text for text in problems if text not in run.flat] == [], run
    # What comes in its place is judged instead: 3.0.8 has them too, whatever runs here.
    wish = {
        "proxysql_install_method": "repository",
        "proxysql_version": "3.0.8",
        "proxysql_allow_vulnerable_version": False,
    }
    run = proxy.role("-e", json.dumps(wish))
    assert run.code != 0 and "ProxySQL 3.0.8 has CVE-2026-48773" in run.flat and run.changed["proxy"] == 0, run


def test_only_the_declared_ports_are_open(proxy):
    """Not 6132 and 6133, which 3.0 opens for PostgreSQL on all addresses; and nobody is stats with the password stats."""
    address = proxy.lab.variable("proxy", "proxysql_address")
    listening = proxy.lab.on("proxy", "ss", "--listening", "--tcp", "--numeric", "--no-header", "--processes")
    ours = {line.split()[3] for line in listening.splitlines() if "proxysql" in line or "python" in line}
    assert ours == {"127.0.0.1:6032", "0.0.0.0:6033"}, listening
    for port in (6132, 6133):
        probe = f"import socket; socket.create_connection(('{address}', {port}), 3)"
        refused = proxy.lab.on(proxy.lab.members[0], "python3", "-c", probe, check=False)
        assert "refused" in refused, refused
    login = (
        "import pymysql; pymysql.connect(host='127.0.0.1', port=6032, user='stats', password='stats', autocommit=None)"
    )
    refused = proxy.lab.on("proxy", "python3", "-c", login, check=False)
    assert "Access denied" in refused, refused


def test_admin_passwords_outside_of_latin_letters_hold(proxy):
    """PyMySQL sends text as Latin-1; ProxySQL has it as UTF-8."""
    new = "pässwörd€'\"\\1"
    there = {
        "proxysql_admin_password": new,
        "proxysql_admin_old_credentials": [{"user": "admin", "password": proxy.password}],
    }
    back = {"proxysql_admin_old_credentials": [{"user": "admin", "password": new}]}
    run = proxy.role("-e", json.dumps(there))
    try:
        assert run.code == 0 and run.changed["proxy"] > 0 and new not in run.output, run
        again = proxy.role("-e", json.dumps(there))
        assert again.code == 0 and again.changed["proxy"] == 0, again
    finally:
        run = proxy.role("-e", json.dumps(back))
    assert run.code == 0 and proxy.run("SELECT 1"), run


def test_a_program_that_cannot_start_is_said_with_the_journal_s_last_lines_at_once(proxy):
    on = proxy.lab.on
    words = "proxysql: error while loading shared libraries: libdl.so"
    broken = f"#!/bin/sh\necho '{words}' >&2\nexit 127\n"
    on("proxy", "systemctl", "stop", "proxysql")
    on("proxy", "mv", "/usr/bin/proxysql", "/usr/bin/proxysql.kept")
    try:
        on("proxy", "sh", "-c", f"printf '%b' \"{broken}\" > /usr/bin/proxysql; chmod 755 /usr/bin/proxysql")
        started = time.monotonic()
        run = proxy.role()
        took = time.monotonic() - started
        assert run.code != 0 and words in run.flat and "exit status 127" in run.flat, run
        assert took < 30, took
        # At its worst: systemd has given up, and does not start it any more by itself or when it is told to.
        wait_for(
            lambda: "start-limit-hit" in on("proxy", "systemctl", "show", "--property=Result", "proxysql"),
            30,
            "systemd's limit",
        )
    finally:
        on("proxy", "mv", "/usr/bin/proxysql.kept", "/usr/bin/proxysql")
        # The tests that follow need it, also where this one has failed.
        again = proxy.role()
    assert again.code == 0, again


def test_the_admin_interface_is_reachable_only_from_where_the_inventory_says(proxy):
    lab = proxy.lab
    address = lab.variable("proxy", "proxysql_address")
    probe = f"import socket; socket.create_connection(('{address}', %d), 3)"
    lab.on(lab.members[0], "python3", "-c", probe % 6033)
    refused = lab.on(lab.members[0], "python3", "-c", probe % 6032, check=False)
    assert "ConnectionRefusedError" in refused, refused


def test_tls_to_clients_and_to_members(proxy, tmp_path):
    """With certificates that the inventory gives: those that a member has made for itself."""
    lab = proxy.lab
    user = lab.variable("proxy", "proxysql_users")[0]
    given = {"ca": "ca.pem", "cert": "server-cert.pem", "key": "server-key.pem"}
    for name in given.values():
        (tmp_path / name).write_text(lab.on(lab.members[0], "cat", f"/var/lib/mysql/{name}"))
    variables = {
        "proxysql_client_tls": True,
        "proxysql_backend_tls": True,
        "proxysql_users": [dict(user, use_ssl=True)],
        **{f"proxysql_client_tls_{kind}": str(tmp_path / name) for kind, name in given.items()},
    }

    def client(*options):
        """As an application: its own cipher, and the one between proxy and member, as that member sees it."""
        command = (
            f"MYSQL_PWD='{lab.variable('proxy', 'lab_app_password')}' mysql --commands --host={lab.variable('proxy', 'proxysql_address')} --port=6033 "
            f"--user={user['username']} {' '.join(options)} -e \"SHOW SESSION STATUS LIKE 'Ssl_cipher'; \\s\""
        )
        return lab.on(lab.members[0], "sh", "-c", f"{command} 2>&1", check=False)

    verified = ("--ssl-mode=VERIFY_CA", "--ssl-ca=/var/lib/mysql/ca.pem")
    plain = client("--ssl-mode=DISABLED")
    # A client that asks for no TLS has none; towards the members, which have certificates of the cluster's own CA, ProxySQL has.
    assert "Not in use" in plain and "Ssl_cipher\tTLS_" in plain, plain
    try:
        run = proxy.role("-e", json.dumps(variables))
        assert run.code == 0 and "BEGIN" not in run.output, run
        found = client(*verified)
        assert "Cipher in use is TLS_" in found, found
        assert "Ssl_cipher\tTLS_" in found, found
        refused = client("--ssl-mode=DISABLED")
        assert "ERROR 1045" in refused, refused
        again = proxy.role("-e", json.dumps(variables))
        assert again.code == 0 and set(again.changed.values()) == {0}, again
    finally:
        run = proxy.role("-e", json.dumps({"proxysql_users": [dict(user, use_ssl=False)]}))
        assert run.code == 0, run
    assert "Not in use" in client("--ssl-mode=DISABLED")
