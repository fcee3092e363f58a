# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exporters of a host, as both roles set them up: what stands against their variables, who reaches their ports, the hash of their password.

Private to this collection.
"""

from __future__ import annotations

import base64
import ctypes
import ctypes.util
import functools
import hashlib
import re
from typing import Any, Iterator, Mapping

from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.networks import network_problems

try:
    import bcrypt
except ImportError:
    bcrypt = None

# The exporters' own defaults.
PORTS = {"prometheus-node-exporter": 9100, "prometheus-mysqld-exporter": 9104}
NODE, MYSQLD = PORTS
# bcrypt takes no more of a password.
LONGEST = 72
USER = re.compile(r"[A-Za-z0-9._-]{1,64}")
PATH = re.compile(r"/[A-Za-z0-9._@+/-]+")
# In the exporter's option file (read by ini.v1 of Go) these end a value, quote it, or stand for something else.
UNFIT = re.compile(r"[^!-~]|[#;`\"'\\%]")
# 2^10 rounds take 0.05 s; the exporters keep whom they have let in.
ROUNDS = 10
B64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
DIGITS = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def no_text(option: str, value: object) -> str:
    """Why a password is no text, or ''; it is not shown itself."""
    if value is None or value == "":
        return f"{option} is missing or empty; no password has a default."
    return "" if isinstance(value, str) else f"{option} is a {type(value).__name__}; allowed is a string."


def password_problems(option: str, value: Any) -> Iterator[str]:
    """What stands against a password of which a web configuration has the bcrypt hash."""
    problem = no_text(option, value)
    if problem:
        yield problem
    elif re.search(r"[\r\n\0]", value) or len(value.encode()) > LONGEST:
        yield f"{option} is not allowed (allowed: one line of at most {LONGEST} bytes)"


def endpoint_problems(settings: Mapping[str, Any], prefix: str) -> list[str]:
    """What stands against how exporters are reached: hosts, user and password, named after the role's prefix."""
    problems = network_problems(settings["hosts"], f"{prefix}_monitoring_hosts")
    if settings["hosts"] == []:
        problems.append(
            f"{prefix}_monitoring_hosts is empty; allowed are the addresses and networks of the hosts that scrape the exporters."
        )
    if not isinstance(settings["user"], str) or not USER.fullmatch(settings["user"]):
        problems.append(
            f"{prefix}_monitoring_user is {settings['user']!r}; allowed are 1 to 64 letters, digits and . _ -."
        )
    return problems + list(password_problems(f"{prefix}_monitoring_password", settings["password"]))


def account_password_problems(option: str, value: Any) -> Iterator[str]:
    """What stands against the password of the exporter's account, which stands in an option file."""
    problem = no_text(option, value)
    if problem:
        yield problem
    elif UNFIT.search(value):
        yield f"""{option} has a character that the exporter's option file cannot hold (allowed: ASCII letters, digits and signs but # ; ` " ' \\ %)"""


def path_problems(option: str, value: object) -> Iterator[str]:
    """What stands against a directory that stands in unit files without quoting."""
    if not PATH.fullmatch(str(value)):
        yield f"{option} is {value!r}; allowed is an absolute path of letters, digits and . _ - @ + /."


def port_problems(
    host: str, used: Mapping[int, str], there: bool, prefix: str, exporters: Mapping[str, int]
) -> list[str]:
    """Ports of exporters that another program has. used: processes by port; there: whether the role has set the exporters up on this host before."""
    return [
        f"{host}: port {port}, which {name} is to have, is used by {used[port] or 'another program'}; stop and disable that, or set "
        f"{prefix}_monitoring_exporters to false, which leaves exporters to you."
        for name, port in exporters.items()
        # The kernel cuts names of processes off.
        if port in used and not (there and used[port] == name[:15])
    ]


def salt_of(text: str) -> str:
    """A salt of bcrypt: 16 bytes, as 22 of its digits."""
    digest = hashlib.sha256(text.encode()).digest()[:16]
    return base64.b64encode(digest).rstrip(b"=").translate(bytes.maketrans(B64, DIGITS)).decode()


def _by_libcrypt(password: bytes, setting: bytes) -> bytes:
    """What the system's libcrypt makes of it; nothing where it does not know bcrypt, or is missing."""
    try:
        library = ctypes.CDLL(ctypes.util.find_library("crypt") or "libcrypt.so.1")
        library.crypt.argtypes, library.crypt.restype = [ctypes.c_char_p, ctypes.c_char_p], ctypes.c_char_p
        return library.crypt(password, setting) or b""
    except (OSError, AttributeError):
        return b""


@functools.lru_cache(maxsize=None)
def bcrypt_hash(password: str, salted_by: str) -> str:
    """The bcrypt hash of a password. Its salt follows from a text, so that an unchanged password has an unchanged hash."""
    setting = f"$2b${ROUNDS:02}${salt_of(salted_by)}".encode()
    found = bcrypt.hashpw(password.encode(), setting) if bcrypt else _by_libcrypt(password.encode(), setting)
    if not found.startswith(setting):
        raise AnsibleFilterError(
            "The control node's libcrypt does not know bcrypt; install the Python library bcrypt for the Python that runs Ansible."
        )
    return found.decode()
