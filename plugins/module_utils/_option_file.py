# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Option files of MySQL's clients, such as ~/.my.cnf: one reader for the modules of both programs.

Private to this collection.
"""

from __future__ import annotations

import os

from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal


def read_client_section(path: str | None, option: str = "config_file") -> dict[str, str] | None:
    """The [client] section with '-' in its names; None where there is no such file; a Refusal where it cannot be read."""
    expanded = os.path.expanduser(path) if path else ""
    if not expanded or not os.path.exists(expanded):
        return None
    values: dict[str, str] = {}
    section = ""
    try:
        with open(expanded, encoding="utf-8", errors="replace") as source:
            for raw in source:
                line = raw.strip()
                if not line or line[0] in "#;!":
                    continue
                if line[0] == "[":
                    section = line.strip("[]").strip()
                elif section == "client":
                    name, _equals, value = line.partition("=")
                    value = value.strip()
                    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                        value = value[1:-1]
                    values[name.strip().replace("_", "-")] = value
    except OSError as error:
        raise Refusal(f"{option}: '{path}' cannot be read ({error.strerror})") from None
    return values
