# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clients of one ProxySQL: new ones are sent away, and those that are there are waited for."""

from __future__ import annotations

import time

from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import Admin, AdminError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.read import number
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.rows import Statement

CONNECTED = "SELECT Variable_Value FROM stats_mysql_global WHERE Variable_Name = 'Client_Connections_connected'"
POLL = 0.1


def pause(admin: Admin) -> None:
    """Take no new clients until ProxySQL is restarted. A run that was interrupted may have done it."""
    try:
        admin.execute(Statement.plain("PROXYSQL PAUSE"))
    except AdminError as error:
        if "already paused" not in str(error):
            raise


def connected(admin: Admin) -> int:
    return sum(number(value) for row in admin.query(CONNECTED) for value in row.values())


def wait_gone(admin: Admin, timeout: int) -> int:
    """How many clients are there when none is left, or the time is over."""
    deadline = time.monotonic() + timeout
    while (clients := connected(admin)) and time.monotonic() < deadline:
        time.sleep(POLL)
    return clients
