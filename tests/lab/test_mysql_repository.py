# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""lab/mysql_repository.py: packages become a repository that apt believes, a component per series, and nothing else does."""

from __future__ import annotations

import shutil
import subprocess
import tarfile

import pytest
from support import ROOT

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim(
        "The lab serves MySQL packages that it is given as a signed repository, one component per series."
    ),
    pytest.mark.skipif(not shutil.which("apt-get"), reason="needs apt-get"),
]


def package(folder, name: str, version: str) -> None:
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Lab <lab@lab.example>\nDescription: {name}\n of the test\n"
    )
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", tree, folder / f"{name}_{version}_all.deb"],
        check=True,
        capture_output=True,
    )
    shutil.rmtree(tree)


def build(source, target):
    return subprocess.run(
        ["python3", ROOT / "lab/mysql_repository.py", source, target, "bookworm"],
        capture_output=True,
        text=True,
        check=False,
    )


def candidate(work, repository, component: str) -> str:
    """What apt, with lists and settings of its own, would install; fails where it does not believe the repository."""
    for folder in ("lists/partial", "cache", "parts"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    (work / "sources").write_text(
        f"deb [signed-by={repository}/key.asc] file:{repository}/debian bookworm {component}\n"
    )
    (work / "apt.conf").write_text(
        f'Dir::Etc::SourceList "{work}/sources"; Dir::Etc::SourceParts "{work}/parts"; Dir::Etc::PreferencesParts "{work}/parts";\n'
        f'Dir::State::Lists "{work}/lists"; Dir::State::status "/dev/null"; Dir::Cache "{work}/cache"; APT::Sandbox::User "root";\n'
        'APT::Update::Error-Mode "any";\n'
    )
    settings = {"APT_CONFIG": str(work / "apt.conf"), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
    update = subprocess.run(["apt-get", "update"], env=settings, capture_output=True, text=True, check=False)
    if update.returncode != 0:
        return update.stderr
    policy = subprocess.run(
        ["apt-cache", "policy", "mysql-server"], env=settings, capture_output=True, text=True, check=True
    )
    return policy.stdout.split("Candidate: ")[1].split()[0]


@pytest.fixture
def packages(tmp_path):
    for series, version in (("8.0", "8.0.30-1"), ("8.4", "8.4.8-1")):
        (tmp_path / "in" / series).mkdir(parents=True)
        package(tmp_path / "in" / series, "mysql-server", version)
    return tmp_path / "in"


def test_each_series_has_a_component_and_apt_believes_it(packages, tmp_path):
    done = build(packages, tmp_path / "out")
    assert (done.returncode, done.stdout) == (0, "8.0 8.4\n"), done.stderr
    assert candidate(tmp_path / "apt", tmp_path / "out", "mysql-8.0") == "8.0.30-1"
    assert candidate(tmp_path / "apt", tmp_path / "out", "mysql-8.4-lts") == "8.4.8-1"


def test_a_newer_package_is_offered_when_it_is_built_again(packages, tmp_path):
    build(packages, tmp_path / "out")
    package(packages / "8.4", "mysql-server", "8.4.9-1")
    assert build(packages, tmp_path / "out").returncode == 0
    assert candidate(tmp_path / "apt", tmp_path / "out", "mysql-8.4-lts") == "8.4.9-1"


def test_apt_refuses_lists_that_were_changed(packages, tmp_path):
    build(packages, tmp_path / "out")
    release = tmp_path / "out/debian/dists/bookworm/InRelease"
    release.write_text(release.read_text().replace("Suite: bookworm", "Suite: trixie"))
    assert "BADSIG" in candidate(tmp_path / "apt", tmp_path / "out", "mysql-8.0")


def test_a_bundle_is_taken_as_mysql_publishes_it(packages, tmp_path):
    with tarfile.open(tmp_path / "mysql-server_8.4.8_amd64.deb-bundle.tar", "w") as bundle:
        for file in (packages / "8.4").iterdir():
            bundle.add(file, file.name)
    done = build(tmp_path / "mysql-server_8.4.8_amd64.deb-bundle.tar", tmp_path / "out")
    assert (done.returncode, done.stdout) == (0, "8.4\n"), done.stderr


def test_what_is_not_a_set_of_packages_is_refused(packages, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "which has no .deb files" in build(tmp_path / "empty", tmp_path / "out").stderr
    assert "allowed is a folder of .deb files" in build(tmp_path / "absent", tmp_path / "out").stderr
    package(packages / "8.4", "mysql-server", "8.0.31-1")
    assert "servers of 2 series (8.0, 8.4)" in build(packages, tmp_path / "out").stderr
    assert not (tmp_path / "out").exists()
