#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put another data directory, or a blank one, in the place of a stopped server's."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysqld_data_directory
short_description: Put another data directory, or a blank one, in the place of a stopped server's
version_added: 1.0.0
description:
  - Sets the data directory of a server aside and puts another one in its place, by renaming. Nothing is removed or copied.
  - Refuses while the server runs.
  - A run that was interrupted is taken up by the next one with the same O(name), at whichever step.
  - What belongs to the server rather than to its data stays - C(mysqld-auto.cnf) and the certificates that it made by itself. Its C(server_uuid) does not.
  - Used by the playbook C(distdb.mysql_ha.restore).
options:
  path:
    description: The data directory.
    type: path
    default: /var/lib/mysql
  name:
    description: Name of this replacement, by which an interrupted one is known.
    type: str
    required: true
  state:
    description:
      - V(looked) - says what there is.
      - V(replaced) - O(source), or without it a blank data directory, is in the place.
      - V(finished) - a replacement is over. What was set aside gets a name by the time (C(/var/lib/mysql.old-20261127T171944Z)).
    type: str
    choices: [looked, replaced, finished]
    default: looked
  source:
    description:
      - With O(state=replaced), a data directory on the same file system, such as RV(beside). Without it C(mysqld --initialize-insecure) makes a blank one.
    type: path
  keep:
    description: With O(state=finished), whether what was set aside stays. V(false) removes it.
    type: bool
    default: true
  service:
    description: The systemd service of the server.
    type: str
    default: mysql
  user:
    description: The operating system's account of the server.
    type: str
    default: mysql
  login_user:
    description: Account that a blank data directory is to have, with all privileges, at localhost.
    type: str
    default: root
  login_password:
    description: Password of O(login_user).
    type: str
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.full
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: See where another data directory can be made
  distdb.mysql_ha.mysqld_data_directory:
    name: monday
  register: there

- name: A restored data directory is in its place
  distdb.mysql_ha.mysqld_data_directory:
    name: monday
    state: replaced
    source: "{{ there.beside }}"
"""

RETURN = r"""
stage:
  description: V(done) where the other data directory is in its place, V(begun) where what was there is set aside, V(none) otherwise, as it was before.
  returned: success
  type: str
beside:
  description: Where another data directory can be made, so that it can be renamed.
  returned: success
  type: str
  sample: /var/lib/mysql.next-monday
aside:
  description: Where the former data directory is, or is going to be, until the replacement is over.
  returned: success
  type: str
  sample: /var/lib/mysql.before-monday
kept:
  description: Where the former data directory stays. Empty without one.
  returned: when O(state=finished)
  type: str
  sample: /var/lib/mysql.old-20261127T171944Z
used:
  description: Bytes of the data directory.
  returned: success
  type: int
free:
  description: Bytes that are free on its file system.
  returned: success
  type: int
running:
  description: Whether the server runs.
  returned: success
  type: bool
"""

import os
import shutil
import tempfile
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._data_directory import Replacement, free_at, size_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import run
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, Result, conclude
from ansible_collections.distdb.mysql_ha.plugins.module_utils._service import state_of

STOPPED = ("inactive", "failed", "")
# A profile of AppArmor lets mysqld read there.
FOLDER = "/etc/mysql"
PATIENCE = 600


def first_statements(user: str, password: str) -> str:
    """What a blank server is to do: one statement a line."""
    account = "'{}'@'localhost'".format(user.replace("\\", "\\\\").replace("'", "''"))
    secret = password.replace("\\", "\\\\").replace("'", "''")
    return (
        f"CREATE USER IF NOT EXISTS {account};\nALTER USER {account} IDENTIFIED BY '{secret}';\n"
        f"GRANT ALL ON *.* TO {account} WITH GRANT OPTION;\n"
    )


def initialise(directory: str, user: str, login: tuple[str, str]) -> None:
    """A blank data directory there, by the server that is installed and its options."""
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    shutil.chown(directory, user, user)
    with tempfile.NamedTemporaryFile("w", dir=FOLDER, prefix=".gr-first-", suffix=".sql", encoding="utf-8") as script:
        script.write(first_statements(*login))
        script.flush()
        shutil.chown(script.name, user, user)
        # An option file that names a binary log has it written here, too, and the server would not be blank.
        done = run(
            [
                "mysqld",
                "--initialize-insecure",
                f"--user={user}",
                f"--datadir={directory}",
                f"--init-file={script.name}",
                "--skip-log-bin",
            ],
            timeout=PATIENCE,
        )
    if done.code:
        words = [line for line in done.errors.splitlines() if "[ERROR]" in line] or done.errors.splitlines()[-3:]
        raise Refusal(
            f"mysqld --initialize-insecure ended with code {done.code}: {'; '.join(words) or 'its error log says why'}"
        )


def replace(params: dict[str, Any], work: Replacement) -> None:
    """The steps, of which those that are done already do nothing."""
    here = work.places
    if params["source"] and work.stage() == "none" and not os.path.isdir(params["source"]):
        raise Refusal(f"source: there is no directory {params['source']} (allowed: a data directory that was restored)")
    work.set_aside()
    source = params["source"]
    if not source:
        try:
            os.makedirs(here.path, exist_ok=True)
            shutil.chown(here.path, params["user"], params["user"])
            initialise(here.blank, params["user"], (params["login_user"], params["login_password"] or ""))
        except (Refusal, OSError, LookupError):
            work.put_back()
            raise
        source = here.blank
    work.take_place(source)


def work_on(params: dict[str, Any], check_mode: bool, now: float) -> Result:
    work = Replacement(params["path"], params["name"])
    here, stage = work.places, work.stage()
    running = state_of(params["service"]).active not in STOPPED
    result: Result = {
        "changed": False,
        "stage": stage,
        "beside": here.beside,
        "aside": here.aside,
        "used": size_of(here.path),
        "free": free_at(here.path),
        "running": running,
    }
    if params["state"] == "replaced" and stage != "done":
        result["changed"] = True
        new = params["source"] or "a blank data directory"
        result["diff"] = {
            "before": f"{here.path}\n",
            "after": f"{here.path}: {new}\n{here.aside}: what was in {here.path}\n",
        }
        if not check_mode:
            if running:
                raise Refusal(f"the server {params['service']} runs; {here.path} is replaced while it is stopped only.")
            replace(params, work)
    if params["state"] == "finished":
        result["kept"] = ""
        result["changed"] = stage == "done"
        if stage == "done" and not check_mode:
            result["kept"] = work.finish(now, params["keep"])
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="path", default="/var/lib/mysql"),
            name=dict(type="str", required=True),
            state=dict(type="str", choices=["looked", "replaced", "finished"], default="looked"),
            source=dict(type="path"),
            keep=dict(type="bool", default=True),
            service=dict(type="str", default="mysql"),
            user=dict(type="str", default="mysql"),
            login_user=dict(type="str", default="root"),
            login_password=dict(type="str", no_log=True),
        ),
        supports_check_mode=True,
    )
    conclude(module, lambda: work_on(module.params, module.check_mode, time.time()))


if __name__ == "__main__":
    main()
