# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role that sets up a group knows no program that stands in front of it."""

from __future__ import annotations

import re
from pathlib import Path

ROLE = Path(__file__).resolve().parents[4] / "roles" / "mysql_gr"


def test_no_task_default_or_file_names_a_proxy():
    found = [
        f"{path.relative_to(ROLE)}: {line.strip()}"
        for folder in ("tasks", "defaults", "vars", "templates", "files")
        for path in (ROLE / folder).rglob("*")
        if path.is_file() and path.suffix in (".yml", ".j2", ".sql")
        for line in path.read_text().splitlines()
        if re.search(r"proxysql|monitor_(user|password|tables)", line, re.IGNORECASE)
        and not line.lstrip().startswith("#")
    ]
    assert found == []
