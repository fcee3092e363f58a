# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose certificates a cluster has, what stands against them, and which host needs a new one."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_certificate_due import gr_certificate_due
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_certificate_names import gr_certificate_names
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_signed_by import gr_signed_by
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_tls import gr_tls
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils import certificates
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.certificates import Wish

x509 = pytest.importorskip("cryptography.x509")
from support_certificates import CA, DAY  # noqa: E402

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("A cluster that is there keeps its certificates until it is moved; a new one has verified ones."),
]

NONE = {"ca": "", "cert": "", "key": ""}
GIVEN = {"ca": "/a", "cert": "/c", "key": "/k"}
OWN = {"ca": "/etc/mysql/gr-ca.pem", "cert": "/etc/mysql/gr-cert.pem", "key": "/etc/mysql/gr-key.pem"}
CONFIG = "/etc/mysql/mysql.conf.d/zz-mysql-gr.cnf"
BLANK = {"sql": {}, "relay_logs": [], "data": {"schemas": []}, "files": {CONFIG: None}}
MEMBER = {
    **BLANK,
    "sql": {"state": "ONLINE", "ssl_ca": "ca.pem", "ssl_cert": "server-cert.pem", "ssl_key": "server-key.pem"},
}
DOWN = {**BLANK, "files": {CONFIG: ["sum", "0640", "root", "mysql"]}}
WISH = Wish("auto", "own_ca", "auto", NONE, "/tls", False, "correct horse battery", 3)
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("wanted", "given", "made", "probes", "kind"),
    [
        ("server", GIVEN, True, {}, "server"),
        ("auto", GIVEN, True, {}, "given"),
        ("auto", {**NONE, "ca": "/a"}, False, {}, "given"),
        ("auto", NONE, True, {"db0": MEMBER}, "own_ca"),
        ("auto", NONE, False, {"db0": BLANK, "db1": BLANK}, "own_ca"),
        ("auto", NONE, False, {"db0": MEMBER, "db1": BLANK}, "server"),
        ("auto", NONE, False, {"db0": DOWN, "db1": BLANK}, "server"),
        ("auto", NONE, False, {"db0": {**BLANK, "relay_logs": ["relay-bin"]}}, "server"),
        ("auto", NONE, False, {"db0": {**BLANK, "data": {"schemas": [{"name": "shop"}]}}}, "server"),
        ("auto", NONE, False, {"db0": {**BLANK, "data": None}}, "own_ca"),
        # Nobody was looked at: what the control node has is what is known.
        ("auto", NONE, False, {}, "server"),
    ],
)
def test_whose_certificates(wanted, given, made, probes, kind):
    assert gr_tls(wanted, given, made, probes, CONFIG) == kind


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, []),
        ({"wanted": "both"}, ["mysql_gr_tls is 'both'", "auto, own_ca, given and server"]),
        ({"passphrase": ""}, ["mysql_gr_tls_ca_passphrase is missing or empty", "/tls/ca.key"]),
        ({"passphrase": None}, ["mysql_gr_tls_ca_passphrase is missing or empty"]),
        ({"passphrase": "short"}, ["at least 12 characters"]),
        ({"passphrase": ["a" * 20]}, ["at least 12 characters"]),
        ({"passphrase": "correct horse\nbattery"}, ["one line"]),
        ({"kind": "server", "passphrase": ""}, []),
        ({"kind": "server", "mode": "VERIFY_IDENTITY"}, ["mysql_gr_ssl_mode is 'VERIFY_IDENTITY'", "own_ca or given"]),
        (
            {"kind": "server", "wanted": "server", "given": GIVEN},
            ["does not use mysql_gr_tls_ca and mysql_gr_tls_cert"],
        ),
        ({"kind": "given", "given": GIVEN}, []),
        ({"kind": "given", "given": {**NONE, "ca": "/a"}}, []),
        ({"kind": "given", "given": {**GIVEN, "ca": ""}}, ["mysql_gr_tls_ca is empty", "Set all three"]),
        ({"kind": "given", "given": {**GIVEN, "key": ""}}, ["belong together"]),
        ({"kind": "given", "given": NONE}, ["are empty: set them to files on the hosts"]),
    ],
)
def test_variables(changes, words):
    found = " ".join(certificates.wish_problems(WISH._replace(**changes)))
    assert bool(found) == bool(words)
    for word in words:
        assert word in found
    assert "battery" not in found and "short" not in found


def test_without_the_library_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(certificates, "x509", None)
    assert "cryptography is missing on the control node" in certificates.wish_problems(WISH)[0]
    assert certificates.wish_problems(WISH._replace(kind="server")) == []


@pytest.mark.parametrize(
    ("changes", "probes", "words"),
    [
        ({}, {"db0": BLANK, "db1": BLANK}, ""),
        ({}, {"db0": BLANK}, "db1 take no part in this run"),
        ({"wanted": "own_ca"}, {"db0": BLANK, "db1": MEMBER}, "renew_certificates moves them"),
        ({"wanted": "own_ca"}, {"db0": BLANK, "db1": DOWN}, ""),
        ({"wanted": "own_ca", "made": True}, {"db0": BLANK}, ""),
        ({"kind": "server"}, {"db0": MEMBER}, ""),
        (
            {"kind": "server"},
            {"db0": {**MEMBER, "sql": {**MEMBER["sql"], "ssl_cert": OWN["cert"]}}},
            "db0 have certificates of a CA that is not in /tls",
        ),
    ],
)
def test_what_cannot_be_seen_is_not_chosen(changes, probes, words):
    found = certificates.evidence_problems(WISH._replace(**changes), ["db0", "db1"], probes, OWN["cert"])
    assert (words in found[0]) if words else not found


def test_a_running_member_is_not_moved_by_the_role():
    wish = WISH._replace(made=True)
    assert "renew_certificates moves a running group" in certificates.member_problems(wish, "db0", MEMBER, OWN)[0]
    same = {**MEMBER, "sql": {**MEMBER["sql"], **{f"ssl_{part}": path for part, path in OWN.items()}}}
    assert certificates.member_problems(wish, "db0", same, OWN) == []
    assert certificates.member_problems(wish, "db0", DOWN, OWN) == []
    assert certificates.member_problems(wish._replace(kind="server"), "db0", same, NONE) == []
    given = wish._replace(kind="given")
    assert "(/c)" in certificates.member_problems(given, "db0", MEMBER, GIVEN)[0]
    assert certificates.member_problems(given, "db0", MEMBER, {**NONE, "ca": "ca.pem"}) == []


@pytest.mark.parametrize(
    ("kind", "seen", "words"),
    [
        ("own_ca", {}, ""),
        ("own_ca", {"expires": NOW + 4 * 86400, "ca_expires": NOW + 400 * 86400, "problem": ""}, ""),
        ("own_ca", {"expires": NOW + 2 * 86400}, "The certificate of db0 expires on 2027-01-17: run the playbook distdb"),
        ("own_ca", {"expires": NOW - 1}, "has expired on 2027-01-15"),
        ("own_ca", {"expires": NOW + 9 * 86400, "ca_expires": NOW + 1},
         "The CA's certificate of db0 expires on 2027-01-15: run the playbook distdb.mysql_ha.renew_certificates with operations_new_ca=true"),
        ("given", {"expires": NOW + 9 * 86400, "ca_expires": NOW + 1}, "The CA's certificate of db0 expires on 2027-01-15: put a new one"),
        ("given", {"expires": NOW + 1}, "put a new one there and run the playbook"),
        ("given", {"expires": NOW + 9 * 86400, "problem": "/c: unable to get local issuer certificate"}, "mysql_gr_tls_cert of db0 does not work: /c"),
        # It is made anew.
        ("own_ca", {"expires": None, "problem": "/etc/mysql/gr-key.pem is no file"}, ""),
    ],
)  # fmt: skip
def test_certificates_of_a_host(kind, seen, words):
    found = certificates.file_problems(WISH._replace(kind=kind), "db0", seen, NOW)
    assert (words in found[0]) if words else not found


def test_names():
    given = [
        "192.0.2.130",
        "db0",
        "DB0.example.com.",
        "2001:DB8::1",
        "127.0.0.1",
        "::1",
        "localhost",
        "db_0",
        "",
        None,
        "db0",
        "fe80::1%eth0",
        "a b",
    ]
    assert gr_certificate_names(given) == ["IP:192.0.2.130", "DNS:db0", "DNS:db0.example.com", "IP:2001:db8::1"]


class Authority(CA):
    def certificate(self, days):
        return Path(self.issue("db0", "db0", "192.0.2.130", ends=days * DAY).cert).read_text(encoding="utf-8")


WANTED = ["DNS:db0", "IP:192.0.2.130"]


def why(cert, wanted=WANTED, ca="", renew=None, **seen):
    held = {"cert_checksum": hashlib.sha1(cert.encode()).hexdigest(), "problem": "", **seen}
    return gr_certificate_due(wanted, ca, cert, held, renew)


def test_who_needs_a_new_certificate(tmp_path):
    own, other = Authority(tmp_path, "own"), Authority(tmp_path, "other")
    cert = own.certificate(100)
    assert why(cert) == ""
    assert why("") == "none was made for it yet"
    assert why(cert, cert_checksum=None) == "it has none"
    assert why(cert, cert_checksum="x") == "it does not have the one that was made for it"
    assert why("nonsense") == "the one that was made for it cannot be read"
    assert why(cert, wanted=[*WANTED, "DNS:db0.example.com"]) == "it lacks DNS:db0.example.com"
    assert why(cert, problem="/k is not the key of /c") == "/k is not the key of /c"
    assert why(own.certificate(-1)).startswith("it has expired on ")
    # Age and CA count in a renewal alone.
    assert why(own.certificate(5)) == why(cert, ca=other.text) == ""
    assert why(cert, ca=own.text, renew=30) == ""
    assert why(cert, ca=other.text, renew=30) == "another CA has made it"
    for days in (101, "101"):
        assert why(cert, ca=own.text, renew=days).startswith("it expires on ")
    assert abs(certificates._ends(x509.load_pem_x509_certificate(cert.encode())) - time.time() - 100 * 86400) < 3600


def test_a_ca_of_the_same_name_is_another_ca(tmp_path):
    own, twin = Authority(tmp_path, "own"), Authority(tmp_path, "own")
    cert = own.certificate(9)
    assert gr_signed_by(cert, own.text)
    assert not gr_signed_by(cert, twin.text)
    assert not gr_signed_by(cert, "") and not gr_signed_by("", own.text)


def test_variables_that_do_not_fit_are_said_first():
    wishes = {
        "host": "db0",
        "tls": WISH._replace(passphrase="")._asdict(),
        "tls_own": OWN,
        "tls_files": OWN,
        "tls_seen": {},
        "now": NOW,
    }
    assert (
        "mysql_gr_tls_ca_passphrase is missing"
        in certificates.host_problems([{"name": "db0"}], {"db0": MEMBER}, wishes)[0]
    )


def test_a_move_is_brought_to_its_end_before_anything_else():
    wish = WISH._replace(moving=True)
    wishes = {
        "host": "db0",
        "tls": wish._asdict(),
        "tls_own": OWN,
        "tls_files": OWN,
        "tls_seen": {"expires": NOW - 1},
        "now": NOW,
    }
    members = [{"name": "db0"}]
    assert "renew_certificates to the end first" in certificates.host_problems(members, {"db0": MEMBER}, wishes)[0]
    # What a renewal is there for does not stand against it.
    for moving in (True, False):
        wishes["tls"] = wish._replace(moving=moving, renewing=True)._asdict()
        assert certificates.host_problems(members, {"db0": MEMBER}, wishes) == []
    # Given ones have to work before they are read.
    wishes["tls"] = wish._replace(renewing=True, kind="given", given=GIVEN)._asdict()
    assert "put a new one there" in certificates.host_problems(members, {"db0": MEMBER}, wishes)[0]
    wishes["tls"] = WISH._replace(made=True)._asdict()
    assert len(certificates.host_problems(members, {"db0": MEMBER}, wishes)) == 2
    assert certificates.host_problems(members, {}, wishes) == []
