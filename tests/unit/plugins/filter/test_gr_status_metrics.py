# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of proxies and backups."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_status_metrics import FilterModule, gr_status_metrics
from support_status import NOW, proxy, reported


def lines(proxies, **backups):
    text = gr_status_metrics(reported(proxies=proxies), backups)
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_a_proxy_that_is_well():
    assert lines({"a": proxy()}) == [
        'mysql_gr_proxy_up{proxy="a"} 1',
        'mysql_gr_proxy_writers{proxy="a"} 3',
        'mysql_gr_proxy_problems{proxy="a"} 0',
        'mysql_gr_proxy_checksum{checksum="0x0ED7B6C1D5A3B1AA",cluster="mysql_gr",part="mysql_users",proxy="a"} 1',
        'mysql_gr_proxy_checksum{checksum="0x23A5C06CA6D1F5E0",cluster="mysql_gr",part="mysql_query_rules",proxy="a"} 1',
        'mysql_gr_proxy_certificate_valid_seconds{certificate="ca",proxy="a"} 259200000',
        'mysql_gr_proxy_certificate_valid_seconds{certificate="own",proxy="a"} 25920000',
    ]


def test_layers_that_differ():
    drift = {"mysql_users": {"runtime": ["shop", "x"], "disk": []}, "mysql_servers": {"runtime": [], "disk": ["y"]}}
    found = [line for line in lines({"a": proxy(drift=drift, problems=["z"])}) if "drift" in line or "problems" in line]
    assert found == [
        'mysql_gr_proxy_problems{proxy="a"} 1',
        'mysql_gr_proxy_drift{layer="disk",proxy="a",table="mysql_servers"} 1',
        'mysql_gr_proxy_drift{layer="runtime",proxy="a",table="mysql_users"} 2',
    ]


def test_a_proxy_that_does_not_answer():
    assert lines({"a": proxy(reachable=False, error="refused", checksums={})}) == ['mysql_gr_proxy_up{proxy="a"} 0']


@pytest.mark.parametrize("at", ["2026-11-27T17:20:00Z", "2026-11-27T17:20:00.000000Z", "2026-11-27T17:20:00"])
def test_backups(at):
    assert lines({}, shop=at) == [f'mysql_gr_backup_timestamp_seconds{{cluster="shop"}} {NOW:.0f}']


def test_it_is_the_filter_of_its_name():
    assert set(FilterModule().filters()) == {"gr_status_metrics"}
