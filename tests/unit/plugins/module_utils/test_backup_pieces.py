# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A data directory in pieces, and back."""

from __future__ import annotations

import io
import os

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import pieces

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "A data directory comes out of its pieces as it went in; one schema needs the first piece and its own."
    ),
]

FILES = {
    "ibdata1": b"i" * 100, "mysql.ibd": b"m", "undo_001": b"u", "#innodb_redo/#ib_redo5": b"r", "mysql/general_log.CSM": b"g", "sys/sys_config.ibd": b"s",
    "a@002dschema/t.ibd": b"t" * 50, "app/t.ibd": b"t" * 60, "app/u#p#p0.ibd": b"p" * 60, "shop/big.ibd": b"b" * 500, "shop/x.ibd": b"x",
    # Left out.
    "auto.cnf": b"", "ca-key.pem": b"", "#ib_16384_0.dblwr": b"", "#innodb_temp/temp_1.ibt": b"", "ibtmp1": b"", "#clone/#status": b"",
    "mysqld-auto.cnf": b"", "db1.err": b"", "db1.pid": b"",
}  # fmt: skip


@pytest.fixture
def datadir(tmp_path):
    for name, data in FILES.items():
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_bytes(data)
    (tmp_path / "data" / "empty").mkdir()
    (tmp_path / "back").mkdir()
    return str(tmp_path / "data")


def test_there_and_back(datadir, tmp_path):
    groups = pieces.grouped(pieces.files_of(datadir), 130)
    assert groups[0] == [
        "#innodb_redo/#ib_redo5",
        "ibdata1",
        "mysql.ibd",
        "mysql/general_log.CSM",
        "sys/sys_config.ibd",
        "undo_001",
    ]
    assert groups[1:] == [
        ["a@002dschema/t.ibd", "app/t.ibd"],
        ["app/u#p#p0.ibd", "empty/"],
        ["shop/big.ibd"],
        ["shop/x.ibd"],
    ]
    back = str(tmp_path / "back")
    for group in groups:
        with pieces.packed(datadir, group) as tar:
            pieces.unpack(tar, back)
    assert pieces.files_of(back) == pieces.files_of(datadir)
    assert all(
        (tmp_path / "back" / name).read_bytes() == FILES[name]
        for group in groups
        for name in group
        if not name.endswith("/")
    )
    assert os.path.isdir(f"{back}/empty") and not os.path.exists(f"{back}/auto.cnf")


def test_pieces_of_a_schema():
    groups = [["ibdata1"], ["a@002dschema/t.ibd", "app/t.ibd"], ["app/u.ibd"], ["shop/x.ibd"]]
    assert pieces.of_schemas(groups, ["app"]) == [0, 1, 2]
    assert pieces.of_schemas(groups, ["a-schema"]) == [0, 1]
    assert pieces.of_schemas(groups, ["none"]) == [0]
    # How the file system spells it is not known here: all of them.
    assert pieces.of_schemas(groups, ["größe"]) == [0, 1, 2, 3]


def test_tar_that_fails(datadir, tmp_path, monkeypatch):
    with pytest.raises(pieces.PieceError, match="tar failed: tar: gone: Cannot stat"), pieces.packed(
        datadir, ["gone"]
    ) as tar:
        while tar.read(1000):
            pass
    with pytest.raises(pieces.PieceError, match="tar failed"):
        pieces.unpack(io.BytesIO(b"no tar at all" * 1000), str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pieces.PieceError, match="tar cannot be started"), pieces.packed(datadir, []) as tar:
        pass
    with pytest.raises(pieces.PieceError, match="tar cannot be started"):
        pieces.unpack(io.BytesIO(), str(tmp_path))


def test_a_source_that_fails(tmp_path):
    class Broken:
        def read(self, _size):
            raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        pieces.unpack(Broken(), str(tmp_path))
