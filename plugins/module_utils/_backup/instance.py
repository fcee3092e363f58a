# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private mysqld: without network, reached through a socket in a directory that only its user may enter.

A backup takes its copy with one, a restore replays binary logs in one. Several can run beside the host's own server.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._error_log import error_lines, last_start
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection, ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import read
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

START_SECONDS = 600  # a copy that was not stopped cleanly recovers first
STOP_SECONDS = 600  # dirty pages are written
SOCKET_PATH = 107  # bytes that the path of a socket may have
# No server of a group has it: a server leaves out the transactions of its own number.
SERVER_ID = 4294967211
APPARMOR = "/sys/kernel/security/apparmor/profiles"

# What every private instance has. No binary log: nothing that runs here gets a GTID of its own.
SETTINGS: dict[str, str] = {
    "skip_networking": "ON",
    "loose_mysqlx": "OFF",
    "server_id": str(SERVER_ID),
    "disable_log_bin": "ON",
    "gtid_mode": "ON",
    "enforce_gtid_consistency": "ON",
    "event_scheduler": "DISABLED",
    "skip_replica_start": "ON",
    "auto_generate_certs": "OFF",
    "caching_sha2_password_auto_generate_rsa_keys": "OFF",
    "innodb_flush_log_at_trx_commit": "2",
    "innodb_buffer_pool_dump_at_shutdown": "OFF",
    "innodb_buffer_pool_load_at_startup": "OFF",
    "performance_schema": "ON",
    "secure_file_priv": "",
}


class InstanceError(Refusal):
    """A private mysqld did not do what it is for; str() is one sentence."""


class Software(NamedTuple):
    """The mysqld of this host and who runs it. root: a tree with mysqld in it, for tests; the paths of a server are inside of it."""

    root: str = ""
    user: str = "mysql"
    mysqld: str = "/usr/sbin/mysqld"
    nice: int = 10

    @classmethod
    def of(cls, mysqld: Sequence[str], user: str) -> Software:
        """As the settings say: mysqld alone, or chroot, a tree, and mysqld in it."""
        if len(mysqld) == 3 and os.path.basename(mysqld[0]) == "chroot":
            return cls(mysqld[1].rstrip("/"), user, mysqld[2])
        return cls("", user, mysqld[0])

    def inside(self, path: str) -> str:
        """A path of this host as the server sees it."""
        if self.root and not path.startswith(self.root + "/"):
            raise InstanceError(f"{path} is not below {self.root}")
        return path[len(self.root) :] if self.root else path

    def owner(self) -> tuple[int, int]:
        """User and group of the files."""
        if self.root:
            return 0, 0
        try:
            found = pwd.getpwnam(self.user)
        except KeyError:
            raise InstanceError(
                f"this host has no user {self.user}: install the packages of the MySQL server"
            ) from None
        return found.pw_uid, found.pw_gid

    def command(self, arguments: Sequence[str]) -> list[str]:
        """A command that runs mysqld as its user, not before what the host serves, and not longer than this process."""
        polite = ["nice", "-n", str(self.nice)] if self.nice else []
        if self.root:
            return [
                *polite,
                "setpriv",
                "--pdeathsig",
                "KILL",
                "chroot",
                self.root,
                self.mysqld,
                *arguments,
                "--user=root",
            ]
        user, group = self.owner()
        become = ["--reuid", str(user), "--regid", str(group), "--init-groups", "--inh-caps=-all"]
        return [*polite, "setpriv", "--pdeathsig", "KILL", *become, self.mysqld, *arguments]

    def version(self) -> str:
        """Its version, as in 9.7.4."""
        chroot = ["chroot", self.root] if self.root else []
        try:
            done = subprocess.run(  # pylint: disable=ansible-bad-function
                [*chroot, self.mysqld, "--no-defaults", "--version"],
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
        except OSError:
            raise InstanceError(f"this host has no {self.mysqld}: install the packages of the MySQL server") from None
        words = done.stdout.split()
        if "Ver" not in words[:-1]:
            raise InstanceError(
                f"{self.mysqld} --version says no version: {(done.stderr or done.stdout).strip()[:200]}"
            )
        return words[words.index("Ver") + 1]


def option_file(settings: Mapping[str, str]) -> str:
    """The text of an option file."""
    return "".join(["[mysqld]\n", *(f"{name} = {value}\n" for name, value in settings.items())])


def failure(log: str, code: int | None, apparmor: str) -> str:
    """Why a mysqld did not start, in one sentence: its error log, its exit code, the profiles that the kernel knows."""
    errors = error_lines(last_start(log))
    said = "; ".join(errors[:4]) or ("it said nothing" if code is None else f"exit code {code}")
    confined = any("mysqld" in line and "(enforce)" in line for line in apparmor.splitlines())
    if confined and ("ermission denied" in said or "rrcode: 13" in said or "OS errno 13" in said or not errors):
        return f"{said} (AppArmor confines mysqld: allow the work directory in /etc/apparmor.d/local/usr.sbin.mysqld)"
    return said


class Instance:
    """One private mysqld: on a data directory, or blank."""

    def __init__(
        self, software: Software, directory: str, settings: Mapping[str, str] | None = None, datadir: str | None = None
    ) -> None:
        """directory: for its socket, option file and error log; made with the first start, and this process's own."""
        self.software = software
        self.directory = directory
        self.datadir = datadir or os.path.join(directory, "data")
        self.settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None

    # -- files -------------------------------------------------------------------------------------------------------
    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    @property
    def socket(self) -> str:
        return self.path("sock")

    def text(self) -> str:
        """Its option file."""
        inside = self.software.inside
        return option_file(
            {
                "datadir": inside(self.datadir),
                "socket": inside(self.socket),
                "pid_file": inside(self.path("pid")),
                "log_error": inside(self.path("error.log")),
                "tmpdir": inside(self.path("tmp")),
                **SETTINGS,
                **self.settings,
            }
        )

    def _prepare(self) -> None:
        if len(self.software.inside(self.socket).encode()) > SOCKET_PATH or len(self.socket.encode()) > SOCKET_PATH:
            raise InstanceError(
                f"the path of the work directory {self.directory} is too long for a socket (at most {SOCKET_PATH - 5} bytes)"
            )
        try:
            for name in (self.directory, self.path("tmp"), self.datadir):
                make_directory(name, self.software)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path("error.log"))
            with open(self.path("my.cnf"), "w", encoding="utf-8") as out:
                out.write(self.text())
            os.chmod(self.path("my.cnf"), 0o644)
        except OSError as error:
            raise InstanceError(f"the work directory cannot be written: {error}") from None

    def said(self) -> str:
        """The end of its error log, or what it said without one."""
        try:
            with open(self.path("error.log"), "rb") as source:
                source.seek(max(0, os.fstat(source.fileno()).st_size - (1 << 20)))
                return source.read().decode("utf-8", "replace")
        except OSError:
            return read(self.path("output"))

    # -- life --------------------------------------------------------------------------------------------------------
    def initialize(self) -> None:
        """Make a blank data directory, whose root has no password; what may be there from a killed run goes."""
        shutil.rmtree(self.datadir, ignore_errors=True)
        self._prepare()
        process = self._run("--initialize-insecure")
        code = process.wait()
        if code:
            raise InstanceError(f"a blank MySQL server cannot be made in {self.datadir}: {self._failure(code)}")

    def start(self, timeout: float = START_SECONDS) -> Connection:
        """Start it and log in; the connection is as privileged as root."""
        self._prepare()
        with contextlib.suppress(OSError):
            os.unlink(self.socket)
        self._process = process = self._run()
        end = time.monotonic() + timeout
        while True:
            code = process.poll()
            if code is not None:
                self._process = None
                raise InstanceError(f"a private MySQL server does not start in {self.datadir}: {self._failure(code)}")
            if os.path.exists(self.socket):
                with contextlib.suppress(ServerError):
                    return self.connect().open()
            if time.monotonic() > end:
                self.kill()
                raise InstanceError(
                    f"a private MySQL server in {self.datadir} does not answer within {timeout:.0f} s: {self._failure(None)}"
                )
            time.sleep(0.05)

    def connect(self) -> Connection:
        """A (not yet opened) connection."""
        return Connection(
            "the private MySQL server",
            user="root",
            password=b"",
            unix_socket=self.socket,
            ssl_disabled=True,
            connect_timeout=30,
        )

    @property
    def is_up(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """End it cleanly: nothing is left to recover."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise InstanceError(
                f"a private MySQL server in {self.datadir} does not end within {timeout:.0f} s"
            ) from None
        self._process = None
        if code:
            raise InstanceError(f"a private MySQL server in {self.datadir} did not end cleanly: {self._failure(code)}")

    def kill(self) -> None:
        """End it at once; never fails."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Instance:
        return self

    def __exit__(self, *_exception: Any) -> None:
        self.kill()

    def _run(self, *arguments: str) -> subprocess.Popen[bytes]:
        file = self.software.inside(self.path("my.cnf"))
        try:
            # It ends with this process (setpriv --pdeathsig), and is not interrupted with it from a terminal: that would be no clean stop.
            with open(self.path("output"), "wb") as out:  # what it says before it has an error log
                return subprocess.Popen(  # pylint: disable=ansible-bad-function
                    self.software.command([f"--defaults-file={file}", *arguments]), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                    start_new_session=True, cwd="/",
                )  # fmt: skip
        except OSError as error:
            raise InstanceError(f"mysqld cannot be started: {error}") from None

    def _failure(self, code: int | None) -> str:
        return failure(self.said(), code, read(APPARMOR))


def make_directory(path: str, software: Software) -> None:
    """A directory that belongs to mysqld's user, and that no other user may enter."""
    os.makedirs(path, mode=0o700, exist_ok=True)
    os.chown(path, *software.owner())
    os.chmod(path, 0o700)


def end_left_over(directory: str) -> bool:
    """End a mysqld that a killed run left in a directory; whether there was one."""
    try:
        pid = int(read(os.path.join(directory, "pid")).strip() or 0)
    except ValueError:
        return False
    option = os.path.join(directory, "my.cnf")
    if pid < 2 or not any(part and option.endswith(part.split("=", 1)[-1]) for part in _defaults_file(pid)):
        return False
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + 60
    while _defaults_file(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return True


def _defaults_file(pid: int) -> list[str]:
    """The arguments of a process that name an option file."""
    return [part for part in read(f"/proc/{pid}/cmdline").split("\0") if part.startswith("--defaults-file=/")]
