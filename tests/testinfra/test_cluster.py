# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a converged cluster is: the group, the proxy's view of it, and what an application gets."""

from __future__ import annotations

import contextlib
import re
import time
import uuid

import pytest
from support import ROOT

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim("A converged cluster is one group, placed at the proxy, with safe files and ports."),
]


def listening(host) -> set[str]:
    """Addresses and ports on which a host accepts TCP connections."""
    done = host.run("ss --no-header --listening --numeric --tcp")
    assert done.rc == 0, done.stderr
    return {line.split()[3] for line in done.stdout.splitlines()}


def ports(cluster, name) -> set[int]:
    """Ports that something listens on, but for what the host itself had: OpenSSH where Ansible comes by it, and systemd's resolver."""
    resolver = {"127.0.0.53%lo:53", "127.0.0.54:53"}
    ssh = set() if cluster.var(name, "ansible_connection") else {22}
    return {int(address.rsplit(":", 1)[1]) for address in listening(cluster[name]) - resolver} - ssh


@contextlib.contextmanager
def named(host, name, address):
    """The host knows the address by this name for a while."""
    assert host.run("cp /etc/hosts /root/hosts && echo %s %s >>/etc/hosts", address, name).rc == 0
    try:
        yield
    finally:
        assert host.run("cat /root/hosts >/etc/hosts && rm /root/hosts").rc == 0


def test_every_member_sees_the_same_online_members(cluster):
    wanted = sorted([cluster.address(member), "ONLINE"] for member in cluster.members)
    for member in cluster.members:
        rows = cluster.sql(member, "SELECT member_host, member_state FROM performance_schema.replication_group_members")
        assert sorted(rows) == wanted, member


def test_the_page_of_the_error_log_quotes_mysql(cluster):
    """Each code of the page has these words in the member's own list of messages; what MySQL fills in is a gap. Older servers do not know all of them."""
    page = (ROOT / "docs/reference/error-log.md").read_text()
    quoted = dict(re.findall(r"^\| (MY-\d+) \| `([^`]*)` \|", page, re.MULTILINE))
    assert len(quoted) > 30
    found = cluster[cluster.members[0]].run("perror " + " ".join(quoted))
    texts = dict(re.findall(r"^MySQL error code (MY-\d+) \(\w+\): (.*)$", found.stdout, re.MULTILINE))
    assert len(texts) > 30, found.stdout + found.stderr
    wrong = {code: text for code, text in texts.items() if not all(part in text for part in quoted[code].split("…"))}
    assert not wrong


def test_every_member_is_writable_in_multi_primary_mode(cluster):
    for member in cluster.members:
        assert cluster.sql(
            member, "SELECT @@group_replication_single_primary_mode, @@super_read_only, @@read_only"
        ) == [["0", "0", "0"]]
        roles = cluster.sql(member, "SELECT DISTINCT member_role FROM performance_schema.replication_group_members")
        assert roles == [["PRIMARY"]]


def test_the_bootstrap_flag_is_off_everywhere_and_persisted_nowhere(cluster):
    for member in cluster.members:
        assert cluster.sql(member, "SELECT @@group_replication_bootstrap_group") == [["0"]]
        assert cluster.sql(
            member,
            "SELECT count(*) FROM performance_schema.persisted_variables WHERE variable_name = 'group_replication_bootstrap_group'",
        ) == [["0"]]
        assert cluster[member].run("grep -rIi bootstrap_group /etc/mysql").rc == 1


def test_members_hold_no_transactions_of_their_own(cluster):
    """Everything executed belongs to the group: an installation that wrote to the binary log would stand out here."""
    group = cluster.var(cluster.members[0], "mysql_gr_group_name")
    for member in cluster.members:
        executed = cluster.sql(member, "SELECT REPLACE(@@gtid_executed, '\\n', '')")[0][0]
        assert {part.strip().split(":")[0] for part in executed.split(",")} == {group}, executed


def test_server_ids_and_uuids_are_unique(cluster):
    pairs = [cluster.sql(member, "SELECT @@server_id, @@server_uuid")[0] for member in cluster.members]
    assert len({pair[0] for pair in pairs}) == len(pairs)
    assert len({pair[1] for pair in pairs}) == len(pairs)


@pytest.mark.proxies
def test_a_row_written_through_the_proxy_is_read_on_every_member(cluster):
    token = uuid.uuid4().hex
    cluster.through_proxy(
        "CREATE TABLE IF NOT EXISTS simkp.probe (id INT AUTO_INCREMENT PRIMARY KEY, token CHAR(32) NOT NULL)"
    )
    cluster.through_proxy(f"INSERT INTO simkp.probe (token) VALUES ('{token}')")
    for member in cluster.members:
        end = time.monotonic() + 10
        while cluster.sql(member, f"SELECT count(*) FROM simkp.probe WHERE token = '{token}'") != [["1"]]:
            assert time.monotonic() < end, f"{member} has not got the row after 10 s"
            time.sleep(0.1)


@pytest.mark.proxies
def test_the_proxy_has_placed_every_member_as_writer_and_reader(cluster):
    rows = cluster.through_admin(
        "SELECT hostname, hostgroup_id, status FROM runtime_mysql_servers ORDER BY hostname, hostgroup_id"
    )
    wanted = sorted([cluster.address(member), group, "ONLINE"] for member in cluster.members for group in ("2", "3"))
    assert sorted(rows) == wanted


@pytest.mark.proxies
def test_the_proxy_keeps_its_configuration_on_disk(cluster):
    for table in ("mysql_servers", "mysql_group_replication_hostgroups", "mysql_users", "global_variables"):
        memory = sorted(cluster.through_admin(f"SELECT * FROM main.{table}"))
        disk = sorted(cluster.through_admin(f"SELECT * FROM disk.{table}"))
        assert memory == disk, table
        assert memory, table


@pytest.mark.proxies
def test_the_default_admin_password_does_not_work(cluster):
    proxy = cluster.proxies[0]
    script = "import pymysql; pymysql.connect(host='127.0.0.1', port=6032, user='admin', password='admin')"
    done = cluster[proxy].run("python3 -c %s", script)
    assert done.rc != 0
    assert "Access denied" in done.stderr or "1045" in done.stderr


def test_group_and_recovery_traffic_are_verified_with_names(cluster):
    """A new cluster has an own CA."""
    for member in cluster.members:
        assert cluster.sql(
            member,
            "SELECT @@group_replication_ssl_mode, @@group_replication_recovery_use_ssl, @@group_replication_recovery_ssl_ca,"
            " @@group_replication_recovery_ssl_verify_server_cert, @@ssl_cert",
        ) == [["VERIFY_IDENTITY", "1", "/etc/mysql/gr-ca.pem", "1", "/etc/mysql/gr-cert.pem"]]
        assert not cluster[member].run("ls /etc/mysql/*ca*key* /etc/mysql/*ca.key").stdout
        user = cluster.var(member, "mysql_gr_recovery_user", "repl")
        assert cluster.sql(member, f"SELECT DISTINCT ssl_type FROM mysql.user WHERE user = '{user}'") == [["ANY"]]


@pytest.mark.proxies
def test_clients_verify_the_proxy_by_the_cluster_s_ca_and_its_address(cluster):
    member = cluster[cluster.members[0]]
    account, address = cluster.proxy_account(), cluster.proxy_address()

    def client(ca, mode, host=address):
        return member.run(
            "MYSQL_PWD=%s mysql --host=%s --port=6033 --user=%s --ssl-mode=%s --ssl-ca=%s --batch --skip-column-names -e %s",
            account["password"], host, account["username"], mode, ca, "SELECT 'answered'",
        )  # fmt: skip

    assert client("/etc/mysql/gr-ca.pem", "VERIFY_IDENTITY").stdout.strip() == "answered"
    # The CA that the server had made for itself.
    other = client("/var/lib/mysql/ca.pem", "VERIFY_CA")
    assert other.rc != 0 and "certificate verify failed" in other.stderr, other.stderr
    with named(member, "db.example.com", address):
        assert client("/etc/mysql/gr-ca.pem", "VERIFY_CA", "db.example.com").stdout.strip() == "answered"
        wrong = client("/etc/mysql/gr-ca.pem", "VERIFY_IDENTITY", "db.example.com")
        assert wrong.rc != 0 and "certificate verify failed" in wrong.stderr, wrong.stderr


def test_accounts_are_the_same_on_every_member(cluster):
    query = (
        "SELECT user, host, plugin, ssl_type, SHA2(authentication_string, 256) FROM mysql.user"
        " WHERE user NOT LIKE 'mysql.%' AND user NOT IN ('root', 'debian-sys-maint') ORDER BY 1, 2"
    )
    accounts = {member: cluster.sql(member, query) for member in cluster.members}
    assert accounts[cluster.members[0]], "there are accounts"
    for member in cluster.members[1:]:
        assert accounts[member] == accounts[cluster.members[0]], member


def test_a_member_leaves_its_group_before_its_server_is_stopped(cluster):
    for member in cluster.members:
        host = cluster[member]
        assert "mysql-gr-leave" in host.run("systemctl show --property=ExecStop mysql").stdout
        options = host.file("/etc/mysql-gr-leave.cnf")
        assert (options.user, options.mode) == ("root", 0o600)


def test_a_killed_server_waits_for_its_group_before_it_starts(cluster):
    for member in cluster.members:
        host = cluster[member]
        assert "mysql-gr-wait" in host.run("systemctl show --property=ExecStartPre mysql").stdout
        options = host.file("/etc/mysql-gr-wait.json")
        assert (options.user, options.mode) == ("root", 0o600)


def test_only_the_wanted_ports_listen(cluster):
    for member in cluster.members:
        assert ports(cluster, member) == {3306, cluster.group_port(member)}, listening(cluster[member])
    for proxy in cluster.proxies:
        assert ports(cluster, proxy) == {6032, 6033}, listening(cluster[proxy])


@pytest.mark.proxies
def test_the_administration_port_is_local(cluster):
    for proxy in cluster.proxies:
        admin = {address for address in listening(cluster[proxy]) if address.endswith(":6032")}
        assert admin == {"127.0.0.1:6032"}


def test_files_with_settings_and_secrets_are_not_for_everybody(cluster):
    for member in cluster.members:
        files = cluster[member].run("grep -rlI group_replication /etc/mysql").stdout.split()
        assert len(files) == 2, f"the settings, and whether the member joins at boot: {files}"
        for path in files:
            settings = cluster[member].file(path)
            assert settings.user == "root" and settings.mode & 0o007 == 0, f"{path} {settings.mode:o}"
    for proxy in cluster.proxies:
        database = cluster[proxy].file("/var/lib/proxysql/proxysql.db")
        directory = cluster[proxy].file("/var/lib/proxysql")
        assert database.mode & 0o007 == 0 or directory.mode & 0o007 == 0, f"{database.mode:o} in {directory.mode:o}"


def test_no_password_stands_in_a_process_list_or_a_log(cluster):
    passwords = cluster.passwords()
    assert len(passwords) >= 4, "the inventory's passwords are known here"
    for name, host in cluster.hosts.items():
        processes = host.run("ps -eo args").stdout
        log = host.run("journalctl --no-pager --output=cat").stdout
        errors = host.run("cat /var/log/mysql/error.log /var/lib/proxysql/proxysql.log").stdout
        assert "init" in processes or "systemd" in processes
        for password in passwords:
            for place, text in (("process list", processes), ("journal", log), ("log file", errors)):
                assert password not in text, f"a password stands in the {place} of {name}"


def test_services_start_at_boot(cluster):
    for member in cluster.members:
        service = cluster[member].service("mysql")
        assert service.is_running and service.is_enabled, member
    for proxy in cluster.proxies:
        service = cluster[proxy].service("proxysql")
        assert service.is_running and service.is_enabled, proxy


def test_members_run_versions_that_belong_together(cluster):
    versions = {cluster.sql(member, "SELECT @@version")[0][0] for member in cluster.members}
    assert len(versions) == 1
    assert re.match(r"\d+\.\d+\.\d+", versions.pop())
