# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients of a proxy that record what they were told, for judge.py.

    clients.py --seconds S --history FILE [--unlocked]

The place comes from APP_HOST, APP_PORT, APP_DATABASE and APP_PASSWORD; APP_USER gets the writer hostgroup, APP_READER the
reader hostgroup. Prints the unix time when all began, then works for S seconds; FILE gets one event a line, all times in
seconds since then, and at last what the tables hold. --unlocked: increments read without FOR UPDATE, so that updates are
lost on any server (this shows that the judge finds them).

Sessions: four with a register of their own, which is written, then read back through both hostgroups, as is the register of
the next session; three that increment two shared counters; two that take turns at a pair of rows; two that add one to a sum of
their own, without a transaction, so that the sum tells how often that was executed. Registers say which member wrote them, and
reads which member answered.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time

import pymysql

SESSIONS, COUNTING, COUNTERS, ADDING = 4, 3, 2, 2
# Seconds between two rounds of a session.
PAUSE = 0.05
# The numbers of the sessions that add.
ADDERS = range(SESSIONS + COUNTING + 2, SESSIONS + COUNTING + 2 + ADDING)
TABLES = {
    "anomaly_registers": "id INT PRIMARY KEY, value INT NOT NULL, member VARCHAR(20) NOT NULL DEFAULT ''",
    "anomaly_counters": "id INT PRIMARY KEY, value INT NOT NULL",
    "anomaly_sums": "id INT PRIMARY KEY, value INT NOT NULL",
    "anomaly_pairs": "round INT, side INT, value INT NOT NULL, PRIMARY KEY (round, side)",
}
# The host of the member that executes it: its hardware address. Not @@server_id, as ProxySQL gives a session that reads an @@variable its
# connection for good, and repeats none of its statements; and not performance_schema, which takes 3 ms.
MEMBER = "RIGHT(UUID(), 12)"


def connect(route):
    return pymysql.connect(
        host=os.environ["APP_HOST"],
        port=int(os.environ["APP_PORT"]),
        user=os.environ["APP_USER" if route == "writer" else "APP_READER"],
        password=os.environ["APP_PASSWORD"],
        database=os.environ["APP_DATABASE"],
        autocommit=True,
        connect_timeout=5,
        read_timeout=30,
        write_timeout=30,
    )


def query(connection, statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


class Session(threading.Thread):
    """One client: rounds of work at a steady pace, until it is stopped. After an error it connects again."""

    def __init__(self, number, history, stopped):
        super().__init__(daemon=True)
        self.number, self.history, self.stopped = number, history, stopped
        self.connections = {}

    def run(self):
        count = 0
        while not self.stopped.wait(PAUSE):
            count += 1
            self.round(count)
        for connection in self.connections.values():
            connection._force_close()

    def attempt(self, kind, work, route="writer", **about):
        """Do this on a connection, and record it; work gives what is to be recorded besides. Whether it was acknowledged."""
        event = dict(about, client=self.number, kind=kind, route=route, error=None, start=time.monotonic())
        try:
            if route not in self.connections:
                self.connections[route] = connect(route)
            event.update(work(self.connections[route]))
        except (pymysql.Error, OSError) as problem:
            event["error"] = str(problem)
            connection = self.connections.pop(route, None)
            if connection is not None:
                connection._force_close()
        event["end"] = time.monotonic()
        self.history.append(event)
        return event["error"] is None

    def round(self, count):
        raise NotImplementedError


class Registers(Session):
    def round(self, count):
        def write(connection):
            statement = f"UPDATE anomaly_registers SET value = %s, member = {MEMBER} WHERE id = %s"
            query(connection, statement, count, self.number)
            return {}

        self.attempt("write", write, key=self.number, value=count)
        for key in (self.number, (self.number + 1) % SESSIONS):

            def read(connection, key=key):
                rows = query(connection, f"SELECT value, member, {MEMBER} FROM anomaly_registers WHERE id = %s", key)
                return dict(zip(("value", "writer", "member"), rows[0] if rows else (None,) * 3))

            for route in ("writer", "reader"):
                self.attempt("read", read, route, key=key)


class Counter(Session):
    lock = "FOR UPDATE"

    def round(self, count):
        key = count % COUNTERS

        def increment(connection):
            query(connection, "START TRANSACTION")
            rows = query(connection, f"SELECT value FROM anomaly_counters WHERE id = %s {self.lock}", key)
            value = rows[0][0] + 1
            query(connection, "UPDATE anomaly_counters SET value = %s WHERE id = %s", value, key)
            query(connection, "COMMIT")
            return {"value": value}

        self.attempt("increment", increment, key=key)


class Sum(Session):
    def round(self, count):
        def add(connection):
            query(connection, "UPDATE anomaly_sums SET value = value + 1 WHERE id = %s", self.number)
            return {}

        self.attempt("addition", add, key=self.number)


class Pair(Session):
    """Two of these meet at a barrier, with a new pair of rows in each round."""

    def __init__(self, number, side, barrier, history, stopped):
        super().__init__(number, history, stopped)
        self.side, self.barrier = side, barrier

    def round(self, count):
        def withdraw(connection):
            query(connection, "START TRANSACTION")
            rows = query(connection, "SELECT value FROM anomaly_pairs WHERE round = %s ORDER BY side FOR UPDATE", count)
            seen = [row[0] for row in rows]
            value = 0 if seen == [1, 1] else None
            if value == 0:
                query(connection, "UPDATE anomaly_pairs SET value = 0 WHERE round = %s AND side = %s", count, self.side)
            query(connection, "COMMIT")
            return {"seen": seen, "value": value}

        def make(connection):
            query(connection, "INSERT INTO anomaly_pairs VALUES (%s, 0, 1), (%s, 1, 1)", count, count)
            return {}

        if self.side == 0:
            self.attempt("pair", make, key=count)
        try:
            self.barrier.wait()
        except threading.BrokenBarrierError:
            return  # the end
        self.attempt("withdrawal", withdraw, key=count, side=self.side)


def prepare():
    """Empty tables, with the rows that are updated. The proxy may still have connections that the members have ended."""
    connection = connect("writer")
    for name, columns in TABLES.items():
        query(connection, f"DROP TABLE IF EXISTS {name}")
        query(connection, f"CREATE TABLE {name} ({columns})")
    for name, count in (("anomaly_registers", SESSIONS), ("anomaly_counters", COUNTERS)):
        for number in range(count):
            query(connection, f"INSERT INTO {name} (id, value) VALUES (%s, 0)", number)
    for number in ADDERS:
        query(connection, "INSERT INTO anomaly_sums VALUES (%s, 0)", number)
    connection.close()


def patiently(work):
    """Again and again until it succeeds, for a minute."""
    end = time.monotonic() + 60
    while True:
        try:
            return work()
        except (pymysql.Error, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def wait_until_there():
    """Both hostgroups have members, and every member has the tables (ten reads in a row find the last row)."""
    end, good = time.monotonic() + 60, 0
    while good < 10:
        try:
            connection = connect("reader")
            rows = query(connection, "SELECT COUNT(*) FROM anomaly_counters")
            connection.close()
            good = good + 1 if rows[0][0] == COUNTERS else 0
        except (pymysql.Error, OSError):
            good = 0
        if time.monotonic() > end:
            sys.exit("waited 60 s in vain for members in the reader hostgroup")


def final(table):
    """What a table holds; None if nobody says so for a minute."""
    try:
        return patiently(lambda: dict(query(connect("writer"), f"SELECT id, value FROM {table}")))
    except (pymysql.Error, OSError):
        return None


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--history", required=True)
    parser.add_argument("--unlocked", action="store_true")
    options = parser.parse_args(arguments)
    if options.unlocked:
        Counter.lock = ""
    patiently(prepare)
    wait_until_there()
    history, stopped, barrier = [], threading.Event(), threading.Barrier(2)
    sessions = [Registers(number, history, stopped) for number in range(SESSIONS)]
    sessions += [Counter(SESSIONS + number, history, stopped) for number in range(COUNTING)]
    sessions += [Pair(SESSIONS + COUNTING + side, side, barrier, history, stopped) for side in (0, 1)]
    sessions += [Sum(number, history, stopped) for number in ADDERS]
    origin = time.monotonic()
    print(time.time(), flush=True)
    for session in sessions:
        session.start()
    time.sleep(options.seconds)
    stopped.set()
    barrier.abort()
    end = time.monotonic() + 50
    for session in sessions:
        session.join(max(0.0, end - time.monotonic()))
    with open(options.history, "w") as target:
        for event in list(history):
            target.write(json.dumps(dict(event, start=event["start"] - origin, end=event["end"] - origin)) + "\n")
        registers = final("anomaly_registers")
        counters = registers and final("anomaly_counters")
        sums = counters and final("anomaly_sums")
        target.write(json.dumps({"registers": registers, "counters": counters, "sums": sums}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
