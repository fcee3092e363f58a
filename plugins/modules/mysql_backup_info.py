#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What backups there are, and what they can restore."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_backup_info
short_description: What physical backups there are, and what each can restore
version_added: 1.0.0
description:
  - Asks the program C(mysql-gr-backup) of a host that the role P(distdb.mysql_ha.mysql_backup#role) has set up. Changes nothing.
options:
  what:
    description:
      - V(list) - the full backups in the place, and to which point each leads.
      - V(status) - how stream, full backups and place are, with alarms.
      - V(check) - whether everything that the records name is in the place.
      - V(plan) - what a restore to O(target) would take, or why it cannot be.
    type: str
    choices: [list, status, check, plan]
    default: list
  full:
    description: ID of a full backup. With O(what=check) it and its logs alone are checked; with O(what=plan) the restore begins with it.
    type: str
  deep:
    description: With O(what=check), read everything and compare its checksums.
    type: bool
    default: false
  target:
    description:
      - With O(what=plan), the point to restore.
      - V(latest), V(gtid:SET) (once this set is executed), V(before:UUID:NUMBER) (just before this transaction), V(time:2026-11-27T17:00:00Z) (UTC; the
        last transaction that was committed by then).
    type: str
    default: latest
  timeline:
    description: With O(what=plan), number of the timeline. A timeline begins with each restore. Default is the newest.
    type: int
  program:
    description: The program.
    type: path
    default: /usr/local/sbin/mysql-gr-backup
  timeout:
    description: Seconds that it has.
    type: int
    default: 3600
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.looks
seealso:
  - module: distdb.mysql_ha.mysql_backup_run
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: See what can be restored
  distdb.mysql_ha.mysql_backup_info:
  register: backups

- name: See what a restore to just before a transaction would take
  distdb.mysql_ha.mysql_backup_info:
    what: plan
    target: before:8f22f846-9922-4139-b2b7-097d185a93cb:4711
"""

RETURN = r"""
answer:
  description: What the program said, as its option C(--json) has it.
  returned: success
  type: dict
  sample: {"full": "20261127T013000Z-db2", "timeline": 1, "bytes": 1048576, "steps": []}
well:
  description: Whether it found everything well - no alarm, nothing missing.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup_program import PROGRAM, ask, target_arguments
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Result, conclude


def arguments_of(params: Result) -> list[str]:
    """The command and its arguments."""
    what, full = params["what"], params["full"]
    if what == "check":
        return ["check", *([full] if full else []), *(["--deep"] if params["deep"] else [])]
    if what == "plan":
        number = params["timeline"]
        return [
            "plan",
            *target_arguments(params["target"]),
            *(["--full", full] if full else []),
            *(["--timeline", str(number)] if number else []),
        ]
    return [what]


def look(params: Result) -> Result:
    answer, code = ask(params["program"], arguments_of(params), params["timeout"])
    return {"changed": False, "answer": answer, "well": code == 0}


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            what=dict(type="str", choices=["list", "status", "check", "plan"], default="list"),
            full=dict(type="str"),
            deep=dict(type="bool", default=False),
            target=dict(type="str", default="latest"),
            timeline=dict(type="int"),
            program=dict(type="path", default=PROGRAM),
            timeout=dict(type="int", default=3600),
        ),
        supports_check_mode=True,
    )
    conclude(module, lambda: look(module.params))


if __name__ == "__main__":
    main()
