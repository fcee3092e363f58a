# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies and the addresses that they share, for the status report: rows, and what an operator should know of them. No I/O here.

Private to this collection.
"""

from __future__ import annotations

from typing import Iterator, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import format_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._certificates import whole_days
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.status_answers import Answer, Row, why_not
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.status_findings import (
    CRITICAL,
    PLAYBOOK,
    WARNING,
    Finding,
    as_dicts,
    certificate,
    worst_first,
)

# Parts of the configuration that must be equal where proxies serve the same members. Variables may differ from host to host.
EQUAL = {"mysql_users": "users", "mysql_query_rules": "query rules"}


def servers(answer: Row) -> list[Row]:
    """Where the proxy has each server now, one row for each hostgroup."""
    return [
        {
            "server": format_address(place["hostname"], place["port"]),
            "hostgroup": where["hostgroup"],
            "role": where["role"],
            "status": where["status"],
            "remark": (place.get("check") or {}).get("error") or place.get("ping_error") or "",
        }
        for place in answer.get("placement") or []
        for where in place["hostgroups"]
    ]


def drift(answer: Row) -> list[Row]:
    """The tables of which another layer differs from memory, and what of them does."""
    return [
        {"table": table, "layer": layer, "names": [str(name) for name in names]}
        for table, layers in sorted((answer.get("drift") or {}).items())
        for layer, names in sorted(layers.items())
        if names
    ]


def proxy_row(host: str, answer: Answer, now: float) -> Row:
    """One proxy of the report."""
    given = answer or {}
    shown = given.get("certificate") or {}
    days = {
        name: None if shown.get(name) is None else whole_days(shown[name], now) for name in ("expires", "ca_expires")
    }
    return {
        "host": host,
        "reachable": bool(given.get("reachable")),
        "error": "" if given.get("reachable") else given.get("error") or why_not(answer),
        "version": given.get("proxysql_version") or "",
        "servers": servers(given),
        "drift": drift(given),
        "problems": [str(text) for text in given.get("problems") or []],
        "certificate_problem": shown.get("problem") or "",
        "certificate_days": days["expires"],
        "ca_days": days["ca_expires"],
        "checksums": {name: given["checksums"][name] for name in EQUAL if name in (given.get("checksums") or {})},
    }


def proxy_findings(row: Row, alone: bool) -> list[Finding]:
    """What an operator should know of a proxy. alone: no other one answers."""
    return worst_first(_of_proxy(row, alone))


def _of_proxy(row: Row, alone: bool) -> Iterator[Finding]:
    host = row["host"]
    if not row["reachable"]:
        more = " No other proxy answers: applications get no connection." if alone else ""
        yield Finding(
            CRITICAL if alone else WARNING,
            host,
            f"Its ProxySQL does not answer: {row['error'].rstrip('.')}.{more}",
            f"systemctl status proxysql; {PLAYBOOK}recover",
            "troubleshooting.md",
        )
        return
    writers = [one for one in row["servers"] if one["role"] == "writer" and one["status"] == "ONLINE"]
    if row["servers"] and not writers:
        yield Finding(
            CRITICAL,
            host,
            "It has no ONLINE server in its writer hostgroup: statements that write wait and fail.",
            "See the members first; then the remarks of its servers.",
            "troubleshooting.md",
        )
    for text in row["problems"]:
        yield Finding(WARNING, host, f"{text.rstrip('.')}.", "", "how-to/verify-the-proxy.md")
    for one in row["drift"]:
        where = "runtime (what is in use)" if one["layer"] == "runtime" else "disk (what it starts with)"
        yield Finding(
            WARNING,
            host,
            f"{one['table']}: memory and {where} differ in {', '.join(one['names'])}.",
            f"{PLAYBOOK}site --limit {host}",
            "how-to/verify-the-proxy.md",
        )
    if row["certificate_problem"]:
        yield Finding(
            CRITICAL,
            host,
            f"Clients that verify refuse its certificate: {row['certificate_problem']}.",
            f"{PLAYBOOK}renew_certificates",
            "how-to/tls.md",
        )
    yield from certificate(host, row["certificate_days"], row["ca_days"])


def peer_findings(cluster: str, rows: list[Row]) -> Iterator[Finding]:
    """Proxies of one cluster that are not configured alike."""
    for name, what in EQUAL.items():
        by_sum: dict[str, list[str]] = {}
        for row in rows:
            if name in row["checksums"]:
                by_sum.setdefault(str(row["checksums"][name]), []).append(row["host"])
        if len(by_sum) > 1:
            sides = " and ".join(", ".join(hosts) for hosts in by_sum.values())
            yield Finding(WARNING, cluster, f"Its proxies have different {what}: {sides}.", f"{PLAYBOOK}site", "how-to/verify-the-proxy.md")  # fmt: skip


def address_finding(row: Row) -> Iterator[Finding]:
    """What is wrong with a shared address; row: one of gr_status."""
    if row["remark"]:
        bad = row["proxies"] == "none" or row["remark"].startswith("split")
        yield Finding(CRITICAL if bad else WARNING, row["address"], f"{row['remark'].rstrip('.')}.", "", "how-to/one-address.md")  # fmt: skip


def proxies(answers: Mapping[str, Answer], now: float) -> list[Row]:
    """All proxies with their findings."""
    rows = [proxy_row(host, answer, now) for host, answer in answers.items()]
    alone = not any(row["reachable"] for row in rows)
    return [{**row, "findings": as_dicts(proxy_findings(row, alone))} for row in rows]
