# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for ProxySQL in the lab: enough of its admin interface, Group Replication monitor and forwarding to try the collection on.

Not a proxy for use. See ../README.md for what it does and where it differs from the real one.
"""

# What it calls itself: a series whose monitor works with MySQL 9, as the stand-in's does. Tables, variables and behaviour were read from
# and tried against BASED_ON, whose monitor differs from later ones in just that (see ../README.md).
VERSION = "3.0.6-standin"
BASED_ON = "2.7.1"
