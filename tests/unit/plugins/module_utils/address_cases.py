# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts in the form in which people write them, and what is none."""

from __future__ import annotations

HOSTS = [
    ("192.0.2.130", "ipv4", "192.0.2.130"),
    (" 192.0.2.130 ", "ipv4", "192.0.2.130"),
    ("2001:DB8:0:0::130", "ipv6", "2001:db8::130"),
    ("[2001:DB8::1]", "ipv6", "2001:db8::1"),
    ("::ffff:192.0.2.1", "ipv6", "::ffff:192.0.2.1"),
    ("fe80::1%eth0", "ipv6", "fe80::1%eth0"),
    ("db0", "name", "db0"),
    ("DB0.Example.COM", "name", "db0.example.com"),
    ("db0.example.com.", "name", "db0.example.com"),
    ("db-0", "name", "db-0"),
    ("db_0", "name", "db_0"),
    ("3com.example", "name", "3com.example"),
]
WRONG = [
    "",
    ".",
    "a b",
    "192.168.1.300",
    "192.168.1",
    "192.168.01.2",
    "1234",
    "db0.1",
    "192.0.2.130:3306",
    "[192.0.2.130]",
    "[db0]",
    "[2001:db8::1",
    "[2001:db8::1]:3306",
    "2001:db8::1::2",
    "fe80::1%",
    "-db0",
    "db0-",
    "db0..example",
    "db0..",
    "a" * 64,
    "a." * 127 + "aa",
    "db0;x",
    "dé",
]
