#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the server of this host would start with options, before they are written into a file."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysqld_options_check
short_description: Whether this host's mysqld accepts options, before they are written into an option file
version_added: 1.0.0
description:
  - Has the installed C(mysqld) check the options (C(--validate-config), from MySQL 8.0.16 on) and, where a server runs, asks it about those that
    C(mysqld) does not check - whether it knows the time zone, and whether options that a data directory has for good differ.
  - Changes nothing and writes no file. C(mysqld) is given the options on its command line.
  - With O(file), also reads the other option files of the server for what they say against the options.
  - It cannot foresee everything that keeps a server from starting, for instance too little memory.
  - Used by the role P(distdb.mysql_ha.mysql_gr#role).
options:
  lines:
    description: The options, one a line as in an option file, such as C(max_connections = 200).
    type: list
    elements: str
    required: true
  check_arguments:
    description: Arguments by which this version of C(mysqld) checks its options and ends.
    type: list
    elements: str
    default: [--validate-config]
  mysqld:
    description: The server's program.
    type: path
    default: /usr/sbin/mysqld
  user:
    description: Account of the operating system that the server runs as.
    type: str
    default: mysql
  file:
    description: The option file that O(lines) are to be in. It need not exist.
    type: path
  running:
    description: Whether to ask the running server too.
    type: bool
    default: true
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.looks
  - distdb.mysql_ha.mysql.client
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: Check options
  distdb.mysql_ha.mysqld_options_check:
    lines:
      - max_connections = 200
      - default_time_zone = Europe/Berlin
  register: checked
  failed_when: checked.problems | length > 0
"""

RETURN = r"""
problems:
  description: Why the server would not start with these options, in its own words; empty where nothing was found.
  returned: success
  type: list
  elements: str
  sample: ["unknown variable 'max_conections=200'."]
current:
  description: O(lines) as they would be for what the server runs with; those that name no variable of it are missing. None without a running server.
  returned: always
  type: list
  elements: str
overridden:
  description: Options in O(lines) to which an option file that is read after O(file) gives another value, with both values and its name.
  returned: always
  type: list
  elements: str
  sample: ["max_connections = 500 in /etc/mysql/mysql.conf.d/zzz.cnf (wanted: 151)"]
persisted:
  description: Options in O(lines) that are persisted in the data directory (C(SET PERSIST)), which has precedence over every option file.
  returned: always
  type: list
  elements: str
"""

import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._error_log import error_lines
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import NO_SUCH_PROGRAM, Done, Login, reason, run
from ansible_collections.distdb.mysql_ha.plugins.module_utils._server_files import (
    overridden,
    parse_line,
    same,
    same_value,
    without_loose,
)

# A data directory has these for good: another value keeps the server from starting.
FOR_GOOD = ("lower_case_table_names", "innodb_page_size", "innodb_data_file_path", "innodb_undo_directory")


def reasons(done: Done) -> list[str]:
    """Why mysqld does not accept its options, in its own words."""
    found = error_lines(f"{done.errors}\n{done.output}")
    if not found and done.code:
        lines = [line.strip() for line in done.errors.splitlines() if line.strip()]
        found.append(lines[-1] if lines else f"mysqld ended with code {done.code}")
    return found


def ask(login: Login, options: dict[str, str]) -> list[str]:
    """What the running server says against options that mysqld does not check."""
    problems = []
    zone = options.get("default_time_zone")
    if zone is not None:
        quoted = zone.replace("\\", "\\\\").replace("'", "''")
        done = login.ask(f"SET SESSION time_zone = '{quoted}'")
        if done.code:
            problems.append(f"default_time_zone={zone}: {reason(done)} (are the time zone tables of MySQL filled?)")
    for name in FOR_GOOD:
        if name not in options:
            continue
        done = login.ask(f"SELECT @@GLOBAL.{name}")
        found = done.output.strip()
        if done.code == 0 and not same(options[name], found):
            problems.append(
                f"{name}={options[name]}: the data directory was made with {found}, which cannot be changed"
            )
    return problems


def running_lines(lines: list[str], variables: dict[str, str], plugins: list[str]) -> list[str]:
    """The lines as they would be for what the server runs with: a line that says the same stays as it is, one of no variable is left out."""
    found = []
    # As a variable it says only whether there is one.
    logs = variables.get("log_bin_basename", "")
    variables = {**variables, "log_bin": os.path.basename(logs) or variables.get("log_bin", "")}
    for line in lines:
        name, wanted = parse_line(line)
        name = without_loose(name)
        if name == "plugin_load_add":
            # group_replication.so has the plugin group_replication, mysql_clone.so the plugin clone.
            if any(plugin in wanted for plugin in plugins):
                found.append(line)
        elif name not in variables and wanted.upper() in ("ON", "OFF"):
            # The state of a plugin, such as mysqlx.
            if (name in plugins) == (wanted.upper() == "ON"):
                found.append(line)
        elif name in variables:
            found.append(line if same_value(wanted, variables[name]) else f"{name} = {variables[name]}")
    return found


def look_at_running(login: Login, lines: list[str]) -> tuple[list[str], list[str]]:
    """(the lines for what the server runs with, those of their names that are persisted in the data directory); none where it cannot be asked."""
    variables = login.ask("SHOW GLOBAL VARIABLES")
    plugins = login.ask("SELECT PLUGIN_NAME FROM information_schema.PLUGINS WHERE PLUGIN_STATUS = 'ACTIVE'")
    persisted = login.ask("SELECT VARIABLE_NAME FROM performance_schema.persisted_variables")
    if variables.code or plugins.code:
        return [], []
    pairs = (line.partition("\t") for line in variables.output.splitlines())
    names = [without_loose(parse_line(line)[0]) for line in lines]
    kept = persisted.output.split() if persisted.code == 0 else []
    running = {name: value for name, _tab, value in pairs}
    return running_lines(lines, running, plugins.output.split()), [name for name in names if name in kept]


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            lines=dict(type="list", elements="str", required=True),
            check_arguments=dict(type="list", elements="str", default=["--validate-config"]),
            mysqld=dict(type="path", default="/usr/sbin/mysqld"),
            user=dict(type="str", default="mysql"),
            file=dict(type="path"),
            running=dict(type="bool", default=True),
            **Login.options(),
        ),
        supports_check_mode=True,
    )
    wanted = module.params
    options = [parse_line(line) for line in wanted["lines"]]
    words = [f"--{name}={value}" for name, value in options]
    done = run(
        [wanted["mysqld"], "--no-defaults", f"--user={wanted['user']}", *words, *wanted["check_arguments"]], timeout=60
    )
    if done.code == NO_SUCH_PROGRAM:
        module.fail_json(msg=f"mysqld: {wanted['mysqld']} does not exist on this host")
    problems = reasons(done) if done.code else []
    current: list[str] = []
    persisted: list[str] = []
    if not problems and wanted["running"]:
        login = Login.of(wanted)
        problems = ask(login, {without_loose(name): value for name, value in options})
        current, persisted = look_at_running(login, wanted["lines"])
    later = overridden(wanted["lines"], wanted["file"]) if wanted["file"] else []
    module.exit_json(changed=False, problems=problems, overridden=later, current=current, persisted=persisted)


if __name__ == "__main__":
    main()
