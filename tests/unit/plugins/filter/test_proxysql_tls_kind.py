# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose certificates a proxy has, what stands against those that were given, and by which CA ProxySQL verifies which server."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_certificate_problems import FilterModule as Ending
from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_tls_kind import FilterModule
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils import proxy_tls
from support_certificates import CA, DAY

pytestmark = [pytest.mark.unit]

kind = FilterModule().filters()["proxysql_tls_kind"]
CA_FILE = "/etc/proxysql-tls/ca.pem"


@pytest.mark.parametrize(
    "wanted, given, members, made, found",
    [
        ("auto", ["", ""], "auto", False, "server"),
        ("auto", ["", ""], "auto", True, "own_ca"),
        ("auto", ["", ""], "own_ca", True, "own_ca"),
        ("auto", ["", ""], "own_ca", False, "server"),
        ("auto", ["", ""], "server", True, "server"),
        ("auto", ["", ""], "given", True, "server"),
        ("auto", ["/cert.pem", ""], "own_ca", True, "given"),
        ("auto", ["", "/ca.pem"], "given", False, "given"),
        ("own_ca", ["", ""], "server", False, "own_ca"),
        ("server", ["", ""], "own_ca", True, "server"),
    ],
)
def test_a_proxy_follows_its_cluster_unless_it_is_told_otherwise(wanted, given, members, made, found):
    assert kind(wanted, given, members, made) == found


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    ca, other = CA(folder, "ca"), CA(folder, "other")
    good, expired = ca.issue("good", "db.example.com"), ca.issue("expired", "db.example.com", ends=-DAY)
    return dict(ca=ca.path, other=other.path, cert=good.cert, key=good.key, old=expired.cert, old_key=expired.key)


def problems(**settings):
    return list(
        proxy_tls.certificate_problems(dict(dict(proxysql_client_tls=True, proxysql_backend_tls=True), **settings))
    )


def client(ca, cert, key, **more):
    return problems(proxysql_client_tls_ca=ca, proxysql_client_tls_cert=cert, proxysql_client_tls_key=key, **more)


def test_good_files_and_no_files_are_no_problem(files):
    assert problems() == []
    assert (
        client(files["ca"], files["cert"], files["key"], proxysql_tls="given", proxysql_backend_tls_ca=files["other"])
        == []
    )


def test_files_that_clients_would_refuse_are_refused(files):
    refused = (
        "proxysql_client_tls_cert is not allowed, since clients that trust proxysql_client_tls_ca would refuse it: "
    )
    assert client(files["ca"], files["old"], files["old_key"]) == [
        f"{refused}{files['old']}: certificate verify failed: certificate has expired."
    ]
    assert client(files["other"], files["cert"], files["key"]) == [
        f"{refused}{files['cert']}: certificate verify failed: unable to get local issuer certificate."
    ]
    assert client(files["ca"], files["cert"], files["old_key"]) == [
        f"{refused}{files['old_key']} is not the key of {files['cert']}."
    ]
    assert client(files["ca"], files["cert"], "/nowhere.pem") == [
        "proxysql_client_tls_key names no file on the control node; give the path of a PEM file."
    ]


@pytest.mark.parametrize(
    "settings, part",
    [
        (dict(proxysql_client_tls_cert="/c.pem"), "are not all set; set all three or none."),
        (dict(proxysql_tls="given"), "neither proxysql_client_tls_cert nor proxysql_backend_tls_ca is set"),
        (dict(proxysql_tls="own_ca", proxysql_backend_tls_ca="/c.pem"), "proxysql_tls is own_ca and"),
        (
            dict(proxysql_backend_tls_ca="/nowhere.pem"),
            "proxysql_backend_tls_ca is /nowhere.pem, which is no file with a certificate",
        ),
        (
            dict(proxysql_backend_tls_ca="/etc/hostname"),
            "proxysql_backend_tls_ca is /etc/hostname, which is no file with a certificate",
        ),
        (
            dict(proxysql_backend_tls_ca="/x", proxysql_backend_tls=False),
            "and proxysql_backend_tls is false; set it to true, or no CA.",
        ),
    ],
)
def test_variables_that_contradict_each_other(settings, part):
    assert part in " ".join(problems(**settings))


def test_a_certificate_and_no_tls(files):
    found = client(files["ca"], files["cert"], files["key"], proxysql_client_tls=False)
    assert found == [
        "proxysql_client_tls_cert is set and proxysql_client_tls is false; set it to true, or no certificate."
    ]


def test_the_ca_is_read_for_each_connection():
    """With a folder set, too: otherwise ProxySQL trusts a CA that it has read until its next start."""
    assert proxy_tls.variables({}, CA_FILE) == {
        "mysql-ssl_p2s_ca": CA_FILE,
        "mysql-ssl_p2s_capath": "/etc/proxysql-tls",
    }
    assert proxy_tls.variables({"proxysql_tls": "auto"}, "") == {}
    assert proxy_tls.variables({"proxysql_tls": "server"}, "") == {"mysql-ssl_p2s_ca": "", "mysql-ssl_p2s_capath": ""}


GROUPS = [
    dict(
        servers=[
            dict(hostname="[2001:db8::1]", use_ssl=True),
            dict(hostname="plain", use_ssl=False),
            dict(hostname="/run/sock", use_ssl=True),
        ]
    ),
    dict(servers=[dict(hostname="db1", port=3307, use_ssl="true")]),
]


def test_each_server_that_uses_tls_has_a_row():
    row = dict(ssl_ca=CA_FILE, ssl_capath="/etc/proxysql-tls", comment="distdb.mysql_ha")
    assert proxy_tls.servers_tls(GROUPS, [], CA_FILE, "2.7.1") == [
        dict(hostname="2001:db8::1", port=3306, **row),
        dict(hostname="db1", port=3307, **row),
    ]
    assert proxy_tls.servers_tls(GROUPS, [], "", "2.7.1") == []


def test_rows_that_are_given_go_before():
    given = [dict(hostname="db1", port=3307, ssl_ca="/other.pem"), dict(hostname="db9", username="app")]
    found = {
        (row["hostname"], row.get("username", "")): row for row in proxy_tls.servers_tls(GROUPS, given, CA_FILE, "")
    }
    assert found[("db1", "")] == dict(hostname="db1", port=3307, ssl_ca="/other.pem", comment="distdb.mysql_ha")
    assert found[("db9", "app")]["comment"] == "distdb.mysql_ha" and len(found) == 3


def test_a_version_without_the_table_gets_no_rows_unless_they_are_asked_for():
    """Then the module refuses them."""
    assert proxy_tls.servers_tls(GROUPS, [], CA_FILE, "2.5.5") is None
    assert proxy_tls.servers_tls(GROUPS, [dict(hostname="db9")], CA_FILE, "2.5.5")


# -- certificates that end

ending = Ending().filters()["proxysql_certificate_problems"]
NONE = {"ca": "", "cert": "", "key": ""}


@pytest.mark.parametrize(
    "kind, there, words",
    [
        ("own_ca", {}, ""),
        ("own_ca", {"expires": 4 * 86400 + 100, "ca_expires": 99 * 86400}, ""),
        ("own_ca", {"expires": 2 * 86400}, "The certificate of proxy expires on 1970-01-03: run the playbook distdb.mysql_ha.renew_certificates."),
        ("own_ca", {"expires": -1}, "has expired on 1969-12-31"),
        ("own_ca", {"expires": 9 * 86400, "ca_expires": 86400}, "The CA's certificate of proxy expires on 1970-01-02"),
        # Of another kind, what is on the host is not shown to clients, or is replaced.
        ("server", {"expires": 1}, ""),
        ("given", {"expires": 1}, ""),
    ],
)  # fmt: skip
def test_a_proxy_s_certificate_that_ends_is_refused_like_a_member_s(monkeypatch, kind, there, words):
    monkeypatch.setattr("time.time", lambda: 0.0)
    found = ending(kind, "proxy", there, NONE, 3)
    assert (words in found[0]) if words else found == []


def test_a_given_certificate_is_looked_at_where_it_comes_from(tmp_path):
    ca = CA(tmp_path, "given")
    pair = ca.issue("proxy", "db.example.com", ends=5 * DAY)
    given = {"ca": ca.path, "cert": pair.cert, "key": pair.key}
    assert ending("given", "proxy", {"expires": 1}, given, 3) == []
    [problem] = ending("given", "proxy", {}, given, 6)
    assert "The certificate of proxy expires on" in problem and "proxysql_client_tls_cert" in problem
