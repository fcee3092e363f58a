# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that the Group Replication modules share; documented in doc_fragments/group_replication.py.

Private to this collection.
"""

from __future__ import annotations

from ansible_collections.distdb.mysql_ha.plugins.module_utils.mysql_conn import login_options


def cluster_options():
    """Connection options and the options about declared members."""
    spec = login_options()
    spec.update(
        members={"type": "list", "elements": "str", "required": True},
        member={"type": "str"},
        peer_user={"type": "str"},
        peer_password={"type": "str", "no_log": True},
        peer_ca_cert={"type": "path"},
        peer_connect_timeout={"type": "int", "default": 3},
    )
    return spec
