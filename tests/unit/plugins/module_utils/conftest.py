# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole modules on servers that answer their statements."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import connection, operation
from gr_servers import NAMES, World


@pytest.fixture
def world(monkeypatch):
    made = World(*NAMES)

    def connect(**arguments):
        # A test may replace made.connection.
        return made.connection(**arguments)

    for name in ("_TlsConnection", "_RequiredTlsConnection"):
        monkeypatch.setattr(connection, name, connect)
    monkeypatch.setattr(operation, "POLL", 0.001)
    monkeypatch.setattr(operation, "SETTLE", 0.001)
    return made


@pytest.fixture
def run(capsys, world):
    """Runs a module on a server; gives its answer."""

    def work(module, on="db0", check=False, **options):
        arguments = {
            "login_unix_socket": f"/sockets/{on}", "config_file": "", "members": list(NAMES), "peer_user": "gr_peer",
            "peer_password": "peer-Secret-1", "_ansible_check_mode": check,
        }  # fmt: skip
        with patch_module_args({**arguments, **options}), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return work
