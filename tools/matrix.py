# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-test sanity and the unit tests under every supported ansible-core that this machine has a Python for.

    python3 tools/matrix.py [sanity] [units] [--core 2.21]

For each ansible-core: sanity (local, no ignore files; import and compile for every target Python found), ansible-test
units with every controller Python found, the module part of them with the oldest target Python found, and plain pytest.
Works on a copy of the tracked files. What it installs stays in MATRIX_CACHE (default ~/.cache/distdb-mysql-ha-matrix).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("MATRIX_CACHE") or Path.home() / ".cache" / "distdb-mysql-ha-matrix")

# ansible-core: version, Pythons 3.N of the controller, Pythons 3.N of managed hosts (oldest, newest).
CORES = {
    "2.19": ("2.19.14", (11, 13), (8, 13)),
    "2.20": ("2.20.10", (12, 14), (9, 14)),
    "2.21": ("2.21.5", (12, 14), (9, 14)),
}


def find_pythons() -> dict[int, Path]:
    """The Pythons 3.N of this machine that can make virtual environments: minor number and program."""
    found = {}
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for minor in range(8, 15):
        names = [f"python3.{minor}", *map(str, pyenv.glob(f"versions/3.{minor}.*/bin/python3.{minor}"))]
        for name in names:
            path = shutil.which(name)
            # pyenv leaves shims for versions that are not active: only a Python that runs counts.
            code = f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, {minor}))"
            if path and subprocess.run([path, "-c", code], capture_output=True, check=False).returncode == 0:
                found[minor] = Path(path)
                break
    return found


def environment(core: str, minor: int, python: Path) -> Path:
    """A virtual environment with one ansible-core and what the unit tests need; made once."""
    version = CORES[core][0]
    folder = CACHE / f"core-{version}-py3.{minor}"
    requirements = ROOT / "tests" / "unit" / "requirements.txt"
    stamp, wanted = folder / ".made-from", hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return folder
    print(f"virtual environment: ansible-core {version}, Python 3.{minor}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([python, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "pip", "install", "--quiet", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, f"ansible-core=={version}", "-r", requirements], check=True)
    data = next(folder.glob("lib/python3*/site-packages/ansible_test/_data/requirements"))
    subprocess.run([*pip, "-r", data / "units.txt", "-c", data / "constraints.txt"], check=True)
    stamp.write_text(wanted)
    return folder


def home(folder: Path) -> Path:
    """A home for ansible-test's caches, with the user's set-up of pip and a stand-in for its download of get-pip."""
    place = CACHE / "home"
    scripts = place / ".ansible" / "test" / "cache"
    scripts.mkdir(parents=True, exist_ok=True)
    (place / ".config").mkdir(exist_ok=True)
    for name in (".config/pip", ".pip"):
        if (Path.home() / name).exists() and not (place / name).exists():
            (place / name).symlink_to(Path.home() / name)
    source = next(folder.glob("lib/python3*/site-packages/ansible_test/_internal/python_requirements.py"))
    for version in re.findall(r"pip='([0-9.]+)'", source.read_text()):
        shutil.copyfile(ROOT / "tools" / "get_pip.py", scripts / f"get_pip_{version.replace('.', '_')}.py")
    return place


def copy_of_checkout(folder: Path) -> Path:
    """The tracked files as ansible_collections/distdb/mysql_ha, where ansible-test wants them."""
    target = folder / "ansible_collections" / "distdb" / "mysql_ha"
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listing.split("\0")):
        source = ROOT / name
        # The link that gives a checkout its collection name would be a loop.
        if source.is_file() and not name.startswith("collections/"):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="sanity, units (default: both)")
    parser.add_argument("--core", action="append", choices=CORES, help="only this ansible-core")
    options = parser.parse_args()
    suites = options.suites or ["sanity", "units"]
    if set(suites) - {"sanity", "units"}:
        parser.error(f"suites are sanity and units, not {', '.join(suites)}")
    pythons = find_pythons()
    results: list[tuple[str, bool, float]] = []
    missing = []

    def run(name: str, command: list[object], **where: object) -> None:
        print(f"\n=== {name}: {' '.join(map(str, command))}", flush=True)
        started = time.monotonic()
        code = subprocess.call([str(word) for word in command], stdin=subprocess.DEVNULL, **where)
        results.append((name, code == 0, time.monotonic() - started))

    with tempfile.TemporaryDirectory(prefix="mysql_ha-matrix-") as temporary:
        collection = copy_of_checkout(Path(temporary))
        for core in options.core or CORES:
            (oldest, newest), (oldest_target, newest_target) = CORES[core][1:]
            controllers = [minor for minor in pythons if oldest <= minor <= newest]
            targets = [minor for minor in pythons if oldest_target <= minor <= newest_target]
            if not controllers:
                missing.append(f"ansible-core {core}: no Python 3.{oldest} to 3.{newest} here")
                continue
            for minor in controllers:
                folder = environment(core, minor, pythons[minor])
                env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
                env.update(HOME=str(home(folder)), CI="true")
                folders = [folder / "bin", *(pythons[target].parent for target in targets)]
                env["PATH"] = os.pathsep.join([*map(str, folders), env["PATH"]])
                label = f"ansible-core {core}, Python 3.{minor}"
                if "sanity" in suites and minor == max(controllers):
                    run(f"sanity, {label}", ["ansible-test", "sanity", "--color", "no"], cwd=collection, env=env)
                if "units" in suites:
                    test = ["ansible-test", "units", "--color", "no"]
                    run(f"units, {label}", [*test, "--python", f"3.{minor}"], cwd=collection, env=env)
                    pytest = ["python", "-m", "pytest", "-q", collection / "tests" / "unit"]
                    run(f"pytest, {label}", pytest, cwd=collection, env=env)
            if "units" in suites and min(targets) < oldest:
                target = f"venv/3.{min(targets)}"
                command = [*test, "--target-python", target]
                run(f"units, ansible-core {core}, target Python 3.{min(targets)}", command, cwd=collection, env=env)

    print()
    for name, passed, seconds in results:
        print(f"  {seconds:7.1f} s  {'passed' if passed else 'FAILED'}  {name}")
    for sentence in missing:
        print(f"  not run: {sentence}")
    failed = sum(not passed for _name, passed, _seconds in results)
    line = f"{len(results) - failed} passed, {failed} failed"
    print(f"{line}, {len(missing)} skipped" if missing else line)
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
