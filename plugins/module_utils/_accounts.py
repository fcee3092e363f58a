# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an account of a server is as it is wanted. Pure functions on what the server shows.

In doubt it is not: then ansible.mysql.mysql_user compares, and writes. What is not given counts as in that module.

Private to this collection.
"""

from __future__ import annotations

import re
from typing import Any, Dict, FrozenSet, Iterable, Mapping, NamedTuple, Tuple

# As mysql_user names limits of resources, and the columns of mysql.user.
LIMITS = {
    "MAX_QUERIES_PER_HOUR": "max_questions",
    "MAX_UPDATES_PER_HOUR": "max_updates",
    "MAX_CONNECTIONS_PER_HOUR": "max_connections",
    "MAX_USER_CONNECTIONS": "max_user_connections",
}
# What a client's certificate must have, and the columns.
CERTIFICATE = {"cipher": "ssl_cipher", "issuer": "x509_issuer", "subject": "x509_subject"}

# GRANT SELECT (`id`, `name`), INSERT ON `shop`.`orders` TO `app`@`192.0.2.129` WITH GRANT OPTION
GRANT = re.compile(
    r"GRANT (?P<privileges>(?:[A-Z_, ]|\(`[^`]*`(?:, `[^`]*`)*\))+) ON (?P<level>\S.*) TO `[^`]*`@`[^`]*`(?P<option> WITH GRANT OPTION)?"
)
# GRANT `r`@`%`,`s`@`%` TO `app`@`192.0.2.129`: mysql_user leaves roles alone, too.
ROLES = re.compile(r"GRANT `[^`]*`@`[^`]*`(,`[^`]*`@`[^`]*`)* TO `[^`]*`@`[^`]*`( WITH ADMIN OPTION)?")
OWNER = re.compile(r".* (?:TO|FROM) `(?P<user>[^`]*)`@`(?P<host>[^`]*)`[A-Z ]*")

Privileges = Dict[str, FrozenSet[str]]
Account = Tuple[str, str]


class Seen(NamedTuple):
    """An account as a server has it."""

    row: Mapping[str, str]  # columns of mysql.user, as text
    grants: tuple[str, ...]  # lines of SHOW GRANTS


def owner(grant: str) -> Account | None:
    """Whose line of SHOW GRANTS this is; None: not to be told."""
    found = OWNER.fullmatch(grant)
    return (found["user"], found["host"]) if found else None


def split(privileges: str) -> set[str]:
    """{privilege}; of one on columns, {privilege (column)}, for each of them."""
    found: set[str] = set()
    for item in re.split(r",(?![^(]*\))", privileges):
        name, bracket, columns = item.strip().partition("(")
        name = "ALL" if name.strip().upper() == "ALL PRIVILEGES" else name.strip().upper()
        found |= {f"{name} ({column.strip(' `')})" for column in columns.rstrip(") ").split(",")} if bracket else {name}
    return found


def _kept(found: Mapping[str, set[str]]) -> Privileges:
    """Without USAGE, which says that there are none."""
    return {level: frozenset(names - {"USAGE"}) for level, names in found.items() if names - {"USAGE"}}


def granted(grants: Iterable[str]) -> Privileges | None:
    """{level as the server writes it: privileges}; None: something that is not understood here, as partial revokes."""
    found: dict[str, set[str]] = {}
    for line in grants:
        if ROLES.fullmatch(line):
            continue
        grant = GRANT.fullmatch(line)
        if not grant:
            return None
        found.setdefault(grant["level"], set()).update(split(grant["privileges"]), ["GRANT"] if grant["option"] else [])
    return _kept(found)


def expected(priv: object) -> Privileges | None:
    """The same of mysql_user's option priv; None: something that is not understood here."""
    if isinstance(priv, Mapping):
        items = [f"{level}:{names}" for level, names in priv.items()]
    elif isinstance(priv, str):
        items = priv.split("/")
    else:
        return None
    found: dict[str, set[str]] = {}
    for item in items:
        level, colon, names = item.strip().rpartition(":")
        parts = re.fullmatch(r"(?:(FUNCTION|PROCEDURE) )?(.+)\.([^.]+)", level.strip())
        if not colon or not parts or "`" in item:
            return None
        sides = [side if side == "*" else f"`{side}`" for side in (parts[2], parts[3])]
        privileges = split(names)
        # The server shows all global privileges by their names, which differ by version.
        if sides == ["*", "*"] and "ALL" in privileges:
            return None
        text = (f"{parts[1]} " if parts[1] else "") + ".".join(sides)
        found.setdefault(text, set()).update(privileges)
    return _kept(found)


def _password_differs(wish: Mapping[str, Any], row: Mapping[str, str]) -> bool:
    return row["plugin"] != wish["plugin"] or wish.get("hash") not in (None, row["authentication_string"])


def _tls_differs(requires: Mapping[str, Any] | None, row: Mapping[str, str]) -> bool:
    """As mysql_user takes it: nothing is REQUIRE NONE, and what a certificate must have goes before x509 and ssl."""
    given = {str(name).lower(): value for name, value in (requires or {}).items()}
    if given.keys() - CERTIFICATE.keys() - {"ssl", "x509"}:
        return True
    if given.keys() & CERTIFICATE.keys():
        return row["ssl_type"] != "SPECIFIED" or any(
            row[column] != given.get(name, "") for name, column in CERTIFICATE.items()
        )
    return row["ssl_type"] != ("X509" if "x509" in given else "ANY" if given else "")


def _limits_differ(limits: Mapping[str, Any] | None, row: Mapping[str, str]) -> bool:
    return any(row.get(LIMITS.get(str(name).upper(), "")) != str(value) for name, value in (limits or {}).items())


def _privileges_differ(wish: Mapping[str, Any], grants: Iterable[str]) -> bool:
    if not wish.get("priv"):
        return False
    want, have = expected(wish["priv"]), granted(grants)
    if want is None or have is None:
        return True
    if wish.get("append_privs"):
        return any(not names <= have.get(level, frozenset()) for level, names in want.items())
    return want != have


def differs(wish: Mapping[str, Any], seen: Seen | None) -> str:
    """What is not, or may not be, as wanted: account, password, tls, limits or privileges; '' if all is."""
    if wish.get("state") == "absent":
        return "account" if seen else ""
    if not seen:
        return "account"
    if _password_differs(wish, seen.row):
        return "password"
    if _tls_differs(wish.get("tls_requires"), seen.row):
        return "tls"
    if _limits_differ(wish.get("resource_limits"), seen.row):
        return "limits"
    return "privileges" if _privileges_differ(wish, seen.grants) else ""
