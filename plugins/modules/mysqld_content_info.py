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
"""

RETURN = r"""
tables:
  description: For each table, as C(schema.table), its C(rows) and C(checksum).
  returned: success
  type: dict
  sample: {"shop.orders": {"rows": 4711, "checksum": 2803420189}}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import Login, reason
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, Result, conclude

# In hexadecimal: names may hold anything.
TABLES = (
    "SELECT HEX(table_schema), HEX(table_name) FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
    " AND table_schema NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema') ORDER BY 1, 2"
)
PATIENCE = 86400


def answer(login: Login, statement: str) -> list[list[str]]:
    done = login.ask(statement, timeout=PATIENCE)
    if done.code:
        raise Refusal(f"the server could not be asked what it holds: {reason(done)}")
    return [line.split("\t") for line in done.output.splitlines()]


def content(login: Login) -> dict[str, dict[str, int]]:
    found = {}
    for schema, table in answer(login, TABLES):
        names = [bytes.fromhex(part).decode("utf-8") for part in (schema, table)]
        quoted = ".".join("`" + name.replace("`", "``") + "`" for name in names)
        rows = answer(login, f"SELECT COUNT(*) FROM {quoted}")
        checksum = answer(login, f"CHECKSUM TABLE {quoted}")
        if not checksum[0][-1].isdigit():
            raise Refusal(f"{'.'.join(names)} has no checksum: it cannot be read")
        found[".".join(names)] = {"rows": int(rows[0][0]), "checksum": int(checksum[0][-1])}
    return found


def look(params: Result) -> Result:
    return {"changed": False, "tables": content(Login.of(params))}


def main() -> None:
    module = AnsibleModule(argument_spec=Login.options(), supports_check_mode=True)
    conclude(module, lambda: look(module.params))


if __name__ == "__main__":
    main()
