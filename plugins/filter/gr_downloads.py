# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_downloads
short_description: Packages that apt would download, one by one, with what is left after each
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role), which downloads large packages one by one, so that a run shows how far it is.
options:
  _input:
    description: What C(apt-get install --print-uris) wrote.
    type: str
    required: true
  least:
    description: Only packages of at least so many bytes; the others count in what is left.
    type: int
    default: 1048576
"""

EXAMPLES = r"""
- name: Show the large ones
  ansible.builtin.debug:
    msg: "{{ uris.stdout | distdb.mysql_ha.gr_downloads }}"
"""

RETURN = r"""
_value:
  description: >-
    C(file), as apt keeps it; C(package), as C(apt-get download) takes it; C(progress), a text with its size and with what is left after it.
  type: list
  elements: dict
"""

import re
from typing import Any
from urllib.parse import unquote

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import size

LINE = re.compile(r"^'[^']+' (([^\s_]+)_([^\s_]+)_[^\s_]+\.deb) (\d+)\b", re.MULTILINE)


def gr_downloads(text: str, least: int = 1 << 20) -> list[dict[str, str]]:
    found = LINE.findall(text)
    total = left = sum(int(item[3]) for item in found)
    rows = []
    # The small ones come last, all at a time.
    for file, name, version, length in found:
        if int(length) < least:
            continue
        left -= int(length)
        rows.append(
            {
                "file": file,
                "package": f"{name}={unquote(version)}",
                "progress": f"{name}, {size(int(length))}; {size(left)} of {size(total)} left",
            }
        )
    return rows


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_downloads": gr_downloads}
