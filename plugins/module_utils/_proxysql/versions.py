# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Version numbers of ProxySQL and MySQL: pairs that are known not to work together, and releases with known security holes."""

from __future__ import annotations

import re
from typing import NamedTuple, Tuple

Version = Tuple[int, int, int]

# First ProxySQL release that has the thing; everything older goes without it.
FEATURES = {
    # "PROXY_SELECT … FROM mysql_servers_v2": the rows as they were at the last LOAD, untouched by the monitor.
    "loaded_servers": (2, 6, 0),
    # mysql_servers_ssl_params
    "servers_tls": (2, 6, 0),
    # PROXYSQL RELOAD TLS
    "reload_tls": (2, 3, 0),
    # The monitor leaves a server OFFLINE_SOFT when it moves it to another hostgroup.
    "offline_soft_kept": (2, 3, 0),
    # mysql_group_replication_hostgroups
    "group_replication": (1, 4, 0),
}


def parse_version(text: str) -> Version | None:
    """(3, 0, 6) from "3.0.6-percona-1.1", "2.7.1-16-g2726c27", "ProxySQL version 2.7.1-…"; None if there is no version in it."""
    found = re.search(r"(?<![\d.])(\d+)\.(\d+)(?:\.(\d+))?", text or "")
    if not found:
        return None
    return (int(found.group(1)), int(found.group(2)), int(found.group(3) or 0))


def has_feature(version: Version | None, feature: str) -> bool:
    """An unknown version is taken as a current one."""
    return version is None or version >= FEATURES[feature]


class BadPair(NamedTuple):
    """Ranges are from (included) to (not included)."""

    proxysql: tuple[Version, Version]
    mysql: tuple[Version, Version]
    reason: str
    source: str


_NEWEST = (10**6, 0, 0)

# The upper end of the first two is 3.0.1: the mend (pull request 4983) was merged in June 2025, after it.
BAD_PAIRS = (
    BadPair(
        ((2, 6, 0), (3, 0, 2)),
        ((9, 0, 0), _NEWEST),
        'its monitor uses the query for MySQL 8 only where the server\'s version begins with "8", and refuses the three columns of '
        "the other query, so every member is set offline or never placed",
        "https://github.com/sysown/proxysql/issues/4954",
    ),
    BadPair(
        ((2, 6, 0), (3, 0, 2)),
        ((5, 7, 0), (5, 8, 0)),
        "its monitor expects four columns from the routing view in sys, which has three on MySQL 5.7, so no member is ever placed",
        "https://github.com/sysown/proxysql/issues/4706",
    ),
    BadPair(
        ((2, 5, 0), (2, 6, 0)),
        ((9, 0, 0), _NEWEST),
        'its monitor uses the query for MySQL 8 only where the server\'s version begins with "8", and a routing view in sys '
        "elsewhere, which servers from 8.0 on do not have here",
        "ProxySQL v2.5.5, lib/MySQL_Monitor.cpp, and https://github.com/sysown/proxysql/issues/4954",
    ),
    BadPair(
        ((1, 4, 0), (2, 5, 0)),
        ((8, 0, 0), _NEWEST),
        "its monitor only knows the routing view in sys, which servers from 8.0 on do not have here",
        "ProxySQL v2.4.8, lib/MySQL_Monitor.cpp; the query for MySQL 8 came with 2.5.0, https://github.com/sysown/proxysql/pull/4082",
    ),
    BadPair(
        ((0, 0, 0), (1, 4, 0)),
        ((0, 0, 0), _NEWEST),
        "it has no table mysql_group_replication_hostgroups",
        "https://proxysql.com/documentation/main-runtime/#mysql_group_replication_hostgroups",
    ),
)


def pair_problem(proxysql_version: str, mysql_version: str) -> str:
    """Why these two do not work together, in one sentence with its source; "" when nothing is known against them.

    A version that cannot be read is no reason to refuse: the role's verify step still finds out.
    """
    proxysql, mysql = parse_version(proxysql_version), parse_version(mysql_version)
    if proxysql is None or mysql is None:
        return ""
    for pair in BAD_PAIRS:
        if pair.proxysql[0] <= proxysql < pair.proxysql[1] and pair.mysql[0] <= mysql < pair.mysql[1]:
            return (
                f"ProxySQL {_show(proxysql)} does not work with Group Replication of MySQL {_show(mysql)}: {pair.reason} "
                f"(source: {pair.source})."
            )
    return ""


class Hole(NamedTuple):
    """A security hole in released versions: from (included) to (not included)."""

    proxysql: tuple[Version, Version]
    name: str
    what: str


HOLES = (
    Hole(
        ((2, 0, 18), (3, 0, 9)),
        "CVE-2026-48773",
        "whoever reaches a port of ProxySQL can overflow its memory before logging in",
    ),
    Hole(
        ((2, 0, 0), (3, 0, 9)),
        "CVE-2026-48772",
        "clients can forge the address that they come from, where mysql-proxy_protocol_networks is set",
    ),
)


def hole_problems(proxysql_version: str) -> list[str]:
    """The known holes of a version, one sentence each. A version that cannot be read has none."""
    version = parse_version(proxysql_version)
    if version is None:
        return []
    return [
        f"ProxySQL {_show(version)} has {hole.name}: {hole.what} (fixed in {_show(hole.proxysql[1])})."
        for hole in HOLES
        if hole.proxysql[0] <= version < hole.proxysql[1]
    ]


def _show(version: Version) -> str:
    return ".".join(map(str, version))
