# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory takes and refuses the same addresses as the modules."""

from __future__ import annotations

import pytest
from address_cases import HOSTS, WRONG
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_members import gr_members
from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import format_address, normal_address
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.preflight_variables import address_problems


@pytest.mark.parametrize(("text", "kind", "canonical"), HOSTS)
def test_the_inventory_and_the_modules_agree(text, kind, canonical):
    member = gr_members(["host"], {"host": {"mysql_gr_address": text}})[0]
    assert (member["kind"], member["address"]) == (kind, canonical)
    assert member["sql"] == normal_address(member["sql"]) == format_address(text, 3306)


@pytest.mark.parametrize("text", WRONG[1:])
def test_the_preflight_refuses_what_the_modules_refuse(text):
    member = gr_members(["host"], {"host": {"mysql_gr_address": text}})[0]
    assert address_problems(member, 3), "nothing may be installed for an address that the modules refuse afterwards"
