# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords on a converged cluster: in no output, however it fails and however verbose it is, and on hosts where they are needed only."""

from __future__ import annotations

import gzip
import json
import os
import re
import secrets
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from support import wait_for
from support_secrets import HERE, KEPT, search_here, search_host, stray, watched

pytestmark = [
    pytest.mark.integration,
    pytest.mark.usefixtures("converged"),
    pytest.mark.claim(
        "Passwords are in no output, however a run fails and however verbose it is, and on no host but in the files of those who need them: not in command "
        "lines, environments, journals, MySQL's logs, or on the control node."
    ),
]

AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def test_the_watcher_sees_a_password_in_command_lines_environments_and_files(lab):
    """The positive control of the tests below."""
    needle = secrets.token_hex(16)
    planted = Path(tempfile.gettempdir()) / f"planted-{os.getpid()}"
    leave = f"umask 022; cat >{planted}; sleep 3; rm {planted}"
    processes = {("needle", "cmdline", "sh"), ("needle", "environ", "sleep")}
    with watched(lab, ["db0"], {needle: "needle"}) as seen:
        lab.on("db0", "sh", "-c", "sleep 0.3; true", needle)
        lab.on("db0", "env", f"PLANTED={needle}", "sleep", "0.3")
        lab.on("db0", *AS_NOBODY, "env", f"PLANTED={needle}", "python3", "-c", "import time; time.sleep(0.3)")
        lab.give("db0", leave, needle)
    assert processes | {("needle", "environ", "python3"), ("needle", "file", str(planted))} <= set(seen["db0"])
    with watched(lab, [], {needle: "needle"}) as seen:
        subprocess.run(["sh", "-c", "sleep 1; true", needle], check=True)
        subprocess.run(["sleep", "1"], env={**os.environ, "PLANTED": needle}, check=True)
        subprocess.run(["sh", "-c", leave], input=needle, text=True, check=True)
    assert processes | {("needle", "file", str(planted))} <= set(seen[HERE])


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
    with watched(lab, lab.members, {password: "login password"}) as seen:
        runs = [lab.site(*given, *where, "-vvv", playbook="playbooks/backup.yml", timeout=900)]
        restored = (*given, *where, "-e", "operations_replace=true", "-e", "confirm=mysql_gr", "-vvv")
        runs.append(lab.site(*restored, playbook="playbooks/restore.yml", timeout=900))
    assert [run.code for run in runs] == [0, 0], runs
    assert runs[1].output.count("holds what the backup holds") == 3
    for run in runs:
        assert password[:32] not in run.output
    assert seen == dict.fromkeys((*lab.members, HERE), [])
    # The dump holds no accounts, and neither it nor its description is for others.
    texts = {str(value) for value in lab.secrets().values()} | {password}
    with gzip.open(tmp_path / "backup" / "schemas.sql.gz", "rt") as dump:
        content = dump.read() + (tmp_path / "backup" / "backup.json").read_text()
    assert "CREATE TABLE" in content and not [text for text in texts if text in content]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "backup").iterdir()} == {0o600}


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


@pytest.mark.parametrize("verbosity", [(), ("-vvv",)])
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


def test_what_an_account_requires_of_its_client_s_certificate_is_set(lab, tmp_path):
    """And not dropped without a word; another run changes nothing."""
    wanted = {
        "named": ({"subject": "/CN=app", "issuer": "/CN=ca"}, "REQUIRE SUBJECT '/CN=app' ISSUER '/CN=ca'"),
        "certified": ({"x509": True}, "REQUIRE X509"),
        "anybody": (None, "REQUIRE NONE"),
    }
    users = [
        {"name": name, "password": secrets.token_urlsafe(18), **({"tls_requires": required} if required else {})}
        for name, (required, _shown) in wanted.items()
    ]
    given = tmp_path / "users.json"
    given.write_text(json.dumps({"mysql_gr_users": users}))
    try:
        for changed in (1, 0):
            run = lab.site("-e", f"@{given}", "--tags", "mysql_gr_content")
            assert run.code == 0 and sum(run.changed.values()) == changed, run
        for name, (_required, shown) in wanted.items():
            assert shown in lab.sql("db0", f"SHOW CREATE USER {name}@'%'")[0][0]
    finally:
        for name in wanted:
            lab.sql("db0", f"DROP USER IF EXISTS {name}@'%'")


def test_accounts_of_the_group_that_cannot_be_written_are_named_without_any_password(lab):
    """A host name that is too long for MySQL."""
    run = lab.site("--tags", "mysql_gr_accounts", "-v", "-e", "mysql_gr_account_host=" + "a" * 300)
    assert run.code != 0
    for account in ("repl", "gr_peer"):
        assert f"{account}@aaa" in run.flat, run
    for name, value in lab.secrets().items():
        assert "{{" in str(value) or str(value) not in run.output, name


def test_no_secret_is_where_it_is_not_needed(lab, tmp_path, monkeypatch):
    """A run that writes every one of them, as verbose as it gets; then each host and the control node are searched. What is planted shows that each look
    finds something. The last one of this file: it leaves the monitor another password."""
    hosts = (*lab.members, "proxy")
    planted = secrets.token_hex(16)
    monitor = secrets.token_hex(16)
    texts = {str(value): name for name, value in lab.secrets().items()}
    assert len(texts) >= 5 and not any("{{" in text for text in texts)
    texts.update({planted: "planted", monitor: "new monitor password"})
    given = tmp_path / "given"
    given.mkdir()
    # A schema's name is in what the run says.
    schemas = [*lab.variable("db0", "mysql_gr_schemas"), planted]
    (given / "variables.json").write_text(
        json.dumps({"proxysql_monitor_password": monitor, "mysql_gr_schemas": schemas})
    )
    kept = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "cache"),
            "ANSIBLE_LOG_PATH": str(tmp_path / "run.log")}  # fmt: skip
    for name, value in kept.items():
        monkeypatch.setitem(lab.env, name, value)
    began = time.time() - 1
    for member in lab.members:
        lab.on(member, "rm", "-f", "/etc/mysql-gr-wait.json", "/etc/mysql-gr-leave.cnf")
        lab.sql(member, "SET GLOBAL general_log_file = '/var/log/mysql/general.log'; SET GLOBAL general_log = ON")
    lab.sql("db0", f"DROP USER simkpuser@'%', gr_peer@'{lab.address('db1')}', repl@'{lab.address('db2')}'")

    with watched(lab, hosts, texts) as seen:
        run = lab.site("-vvv", "--diff", "-e", f"@{given / 'variables.json'}", timeout=900)
        lab.on("db0", *AS_NOBODY, "env", f"PLANTED={planted}", "sleep", "0.3")
    assert run.code == 0, run
    written = [
        line for line in run.what_changed if re.search("Write (accounts|the service's files)|Configure ProxySQL", line)
    ]
    assert len(written) >= 4, run.what_changed
    try:
        lab.give("db0", "systemd-cat", planted)
        lab.give("db0", "cat >>/var/log/mysql/error.log", f"{planted}\n")
        lab.give("db0", "cat >/etc/planted; chmod 0644 /etc/planted", planted)
        lab.give(
            "db0",
            "mysql simkp",
            f"CREATE TABLE planted (t CHAR(32) PRIMARY KEY); INSERT INTO planted VALUES ('{planted}'); DROP TABLE planted;",
        )
        (tmp_path / "cache").mkdir(exist_ok=True)
        (tmp_path / "cache" / "planted").write_text(planted)
        found = {host: search_host(lab, host, texts, began) for host in hosts}
        # Suites that run beside this one have their own temporary files, and passwords of the same file.
        apart = [Path(os.environ["TESTS_BESIDE"])] if "TESTS_BESIDE" in os.environ else []
        here = search_here([tmp_path, Path.home() / ".ansible", Path("/tmp")], apart, texts, began)
    finally:
        lab.on("db0", "rm", "-f", "/etc/planted")
        for member in lab.members:
            lab.sql(member, "SET GLOBAL general_log = OFF")
        lab.sql("db0", f"DROP DATABASE IF EXISTS `{planted}`")

    assert {entry[1] for entry in seen["db0"] if entry[0] == "planted"} >= {"environ"}
    assert {host: [entry for entry in seen[host] if entry[0] != "planted"] for host in seen} == dict.fromkeys(
        (*hosts, HERE), []
    )
    assert planted in run.output
    assert [name for text, name in texts.items() if name != "planted" and text in run.output] == []

    places = {place for name, place, _mode in found["db0"] if name == "planted"}
    assert {"journal", "/var/log/mysql/error.log", "/etc/planted", "/var/log/mysql/general.log"} <= places
    assert any(re.fullmatch(r"/var/lib/mysql/binlog\.\d+", place) for place in places)
    # Where they are kept they are found.
    assert {name for name, place, _mode in found["db0"] if place == "/etc/mysql-gr-wait.json"} == {
        "mysql_gr_peer_password"
    }
    assert "new monitor password" in {name for name, _place, _mode in found["proxy"]}
    for host in hosts:
        strays = stray(
            [entry for entry in found[host] if entry[0] != "planted"], KEPT["proxy" if host == "proxy" else "db"]
        )
        assert strays == [], host

    ours = [entry for entry in here if not entry[1].startswith(str(given))]
    assert {Path(place).name for name, place, _mode in ours if name == "planted"} >= {"planted", "run.log"}
    assert [entry for entry in ours if entry[0] != "planted"] == []
