# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened to a member lately, by its server's own error log. No I/O here.

Private to this collection.
"""

from __future__ import annotations

import re
from typing import Any, Mapping, NamedTuple

# What is worth an operator's time although it is no error: starts and ends, and who is in the group.
NOTED = (
    "MY-010116",  # the server starts
    "MY-010931",  # ready for connections
    "MY-013172",  # told to shut down
    "MY-010910",  # shutdown complete
    "MY-013587",  # the plugin starts
    "MY-014010",  # the plugin has been started
    "MY-011490",  # this member is ONLINE
    "MY-011492",  # another member is ONLINE
    "MY-011503",  # the group's members changed
    "MY-011504",  # this member has left the group
    "MY-011507",  # a new primary was elected
    "MY-011510",  # this member works as primary
    "MY-011511",  # this member works as secondary
    "MY-011566",  # it takes writes
)
# Warnings at each start that say nothing of the group.
NOISE = ("MY-011735", "MY-010604")
SEVERITIES = {"Error": "error", "Warning": "warning"}
LONGEST = 300


def _listed(codes: tuple[str, ...]) -> str:
    return ", ".join(f"'{code}'" for code in codes)


# Needs has_error_log_table.
STATEMENT = f"""SELECT UNIX_TIMESTAMP(LOGGED) AS at, PRIO AS severity, ERROR_CODE AS code, DATA AS what FROM performance_schema.error_log
 WHERE PRIO = 'Error' OR ERROR_CODE IN ({_listed(NOTED)})
 OR (SUBSYSTEM = 'Repl' AND PRIO = 'Warning' AND ERROR_CODE NOT IN ({_listed(NOISE)})) ORDER BY LOGGED DESC LIMIT %s"""

_WRAPPED = re.compile(r"^Plugin group_replication reported: '(.*)'$", re.DOTALL)
# A statement may hold what is in the tables, or a password.
_STATEMENT = re.compile(r"\b(query|statement)\s*[:=].*", re.IGNORECASE | re.DOTALL)


class Event(NamedTuple):
    """One of them."""

    at: float  # seconds since 1970
    severity: str  # error, warning, note
    code: str
    what: str


def event(row: Mapping[str, Any]) -> Event:
    """A row of the statement."""
    text = str(row["what"] or "").strip()
    wrapped = _WRAPPED.match(text)
    text = _STATEMENT.sub(r"\1 (left out)", wrapped[1] if wrapped else text)
    text = " ".join(text.split())
    return Event(
        float(row["at"]),
        SEVERITIES.get(str(row["severity"]), "note"),
        str(row["code"] or ""),
        text if len(text) <= LONGEST else text[: LONGEST - 1] + "…",
    )
