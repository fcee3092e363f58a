# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restart on several proxies."""

from __future__ import annotations

from pathlib import Path

import yaml

START = Path(__file__).resolve().parents[4] / "roles" / "proxysql" / "tasks" / "start.yml"


def test_proxies_are_restarted_one_after_the_other_each_when_the_last_one_serves_again():
    block = yaml.safe_load(START.read_text())[0]["block"]
    (restart,) = [task for task in block if "distdb.mysql_ha.proxysql_restart" in task]
    assert restart["throttle"] == 1
    assert restart["distdb.mysql_ha.proxysql_restart"]["wait_ready"] == "{{ proxysql_verify_timeout }}"
