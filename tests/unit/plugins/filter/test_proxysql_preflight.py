# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every refusal of the role's preflight, each with the words an operator needs; and the case in which there is none."""

from __future__ import annotations

import hashlib
import re

import pytest
from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_exporter_problems import proxysql_exporter_problems
from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_preflight import proxysql_preflight

GROUP = dict(
    writer_hostgroup=2,
    backup_writer_hostgroup=4,
    reader_hostgroup=3,
    offline_hostgroup=1,
    servers=[dict(hostname="192.0.2.130", port=3306)],
)
GOOD = dict(
    proxysql_admin_bind=["127.0.0.1"],
    proxysql_address="192.0.2.129",
    proxysql_admin_login_host="127.0.0.1",
    proxysql_admin_password="pässwörd-1",
    proxysql_admin_port=6032,
    proxysql_admin_user="admin",
    proxysql_client_tls=True,
    proxysql_client_tls_ca="",
    proxysql_client_tls_cert="",
    proxysql_client_tls_key="",
    proxysql_cluster=False,
    proxysql_cluster_password="",
    proxysql_cluster_user="cluster",
    proxysql_connect_timeout="400",
    proxysql_hostgroups=[GROUP],
    proxysql_install_method="repository",
    proxysql_inventory_group="proxysql",
    proxysql_library_package={},
    proxysql_monitor_interval=250,
    proxysql_monitor_max_timeouts=1,
    proxysql_monitor_password="*monitor",
    proxysql_monitor_timeout=600,
    proxysql_mysql_inventory_group="mysql_gr",
    proxysql_network="fast",
    proxysql_package={},
    proxysql_port=6033,
    proxysql_query_rules=[dict(rule_id=1)],
    proxysql_read_write_split=False,
    proxysql_stats_password="",
    proxysql_stats_user="stats",
    proxysql_users=[dict(username="app", password="x", default_hostgroup=2), dict(username="old", state="absent")],
    proxysql_variables={"mysql-max_connections": 100, "pgsql-interfaces": "127.0.0.1:6133"},
)
HASH = "*" + "0123456789" * 4


def problems(**changes):
    return proxysql_preflight(dict(GOOD, **changes), "proxy", ["proxy", "proxy1"])


def user(password):
    return dict(proxysql_users=[dict(username="app", password=password)])


def test_nothing_stands_against_good_variables():
    assert problems() == []
    assert problems(proxysql_cluster="yes", proxysql_cluster_password="c", proxysql_admin_bind=["::"]) == []
    assert problems(**user(HASH)) == []


def test_groups_with_a_server_on_a_socket_and_a_group_that_goes_are_good():
    groups = [
        dict(GROUP, servers=[dict(hostname="/run/mysqld/mysqld.sock")]),
        dict(writer_hostgroup=12, state="absent"),
    ]
    assert problems(proxysql_hostgroups=groups) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(proxysql_admin_password=""), "proxysql_admin_password is not set"),
        (dict(proxysql_admin_password=None), "proxysql_admin_password is not set"),
        (dict(proxysql_monitor_password=""), "proxysql_monitor_password is not set"),
        (dict(proxysql_admin_password="admin"), "proxysql_admin_password is the default"),
        (dict(proxysql_admin_password="a;b"), "proxysql_admin_password has a : or ; in it"),
        (dict(proxysql_admin_user="a:b"), "proxysql_admin_user has a : or ; in it"),
        (dict(proxysql_admin_password="*Xy12abCD"), r"proxysql_admin_password begins with \*"),
        (dict(proxysql_admin_password=HASH), "proxysql_admin_password has the form of a hash"),
        (dict(proxysql_admin_password="$A$005$" + "x" * 63), "proxysql_admin_password has the form of a hash"),
        (dict(proxysql_stats_password="*s"), r"proxysql_stats_password begins with \*"),
        (dict(proxysql_admin_password="a\nb"), "proxysql_admin_password has a control character"),
        (dict(proxysql_admin_password=1234), "proxysql_admin_password is int, not text"),
        (dict(proxysql_admin_password=["a"]), "proxysql_admin_password is list, not text"),
        (dict(proxysql_stats_user="admin"), "proxysql_admin_user and proxysql_stats_user are both admin"),
        (user(""), "password is not set for app"),
        (user("*Xy12abCD"), r"password of app in proxysql_users begins with \*"),
        (user(["a"]), "password of app in proxysql_users is list"),
        (dict(proxysql_cluster=True), "proxysql_cluster_password is not set"),
        (dict(proxysql_cluster=True, proxysql_cluster_password="*c"), r"proxysql_cluster_password begins with \*"),
        (dict(proxysql_cluster=True, proxysql_cluster_user="admin"), "proxysql_cluster_user is admin"),
        (
            dict(proxysql_cluster=True),
            r"proxysql_admin_bind \(127.0.0.1\) does not have proxysql_address \(192.0.2.129\)",
        ),
        (dict(proxysql_admin_bind=[]), "proxysql_admin_bind is empty"),
        (dict(proxysql_admin_bind=["10.0.0.1"]), "does not have proxysql_admin_login_host"),
        (dict(proxysql_port=0), "proxysql_port is 0; allowed are whole numbers"),
        (dict(proxysql_port="x"), "proxysql_port is x; allowed are whole numbers"),
        (dict(proxysql_port=6032), "proxysql_port and proxysql_admin_port are both 6032"),
        (dict(proxysql_client_tls_ca="/a"), "are not all set"),
        (
            dict(
                proxysql_client_tls=False,
                proxysql_client_tls_ca="/a",
                proxysql_client_tls_cert="/b",
                proxysql_client_tls_key="/c",
            ),
            "proxysql_client_tls_cert is set and proxysql_client_tls is false",
        ),
        (dict(proxysql_network="slow"), "proxysql_network is slow; allowed are fast, patient"),
        (dict(proxysql_monitor_interval=99), "proxysql_monitor_interval is 99; allowed are 100 to 604800000"),
        (dict(proxysql_monitor_timeout=99), "proxysql_monitor_timeout is 99; allowed are 100 to 600000"),
        (dict(proxysql_connect_timeout=5), "proxysql_connect_timeout is 5; allowed are 10 to 120000"),
        (dict(proxysql_monitor_max_timeouts=11), "proxysql_monitor_max_timeouts is 11; allowed are 1 to 10"),
        (dict(proxysql_hostgroups=[]), "proxysql_hostgroups is empty"),
        (
            dict(proxysql_hostgroups=[dict(GROUP, servers=[])]),
            "writer_hostgroup 2 in proxysql_hostgroups has no servers",
        ),
        (dict(proxysql_hostgroups=[dict(GROUP, reader_hostgroup=2)]), "proxysql_hostgroups: reader_hostgroup is 2"),
        (dict(proxysql_hostgroups=[GROUP, GROUP]), "writer_hostgroup 2 is listed twice"),
        (
            dict(proxysql_hostgroups=[GROUP, dict(GROUP, writer_hostgroup=12, servers=[dict(hostname="b")])]),
            "a hostgroup may belong to one group only",
        ),
        (
            dict(proxysql_hostgroups=[dict(GROUP, servers=[dict(hostname="a", port="x")])]),
            "an entry has a value of the wrong kind",
        ),
        (dict(proxysql_query_rules=[dict(rule_id=90000)]), "rule_id 90000; allowed are 1 to 89999"),
        (dict(proxysql_query_rules=[dict(active=True)]), r"rule_id \(none\); allowed"),
        (dict(proxysql_variables={"monitor_enabled": "x"}), "proxysql_variables has monitor_enabled"),
        (dict(proxysql_variables={"mysql-x": ""}), 'proxysql_variables has mysql-x with the value ""'),
        (dict(proxysql_variables={"admin-admin_credentials": "a:b"}), "set it by proxysql_admin_user"),
        (dict(proxysql_install_method="package"), "proxysql_package needs either url or path with"),
        (dict(proxysql_library_package=dict(url="u", checksum="md5:1")), "proxysql_library_package.checksum is"),
        (
            dict(proxysql_library_package=dict(path="/nowhere", checksum="sha256:" + "0" * 64)),
            "/nowhere cannot be read on the control node",
        ),
    ],
)
def test_what_cannot_work_is_refused_in_words(changes, words):
    found = " ".join(problems(**changes))
    assert re.search(words, found), found


def test_a_secret_is_never_in_a_sentence():
    secret = "hidden;*sécret"
    found = problems(
        proxysql_admin_password=secret,
        proxysql_stats_password="*" + secret,
        proxysql_users=[dict(username="app", password="*" + secret)],
        proxysql_variables={"mysql-monitor_password": "", "monitor_password": secret},
    )
    assert len(found) == 6 and secret not in " ".join(found), found


def test_a_host_outside_of_the_cluster_is_refused():
    found = proxysql_preflight(dict(GOOD, proxysql_cluster=True, proxysql_cluster_password="c"), "proxy", ["proxy1"])
    assert "proxy is not in the inventory group proxysql" in " ".join(found)


def test_a_package_file_is_compared_with_its_checksum(tmp_path):
    path = tmp_path / "p.deb"
    path.write_bytes(b"package")
    good = "sha256:" + hashlib.sha256(b"package").hexdigest()

    def found(checksum):
        package = dict(path=str(path), checksum=checksum)
        return problems(proxysql_install_method="package", proxysql_package=package)

    assert found(good) == found(good.upper().replace("SHA256", "sha256")) == []
    assert "has the checksum" in found("sha256:" + "0" * 64)[0]


MONITORING = dict(
    proxysql_monitoring=True, proxysql_monitoring_exporters=True, proxysql_monitoring_hosts=["2001:db8::/64"], proxysql_monitoring_user="prometheus",
    proxysql_monitoring_password="scrape", proxysql_monitoring_textfiles="/var/lib/prometheus/node-exporter",
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, None),
        ({"proxysql_monitoring_exporters": False, "proxysql_monitoring_hosts": [], "proxysql_monitoring_password": ""}, None),
        ({"proxysql_monitoring": False, "proxysql_monitoring_textfiles": "x"}, None),
        ({"proxysql_monitoring_hosts": ["app"]}, "proxysql_monitoring_hosts: 'app' is not allowed (allowed: a list of addresses and networks"),
        ({"proxysql_monitoring_password": ""}, "proxysql_monitoring_password is missing or empty; no password has a default."),
        ({"proxysql_monitoring_user": ""}, "proxysql_monitoring_user is ''; allowed are 1 to 64 letters, digits and . _ -."),
        ({"proxysql_monitoring_textfiles": "a b"}, "proxysql_monitoring_textfiles is 'a b'; allowed is an absolute path of letters, digits and"),
    ],
)  # fmt: skip
def test_what_stands_against_monitoring_is_said_in_one_sentence(changes, sentence):
    found = problems(**dict(MONITORING, **changes))
    assert (not found) if sentence is None else len(found) == 1 and found[0].startswith(sentence), found


def test_node_exporters_port_is_free_or_the_roles_own():
    mine = [{"port": 9100, "process": "prometheus-node"}]
    assert proxysql_exporter_problems([], "proxy", False) == [] == proxysql_exporter_problems(mine, "proxy", True)
    (found,) = proxysql_exporter_problems(mine, "proxy", False)
    assert found.startswith(
        "proxy: port 9100, which prometheus-node-exporter is to have, is used by prometheus-node; stop and disable that, or set proxysql_mon"
    )
