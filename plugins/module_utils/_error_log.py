# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What mysqld says when it does not start.

Private to this collection.
"""

from __future__ import annotations

import re

# 2026-11-25T18:12:49.845194Z 0 [ERROR] [MY-000067] [Server] unknown variable 'x=1'.
ERROR = re.compile(r"\[ERROR\]\s*(?:\[[A-Z]+-\d+\]\s*)?(?:\[\w+\]\s*)?(.*)")
# Each start begins with such a line: mysqld (mysqld 9.7.4) starting as process 1234.
START = re.compile(r"\[MY-010116\]|starting as process \d+")
# What is said after the reason.
ECHO = re.compile(
    r"^(Aborting|Parsing options for plugin '.*' failed\.?|Failed to initialize DD Storage Engine\.?|Data Dictionary initialization failed\.?)$"
)


def error_lines(text: str) -> list[str]:
    """The errors in a text of mysqld, each once, without time and codes."""
    found = []
    for line in text.splitlines():
        match = ERROR.search(line)
        said = match[1].strip() if match else ""
        if said and not ECHO.match(said) and said not in found:
            found.append(said)
    return found


def last_start(text: str) -> str:
    """What an error log holds of the last start; all of it where no start is in it."""
    lines = text.splitlines()
    starts = [index for index, line in enumerate(lines) if START.search(line)]
    return "\n".join(lines[starts[-1] :] if starts else lines)
