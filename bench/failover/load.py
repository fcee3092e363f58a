# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A steady load of small writes and reads on a MySQL server or proxy; every acknowledged write is recorded.

    load.py run    --host H --port P --user U --database D --directory DIR [--clients N] [--rate R] [--seconds S] [--also H:P …]
    load.py verify --host H --port P --user U --database D --directory DIR
    load.py verify --socket PATH --user root --database D --directory DIR
    load.py wait   --directory DIR --since TIME [--timeout S]
    load.py stop   --directory DIR [--timeout S]
    load.py agree  --member H:P … --user U --database D --directory DIR [--timeout S]

With --also, a client whose statement failed connects to the next of these places, as an application with several proxies does. With --reconnect it
connects for each statement, at the next place where one takes no connection; the places are spread over the clients. With --patience it goes on trying
to connect for so many seconds: nothing was sent, so no statement has failed.

The password is read from the environment variable MYSQL_PWD.

"run" makes the table "load_rows", writes until --seconds have passed or DIR/stop exists, and prints a JSON summary,
which it also leaves in DIR/summary.json. DIR/writes.jsonl has one line per statement. DIR/started appears with the
first acknowledged write of every client, so that a caller can wait for it.
"verify" counts the acknowledged rows that a server does not hold. Exit code 1 when rows are lost.
"wait" returns when every client of a running load has had a write acknowledged that it began after TIME (unix time); its last line is
the time then. "stop" ends a running load and returns when its summary is written.
"agree" waits until all members have executed the same transactions, then verifies each of them and compares the
checksums of all tables. Exit code 1 when rows are lost or checksums differ.

A statement whose connection broke has an unknown outcome: it is counted as failed, and its row is not expected.
The same row is never written twice: the next statement has the next number.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import sys
import threading
import time
import uuid

import pymysql

# Seconds between two attempts to connect.
RETRY = 0.02
TABLE = "load_rows"
CREATE = (
    f"CREATE TABLE IF NOT EXISTS {TABLE} (run CHAR(32) NOT NULL, client INT NOT NULL, number INT NOT NULL,"
    " at DOUBLE NOT NULL, PRIMARY KEY (run, client, number))"
)


def place(text):
    """host and port of HOST:PORT, an IPv6 address in brackets."""
    host, _colon, port = text.rpartition(":")
    return {"host": host.strip("[]"), "port": int(port)}


def connect(options, attempt=0):
    """A connection with autocommit and timeouts that a dead server cannot stretch."""
    places = [{"host": options.host, "port": options.port}] + [place(text) for text in options.also]
    where = {"unix_socket": options.socket} if options.socket else places[attempt % len(places)]
    if options.ca:
        # Read for each connection: it may change meanwhile.
        where["ssl"] = ssl.create_default_context(cafile=options.ca)
    elif options.tls:
        # Without a check of the certificate: what goes over it are numbers of rows.
        where["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        where["ssl"].check_hostname, where["ssl"].verify_mode = False, ssl.CERT_NONE
    return pymysql.connect(
        user=options.user,
        password=os.environ.get("MYSQL_PWD", ""),
        database=options.database,
        autocommit=True,
        connect_timeout=min(5, options.timeout),
        read_timeout=options.timeout,
        write_timeout=options.timeout,
        **where,
    )


def close(connection):
    """Drop a connection without waiting for a server that may be gone."""
    if connection is not None:
        connection._force_close()


def connect_anywhere(options, first):
    """A connection at the first place that takes one; no statement was sent to the others."""
    end = time.monotonic() + options.patience
    attempt = first
    while True:
        try:
            return connect(options, attempt)
        except (pymysql.Error, OSError):
            if attempt >= first + len(options.also):
                if time.monotonic() >= end:
                    raise
                time.sleep(RETRY)
            attempt += 1


class Client(threading.Thread):
    """One client: a write, now and then a read, at its share of the rate."""

    def __init__(self, options, run, number, origin, stopped, log):
        super().__init__(daemon=True)
        self.options, self.run_id, self.number = options, run, number
        self.origin, self.stopped, self.log = origin, stopped, log
        self.pause = options.clients / options.rate
        self.first = threading.Event()
        self.events = []

    def run(self):
        connection, count, failures = None, 0, 0
        # Clients are spread over the interval, so that the load is even.
        due = self.origin + self.pause * self.number / self.options.clients
        while not self.stopped.is_set():
            due += self.pause
            if self.stopped.wait(max(0.0, due - time.monotonic())):
                break
            # After an outage the missed statements are not made up for: the rate stays what it was.
            due = max(due, time.monotonic() - self.pause)
            count += 1
            for kind in ("write", "read") if count % self.options.read_every == 0 else ("write",):
                started = time.monotonic()
                error = None
                try:
                    if connection is None and self.options.reconnect:
                        connection = connect_anywhere(self.options, self.number)
                    elif connection is None:
                        connection = connect(self.options, failures)
                    with connection.cursor() as cursor:
                        if kind == "write":
                            row = (self.run_id, self.number, count, time.time())
                            cursor.execute(f"INSERT INTO {TABLE} VALUES (%s, %s, %s, %s)", row)
                        else:
                            cursor.execute(
                                f"SELECT number FROM {TABLE} WHERE run = %s AND client = %s ORDER BY number DESC LIMIT 1",
                                (self.run_id, self.number),
                            )
                            cursor.fetchall()
                    if self.options.reconnect:
                        connection.close()
                        connection = None
                except (pymysql.Error, OSError) as problem:
                    error = str(problem)
                    failures += 1
                    close(connection)
                    connection = None
                self.record(kind, count, started, error)
        close(connection)

    def record(self, kind, number, started, error):
        ended = time.monotonic()
        event = {
            "client": self.number,
            "kind": kind,
            "number": number,
            "start": started - self.origin,
            "end": ended - self.origin,
            "error": error,
        }
        self.events.append(event)
        self.log(event)
        if error is None and kind == "write":
            self.first.set()


def longest_gap(ends, begin, end):
    """The longest time between two successes, the beginning and the end counting as such."""
    return where_longest(ends, begin, end)[0]


def where_longest(ends, begin, end):
    """The longest time between two successes, and when it began."""
    times = [begin] + sorted(ends) + [end]
    return max((later - earlier, earlier) for earlier, later in zip(times, times[1:]))


def summarize(run, origin, clients, begin, end):
    events = [event for client in clients for event in client.events]
    good = [event for event in events if event["error"] is None]
    bad = [event for event in events if event["error"] is not None]
    errors = {}
    for event in bad:
        errors[event["error"]] = errors.get(event["error"], 0) + 1
    gaps = [
        where_longest([event["end"] for event in client.events if event["error"] is None], begin, end)
        for client in clients
    ]
    return {
        "run": run,
        # Unix time; all other times are seconds since then.
        "origin": round(origin, 3),
        "seconds": round(end - begin, 3),
        "acknowledged_writes": sum(event["kind"] == "write" for event in good),
        "reads": sum(event["kind"] == "read" for event in good),
        "failed_statements": len(bad),
        "errors": errors,
        # Seconds; the first is what the unluckiest client saw, the second what the application as a whole saw.
        "longest_gap": round(max(gaps)[0], 3),
        "longest_gap_from": round(max(gaps)[1], 3),
        "longest_gap_of_all": round(longest_gap([event["end"] for event in good], begin, end), 3),
    }


def run_load(options):
    os.makedirs(options.directory, exist_ok=True)
    for name in ("stop", "started", "summary.json"):
        if os.path.exists(os.path.join(options.directory, name)):
            os.remove(os.path.join(options.directory, name))
    connection = connect(options)
    with connection.cursor() as cursor:
        cursor.execute(CREATE)
    connection.close()

    run, stopped, lock = uuid.uuid4().hex, threading.Event(), threading.Lock()
    origin, began = time.monotonic(), time.time()
    with open(os.path.join(options.directory, "writes.jsonl"), "w") as journal:
        journal.write(json.dumps({"run": run, "origin": began, "clients": options.clients}) + "\n")
        journal.flush()

        def log(event):
            with lock:
                journal.write(json.dumps(event) + "\n")
                journal.flush()

        clients = [Client(options, run, number, origin, stopped, log) for number in range(options.clients)]
        for client in clients:
            client.start()
        end = origin + options.seconds
        started = False
        stop = os.path.join(options.directory, "stop")
        while time.monotonic() < end and not os.path.exists(stop):
            if not started and all(client.first.is_set() for client in clients):
                started = True
                with open(os.path.join(options.directory, "started"), "w"):
                    pass
            time.sleep(0.05)
        finished = time.monotonic() - origin
        stopped.set()
        for client in clients:
            client.join(options.timeout + 6)
        summary = summarize(run, began, clients, 0.0, finished)
    text = json.dumps(summary, indent=1, sort_keys=True)
    path = os.path.join(options.directory, "summary.json")
    with open(path + ".part", "w") as report:
        report.write(text + "\n")
    os.replace(path + ".part", path)
    print(text)
    return 0 if started else 1


def read_journal(directory):
    """The head line of a journal, and its events. A last line that is still being written is left out."""
    with open(os.path.join(directory, "writes.jsonl")) as journal:
        lines = [line for line in journal if line.endswith("\n")]
    return json.loads(lines[0]), [json.loads(line) for line in lines[1:]]


def acknowledged(events):
    """(client, number) of every acknowledged write."""
    return {
        (event["client"], event["number"]) for event in events if event["kind"] == "write" and event["error"] is None
    }


def compare(connection, run, wanted):
    """What a server holds of the acknowledged rows."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT client, number FROM {TABLE} WHERE run = %s", (run,))
        held = set(cursor.fetchall())
    lost = sorted(wanted - held)
    return {"run": run, "acknowledged": len(wanted), "held": len(held), "lost": len(lost), "first_lost": lost[:10]}


def verify(options):
    """Which acknowledged rows a server does not hold."""
    head, events = read_journal(options.directory)
    connection = connect(options)
    found = compare(connection, head["run"], acknowledged(events))
    connection.close()
    print(json.dumps(found))
    return 1 if found["lost"] else 0


def wait(options):
    """Until every client of the running load has succeeded with a write begun after a moment."""
    end = time.monotonic() + options.timeout
    while True:
        head, events = read_journal(options.directory)
        waiting = set(range(head["clients"]))
        for event in events:
            if event["kind"] == "write" and event["error"] is None and head["origin"] + event["start"] > options.since:
                waiting.discard(event["client"])
        late = time.monotonic() > end
        if not waiting or late:
            if waiting:
                print(f"waited {options.timeout:g} s in vain for a success of the clients {sorted(waiting)}")
            print(time.time())
            return 1 if waiting else 0
        time.sleep(0.2)


def stop(options):
    """End the load; 0 when it has ended."""
    with open(os.path.join(options.directory, "stop"), "w"):
        pass
    end = time.monotonic() + options.timeout
    while not os.path.exists(os.path.join(options.directory, "summary.json")):
        if time.monotonic() > end:
            print(f"waited {options.timeout:g} s in vain for the end of the load")
            return 1
        time.sleep(0.1)
    return 0


def query(connection, statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def agree(options):
    """Whether all members hold all acknowledged rows, and the same tables."""
    head, events = read_journal(options.directory)
    connections = {}
    for member in options.member:
        where = argparse.Namespace(**dict(vars(options), **place(member), socket=None, also=[]))
        connections[member] = connect(where)
    end = time.monotonic() + options.timeout
    while True:
        executed = {member: query(one, "SELECT @@gtid_executed")[0][0] for member, one in connections.items()}
        same = len(set(executed.values())) == 1
        if same or time.monotonic() > end:
            break
        time.sleep(0.2)
    found = {"same_transactions": same, "executed": executed, "members": {}, "checksums": {}}
    for member, connection in connections.items():
        found["members"][member] = compare(connection, head["run"], acknowledged(events))
        tables = sorted(row[0] for row in query(connection, "SHOW TABLES"))
        names = ", ".join(f"`{table}`" for table in tables)
        found["checksums"][member] = dict(query(connection, f"CHECKSUM TABLE {names}"))
        connection.close()
    found["lost"] = max(one["lost"] for one in found["members"].values())
    sums = list(found["checksums"].values())
    found["checksums_agree"] = all(one == sums[0] for one in sums)
    text = json.dumps(found, indent=1, sort_keys=True)
    with open(os.path.join(options.directory, "agree.json"), "w") as report:
        report.write(text + "\n")
    print(text)
    return 0 if same and found["checksums_agree"] and not found["lost"] else 1


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("run", "verify", "wait", "stop", "agree"))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6033)
    parser.add_argument("--also", action="append", default=[], help="host:port of another proxy")
    parser.add_argument("--reconnect", action="store_true", help="connect for each statement, wherever it is possible")
    parser.add_argument(
        "--patience", type=float, default=0.0, help="seconds for which to try to connect, with --reconnect"
    )
    parser.add_argument("--socket")
    parser.add_argument("--member", action="append", default=[], help="host:port; may be given several times")
    parser.add_argument("--tls", action="store_true", help="encrypt the connection")
    parser.add_argument(
        "--ca", help="encrypt the connection, and verify the server's certificate by this file and the name"
    )
    parser.add_argument("--user")
    parser.add_argument("--database")
    parser.add_argument("--directory", required=True, help="where the journal and the summary go")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--rate", type=float, default=100.0, help="writes per second, all clients together")
    parser.add_argument("--read-every", type=int, default=5, help="one read per so many writes")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--timeout", type=float, default=30.0, help="seconds that a statement, or the waiting, may take"
    )
    parser.add_argument("--since", type=float, default=0.0, help="unix time")
    options = parser.parse_args(arguments)
    if options.action not in ("wait", "stop") and not (options.user and options.database):
        parser.error(f"{options.action} needs --user and --database")
    if options.ca:
        try:
            ssl.create_default_context(cafile=options.ca)
        except OSError as problem:
            parser.error(f"--ca is {options.ca}, which is no file with CA certificates: {problem.strerror or problem}")
    actions = {"run": run_load, "verify": verify, "wait": wait, "stop": stop, "agree": agree}
    return actions[options.action](options)


if __name__ == "__main__":
    sys.exit(main())
