# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of MySQL: which are known, how they compare, and what they can.

Private to this collection, apart from the filters that speak about versions.
"""

from __future__ import annotations

import re
from typing import Iterable, NamedTuple

# Group Replication came with 5.7.17.
OLDEST = (5, 7, 17)
# Long-term series: an upgrade goes from one to the next, never past one.
LONG_TERM = ((5, 7), (8, 0), (8, 4), (9, 7))
# The series in which the table was checked. MySQL's numbering jumps from 9.7 to 26.7 (year.month).
KNOWN_SERIES = (
    (5, 7),
    (8, 0),
    (8, 1),
    (8, 2),
    (8, 3),
    (8, 4),
    (9, 0),
    (9, 1),
    (9, 2),
    (9, 3),
    (9, 4),
    (9, 5),
    (9, 6),
    (9, 7),
    (26, 7),
)


class VersionError(ValueError):
    """The server's version is not one that the collection can work with, or lacks what was asked for."""


class Version(NamedTuple):
    """A server version, compared as a tuple."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def series(self) -> tuple[int, int]:
        """The first two numbers, for instance (8, 4)."""
        return (self.major, self.minor)


def dotted(version: Iterable[int]) -> str:
    """A version or series of a table, as MySQL writes it."""
    return ".".join(map(str, version))


def parse_version(text: object) -> Version:
    """A Version from what ``SELECT VERSION()`` gives: '8.0.36-0ubuntu0.22.04.1', '5.7.44-log', '9.7.4-2', '26.7'."""
    if isinstance(text, Version):
        return text
    if isinstance(text, (tuple, list)):
        numbers = [int(number) for number in text][:3] + [0, 0, 0]
        return Version(*numbers[:3])
    text = str(text or "").strip()
    if "mariadb" in text.lower():
        raise VersionError(
            f"server version '{text}' is MariaDB, which has no Group Replication (needed: MySQL {Version(*OLDEST)} or newer)"
        )
    match = re.match(r"^(\d+)\.(\d+)(?:\.(\d+))?(?![\d.])", text)
    if not match:
        raise VersionError(f"server version '{text}' is not understood (expected numbers such as 8.4.6 or 26.7)")
    return Version(int(match.group(1)), int(match.group(2)), int(match.group(3) or 0))


def check_version(text: object) -> tuple[Version, str | None]:
    """(Version, warning or None). Refuses servers without Group Replication; a series not in the table is a warning."""
    version = parse_version(text)
    if version < OLDEST:
        raise VersionError(
            f"server version {version} has no Group Replication (needed: MySQL {Version(*OLDEST)} or newer)"
        )
    if version.series in KNOWN_SERIES:
        return version, None
    newest = "{}.{}".format(*KNOWN_SERIES[-1])
    return version, f"MySQL {version} is not known to this collection; it is treated as {newest}, the newest known"


def effective_version(text: object) -> Version:
    """The version to look up in the table: an unknown one is treated as the newest known."""
    version, warning = check_version(text)
    return Version(KNOWN_SERIES[-1][0], KNOWN_SERIES[-1][1], 0) if warning else version


# ---------------------------------------------------------------------------------------------------------------------
# Other facts that depend on the version.
def has_clone(version: object) -> bool:
    """Whether the clone plugin exists."""
    return effective_version(version) >= (8, 0, 17)


def can_clone(donor: object, recipient: object) -> bool:
    """Whether a server of one version can be cloned into one of the other."""
    one, other = effective_version(donor), effective_version(recipient)
    return one == other or (one.series == other.series and min(one, other) >= (8, 0, 37))


def has_json_aggregates(version: object) -> bool:
    """Whether one statement can answer with rows of several kinds."""
    return effective_version(version) >= (5, 7, 22)


def has_persist(version: object) -> bool:
    """Whether variables can be persisted by the server."""
    return effective_version(version) >= (8, 0, 11)


def has_error_log_table(version: object) -> bool:
    """Whether the server shows its error log as a table."""
    return effective_version(version) >= (8, 0, 22)


def has_online_mode_switch(version: object) -> bool:
    """Whether the group's mode and primary can be switched while it is running."""
    return effective_version(version) >= (8, 0, 13)


def one_long_term(one: Version, other: Version) -> bool:
    """Whether both are of one long-term series, within which a group makes no difference between versions."""
    return one.series == other.series and one.series in LONG_TERM and min(one, other) >= (8, 0, 35)


def stays_read_only(version: object, lowest_in_group: object) -> bool:
    """Whether MySQL keeps a member of this version read-only in a multi-primary group whose oldest member has that version."""
    mine, lowest = effective_version(version), effective_version(lowest_in_group)
    if lowest < (8, 0, 17):
        # Such a group compares no patch levels.
        return mine.series > lowest.series
    return mine > lowest and not one_long_term(mine, lowest)


def can_join(joiner: object, lowest_in_group: object) -> tuple[bool, str]:
    """(bool, reason): whether a member of this version may join a group whose oldest member has that version."""
    new, old = effective_version(joiner), effective_version(lowest_in_group)
    if new >= old:
        return True, ""
    if one_long_term(new, old):
        return True, ""
    if new.series == old.series and new.series == (8, 0) and old < (8, 0, 17):
        return True, ""
    return False, (
        f"MySQL {parse_version(joiner)} is older than the group's oldest member ({parse_version(lowest_in_group)}), and the group does not take older members"
    )
