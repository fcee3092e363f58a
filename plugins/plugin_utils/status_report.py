# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of all clusters of a run as data: what the status playbook writes as JSON, and what its page is made of. No I/O here.

Private to this collection.
"""

from __future__ import annotations

import time
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.events import Event
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.margin import Margin, margin
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.status_answers import Answer, Row, why_not, witness
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.status_findings import (
    CODES,
    RANK,
    VERDICTS,
    Finding,
    Seen,
    as_dicts,
    findings,
    worst_first,
)
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.status_proxies import (
    address_finding,
    peer_findings,
    proxies,
)

FORMAT = 1  # of the data: it grows when a name changes its meaning or goes away
EVENTS = 30  # of a cluster, the newest
SAME = 10  # seconds between what two members note of one event
_FLOW = "group_replication_flow_control_"


def stamp(at: float) -> str:
    """A moment, in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def flow_control(member: Row) -> dict[str, int]:
    """From how long queues on a member has its group slow its writers down; empty where it does not, or that is not known."""
    settings = member.get("settings") or {}
    if settings.get(f"{_FLOW}mode") != "QUOTA":
        return {}
    names = {"to_certify": "certifier_threshold", "behind": "applier_threshold"}
    found = {name: str(settings.get(_FLOW + setting, "")) for name, setting in names.items()}
    return {name: int(value) for name, value in found.items() if value.isdigit()}


def member_row(host: str, address: str, result: Answer, cluster: Row) -> Row:
    """One declared member: of itself it knows best, of one that does not answer the others know something."""
    given = result or {}
    seen = (cluster.get("members") or {}).get(address) or {}
    own = ((given.get("cluster") or {}).get("members") or {}).get(address) or {}
    best = own or seen
    answered = bool(given.get("cluster"))
    member = given.get("member") or {}
    certificate = given.get("certificate") or {}
    return {
        "host": host,
        "address": address,
        "answered": answered,
        "state": seen.get("state") or own.get("state") or "UNKNOWN",
        "role": own.get("role") or seen.get("role") or "",
        "version": own.get("version") or seen.get("version") or "",
        "kind": seen.get("kind") or own.get("kind") or "unreachable",
        "why": str(seen.get("why") or own.get("why") or ("" if answered or seen.get("kind") else why_not(result))),
        "behind": best.get("transactions_behind"),
        "to_certify": best.get("transactions_to_certify"),
        "errant": best.get("errant") or "",
        "replicates_from": [str(text) for text in best.get("replicates_from") or []],
        "differing_settings": [str(text) for text in best.get("differing_settings") or []],
        # Whether it refuses writes; None where nobody said.
        "closed": bool(member["super_read_only"] or member.get("read_only")) if "super_read_only" in member else None,
        "flow_control": flow_control(member),
        "certificate_days": certificate.get("days_left"),
        "ca_days": certificate.get("ca_days_left"),
        "guard": dict(given.get("guard") or {}),
        # Ansible did not reach the host, or the login failed; a host outside of --limit has no answer and no reason.
        "unasked_because": "" if answered or not given else why_not(result),
    }


def margin_of(results: Iterable[Answer], cluster: Row) -> Margin | None:
    """That of the view of the member that sees most of it; none of a group that is split, or is not."""
    if cluster.get("state") not in ("ONLINE", "ONLINE_PARTIAL", "NO_QUORUM"):
        return None
    views = [((result or {}).get("member") or {}).get("view") or {} for result in results]
    found = [margin(entry["state"] for entry in view.values()) for view in views]
    return max((one for one in found if one), key=lambda one: (one.may_lose, one.live), default=None)


def events_of(results: Mapping[str, Answer]) -> list[Row]:
    """What the members noted, the newest first, each once: a change of the group is noted by every member of it."""
    found: list[tuple[float, str, Event]] = []
    for host, result in results.items():
        given = result or {}
        for one in given.get("events") or []:
            event = Event(float(one["at"]), str(one["severity"]), str(one["code"]), str(one["what"]))
            found.append((event.at, host, event))
        guard = given.get("guard") or {}
        if guard.get("since") and guard.get("reason"):
            found.append((float(guard["since"]), host, Event(float(guard["since"]), "note", "guard", str(guard["reason"]))))  # fmt: skip
    rows: list[Row] = []
    last: dict[tuple[str, str], Row] = {}
    for at, host, event in sorted(found, key=lambda one: one[:2]):
        row = last.get((event.code, event.what))
        if row is None or at - row["at"] > SAME:
            row = last[event.code, event.what] = {**event._asdict(), "hosts": []}
            rows.append(row)
        row["at"] = at
        if host not in row["hosts"]:
            row["hosts"].append(host)
    shown = sorted(rows, key=lambda row: -float(row["at"]))[:EVENTS]
    return [{**row, "at": stamp(row["at"])} for row in shown]


def cluster_report(name: str, results: Mapping[str, Answer], addresses: Mapping[str, str], several: bool) -> Row:
    """One cluster."""
    cluster = witness(results)
    rows = [member_row(host, addresses.get(host, ""), result, cluster) for host, result in results.items()]
    votes = margin_of(results.values(), cluster)
    found = findings(Seen(name, cluster, rows, votes, several))
    return {
        "name": name,
        "state": cluster.get("state", "UNKNOWN"),
        "uncertain": bool(cluster.get("uncertain", True)),
        "group_name": cluster.get("group_name", ""),
        "mode": cluster.get("mode", ""),
        "writers": cluster.get("writers", ""),
        "communication_stack": cluster.get("communication_stack", ""),
        "site": dict(cluster.get("site") or {}),
        "primaries": list(cluster.get("primaries") or []),
        "quorum": {
            "declared": len(rows),
            "members": votes.members if votes else None,
            "live": votes.live if votes else None,
            "may_lose": votes.may_lose if votes else None,
        },
        "members": rows,
        "undeclared": [str(text) for text in cluster.get("undeclared") or []],
        "events": events_of(results),
        "findings": as_dicts(found),
    }


def _judged(row: Row) -> Row:
    """With its verdict, by its findings."""
    severity = max((one["severity"] for one in row["findings"]), key=RANK.index, default=RANK[0])
    return {"status": CODES[severity], "verdict": VERDICTS[severity], **row}


def report(
    clusters: Sequence[Mapping[str, Any]],
    members: Mapping[str, Mapping[str, Answer]],
    addresses: Mapping[str, str],
    proxy_answers: Mapping[str, Answer],
    shared: Sequence[Row],
    now: float,
) -> Row:
    """Everything. clusters: of operations_targets; members: answers by cluster and host; addresses: SQL address by host; shared: rows of gr_status."""
    several = len(clusters) > 1
    proxy_rows = proxies(proxy_answers, now)
    shown = []
    for cluster in clusters:
        one = cluster_report(cluster["name"], members[cluster["name"]], addresses, several)
        serving = [row for row in proxy_rows if row["host"] in cluster["proxies"]]
        between: list[Finding] = list(peer_findings(cluster["name"], serving))
        one["findings"] += as_dicts(worst_first(between))
        shown.append(_judged({**one, "proxies": [row["host"] for row in serving]}))
    found = [
        {"address": row["address"], "proxies": row["proxies"], "findings": as_dicts(address_finding(row))}
        for row in shared
    ]
    judged = [_judged(row) for row in proxy_rows]
    held = [_judged(row) for row in found]
    everything = [one for row in [*shown, *judged, *held] for one in row["findings"]]
    everything.sort(key=lambda one: -RANK.index(one["severity"]))
    whole = everything[0]["severity"] if everything else RANK[0]
    return {
        "format": FORMAT,
        "at": stamp(now),
        "status": CODES[whole],
        "verdict": VERDICTS[whole],
        # The reasons, one sentence each.
        "summary": [f"{one['about']}: {one['what']}" for one in everything if one["severity"] != RANK[0]],
        "clusters": shown,
        "proxies": judged,
        "addresses": held,
    }
