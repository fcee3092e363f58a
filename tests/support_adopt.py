# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests share that make a cluster of a server that holds data: an application that writes meanwhile, and whether its rows are everywhere."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys

from support import ROOT, Lab

WRITER = ROOT / "tests/support_adopt_writer.py"
PASSWORD = "App-pass.1"
# What the application has, and its account.
SHOP = f"""
CREATE DATABASE shop;
CREATE TABLE shop.item (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(1000));
INSERT INTO shop.item (name) VALUES (REPEAT('apple', 200));
CREATE TABLE shop.written (id BIGINT PRIMARY KEY);
CREATE USER app@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON shop.* TO app@'%';
"""
# Twice as many rows, of a kilobyte each.
DOUBLE = "INSERT INTO shop.item (name) SELECT name FROM shop.item"


@contextlib.contextmanager
def writer(*addresses: str):
    """An application that writes through the first of these addresses (host or host:port) for as long as it can, then through the next one; a dict
    that has what it saw when the context is over."""
    seen: dict = {}
    command = [str(ROOT / "lab/enter"), sys.executable, str(WRITER), "app", *addresses]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(os.environ, MYSQL_PWD=PASSWORD),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield seen
    finally:
        output, _nothing = process.communicate(timeout=60)
        seen.update(json.loads(output))
        print({name: value for name, value in seen.items() if name != "rows"}, len(seen["rows"]), "rows")


def same_everywhere(lab: Lab, seen: dict) -> None:
    """Every member has every row that was acknowledged, and the tables' checksums are the same."""
    sums = {}
    for member in lab.members:
        rows = {int(row[0]) for row in lab.sql(member, "SELECT id FROM shop.written")}
        assert set(seen["rows"]) <= rows, f"{member} lacks {sorted(set(seen['rows']) - rows)[:5]}"
        sums[member] = lab.sql(member, "CHECKSUM TABLE shop.item, shop.written")
    assert len({str(value) for value in sums.values()}) == 1, sums
