# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bcrypt hash of a password: what libraries and Prometheus' exporters compare, and the same each time."""

from __future__ import annotations

import types

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_exporter_password import gr_exporter_password
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils import monitoring

pytestmark = [pytest.mark.unit]


@pytest.fixture(autouse=True)
def _afresh():
    monitoring.bcrypt_hash.cache_clear()


def test_a_hash_is_the_same_each_time_and_another_one_for_another_host():
    first = gr_exporter_password("secret", "db0")
    assert first.startswith("$2b$10$") and len(first) == 60
    assert gr_exporter_password("secret", "db0") == first != gr_exporter_password("secret", "db1")


def test_the_systems_library_knows_the_hash_of_others(monkeypatch):
    """A test vector of OpenBSD's bcrypt, as crypt_blowfish has it."""
    monkeypatch.setattr(monitoring, "bcrypt", None)
    found = monitoring._by_libcrypt(b"U*U", b"$2b$05$CCCCCCCCCCCCCCCCCCCCC.")
    assert found == b"$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"


def test_a_salt_has_no_bits_that_are_lost():
    """Of the last of 22 digits bcrypt has two bits: with others set, what comes back is another salt."""
    assert all(monitoring.salt_of(str(number))[-1] in ".Oeu" for number in range(200))


def test_the_python_library_goes_first(monkeypatch):
    asked = []
    library = types.SimpleNamespace(hashpw=lambda password, setting: asked.append(password) or setting + b"x" * 31)
    monkeypatch.setattr(monitoring, "bcrypt", library)
    assert gr_exporter_password("pässword", "db0").endswith("x" * 31) and asked == ["pässword".encode()]


@pytest.mark.parametrize("library", ["none", "one without bcrypt"])
def test_without_either_one_sentence_says_what_to_install(monkeypatch, library):
    def missing(_name):
        raise OSError(_name)

    class Other:
        def __init__(self, _name):
            self.crypt = lambda _password, _setting: None

    monkeypatch.setattr(monitoring, "bcrypt", None)
    monkeypatch.setattr(monitoring.ctypes, "CDLL", missing if library == "none" else Other)
    with pytest.raises(AnsibleFilterError, match="install the Python library bcrypt for the Python that runs Ansible"):
        gr_exporter_password("secret", "db0")
