# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter in front of the table of version pairs."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_pair_problems import proxysql_pair_problems


def test_the_filter_gives_each_problem_once():
    assert len(proxysql_pair_problems("2.7.1", ["9.7.4", "9.7.4", "8.4.6"])) == 1
    assert proxysql_pair_problems(None, ["9.7.4", None]) == []
    with pytest.raises(AnsibleFilterError, match="must be a list"):
        proxysql_pair_problems("2.7.1", "9.7.4")
