# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let mysqld start only when its group has expelled what it was before it was killed. Its argument is a JSON file: peers, account, patience.

A server that is back before that is refused, and asks again five seconds later. And XCom, which dials a dead member after 0, 1, 3, 6, 10, 15 s and
so on, keeps to these pauses for its next incarnation: the group takes it in at once and waits for up to 14 s until it has reached it, and all that
while each commit takes half a second. XCom forgets the pauses with the third configuration after the one in which it knew the member.
So a member is asked for four harmless ones: its write concurrency is set to another value and back, twice.
While it waits, it holds a lock on its peers that says that this member was killed. Their guards (mysql_gr_guard) let the group expel it without patience.
Whatever fails here is said and does not count: mysqld is started in any case.
"""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PAUSE = 0.2  # seconds between two looks
# On a member that executes nothing a statement would wait for its turn otherwise, also after this program has ended.
NO_WAITING = "SET SESSION group_replication_consistency = 'EVENTUAL'"
VIEW = (
    "SELECT MEMBER_ID, MEMBER_STATE, MEMBER_ID = @@server_uuid, CONCAT(MEMBER_HOST, ':', MEMBER_PORT)"
    " FROM performance_schema.replication_group_members"
)
KILLED = "SELECT GET_LOCK('distdb.mysql_ha:killed:{}', 0)"  # ends with its connection
CONCURRENCY = "SELECT group_replication_get_write_concurrency()"
SET_CONCURRENCY = "SELECT group_replication_set_write_concurrency({})"
HIGHEST_CONCURRENCY = 200
LIVE = ("ONLINE", "RECOVERING")
NO_SERVER = "no server"  # where a peer's host refuses the connection


def here(rows):
    """The state in which a server sees itself."""
    return next((state for _uuid, state, is_here, _place in rows if is_here), "OFFLINE")


def members(rows, uuid, away):
    """The members' uuids in the view of an ONLINE member whose group has quorum, else None. Until the group notices, its view counts those who were
    killed: uuid, and away, the addresses of peers of which that is known."""
    alive = sum(state in LIVE and member != uuid and place not in away for member, state, _is_here, place in rows)
    return {row[0] for row in rows} if here(rows) == "ONLINE" and 2 * alive > len(rows) else None


def renew(ask):
    """Make the group change its configuration four times; the write concurrency is what it was then."""
    now = int(ask(CONCURRENCY)[0][0])
    other = now - 1 if now == HIGHEST_CONCURRENCY else now + 1
    for value in (other, now, other, now):
        ask(SET_CONCURRENCY.format(value))


def wait(uuid, look, patience, clock=time.monotonic, pause=time.sleep):
    """What was waited for, as a sentence. look() gives [(ask, rows)] of the peers that answer, and away; ask(statement) gives the rows of its answer."""
    began, told = clock(), set()
    while True:
        seen, away = look()
        views = [(ask, members(rows, uuid, away)) for ask, rows in seen]
        views = [(ask, view) for ask, view in views if view is not None]
        if not views:
            return "no member of a group with quorum answers"
        if not any(uuid in view for _ask, view in views):
            renew(views[0][0])
            return f"not in the group, {clock() - began:.1f} s waited"
        if clock() - began >= patience:
            return f"still in the group after {patience} s: started as it is"
        for ask, view in views:
            if uuid in view and ask not in told:
                told.add(ask)
                ask(KILLED.format(uuid.lower()))
        pause(PAUSE)


class Peers:
    """Connections to the peers, made where there is none."""

    def __init__(self, options, connect):
        self.options, self.connect, self.open = options, connect, {}

    def look(self):
        with ThreadPoolExecutor(len(self.options["peers"])) as pool:
            found = dict(zip(self.options["peers"], pool.map(self.view, self.options["peers"])))
        views = {place: seen for place, seen in found.items() if seen not in (None, NO_SERVER)}
        away = [place for place, seen in found.items() if seen is NO_SERVER or seen and here(seen[1]) not in LIVE]
        return list(views.values()), {place.replace("[", "").replace("]", "") for place in away}

    def view(self, place):
        try:
            if place not in self.open:
                self.open[place] = self.connect(self.options, place)
            ask = self.open[place]
            return ask, ask(VIEW)
        except Exception as error:  # pylint: disable=broad-except
            self.open.pop(place, None)
            # One that does not answer, or does not admit this host, says nothing about the group.
            cause = getattr(error, "original_exception", error)
            return NO_SERVER if isinstance(cause, ConnectionRefusedError) else None


def connect(options, place):
    """A function that asks this server and gives all rows of its answer."""
    import pymysql

    context = ssl.create_default_context(cafile=options["ca"] or None)
    context.check_hostname = bool(options["ca"])
    # Certificates that mysqld generates lack the key usage extension that newer OpenSSL wants in strict mode.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    if not options["ca"]:
        context.verify_mode = ssl.CERT_NONE
    host, _colon, port = place.rpartition(":")
    server = pymysql.connect(
        host=host.strip("[]"), port=int(port), user=options["user"], password=options["password"], ssl=context,
        connect_timeout=1, read_timeout=5, write_timeout=5, autocommit=True,
    )  # fmt: skip

    def ask(statement):
        with server.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    # A server without the plugin has no such variable.
    with contextlib.suppress(pymysql.MySQLError):
        ask(NO_WAITING)
    return ask


def main(option_file):
    try:
        options = json.loads(Path(option_file).read_text(encoding="utf-8"))
        kept = Path(options["datadir"], "auto.cnf")
        found = re.search(r"(?m)^server-uuid\s*=\s*(\S+)", kept.read_text(encoding="utf-8")) if kept.exists() else None
        if found and options["peers"]:
            print(wait(found[1], Peers(options, connect).look, options["patience"]))
    except Exception as error:  # pylint: disable=broad-except
        print(f"not waited for the group: {error}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
