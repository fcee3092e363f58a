# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A writer, as an application has it: a row every 20 ms until standard input ends; then what it saw, as JSON.

Where its address refuses it, it goes on with the next one.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

import pymysql


def main() -> None:
    """USER, then addresses (HOST or HOST:PORT); the password in MYSQL_PWD."""
    user, *addresses = sys.argv[1:]
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    rows, failed, longest, last, errors, connection = [], 0, 0.0, time.monotonic(), {}, None
    number = time.time_ns() // 1_000_000_000 * 1000  # beyond those of a writer before
    while not ended.is_set():
        number += 1
        try:
            if connection is None:
                host, _colon, port = addresses[0].partition(":")
                connection = pymysql.connect(
                    host=host, port=int(port or 3306), user=user, password=os.environ["MYSQL_PWD"], autocommit=True, connect_timeout=2,
                    read_timeout=10, write_timeout=10,
                )  # fmt: skip
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO shop.written (id) VALUES (%s)", (number,))
            rows.append(number)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        except pymysql.err.MySQLError as error:
            failed += 1
            addresses = addresses[1:] + addresses[:1]
            errors[str(error.args[0])] = errors.get(str(error.args[0]), 0) + 1
            if connection is not None:
                connection.close()
                connection = None
        time.sleep(0.02)
    longest = max(longest, time.monotonic() - last)
    print(json.dumps({"rows": rows, "failed": failed, "longest_gap": round(longest, 2), "errors": errors}))


if __name__ == "__main__":
    main()
