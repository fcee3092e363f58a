# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a member that was started will not be ONLINE, however long one waits, and the next step. No I/O here.

Private to this collection.
"""

from __future__ import annotations

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ACCOUNT_REFUSED, CR_SSL_ERROR
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import ENGINE_STEP, KEY_STEP
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import ApplierError, Channel
from ansible_collections.distdb.mysql_ha.plugins.module_utils._service import State

# What an applier says, and what helps: numbers of the server.
ER_BEFORE_DML = 3098  # Group Replication refuses tables of another engine, without a primary key, or with cascades
DISK_FULL = (1021, 1114, 3, 20)  # the server's, and those of its files
DATA_DIFFER = (1007, 1008, 1032, 1049, 1050, 1051, 1054, 1062, 1146, 1396, 1410, 1451, 1452)
# A table of the error log says so once and then every ten minutes, while whoever writes waits.
DISK_FULL_LOGGED = (
    "SELECT DATA AS data FROM performance_schema.error_log WHERE LOGGED >= NOW() - INTERVAL 600 SECOND "
    "AND (DATA LIKE 'Disk is full writing%' OR DATA LIKE '%No space left on device%') ORDER BY LOGGED DESC LIMIT 1"
)
MOST_RESTARTS = 3  # that a server may need to come up after a clone, which itself takes one
LEAST_FREE = 16 << 20  # bytes of disk with which a server goes on


def applier_trouble(error: ApplierError) -> str:
    """The sentence for an applier that has stopped with an error."""
    if error.number == ER_BEFORE_DML:
        step = f"the table is not one that a group replicates; on a member that is ONLINE: {ENGINE_STEP}, or {KEY_STEP}; then run again"
    elif error.number in DISK_FULL or "No space left" in error.message:
        step = "free space on the disk of this server, and run again"
    elif error.number in DATA_DIFFER:
        step = "its data differ from the group's; clone=reprovision would replace them"
    else:
        step = "run again once that is made good; where its data differ from the group's, clone=reprovision would replace them"
    where = f" (channel {error.channel})" if error.channel else ""
    return f"this server cannot apply the group's transactions{where}: {error.message} ({step})"


def donor_trouble(channel: Channel | None, user: str | None) -> str:
    """The sentence for a donor that will not be taken, or takes nobody; '' where the next try may have success."""
    if channel is None or not channel.error_number:
        return ""
    said = channel.error_message
    if channel.error_number == CR_SSL_ERROR:
        return f"the recovery channel gets no TLS connection to its donor: {said}"
    if channel.error_number in ACCOUNT_REFUSED or "Access denied" in said or "not allowed to connect" in said:
        named = f" '{user}'" if user else ""
        step = "check recovery_user, recovery_password and that the account exists on every member"
        if "is locked" in said:
            step = f"ALTER USER{named} … ACCOUNT UNLOCK in the group lets it in; then run again"
        elif "expired" in said:
            step = f"give the account{named} a new password in the group, or PASSWORD EXPIRE NEVER; then run again"
        return f"the donor refuses the recovery account{named}: {said} ({step})"
    return ""


def disk_trouble(logged: str, free: int | None) -> str:
    """The sentence for a disk without room; free: bytes, None where that cannot be seen."""
    if not logged or (free is not None and free >= LEAST_FREE):
        return ""
    return f"the disk of this server is full, and it waits for space: {logged} (free some, and run again)"


def service_trouble(state: State, restarts: int) -> str:
    """Why a server that does not answer will not come back by itself, or ''; restarts: how many it had when it was last heard of."""
    if state.sub in ("failed", "dead") and not state.job:
        return f"its service is {state.active} ({state.result})"
    more = state.restarts - restarts
    return f"its service was restarted {more} times, and ended each time" if more >= MOST_RESTARTS else ""
