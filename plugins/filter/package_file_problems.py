# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: package_file_problems
short_description: Which package files on the control node are missing or have another checksum
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by roles that install package files from the control node, before anything is copied or installed. Reads the files.
positional: option
options:
  _input:
    description: The files, each with C(path) and C(checksum), such as C(sha256:9f86…). One without C(path) is passed over.
    type: list
    elements: dict
    required: true
  option:
    description: The variable that names them, for the sentences.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Refuse package files that are missing or other ones
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: "{{ mysql_gr_packages | distdb.mysql_ha.package_file_problems('mysql_gr_packages') }}"
"""

RETURN = r"""
_value:
  description: One sentence per file that is missing or another one.
  type: list
  elements: str
"""

import hashlib
import os
from typing import Any


def checksum_of(path: str, algorithm: str) -> str:
    found = hashlib.new(algorithm)
    with open(path, "rb") as source:
        for block in iter(lambda: source.read(1 << 20), b""):
            found.update(block)
    return found.hexdigest()


def package_file_problems(files: list[dict[str, Any]], option: str) -> list[str]:
    problems = []
    for file in files:
        if not file.get("path"):
            continue
        path = os.path.expanduser(str(file["path"]))
        algorithm, _colon, wanted = str(file.get("checksum") or "").partition(":")
        if algorithm not in ("sha256", "sha512"):
            problems.append(f"{option}: {path} needs a checksum, written sha256:… or sha512:…; nothing is installed.")
        elif not os.path.isfile(path):
            problems.append(f"{option}: {path} does not exist on the control node; nothing is installed.")
        else:
            found = checksum_of(path, algorithm)
            if found != wanted.lower():
                problems.append(
                    f"{option}: {path} has the checksum {found}, not {file['checksum']}; nothing is installed."
                )
    return problems


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"package_file_problems": package_file_problems}
