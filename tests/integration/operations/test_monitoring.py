# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Monitoring on the lab: set up by two variables, scraped over TLS with a password, renewed, and removed again."""

from __future__ import annotations

import hashlib
import json
import ssl

import pytest
from support import wait_for
from support_monitoring import MYSQLD, NODE, Monitoring

pytestmark = [
    pytest.mark.operations,
    pytest.mark.claim(
        "Two variables give Prometheus all series of the alert rules, over TLS and with a password, for the hosts that are named alone; false removes it.",
        minutes=12,
    ),
]

HOSTS = ("db0", "db1", "db2", "proxy")
ENDPOINTS = [("db0", MYSQLD), ("db1", MYSQLD), ("db2", MYSQLD), *((host, NODE) for host in HOSTS)]
CERTIFICATES = {"proxy": "/etc/proxysql-tls/cert.pem"}
# In the lab's network: the certificate that an endpoint shows.
SHOWN = """
import hashlib, socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 5) as plain, context.wrap_socket(plain) as secure:
    print(hashlib.sha256(secure.getpeercert(True)).hexdigest())
"""
ANSWERS = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 3).close()
    print("yes")
except OSError:
    print("no")
"""


@pytest.fixture(scope="module")
def monitoring(lab):
    found = Monitoring(lab)
    found.begin()
    run = found.play("--check", "--diff")
    assert run.code == 0 and not any(found.left(host) for host in HOSTS), run
    run = found.play()
    assert run.code == 0, run
    yield found
    found.without()


def measured(monitoring, host):
    """A scrape of node_exporter, once the timers have written what is measured."""
    name = "proxysql_up" if host == "proxy" else "mysql_gr_up"

    def there():
        answer = monitoring.scrape(host, NODE)
        return answer if answer.value(name) == 1.0 else None

    return wait_for(there, 60, f"{host} is measured")


def test_a_second_run_changes_nothing(monitoring):
    for arguments in ((), ("--check", "--diff"), ("--tags", "mysql_gr_monitoring,proxysql_monitoring")):
        run = monitoring.play(*arguments)
        assert run.code == 0 and not any(run.changed.values()), run.what_changed


def test_what_people_set_wrong_is_refused_first(monitoring):
    for wrong, sentence in (
        ({"mysql_gr_monitoring_hosts": []}, "mysql_gr_monitoring_hosts is empty; allowed are the addresses"),
        ({"mysql_gr_monitoring_hosts": ["prometheus"]}, "mysql_gr_monitoring_hosts: 'prometheus' is not allowed"),
        ({"mysql_gr_monitoring_password": ""}, "mysql_gr_monitoring_password is missing or empty"),
        ({"mysql_gr_exporter_password": "a;b"}, "mysql_gr_exporter_password has a character that"),
        ({"mysql_gr_exporter_user": "repl"}, "mysql_gr_exporter_user are both 'repl'"),
        ({"mysql_gr_monitoring_textfiles": "text files"}, "mysql_gr_monitoring_textfiles is"),
        ({"proxysql_monitoring_hosts": ["192.0.2.1/24"]}, "proxysql_monitoring_hosts: '192.0.2.1/24' is not allowed"),
        ({"proxysql_monitoring_password": "x" * 73}, "proxysql_monitoring_password is not allowed"),
    ):
        run = monitoring.play("-e", json.dumps(wrong))
        assert run.code != 0 and sentence in run.flat and not any(run.changed.values()), run


@pytest.mark.parametrize(("host", "port"), ENDPOINTS, ids=lambda value: str(value))
def test_an_endpoint_has_tls_and_a_password(lab, monitoring, host, port):
    assert wait_for(lambda: monitoring.scrape(host, port).status == 200, 30, f"{host}:{port} answers")
    assert monitoring.scrape(host, port, password="").status == 401
    assert monitoring.scrape(host, port, password="another").status == 401
    # Another CA, or plain text: no metrics.
    assert monitoring.scrape(host, port, trust="/etc/ssl/certs/ca-certificates.crt").status == 0
    assert monitoring.scrape(host, port, scheme="http").status != 200


@pytest.mark.parametrize("host", ["db0", "db1", "db2"])
def test_series_of_a_member_are_there(lab, monitoring, host):
    found = monitoring.scrape(host, MYSQLD)
    assert found.value("mysql_up") == 1.0
    assert {
        "mysql_perf_schema_replication_group_member_info",
        "mysql_perf_schema_transactions_in_queue",
        "mysql_perf_schema_conflicts_detected_total",
        "mysql_binlog_size_bytes",
        "mysql_global_variables_group_replication_flow_control_applier_threshold",
    } <= found.series
    failed = [
        line
        for line in found.text.splitlines()
        if line.startswith("mysql_exporter_collector_success") and line.endswith(" 0")
    ]
    assert failed == []
    found = measured(monitoring, host)
    assert found.value("mysql_gr_quorum_margin") == 1.0 and found.value("mysql_gr_view_members") == 3.0
    assert found.value("mysql_gr_member_state", 'state="ONLINE"') == 1.0
    assert {
        "mysql_gr_certificate_valid_seconds",
        "mysql_gr_refused_tables",
        "mysql_gr_planned",
        "node_filesystem_avail_bytes",
    } <= found.series
    assert found.value("node_textfile_scrape_error") == 0.0


def test_series_of_a_proxy_are_there(lab, monitoring):
    found = measured(monitoring, "proxy")
    assert {
        "proxysql_connpool_conns_status",
        "proxysql_uptime_seconds_total",
        "proxysql_written_timestamp_seconds",
    } <= found.series
    assert found.value("node_textfile_scrape_error") == 0.0
    # Nothing else listens for it.
    assert lab.on("proxy", "sh", "-c", "ss --no-header --listening --tcp --numeric 'sport = :6070'").strip() == ""


def test_a_proxy_that_does_not_answer_is_said_to_be_down(lab, monitoring):
    lab.on("proxy", "systemctl", "stop", "proxysql")
    try:
        found = wait_for(
            lambda: next((one for one in [monitoring.scrape("proxy", NODE)] if one.value("proxysql_up") == 0.0), None),
            30,
            "it is down",
        )
        assert "proxysql_uptime_seconds_total" not in found.series
    finally:
        lab.on("proxy", "systemctl", "start", "proxysql")
    measured(monitoring, "proxy")


def test_the_account_may_look_and_no_more(lab, monitoring):
    for member in lab.members:
        account = lab.sql(member, "SELECT host, max_user_connections FROM mysql.user WHERE user = 'gr_exporter'")
        assert account == [["localhost", "3"]]
    grants = {row[0] for row in lab.sql("db0", "SHOW GRANTS FOR gr_exporter@localhost")}
    assert grants == {
        "GRANT PROCESS, REPLICATION CLIENT ON *.* TO `gr_exporter`@`localhost`",
        "GRANT SELECT ON `performance_schema`.* TO `gr_exporter`@`localhost`",
    }


def test_no_password_is_readable_by_others(lab, monitoring):
    for host in HOSTS:
        for password in (monitoring.account, *monitoring.passwords.values()):
            found = lab.give(
                host,
                'read -r word; grep -rlF -e "$word" /etc /run/systemd /var/log /usr/local 2>/dev/null || true',
                password + "\n",
            )
            assert found.split() in ([], ["/etc/mysql-gr-monitoring/my.cnf"]), (host, found)
        readable = lab.on(
            host,
            "sh",
            "-c",
            "find /etc/mysql-gr-monitoring /etc/proxysql-monitoring /etc/*-metrics.json -perm /o+rwx 2>/dev/null || true",
        )
        assert readable.strip() == ""


def test_who_is_not_named_gets_no_answer(lab, monitoring):
    """By the services themselves, without a firewall, where the kernel lets systemd do so; by the firewall: test_9_ports.py."""
    for host, port in ENDPOINTS:
        unit = "prometheus-mysqld-exporter" if port == MYSQLD else "prometheus-node-exporter"
        shown = lab.on(host, "systemctl", "show", "--property=IPAddressAllow,IPAddressDeny", unit)
        assert monitoring.source in shown and "::/0" in shown
    neighbour = lab.on("db1", "python3", "-c", ANSWERS, lab.address("db0"), str(MYSQLD)).strip()
    if neighbour == "yes":
        pytest.skip("systemd does not filter addresses here (no BPF for services of containers)")
    assert lab.on("db0", "python3", "-c", ANSWERS, "127.0.0.1", str(MYSQLD)).strip() == "yes"


def shown(lab, monitoring, host, port):
    return lab.command("lab/enter", "python3", "-c", SHOWN, monitoring.address(host), str(port)).stdout.strip()


def test_a_renewed_certificate_is_shown_without_a_restart(lab, monitoring):
    def process(host, port):
        unit = "prometheus-mysqld-exporter" if port == MYSQLD else "prometheus-node-exporter"
        return lab.on(host, "systemctl", "show", "--property=MainPID", "--value", unit)

    before = {one: (process(*one), shown(lab, monitoring, *one)) for one in ENDPOINTS}
    run = monitoring.play(
        "-e", "mysql_gr_tls_renew_days=400", playbook="playbooks/renew_certificates.yml", timeout=1200
    )
    assert run.code == 0, run
    for one in ENDPOINTS:
        host, _port = one
        text = lab.on(host, "cat", CERTIFICATES.get(host, "/etc/mysql/gr-cert.pem"))
        der = ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN") :])
        now = process(*one), shown(lab, monitoring, *one)
        assert now == (before[one][0], hashlib.sha256(der).hexdigest()) and now[1] != before[one][1], one
        assert monitoring.scrape(*one).status == 200


def test_a_guard_that_comes_and_goes_is_measured(lab, monitoring):
    run = monitoring.play("-e", "mysql_gr_guard=rejoin")
    assert run.code == 0, run
    for host in lab.members:
        assert "/etc/mysql-gr-metrics.json" not in monitoring.left(host)
        wait_for(
            lambda host=host: monitoring.scrape(host, NODE).value("mysql_gr_guard_up") == 1.0,
            60,
            f"{host}'s guard is seen",
        )
    run = monitoring.play()
    assert run.code == 0, run
    run = monitoring.play()
    assert run.code == 0 and not any(run.changed.values()), run.what_changed
    for host in lab.members:
        wait_for(
            lambda host=host: monitoring.scrape(host, NODE).value("mysql_gr_guard_up") == 0.0,
            60,
            f"{host} has no guard",
        )


def test_exporters_of_ones_own_are_left_alone(lab, monitoring):
    own = ("-e", "mysql_gr_monitoring_exporters=false", "-e", "proxysql_monitoring_exporters=false")
    run = monitoring.play(*own)
    assert run.code == 0, run
    for host, port in ENDPOINTS:
        assert monitoring.scrape(host, port).status == 0
        assert not [path for path in monitoring.left(host) if path.endswith(".conf") or path.endswith("-monitoring")]
    wait_for(
        lambda: "mysql_gr_up" in lab.on("db0", "cat", "/var/lib/prometheus/node-exporter/mysql_gr.prom"),
        60,
        "it is measured",
    )
    # Somebody else's has the port: the role does not take it.
    lab.on("db0", "systemctl", "start", "prometheus-node-exporter")
    try:
        run = monitoring.play()
        assert run.code != 0 and "db0: port 9100, which prometheus-node-exporter is to have, is used by" in run.flat, (
            run
        )
        assert not any(run.changed.values())
    finally:
        lab.on("db0", "systemctl", "stop", "prometheus-node-exporter")
    run = monitoring.play()
    assert run.code == 0, run
    assert wait_for(lambda: monitoring.scrape("db0", NODE).status == 200, 30, "they are back")


def test_all_of_it_is_removed_again(lab, monitoring):
    run = monitoring.without("--check", "--diff")
    assert run.code == 0 and all(monitoring.left(host) for host in HOSTS), run
    run = monitoring.without()
    assert run.code == 0, run
    for host in HOSTS:
        assert monitoring.left(host) == []
        units = lab.on(
            host, "sh", "-c", "systemctl list-units --all --no-legend 'prometheus-*-exporter.service' --state=active"
        )
        assert units.strip() == ""
    for host, port in ENDPOINTS:
        assert monitoring.scrape(host, port).status == 0
    assert lab.sql("db0", "SELECT user FROM mysql.user WHERE user = 'gr_exporter'") == []
    again = monitoring.without()
    assert again.code == 0 and not any(again.changed.values()), again.what_changed
