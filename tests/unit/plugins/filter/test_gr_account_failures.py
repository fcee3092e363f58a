# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of accounts that could not be written: names and reasons, no passwords."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_account_failures import gr_account_failures
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_account_problems import gr_account_problems

ACCOUNTS = [
    {"name": "app", "host": "10.%", "password": "it's"},
    {"name": "other", "password": "it"},
    {"name": "gone", "state": "absent"},
]


def test_nothing_is_said_of_accounts_that_were_written():
    assert gr_account_failures([{"changed": True}, {"failed": False}, {}], ACCOUNTS) == []


def test_every_failed_account_is_named_with_its_reason():
    results = [{"failed": True, "msg": "invalid privileges"}, {}, {"failed": True}]
    assert gr_account_failures(results, ACCOUNTS) == [
        "app@10.%: invalid privileges",
        "gone@%: no reason was given",
    ]


def test_no_password_of_any_account_is_repeated():
    message = r"near 'it\'s' and 'it''s' and it's of app, and it of other"
    found = gr_account_failures([{"failed": True, "msg": message}], ACCOUNTS)
    assert found == ["app@10.%: near '********' and '********' and ******** of app, and ******** of other"]


def test_accounts_that_cannot_be_written_are_refused_by_name():
    accounts = [
        {"name": "a", "password": ""},
        {"name": "b", "password": ["x"]},
        {"password": "x"},
        {"name": "c", "state": "absent"},
    ]
    assert gr_account_problems(accounts, "mysql_gr_accounts") == [
        "mysql_gr_accounts[0].password (a) is missing or empty; no password has a default.",
        "mysql_gr_accounts[1].password (b) is a list; allowed is a string.",
        "mysql_gr_accounts[2].name is missing.",
    ]
    assert gr_account_problems([{"name": "a", "password": "x"}], "mysql_gr_accounts") == []


@pytest.mark.parametrize(
    ("required", "sentence"),
    [
        (None, ""),
        ({"subject": "/CN=app", "issuer": "/CN=ca"}, ""),
        ({"x509": True}, ""),
        ({}, "tls_requires is {}; allowed is a dict with some of x509, subject, issuer and cipher."),
        ("X509", "tls_requires is 'X509'; allowed is a dict"),
        ({"SUBJECT": "/CN=app"}, "tls_requires is {'SUBJECT': '/CN=app'}; allowed is a dict"),
        ({"x509": False}, "tls_requires.x509 is False; allowed is true."),
        ({"issuer": ""}, "tls_requires.issuer is ''; allowed is text."),
        ({"subject": {"CN": "app"}}, "tls_requires.subject is {'CN': 'app'}; allowed is text."),
    ],
)
def test_what_an_account_requires_of_certificates_is_set_or_refused(required, sentence):
    found = gr_account_problems([{"name": "a", "password": "x", "tls_requires": required}], "mysql_gr_users")
    assert len(found) == bool(sentence) and all(("mysql_gr_users[0]." + sentence) in text for text in found), found


def test_of_a_statement_the_server_s_words_are_shown_and_no_hash():
    said = "Cannot execute SQL 'CREATE USER %s@%s AS %s' args [('repl', 'a', '$A$005$0123456789abcdef0123x')]: (1470, \"String 'a' is too long\")"
    (text,) = gr_account_failures([{"failed": True, "msg": said}], [{"name": "repl", "host": "a", "password": "p"}])
    assert text == "repl@a: (1470, \"String 'a' is too long\")"
