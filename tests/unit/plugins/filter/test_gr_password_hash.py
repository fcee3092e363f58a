# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What caching_sha2_password stores of a password."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_password_hash import FilterModule
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.password_hash import crypt

pytestmark = pytest.mark.unit
gr_password_hash = FilterModule().filters()["gr_password_hash"]
SALT = "0123456789abcdef0123"


def test_the_specification_s_own_example():
    """As `openssl passwd -5` has it, too."""
    assert crypt(b"Hello world!", b"saltstring", 5000) == "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"


@pytest.mark.parametrize(
    ("password", "rounds", "stored"),
    [
        # As MySQL 9.7.4 took them: who logged in with the password was let in.
        ("a", 5000, "$A$005$0123456789abcdef0123tMTymu8eQsFW.gu2NLIdK3McKoZxZFYivSHAa56vqf1"),
        ("x" * 31, 5000, "$A$005$0123456789abcdef0123guXoNfMmYQNu5OtIZRdyu89MtQrPgsPrnL6Xv8e5/0C"),
        ("zz" * 40, 5000, "$A$005$0123456789abcdef0123SIC53CkpQ8LsjpCThWP04QiOYpi2nCz.4oJfD6VXsw9"),
        ("pä$'\\ ", 5000, "$A$005$0123456789abcdef0123UbVK0u6j7ud.ptuin54S2Cfr./M9Pf2W/.ZpqBNqK4A"),
    ],
)
def test_it_is_the_server_s(password, rounds, stored):
    assert gr_password_hash(password, SALT, rounds) == stored


def test_rounds_are_counted_in_thousands_in_hexadecimal():
    assert gr_password_hash("a", SALT, 10999) == gr_password_hash("a", SALT, 10000)
    assert gr_password_hash("a", SALT, 10000).startswith("$A$00A$" + SALT)
    assert gr_password_hash("a", SALT, 10000)[27:] != gr_password_hash("a", SALT)[27:]


@pytest.mark.parametrize(
    ("salt", "rounds", "sentence"),
    [
        (SALT, 4999, "caching_sha2_password_digest_rounds: 4999 is not allowed"),
        ("short", 5000, "20 letters and digits"),
        ("a$" * 10, 5000, "letters and digits"),
    ],
)
def test_what_the_server_would_not_take(salt, rounds, sentence):
    with pytest.raises(AnsibleFilterError, match=sentence):
        gr_password_hash("a", salt, rounds)
