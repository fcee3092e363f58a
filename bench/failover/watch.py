# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write down what members say of themselves, and where ProxySQL has placed them, until DIR/stop-watch exists.

    watch.py run     --directory DIR --member HOST:PORT … --user U [--admin-port P --admin-user A] [--every S] [--seconds S]
    watch.py settled --directory DIR [--offline-hostgroup N] [--seconds S]
    watch.py stop    --directory DIR [--seconds S]

"settled" waits until every watched member is ONLINE and sees all others so, the proxy has it elsewhere than in the offline hostgroup, and nothing of it has
changed for two seconds; exit code 1 if that does not come. "stop" ends a running watch; it prints the time before and returns when it has ended.

Passwords: environment variables WATCH_PASSWORD (members) and WATCH_ADMIN_PASSWORD (ProxySQL).
DIR/watch.jsonl gets one line per change: {"at": unix time, "kind": "member", "who": "host:port", "state": …, "role": …,
"sees": how many members it sees ONLINE}
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
# Seconds without a change after which what is seen counts as settled.
QUIET = 2.0
MEMBER = (
    "SELECT member_state, member_role, (SELECT COUNT(*) FROM performance_schema.replication_group_members WHERE member_state = 'ONLINE')"
    " FROM performance_schema.replication_group_members WHERE member_id = @@server_uuid"
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
    state, role, sees = rows[0] if rows else ("OFFLINE", "", 0)
    return {"state": state, "role": role, "sees": sees}


def placement_answer(rows):
    servers = {}
    for hostgroup, host, port, status in rows:
        servers.setdefault(f"{host}:{port}", {})[str(hostgroup)] = status
    return {"servers": servers}


def read_journal(directory):
    """What was seen so far; a last line that is still being written is left out."""
    with open(os.path.join(directory, "watch.jsonl")) as journal:
        return [json.loads(line) for line in journal if line.endswith("\n")]


def settled(seen, now, offline, quiet=QUIET):
    """Whether every member is ONLINE and in use at the proxy, and has been for a while."""
    states, servers = {}, {}
    for line in seen:
        if line["kind"] == "member":
            states[line["who"]] = (line["state"], line["sees"])
        elif line["kind"] == "placement":
            servers = line["servers"]
    if not seen or now - seen[-1]["at"] < quiet or set(states.values()) != {("ONLINE", len(states))} or servers is None:
        return False
    used = {
        who
        for who, groups in servers.items()
        if any(status == "ONLINE" and number != str(offline) for number, status in groups.items())
    }
    return not servers or set(states) <= used


def wait(options, condition):
    end = time.monotonic() + options.seconds
    while not condition():
        if time.monotonic() > end:
            return 1
        time.sleep(0.1)
    return 0


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("run", "settled", "stop"))
    parser.add_argument("--directory", required=True)
    parser.add_argument("--member", action="append", default=[], help="host:port; may be given several times")
    parser.add_argument("--user", default="monitor")
    parser.add_argument("--admin-host", default="127.0.0.1")
    parser.add_argument("--admin-port", type=int, default=0, help="0: there is no ProxySQL to watch")
    parser.add_argument("--admin-user", default="admin")
    parser.add_argument("--every", type=float, default=0.25, help="seconds between two questions")
    parser.add_argument("--seconds", type=float, default=3600.0, help="longest time to watch, or to wait")
    parser.add_argument("--offline-hostgroup", type=int, default=-1)
    options = parser.parse_args(arguments)
    stop = os.path.join(options.directory, "stop-watch")
    if options.action == "settled":
        return wait(options, lambda: settled(read_journal(options.directory), time.time(), options.offline_hostgroup))
    if options.action == "stop":
        print(time.time())
        with open(stop, "w"):
            pass
        return wait(options, lambda: any(line["kind"] == "end" for line in read_journal(options.directory)))

    os.makedirs(options.directory, exist_ok=True)
    if os.path.exists(stop):
        os.remove(stop)
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
            silence = {"state": "no answer", "role": "", "sees": 0}
            watchers.append(Watcher(where, MEMBER, member_answer, silence, report, stopped, options.every))
        if options.admin_port:
            where = {"host": options.admin_host, "port": options.admin_port, "user": options.admin_user}
            where["password"] = os.environ.get("WATCH_ADMIN_PASSWORD", "")
            report, silence = reporter(kind="placement"), {"servers": None}
            watchers.append(Watcher(where, PLACEMENT, placement_answer, silence, report, stopped, options.every))
        for watcher in watchers:
            watcher.start()
        end = time.monotonic() + options.seconds
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
