#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows and checksum of each table of a server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysqld_content_info
short_description: Rows and checksum of each table of a server
version_added: 1.0.0
description:
  - Reads every table of the schemas that are not the server's own (C(SELECT COUNT(*)) and C(CHECKSUM TABLE)). On members that have executed the same
    transactions the answers are the same.
  - Used by the playbook C(distdb.mysql_ha.restore), while the group takes no writes.
options:
  checksums:
    description: Compute a checksum of each table, too; that takes several times as long as its rows alone.
    type: bool
    default: true
  sessions:
    description: Tables that are read at the same time. Without it as many as the host has processors, at most 8.
    type: int
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.looks
  - distdb.mysql_ha.mysql.client
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: See what the server holds
  distdb.mysql_ha.mysqld_content_info:
  register: content

- name: See how many rows it has
  distdb.mysql_ha.mysqld_content_info:
    checksums: false
"""

RETURN = r"""
tables:
  description: For each table, as C(schema.table), its C(rows), and its C(checksum), which is null with O(checksums=false).
  returned: success
  type: dict
  sample: {"shop.orders": {"rows": 4711, "checksum": 2803420189}}
"""

import os
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import Login, reason
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, Result, conclude

# In hexadecimal: names may hold anything.
TABLES = (
    "SELECT HEX(table_schema), HEX(table_name) FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
    " AND table_schema NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema') ORDER BY 1, 2"
)
PATIENCE = 86400
SESSIONS_MOST = 8


def answer(login: Login, statement: str) -> list[list[str]]:
    done = login.ask(statement, timeout=PATIENCE)
    if done.code:
        raise Refusal(f"the server could not be asked what it holds: {reason(done)}")
    return [line.split("\t") for line in done.output.splitlines()]


def table_content(login: Login, names: list[str], checksums: bool) -> dict[str, int | None]:
    quoted = ".".join("`" + name.replace("`", "``") + "`" for name in names)
    rows = int(answer(login, f"SELECT COUNT(*) FROM {quoted}")[0][0])
    if not checksums:
        return {"rows": rows, "checksum": None}
    checksum = answer(login, f"CHECKSUM TABLE {quoted}")[0][-1]
    if not checksum.isdigit():
        raise Refusal(f"{'.'.join(names)} has no checksum: it cannot be read")
    return {"rows": rows, "checksum": int(checksum)}


def content(login: Login, checksums: bool, sessions: int) -> dict[str, dict[str, int | None]]:
    tables = [[bytes.fromhex(part).decode("utf-8") for part in row] for row in answer(login, TABLES)]
    with ThreadPoolExecutor(sessions) as pool:
        running = [pool.submit(table_content, login, names, checksums) for names in tables]
        try:
            return {".".join(names): one.result() for names, one in zip(tables, running)}
        finally:
            # One that cannot be read is answer enough.
            for left in running:
                left.cancel()


def look(params: Result) -> Result:
    sessions = params["sessions"]
    if sessions is None:
        sessions = min(os.cpu_count() or 1, SESSIONS_MOST)
    elif sessions < 1:
        raise Refusal(f"sessions: {sessions} is not allowed (allowed: an integer, at least 1)")
    return {"changed": False, "tables": content(Login.of(params), params["checksums"], sessions)}


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(**Login.options(), checksums=dict(type="bool", default=True), sessions=dict(type="int")),
        supports_check_mode=True,
    )
    conclude(module, lambda: look(module.params))


if __name__ == "__main__":
    main()
