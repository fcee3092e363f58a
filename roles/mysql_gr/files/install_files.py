# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install Debian package files in one call of apt-get, which finds their order, without starting services.

Reads {"files": {path: checksum}, "action": "look" | "plan" | "install"} from standard input. "look" prints the files that are
not there or are other ones, {"lacking": [path]}; "plan" what would be installed, {"packages": [name]}. "install" has no answer that
anything depends on: what a command prints after a long time can be lost (ansible/ansible#51393). The module apt takes package files
one at a time only, each after what it depends on, which takes minutes for a server.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys

POLICY = "/usr/sbin/policy-rc.d"
APT = (
    "apt-get", "-q", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=60",
    "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold", "install",
)  # fmt: skip


def apt(*arguments):
    """Standard output of apt-get install; ends the program with apt's own words when it fails."""
    done = subprocess.run(
        [*APT, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        env=dict(os.environ, LC_ALL="C", DEBIAN_FRONTEND="noninteractive"),
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stdout[-4000:])
    return done.stdout


@contextlib.contextmanager
def no_starts():
    """While it holds, packages start no service. A policy of the host's own is put back."""
    kept = POLICY + ".mysql-gr"
    if os.path.lexists(POLICY) and not os.path.lexists(kept):
        os.rename(POLICY, kept)
    try:
        with open(POLICY, "w", encoding="utf-8") as policy:
            policy.write("#!/bin/sh\nexit 101\n")
        os.chmod(POLICY, 0o755)
        yield
    finally:
        if os.path.lexists(kept):
            os.replace(kept, POLICY)
        elif os.path.lexists(POLICY):
            os.unlink(POLICY)


def is_there(path, checksum):
    """Whether the file has that checksum, written sha256:…"""
    algorithm, _colon, wanted = checksum.partition(":")
    found = hashlib.new(algorithm)
    try:
        with open(path, "rb") as source:
            for block in iter(lambda: source.read(1 << 20), b""):
                found.update(block)
    except FileNotFoundError:
        return False
    return found.hexdigest() == wanted.lower()


def main():
    question = json.load(sys.stdin)
    files = question["files"]
    lacking = [path for path, checksum in files.items() if not is_there(path, checksum)]
    if question["action"] == "look":
        json.dump({"lacking": lacking}, sys.stdout)
    elif lacking:
        sys.exit("%s: not there, or another checksum; nothing is installed" % ", ".join(lacking))
    elif question["action"] == "plan":
        packages = re.findall(r"^Inst (\S+)", apt("--simulate", *files), re.MULTILINE)
        json.dump({"packages": packages}, sys.stdout)
    else:
        with no_starts():
            apt(*files)


if __name__ == "__main__":
    main()
