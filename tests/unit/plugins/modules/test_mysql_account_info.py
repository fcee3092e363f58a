# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many accounts in one look: what the client program prints, and what is made of it."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_account_wishes import gr_account_wishes
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import Done, Login
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.modules import mysql_account_info as info
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.password_hash import stored

pytestmark = [pytest.mark.unit, pytest.mark.claim("One look says which accounts are to be compared one by one.")]

GROUP = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"


class Server:
    """{(name, host): (columns that are not the usual ones, lines of SHOW GRANTS, by_role)}, answering as the client program prints it."""

    def __init__(self, accounts):
        self.accounts = accounts
        self.asked = []

    def ask(self, _login, statement, timeout=20, raw=False):
        assert raw, "escaped, a backslash would be two"
        self.asked.append(statement)
        lines = []
        for (name, host), (columns, grants, by_role) in self.accounts.items():
            if statement.startswith("SHOW"):
                if f"'{name}'@'{host}'" in statement:
                    lines += grants
            elif name.encode().hex() in statement:
                row = dict.fromkeys(info.COLUMNS, "") | {"User": name, "Host": host, "plugin": "caching_sha2_password"}
                cells = [{**row, **columns}[column].encode().hex().upper() for column in info.COLUMNS]
                lines.append("\t".join([*cells, by_role]))
        return Done(0, "\n".join(lines) + "\n", "")


@pytest.fixture
def look(monkeypatch):
    def looked(server, accounts, **options):
        monkeypatch.setattr(Login, "ask", lambda *given, **named: server.ask(*given, **named))
        usual = {"host": "%", "plugin": "caching_sha2_password", "state": "present"}
        return info.look({
            "accounts": [{**usual, **one} for one in accounts], "names": [], "group_name": "", "login_unix_socket": "/s", "login_user": "root",
            "login_password": None, **options,
        })  # fmt: skip

    return looked


def line(text, name, host="%"):
    return f"GRANT {text} TO `{name}`@`{host}`"


def test_those_that_differ_are_named_by_their_position(look):
    server = Server({
        ("a", "%"): ({}, [line("USAGE ON *.*", "a"), line("SELECT ON `s`.*", "a")], "1"),
        ("b", "%"): ({}, [line("USAGE ON *.*", "b")], "1"),
        ("c", "h"): ({"authentication_string": "é\x01"}, [line("USAGE ON *.*", "c", "h")], "1"),
    })  # fmt: skip
    found = look(
        server,
        [
            {"name": "a", "priv": "s.*:SELECT"},
            {"name": "b", "priv": "s.*:SELECT"},
            {"name": "c", "host": "H", "hash": "é\x01"},
            {"name": "d"},
            {"name": "e", "state": "absent"},
        ],
    )
    assert found["differ"] == [1, 3] and not found["changed"] and found["others"] == []
    assert found["differences"] == [
        {"name": "b", "host": "%", "differs": "privileges"},
        {"name": "d", "host": "%", "differs": "account"},
    ]
    assert len(server.asked) == 2, "one statement for all rows, one call for all privileges"


def test_a_thousand_accounts_are_a_few_calls(look):
    names = [f"u{number:04d}" for number in range(1000)]
    server = Server({(name, "%"): ({}, [line("USAGE ON *.*", name)], "0") for name in names})
    assert look(server, [{"name": name, "priv": "*.*:USAGE"} for name in names])["differ"] == []
    assert len(server.asked) == 4


def test_accounts_of_the_role_at_other_hosts(look):
    usage = [line("USAGE ON *.*", "a")]
    server = Server(
        {
            ("a", "new"): ({}, usage, "1"),
            ("a", "OLD"): ({}, usage, "1"),
            ("a", "theirs"): ({}, usage, "0"),
            ("b", "old"): ({}, usage, "1"),
        }
    )
    wishes = [{"name": "a", "host": "new"}, {"name": "b", "host": "new"}]
    assert look(server, wishes, names=["a"], group_name=GROUP)["others"] == [["a", "OLD"]]
    assert GROUP.encode().hex() in server.asked[0]
    assert look(server, wishes)["others"] == []
    with pytest.raises(Refusal, match="group_name: '' is not allowed with names"):
        look(server, wishes, names=["a"])


@pytest.mark.parametrize(
    ("name", "grants"),
    [
        ("o'hara", [line("USAGE ON *.*", "o'hara")]),
        ("a", ['GRANT USAGE ON *.* TO "a"@"%"']),
        ("a", []),
    ],
    ids=["quote", "another sql_mode", "nothing"],
)
def test_privileges_that_cannot_be_told_differ(look, name, grants):
    server = Server({(name, "%"): ({}, grants, "1")})
    assert look(server, [{"name": name, "priv": "*.*:USAGE"}])["differ"] == [0]
    assert look(server, [{"name": name}])["differ"] == [], "no privileges are wanted"


def test_a_server_that_does_not_answer(look, monkeypatch):
    server = Server({})
    server.ask = lambda *given, **named: Done(1, "", "ERROR 2002 (HY000): Can't connect\n")
    with pytest.raises(Refusal, match="could not be asked which accounts it has: ERROR 2002"):
        look(server, [{"name": "a"}])


def test_wishes():
    account = {
        "name": "a",
        "host": "h",
        "several": True,
        "password": "secret",
        "priv": "s.*:ALL",
        "require_tls": True,
        "from_hosts": None,
    }
    (wish,) = gr_account_wishes([account], GROUP.upper(), "caching_sha2_password", 5000)
    salt = wish["hash"][len("$A$005$") :][:20]
    assert wish.pop("hash") == stored("secret", salt, 5000)
    assert wish == {
        "name": "a", "host": "h", "priv": "s.*:ALL", "plugin": "caching_sha2_password", "append_privs": False, "tls_requires": {"SSL": True},
    }  # fmt: skip
    (wish,) = gr_account_wishes(
        [{"name": "a", "host": "h", "tls_requires": {"x509": True}, "state": "absent"}], GROUP, "p", 5000, True
    )
    assert wish == {
        "name": "a", "host": "h", "state": "absent", "plugin": "p", "append_privs": True, "tls_requires": {"x509": True},
    }  # fmt: skip
    with pytest.raises(AnsibleFilterError, match="caching_sha2_password_digest_rounds: 1 is not allowed"):
        gr_account_wishes([account], GROUP, "p", 1)
