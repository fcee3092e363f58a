# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How modules call the program mysql-gr-backup: what is wanted as its arguments, and its answer.

Private to this collection.
"""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import NO_ANSWER, Done, run
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

PROGRAM = "/usr/local/sbin/mysql-gr-backup"
UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
TAG = r"(:[a-z_][a-z0-9_]{0,31})?"
# One transaction, a set of them, and a moment in UTC.
GTID = re.compile(rf"^{UUID}{TAG}:[1-9][0-9]*$")
SET = re.compile(rf"^{UUID}(:[a-z0-9_-]+)+(,{UUID}(:[a-z0-9_-]+)+)*$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")
KINDS = {"gtid": ("--after", SET), "before": ("--before", GTID), "time": ("--time", TIME)}
ALLOWED = "latest, gtid:SET, before:UUID:NUMBER, time:2026-11-27T17:00:00Z (UTC)"
Run = Callable[..., Done]


def target_arguments(target: str, option: str = "target") -> list[str]:
    """The program's arguments for a point that is to be restored."""
    text = "".join(target.split())
    if text == "latest":
        return ["--latest"]
    kind, _colon, value = text.partition(":")
    if kind not in KINDS or not KINDS[kind][1].match(value):
        raise Refusal(f"{option}: '{target}' is not allowed (allowed: {ALLOWED})")
    return [KINDS[kind][0], value]


def sentence(done: Done) -> str:
    """Why it failed, in its own words: the last line of what it wrote to standard error."""
    lines = [line.strip() for line in done.errors.splitlines() if line.strip()]
    words = lines[-1] if lines else f"it ended with code {done.code} and said nothing"
    return re.sub(r"^mysql-gr-backup: ", "", words)


def ask(
    program: str, arguments: Sequence[str], timeout: float, stdin: str | None = None, call: Run = run
) -> tuple[dict[str, Any], int]:
    """The program's answer as a dict, and its code. A Refusal with its sentence where it has none."""
    done = call([program, *arguments, "--json"], timeout=timeout, stdin=stdin)
    if done.code == NO_ANSWER:
        raise Refusal(f"{program} {arguments[0]} did not end within {timeout:.0f} s")
    try:
        answer = json.loads(done.output)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and answer.get("failed"):
        raise Refusal(str(answer.get("msg") or sentence(done)), code=done.code, kind=answer.get("kind") or "")
    if isinstance(answer, dict):
        return answer, done.code
    raise Refusal(sentence(done), code=done.code)
