# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each account of a converged cluster may do and what not, from which hosts, and what happens to accounts when hosts come and go."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator

import pytest
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.version_facts import version_facts
from support import ROOT, wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.usefixtures("converged"),
    pytest.mark.claim(
        "Each account can do what it is for and nothing else, at the hosts that use it only; a move away from % takes nobody's access.",
        minutes=3,
    ),
]

# Runs on a host; JSON by standard input: who logs in where, and statements. Tells of each statement "ok" or the server's error number. Without TLS it takes
# the client program: PyMySQL cannot send a password then.
ASK = r"""
import json, os, re, ssl, subprocess, sys, pymysql
wish = json.loads(sys.stdin.readline())
tls = ssl.create_default_context(); tls.check_hostname = False; tls.verify_mode = ssl.CERT_NONE
answers = []
if not wish["tls"]:
    command = ["mysql", "--no-defaults", "--ssl-mode=DISABLED", "--get-server-public-key", "-h", wish["host"], "-u", wish["user"], "-e", "SELECT 1"]
    done = subprocess.run(command, env={**os.environ, "MYSQL_PWD": wish["password"]}, capture_output=True, text=True)
    answers = ["ok" if done.returncode == 0 else int(re.search(r"ERROR (\d+)", done.stderr)[1])]
else:
    try:
        server = pymysql.connect(
            host=wish["host"], user=wish["user"], password=wish["password"], ssl=tls, connect_timeout=5, read_timeout=20, autocommit=True
        )
        for statement in wish["statements"]:
            try:
                with server.cursor() as cursor:
                    cursor.execute(statement)
                    cursor.fetchall()
                answers.append("ok")
            except pymysql.Error as error:
                answers.append(error.args[0])
    except pymysql.Error as error:
        answers = [error.args[0]]
print(json.dumps(answers), flush=True)
sys.stdin.readline()
"""
# Command denied for a table, a column, a schema, a routine; a privilege is missing, also for a function of a plugin; not admitted at all.
DENIED = {1142, 1143, 1044, 1370, 1227, 1123, 1290, 1045, 3879}
REFUSED = [1045]

# What nobody but the administration may do. None of it would harm the cluster if it were allowed.
FORBIDDEN = [
    "SELECT authentication_string FROM mysql.user",
    "SELECT * FROM mysql.slave_master_info",
    "SELECT * FROM simkp.kept",
    "CREATE TABLE simkp.stolen (i INT PRIMARY KEY)",
    "CREATE DATABASE stolen",
    "CREATE USER stolen@localhost",
    "GRANT SELECT ON *.* TO root@localhost",
    "ALTER USER root@localhost ACCOUNT UNLOCK",
    "SET GLOBAL super_read_only = OFF",
    "SET GLOBAL local_infile = OFF",
    "SET sql_log_bin = 1",
    "SET PERSIST long_query_time = 10",
    "SELECT PROCESSLIST_INFO FROM performance_schema.threads",
    "SELECT * FROM performance_schema.events_statements_history",
    "SELECT * FROM performance_schema.events_statements_summary_by_digest",
    "SELECT * FROM performance_schema.error_log",
    "SELECT * FROM performance_schema.accounts",
    "SELECT 1 INTO OUTFILE '/var/lib/mysql-files/stolen'",
    "SHOW BINARY LOGS",
    "PURGE BINARY LOGS BEFORE '2000-01-01'",
    "FLUSH STATUS",
    "CLONE LOCAL DATA DIRECTORY = '/var/lib/mysql-files/stolen'",
    "INSTALL COMPONENT 'file://component_stolen'",
]
# Of the group's own administration: the peer account may renew its configuration (mysql_gr_wait_on_start), and so stop it.
OF_THE_GROUP = [
    "SELECT group_replication_set_write_concurrency(10)",
    "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '192.0.2.1' FOR CHANNEL 'stolen'",
]


@contextlib.contextmanager
def session(lab, where: str, user: str, statements: list[str], member: str = "db0", tls: bool = True) -> Iterator[list]:
    """Log in from a host to a member; gives the answers, and holds the session."""
    given = {
        "repl": "mysql_gr_recovery_password",
        "gr_peer": "mysql_gr_peer_password",
        "monitor": "proxysql_monitor_password",
        "simkpuser": "lab_app_password",
    }
    wish = {
        "host": lab.address(member),
        "user": user,
        "password": str(lab.secrets()[given[user]]),
        "statements": statements,
        "tls": tls,
    }
    process = subprocess.Popen(
        ["lab/podman", "exec", "-i", where, "python3", "-c", ASK], cwd=ROOT, env=lab.env, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    process.stdin.write(json.dumps(wish) + "\n")
    process.stdin.flush()
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.communicate("\n", timeout=60)


def ask(lab, *arguments, **more) -> list:
    with session(lab, *arguments, **more) as answers:
        return answers


def hosts_of(lab, *users: str) -> dict[str, set[str]]:
    names = ", ".join(f"'{user}'" for user in users)
    rows = lab.sql("db1", f"SELECT user, host FROM mysql.user WHERE user IN ({names})")
    return {user: {host for name, host in rows if name == user} for user in users}


def facts(lab) -> dict:
    return version_facts(lab.sql("db0", "SELECT VERSION()")[0][0])


def test_accounts_exist_where_they_are_used(lab):
    members = {lab.address(member) for member in lab.members}
    assert hosts_of(lab, "repl", "gr_peer", "monitor") == {
        "repl": members,
        "gr_peer": members,
        "monitor": {str(lab.variable("proxy", "proxysql_address"))},
    }
    everywhere = lab.sql(
        "db0",
        "SELECT user, host FROM mysql.user WHERE host NOT IN ('localhost') AND user NOT IN ('repl', 'gr_peer', 'monitor')",
    )
    assert everywhere == [["simkpuser", "%"]]


@pytest.mark.parametrize(
    ("user", "where", "tls"),
    [
        ("gr_peer", "proxy", True),
        ("repl", "proxy", True),
        ("monitor", "db1", True),
        # Not without TLS.
        ("gr_peer", "db1", False),
        ("repl", "db1", False),
    ],
)
def test_an_account_is_refused_elsewhere(lab, user, where, tls):
    assert ask(lab, where, user, ["SELECT 1"], tls=tls) == REFUSED


@pytest.mark.parametrize(
    ("user", "where", "more"),
    [("gr_peer", "db1", []), ("repl", "db1", OF_THE_GROUP), ("monitor", "proxy", OF_THE_GROUP)],
)
def test_what_an_account_must_not_do_is_denied(lab, user, where, more):
    statements = FORBIDDEN + more
    answers = ask(lab, where, user, statements)
    assert len(answers) == len(statements)
    assert [f"{statement}: {answer}" for statement, answer in zip(statements, answers) if answer not in DENIED] == []


def test_the_administration_may_do_all_of_it(lab):
    """The positive control: what is denied above is not refused to anybody. Only statements that change nothing."""
    looks = [
        statement
        for statement in FORBIDDEN
        if statement.startswith(("SELECT a", "SELECT P", "SELECT * FROM p", "SHOW", "SELECT * FROM mysql"))
    ]
    assert len(looks) == 8
    for statement in looks:
        lab.sql("db0", statement)


def test_what_an_account_is_for_it_can_do(lab):
    version = facts(lab)
    tables = [entry.partition(":")[0] for entry in version["peer_tables"] if not entry.startswith("threads")]
    looks = [f"SELECT * FROM performance_schema.{table}" for table in tables]
    looks += [
        "SELECT NAME, PROCESSLIST_HOST, PROCESSLIST_ID, PROCESSLIST_USER, THREAD_ID FROM performance_schema.threads"
    ]
    looks += ["SELECT group_replication_get_write_concurrency()", "DO GET_LOCK('tried', 0)"]
    assert ask(lab, "db1", "gr_peer", looks) == ["ok"] * len(looks)
    looks = [
        f"SELECT * FROM performance_schema.{name}"
        for name in ("global_variables", "replication_group_members", "replication_group_member_stats")
    ]
    assert ask(lab, "proxy", "monitor", [*looks, "SHOW GLOBAL VARIABLES LIKE 'read_only'"]) == ["ok"] * 4
    # A donor's: nobody may be cloned here, and members talk to each other by XCOM.
    grants = " ".join(row[0] for row in lab.sql("db0", f"SHOW GRANTS FOR repl@'{lab.address('db1')}'"))
    assert "REPLICATION SLAVE" in grants and "CONNECTION_ADMIN" in grants
    assert not any(word in grants for word in ("BACKUP_ADMIN", "GROUP_REPLICATION_STREAM", "SELECT"))


TAGS = ("--tags", "mysql_gr_accounts,mysql_gr_content,proxysql_accounts", "--limit", "localhost,mysql_gr")


def described(lab) -> dict[str, list]:
    """All that the server says of each account that the playbook writes."""
    found = {}
    for user, hosts in hosts_of(lab, "repl", "gr_peer", "monitor", "simkpuser").items():
        for host in hosts:
            account = f"{user}@'{host}'"
            found[account] = [lab.sql("db0", f"SHOW {what} {account}") for what in ("CREATE USER", "GRANTS FOR")]
    return found


def test_what_was_changed_by_hand_is_as_it_was_after_a_run(lab):
    before = described(lab)
    first, second, third = (lab.address(member) for member in lab.members)
    lab.sql(
        "db0",
        f"REVOKE CONNECTION_ADMIN ON *.* FROM repl@'{first}'; GRANT SELECT ON simkp.* TO repl@'{second}'; DROP USER repl@'{third}';"
        f" ALTER USER gr_peer@'{first}' REQUIRE NONE; ALTER USER gr_peer@'{second}' IDENTIFIED BY 'Another-one-8461';"
        f" REVOKE SELECT (THREAD_ID) ON performance_schema.threads FROM gr_peer@'{third}';"
        " ALTER USER simkpuser@'%' REQUIRE SSL; REVOKE INSERT ON simkp.* FROM simkpuser@'%';",
    )
    changed = described(lab)
    assert len(changed) == len(before) - 1 and sum(changed.get(name) == told for name, told in before.items()) == 1
    foreseen = lab.site(*TAGS, "--check")
    run = lab.site(*TAGS)
    assert run.code == foreseen.code == 0 and run.changed["db0"] and foreseen.changed["db0"], run
    assert described(lab) == before
    again = lab.site(*TAGS)
    assert again.code == 0 and not any(again.changed.values()), again.what_changed
    lab.one_group()


def test_accounts_follow_the_inventory_and_a_move_takes_nobody_s_access(lab):
    """As clusters were before: at %. A proxy that the inventory does not know keeps its account until it is gone."""
    members = {lab.address(member) for member in lab.members}
    proxy, second = (str(lab.variable("proxy", "proxysql_address")), lab.address("db0").rpartition(".")[0] + ".127")
    anywhere = ("-e", json.dumps({"mysql_gr_account_host": "%", "proxysql_monitor_account_host": "%"}))
    run = lab.site(*TAGS, *anywhere)
    assert run.code == 0, run
    assert hosts_of(lab, "repl", "gr_peer", "monitor") == {"repl": {"%"}, "gr_peer": {"%"}, "monitor": {"%"}}
    # What earlier versions granted.
    lab.sql("db0", "GRANT SELECT ON performance_schema.* TO gr_peer@'%'; GRANT BACKUP_ADMIN ON *.* TO repl@'%'")
    again = lab.site(*TAGS, *anywhere)
    assert again.code == 0 and again.changed["db0"] > 0, again
    grants = " ".join(row[0] for user in ("gr_peer", "repl") for row in lab.sql("db0", f"SHOW GRANTS FOR {user}@'%'"))
    assert "BACKUP_ADMIN" not in grants and "`performance_schema`.*" not in grants

    # A new proxy gets its host before it is there.
    with session(lab, "db2", "monitor", ["SELECT 1"]) as answers:
        assert answers == ["ok"]
        run = lab.site("-i", "inventories/lab-proxy2", *TAGS)
        assert run.code == 0, run
        assert f"monitor@% stays, since {lab.address('db2')} is connected by it now" in run.flat, run
        assert hosts_of(lab, "repl", "gr_peer", "monitor") == {
            "repl": members,
            "gr_peer": members,
            "monitor": {"%", proxy, second},
        }
    # One that is gone loses it.
    run = lab.site(*TAGS)
    assert run.code == 0, run
    assert hosts_of(lab, "monitor") == {"monitor": {proxy}}
    again = lab.site(*TAGS)
    assert again.code == 0 and not any(again.changed.values()), again.what_changed
    lab.one_group()


# How accounts are limited further: make operations.
on_request = pytest.mark.operations


def reconnected(lab, user: str) -> None:
    """End the sessions of an account on every member; who uses it has to log in again."""
    ids = f"SELECT PROCESSLIST_ID FROM performance_schema.threads WHERE PROCESSLIST_USER = '{user}'"
    for member in lab.members:
        for (number,) in lab.sql(member, ids):
            # It may have ended meanwhile.
            lab.sql(member, f"KILL {number}", check=False)


@on_request
def test_a_monitor_that_must_use_tls_is_refused_without_it_and_goes_on_with_it(lab):
    kinds = "SELECT DISTINCT CONNECTION_TYPE FROM performance_schema.threads WHERE PROCESSLIST_USER = 'monitor'"
    client = "command -v mysql || apt-get install --yes --no-install-recommends mysql-client"
    lab.on("proxy", "sh", "-c", client, timeout=300)
    assert ask(lab, "proxy", "monitor", ["SELECT 1"], tls=False) == ["ok"]
    try:
        run = lab.site(*TAGS, "-e", '{"proxysql_monitor_require_tls": true}')
        assert run.code == 0 and sum(run.changed.values()) == 1, run
        assert ask(lab, "proxy", "monitor", ["SELECT 1"], tls=False) == REFUSED
        assert ask(lab, "proxy", "monitor", ["SELECT 1"]) == ["ok"]
        reconnected(lab, "monitor")
        for member in lab.members:
            wait_for(
                lambda member=member: lab.sql(member, kinds) == [["SSL/TLS"]], 30, f"ProxySQL's monitor on {member}"
            )
        again = lab.site(*TAGS, "-e", '{"proxysql_monitor_require_tls": true}')
        assert again.code == 0 and not any(again.changed.values()), again.what_changed
    finally:
        run = lab.site(*TAGS)
    assert run.code == 0 and ask(lab, "proxy", "monitor", ["SELECT 1"], tls=False) == ["ok"]


@on_request
def test_an_application_is_admitted_from_its_hosts_alone(lab):
    """from_hosts: an address, and a name that the members know. Its proxies count as its hosts."""
    name, proxy = "app.lab.example", str(lab.variable("proxy", "proxysql_address"))
    account = dict(lab.variable("db0", "mysql_gr_users")[0])
    del account["host"]

    def move(*hosts):
        return lab.site(*TAGS, "-e", json.dumps({"mysql_gr_users": [dict(account, from_hosts=list(hosts))]}))

    through = f"read -r MYSQL_PWD; export MYSQL_PWD; mysql -h {proxy} -P 6033 -u simkpuser -N -e \"SELECT 'served'\""
    assert ask(lab, "db1", "simkpuser", ["SELECT 1"]) == ["ok"]
    for member in lab.members:
        lab.give(member, "cp /etc/hosts /root/hosts; cat >>/etc/hosts", f"{proxy} {name}\n")
    try:
        run = move(name, lab.address("db2"))
        assert run.code == 0, run
        assert hosts_of(lab, "simkpuser") == {"simkpuser": {proxy, lab.address("db2")}}
        assert ask(lab, "db1", "simkpuser", ["SELECT 1"]) == REFUSED
        assert ask(lab, "db2", "simkpuser", ["SELECT 1"]) == ask(lab, "proxy", "simkpuser", ["SELECT 1"]) == ["ok"]
        reconnected(lab, "simkpuser")
        assert "served" in lab.give("db1", through, f"{account['password']}\n")
        again = move(name, lab.address("db2"))
        assert again.code == 0 and not any(again.changed.values()), again.what_changed
        # Who is no longer named is shut out.
        assert move(name).code == 0
        assert hosts_of(lab, "simkpuser") == {"simkpuser": {proxy}}
        assert ask(lab, "db2", "simkpuser", ["SELECT 1"]) == REFUSED
    finally:
        for member in lab.members:
            lab.on(member, "sh", "-c", "cat /root/hosts >/etc/hosts; rm /root/hosts")
        run = lab.site(*TAGS)
        # The inventory's host is no list: accounts at others stay.
        for host in hosts_of(lab, "simkpuser")["simkpuser"] - {"%"}:
            lab.sql("db1", f"DROP USER simkpuser@'{host}'")
        reconnected(lab, "simkpuser")
    assert run.code == 0 and ask(lab, "db1", "simkpuser", ["SELECT 1"]) == ["ok"], run
