#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start or restart mysqld, and end with its own words if it does not start."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysqld_service
short_description: Start or restart mysqld, and say in its own words why it does not start
version_added: 1.0.0
description:
  - Starts the systemd service of a MySQL server and waits until it serves. If it does not start, the message quotes the errors of this start from
    the error log, and the service is left stopped.
  - >-
    C(systemctl start) can wait indefinitely. Seen on MySQL 9.7.4 with Group Replication - mysqld writes C(Aborting), does not end, and the packages' service
    has no limit of time. This module sees that line, and stops what is left of the server by C(SIGKILL) after O(grace) seconds.
  - Used by the role P(distdb.mysql_ha.mysql_gr#role).
options:
  name:
    description: The systemd service.
    type: str
    default: mysql
  state:
    description: V(started) leaves a server that runs alone; V(restarted) restarts it.
    type: str
    choices: [started, restarted]
    default: started
  error_log:
    description: Error log of the server. Without it the journal of the service is quoted.
    type: path
  timeout:
    description: Seconds that the server has. Recovery after a crash counts in.
    type: int
    default: 1800
  grace:
    description: Seconds that a server has to end by itself after it has written that it aborts its start.
    type: int
    default: 10
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: With O(state=restarted) every run restarts the server.
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: Restart the server with its new settings
  distdb.mysql_ha.mysqld_service:
    state: restarted
    error_log: /var/log/mysql/error.log
"""

RETURN = r"""
errors:
  description: The errors of the start that failed, without time and codes.
  returned: when the server does not start
  type: list
  elements: str
  sample: ["Failed to open the bootstrap file /no/such/file"]
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._error_log import last_start
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import run
from ansible_collections.distdb.mysql_ha.plugins.module_utils._service import ErrorLog, State, last_words, state_of

POLL = 0.5


class Service:
    """One systemd service, started and watched."""

    def __init__(self, name: str, log: ErrorLog) -> None:
        self.name = name
        self.log = log

    def begin(self, verb: str) -> str:
        """Ask systemd to do it; why it refused, or ''."""
        # A service that failed often is not started again otherwise.
        run(["systemctl", "reset-failed", self.name])
        done = run(["systemctl", "--no-block", verb, self.name])
        return (done.errors.strip() or f"systemctl {verb} ended with code {done.code}") if done.code else ""

    def wait(self, before: State, timeout: float, grace: float) -> str:
        """Wait until the server is up after before; why it is not, in a word, or ''."""
        end = time.monotonic() + timeout
        aborting_since = None
        while time.monotonic() < end:
            state = state_of(self.name)
            if state.is_up and state.entered != before.entered:
                return ""
            if state.sub == "auto-restart" or (state.active in ("failed", "inactive") and not state.job):
                return "the server ended while it started"
            if "[Server] Aborting" in last_start(self.log.text()):
                aborting_since = aborting_since or time.monotonic()
                if time.monotonic() - aborting_since > grace:
                    return "the server gave its start up and does not end"
            time.sleep(POLL)
        return f"the server was not up within {timeout} s"

    def end(self) -> None:
        """Leave nothing of a start that failed."""
        run(["systemctl", "--no-block", "stop", self.name])
        run(["systemctl", "kill", "--signal=KILL", self.name])
        run(["systemctl", "stop", self.name], timeout=60)


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            name=dict(type="str", default="mysql"),
            state=dict(type="str", choices=["started", "restarted"], default="started"),
            error_log=dict(type="path"),
            timeout=dict(type="int", default=1800),
            grace=dict(type="int", default=10),
        ),
        supports_check_mode=True,
    )
    wanted = module.params
    service = Service(wanted["name"], ErrorLog(wanted["error_log"]))
    before = state_of(service.name)
    if wanted["state"] == "started" and before.is_up:
        module.exit_json(changed=False)
    if module.check_mode:
        module.exit_json(changed=True)
    why = service.begin("restart" if wanted["state"] == "restarted" else "start")
    why = why or service.wait(before, wanted["timeout"], wanted["grace"])
    if why:
        service.end()
        errors = last_words(service.name, last_start(service.log.text()))
        module.fail_json(msg=f"{wanted['name']}: {why}: {'; '.join(errors)}", errors=errors)
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
