# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ProxySQL's systemd unit: whether it has ended, and what it said."""

from __future__ import annotations

from typing import Any, Callable, NamedTuple, Sequence

RunCommand = Callable[[Sequence[str]], Any]  # AnsibleModule.run_command: (rc, stdout, stderr)
LINES = 15


class UnitState(NamedTuple):
    unit: str
    active: str
    sub: str
    result: str
    status: str

    @property
    def ended(self) -> bool:
        """systemd may be about to start it once more; it has ended nevertheless."""
        return self.sub in ("dead", "failed", "auto-restart", "auto-restart-queued", "exited")

    def __str__(self) -> str:
        return f"ProxySQL does not run: the service {self.unit} is {self.sub} (result {self.result}, exit status {self.status})."


def unit_state(run_command: RunCommand, unit: str) -> UnitState | None:
    """None where there is no systemd to ask."""
    names = ("ActiveState", "SubState", "Result", "ExecMainStatus")
    try:
        code, out, _err = run_command(["systemctl", "show", "--property", ",".join(names), unit])
    except OSError:
        return None
    found = dict(line.partition("=")[::2] for line in out.splitlines())
    if code != 0 or not found.get("SubState"):
        return None
    return UnitState(unit, *[found.get(name, "?") for name in names])


def last_lines(run_command: RunCommand, unit: str) -> str:
    code, out, err = run_command(["journalctl", "--unit", unit, "--lines", str(LINES), "--no-pager", "--output", "cat"])
    lines = [line.strip() for line in (out if code == 0 else err).splitlines() if line.strip()]
    return "The end of its journal: " + " / ".join(lines) if lines else "Its journal has no lines."
