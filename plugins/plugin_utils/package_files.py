# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Package files that a role installs: named in full, and on the control node with the checksum that the inventory says.

Private to this collection.
"""

from __future__ import annotations

import os
import re
from typing import Any, Iterator

from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import checksum_of

CHECKSUM = re.compile(r"(sha256:[0-9a-fA-F]{64}|sha384:[0-9a-fA-F]{96}|sha512:[0-9a-fA-F]{128})")


def package_problems(option: str, package: dict[str, Any], when: str = "") -> Iterator[str]:
    """What stands against one package file: url or path, and a checksum; when: what makes the option necessary."""
    path, checksum = package.get("path"), str(package.get("checksum") or "")
    if bool(package.get("url")) == bool(path):
        yield f"{option} needs either url or path{when}."
    if not CHECKSUM.fullmatch(checksum):
        yield f'{option}.checksum is "{checksum}"; it must be sha256:, sha384: or sha512: and the checksum.'
    elif path:
        algorithm, _colon, wanted = checksum.partition(":")
        found = checksum_of(os.path.expanduser(str(path)), algorithm)
        if found is None:
            yield f"{option}: {path} cannot be read on the control node; nothing is installed."
        elif found != wanted.lower():
            yield f"{option}: {path} has the checksum {found}, not {checksum}; nothing is installed."
