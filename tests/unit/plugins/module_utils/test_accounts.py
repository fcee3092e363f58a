# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an account is as it is wanted; in doubt it is not."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._accounts import Seen, differs, expected, granted, owner

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("An account counts as it is wanted only where the server shows that it is."),
]

TO = " TO `app`@`192.0.2.129`"
ROW = {
    "plugin": "caching_sha2_password", "authentication_string": "$A$005$x", "ssl_type": "", "ssl_cipher": "", "x509_issuer": "", "x509_subject": "",
    "max_questions": "0", "max_updates": "0", "max_connections": "0", "max_user_connections": "7",
}  # fmt: skip
WISH = {"name": "app", "host": "192.0.2.129", "plugin": "caching_sha2_password", "hash": "$A$005$x"}
USAGE = "GRANT USAGE ON *.*" + TO


def of(wish, *grants, **row):
    return differs({**WISH, **wish}, Seen({**ROW, **row}, (USAGE, *grants)))


@pytest.mark.parametrize(
    ("wish", "row", "what"),
    [
        ({}, {}, ""),
        ({"hash": "$A$005$y"}, {}, "password"),
        ({"hash": None}, {}, ""),
        ({}, {"plugin": "sha256_password"}, "password"),
        ({"tls_requires": {"SSL": True}}, {"ssl_type": "ANY"}, ""),
        ({"tls_requires": {"SSL": True}}, {}, "tls"),
        ({"tls_requires": {"SSL": True}}, {"ssl_type": "X509"}, "tls"),
        # mysql_user takes nothing as REQUIRE NONE.
        ({}, {"ssl_type": "ANY"}, "tls"),
        ({"tls_requires": {}}, {"ssl_type": "X509"}, "tls"),
        ({"tls_requires": {"x509": True}}, {"ssl_type": "X509"}, ""),
        ({"tls_requires": {"x509": True, "ssl": True}}, {"ssl_type": "X509"}, ""),
        ({"tls_requires": {"x509": True}}, {"ssl_type": "ANY"}, "tls"),
        ({"tls_requires": {"subject": "/CN=a"}}, {"ssl_type": "SPECIFIED", "x509_subject": "/CN=a"}, ""),
        ({"tls_requires": {"Subject": "/CN=a", "x509": True}}, {"ssl_type": "SPECIFIED", "x509_subject": "/CN=a"}, ""),
        ({"tls_requires": {"subject": "/CN=a"}}, {"ssl_type": "SPECIFIED", "x509_subject": "/CN=b"}, "tls"),
        ({"tls_requires": {"subject": "/CN=a"}}, {"ssl_type": "ANY", "x509_subject": "/CN=a"}, "tls"),
        (
            {"tls_requires": {"subject": "/CN=a"}},
            {"ssl_type": "SPECIFIED", "x509_subject": "/CN=a", "x509_issuer": "/CN=b"},
            "tls",
        ),
        ({"tls_requires": {"colour": "red"}}, {"ssl_type": "SPECIFIED"}, "tls"),
        ({"resource_limits": {"max_user_connections": 7}}, {}, ""),
        ({"resource_limits": {"MAX_USER_CONNECTIONS": 8}}, {}, "limits"),
        ({"resource_limits": {"MAX_BANANAS": 0}}, {}, "limits"),
        ({"state": "absent"}, {}, "account"),
    ],
)
def test_what_differs(wish, row, what):
    assert of(wish, **row) == what


@pytest.mark.parametrize(
    ("priv", "grants", "same"),
    [
        ("shop.*:ALL", ["ALL PRIVILEGES ON `shop`.*"], True),
        ("shop.*:ALL PRIVILEGES", ["ALL PRIVILEGES ON `shop`.*"], True),
        ("shop.*:SELECT", ["ALL PRIVILEGES ON `shop`.*"], False),
        ("shop.*:ALL", ["SELECT ON `shop`.*"], False),
        ("shop.*:select, insert", ["SELECT, INSERT ON `shop`.*"], True),
        ("shop.*:SELECT,INSERT", ["SELECT ON `shop`.*"], False),
        ("shop.*:SELECT", ["SELECT, INSERT ON `shop`.*"], False),
        ("shop.*:SELECT", ["SELECT ON `shop`.*", "SELECT ON `other`.*"], False),
        ("shop.*:SELECT", ["SELECT ON `shop`.`orders`"], False),
        ({"shop.orders": "SELECT", "*.*": "PROCESS"}, ["SELECT ON `shop`.`orders`", "PROCESS ON *.*"], True),
        (
            "*.*:USAGE,BACKUP_ADMIN,CLONE_ADMIN",
            ["BACKUP_ADMIN,CLONE_ADMIN ON *.*"],
            True,
        ),
        ("*.*:USAGE,BACKUP_ADMIN/a.b:SELECT", ["BACKUP_ADMIN,CLONE_ADMIN ON *.*", "SELECT ON `a`.`b`"], False),
        ("*.*:USAGE", [], True),
        ("PROCEDURE shop.p:EXECUTE", ["EXECUTE ON PROCEDURE `shop`.`p`"], True),
        ("FUNCTION shop.p:EXECUTE", ["EXECUTE ON PROCEDURE `shop`.`p`"], False),
        ("s.t:SELECT (B, a),insert", ["SELECT (`a`, `B`), INSERT ON `s`.`t`"], True),
        ("s.t:SELECT(a)", ["SELECT (`a`) ON `s`.`t`"], True),
        ("s.t:SELECT (a)", ["SELECT (`a`, `b`) ON `s`.`t`"], False),
        ("s.t:SELECT (a), UPDATE (b)", ["SELECT (`a`), UPDATE (`a`) ON `s`.`t`"], False),
        ("s.t:SELECT (A)", ["SELECT (`a`) ON `s`.`t`"], False),
        ("s.t:SELECT (a)", ["SELECT ON `s`.`t`"], False),
        ("s.t:SELECT", ["SELECT, SELECT (`a`) ON `s`.`t`"], False),
        # As the server writes them, a wildcard or not.
        ("my_shop.*:SELECT", ["SELECT ON `my_shop`.*"], True),
        ("my_shop.*:SELECT", [r"SELECT ON `my\_shop`.*"], False),
        # Not told for sure.
        ("*.*:ALL", ["ALL PRIVILEGES ON *.*"], False),
        ("`shop`.*:SELECT", ["SELECT ON `shop`.*"], False),
        ("s.t:SELECT (`a`)", ["SELECT (`a`) ON `s`.`t`"], False),
        (["shop.*:SELECT"], ["SELECT ON `shop`.*"], False),
        ("shop:SELECT", ["SELECT ON `shop`.*"], False),
        ("shop.*", ["SELECT ON `shop`.*"], False),
    ],
)
def test_privileges(priv, grants, same):
    lines = [f"GRANT {grant}{TO}" for grant in grants]
    assert of({"priv": priv}, *lines) == ("" if same else "privileges")


def test_other_privileges_are_allowed_where_they_are_appended():
    lines = [f"GRANT SELECT, INSERT ON `shop`.*{TO}", f"GRANT SELECT ON `other`.*{TO}"]
    assert of({"priv": "shop.*:SELECT", "append_privs": True}, *lines) == ""
    assert of({"priv": "shop.*:SELECT,DELETE", "append_privs": True}, *lines) == "privileges"
    assert of({"priv": "third.*:SELECT", "append_privs": True}, *lines) == "privileges"


def test_the_right_to_grant():
    line = f"GRANT SELECT ON `shop`.*{TO} WITH GRANT OPTION"
    assert of({"priv": "shop.*:SELECT,GRANT"}, line) == ""
    assert of({"priv": "shop.*:SELECT"}, line) == "privileges"
    assert of({"priv": "shop.*:GRANT"}, f"GRANT USAGE ON `shop`.*{TO} WITH GRANT OPTION") == ""


@pytest.mark.parametrize("line", [f"REVOKE SELECT ON `shop`.* FROM {TO[4:]}", f"GRANT PROXY ON ``@``{TO}", "", "GRANT"])
def test_what_is_not_understood_differs(line):
    assert of({"priv": "shop.*:SELECT"}, f"GRANT SELECT ON `shop`.*{TO}", line) == "privileges"


def test_roles_are_left_alone():
    assert granted([f"GRANT `r`@`%`,`s`@`%`{TO}"]) == {}
    assert expected("*.*:USAGE") == {}


@pytest.mark.parametrize(
    ("line", "whose"),
    [
        (f"GRANT USAGE ON *.*{TO}", ("app", "192.0.2.129")),
        (f"GRANT USAGE ON *.*{TO} WITH GRANT OPTION", ("app", "192.0.2.129")),
        (f"GRANT `r`@`%`{TO} WITH ADMIN OPTION", ("app", "192.0.2.129")),
        ("REVOKE SELECT ON `shop`.* FROM `app`@`%`", ("app", "%")),
        ('GRANT USAGE ON *.* TO "app"@"%"', None),
    ],
)
def test_whose_line_it_is(line, whose):
    assert owner(line) == whose


def test_no_account():
    assert differs(WISH, None) == "account"
    assert differs({**WISH, "state": "absent"}, None) == ""
