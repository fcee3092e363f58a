# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as files of a host: whether they work, until when, and whether a server has read them. With real certificates."""

from __future__ import annotations

import json
import os
import time

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils import _certificates
from ansible_collections.distdb.mysql_ha.plugins.module_utils._certificates import Files, has_read, marks, seen, trouble

pytest.importorskip("cryptography.x509")
from support_certificates import CA, DAY

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "A certificate that does not work is refused before it meets a server, with OpenSSL's own reason."
    ),
]

ADDRESS = "192.0.2.130"


class Authority(CA):
    def files(self, days=365):
        """A pair of certificate and key, with this CA."""
        return Files(self.path, *self.issue(f"{self.name}-db0", ADDRESS, ends=days * DAY))


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "own")


def test_a_pair_that_works(authority):
    found = seen(authority.files(), "192.0.2.130")
    assert found["problem"] == ""
    assert abs(found["expires"] - time.time() - 365 * 86400) < 3600
    assert abs(found["ca_expires"] - time.time() - 3650 * 86400) < 3600
    assert len(found["ca_checksum"]) == len(found["cert_checksum"]) == 40


def test_why_a_pair_does_not_work(authority, tmp_path):
    files, other = authority.files(), Authority(tmp_path, "other")
    strange = other.files()
    assert "is not the key of" in trouble(files._replace(key=strange.key), "")
    assert "certificate verify failed" in trouble(files._replace(ca=strange.ca), "")
    assert "192.0.2.131" in trouble(files, "192.0.2.131")
    assert trouble(files, "") == ""
    assert trouble(files._replace(key="/nowhere"), "") == "/nowhere is no file"
    assert "expired" in trouble(authority.files(days=-1), "")


def test_what_has_expired_is_seen_with_its_date(authority):
    assert seen(authority.files(days=-1), "")["expires"] < time.time()


def test_a_bundle_of_two_cas_trusts_both(authority, tmp_path):
    other = Authority(tmp_path, "other")
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(authority.text + other.text)
    for files in (authority.files(), other.files()):
        assert trouble(files._replace(ca=str(bundle)), "192.0.2.130") == ""


def test_without_files_nothing_is_claimed(tmp_path):
    found = seen(Files(*(str(tmp_path / part) for part in ("a", "b", "c"))), "")
    assert found["problem"].endswith("a is no file")
    assert found["expires"] is found["ca_expires"] is found["ca_checksum"] is found["cert_checksum"] is None
    assert found["digest"] == ""


def test_what_is_no_certificate_is_left_out():
    text = "-----BEGIN CERTIFICATE-----\nMAoCAQ==\n-----END CERTIFICATE-----\n"
    assert _certificates.certificates(text) == []


def test_years_before_2050_have_two_digits():
    assert _certificates._time(0x17, b"300101000000Z") == _certificates._time(0x18, b"20300101000000Z")


def test_a_server_has_read_what_is_older_than_it(authority):
    files = authority.files()
    later = time.time() + 5
    assert has_read(files, later, None)
    assert not has_read(files, later - 10, None)
    assert not has_read(files, 0.0, None)
    assert not has_read(files._replace(key="/nowhere"), later, None)


def test_what_a_server_was_told_to_read_counts_more_than_its_age(authority):
    files = authority.files()
    for started in (time.time() - 10, time.time() + 5):
        assert has_read(files, started, _certificates.digest(files))
        assert not has_read(files, started, "")
    noted = _certificates.digest(files)
    with open(files.ca, "a", encoding="utf-8") as out:
        out.write("\n")
    assert not has_read(files, time.time() - 10, noted)


def test_marks_of_another_process_do_not_count(tmp_path):
    path = tmp_path / "marks"
    assert marks(str(path), 100.0) == {}
    path.write_text(json.dumps({"started": 100.2, "main": "a", "group": ""}))
    assert marks(str(path), 100.0) == {"main": "a", "group": ""}
    assert marks(str(path), 200.0) == {}
    path.write_text(json.dumps({"started": 100, "main": "a"}))
    assert marks(str(path), 100.0) == {"main": "a"}
    path.write_text("{")
    assert marks(str(path), 100.0) == {}


def test_the_start_of_a_process():
    assert 0 < time.time() - _certificates.process_start(os.getpid()) < 3600
    assert _certificates.process_start(2**22 + 1) == 0.0
