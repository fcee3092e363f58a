# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only the control node knows, as metrics: whether layers of a proxy and proxies differ, and how old backups are. No I/O here.

Members measure themselves (mysql-gr-guard metrics): they are not in it, or each of their alerts would come twice.

Private to this collection.
"""

from __future__ import annotations

import datetime
from typing import Iterator, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.metrics import (
    Sample,
    exposition,
    sample,
    seconds,
)
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.status_answers import Row


def moment(text: str) -> float:
    """Seconds since 1970 of a moment in UTC as the backup playbook writes it: 2026-11-27T17:20:00.123456Z."""
    found = datetime.datetime.fromisoformat(text[:-1] if text.endswith("Z") else text)
    return found.replace(tzinfo=datetime.timezone.utc).timestamp()


def proxy_samples(row: Row) -> Iterator[Sample]:
    """One proxy of the report."""
    names = {"proxy": row["host"]}
    yield from sample("mysql_gr_proxy_up", row["reachable"], **names)
    if not row["reachable"]:
        return
    writers = {one["server"] for one in row["servers"] if one["role"] == "writer" and one["status"] == "ONLINE"}
    yield from sample("mysql_gr_proxy_writers", len(writers), **names)
    yield from sample("mysql_gr_proxy_problems", len(row["problems"]), **names)
    for one in row["drift"]:
        yield from sample("mysql_gr_proxy_drift", len(one["names"]), table=one["table"], layer=one["layer"], **names)
    for which, key in (("own", "certificate_days"), ("ca", "ca_days")):
        yield from sample("mysql_gr_proxy_certificate_valid_seconds", seconds(row[key]), certificate=which, **names)


def report_samples(report: Row, backups: Mapping[str, str]) -> Iterator[Sample]:
    """All of a report. backups: when the newest backup of a cluster was made, by its name."""
    for row in report["proxies"]:
        yield from proxy_samples(row)
        for cluster in report["clusters"]:
            if row["host"] in cluster["proxies"]:
                for part, checksum in row["checksums"].items():
                    yield from sample("mysql_gr_proxy_checksum", 1, cluster=cluster["name"], proxy=row["host"], part=part, checksum=checksum)  # fmt: skip
    for name, at in backups.items():
        yield from sample("mysql_gr_backup_timestamp_seconds", moment(at), cluster=name)


def textfile(report: Row, backups: Mapping[str, str]) -> str:
    """The file."""
    return exposition(report_samples(report, backups))
