# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For the module of this name: on a host with growth_recorded its recorded answer, on any other host the module itself."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.vars import merge_hash


class ActionModule(ActionBase):
    """Runs on the control node."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        known = task_vars or {}
        if "growth_recorded" not in known:
            merged: dict[str, Any] = merge_hash(result, self._execute_module(task_vars=task_vars))
            return merged
        # What the control node does for any host: the module with its arguments as one program. It is not sent.
        self._configure_module(module_name=self._task.action, module_args=dict(self._task.args), task_vars=known)
        time.sleep(float(known["growth_seconds"]))
        result.update(json.loads(Path(known["growth_recorded"]).read_text(encoding="utf-8")))
        return result
