# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible modules that the role proxysql uses, run as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from targets import ROOT

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.claim("Ansible modules that manage ProxySQL work on the stand-in as on ProxySQL."),
]

HERE = Path(__file__).parent


@pytest.mark.parametrize("playbook", ["modules.yml", "role.yml"])
def test_playbook(proxy, tmp_path, playbook):
    proxy.set(monitor_enabled="false")
    login = {"host": proxy.host, "port": proxy.admin_port, "user": proxy.user, "password": proxy.password}
    login["application_port"] = proxy.port
    variables = tmp_path / "login.json"
    variables.write_text(
        json.dumps(
            {f"conformance_{name}": value for name, value in login.items()}
            | {"ansible_python_interpreter": sys.executable}
        )
    )
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
    }
    command = [
        Path(sys.executable).parent / "ansible-playbook",
        "-i",
        "localhost,",
        "-e",
        f"@{variables}",
        HERE / playbook,
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
