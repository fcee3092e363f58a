# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's own files: MySQL's release key is the pinned one."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import yaml

ROLE = Path(__file__).resolve().parents[4] / "roles" / "mysql_gr"


def test_the_release_key_is_the_pinned_one():
    """RFC 4880: the fingerprint is the SHA-1 of 0x99, the length and the body of the public key packet; the armor has a CRC-24."""
    armor = (
        (ROLE / "files" / "mysql-release.asc").read_text().split("\n\n", 1)[1].split("\n-----END", 1)[0].splitlines()
    )
    data = base64.b64decode("".join(armor[:-1]))
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _bit in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    assert base64.b64decode(armor[-1][1:]) == crc.to_bytes(3, "big")
    assert data[0] == 0x99
    length = int.from_bytes(data[1:3], "big")
    fingerprint = hashlib.sha1(b"\x99" + data[1 : 3 + length]).hexdigest().upper()
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    assert fingerprint == variables["_mysql_gr_repository_key_fingerprint"]
