# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A systemd service of mysqld: its state, and its last words.

Private to this collection.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._error_log import error_lines
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import run

PROPERTIES = "ActiveState,SubState,ActiveEnterTimestampMonotonic,Job,Result,NRestarts"
LAST_WORDS = 5


class State(NamedTuple):
    """What systemd says of the service."""

    active: str
    sub: str
    entered: str  # when it last became active
    job: bool  # something is still to be done
    result: str
    restarts: int  # by systemd itself

    @property
    def is_up(self) -> bool:
        return self.active == "active" and not self.job


def parse_state(text: str) -> State:
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return State(
        found.get("ActiveState", ""),
        found.get("SubState", ""),
        found.get("ActiveEnterTimestampMonotonic", ""),
        bool(found.get("Job", "")),
        found.get("Result", ""),
        int(found.get("NRestarts") or 0),
    )


def state_of(name: str) -> State:
    """All empty where there is no systemd."""
    return parse_state(run(["systemctl", "show", name, f"--property={PROPERTIES}"]).output)


class ErrorLog:
    """What is written into the error log from now on, or from an offset of before."""

    def __init__(self, path: str | None, offset: int | None = None) -> None:
        self.path = path
        self.offset = self._size() if offset is None else offset

    def _size(self) -> int:
        try:
            return os.path.getsize(self.path) if self.path else 0
        except OSError:
            return 0

    def text(self) -> str:
        if not self.path:
            return ""
        try:
            with open(self.path, "rb") as source:
                # A log that was rotated meanwhile is read from its beginning.
                source.seek(self.offset if self.offset <= self._size() else 0)
                return source.read().decode("utf-8", "replace")
        except OSError:
            return ""


def last_words(name: str, log: str) -> list[str]:
    """The errors in a part of its error log, or without one the end of its journal: what its processes say, else what systemd says of them."""
    words = error_lines(log)
    unit = name if "." in name else f"{name}.service"
    for whose in (f"_SYSTEMD_UNIT={unit}", f"--unit={unit}"):
        words = words or run(["journalctl", whose, "--quiet", "--lines=5", "--output=cat"]).output.splitlines()
    return list(dict.fromkeys(words))[-LAST_WORDS:]
