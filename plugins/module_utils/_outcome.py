# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How every module of the collection ends: with a result, or with one sentence that says why not.

A refusal has the form ``option: X is not allowed (allowed: Y)`` where an option is wrong, else it is one sentence. It names no secret.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Callable, Dict

Result = Dict[str, Any]


class Refusal(Exception):
    """What was asked for is not done. str() is what the user reads; details become return values of the failed module."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details = details


def conclude(
    module: Any,
    run: Callable[[], Result],
    so_far: Callable[[Refusal], Result] | None = None,
    pymysql_error: str | None = None,
) -> None:
    """End the module with what run() returns, or with the sentence of the Refusal that it raises.

    so_far: what is known when it fails, for instance which statements were run; a failed module returns it beside the sentence.
    pymysql_error: the traceback of the import of PyMySQL, None where it is there.
    """
    if pymysql_error:
        # Not at the top: the guard of a member runs where there is no Ansible.
        from ansible.module_utils.basic import missing_required_lib

        module.fail_json(msg=missing_required_lib("PyMySQL"), exception=pymysql_error)
    try:
        result = run()
    except Refusal as refusal:
        known = so_far(refusal) if so_far else {}
        module.fail_json(msg=str(refusal), **{**known, **refusal.details})
    else:
        module.exit_json(**result)
