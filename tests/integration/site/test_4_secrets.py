# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords on a converged cluster: in no output, however it fails and however verbose it is, and in no command line of a host."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess

import pytest
from support import ROOT, wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.usefixtures("converged"),
    pytest.mark.claim(
        "Passwords are in no output, however a run fails and however verbose it is, and in no command line."
    ),
]

# Runs on a host until its standard input ends: prints the command lines in which the first line of its input stands.
WATCH = r"""
import glob, os, select, sys
needle = sys.stdin.readline().strip().encode()
print("watching", flush=True)
seen = set()
while not select.select([sys.stdin], [], [], 0)[0]:
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as source:
                words = source.read()
        except OSError:
            continue
        if needle in words:
            seen.add(words.replace(needle, b"<NEEDLE>").replace(b"\0", b" ")[:200])
print(sorted(seen), flush=True)
"""


@contextlib.contextmanager
def watched(lab, hosts, needle: str):
    """Watch the command lines of hosts; gives a dict that holds, by host, what was seen when the block is over."""
    watchers = {}
    for host in hosts:
        watchers[host] = subprocess.Popen(
            ["lab/podman", "exec", "-i", host, "python3", "-c", WATCH], cwd=ROOT, env=lab.env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        watchers[host].stdin.write(needle + "\n")
        watchers[host].stdin.flush()
        assert watchers[host].stdout.readline() == "watching\n"
    seen = {}
    try:
        yield seen
    finally:
        for host, watcher in watchers.items():
            output, _nothing = watcher.communicate("end\n", timeout=60)
            seen[host] = output.strip()


def test_the_watcher_sees_a_password_in_a_command_line(lab):
    """The positive control of the tests below."""
    needle = secrets.token_hex(16)
    with watched(lab, ["db0"], needle) as seen:
        lab.on("db0", "sh", "-c", "sleep 0.3; true", needle)
    assert "<NEEDLE>" in seen["db0"]


@pytest.fixture
def login(lab, tmp_path):
    """Variables by which the role logs in as an account with a password."""
    password = secrets.token_hex(16) + "'$ \\"
    quoted = password.replace("\\", "\\\\").replace("'", "''")
    create = f"CREATE USER ops@localhost IDENTIFIED BY '{quoted}'; GRANT ALL ON *.* TO ops@localhost WITH GRANT OPTION;"
    lab.give("db0", "mysql", create)
    wait_for(
        lambda: all(lab.sql(member, "SELECT 1 FROM mysql.user WHERE user = 'ops'") for member in lab.members),
        30, "the account on every member",
    )  # fmt: skip
    given = tmp_path / "login.json"
    given.write_text(json.dumps({"mysql_gr_login_user": "ops", "mysql_gr_login_password": password}))
    yield password, ("-e", f"@{given}")
    lab.sql("db0", "DROP USER IF EXISTS ops@localhost")


def test_backup_and_restore_show_the_login_password_to_nobody(lab, login, tmp_path):
    password, given = login
    where = ("-e", f"operations_backup={tmp_path / 'backup'}")
    with watched(lab, lab.members, password) as seen:
        runs = [lab.site(*given, *where, "-vvv", playbook="playbooks/backup.yml", timeout=900)]
        restored = (*given, *where, "-e", "operations_replace=true", "-vvv")
        runs.append(lab.site(*restored, playbook="playbooks/restore.yml", timeout=900))
    assert [run.code for run in runs] == [0, 0], runs
    assert runs[1].output.count("holds what the backup holds") == 3
    for run in runs:
        assert password[:32] not in run.output
    assert seen == dict.fromkeys(lab.members, "[]")


def test_a_dump_that_fails_says_why_and_not_with_which_password(lab, login, tmp_path):
    password, given = login
    lab.sql(
        "db0",
        "CREATE TABLE simkp.whole (i INT); CREATE VIEW simkp.broken AS SELECT i FROM simkp.whole; DROP TABLE simkp.whole",
    )
    try:
        run = lab.site(
            *given, "-e", f"operations_backup={tmp_path / 'none'}", playbook="playbooks/backup.yml", timeout=900
        )
    finally:
        lab.sql("db0", "DROP VIEW simkp.broken")
    assert run.code != 0
    assert "could not be dumped" in run.flat and "simkp.broken" in run.flat, run
    assert password[:32] not in run.output


@pytest.mark.parametrize("verbosity", [(), ("-v",), ("-vvv",)])
def test_an_account_that_cannot_be_written_is_named_without_any_password(lab, tmp_path, verbosity):
    users = [
        {"name": "simkpuser", "password": secrets.token_hex(16), "priv": "simkp.*:SELEKT"},
        {"name": "other", "password": secrets.token_hex(16), "priv": "simkp.*:SELECT"},
        {"name": "third", "password": secrets.token_hex(16), "priv": "nowhere:SELECT"},
    ]
    given = tmp_path / "users.json"
    given.write_text(json.dumps({"mysql_gr_users": users}))
    run = lab.site("-e", f"@{given}", "--tags", "mysql_gr_content", *verbosity)
    assert run.code != 0
    assert "simkpuser@%" in run.flat and "SELEKT" in run.flat and "third@%" in run.flat, run
    for user in users:
        assert user["password"] not in run.output, user["name"]
    lab.sql("db0", "DROP USER IF EXISTS other")


@pytest.mark.parametrize(
    ("required", "shown"),
    [
        ({"subject": "/CN=app", "issuer": "/CN=ca"}, "REQUIRE SUBJECT '/CN=app' ISSUER '/CN=ca'"),
        ({"x509": True}, "REQUIRE X509"),
        (None, "REQUIRE NONE"),
    ],
)
def test_what_an_account_requires_of_its_client_s_certificate_is_set(lab, tmp_path, required, shown):
    """And not dropped without a word; another run changes nothing."""
    account = {"name": "certified", "password": secrets.token_urlsafe(18)}
    given = tmp_path / "users.json"
    given.write_text(json.dumps({"mysql_gr_users": [dict(account, tls_requires=required) if required else account]}))
    try:
        for changed in (1, 0):
            run = lab.site("-e", f"@{given}", "--tags", "mysql_gr_content")
            assert run.code == 0 and sum(run.changed.values()) == changed, run
        assert shown in lab.sql("db0", "SHOW CREATE USER certified@'%'")[0][0]
    finally:
        lab.sql("db0", "DROP USER certified@'%'")


def test_accounts_of_the_group_that_cannot_be_written_are_named_without_any_password(lab):
    """A host name that is too long for MySQL."""
    run = lab.site("--tags", "mysql_gr_accounts", "-v", "-e", "mysql_gr_account_host=" + "a" * 300)
    assert run.code != 0
    for account in ("repl", "gr_peer"):
        assert f"{account}@aaa" in run.flat, run
    for name, value in lab.secrets().items():
        assert "{{" in str(value) or str(value) not in run.output, name
