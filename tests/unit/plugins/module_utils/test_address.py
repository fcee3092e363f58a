# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one grammar of addresses, and that every door to the collection uses it."""

from __future__ import annotations

from pathlib import Path

import pytest
from address_cases import HOSTS, WRONG
from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import (
    AddressError,
    classify,
    format_address,
    join_address,
    normal_address,
    parse_address,
)

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "An address is one and the same in the inventory, in modules and in filters, or refused everywhere."
    ),
]


@pytest.mark.parametrize(("text", "kind", "canonical"), HOSTS)
def test_hosts(text, kind, canonical):
    assert classify(text) == (kind, canonical)
    assert classify(canonical) == (kind, canonical), "the canonical form is its own"


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_host(text):
    assert classify(text) == ("invalid", text)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("192.0.2.1", "192.0.2.1:3306"),
        ("192.0.2.1:3307", "192.0.2.1:3307"),
        (" DB0.Example.ORG ", "db0.example.org:3306"),
        ("db0.example.org.:3307", "db0.example.org:3307"),
        ("[2001:DB8::1]", "[2001:db8::1]:3306"),
        ("[2001:db8:0::1]:3307", "[2001:db8::1]:3307"),
        ("[fe80::1%eth0]:3306", "[fe80::1%eth0]:3306"),
        ("db_0", "db_0:3306"),
    ],
)
def test_addresses(text, normal):
    assert normal_address(text) == normal
    assert normal_address(normal) == normal
    assert format_address(*parse_address(text)) == normal


@pytest.mark.parametrize(
    "text",
    ["", "a b", "2001:db8::1", "[2001:db8::1", "[db0]:3306", "db0:", "db0:port", "db0:0", "db0:65536", "-db0", "db0;x"]
    + ["192.168.1.300:3306", "192.168.1.300"],
)
def test_what_is_no_address(text):
    with pytest.raises(AddressError, match="^members: "):
        normal_address(text)


def test_what_a_server_reports_is_shown_in_the_canonical_form_and_what_was_found_as_it_is():
    assert format_address("DB0.Lab.Example", 3306) == "db0.lab.example:3306"
    assert format_address("2001:DB8::1", 3306) == "[2001:db8::1]:3306"
    assert join_address("DB0", 3306) == "DB0:3306"


def test_nobody_else_joins_a_host_and_a_port():
    """Thirteen places did, and disagreed."""
    plugins = Path(__file__).parents[4] / "plugins"
    for path in sorted(plugins.rglob("*.py")):
        if path.name != "_address.py":
            text = path.read_text(encoding="utf-8")
            for form in ("%s:%d", "[%s]", '"[{0}]:{1}"', "valid_ipv4", "valid_ipv6", 'rpartition(":")\n        host'):
                assert form not in text, f"{path} formats or parses an address by itself ({form})"
