# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the module of this name work in turns, and say in between how far a long wait is.

A module cannot write while it runs. So it ends a turn after some seconds of waiting, and takes up the next one where it was;
what it has to know for that travels with it. All turns together have the module's timeout.
"""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash

display = Display()


class ActionModule(ActionBase):
    """Runs on the control node."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run turns until the module has ended."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        options = dict(self._task.args)
        # A wrong value is the module's to refuse.
        every = str(options.get("progress", 10))
        if self._task.async_val or self._task.check_mode or not every.isdigit() or every == "0":
            result = merge_hash(result, self._execute_module(task_vars=task_vars, wrap_async=self._task.async_val))
            return result
        started = time.monotonic()
        turn = {"seconds": int(every)}
        while True:
            answer = self._execute_module(module_args=dict(options, turn=turn), task_vars=task_vars)
            if answer.get("failed") or "turn" not in answer:
                result = merge_hash(result, answer)
                return result
            elapsed = time.monotonic() - started
            # Standard output may be a callback's own, such as JSON.
            host = (task_vars or {}).get("inventory_hostname")
            display.display(f"[{host}] {answer['progress']} ({elapsed:.0f} s)", stderr=True)
            turn = dict(answer["turn"], seconds=int(every), left=answer["timeout"] - elapsed)
