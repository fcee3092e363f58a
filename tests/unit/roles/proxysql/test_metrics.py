# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ProxySQL's metrics as a file: what it says, and that it does not answer."""

from __future__ import annotations

import json

import pymysql
import pytest

pytestmark = [pytest.mark.unit]

TEXT = "# HELP proxysql_uptime_seconds_total The total uptime of ProxySQL.\nproxysql_uptime_seconds_total 7\n"


@pytest.fixture(name="program")
def fixture_program(role_program):
    return role_program("proxysql/files/metrics.py")


class Admin:
    """A connection to the admin interface, which answers with rows or fails."""

    def __init__(self, rows):
        self.rows, self.asked, self.closed = rows, [], False

    def cursor(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        return None

    def execute(self, statement):
        self.asked.append(statement)
        if isinstance(self.rows, Exception):
            raise self.rows

    def fetchone(self):
        return self.rows

    def _force_close(self):
        self.closed = True


def measure(program, monkeypatch, tmp_path, answer):
    """The file after a run in which the login gives this connection, or fails with this error."""
    given = {}

    def connect(**options):
        given.update(options)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(program.pymysql, "connect", connect)
    target = tmp_path / "proxysql.prom"
    options = tmp_path / "options.json"
    options.write_text(
        json.dumps({"host": "127.0.0.1", "port": 6032, "user": "stats", "password": "pä", "file": str(target)})
    )
    program.main(str(options))
    assert given["password"] == "pä".encode() and given["port"] == 6032
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert target.stat().st_mode & 0o777 == 0o644
    return target.read_text()


def test_what_proxysql_says_is_written(program, monkeypatch, tmp_path, capsys):
    admin = Admin((TEXT,))
    found = measure(program, monkeypatch, tmp_path, admin)
    assert found.endswith(TEXT) and "\nproxysql_up 1\n" in found and "proxysql_written_timestamp_seconds " in found
    assert admin.asked == ["SHOW PROMETHEUS METRICS"] and admin.closed and capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (pymysql.err.OperationalError(2003, "Can't connect"), "Can't connect"),
        (OSError(), "OSError"),
        (Admin(pymysql.err.OperationalError(1045, "no such statement")), "no such statement"),
        (Admin(None), "'NoneType' object is not subscriptable"),
    ],
)
def test_a_proxy_that_does_not_answer_leaves_nothing_old(program, monkeypatch, tmp_path, capsys, answer, reason):
    (tmp_path / "proxysql.prom").write_text(TEXT)
    found = measure(program, monkeypatch, tmp_path, answer)
    assert "\nproxysql_up 0\n" in found and "uptime" not in found
    assert capsys.readouterr().err == f"ProxySQL does not answer at 127.0.0.1:6032: {reason}\n"
