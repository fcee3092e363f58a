# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the exporters of MySQL and ProxySQL do not know, in Prometheus' text format, for node_exporter's textfile collector. No I/O here.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.margin import margin

STATES = ("ONLINE", "ONLINE_PARTIAL", "OFFLINE", "NO_QUORUM", "SPLIT_BRAIN")
MEMBER_STATES = ("ONLINE", "RECOVERING", "ERROR", "OFFLINE", "UNREACHABLE", "UNKNOWN")
# Rules of the guard by which a member is out on purpose.
PLANNED = ("paused", "busy", "leaving", "taken_out", "fenced")
_FLOW = "group_replication_flow_control_"

# Every metric with its help text; all are gauges. What is not known has no sample: a rule has to say what that means to it.
HELP = {
    "mysql_gr_up": "Whether the member's own server answers.",
    "mysql_gr_written_timestamp_seconds": "When these metrics were made.",
    "mysql_gr_group_state": "The state of the whole group as this member and those that answer it see it; 1 for the one that it is.",
    "mysql_gr_uncertain": "Whether a member did not answer, or views differ, so that the state may be another one.",
    "mysql_gr_declared_members": "Members of the inventory.",
    "mysql_gr_view_members": "Members of the group's view.",
    "mysql_gr_view_live_members": "Members of the view that answer.",
    "mysql_gr_quorum_margin": "How many members may fail at once with a majority left; below 0, how many are missing for one.",
    "mysql_gr_member_state": "The state of the member; 1 for the one that it is.",
    "mysql_gr_primary": "Whether the member is PRIMARY.",
    "mysql_gr_writable": "Whether the member is ONLINE, PRIMARY and takes writes.",
    "mysql_gr_standby": "Whether the member is of the standby of two sites: it follows the other one, and nothing is written to it.",
    "mysql_gr_standby_follows": "Whether the primary of a standby receives from the other site, and applies what it received.",
    "mysql_gr_standby_behind": "Transactions that the primary of a standby has received from the other site and not applied yet.",
    "mysql_gr_transactions_behind": "Transactions that wait to be applied.",
    "mysql_gr_transactions_to_certify": "Transactions that wait for certification.",
    "mysql_gr_flow_control_threshold": "From how many waiting transactions on flow control slows the group's writers down.",
    "mysql_gr_errant_transactions": "Transactions that the group lacks.",
    "mysql_gr_planned": "Whether the member is being worked on: its guard is paused or sees a module at work, or its server was told to stop lately.",
    "mysql_gr_guard_up": "Whether the member's guard runs.",
    "mysql_gr_guard_paused": "Whether it is paused.",
    "mysql_gr_guard_decision": "What the guard decided, and by which rule: 1 for what it is. The sentence is in the status.",
    "mysql_gr_guard_decision_timestamp_seconds": "Since when it decides so.",
    "mysql_gr_certificate_valid_seconds": "For how long the certificate is valid that the member shows (own), and its CA's (ca); in whole days.",
    "mysql_gr_longest_transaction_seconds": "Age of the oldest transaction that is open.",
    "mysql_gr_largest_transaction_rows": "Rows that the largest open transaction has changed.",
    "mysql_gr_transaction_size_limit_bytes": "Larger transactions the group refuses; 0 is no limit.",
    "mysql_gr_refused_tables": "Tables that a group cannot take, or takes with risk: without_key, other_engines, cascading.",
    "mysql_gr_proxy_up": "Whether the proxy's admin interface answers.",
    "mysql_gr_proxy_writers": "Servers that are ONLINE in a writer hostgroup.",
    "mysql_gr_proxy_problems": "Servers that are not where they belong.",
    "mysql_gr_proxy_drift": "How many entries of a table differ between memory and this layer.",
    "mysql_gr_proxy_checksum": "Checksum of a part of the configuration that is the same on all proxies of a cluster, as a label.",
    "mysql_gr_proxy_certificate_valid_seconds": "For how long the certificate is valid that clients see (own), and its CA's (ca); in whole days.",
    "mysql_gr_backup_timestamp_seconds": "When the newest backup was made.",
}


class Sample(NamedTuple):
    """One value."""

    name: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


def sample(name: str, value: Any, **labels: object) -> Iterator[Sample]:
    """The sample, or none of a value that is not known."""
    if value is not None:
        yield Sample(name, float(value), tuple(sorted((key, str(text)) for key, text in labels.items())))


def seconds(days: int | None) -> int | None:
    """Of whole days; None where that is not known."""
    return None if days is None else days * 86400


def one_of(name: str, known: Iterable[str], current: str, **labels: object) -> Iterator[Sample]:
    """A sample for each state; 1 for the current one, also where it is none that is known."""
    for state in dict.fromkeys((*known, current)):
        yield from sample(name, state == current, state=state, **labels)


def member_samples(answer: Mapping[str, Any], now: float) -> Iterator[Sample]:
    """One member, by what group_replication_info says on it. Without its answer there is only that it did not answer."""
    me = answer.get("address") or ""
    cluster = answer.get("cluster") or {}
    facts = answer.get("member") or {}
    own = (cluster.get("members") or {}).get(me) or {}
    names = {"member": me, "group_name": cluster.get("group_name") or facts.get("group_name") or ""}
    up = bool(own.get("reachable"))
    yield from sample("mysql_gr_written_timestamp_seconds", now, **names)
    yield from sample("mysql_gr_up", up, **names)
    guard = answer.get("guard") or {}
    yield from guard_samples(guard, names)
    planned = answer.get("planned") or guard.get("paused_until") or guard.get("rule") in PLANNED
    yield from sample("mysql_gr_planned", bool(planned), **names)
    if not up:
        yield from sample("mysql_gr_writable", 0, **names)
    if not cluster:
        return
    yield from one_of("mysql_gr_group_state", STATES, str(cluster["state"]), **names)
    yield from sample("mysql_gr_uncertain", cluster["uncertain"], **names)
    yield from sample("mysql_gr_declared_members", len(cluster["members"]), **names)
    yield from one_of("mysql_gr_member_state", MEMBER_STATES, str(own.get("state") or "UNKNOWN"), **names)
    if not up:
        return
    votes = margin(entry["state"] for entry in (facts.get("view") or {}).values())
    if votes:
        yield from sample("mysql_gr_view_members", votes.members, **names)
        yield from sample("mysql_gr_view_live_members", votes.live, **names)
        yield from sample("mysql_gr_quorum_margin", votes.may_lose, **names)
    online = own["state"] == "ONLINE" and own["role"] == "PRIMARY"
    closed = bool(facts.get("super_read_only") or facts.get("read_only") or facts.get("offline_mode"))
    # Without a majority it is not read-only, and its commits wait.
    stuck = votes is not None and votes.may_lose < 0
    yield from sample("mysql_gr_primary", own["role"] == "PRIMARY", **names)
    yield from sample("mysql_gr_writable", online and not closed and not stuck, **names)
    channel = answer.get("site_channel")
    yield from sample("mysql_gr_standby", channel is not None, **names)
    # Its secondaries have the channel, and do not run it.
    if channel and own["role"] == "PRIMARY":
        yield from sample("mysql_gr_standby_follows", channel.runs, **names)
        yield from sample("mysql_gr_standby_behind", channel.behind, **names)
    yield from sample("mysql_gr_transactions_behind", own.get("transactions_behind"), **names)
    yield from sample("mysql_gr_transactions_to_certify", own.get("transactions_to_certify"), **names)
    yield from sample("mysql_gr_errant_transactions", GtidSet(own.get("errant") or "").count(), **names)
    settings = facts.get("settings") or {}
    for queue in ("applier", "certifier"):
        limit = str(settings.get(f"{_FLOW}{queue}_threshold", ""))
        if settings.get(f"{_FLOW}mode") == "QUOTA" and limit.isdigit():
            yield from sample("mysql_gr_flow_control_threshold", limit, queue=queue, **names)
    size = str(settings.get("group_replication_transaction_size_limit", ""))
    yield from sample("mysql_gr_transaction_size_limit_bytes", size if size.isdigit() else None, **names)
    certificate = answer.get("certificate") or {}
    for which, key in (("own", "days_left"), ("ca", "ca_days_left")):
        yield from sample(
            "mysql_gr_certificate_valid_seconds", seconds(certificate.get(key)), certificate=which, **names
        )
    for kind, number in (answer.get("refused_tables") or {}).items():
        yield from sample("mysql_gr_refused_tables", number, kind=kind, **names)
    open_ones = answer.get("transactions") or {}
    yield from sample("mysql_gr_longest_transaction_seconds", open_ones.get("longest"), **names)
    yield from sample("mysql_gr_largest_transaction_rows", open_ones.get("largest"), **names)


def guard_samples(guard: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[Sample]:
    """Its guard. The rule is the reason in one word: sentences with addresses would make a new time series each time."""
    yield from sample("mysql_gr_guard_up", bool(guard), **names)
    if guard:
        yield from sample("mysql_gr_guard_paused", bool(guard.get("paused_until")), **names)
        yield from sample(
            "mysql_gr_guard_decision", 1, decision=guard.get("decision") or "", rule=guard.get("rule") or "", **names
        )
        yield from sample("mysql_gr_guard_decision_timestamp_seconds", guard.get("since"), **names)


def _escaped(text: str) -> str:
    # A label is one line of text.
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", " ")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def exposition(samples: Iterable[Sample]) -> str:
    """The samples as a file; those of one metric stand together, as the format wants it."""
    found: dict[str, list[str]] = {}
    for one in samples:
        labels = ",".join(f'{key}="{_escaped(text)}"' for key, text in one.labels)
        line = f"{one.name}{{{labels}}} {_number(one.value)}" if labels else f"{one.name} {_number(one.value)}"
        found.setdefault(one.name, []).append(line)
    parts = []
    for name in HELP:
        if name in found:
            parts += [f"# HELP {name} {HELP[name]}", f"# TYPE {name} gauge", *sorted(found[name])]
    return "".join(f"{line}\n" for line in parts)
