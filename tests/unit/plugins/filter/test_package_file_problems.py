# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Package files on the control node are what the inventory says, or nothing is installed."""

from __future__ import annotations

import hashlib

from ansible_collections.distdb.mysql_ha.plugins.filter.package_file_problems import package_file_problems


def test_files(tmp_path):
    path = tmp_path / "a.deb"
    path.write_bytes(b"a package")
    right = {"path": str(path), "checksum": "sha256:" + hashlib.sha256(b"a package").hexdigest().upper()}
    assert package_file_problems([right, {"url": "x", "checksum": "sha256:1"}], "packages") == []
    other = package_file_problems([dict(right, checksum="sha512:" + "0" * 128)], "packages")
    assert len(other) == 1 and "has the checksum " in other[0] and "nothing is installed" in other[0]
    missing = package_file_problems([dict(right, path=str(tmp_path / "b.deb"))], "packages")
    assert missing == [f"packages: {tmp_path / 'b.deb'} does not exist on the control node; nothing is installed."]
    assert "needs a checksum" in package_file_problems([dict(right, checksum="md5:1")], "packages")[0]
