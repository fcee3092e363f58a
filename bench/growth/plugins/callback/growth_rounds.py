# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the lines that bench/growth/podman writes for each round to a host: which task it is for, and what each host's part of it took."""

from __future__ import annotations

import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: growth_rounds
type: aggregate
short_description: Writes tasks and their hosts' seconds to the file that GROWTH_ROUNDS names
description:
  - Used by bench/growth/growth.py.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "growth_rounds"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.began: dict[tuple[str, str], float] = {}

    def note(self, *words: object) -> None:
        # Opened each time, as other processes append to it, too.
        with open(os.environ["GROWTH_ROUNDS"], "a", encoding="utf-8") as target:
            target.write(" ".join(map(str, words)) + "\n")

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self.note("task", task.get_name())

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self.note("task", task.get_name())

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self.began[host.get_name(), task._uuid] = time.monotonic()

    def ended(self, result: Any) -> None:
        host = result._host.get_name()
        began = self.began.pop((host, result._task._uuid), None)
        if began is not None:
            self.note("ended", host, f"{time.monotonic() - began:.3f}")

    def v2_runner_on_ok(self, result: Any) -> None:
        self.ended(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self.ended(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self.ended(result)
