# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Protections that a server can have and that an unmodified application may not bear: by name, plugins and options.

Plugins, and not the components that have the same purpose from 8.0 (validate_password) and 9.2 (connection_control) on: INSTALL COMPONENT is no part of the
binary log and refused by a member that takes no writes, whereas a plugin is loaded by the option file. All versions up to 9.7 have both.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Protection(NamedTuple):
    """What is loaded, and what is set unless the user sets it otherwise."""

    plugin: str
    settings: dict[str, Any]


PROTECTIONS = {
    # Connections by TCP need TLS; those by the server's socket do not.
    "require_secure_transport": Protection("", {"require_secure_transport": True}),
    # Of passwords that people set by SQL; those of the inventory come as hashes.
    "validate_password": Protection(
        "validate_password.so",
        {
            "loose_validate_password": "FORCE_PLUS_PERMANENT",
            "loose_validate_password_policy": "MEDIUM",
            "loose_validate_password_length": 14,
            "loose_validate_password_check_user_name": True,
        },
    ),
    # After five failed logins of an account in a row each further one waits for a second, then for two, and so on up to ten.
    "connection_control": Protection(
        "connection_control.so",
        {
            "loose_connection_control": "FORCE_PLUS_PERMANENT",
            "loose_connection_control_failed_connections_threshold": 5,
            "loose_connection_control_min_connection_delay": 1000,
            "loose_connection_control_max_connection_delay": 10000,
        },
    ),
    "password_history": Protection("", {"password_history": 5, "password_reuse_interval": 365}),
}


def hardening(names: list[str], plugins: list[str]) -> dict[str, Any]:
    """Server options for these protections, and for plugins that are loaded anyway."""
    chosen = [PROTECTIONS[name] for name in names]
    loaded = [*plugins, *(protection.plugin for protection in chosen)]
    settings = {name: value for protection in chosen for name, value in protection.settings.items()}
    return {"plugin_load_add": ";".join(filter(None, loaded)) or None, **settings}


def hardening_problems(names: object, settings: dict[str, Any]) -> list[str]:
    """What stands against mysql_gr_hardening."""
    known = ", ".join(PROTECTIONS)
    if not isinstance(names, list):
        return [f"mysql_gr_hardening: {names!r} is not allowed (allowed: a list of {known})"]
    problems = [
        f"mysql_gr_hardening: {name!r} is not allowed (allowed: {known})" for name in names if name not in PROTECTIONS
    ]
    plugins = [name for name in names if name in PROTECTIONS and PROTECTIONS[name].plugin]
    if plugins and any(str(option).replace("-", "_") == "plugin_load_add" for option in settings or {}):
        problems.append(
            f"mysql_gr_hardening: {', '.join(plugins)} loads a plugin, and so does plugin_load_add of mysql_gr_settings, which would count in its place;"
            " name all plugins there, or none."
        )
    return problems
