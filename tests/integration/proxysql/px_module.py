# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the collection's ProxySQL modules in this process: arguments checked and answered as Ansible does, without a play around."""

from __future__ import annotations

import contextlib
import io
import json

from ansible.module_utils.testing import patch_module_args
from ansible_collections.distdb.mysql_ha.plugins.modules import (
    proxysql_config,
    proxysql_hostgroup,
    proxysql_hostgroup_info,
)


class Failed(AssertionError):
    def __init__(self, answer: dict):
        super().__init__(answer.get("msg"))
        self.answer = answer


class Modules:
    """The modules, with one proxy's login; every output is kept, to look for secrets in it."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.outputs = []

    def _run(self, module, arguments: dict, check: bool) -> dict:
        login = dict(
            login_host=self.proxy.host,
            login_port=self.proxy.admin_port,
            login_user=self.proxy.user,
            login_password=self.proxy.password,
            connect_timeout=5,
        )
        given = {name: value for name, value in {**login, **arguments}.items() if value is not None}
        output = io.StringIO()
        patched = patch_module_args({**given, "_ansible_check_mode": check, "_ansible_diff": True})
        with patched, contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
            module.main()
        self.outputs.append(output.getvalue())
        answer = json.loads(output.getvalue())
        if answer.get("failed"):
            raise Failed(answer)
        return answer

    def hostgroup(self, check: bool = False, **arguments) -> dict:
        return self._run(proxysql_hostgroup, arguments, check)

    def config(self, check: bool = False, **arguments) -> dict:
        return self._run(proxysql_config, arguments, check)

    def info(self, **arguments) -> dict:
        return self._run(proxysql_hostgroup_info, arguments, False)
