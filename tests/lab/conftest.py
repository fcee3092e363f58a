# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs for the tests of the lab. They are named ones, so that the checkout's own lab, up or not, is left alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# What a test sets is all that is set.
CLEAN_ENV = {key: value for key, value in os.environ.items() if not key.startswith("LAB_") or key == "LAB_CACHE"}


class Lab:
    """One lab of one checkout."""

    def __init__(self, root: Path = ROOT, name: str = "") -> None:
        self.root = root
        self.name = name
        self.state = root / ".lab" / "labs" / name if name else root / ".lab"
        script = f'LAB_NAME={name}; . "{root}/lab/lib.sh"; echo "$lab_id"'
        self.group = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, check=True, env=CLEAN_ENV
        ).stdout.strip()

    def run(
        self, *command: object, check: bool = True, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess:
        """Run a script of the lab (first word) with no standard input; its output as text."""
        words = [str(word) for word in command]
        words[0] = str(self.root / "lab" / words[0])
        done = subprocess.run(
            words, cwd=cwd or self.root, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
            env={**CLEAN_ENV, "LAB_NAME": self.name, "LAB_DISK": "600M", **env}, check=False,
        )  # fmt: skip
        if check:
            assert done.returncode == 0, f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def up(self, *hosts: str, **env: str) -> None:
        self.run("up", *hosts, **env)

    def down(self, *hosts: str) -> None:
        self.run("down", *hosts)

    def on(self, host: str, script: str, check: bool = True) -> str:
        """Standard output of a shell script on a host."""
        return self.run("podman", "exec", host, "/bin/sh", "-c", script, check=check).stdout.strip()

    def service(self, host: str, name: str, script: str) -> None:
        """Start a service that runs a shell script; systemd does not start it again."""
        self.on(host, f"systemd-run --quiet --collect --unit={name} /bin/sh -c '{script}'")

    @property
    def holder(self) -> int:
        return int((self.state / "run" / "holder").read_text().split()[0])

    def processes(self) -> list[int]:
        """The machine's numbers of all processes in the lab's process namespace, or one below it (the hosts')."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    cgroup = (entry / "cgroup").read_text()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if f"/{self.group}/" in cgroup or cgroup.endswith(f"/{self.group}\n"):
                    found.append(int(entry.name))
        return found


def wait_for(condition, what: str, seconds: float = 20.0):
    """The condition's value as soon as it is true."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"after {seconds} s still not: {what}"
        time.sleep(0.1)
    return value


@pytest.fixture(scope="session")
def lab():
    """A lab of two hosts, for tests that do not end it."""
    made = Lab(name="test")
    made.down()
    made.up("db0", "db1")
    yield made
    made.down()


@pytest.fixture
def checkout(tmp_path):
    """Another checkout: a copy of the lab's files, in a directory with a space in its name."""
    root = tmp_path / "other checkout"
    root.mkdir()
    for name in ("lab", "inventories"):
        shutil.copytree(
            ROOT / name, root / name, ignore=shutil.ignore_patterns("secrets.yml", "generated.yml", "__pycache__")
        )
    shutil.copy(ROOT / "ansible.cfg", root)
    (root / ".venv").symlink_to((ROOT / ".venv").resolve())
    yield root
    for path in [root / ".lab", *root.glob(".lab/labs/*")]:
        if (path / "run").is_dir():
            Lab(root, "" if path.name == ".lab" else path.name).down()
