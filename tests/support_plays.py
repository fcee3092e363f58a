# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook on this machine, for unit tests of a playbook's own tasks: one run for many cases, each of which is a play named "case NAME."."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
# "python -m ansible" looks for its commands in the package's metadata, which ansible-test hides.
PROGRAM = [sys.executable, "-c", "from ansible.cli.playbook import main; main()"]
ENVIRONMENT = {
    **os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "TERM": "dumb",
}  # fmt: skip


def play_book(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess:
    """ansible-playbook with these arguments in a folder; nobody answers its questions."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=ENVIRONMENT, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip


def run_plays(folder: Path, plays: list[dict], *arguments: str, hosts: str = "localhost,") -> str:
    """What Ansible prints of plays that all end well, written below a folder."""
    path = folder / "play.yml"
    path.write_text(yaml.safe_dump(plays, sort_keys=False))
    done = play_book("-i", hosts, str(path), *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def by_case(output: str) -> dict[str, str]:
    """What was printed of each case, with line breaks folded."""
    # YAML doubles quotes in a quoted string.
    parts = output.replace("''", "'").split("PLAY [case ")[1:]
    return {part.partition(".]")[0]: " ".join(part.split()) for part in parts}
