# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installation without a network: package files with checksums, and a lab whose way out is cut.

The files of MySQL are what apt would fetch for blank hosts. ProxySQL is a package file that is given (LAB_PROXYSQL_DEB), or one that is
made here of what the lab has (LAB_PROXYSQL_BIN, else the stand-in).
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from support import ROOT, Lab, wait_for

pytestmark = [
    pytest.mark.airgap,
    pytest.mark.claim("Hosts without a network are installed from package files with checksums.", minutes=7),
]

SERVICE = ROOT / "lab" / "standin" / "proxysql.service"
# As upstream's package does it.
POSTINST = """#!/bin/sh -e
getent group proxysql >/dev/null || groupadd --system proxysql
getent passwd proxysql >/dev/null || useradd --system --gid proxysql --home-dir /var/lib/proxysql --shell /usr/sbin/nologin proxysql
chown proxysql:proxysql /var/lib/proxysql
"""
FETCH = (
    "apt-get install -q -y --no-install-recommends --download-only -o Dir::Cache::archives=/root/debs"
    " mysql-server python3-pymysql"
)


def entry(path: Path) -> dict:
    return {"path": str(path), "checksum": f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"}


def fetch(lab: Lab, folder: Path) -> list[Path]:
    """The package files that a blank host lacks, those that others depend on last: the order must not matter."""
    lab.on("db0", "mkdir", "-p", "/root/debs/partial")
    lab.on("db0", "sh", "-c", FETCH, timeout=300)
    tar = subprocess.run(
        [ROOT / "lab/podman", "exec", "db0", "tar", "-C", "/root/debs", "-c", "."], capture_output=True, check=True
    ).stdout
    subprocess.run(["tar", "-C", folder, "-x"], input=tar, check=True)
    return sorted(folder.glob("*.deb"), key=lambda path: not path.name.startswith("mysql-server_"))


def proxysql_package(lab: Lab, folder: Path) -> Path:
    if os.environ.get("LAB_PROXYSQL_DEB"):
        return Path(os.environ["LAB_PROXYSQL_DEB"])
    root = folder / "proxysql"
    for name in ("DEBIAN", "usr/bin", "usr/lib/systemd/system", "var/lib/proxysql"):
        (root / name).mkdir(parents=True)
    program = root / "usr/bin/proxysql"
    if os.environ.get("LAB_PROXYSQL_BIN"):
        program.write_bytes(Path(os.environ["LAB_PROXYSQL_BIN"]).read_bytes())
    else:
        lab.command("python3", "lab/standin/build.py", str(program))
    program.chmod(0o755)
    unit = SERVICE.read_text()
    if os.environ.get("LAB_PROXYSQL_BIN"):
        # As upstream's: its database, which has the passwords, is not for everybody.
        unit = unit.replace("Type=notify", "Type=simple\nUMask=0007")
    (root / "usr/lib/systemd/system/proxysql.service").write_text(unit)
    (root / "DEBIAN/postinst").write_text(POSTINST)
    (root / "DEBIAN/postinst").chmod(0o755)
    control = ["Package: proxysql", "Version: 0.lab", "Architecture: all", "Maintainer: lab <root@localhost>"]
    (root / "DEBIAN/control").write_text("\n".join([*control, "Description: what the lab has for ProxySQL", ""]))
    target = folder / "proxysql_0.lab_all.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Znone", "--build", root, target], check=True, capture_output=True
    )
    return target


def packages(lab: Lab) -> list[str]:
    """Those of the proxy's packages that are installed."""
    shown = lab.on(
        "proxy", "dpkg-query", "-W", "-f", "${Package} ${Status}\\n", "proxysql", "python3-pymysql", check=False
    )
    return re.findall(r"^(\S+) install ok installed$", shown, re.MULTILINE)


@pytest.fixture(scope="module")
def variables(tmp_path_factory) -> Path:
    """Variables of an installation from files, on blank hosts that reach nothing but each other."""
    lab, folder = Lab(), tmp_path_factory.mktemp("files")
    lab.down()
    lab.command("lab/up", timeout=900, LAB_PREPARE="0")
    files = fetch(lab, folder)
    lab.command("lab/down", "db0")
    lab.command("lab/up", timeout=300, LAB_PREPARE="0")
    # Nothing comes from the lab's package cache or from lists that the image has.
    for host in (*lab.members, "proxy"):
        lab.on(host, "sh", "-c", "rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/*")
    lab.command("lab/enter", "ip", "link", "set", "tap0", "down")
    wanted = {
        "mysql_gr_install_method": "package",
        "mysql_gr_packages": [entry(path) for path in files],
        "proxysql_install_method": "package",
        "proxysql_package": entry(proxysql_package(lab, folder)),
        "proxysql_library_package": entry([path for path in files if path.name.startswith("python3-pymysql_")][0]),
        "proxysql_allow_version_pair": True,
        "proxysql_allow_vulnerable_version": True,
    }
    path = folder / "variables.yml"
    path.write_text(yaml.safe_dump(wanted))
    yield path
    lab.down()


def test_the_hosts_reach_no_package_source(lab, variables):
    for host in (*lab.members, "proxy"):
        said = lab.on(
            host, "sh", "-c", "apt-get -q -o Acquire::Retries=0 -o Acquire::http::Timeout=3 update 2>&1 || true"
        )
        assert "Failed to fetch" in said or "Could not" in said or "Temporary failure" in said, said


def test_a_file_with_another_checksum_is_refused_before_anything_is_installed(lab, variables, tmp_path):
    wrong = yaml.safe_load(variables.read_text())
    wrong["mysql_gr_packages"][-1]["checksum"] = "sha256:" + "0" * 64
    (tmp_path / "wrong.yml").write_text(yaml.safe_dump(wrong))
    run = lab.site("-e", f"@{tmp_path / 'wrong.yml'}")
    assert run.code != 0
    assert re.search(
        r"mysql_gr_packages\[\d+\]: \S+\.deb has the checksum [0-9a-f]{64}, not sha256:0{64}; nothing is installed",
        run.flat,
    )
    for member in lab.members:
        assert lab.on(member, "sh", "-c", "command -v mysqld || echo none").strip() == "none"


def wrong_checksum(variables: Path, folder: Path, name: str) -> Path:
    wrong = yaml.safe_load(variables.read_text())
    wrong[name]["checksum"] = "sha256:" + "0" * 64
    path = folder / "wrong.yml"
    path.write_text(yaml.safe_dump(wrong))
    return path


@pytest.mark.parametrize("name", ["proxysql_package", "proxysql_library_package"])
def test_a_proxy_with_another_checksum_is_refused_before_anything_is_changed(lab, variables, tmp_path, name):
    run = lab.site("-e", f"@{wrong_checksum(variables, tmp_path, name)}", "--limit", "proxy")
    assert run.code != 0
    assert re.search(
        rf"{name}: \S+\.deb has the checksum [0-9a-f]{{64}}, not sha256:0{{64}}; nothing is installed", run.flat
    ), run
    assert run.changed == {"proxy": 0}
    assert packages(lab) == []


@pytest.fixture(scope="module")
def from_urls(lab, variables) -> dict:
    """The proxy's package files by URL, from a server inside of the lab."""
    wanted = yaml.safe_load(variables.read_text())
    folder = variables.parent / "served"
    folder.mkdir()
    gateway = lab.address("db0").rpartition(".")[0] + ".1"
    for name in ("proxysql_package", "proxysql_library_package"):
        file = Path(wanted[name]["path"])
        (folder / file.name).write_bytes(file.read_bytes())
        wanted[name] = {"url": f"http://{gateway}:8099/{file.name}?from=lab", "checksum": wanted[name]["checksum"]}
    server = subprocess.Popen(
        [ROOT / "lab/enter", "python3", "-m", "http.server", "--bind", gateway, "--directory", folder, "8099"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    reach = f"import urllib.request; urllib.request.urlopen('http://{gateway}:8099/', timeout=2)"
    wait_for(
        lambda: lab.command("lab/podman", "exec", "proxy", "python3", "-c", reach, check=False).returncode == 0,
        20, "the files are served",
    )  # fmt: skip
    yield wanted
    server.terminate()
    server.wait()


def test_a_download_with_another_checksum_is_refused_before_anything_is_installed(lab, from_urls, tmp_path):
    path = tmp_path / "urls.yml"
    path.write_text(yaml.safe_dump(from_urls))
    run = lab.site("-e", f"@{wrong_checksum(path, tmp_path, 'proxysql_package')}", "--limit", "proxy")
    assert run.code != 0 and "checksum" in run.flat, run
    assert packages(lab) == []


def test_check_mode_knows_files_that_are_not_there_yet(lab, from_urls, tmp_path):
    path = tmp_path / "urls.yml"
    path.write_text(yaml.safe_dump(from_urls))
    run = lab.site("-e", f"@{path}", "--limit", "proxy", "--check")
    assert run.code == 0, run
    assert run.changed["proxy"] > 0
    assert packages(lab) == []


def test_the_cluster_comes_up_from_files(lab, variables):
    run = lab.site("-e", f"@{variables}")
    assert run.code == 0, run
    print(f"\nsite from package files, no network: {run.seconds:.0f} s")
    lab.one_group()
    assert packages(lab) == ["proxysql", "python3-pymysql"]


def test_the_second_run_changes_nothing(lab, variables):
    run = lab.site("-e", f"@{variables}")
    assert run.code == 0, run
    assert not any(run.changed.values()), run
