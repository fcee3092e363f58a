# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a ProxySQL that was restarted serves as before.

Private to this collection.
"""

from __future__ import annotations

import time
from typing import Any, Callable

from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import Admin, AdminError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.read import number
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.virtual import check_state

WRITERS = (
    "SELECT COUNT(*) AS writers FROM runtime_mysql_servers AS s JOIN runtime_mysql_group_replication_hostgroups AS g"
    " ON s.hostgroup_id = g.writer_hostgroup WHERE s.status = 'ONLINE'"
)
POLL = 0.1


def writers(admin: Admin) -> int:
    return sum(number(row["writers"]) for row in admin.query(WRITERS))


def lacking(before: int, now: int | None, was_good: bool, state: dict[str, Any]) -> str:
    """What it does not do as before; '' where it does all. now: its writers, None where it does not answer."""
    if now is None:
        return "ProxySQL does not answer"
    # Members are loaded in the places that were saved; the monitor moves them.
    if now < before:
        return f"ProxySQL has {now} of {before} writers"
    if was_good and state.get("value") != 0:
        return f"the check of the shared address says: {state.get('reason') or 'nothing'}"
    return ""


class Ready:
    """Made before the restart: what it has to do again."""

    def __init__(self, connect: Callable[[], Admin], admin: Admin) -> None:
        self.connect = connect
        self.before = writers(admin)
        self.was_good = check_state().get("value") == 0

    def now(self) -> int | None:
        try:
            with self.connect() as admin:
                return writers(admin)
        except AdminError:
            return None

    def wait(self, timeout: int) -> str:
        """What is lacking when the time is over."""
        deadline = time.monotonic() + timeout
        while True:
            missing = lacking(self.before, self.now(), self.was_good, check_state())
            if not missing or time.monotonic() >= deadline:
                return missing
            time.sleep(POLL)
