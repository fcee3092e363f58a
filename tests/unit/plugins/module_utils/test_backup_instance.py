# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private mysqld, with a script in place of the program; tests/integration/group_replication/test_backup.py has the real one."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import time

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import instance as module
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.instance import (
    Instance,
    InstanceError,
    Software,
    end_left_over,
    failure,
    option_file,
)  # fmt: skip
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import read

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "A private server starts, ends cleanly, ends with the run that started it, and says why it does not start."
    ),
]

# Makes its socket, and ends at SIGTERM.
SERVER = """
import os, signal, socket, sys
at = os.path.dirname(sys.argv[1].split("=", 1)[1])
options = dict(line.rstrip("\\n").split(" = ", 1) for line in open(at + "/my.cnf") if " = " in line)
open(at + "/pid", "w").write(str(os.getpid()))
if "--initialize-insecure" in sys.argv:
    open(options["datadir"] + "/mysql.ibd", "w").close()
    sys.exit(int(options.get("code", 0)))
if "said" in options:
    open(at + "/error.log", "w").write("2026-11-27T17:11:42.0Z 0 [ERROR] [MY-010000] [Server] " + options["said"] + chr(10))
    sys.exit(int(options["code"]))
ending = int(options.get("code", 0))
signal.signal(signal.SIGTERM, signal.SIG_IGN if ending < 0 else lambda *_: os._exit(ending))
if "silent" not in options:
    socket.socket(socket.AF_UNIX).bind(at + "/sock")
while True:
    signal.pause()
"""


class Script(Software):
    def owner(self):
        return os.getuid(), os.getgid()

    def command(self, arguments):
        return [sys.executable, "-c", SERVER, *arguments]


class Opened:
    def __init__(self, _where, **arguments):
        self.arguments = arguments

    def open(self):
        if not os.path.exists(self.arguments["unix_socket"]):
            raise ServerError("not yet")
        return self


@pytest.fixture
def make(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "Connection", Opened)
    made = []

    def build(**settings):
        made.append(Instance(Script(), str(tmp_path / "work"), settings))
        return made[-1]

    yield build
    for one in made:
        one.kill()


def test_a_life(make, tmp_path):
    server = make()
    server.initialize()
    assert os.listdir(server.datadir) == ["mysql.ibd"]
    assert stat.S_IMODE(os.stat(server.directory).st_mode) == 0o700, "no other user reaches the socket"
    connection = server.start()
    assert connection.arguments["unix_socket"] == server.socket and connection.arguments["user"] == "root"
    assert server.is_up
    server.stop()
    assert not server.is_up
    server.stop()
    text = (tmp_path / "work" / "my.cnf").read_text()
    assert "skip_networking = ON\n" in text and "disable_log_bin = ON\n" in text


def test_a_run_that_fails_leaves_no_server(make):
    server = make()
    with pytest.raises(KeyError), server:
        server.start()
        pid = server._process.pid
        raise KeyError
    assert not os.path.exists(f"/proc/{pid}")


def test_why_it_does_not_start(make):
    with pytest.raises(InstanceError, match="does not start in .*: disk is full$"):
        make(said="disk is full", code="1").start()
    with pytest.raises(InstanceError, match="cannot be made in .*: exit code 3$"):
        make(code="3").initialize()
    with pytest.raises(InstanceError, match="does not answer within 0 s: it said nothing"):
        make(silent="1").start(timeout=0.3)


def test_an_end_that_is_not_clean(make):
    server = make(code="2")
    server.start()
    with pytest.raises(InstanceError, match="did not end cleanly: exit code 2"):
        server.stop()
    server = make(code="-1")
    server.start()
    with pytest.raises(InstanceError, match="does not end within 0 s"):
        server.stop(timeout=0.2)
    assert not server.is_up


def test_a_server_that_a_killed_run_left_is_ended(make):
    server = make()
    server.start()
    process = server._process
    assert end_left_over(server.directory)
    assert process.wait() == -9
    assert not end_left_over(server.directory)


@pytest.mark.parametrize("text", ["", "x", "1", "own"])
def test_another_process_is_never_ended(tmp_path, text):
    (tmp_path / "pid").write_text(str(os.getpid()) if text == "own" else text)
    assert not end_left_over(str(tmp_path))


def test_the_path_of_the_socket(tmp_path):
    with pytest.raises(InstanceError, match="is too long for a socket"):
        Instance(Script(), str(tmp_path / ("x" * 110))).start()


def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InstanceError, match="the work directory cannot be written"):
        Instance(Script(), str(tmp_path / "file" / "x")).start()


def test_no_mysqld(tmp_path):
    class None_(Script):
        def command(self, arguments):
            return ["/nowhere/mysqld", *arguments]

    with pytest.raises(InstanceError, match="mysqld cannot be started"):
        Instance(None_(), str(tmp_path / "x")).start()
    with pytest.raises(InstanceError, match="this host has no /nowhere/mysqld"):
        Software(mysqld="/nowhere/mysqld").version()
    with pytest.raises(InstanceError, match="says no version"):
        Software(mysqld="/bin/false").version()


def test_version(tmp_path):
    program = tmp_path / "mysqld"
    program.write_text("#!/bin/sh\necho '/usr/sbin/mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))'\n")
    program.chmod(0o755)
    assert Software(mysqld=str(program)).version() == "9.7.4-2"


def test_software(monkeypatch):
    assert Software.of(["/usr/sbin/mysqld"], "mysql") == Software()
    chroot = Software.of(["/usr/sbin/chroot", "/tree/", "/usr/sbin/mysqld"], "mysql")
    assert chroot == Software("/tree") and chroot.owner() == (0, 0)
    assert chroot.inside("/tree/var/x") == "/var/x" and Software().inside("/var/x") == "/var/x"
    with pytest.raises(InstanceError, match="/var/x is not below /tree"):
        chroot.inside("/var/x")
    command = chroot.command(["--defaults-file=/x"])
    assert command[-4:] == ["/tree", "/usr/sbin/mysqld", "--defaults-file=/x", "--user=root"]
    monkeypatch.setattr(module.pwd, "getpwnam", lambda _name: type("", (), {"pw_uid": 71, "pw_gid": 72}))
    command = Software().command(["--defaults-file=/x"])
    assert (
        command[:3] == ["nice", "-n", "10"]
        and "71" in command
        and command[-2:] == ["/usr/sbin/mysqld", "--defaults-file=/x"]
    )

    def nobody(_name):
        raise KeyError

    monkeypatch.setattr(module.pwd, "getpwnam", nobody)
    with pytest.raises(InstanceError, match="this host has no user mysql"):
        Software(nice=0).command([])


def test_it_ends_with_the_run(tmp_path):
    """setpriv --pdeathsig: a run that is killed leaves no server."""
    marker = tmp_path / "pid"
    inner = f"['setpriv', '--pdeathsig', 'KILL', 'sh', '-c', 'echo $$ > {marker}; exec sleep 600']"
    code = f"import subprocess, time; subprocess.Popen({inner}); time.sleep(600)"
    run = subprocess.Popen([sys.executable, "-c", code])
    while not marker.exists() or not marker.read_text().strip():
        time.sleep(0.01)
    pid = int(marker.read_text())
    run.kill()
    run.wait()
    end = time.monotonic() + 10
    # A process that ended has no command line, also where nobody has waited for it yet.
    while read(f"/proc/{pid}/cmdline"):
        assert time.monotonic() < end
        time.sleep(0.01)


PROFILE = "/usr/sbin/mysqld (enforce)\n"
DENIED = "2026-11-27T17:11:42.0Z 0 [ERROR] [MY-010000] [InnoDB] Operating system error number 13: Permission denied\n"


@pytest.mark.parametrize(
    "log, code, profiles, said",
    [
        (DENIED, 1, PROFILE, "AppArmor confines mysqld"),
        ("", 1, PROFILE, "AppArmor confines mysqld"),
        (DENIED, 1, "/usr/sbin/mysqld (complain)\n", "Permission denied$"),
        (DENIED.replace("Permission denied", "no space"), 1, PROFILE, "no space$"),
    ],
)
def test_apparmor(log, code, profiles, said):
    assert re.search(said, failure(log, code, profiles))


def test_option_file():
    assert option_file({"a": "1", "b": ""}) == "[mysqld]\na = 1\nb = \n"
