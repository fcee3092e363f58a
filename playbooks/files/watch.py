# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write down what members say of themselves, and where ProxySQL has placed them, until DIR/stop-watch exists.

    watch.py --directory DIR --member HOST:PORT … --user U [--admin-port P --admin-user A] [--every S] [--seconds S]

Passwords: environment variables WATCH_PASSWORD (members) and WATCH_ADMIN_PASSWORD (ProxySQL).
DIR/watch.jsonl gets one line per change: {"at": unix time, "kind": "member", "who": "host:port", "state": …, "role": …}
or {"at": …, "kind": "placement", "servers": {"host:port": {hostgroup: status}}}. A member that does not answer within
a second has the state "no answer", as ProxySQL's placement has servers null when its admin interface does not answer.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import sys
import threading
import time

import pymysql

TIMEOUT = 1
MEMBER = (
    "SELECT member_state, member_role FROM performance_schema.replication_group_members WHERE member_id = @@server_uuid"
)
PLACEMENT = "SELECT hostgroup, srv_host, srv_port, status FROM stats_mysql_connection_pool"


def encrypted():
    """TLS without a check of the certificate: the account may see states only, and nothing is written."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def split(address):
    host, _colon, port = address.rpartition(":")
    return host.strip("[]"), int(port)


class Watcher(threading.Thread):
    """Asks one server again and again over one connection, and reports what changed."""

    def __init__(self, arguments, question, answer, silence, report, stopped, every):
        super().__init__(daemon=True)
        self.arguments, self.question, self.answer, self.silence = arguments, question, answer, silence
        self.report, self.stopped, self.every = report, stopped, every

    def run(self):
        connection, before = None, None
        while not self.stopped.is_set():
            # The moment of the question: a frozen server answers late, but was as it says only then.
            at = time.time()
            try:
                if connection is None:
                    connection = pymysql.connect(
                        autocommit=True,
                        connect_timeout=TIMEOUT,
                        read_timeout=TIMEOUT,
                        write_timeout=TIMEOUT,
                        **self.arguments,
                    )
                with connection.cursor() as cursor:
                    cursor.execute(self.question)
                    now = self.answer(cursor.fetchall())
            except (pymysql.Error, OSError):
                now = self.silence
                if connection is not None:
                    connection._force_close()
                connection = None
            if now != before:
                self.report(at, now)
                before = now
            self.stopped.wait(max(0.0, at + self.every - time.time()))


def member_answer(rows):
    state, role = rows[0] if rows else ("OFFLINE", "")
    return {"state": state, "role": role}


def placement_answer(rows):
    servers = {}
    for hostgroup, host, port, status in rows:
        servers.setdefault(f"{host}:{port}", {})[str(hostgroup)] = status
    return {"servers": servers}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", required=True)
    parser.add_argument("--member", action="append", default=[], help="host:port; may be given several times")
    parser.add_argument("--user", default="monitor")
    parser.add_argument("--admin-host", default="127.0.0.1")
    parser.add_argument("--admin-port", type=int, default=0, help="0: there is no ProxySQL to watch")
    parser.add_argument("--admin-user", default="admin")
    parser.add_argument("--every", type=float, default=0.25, help="seconds between two questions")
    parser.add_argument("--seconds", type=float, default=3600.0, help="longest time to watch")
    options = parser.parse_args(arguments)

    os.makedirs(options.directory, exist_ok=True)
    stopped, lock = threading.Event(), threading.Lock()
    with open(os.path.join(options.directory, "watch.jsonl"), "w") as journal:

        def reporter(**fixed):
            def report(at, found):
                with lock:
                    journal.write(json.dumps({"at": at, **fixed, **found}) + "\n")
                    journal.flush()

            return report

        watchers = []
        for address in options.member:
            host, port = split(address)
            where = {"host": host, "port": port, "user": options.user, "ssl": encrypted()}
            where["password"] = os.environ.get("WATCH_PASSWORD", "")
            report = reporter(kind="member", who=address)
            silence = {"state": "no answer", "role": ""}
            watchers.append(Watcher(where, MEMBER, member_answer, silence, report, stopped, options.every))
        if options.admin_port:
            where = {"host": options.admin_host, "port": options.admin_port, "user": options.admin_user}
            where["password"] = os.environ.get("WATCH_ADMIN_PASSWORD", "")
            report, silence = reporter(kind="placement"), {"servers": None}
            watchers.append(Watcher(where, PLACEMENT, placement_answer, silence, report, stopped, options.every))
        for watcher in watchers:
            watcher.start()
        end = time.monotonic() + options.seconds
        stop = os.path.join(options.directory, "stop-watch")
        while time.monotonic() < end and not os.path.exists(stop):
            time.sleep(0.1)
        stopped.set()
        for watcher in watchers:
            watcher.join(3 * TIMEOUT)
        with lock:
            journal.write(json.dumps({"at": time.time(), "kind": "end"}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
