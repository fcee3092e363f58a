#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make, restore, extract or rehearse a physical backup."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_backup_run
short_description: Make, restore, extract or rehearse a physical backup
version_added: 1.0.0
description:
  - Runs the program C(mysql-gr-backup) of a host that the role P(distdb.mysql_ha.mysql_backup#role) has set up, until it has ended. That can take hours;
    let the task run with C(async).
options:
  command:
    description:
      - V(full) - makes a full backup.
      - V(restore) - makes a data directory in O(to) with what the cluster had at O(target). The host's own server is not touched.
      - V(extract) - writes a schema or a table as it was at O(target) to O(to), as SQL.
      - V(drill) - restores the newest full backup, brings it to now, and compares it with the cluster. Nothing of it is left.
      - V(timeline) - begins a new timeline, for a cluster that was restored.
    type: str
    choices: [full, restore, extract, drill, timeline]
    required: true
  target:
    description: The point that is restored, as in M(distdb.mysql_ha.mysql_backup_info).
    type: str
    default: latest
  full:
    description: ID of the full backup that the restore begins with. Default is the one that is nearest to O(target).
    type: str
  timeline:
    description: Number of the timeline. Default is the newest. With O(command=timeline), the one that the new one comes from.
    type: int
  to:
    description: With O(command=restore) a directory, with O(command=extract) a file. Required for both.
    type: path
  schema:
    description: With O(command=extract), the schema. This or O(table) is required.
    type: str
  table:
    description: With O(command=extract), the table, as C(schema.table).
    type: str
  gtid:
    description: With O(command=timeline), the GTID set that the cluster was restored to. Required then.
    type: str
  checksums:
    description: >-
      With O(command=restore), whether the answer has the checksum of each table, and not its rows alone. With O(command=full), whether the backup has them, so
      that later restores compare them; the copy is read once more.
    type: bool
    default: false
  identity:
    description:
      - The secret key of age, as text, that one of C(mysql_backup_encrypt_to) belongs to. Needed for whatever reads backups that are encrypted.
      - It is handed to the program by its standard input, and is on no disk and in no command line.
    type: str
  program:
    description: The program.
    type: path
    default: /usr/local/sbin/mysql-gr-backup
  timeout:
    description: Seconds that it has.
    type: int
    default: 86400
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
attributes:
  check_mode:
    support: full
    details: With O(command=restore) and O(command=extract), the plan is made, and refused where it cannot be.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: Each run makes a backup, or restores; a restore that was interrupted is taken up.
seealso:
  - module: distdb.mysql_ha.mysql_backup_info
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: A full backup
  distdb.mysql_ha.mysql_backup_run:
    command: full

- name: A data directory as it was before a table was dropped
  distdb.mysql_ha.mysql_backup_run:
    command: restore
    target: before:8f22f846-9922-4139-b2b7-097d185a93cb:4711
    to: /var/lib/mysql.next-monday
    identity: "{{ backup_identity }}"
  async: 86400
  poll: 15
"""

RETURN = r"""
answer:
  description: What the program said, as its option C(--json) has it; in check mode the plan of a restore, or nothing.
  returned: success
  type: dict
  sample: {"full": "20261127T013000Z-db2", "timeline": 1, "gtid": "8f22f846-9922-4139-b2b7-097d185a93cb:1-4710"}
well:
  description: Whether it found everything well.
  returned: success
  type: bool
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup_program import PROGRAM, ask, target_arguments
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, Result, conclude

TARGETED = ("restore", "extract")
READING = ("restore", "extract", "drill")


def point_of(params: dict[str, Any]) -> list[str]:
    """Which point, from which full backup."""
    number = params["timeline"]
    return [
        *target_arguments(params["target"]),
        *(["--full", params["full"]] if params["full"] else []),
        *(["--timeline", str(number)] if number else []),
    ]


def arguments_of(params: dict[str, Any]) -> list[str]:
    """The command and its arguments."""
    command = params["command"]
    checksums = ["--checksums"] if params["checksums"] and command in ("full", "restore") else []
    if command == "full":
        return ["full", "--now", *checksums]
    if command == "timeline":
        if not params["gtid"] or not params["timeline"]:
            raise Refusal("gtid, timeline: both are needed for command timeline (allowed: what the restore returned)")
        return ["timeline", "new", "--parent", str(params["timeline"]), "--fork", params["gtid"]]
    found = [command, *(point_of(params) if command in TARGETED else [])]
    if command in TARGETED:
        if not params["to"]:
            raise Refusal(f"to: is needed for command {command} (allowed: an absolute path)")
        found += ["--to", params["to"], *checksums]
    if command == "extract":
        if bool(params["schema"]) == bool(params["table"]):
            raise Refusal("schema, table: one of them is needed for command extract (allowed: one of them)")
        found += ["--schema", params["schema"]] if params["schema"] else ["--table", params["table"]]
    if params["identity"]:
        found += ["--identity", "-"]
    return found


def work(params: dict[str, Any], check_mode: bool) -> Result:
    arguments = arguments_of(params)
    if check_mode:
        answer: dict[str, Any] = {}
        if params["command"] in TARGETED:
            answer, _code = ask(params["program"], ["plan", *point_of(params)], params["timeout"])
        return {"changed": True, "answer": answer, "well": True}
    stdin = params["identity"] if params["command"] in READING else None
    answer, code = ask(params["program"], arguments, params["timeout"], stdin)
    return {"changed": "nothing" not in answer, "answer": answer, "well": code == 0}


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            command=dict(type="str", choices=["full", "restore", "extract", "drill", "timeline"], required=True),
            target=dict(type="str", default="latest"),
            full=dict(type="str"),
            timeline=dict(type="int"),
            to=dict(type="path"),
            schema=dict(type="str"),
            table=dict(type="str"),
            gtid=dict(type="str"),
            checksums=dict(type="bool", default=False),
            identity=dict(type="str", no_log=True),
            program=dict(type="path", default=PROGRAM),
            timeout=dict(type="int", default=86400),
        ),
        supports_check_mode=True,
    )
    conclude(module, lambda: work(module.params, module.check_mode))


if __name__ == "__main__":
    main()
