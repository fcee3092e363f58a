# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change the code in small ways and list the changes that no unit test notices.

    python3 tools/mutation.py WHAT ...      gtid, decision, comparison (make mutation WHAT=gtid)

Works on a copy of the tracked files in .cache/mutation; an interrupted run goes on where it was as long as the files are
the same. Each survivor is a change of behaviour that the tests do not see, or a change that means the same: look at each.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".cache" / "mutation"
UTILS = "plugins/module_utils"
TESTS = "tests/unit/plugins/module_utils"

# What is changed, and the tests that have to notice it (both below the folders above).
WHAT = {
    "gtid": (["_group/gtid.py"], ["test_gtid.py"]),
    "decision": (
        ["_group/present_rules.py", "_group/data_rules.py", "_group/member_rules.py"],
        ["test_gr_decision.py", "test_gr_properties.py"],
    ),
    "comparison": (["_proxysql/rows.py"], ["test_proxysql_rows.py"]),
}
# Changes that mean the same or cannot run: identity of small numbers, other operators for the formatting of strings, types.
LEFT_OUT = [".*_Is$", ".*_IsNot$", ".*BinaryOperator_Mod_.*", ".*BinaryOperator_BitOr_.*", ".*RemoveDecorator"]


def copy_of_checkout(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listing.split("\0")):
        source, target = ROOT / name, folder / name
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def survivors(session: Path) -> tuple[list[str], int]:
    """The changes that survived, as diffs, and how many there were in all."""
    dump = subprocess.run(["cosmic-ray", "dump", session], capture_output=True, text=True, check=True).stdout
    done = [json.loads(line) for line in dump.splitlines()]
    done = [(item, result) for item, result in done if result and result["worker_outcome"] == "normal"]
    alive = [result["diff"] for _item, result in done if result["test_outcome"] == "survived"]
    return alive, len(done)


def run(name: str) -> bool:
    """True if every change was noticed."""
    modules, tests = WHAT[name]
    folder = PLACE / name
    copy_of_checkout(folder)
    content = b"".join(
        (folder / place / file).read_bytes() for place, files in ((UTILS, modules), (TESTS, tests)) for file in files
    )
    session = PLACE / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}.sqlite"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        *(f"{TESTS}/{test}" for test in tests),
    ]
    config = folder / "mutation.toml"
    paths = json.dumps([f"{UTILS}/{module}" for module in modules])
    config.write_text(
        f"[cosmic-ray]\nmodule-path = {paths}\ntimeout = 120.0\nexcluded-modules = []\n"
        f"test-command = {json.dumps(' '.join(command))}\n"
        f'[cosmic-ray.distributor]\nname = "local"\n'
        f"[cosmic-ray.filters.operators-filter]\nexclude-operators = {json.dumps(LEFT_OUT)}\n"
    )
    # The same examples of the property tests every time, so that a change is not noticed by luck.
    where = {"cwd": folder, "env": dict(os.environ, CI="1")}
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, **where)
    if not session.exists():
        subprocess.run(["cosmic-ray", "init", config, session], check=True, **where)
        subprocess.run(["cr-filter-operators", session, config], check=True, **where)
    subprocess.run(["cosmic-ray", "exec", config, session], check=True, **where)
    alive, number = survivors(session)
    for diff in alive:
        print(f"\n--- {name}: survived\n{diff}")
    print(f"{name}: {number} changes, {number - len(alive)} noticed, {len(alive)} survived", flush=True)
    return not alive


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in WHAT]
    if unknown or not names:
        print(f"usage: tools/mutation.py WHAT ...; allowed: {', '.join(WHAT)}", file=sys.stderr)
        return 2
    os.environ["PATH"] = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    PLACE.mkdir(parents=True, exist_ok=True)
    results = [run(name) for name in names]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
