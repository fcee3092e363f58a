# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python3 lab/mysql_repository.py SOURCE TARGET CODENAME: a signed package repository, laid out as MySQL's own, of the packages in SOURCE.

SOURCE is a folder of .deb files (folders in it are looked into, too), or a .tar file of them, as MySQL publishes it
("deb-bundle"). TARGET is replaced: TARGET/debian is the repository, TARGET/key.asc the key that signs it. Prints the series
that it has, oldest first. Called by lab/up for LAB_MYSQL_PACKAGES.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

# As in MySQL's own repository (roles/mysql_gr/vars/main.yml); a series that is not here is an innovation release.
COMPONENTS = {"8.0": "mysql-8.0", "8.4": "mysql-8.4-lts", "9.7": "mysql-9.7-lts"}
HASHES = {"MD5Sum": "md5", "SHA256": "sha256", "SHA512": "sha512"}


def refuse(sentence: str) -> None:
    sys.exit(f"lab: {sentence}")


def run(*command: str, **more) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        refuse(f"{command[0]} failed: {(done.stderr.strip() or 'no words').splitlines()[-1]}")
    return done.stdout


def control(file: Path) -> dict[str, str]:
    """The fields of a package, with their continuation lines."""
    fields = {}
    for match in re.finditer(r"^(\S+):(.*(?:\n[ \t].*)*)", run("dpkg-deb", "--field", str(file)), re.MULTILINE):
        fields[match[1]] = match[2].strip()
    return fields


def digest(file: Path, algorithm: str) -> str:
    return hashlib.new(algorithm, file.read_bytes()).hexdigest()


def series_of(files: dict[Path, dict[str, str]]) -> str:
    """The series of a folder's packages: what its package mysql-server, or a mysql-…-server-…, has as its version."""
    servers = {
        re.match(r"(?:\d+:)?(\d+\.\d+)", fields["Version"])[1]
        for fields in files.values()
        if re.fullmatch(r"mysql-(community-)?server(-core)?(-\d[\d.]*)?", fields["Package"])
    }
    if len(servers) != 1:
        folder = next(iter(files)).parent
        refuse(
            f"LAB_MYSQL_PACKAGES: {folder} has servers of {len(servers)} series ({', '.join(sorted(servers)) or 'no mysql-server'}); "
            "allowed is one series in a folder."
        )
    return servers.pop()


def sign(directory: Path, home: Path) -> str:
    gpg = ["gpg", "--homedir", str(home), "--batch", "--yes", "--quiet"]
    home.mkdir(mode=0o700)
    run(
        *gpg,
        "--passphrase",
        "",
        "--quick-generate-key",
        "Lab package repository <lab@lab.example>",
        "rsa3072",
        "sign",
        "never",
    )
    run(*gpg, "--clearsign", "--output", str(directory / "InRelease"), str(directory / "Release"))
    key = run(*gpg, "--armor", "--export")
    # The agent that gpg has started ends with its directory otherwise only some time later.
    run("gpgconf", "--homedir", str(home), "--kill", "all")
    return key


def main(source: Path, target: Path, codename: str) -> None:
    for program in ("gpg", "dpkg-deb"):
        if not shutil.which(program):
            refuse(f"LAB_MYSQL_PACKAGES needs {program}, which this machine does not have.")
    with tempfile.TemporaryDirectory(prefix="lab-mysql-") as scratch:
        if source.is_file() and tarfile.is_tarfile(source):
            with tarfile.open(source) as archive:
                archive.extractall(scratch, filter="data")
            source = Path(scratch)
        if not source.is_dir():
            refuse(f"LAB_MYSQL_PACKAGES is '{source}'; allowed is a folder of .deb files, or a .tar file of them.")
        folders: dict[Path, dict[Path, dict[str, str]]] = {}
        for file in sorted(source.rglob("*.deb")):
            folders.setdefault(file.parent, {})[file] = control(file)
        if not folders:
            refuse(f"LAB_MYSQL_PACKAGES is '{source}', which has no .deb files.")
        build = target.with_name(target.name + ".new")
        shutil.rmtree(build, ignore_errors=True)
        indexes: dict[str, list[str]] = {}
        found = set()
        architecture = run("dpkg", "--print-architecture").strip()
        for files in folders.values():
            series = series_of(files)
            component = COMPONENTS.get(series, "mysql-innovation")
            found.add((tuple(map(int, series.split("."))), series if series in COMPONENTS else "innovation"))
            for file, fields in files.items():
                place = build / "debian/pool" / component / file.name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
                fields |= {"Filename": str(place.relative_to(build / "debian")), "Size": str(place.stat().st_size)}
                fields["SHA256"] = digest(place, "sha256")
                indexes.setdefault(component, []).append("".join(f"{key}: {value}\n" for key, value in fields.items()))
        release = build / "debian/dists" / codename
        for component, entries in indexes.items():
            index = release / component / f"binary-{architecture}" / "Packages"
            index.parent.mkdir(parents=True)
            index.write_text("\n".join(entries))
        lines = [f"Suite: {codename}", f"Codename: {codename}", f"Components: {' '.join(sorted(indexes))}"]
        lines += [f"Architectures: {architecture}", f"Date: {run('date', '-uR').strip()}"]
        for name, algorithm in HASHES.items():
            lines.append(f"{name}:")
            for index in sorted(release.rglob("Packages")):
                lines.append(f" {digest(index, algorithm)} {index.stat().st_size} {index.relative_to(release)}")
        (release / "Release").write_text("\n".join(lines) + "\n")
        (build / "key.asc").write_text(sign(release, Path(scratch) / "gnupg"))
    # A server that serves the directory goes on with the new one.
    target.mkdir(parents=True, exist_ok=True)
    for name in ("debian", "key.asc"):
        old = target / f".{name}.old"
        if (target / name).exists():
            (target / name).rename(old)
        (build / name).rename(target / name)
        shutil.rmtree(old, ignore_errors=True) if old.is_dir() else old.unlink(missing_ok=True)
    build.rmdir()
    print(" ".join(series for _number, series in sorted(found)))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        refuse("usage: python3 lab/mysql_repository.py SOURCE TARGET CODENAME")
    os.umask(0o022)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
