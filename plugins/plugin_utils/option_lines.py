# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a member's option file, by the table of server options and the server's version.

Private to this collection.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import (
    OLDEST,
    VersionError,
    dotted,
    effective_version,
    parse_version,
)
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.server_options import (
    BASE,
    FORBIDDEN,
    ON_OFF,
    OPTIONS,
    PLUGIN_PREFIXES,
    Settings,
    meaning_of,
    option_name,
    plain_name,
)


def text_of(value: object) -> str:
    if value is True:
        return "ON"
    if value is False:
        return "OFF"
    if isinstance(value, (list, tuple)):
        return ",".join(text_of(item) for item in value)
    return str(value)


def check_value(meaning: str, value: object) -> str:
    """The value as option text; VersionError with one sentence when it is not allowed."""
    text = text_of(value)
    if "\n" in text or "\r" in text:
        raise VersionError(f"option {meaning}: a value must not contain a line break")
    allowed = OPTIONS[meaning].allowed
    if allowed is None:
        return text
    if isinstance(allowed[0], int):
        if not re.match(r"^\d+$", text) or not allowed[0] <= int(text) <= allowed[1]:
            raise VersionError(
                f"option {meaning}: '{text}' is not allowed (allowed: a whole number from {allowed[0]} to {allowed[1]})"
            )
        return text
    if allowed == ON_OFF:
        text = {"1": "ON", "0": "OFF", "TRUE": "ON", "FALSE": "OFF", "YES": "ON", "NO": "OFF"}.get(
            text.upper(), text.upper()
        )
    for word in allowed:
        if text.upper() == word.upper():
            return str(word)
    raise VersionError(f"option {meaning}: '{text}' is not allowed (allowed: {', '.join(allowed)})")


def render_settings(
    version: str, wishes: Settings, preferred: Settings | None = None, extra: Settings | None = None
) -> list[tuple[str, str, bool]]:
    """The option lines of a member's drop-in file, valid for exactly this server version.

    version:   what the server (or its package) says, for instance '8.4.6' or '9.7.4-2'
    wishes:    dict of settings that must be in force. Keys: names of the table above (``group_replication_`` may be left
               out; older names are understood).
               Values: text, number, bool, list (joined by commas); None means not wished. A setting that the version does
               not have is refused.
    preferred: dict like wishes, but a setting that the version does not have is left out. Wishes win over it.
    extra:     dict of any other mysqld options; written as they are. Options of the table are treated like wishes.

    Returns a list of (name, value, loose): in the file, write ``loose-`` before the name where loose is true.
    ``plugin_load_add=group_replication.so`` comes first. Never contains group_replication_bootstrap_group.
    Raises VersionError with one sentence on a value that is not allowed or an option that the version does not have.
    """
    wanted = effective_version(version)
    shown = parse_version(version)
    settings = {}
    for meaning, value, until in BASE:
        if (until is None or wanted < until) and option_name(version, meaning):
            settings[meaning] = value
    others = {}
    loose_others = set()

    def take(source: Settings | None, strict: bool, free: bool) -> None:
        for key, value in (source or {}).items():
            name = plain_name(key)
            if name in FORBIDDEN or "group_replication_" + name in FORBIDDEN:
                raise VersionError(
                    f"option {name} is never written into a file: at every start it would act again (bootstrap a second "
                    "group, or force a membership)"
                )
            if value is None:
                continue
            name = meaning_of(name)
            if name not in OPTIONS:
                if not free:
                    raise VersionError(f"option {key} is not in the version table (give it as an extra setting)")
                others[name] = check_free(name, value)
                if str(key).replace("-", "_").startswith("loose_"):
                    loose_others.add(name)
                continue
            if option_name(version, name) is None:
                if strict:
                    raise VersionError(f"option {name} does not exist in MySQL {shown}{_existence(name)}")
                continue
            settings[name] = check_value(name, value)

    take(preferred, False, False)
    take(wishes, True, False)
    take(extra, True, True)
    if (
        settings.get("group_replication_single_primary_mode") == "ON"
        and settings.get("group_replication_enforce_update_everywhere_checks") == "ON"
    ):
        raise VersionError(
            "option group_replication_enforce_update_everywhere_checks: ON is not allowed in single-primary mode"
        )

    lines = [("plugin_load_add", "group_replication.so", False)]
    for meaning, option in OPTIONS.items():
        if meaning in settings and not option.plugin:
            lines.append((option_name(version, meaning) or meaning, settings[meaning], False))
    for meaning, option in OPTIONS.items():
        if meaning in settings and option.plugin:
            lines.append((option_name(version, meaning) or meaning, settings[meaning], True))
    for name in sorted(others):
        lines.append((name, others[name], name in loose_others or name.startswith(PLUGIN_PREFIXES)))
    return lines


def check_free(name: str, value: object) -> str:
    """An option that the table does not know: only its form is checked."""
    if not re.match(r"^[A-Za-z][A-Za-z0-9_.]*$", name):
        raise VersionError(
            f"option '{name}' is no name of a server option (allowed: letters, digits, '_', '-' and '.')"
        )
    text = text_of(value)
    if "\n" in text or "\r" in text:
        raise VersionError(f"option {name}: a value must not contain a line break")
    return text


def _existence(meaning: str) -> str:
    names = OPTIONS[meaning].names
    words = []
    if names[0][0] > OLDEST:
        words.append(f"since {dotted(names[0][0])}")
    if names[-1][1] is None:
        words.append(f"removed in {dotted(names[-1][0])}")
    return f" ({', '.join(words)})" if words else ""


# ---------------------------------------------------------------------------------------------------------------------
# Lines of an option file.
SIZE = re.compile(r"^(\d+)\s*([KMGT])i?B?$", re.IGNORECASE)
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
# Sizes that the table knows as whole numbers of bytes.
SIZES = ("message_cache_size", "communication_max_message_size", "transaction_size_limit", "compression_threshold")


def to_bytes(value: Any) -> Any:
    """Bytes of a size such as 128M; anything else unchanged."""
    match = SIZE.match(str(value).strip())
    return int(match.group(1)) * UNITS[match.group(2).upper()] if match else value


def quote(value: str) -> str:
    """A value as it stands in an option file, where '#' begins a comment and a backslash an escape."""
    if re.search(r"[#;\"'\\]|^\s|\s$", value):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return value


def in_bytes(settings: Settings | None) -> Settings:
    """Settings with sizes in bytes, where the table wants whole numbers."""
    found = {}
    for given, value in (settings or {}).items():
        name = plain_name(given)
        short = name[len("group_replication_") :] if name.startswith("group_replication_") else name
        found[given] = to_bytes(value) if short in SIZES else value
    return found


def option_lines(
    version: str, wishes: Settings, preferred: Settings | None = None, extra: Settings | None = None
) -> list[str]:
    """What render_settings() says, as lines of an option file."""
    lines = render_settings(version, in_bytes(wishes), in_bytes(preferred), in_bytes(extra))
    return [f"{'loose-' if loose else ''}{name} = {quote(str(value))}" for name, value, loose in lines]
