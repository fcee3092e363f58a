# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ProxySQL on the lab's hosts: its admin interface, the role, where the servers are."""

from __future__ import annotations

import json

ADMIN = """
import json, sys, pymysql
request = json.load(sys.stdin)
connection = pymysql.connect(host='127.0.0.1', port=6032, user='admin', password=request['password'], autocommit=None)
cursor, answer = connection.cursor(), []
for statement in request['statements']:
    cursor.execute(statement)
    answer.append(cursor.fetchall())
print(json.dumps(answer, default=str))
"""


class Proxy:
    """ProxySQL on a host of the lab; options: what ansible-playbook gets beside the inventory, to limit it to this host and more."""

    def __init__(self, lab, host="proxy", options=("--limit", "proxy")):
        self.lab, self.host, self.options = lab, host, options
        self.password = lab.variable("proxy", "proxysql_admin_password")

    def run(self, *statements, password=None) -> list:
        """The rows of each statement on the admin interface; the password goes through standard input."""
        request = json.dumps(dict(password=password or self.password, statements=statements))
        quoted = request.replace("'", "'\\''")
        return json.loads(self.lab.on(self.host, "sh", "-c", f"printf %s '{quoted}' | python3 -c \"{ADMIN}\""))

    def role(self, *arguments):
        return self.lab.site(*self.options, *arguments)

    def placed(self) -> set:
        rows = self.run("SELECT hostgroup_id, hostname, status FROM runtime_mysql_servers")[0]
        return {(int(row[0]), row[1]) for row in rows if row[2] == "ONLINE"}

    def unchanged(self):
        again = self.role()
        assert again.code == 0 and set(again.changed.values()) == {0}, again
