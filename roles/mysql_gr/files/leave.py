# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let this member leave its group before systemd stops mysqld. Its argument is an option file that says how to log in.

A member that is stopped while clients write to it takes statements for three seconds more that it can no longer commit, and then waits
for them for up to a minute. So the proxies are shown first that it is not to be written to.
Whatever fails here is said and does not count: mysqld is stopped in any case.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

CALM = 0.5  # seconds without a failing statement, after which no proxy sends writes any more
PATIENCE = 10  # seconds that are spent on that
LEAVING = 60  # seconds that the departure may take
GUARD = Path("/var/lib/mysql-gr-guard")  # there where this member has a guard

STATE = (
    "SELECT (SELECT COUNT(*) FROM performance_schema.replication_group_members"
    " WHERE MEMBER_ID = @@server_uuid AND MEMBER_STATE = 'ONLINE'),"
    " (SELECT COUNT(*) FROM performance_schema.replication_group_members"
    " WHERE MEMBER_ID <> @@server_uuid AND MEMBER_STATE = 'ONLINE')"
)
FAILED = "SELECT SUM(SUM_ERRORS) FROM performance_schema.events_statements_summary_global_by_event_name"


def tell_guard():
    """The guard does not bring back a member whose server is being stopped."""
    try:
        if GUARD.is_dir():
            (GUARD / "leaving").touch(mode=0o600)
    except OSError as error:
        print(f"the guard was not told: {error}", file=sys.stderr)


def leave(ask, clock=time.monotonic, pause=time.sleep):
    """What was done, as a sentence. ask(statement) gives the first row of its answer, or raises an error of the server."""
    here, others = ask(STATE)
    if not here:
        return "not an ONLINE member: nothing to leave"
    if not others:
        # Nobody could take over, and the proxies would only refuse what can still be served.
        return "the last ONLINE member: stopped as it is"
    ask("SET SESSION lock_wait_timeout = 5")
    try:
        ask("SET GLOBAL super_read_only = ON")
    except Exception as error:  # pylint: disable=broad-except
        # Somebody holds a lock for long. To leave is right all the same.
        print(f"not made read-only first: {error}", file=sys.stderr)
    else:
        began = quiet_since = clock()
        failed = ask(FAILED)
        while clock() - quiet_since < CALM and clock() - began < PATIENCE:
            pause(0.1)
            now = ask(FAILED)
            if now != failed:
                failed, quiet_since = now, clock()
    ask("STOP GROUP_REPLICATION")
    return "left the group"


def main(option_file):
    # systemd runs this also when mysqld has ended by itself.
    if not os.environ.get("MAINPID"):
        return
    try:
        import pymysql

        server = pymysql.connect(
            read_default_file=option_file, connect_timeout=2, read_timeout=LEAVING, write_timeout=LEAVING
        )
        with server.cursor() as cursor:

            def ask(statement):
                cursor.execute(statement)
                return cursor.fetchone()

            tell_guard()
            print(leave(ask))
    except Exception as error:  # pylint: disable=broad-except
        print(f"not left before the stop: {error}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
