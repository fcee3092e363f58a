# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the documentation site in .cache/docs/html; a warning is an error.

    .cache/release/bin/python tools/docs_site.py

Pages: docs/, and what antsibull-docs makes of the documentation in modules, filters and roles.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PLACE = ROOT / ".cache" / "docs"


def main() -> int:
    source, html = PLACE / "source", PLACE / "html"
    shutil.rmtree(PLACE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", source, ignore=shutil.ignore_patterns("__pycache__"))
    # The contributor's page is the one that stands in the root of the repository.
    shutil.copyfile(ROOT / "CONTRIBUTING.md", source / "developer" / "contributing.md")
    # What antsibull-docs makes stands beside the reference pages that are written by hand.
    collection = source / "reference" / "collection"
    collection.mkdir()
    env = dict(os.environ, ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), PATH=f"{BIN}:{os.environ['PATH']}")
    env["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / "collections")
    reference = [
        "antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error",
        "--no-add-antsibull-docs-version", "--dest-dir", str(collection), "distdb.mysql_ha",
    ]  # fmt: skip
    site = [
        "sphinx-build",
        "-q",
        "-W",
        "--keep-going",
        "-b",
        "html",
        "-d",
        str(PLACE / "doctrees"),
        str(source),
        str(html),
    ]
    for command in (reference, site):
        code = subprocess.call(command, cwd=ROOT, env=env)
        if code:
            return code
    print(html / "index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
