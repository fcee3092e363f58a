# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For how long the certificate is valid that a server has read, and that of its CA.

Private to this collection.
"""

from __future__ import annotations

import os
from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.module_utils._certificates import certificates, issuer_ends, whole_days
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.tls import days_left
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import read

ENDS = """SELECT VARIABLE_VALUE AS ends FROM performance_schema.global_status
 WHERE VARIABLE_NAME = 'Ssl_server_not_after'"""
FILES = "SELECT @@global.ssl_ca AS ca, @@global.ssl_cert AS cert, @@global.datadir AS datadir"


def certificate_of(local: Connection, now: float) -> dict[str, Any]:
    """What the server says of the certificate that it has read."""
    rows = local.query(ENDS)
    ends = str(rows[0]["ends"]) if rows else ""
    return {"expires": ends, "days_left": days_left(ends, now), "ca_days_left": ca_days_left(local, now)}


def ca_days_left(local: Connection, now: float) -> int | None:
    """For how many whole days the CA's certificate is valid, by the server's files."""
    files = local.query(FILES)[0]
    ca, cert = (read(os.path.join(files["datadir"] or "", files[part] or "")) for part in ("ca", "cert"))
    own = certificates(cert)
    ends = issuer_ends(own[0], ca) if own else None
    return None if ends is None else whole_days(ends, now)
