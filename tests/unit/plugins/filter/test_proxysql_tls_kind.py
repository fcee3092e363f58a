# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose certificates a proxy has, what stands against those that were given, and by which CA ProxySQL verifies which server."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.filter.certificates_united import FilterModule as United
from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_certificate_problems import FilterModule as Ending
from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_tls_kind import FilterModule
from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_trust_problems import FilterModule as Trust
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils import proxy_tls
from cryptography.hazmat.primitives import serialization
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


# -- what members are going to show

trust_problems = Trust().filters()["proxysql_trust_problems"]
united = United().filters()["certificates_united"]


@pytest.fixture(scope="module")
def cas(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trust")
    return {name: CA(folder, name) for name in ("own", "company", "successor")}


def proxy(backend="", wanted="auto", verifies=True, client_cert=""):
    return dict(
        wanted=wanted,
        client_cert=client_cert,
        backend_ca="/ca.pem" if backend else "",
        backend_text=backend,
        verifies=verifies,
    )


def members(kind, cert="", ca=""):
    return {name: {"kind": kind, "cert": cert, "ca": ca} for name in ("db0", "db1")}


def signed(ca):
    with open(ca.issue("member", "db.example.com").cert, encoding="utf-8") as source:
        return source.read()


def test_a_proxy_that_is_given_the_members_ca_takes_their_certificates(cas):
    company, successor = cas["company"], cas["successor"]
    given = members("given", signed(company), company.text)
    assert trust_problems(proxy(company.text), given) == []
    assert trust_problems(proxy(successor.text + company.text), given) == []
    # Members that trust another CA still, which has not signed what they show.
    assert trust_problems(proxy(company.text), members("given", signed(company), successor.text + company.text)) == []


@pytest.mark.parametrize("wanted", ["auto", "given"])
def test_a_proxy_that_would_refuse_a_member_is_named_with_what_to_do(cas, wanted):
    company, successor = cas["company"], cas["successor"]
    both = successor.text + company.text
    found = {**members("given", signed(successor), both), "db2": members("given", signed(company), both)["db0"]}
    [problem] = trust_problems(proxy(company.text, wanted), found)
    assert (
        "proxysql_backend_tls_ca is /ca.pem, which lacks the CA of the certificates that db0, db1 are to show"
        in problem
    )
    assert "mysql_gr_tls_ca" in problem
    # Whatever is wrong with the file.
    assert trust_problems(proxy("no certificate", wanted), found) != []


def test_a_ca_whose_issuer_is_missing_does_not_count_as_given(cas, tmp_path):
    """An intermediate CA alone verifies nothing."""
    root, middle = cas["company"], CA(tmp_path, "middle")
    key = middle._key.public_key()
    middle.cert = root._sign(
        "middle", key, DAY, *(extension.value for extension in middle.cert.extensions if extension.critical)
    )
    text = middle.cert.public_bytes(serialization.Encoding.PEM).decode()
    shown = members("given", signed(middle), text + root.text)
    assert trust_problems(proxy(text + root.text), shown) == []
    assert trust_problems(proxy(text), shown) != []
    assert trust_problems(proxy(root.text), shown) != []


def test_a_proxy_by_whose_variables_nothing_verifies_given_certificates_is_refused(cas):
    given = members("given", signed(cas["company"]), cas["company"].text)
    for one in (proxy(), proxy(wanted="own_ca"), proxy(wanted="own_ca", verifies=False)):
        [problem] = trust_problems(one, given)
        assert "proxysql_backend_tls_ca is empty" in problem and f"proxysql_tls is {one['wanted']}" in problem
    # It verifies nobody, by choice or as before; or goes on with what it trusts.
    for one in (proxy(wanted="server"), proxy(verifies=False), proxy(client_cert="/cert.pem")):
        assert trust_problems(one, given) == []


def test_members_that_move_to_an_own_ca(cas):
    own = cas["own"].text
    for ca in ("", own):
        assert trust_problems(proxy(), members("own_ca", ca=ca)) == []
        [problem] = trust_problems(proxy(cas["company"].text), members("own_ca", ca=ca))
        assert "leave it out" in problem
    assert trust_problems(proxy(own), members("own_ca", ca=own)) == []
    assert trust_problems(proxy(cas["company"].text), members("server")) == []


def test_cas_united_are_there_once(cas):
    own, company = cas["own"].text, cas["company"].text
    assert united([own, "words\n" + company + own, ""]) == own + company
    assert united([own.replace("\n", "\r\n"), own]) == own


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
