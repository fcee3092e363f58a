# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against an upgrade of one server: pure functions of what was gathered from it and its host.

Private to this collection.
"""

from __future__ import annotations

from typing import NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import SHOWN
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.upgrade_data import (
    AUTH_PLUGINS,
    CHECKS,
    DEPRECATED,
    FORBIDDEN_VALUES,
    PROTOCOLS,
    REMOVED,
    Check,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import (
    LONG_TERM,
    Version,
    dotted,
    effective_version,
    parse_version,
)

MEBIBYTE = 1 << 20


class Setting(NamedTuple):
    """One option and where it stands: an option file, the command line, or the variables that the server persisted."""

    name: str  # as it is written, with underscores
    value: str
    where: str
    persisted: bool = False


class Account(NamedTuple):
    """An account that is not locked."""

    name: str
    plugin: str


class Table(NamedTuple):
    """What CHECK TABLE … FOR UPGRADE says of a table."""

    name: str
    kind: str  # status, error, warning, note, info
    text: str


class Space(NamedTuple):
    """Free space of a file system."""

    path: str
    free: int  # bytes


class Upgrade(NamedTuple):
    """Everything that is known of one server and where it is to go."""

    current: str
    wanted: str
    settings: Sequence[Setting] = ()
    accounts: Sequence[Account] = ()
    found: Sequence[tuple[Check, list[str]]] = ()
    tables: Sequence[Table] = ()
    unchecked: int = 0  # tables for which there was no time
    space: Sequence[Space] = ()
    needed: int = 0  # bytes


class Report(NamedTuple):
    """Sentences: why it is not done, and what is worth knowing."""

    problems: list[str]
    warnings: list[str]


def first_names(names: Sequence[str]) -> str:
    """The first ten, and how many there are."""
    return ", ".join(names[:SHOWN]) + (
        f" and {len(names) - SHOWN} more ({len(names)} in all)" if len(names) > SHOWN else ""
    )


def is_crossed(since: tuple[int, int, int], current: Version, wanted: Version) -> bool:
    """Whether a change of that version lies between the two."""
    return current < since <= wanted


def changes_series(current: object, wanted: object) -> bool:
    """Whether the upgrade leaves the series."""
    return effective_version(current).series != effective_version(wanted).series


def checks_for(current: object, wanted: object) -> list[Check]:
    """The questions to ask the server for this upgrade."""
    one, other = effective_version(current), effective_version(wanted)
    return [check for check in CHECKS if is_crossed(check.since, one, other)]


def way(current: object, wanted: object) -> str:
    """Why MySQL does not go from one version to the other, or ''."""
    one, other = effective_version(current), effective_version(wanted)
    if parse_version(wanted) < parse_version(current):
        return (
            f"MySQL {parse_version(current)} runs and {parse_version(wanted)} is wanted: MySQL cannot be downgraded, since the newer server has changed "
            f"the data; keep the newer version, or restore a dump of the data into a new cluster of the older one"
        )
    between = [series for series in LONG_TERM if one.series < series < other.series]
    if between:
        return (
            f"MySQL {parse_version(current)} runs and {parse_version(wanted)} is wanted: MySQL upgrades from one long-term series to the next; upgrade to "
            f"{' and then '.join(map(dotted, between))} first"
        )
    return ""


def plain(name: str) -> str:
    """The name of an option without a prefix that mysqld takes before it."""
    for prefix in ("loose_", "maximum_"):
        name = name[len(prefix) :] if name.startswith(prefix) else name
    for prefix in ("skip_", "disable_", "enable_"):
        if name.startswith(prefix) and name not in DEPRECATED and name[len(prefix) :] in REMOVED:
            return name[len(prefix) :]
    return name


def settings(upgrade: Upgrade) -> Report:
    """Options that go away."""
    one, other = effective_version(upgrade.current), effective_version(upgrade.wanted)
    problems, warnings = [], []
    for setting in upgrade.settings:
        name = plain(setting.name)
        removed = REMOVED.get(name)
        if removed and is_crossed(removed.since, one, other):
            what = f"{setting.name} in {setting.where}: MySQL {dotted(removed.since)} has no such option"
            todo = f"; use {removed.use}" if removed.use else "; remove it"
            if setting.persisted:
                warnings.append(f"{what} and ignores it; RESET PERSIST {name} removes it")
            elif setting.name.startswith("loose_"):
                warnings.append(f"{what} and ignores it because of loose-{todo}")
            else:
                problems.append(f"{what} and does not start with it{todo}")
            continue
        forbidden = FORBIDDEN_VALUES.get((name, setting.value))
        if forbidden and is_crossed(forbidden, one, other):
            warnings.append(
                f"{setting.name} = {setting.value} in {setting.where}: MySQL {dotted(forbidden)} does not take this value"
            )
        deprecated = DEPRECATED.get(name)
        if deprecated and deprecated[0] <= other:
            use = f"; use {deprecated[1]}" if deprecated[1] else ""
            warnings.append(
                f"{setting.name} in {setting.where} is deprecated from MySQL {dotted(deprecated[0])} on{use}"
            )
    return Report(problems, warnings)


def accounts(upgrade: Upgrade) -> Report:
    """Accounts that could not log in any more."""
    other = effective_version(upgrade.wanted)
    asked_for = {plain(setting.name) for setting in upgrade.settings if setting.value.upper() in ("ON", "1", "TRUE")}
    problems, warnings = [], []
    for name, plugin in AUTH_PLUGINS.items():
        using = [account.name for account in upgrade.accounts if account.plugin == name]
        if not using or other < plugin.off:
            continue
        which = f"{first_names(using)}: MySQL {parse_version(upgrade.wanted)}"
        if other >= plugin.removed:
            problems.append(
                f"{which} has no {name}, by which the account logs in; give it caching_sha2_password first (ALTER USER … IDENTIFIED WITH)"
            )
        elif plugin.option in asked_for:
            warnings.append(
                f"{which} has {name} for the last time, because of {plugin.option} = ON; give the account caching_sha2_password"
            )
        else:
            problems.append(
                f"{which} does not load {name} by itself, by which the account logs in; give it caching_sha2_password first (ALTER USER … IDENTIFIED "
                f"WITH), or set loose-{plugin.option} = ON in an option file"
            )
    return Report(problems, warnings)


def objects(upgrade: Upgrade) -> Report:
    """What the server's own tables say, and its CHECK TABLE … FOR UPGRADE."""
    problems: list[str] = []
    warnings: list[str] = []
    for check, names in upgrade.found:
        if names:
            where = problems if check.refuse else warnings
            where.append(f"{check.sentence.format(names=first_names(names))} (MySQL {dotted(check.since)})")
    for kind, where in (("error", problems), ("warning", warnings)):
        said: dict[str, list[str]] = {}
        for table in upgrade.tables:
            if table.kind.lower() == kind:
                said.setdefault(table.text, []).append(table.name)
        where += [f"{first_names(names)}: CHECK TABLE … FOR UPGRADE says: {text}" for text, names in said.items()]
    if upgrade.unchecked:
        warnings.append(
            f"{upgrade.unchecked} tables were not checked (CHECK TABLE … FOR UPGRADE): there was no time, or a statement held them"
        )
    return Report(problems, warnings)


def space(upgrade: Upgrade) -> Report:
    """Room on the disks."""
    return Report(
        [
            f"{place.path} has {place.free // MEBIBYTE} MiB free; the upgrade needs {upgrade.needed // MEBIBYTE}"
            for place in upgrade.space
            if place.free < upgrade.needed
        ],
        [],
    )


def judge(upgrade: Upgrade) -> Report:
    """Everything together; where the way itself does not exist, that alone."""
    against = way(upgrade.current, upgrade.wanted)
    if against:
        return Report([against], [])
    parts = [part(upgrade) for part in (settings, accounts, objects, space)]
    return Report(
        [text for part in parts for text in part.problems], [text for part in parts for text in part.warnings]
    )


def protocol_for(lowest: object) -> str:
    """The newest protocol that a group with this oldest member can have, as MySQL names it."""
    version = effective_version(lowest)
    return dotted([protocol for protocol in PROTOCOLS if protocol <= version][-1])
