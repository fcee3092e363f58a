# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login of the admin interface, from options and an option file."""

from __future__ import annotations

import pymysql
import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql import admin
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.rows import Statement


@pytest.mark.parametrize(
    ("text", "user", "password"),
    [
        ("[client]\nuser=me\npassword=p%w\n", "me", "p%w"),
        ("[client]\nuser=\"me\"\npassword='p w'\n!includedir /x\n[mysqld]\nskip-name-resolve\n", "me", "p w"),
    ],
)
def test_a_config_file(tmp_path, text, user, password):
    path = tmp_path / "my.cnf"
    path.write_text(text)
    params = dict(config_file=str(path), login_host="h", login_port=6032, connect_timeout=1)
    made = admin.Admin(params)
    assert (made.user, made._password) == (user, password)
    assert admin.Admin(dict(params, login_user="other")).user == "other"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("[other]\n", "no section"),
        ("[client]\nhost=x\n", "login_user is not set"),
        ("no section\n", "cannot be read"),
    ],
)
def test_a_config_file_that_does_not_help_is_said(tmp_path, text, words):
    path = tmp_path / "my.cnf"
    if text is not None:
        path.write_text(text)
    with pytest.raises(admin.AdminError, match=words):
        admin.Admin(dict(config_file=str(path), login_host="h", login_port=6032, connect_timeout=1))


class Wire:
    """PyMySQL's connection: what is asked, what comes back, and when it breaks."""

    def __init__(self, monkeypatch, refused=None):
        self.arguments, self.asked, self.closed, self.broken = {}, [], 0, None
        self.refused = refused

        def connect(**arguments):
            self.arguments, self.broken = arguments, None
            if self.refused:
                raise self.refused
            return self

        monkeypatch.setattr(admin.pymysql, "connect", connect)

    def cursor(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass

    def close(self):
        self.closed += 1

    def execute(self, text):
        self.asked.append(text)
        if self.broken:
            raise self.broken
        self.description, self.rows = [("name",), ("value",)], [(b"pr\xc3\xa9", None), ("plain", 7)]
        if "version()" in text:
            self.description, self.rows = [("version",)], [("2.7.1",)]
        if text.startswith("LOAD"):
            self.description, self.rows = None, ()

    def fetchall(self):
        return self.rows


OPTIONS = dict(
    login_user="radmin", login_password="pässwörd", login_host="127.0.0.1", login_port=6032, connect_timeout=3
)


def test_rows_are_text_whatever_the_client_library_gives(monkeypatch):
    wire = Wire(monkeypatch)
    with admin.Admin(OPTIONS) as made:
        assert made.version == "2.7.1" and made.where == "127.0.0.1:6032"
        assert made.read("SELECT 1") == (
            ["name", "value"],
            [{"name": "pré", "value": None}, {"name": "plain", "value": "7"}],
        )
        made.execute(Statement.plain("LOAD MYSQL USERS TO RUNTIME"))
    assert wire.closed == 1
    # As ProxySQL keeps it, not as Latin-1.
    assert wire.arguments["password"] == "pässwörd".encode()


def test_a_socket_is_used_instead_of_host_and_port(monkeypatch):
    wire = Wire(monkeypatch)
    with admin.Admin(dict(OPTIONS, login_unix_socket="/run/admin.sock")) as made:
        assert made.where == "/run/admin.sock"
    assert wire.arguments["unix_socket"] == "/run/admin.sock" and "host" not in wire.arguments


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (pymysql.err.OperationalError(1045, "denied"), "denied", "refused login_user 'radmin'"),
        (
            pymysql.err.OperationalError(2003, "Can't connect\nto it."),
            "unreachable",
            "cannot be reached .Can't connect to it",
        ),
        (pymysql.err.InternalError("Packet sequence number wrong"), "unreachable", "cannot be used .Packet"),
        (OSError(), "unreachable", "cannot be used .OSError"),
    ],
)
def test_why_there_is_no_connection(monkeypatch, error, kind, words):
    Wire(monkeypatch, refused=error)
    with pytest.raises(admin.AdminError, match=words) as caught:
        admin.Admin(OPTIONS).connect()
    assert caught.value.kind == kind and "pässwörd" not in str(caught.value)


def test_a_refused_statement_is_shown_without_its_secrets(monkeypatch):
    wire = Wire(monkeypatch)
    with admin.Admin(OPTIONS) as made:
        wire.broken = pymysql.err.ProgrammingError(1064, "near 'x'")
        with pytest.raises(admin.AdminError, match=r"refused a statement \(near 'x'\): SET '\*+'") as caught:
            made.execute(Statement("SET 'hidden'", "SET '********'"))
    assert caught.value.kind == "statement"


def test_a_lost_connection_is_made_anew(monkeypatch):
    wire = Wire(monkeypatch)
    with admin.Admin(OPTIONS) as made:
        made.revive()
        assert wire.closed == 0
        wire.broken = pymysql.err.OperationalError(2013, "lost")
        made.revive()
        assert wire.closed == 1 and made.query("SELECT 1")


@pytest.mark.parametrize(
    ("options", "words"), [({"login_port": 0}, "login_port is 0"), ({"connect_timeout": 0}, "connect_timeout is 0")]
)
def test_numbers_out_of_range(options, words):
    with pytest.raises(admin.AdminError, match=words):
        admin.Admin(dict(OPTIONS, **options))
