# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of mysql-gr-backup on one host: /etc/mysql-gr-backup/config.json, which the role writes.

Private to this collection.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple, Optional

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import AddressError, parse_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import ManifestError, Names, Texts, typed
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection, peer_connection
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

MaybeText = Optional[str]

FILE = Path("/etc/mysql-gr-backup/config.json")
FORMAT = 1
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
RECIPIENT = re.compile(r"^(age1[0-9a-z]+|ssh-(ed25519|rsa) [A-Za-z0-9+/=]+( .*)?)$")


class Tls(NamedTuple):
    """How members prove who they are; TLS is used always."""

    ca: MaybeText
    check_hostname: bool


class Account(NamedTuple):
    """An account on the members."""

    user: str
    password: str


class CloneAccount(NamedTuple):
    """The account of the clone, and how fast it may be, in MiB/s; 0 is without a limit."""

    user: str
    password: str
    bandwidth: int


class Where(NamedTuple):
    """The place: a directory, or REMOTE:path of rclone; bandwidth in MiB/s, 0 is without a limit."""

    remote: str
    config_file: MaybeText
    bandwidth: int


class Keep(NamedTuple):
    """How many fulls are kept at least, and for how many days each point."""

    fulls: int
    days: int


class Settings(NamedTuple):
    """All of config.json."""

    format: int
    cluster: str
    group_name: str
    host: str
    hosts: Names
    members: Texts
    tls: Tls
    clone: CloneAccount
    stream: Account
    place: Where
    encrypt_to: Names
    level: int
    keep: Keep
    every: int
    directory: str
    spool_limit: int
    reserve: int
    mysqld: Names
    mysqlbinlog: Names
    user: str

    def connection(self, member: str, connect_timeout: int = 3, read_timeout: int = 10) -> Connection:
        """The (not yet opened) connection to a member, with the account of the stream."""
        return peer_connection(
            self.members[member], self.stream.user, self.stream.password, self.tls.ca, connect_timeout, read_timeout,
            check_hostname=self.tls.check_hostname,
        )  # fmt: skip


def _problem(given: Settings) -> str:
    """What is wrong with values that have the right type, or ''."""
    for option, name in [("cluster", given.cluster), ("host", given.host), *(("hosts", name) for name in given.hosts)]:
        if not NAME.match(name):
            return f"{option}: '{name}' is not allowed (allowed: letters, digits, '.', '_' and '-', at most 64)"
    if given.host not in given.hosts:
        return f"host: '{given.host}' is not allowed (allowed: one of hosts, {', '.join(given.hosts)})"
    if not given.members:
        return "members: {} is not allowed (allowed: at least one name and address)"
    for name, address in given.members.items():
        try:
            parse_address(address)
        except AddressError as error:
            return f"members: {name}: {error}"
    for key in given.encrypt_to:
        if not RECIPIENT.match(key):
            return (
                f"encrypt_to: '{key[:40]}' is not allowed (allowed: a public key, age1… or ssh-ed25519 … or ssh-rsa …)"
            )
    if not given.place.remote.startswith("/") and not re.match(r"^[A-Za-z0-9_][A-Za-z0-9_ .+@-]*:", given.place.remote):
        return f"place: '{given.place.remote}' is not allowed (allowed: an absolute directory, or REMOTE:path)"
    limits = [
        ("level", given.level, 1, 19), ("keep.fulls", given.keep.fulls, 1, 1000), ("keep.days", given.keep.days, 0, 3650),
        ("every", given.every, 60, 31 * 86400), ("spool_limit", given.spool_limit, 1 << 20, 1 << 50), ("reserve", given.reserve, 0, 1 << 50),
        ("clone.bandwidth", given.clone.bandwidth, 0, 1 << 20), ("place.bandwidth", given.place.bandwidth, 0, 1 << 20),
    ]  # fmt: skip
    for option, value, low, high in limits:
        if not low <= value <= high:
            return f"{option}: {value} is not allowed (allowed: {low} to {high})"
    for option, command in (("mysqld", given.mysqld), ("mysqlbinlog", given.mysqlbinlog)):
        if not command or not command[0].startswith("/"):
            return f"{option}: {command} is not allowed (allowed: a command, whose first part is an absolute path)"
    return (
        ""
        if given.directory.startswith("/")
        else f"directory: '{given.directory}' is not allowed (allowed: an absolute path)"
    )


def settings_of(values: Any, where: str = "config.json") -> Settings:
    """The settings in a value of JSON."""
    if isinstance(values, dict) and values.get("format") != FORMAT:
        raise Refusal(f"{where}: format: {values.get('format')} is not allowed (allowed: {FORMAT})")
    try:
        made: Settings = typed(values, Settings, where)
    except ManifestError as error:
        raise Refusal(str(error)) from None
    problem = _problem(made)
    if problem:
        raise Refusal(f"{where}: {problem}")
    return made


def read_settings(path: str | Path = FILE) -> Settings:
    """The settings of this host."""
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise Refusal(f"{path} cannot be read ({error.strerror})") from None
    except ValueError:
        raise Refusal(f"{path} is no JSON") from None
    return settings_of(values, str(path))
