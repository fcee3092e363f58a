# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""build.py FILE: makes one program file of the stand-in and its pinned packages, on the control node.

The packages come from the environment of the Python that runs this when it has the pinned versions, else from pip. Compiled
parts are left out: the hosts may have another Python version, and every module is there in Python too. The same input gives the
same file, byte for byte. Prints "built" or "unchanged".
"""

from __future__ import annotations

import importlib.metadata
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
PACKAGES = ("mysql_mimic", "pymysql", "sqlglot")
KEPT = (".py", ".sql", ".tsv")


def packages_of_this_python(pins: dict) -> Path | None:
    try:
        if any(importlib.metadata.version(name) != version for name, version in pins.items()):
            return None
        return Path(str(importlib.metadata.distribution("mysql-mimic").locate_file("")))
    except importlib.metadata.PackageNotFoundError:
        return None


def add(bundle: zipfile.ZipFile, root: Path, package: str):
    for path in sorted((root / package).rglob("*")):
        if path.suffix in KEPT:
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix())  # with a fixed date
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            bundle.writestr(entry, path.read_bytes())


def main(target: Path):
    lines = (HERE / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    with tempfile.TemporaryDirectory() as scratch:
        root = packages_of_this_python(pins)
        if root is None:
            root = Path(scratch)
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--no-compile",
                    "--target",
                    scratch,
                    "-r",
                    str(HERE / "requirements.txt"),
                ],
                check=True,
                stdin=subprocess.DEVNULL,
            )
        data = io.BytesIO(b"#!/usr/bin/python3\n")
        data.seek(0, io.SEEK_END)
        with zipfile.ZipFile(data, "w") as bundle:
            bundle.writestr(zipfile.ZipInfo("__main__.py"), "from standin.__main__ import main\nmain()\n")
            add(bundle, HERE, "standin")
            for package in PACKAGES:
                add(bundle, root, package)
    if target.exists() and target.read_bytes() == data.getvalue():
        print("unchanged")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_suffix(".new")
    new.write_bytes(data.getvalue())
    new.chmod(0o755)
    new.replace(target)
    print("built")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
