# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ProxySQL's own metrics, for node_exporter's textfile collector. Its argument is a JSON file: host, port, user, password, file.

Where ProxySQL does not answer, proxysql_up is 0 and nothing else is there: what it said before is not true any more. Needs PyMySQL alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pymysql

# Seconds that ProxySQL has.
PATIENCE = 4
OWN = """# HELP proxysql_up Whether ProxySQL's admin interface answers.
# TYPE proxysql_up gauge
proxysql_up {up}
# HELP proxysql_written_timestamp_seconds When these metrics were made.
# TYPE proxysql_written_timestamp_seconds gauge
proxysql_written_timestamp_seconds {now:.0f}
"""


def ask(options):
    """What ProxySQL says of itself."""
    more = {"ssl_disabled": True} if pymysql.VERSION >= (1, 0) else {}
    # It knows no autocommit at a login.
    connection = pymysql.connect(
        host=options["host"], port=int(options["port"]), user=options["user"], password=options["password"].encode(),
        connect_timeout=PATIENCE, read_timeout=PATIENCE, write_timeout=PATIENCE, autocommit=None, **more,
    )  # fmt: skip
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW PROMETHEUS METRICS")
            return str(cursor.fetchone()[0])
    finally:
        # Not close(), which would write to a proxy that may hang.
        connection._force_close()


def metrics(options):
    """The text, and why ProxySQL did not answer, or ""."""
    try:
        text, problem = ask(options), ""
    except (pymysql.Error, OSError, RuntimeError, ValueError, TypeError) as error:
        text, problem = "", " ".join(str(error.args[-1] if error.args else error).split()) or type(error).__name__
    return OWN.format(up=0 if problem else 1, now=time.time()) + text, problem


def put(path, text):
    """Replace the file in one step; whoever may read the directory may read it, as it holds no secret."""
    made = path.with_name(f".{path.name}.new")
    with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "w", encoding="utf-8") as target:
        os.fchmod(target.fileno(), 0o644)
        target.write(text)
    os.replace(made, path)


def main(option_file):
    options = json.loads(Path(option_file).read_text(encoding="utf-8"))
    text, problem = metrics(options)
    put(Path(options["file"]), text)
    if problem:
        print(f"ProxySQL does not answer at {options['host']}:{options['port']}: {problem}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1])
