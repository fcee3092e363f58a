# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against the variables of the role mysql_backup. No host is asked, and no secret is shown.

Private to this collection.
"""

from __future__ import annotations

import re
from typing import Any, Iterator, Mapping, NamedTuple

from ansible.module_utils.common.text.formatters import human_to_bytes
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.virtual_address import said

PREFIX = "mysql_backup_"
# It is a folder in the place, and part of names there.
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
# It stands in unit files without quoting, and in a profile of AppArmor.
PATH = re.compile(r"^/[A-Za-z0-9._@+/-]*[A-Za-z0-9._@+-]$")
REMOTE = re.compile(r"^([A-Za-z0-9_][A-Za-z0-9_. -]*):(.*)$")
RECIPIENT = re.compile(r"^(age1[0-9a-z]+|ssh-(ed25519|rsa) [A-Za-z0-9+/=]+( .*)?)$")
LONGEST_ACCOUNT = 32
# Of a clone as a whole; what a file system or a server has for itself besides.
LEAST_RESERVE = 64 << 20
LEAST_SPOOL = 64 << 20


class Number(NamedTuple):
    """What a variable that is a number may be."""

    key: str
    option: str
    least: int
    most: int
    unit: str


NUMBERS = (
    Number("level", "level", 1, 19, ""),
    Number("every", "every", 60, 31 * 86400, " seconds"),
    Number("fulls", "keep_fulls", 1, 1000, ""),
    Number("days", "keep_days", 0, 3650, " days"),
    Number("bandwidth", "bandwidth", 0, 1 << 20, " MiB a second, 0 for no limit"),
    Number("place_bandwidth", "place_bandwidth", 0, 1 << 20, " MiB a second, 0 for no limit"),
)
Settings = Mapping[str, Any]


def number_problems(settings: Settings) -> Iterator[str]:
    for number in NUMBERS:
        try:
            value = int(settings[number.key])
        except (TypeError, ValueError):
            value = None
        if value is None or not number.least <= value <= number.most:
            yield (
                f"{PREFIX}{number.option}: '{settings[number.key]}' is not allowed (allowed: {number.least} to {number.most}{number.unit})"
            )


def size_problems(settings: Settings) -> Iterator[str]:
    for key, least in (("spool_limit", LEAST_SPOOL), ("reserve", LEAST_RESERVE)):
        try:
            value = human_to_bytes(str(settings[key]))
        except ValueError:
            value = -1
        if value < least:
            yield f"{PREFIX}{key}: '{settings[key]}' is not allowed (allowed: a size such as 2G, at least {least >> 20}M)"


def place_problems(settings: Settings) -> Iterator[str]:
    """Where backups go: a directory, or a remote of rclone."""
    place, remotes, hosts = str(settings["place"] or ""), settings["remotes"], settings["hosts"]
    allowed = f"(allowed: an absolute directory, or NAME:path with NAME in {PREFIX}remotes)"
    if not isinstance(remotes, Mapping):
        yield f"{PREFIX}remotes is not allowed (allowed: for each name a dict of rclone's options for it, type among them)"
        return
    for name, options in remotes.items():
        if not isinstance(options, Mapping) or not options.get("type"):
            yield f"{PREFIX}remotes: '{name}' has no type (allowed: a dict of rclone's options, such as type: sftp or type: s3)"
        elif any("\n" in f"{option}{value}" for option, value in options.items()):
            yield f"{PREFIX}remotes: '{name}' has an option of several lines; allowed is one line each (a key as key_file, a file on the host)."
    remote = REMOTE.fullmatch(place)
    if place.startswith("/"):
        if not PATH.fullmatch(place):
            yield f"{PREFIX}place: '{place}' is not allowed {allowed}"
        elif len(hosts) > 1 and not settings["shared"]:
            yield (
                f"{PREFIX}place: {place} is a directory of each of {', '.join(hosts)} by itself, so that each would have backups of its own; allowed for "
                f"several {PREFIX}hosts is a remote of {PREFIX}remotes, or a directory that all of them have mounted (then set "
                f"{PREFIX}place_is_shared: true)."
            )  # fmt: skip
    elif not remote:
        yield f"{PREFIX}place: '{place}' is not allowed {allowed}"
    elif remote[1] not in remotes:
        yield (
            f"{PREFIX}place: '{remote[1]}' is not in {PREFIX}remotes (allowed: {', '.join(map(str, remotes)) or 'none is there'})"
        )


def recipient_problems(settings: Settings) -> Iterator[str]:
    """To whom backups are encrypted. Nothing is unencrypted by having forgotten it."""
    recipients = settings["encrypt_to"]
    allowed = "(allowed: a list of public keys, age1… or ssh-ed25519 …; [] for backups that are not encrypted)"
    if recipients is None:
        yield f"{PREFIX}encrypt_to is not set; it has no default {allowed}"
    elif not isinstance(recipients, (list, tuple)):
        yield f"{PREFIX}encrypt_to is not allowed {allowed}"
    elif any("SECRET" in str(key).upper() or "PRIVATE" in str(key).upper() for key in recipients):
        yield (
            "mysql_backup_encrypt_to holds a secret key, which has no business on hosts that make backups (allowed: its public key, age-keygen -y says it); "
            "make another one, this one may have been seen."
        )
    else:
        for key in recipients:
            if not RECIPIENT.fullmatch(str(key)):
                yield f"{PREFIX}encrypt_to: '{key}' is not allowed {allowed}"


def drill_problems(settings: Settings) -> Iterator[str]:
    """Drills by the clock need the key that nobody hands over."""
    identity = settings["drill_identity"]
    if identity and not re.search(r"AGE-SECRET-KEY-|PRIVATE KEY", str(identity)):
        yield f"{PREFIX}drill_identity is not allowed (allowed: a secret key of age or ssh, as text; its value is not shown)"
    elif settings["drill_schedule"] and settings["encrypt_to"] and not identity:
        yield f"{PREFIX}drill_schedule: '{settings['drill_schedule']}' needs {PREFIX}drill_identity, as backups are encrypted."


def account_problems(settings: Settings) -> Iterator[str]:
    user, password = settings["user"], settings["password"]
    if not isinstance(user, str) or not 0 < len(user) <= LONGEST_ACCOUNT:
        yield f"{PREFIX}user: '{user}' is not allowed (allowed: 1 to {LONGEST_ACCOUNT} characters)"
    if not isinstance(password, str) or not password:
        yield f"{PREFIX}password is not set; it has no default, give it a value (in a vault), for the members too."
    elif any(ord(char) < 32 for char in password):
        yield f"{PREFIX}password has a line break or another control character; allowed is text of one line."


def group_problems(settings: Settings, hostvars: Any) -> Iterator[str]:
    """What the group has to be like."""
    members, group = settings["members"], settings["inventory_group"]
    if not members:
        yield f"{PREFIX}inventory_group: the inventory group '{group}' has no hosts (allowed: the group of the cluster's members)"
        return
    if not said(hostvars, members[0], "mysql_gr_group_name"):
        yield f"mysql_gr_group_name of {members[0]} is not set; by it a backup of another cluster is known."
    without = [member for member in members if (said(hostvars, member, "mysql_gr_clone") or "never") == "never"]
    if without:
        yield (
            f"mysql_gr_clone: 'never' ({', '.join(without)}) is not allowed with mysql_backup_place (allowed: when_needed or reprovision, as backups are "
            f"clones of a member; the next run of site loads the plugin and restarts the members in turn)."
        )  # fmt: skip


def problems(settings: Settings, hostvars: Any) -> list[str]:
    """One sentence for each thing that cannot work."""
    found = [
        *place_problems(settings),
        *recipient_problems(settings),
        *account_problems(settings),
        *drill_problems(settings),
        *number_problems(settings),
        *size_problems(settings),
        *group_problems(settings, hostvars),
    ]
    for option, name in [("cluster", settings["cluster"]), *(("hosts", one) for one in settings["hosts"])]:
        if not NAME.fullmatch(str(name)):
            found.append(f"{PREFIX}{option}: '{name}' is not allowed (allowed: letters, digits and ._-, at most 64)")
    if not PATH.fullmatch(str(settings["directory"])):
        found.append(
            f"{PREFIX}directory: '{settings['directory']}' is not allowed (allowed: an absolute path without blanks)"
        )
    return list(dict.fromkeys(found))
