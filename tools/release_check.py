# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check what would be released: the built collection in Galaxy's importer, its documentation, its execution environment,
and the documentation site.

    .cache/release/bin/python tools/release_check.py

Builds the collection in a temporary folder and ends with a line "N passed, N failed". A warning of the importer fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
# That of the base image in execution-environment.yml.
IMAGE_PYTHON = "3.14"

IMPORTER = """\
[galaxy-importer]
ANSIBLE_LOCAL_TMP = {folder}/tmp
TMP_ROOT_DIR = {folder}
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = True
CHECK_CHANGELOG = True
CHECK_REQUIRED_TAGS = True
REQUIRE_V1_OR_GREATER = True
LOG_LEVEL_MAIN = INFO
"""


def run(command: list[object], **where: object) -> tuple[int, str]:
    words = [str(word) for word in command]
    print(f"\n=== {' '.join(words)}", flush=True)
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **where,
    )
    print(done.stdout, flush=True)
    return done.returncode, done.stdout


def build(folder: Path, env: dict) -> Path:
    """The collection as it would be published, from the tracked files."""
    code, _output = run([BIN / "ansible-galaxy", "collection", "build", "--output-path", folder], cwd=ROOT, env=env)
    if code:
        raise SystemExit("the collection does not build")
    return next(folder.glob("distdb-mysql_ha-*.tar.gz"))


def importer(archive: Path, folder: Path, env: dict) -> bool:
    """Galaxy's importer accepts the collection without an error or a warning."""
    config = folder / "galaxy-importer.cfg"
    config.write_text(IMPORTER.format(folder=folder))
    command = [sys.executable, "-m", "galaxy_importer.main", archive]
    code, output = run(command, cwd=folder, env=dict(env, GALAXY_IMPORTER_CONFIG=str(config)))
    complaints = [line for line in output.splitlines() if re.match(r"(WARNING|ERROR|CRITICAL)\b", line)]
    return code == 0 and not complaints and "Importer processing completed successfully" in output


def documentation(folder: Path, env: dict) -> bool:
    """Documentation of modules, filters and roles follows the rules of antsibull-docs."""
    # It wants to see the collection at its own place.
    place = folder / "collections"
    archive = next(folder.glob("*.tar.gz"))
    install = [BIN / "ansible-galaxy", "collection", "install", "--no-deps", "-p", place, archive]
    if run(install, cwd=folder, env=env)[0]:
        return False
    target = place / "ansible_collections" / "distdb" / "mysql_ha"
    command = [
        BIN / "antsibull-docs",
        "lint-collection-docs",
        "--plugin-docs",
        "--skip-rstcheck",
        "--validate-collection-refs=self",
        target,
    ]
    return run(command, cwd=folder, env=env)[0] == 0


def execution_environment(folder: Path, env: dict) -> bool:
    """ansible-builder makes a build context of the definition and finds what the collection asks for, and pip finds packages for all of it."""
    builder = BIN / "ansible-builder"
    create = [builder, "create", "-f", ROOT / "execution-environment.yml", "-c", folder / "context"]
    if run(create, cwd=folder, env=env)[0] or not (folder / "context" / "Containerfile").is_file():
        return False
    needed = folder / "needed.txt"
    code, output = run([builder, "introspect", "--write-pip", needed, folder / "collections"], cwd=folder, env=env)
    if code or "netaddr" not in output:
        return False
    # The image itself needs a registry; whether there are packages for its Python that fit together, pip knows.
    definition = yaml.safe_load((ROOT / "execution-environment.yml").read_text())["dependencies"]
    core, runner = (definition[name]["package_pip"] for name in ("ansible_core", "ansible_runner"))
    command = [
        sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--target", folder / "nowhere",
        "--python-version", IMAGE_PYTHON, "--only-binary", ":all:", core, runner, "--requirement", needed,
    ]  # fmt: skip
    return run(command, cwd=folder, env=dict(os.environ))[0] == 0


def main() -> int:
    results = []
    with tempfile.TemporaryDirectory(prefix="mysql_ha-release-") as temporary:
        folder = Path(temporary)
        (folder / "tmp").mkdir()
        (folder / "home").mkdir()
        # As for somebody who has no checkout: with this one's ansible.cfg, the collection would be there already.
        env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        env.update(HOME=str(folder / "home"), PATH=f"{BIN}:{env['PATH']}")
        archive = build(folder, env)
        results.append(("galaxy-importer", importer(archive, folder, env)))
        results.append(("documentation", documentation(folder, env)))
        results.append(("execution environment", execution_environment(folder, env)))
        site = [sys.executable, ROOT / "tools" / "docs_site.py"]
        results.append(("documentation site", run(site, cwd=ROOT, env=env)[0] == 0))
    for name, passed in results:
        print(f"{'passed' if passed else 'FAILED'}  {name}")
    failed = sum(not passed for _name, passed in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
