#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install packages or package files by apt-get in one call, without starting services."""

from __future__ import annotations

DOCUMENTATION = r"""
module: apt_packages
short_description: Install packages and package files by one call of apt-get, without starting services
version_added: 1.0.0
description:
  - Installs packages by name and package files from the host's disk together, so that apt-get finds their order.
    The apt module of ansible.builtin takes package files one at a time, each after what it depends on.
  - No service is started or restarted by the installation. A policy (C(/usr/sbin/policy-rc.d)) of the host's own is put back afterwards.
  - What an earlier, failed installation left half configured is finished first.
  - When a package's own configuration step fails, the message quotes what the step printed and the ends of O(logs).
  - Where that step was to initialise an empty O(data_directory), it is tried once more, with a warning.
  - Used by the role P(distdb.mysql_ha.mysql_gr#role).
options:
  names:
    description: Packages to be installed from the host's repositories. One that is installed already is left at its version.
    type: list
    elements: str
    default: []
  files:
    description: Checksum by path of package files on the host, such as C(sha256:9f86…). Nothing is installed unless all of them are right.
    type: dict
    default: {}
  state:
    description:
      - V(present) installs.
      - V(verified) only reports which of O(files) are missing or have another checksum.
    type: str
    choices: [present, verified]
    default: present
  logs:
    description: Files whose errors explain why a configuration step failed, such as the error log of a server.
    type: list
    elements: path
    default: []
  data_directory:
    description:
      - Directory that a server's package initialises. If it is empty or missing before the installation and the installation fails, what was left in
        it is removed, and the installation is tried once more.
      - Debian's package of MySQL 9.7 ends the server by a statement, at times before its initialisation is complete (C(System views initialization
        failed)), and then takes what is left for a data directory.
    type: path
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
attributes:
  check_mode:
    support: full
    details: Reports what would be installed. Where one of O(files) is not on the host yet, it reports a change and no packages.
  diff_mode:
    support: none
  idempotent:
    support: full
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: Install a server that is configured before it starts
  distdb.mysql_ha.apt_packages:
    names: [mysql-server]
    logs: [/var/log/mysql/error.log]
    data_directory: /var/lib/mysql

- name: See which package files have to be copied
  distdb.mysql_ha.apt_packages:
    files: {/var/cache/mysql-gr/mysql-server.deb: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}
    state: verified
  register: files
"""

RETURN = r"""
lacking:
  description: Those of O(files) that are missing or have another checksum.
  returned: success
  type: list
  elements: str
packages:
  description: Packages that were installed, upgraded or configured, or would be in check mode.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [mysql-server-core, mysql-server]
"""

import contextlib
import os
import re
import shutil
from typing import Callable, Iterator, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._error_log import error_lines, last_start
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import Done, checksum_of, read, run

POLICY = "/usr/sbin/policy-rc.d"
APT = (
    "apt-get", "-q", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=60",
    "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold",
)  # fmt: skip
APT_FAILED = 100
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive"}
# A server on a slow disk initialises its data directory meanwhile.
PATIENCE = 1800
# Of what a failed step printed, and of each log.
LINES = 12


@contextlib.contextmanager
def no_starts(policy: str = POLICY) -> Iterator[None]:
    """While it holds, packages start no service. A policy of the host's own is put back."""
    kept = policy + ".mysql-gr"
    if os.path.lexists(policy) and not os.path.lexists(kept):
        os.rename(policy, kept)
    try:
        with open(policy, "w", encoding="utf-8") as script:
            script.write("#!/bin/sh\nexit 101\n")
        os.chmod(policy, 0o755)
        yield
    finally:
        if os.path.lexists(kept):
            os.replace(kept, policy)
        elif os.path.lexists(policy):
            os.unlink(policy)


def is_there(path: str, checksum: str) -> bool:
    """Whether the file has that checksum, written sha256:…"""
    algorithm, _colon, wanted = checksum.partition(":")
    return checksum_of(path, algorithm) == wanted.lower()


def planned(simulation: str) -> list[str]:
    """Packages that apt-get --simulate would install or configure, each once."""
    return list(dict.fromkeys(re.findall(r"^(?:Inst|Conf) (\S+)", simulation, re.MULTILINE)))


def failed_step(output: str) -> list[str]:
    """From what apt-get wrote: the last lines before dpkg gave up on a package, or the end."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    for index, line in enumerate(lines):
        if line.startswith("dpkg: error processing"):
            # dpkg's own sentence on how the step ended comes after it.
            first = index
            while first > 0 and index - first < LINES and not lines[first].startswith(("Setting up ", "Unpacking ")):
                first -= 1
            return lines[first : index + 2]
    return lines[-LINES:]


def why(done: Done, logs: Sequence[str]) -> str:
    """Why apt-get failed, in its own words and those of the logs."""
    parts = failed_step(done.output + done.errors)
    for path in logs:
        text = read_end(path)
        ending = (error_lines(last_start(text)) or text.splitlines())[-LINES:]
        if ending:
            parts += [f"-- end of {path}:", *ending]
    return "\n".join(parts)


def read_end(path: str, size: int = 1 << 16) -> str:
    try:
        with open(path, "rb") as source:
            source.seek(max(0, os.path.getsize(path) - size))
            return source.read().decode("utf-8", "replace")
    except OSError:
        return ""


def half_installed(status: str | None = None) -> bool:
    """Whether dpkg has left a package unpacked or half configured."""
    text = read("/var/lib/dpkg/status", 1 << 27) if status is None else status
    return bool(
        re.search(r"^Status: \S+ \S+ (?:unpacked|half-configured|half-installed|triggers-\w+)$", text, re.MULTILINE)
    )


def contents(directory: str) -> list[str]:
    """Paths of what is in a directory, but for what every file system has at its root; nothing where there is no directory."""
    try:
        return [os.path.join(directory, name) for name in sorted(os.listdir(directory)) if name != "lost+found"]
    except FileNotFoundError:
        return []


def remove(paths: Sequence[str]) -> None:
    """Files and directories, with all that is in them."""
    for path in paths:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)


def install(module: AnsibleModule, names: Sequence[str], files: dict[str, str]) -> tuple[bool, list[str]]:
    """Whether anything is changed, and which packages were installed, or would be in check mode."""

    def succeed(command: Sequence[str], again: Callable[[], bool] = lambda: False) -> str:
        done = run(command, timeout=PATIENCE, env=ENVIRONMENT)
        if done.code == APT_FAILED and again():
            done = run(command, timeout=PATIENCE, env=ENVIRONMENT)
        if done.code:
            wanted = ", ".join([*names, *files])
            module.fail_json(msg=f"{command[0]} could not install {wanted}:\n{why(done, module.params['logs'])}")
        return done.output

    def cleared() -> bool:
        """Whether a failed step has left something in the data directory that was blank before; it is removed. Nothing else has written there, and the next
        try would take it for the data of a server."""
        left = contents(directory) if blank else []
        if left:
            module.warn(f"data_directory: {directory} is initialised again, since the first try failed")
            remove(left)
        return bool(left)

    directory = module.params["data_directory"]
    blank = bool(directory) and not contents(directory)
    unfinished = half_installed()
    if unfinished and not module.check_mode:
        with no_starts():
            succeed(["dpkg", "--configure", "--pending", "--force-confdef", "--force-confold"])
    packages = planned(succeed([*APT, "--simulate", "install", *names, *files])) if names or files else []
    if packages and not module.check_mode:
        with no_starts():
            succeed([*APT, "install", *names, *files], cleared)
    return unfinished or bool(packages), packages


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            names=dict(type="list", elements="str", default=[]),
            files=dict(type="dict", default={}),
            state=dict(type="str", choices=["present", "verified"], default="present"),
            logs=dict(type="list", elements="path", default=[]),
            data_directory=dict(type="path"),
        ),
        supports_check_mode=True,
    )
    files = module.params["files"]
    lacking = [path for path, checksum in files.items() if not is_there(path, checksum)]
    if module.params["state"] == "verified":
        module.exit_json(changed=False, lacking=lacking)
    if lacking and not module.check_mode:
        module.fail_json(msg=f"files: {', '.join(lacking)} is missing or has another checksum; nothing is installed")
    if lacking:
        # They would be copied first; what they bring cannot be said without them.
        module.exit_json(changed=True, lacking=lacking, packages=[])
    changed, packages = install(module, module.params["names"], files)
    module.exit_json(changed=changed, lacking=lacking, packages=packages)


if __name__ == "__main__":
    main()
