# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands and files of a host, for modules that run where there may be no server and no PyMySQL yet.

Private to this collection.
"""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import subprocess
from typing import Any, Mapping, NamedTuple, Sequence

NO_SUCH_PROGRAM = 127
NO_ANSWER = 124


class Done(NamedTuple):
    """What a command left."""

    code: int
    output: str
    errors: str


def run(
    command: Sequence[str], timeout: float = 20, env: dict[str, str] | None = None, stdin: str | None = None
) -> Done:
    """Run a command in the C locale. Never raises: code 127 without such a program, 124 where it did not end in time."""
    try:
        # AnsibleModule.run_command has no time limit, and a server that hangs must not hang the run.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            list(command), input=stdin if stdin is not None else "", capture_output=True, text=True, errors="replace",
            timeout=timeout, check=False, env=dict(os.environ, LC_ALL="C", **(env or {})),
        )  # fmt: skip
    except FileNotFoundError:
        return Done(NO_SUCH_PROGRAM, "", f"there is no {command[0]}")
    except subprocess.TimeoutExpired:
        return Done(NO_ANSWER, "", f"{command[0]} gave no answer within {timeout} s")
    return Done(done.returncode, done.stdout, done.stderr)


def read(path: str, limit: int = 1 << 20) -> str:
    """The text of a file, '' where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as source:
            return source.read(limit)
    except OSError:
        return ""


def checksum_of(path: str, algorithm: str) -> str | None:
    """A file's checksum, or None where it cannot be read."""
    found = hashlib.new(algorithm)
    try:
        with open(path, "rb") as source:
            for block in iter(lambda: source.read(1 << 20), b""):
                found.update(block)
    except OSError:
        return None
    return found.hexdigest()


def client_options(password: str) -> str:
    """An option file of MySQL's client programs with this password."""
    quoted = password.replace("\\", "\\\\").replace('"', '\\"')
    return f'[client]\npassword="{quoted}"\n'


def look_at(path: str) -> list[str] | None:
    """[checksum, mode, owner, group] of a file, or None without one."""
    checksum = checksum_of(path, "sha1")
    if checksum is None:
        return None
    found = os.stat(path)
    try:
        user = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        user = str(found.st_uid)
    try:
        group = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        group = str(found.st_gid)
    return [checksum, f"{found.st_mode & 0o7777:04o}", user, group]


class Login(NamedTuple):
    """How the client program logs in to the server of this host."""

    unix_socket: str
    user: str
    password: str = ""

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Login:
        """As a module's options say."""
        return cls(params["login_unix_socket"], params["login_user"], params["login_password"] or "")

    @staticmethod
    def options() -> dict[str, Any]:
        """These options, for an argument_spec; their documentation is the fragment mysql.client."""
        return dict(
            login_unix_socket=dict(type="path", default="/run/mysqld/mysqld.sock"),
            login_user=dict(type="str", default="root"),
            login_password=dict(type="str", no_log=True),
        )

    def ask(self, statement: str, timeout: float = 20, raw: bool = False) -> Done:
        """Run one statement by the client that comes with the server; rows by line, columns by tab. raw: nothing in them is escaped."""
        return run(
            [
                "mysql", "--defaults-file=/dev/stdin" if self.password else "--no-defaults", "--batch", *(["--raw"] if raw else []),
                "--skip-column-names", "--connect-timeout=5", "--protocol=socket",
                f"--socket={self.unix_socket}", f"--user={self.user}", f"--execute={statement}",
            ],
            timeout=timeout,
            # In no command line and in no environment; without one, the account is known by the socket.
            stdin=client_options(self.password) if self.password else None,
        )  # fmt: skip


def reason(done: Done) -> str:
    """Why a client program failed: its last line that is no warning."""
    lines = [line.strip() for line in done.errors.splitlines() if line.strip() and "[Warning]" not in line]
    return lines[-1] if lines else f"the client ended with code {done.code}"
