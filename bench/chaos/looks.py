# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask every member about twice a second what group it is in, until standard input ends; one JSON line for each look.

    looks.py NAME=ADDRESS … (environment: WATCH_USER, WATCH_PASSWORD)

A line: {"at": unix time, "members": {NAME: {"state", "view", "sees": {address: state}, "read_only"}}}; null for a member that does not answer in a second.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

import pymysql

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "failover"))

from watch import encrypted

VIEW = (
    "SELECT member_host, member_state, member_id = @@server_uuid, @@super_read_only"
    " FROM performance_schema.replication_group_members"
)
# A group's views begin with what its bootstrap gave them.
GROUP = "SELECT SUBSTRING_INDEX(view_id, ':', 1) FROM performance_schema.replication_group_member_stats WHERE member_id = @@server_uuid"
EVERY = 0.5


class Member:
    """One connection, made again after an error."""

    def __init__(self, address):
        self.address, self.connection = address, None

    def look(self):
        try:
            if self.connection is None:
                self.connection = pymysql.connect(
                    host=self.address, user=os.environ["WATCH_USER"], password=os.environ["WATCH_PASSWORD"],
                    connect_timeout=1, read_timeout=1, write_timeout=1, ssl=encrypted(), autocommit=True,
                )  # fmt: skip
            with self.connection.cursor() as cursor:
                cursor.execute(VIEW)
                rows = cursor.fetchall()
                cursor.execute(GROUP)
                view = cursor.fetchall()
        except (pymysql.Error, OSError):
            if self.connection is not None:
                self.connection._force_close()
            self.connection = None
            return None
        return {
            "state": next((state for _host, state, own, _closed in rows if own), "OFFLINE"),
            "read_only": bool(rows and rows[0][3]),
            "sees": {host: state for host, state, _own, _closed in rows if host},
            "view": view[0][0] if view else "",
        }


def main():
    members = {name: Member(address) for name, _equals, address in (text.partition("=") for text in sys.argv[1:])}
    over = threading.Event()

    def until_the_end():
        sys.stdin.read()
        over.set()

    threading.Thread(target=until_the_end, daemon=True).start()
    while not over.wait(EVERY):
        at = time.time()
        print(json.dumps({"at": at, "members": {name: member.look() for name, member in members.items()}}), flush=True)


if __name__ == "__main__":
    main()
