# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator should know of a cluster, how bad it is, and what to do next. One function for each; no I/O here.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, Iterator, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.margin import Margin
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.status_answers import SOON, Row

NOTE, WARNING, UNKNOWN, CRITICAL = "note", "warning", "unknown", "critical"
RANK = (NOTE, WARNING, UNKNOWN, CRITICAL)  # the worst one last
# What monitoring programs know.
CODES = {NOTE: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3}
VERDICTS = {NOTE: "OK", WARNING: "WARNING", CRITICAL: "CRITICAL", UNKNOWN: "UNKNOWN"}

BEHIND = 100  # transactions; the proxies take a reader out from there on (max_transactions_behind of the role proxysql)
URGENT = 7  # days before the end of a certificate
SMALLEST = 3  # members of which one may be lost
PLAYBOOK = "ansible-playbook -i INVENTORY --become distdb.mysql_ha."


class Finding(NamedTuple):
    """One sentence, and the step that follows from it."""

    severity: str
    about: str  # a cluster, host or address
    what: str
    do: str = ""
    see: str = ""  # a page below docs/


class Seen(NamedTuple):
    """What is known of one cluster."""

    name: str
    cluster: Row  # the diagnosis that is believed; without "state" where no member answered
    members: list[Row]  # one for each declared member, as status_report makes them
    margin: Margin | None = None
    several: bool = False  # clusters in this report

    def run(self, playbook: str, more: str = "") -> str:
        """The command that is the next step, for this cluster alone."""
        of = f" -e operations_cluster={self.name}" if self.several and "--limit" not in more else ""
        return f"{PLAYBOOK}{playbook}{of}{more}"


Rule = Callable[[Seen], Iterator[Finding]]
RULES: list[Rule] = []


def rule(function: Rule) -> Rule:
    """Put it into the table; the order there is the order in which findings of one severity are shown."""
    RULES.append(function)
    return function


def findings(seen: Seen) -> list[Finding]:
    """All of a cluster, the worst first."""
    return worst_first(found for one in RULES for found in one(seen))


def worst_first(found: Iterable[Finding]) -> list[Finding]:
    """In the order in which an operator wants them."""
    return sorted(found, key=lambda one: -RANK.index(one.severity))


def worst(found: Iterable[Finding]) -> str:
    """The severity of the whole."""
    return max((one.severity for one in found), key=RANK.index, default=NOTE)


# -- the group ---------------------------------------------------------------------------------------------------------
@rule
def no_answer(s: Seen) -> Iterator[Finding]:
    """no member could be asked"""
    if "state" not in s.cluster:
        yield Finding(
            UNKNOWN, s.name, "No member answered, so nothing is known of the group.",
            "Log in to one of the hosts; check the network, ssh, and the login of the role.", "troubleshooting.md",
        )  # fmt: skip


STATES = {
    "SPLIT_BRAIN": (
        "More than one group of this name has a majority: their data differ.",
        "Nothing is done automatically. Decide which part counts, stop the servers of the other part, then recover.",
        "troubleshooting.md",
    ),
    "NO_QUORUM": (
        "No member sees a majority: nothing can be written.",
        "Bring one of the lost members back. Only if they are gone for good: force_quorum.",
        "how-to/force-quorum.md",
    ),
    "OFFLINE": ("No member that answered is in a group: there is no service.", "", "how-to/recover.md"),
}


@rule
def state(s: Seen) -> Iterator[Finding]:
    """the group as a whole does not work"""
    if s.cluster.get("state") in STATES:
        what, do, see = STATES[s.cluster["state"]]
        yield Finding(CRITICAL, s.name, what, do or s.run("recover"), see)


@rule
def no_writer(s: Seen) -> Iterator[Finding]:
    """a group with a majority and without a member that takes writes"""
    if s.cluster.get("state") not in ("ONLINE", "ONLINE_PARTIAL"):
        return
    primaries = [row for row in s.members if row["role"] == "PRIMARY" and row["state"] == "ONLINE"]
    asked = [row for row in primaries if row["closed"] is not None]
    if not primaries:
        yield Finding(CRITICAL, s.name, "No ONLINE member is PRIMARY: nothing can be written.", s.run("recover"), "troubleshooting.md")  # fmt: skip
    elif (s.cluster.get("site") or {}).get("role") == "standby":
        return  # of two sites, the one that follows; `standby` judges it
    elif asked and len(asked) == len(primaries) and all(row["closed"] for row in asked):
        if (s.cluster.get("site") or {}).get("role") == "primary":
            yield Finding(
                CRITICAL, s.name, "This site was the one that writes, and takes no writes until the other one was asked.",
                f"distdb.mysql_ha.open_site -e operations_site={s.name}", "how-to/second-site.md",
            )  # fmt: skip
            return
        yield Finding(
            CRITICAL, s.name, f"Every primary is read-only ({', '.join(row['host'] for row in asked)}): nothing can be written.",
            f"If a fence is no longer wanted: {s.run('unfence')}", "how-to/fence.md",
        )  # fmt: skip


@rule
def standby(s: Seen) -> Iterator[Finding]:
    """of two sites, the one that follows: whether it does, and takes no writes"""
    site = s.cluster.get("site") or {}
    if site.get("role") != "standby":
        return
    do = f"distdb.mysql_ha.standby_site -e operations_site={s.name}"
    if site["takes_writes"]:
        yield Finding(CRITICAL, s.name, "It is the standby of another site, and takes writes.", do, "how-to/second-site.md")  # fmt: skip
    elif not site["running"] or site["error"]:
        yield Finding(
            CRITICAL, s.name, f"It is the standby of another site, and does not follow it: {site['error'] or 'its channel is stopped'}.", do,
            "how-to/second-site.md",
        )  # fmt: skip
    else:
        source = f"{site['source']}, {site['behind']} transactions behind"
        yield Finding(NOTE, s.name, f"It is the standby of another site; it replicates from {source}.")


@rule
def no_margin(s: Seen) -> Iterator[Finding]:
    """the next failure stops the writes"""
    if s.margin is None or s.margin.may_lose != 0 or s.cluster.get("state") == "SPLIT_BRAIN":
        return
    what = (
        f"{s.margin.live} of {len(s.members)} declared members are in the group: the loss of one more stops all writes."
    )
    if len(s.members) >= SMALLEST:
        yield Finding(CRITICAL, s.name, what, s.run("recover"), "how-to/recover.md")
    else:
        yield Finding(NOTE, s.name, what, "Three members tolerate the loss of one.", "how-to/add-members.md")


@rule
def uncertain(s: Seen) -> Iterator[Finding]:
    """the state may be another one"""
    for reason in s.cluster.get("uncertain_because") or []:
        if "could not be asked" not in reason:
            yield Finding(WARNING, s.name, f"Uncertain: {reason}.", "Look again in a few seconds.")


@rule
def warnings(s: Seen) -> Iterator[Finding]:
    """what the diagnosis warns of"""
    for text in s.cluster.get("warnings") or []:
        yield Finding(WARNING, s.name, f"{text}.", "", "troubleshooting.md")


# -- single members ----------------------------------------------------------------------------------------------------
@rule
def member_out(s: Seen) -> Iterator[Finding]:
    """a declared member is not ONLINE in the group"""
    if "state" not in s.cluster:
        return
    for row in s.members:
        host, limit = row["host"], f" --limit {row['host']}"
        if row["state"] == "ONLINE" and row["kind"] != "unreachable":
            continue
        if row["state"] == "RECOVERING" and row["kind"] == "member":
            behind = "" if row["behind"] is None else f", {row['behind']} transactions behind"
            yield Finding(NOTE, host, f"It is RECOVERING{behind}.", "Wait: it fetches what it lacks.", "troubleshooting.md")  # fmt: skip
        elif row["kind"] == "unreachable":
            said = f" (the others see it {row['state']})" if row["state"] != "UNKNOWN" else ""
            yield Finding(
                WARNING,
                host,
                f"It does not answer{said}: {row['why']}.",
                f"Bring the host or its server back, then {s.run('recover', limit)}",
                "troubleshooting.md",
            )
        elif row["kind"] == "broken":
            yield Finding(
                WARNING,
                host,
                f"It is {row['state']} and cannot come back as it is: {row['why']}.",
                "Save the transactions that matter, then replace its data (mysql_gr_clone: reprovision).",
                "troubleshooting.md",
            )
        elif row["kind"] == "unsuitable":
            yield Finding(WARNING, host, f"It does not fit the group: {row['why']}.", s.run("site"), "troubleshooting.md")  # fmt: skip
        else:
            guard = f" Its guard says: {row['guard']['reason']}." if row["guard"].get("reason") else ""
            yield Finding(WARNING, host, f"It is {row['state']}.{guard}", s.run("recover", limit), "how-to/recover.md")


@rule
def not_reached(s: Seen) -> Iterator[Finding]:
    """its server may be well, and the host could not be asked"""
    for row in s.members:
        if row["unasked_because"] and row["kind"] != "unreachable" and "state" in s.cluster:
            yield Finding(
                WARNING,
                row["host"],
                f"Ansible gets no answer from this host: {row['unasked_because'].rstrip('.')}.",
                "Check ssh and the login of the role there.",
            )


@rule
def own_transactions(s: Seen) -> Iterator[Finding]:
    """transactions that the group lacks"""
    for row in s.members:
        if row["errant"] and row["kind"] != "broken":
            yield Finding(
                WARNING,
                row["host"],
                f"It has transactions that the others lack: {row['errant']}.",
                "Save the rows if they matter, before its data are replaced.",
                "troubleshooting.md",
            )


@rule
def queues(s: Seen) -> Iterator[Finding]:
    """a member cannot follow the writers"""
    for row in s.members:
        limits = row["flow_control"]
        over = [
            f"{row[name]:,} transactions to {verb}, flow control from {limits[name]:,}"
            for name, verb in (("to_certify", "certify"), ("behind", "apply"))
            if limits.get(name) and (row[name] or 0) >= limits[name]
        ]
        if over:
            yield Finding(
                WARNING,
                row["host"],
                f"Flow control slows the writers of the whole group down: {'; '.join(over)}.",
                "Find what it waits for: disk, CPU, locks, or one very large transaction.",
                "runbooks/MysqlGrFlowControl.md",
            )
        elif (row["behind"] or 0) >= BEHIND and row["state"] == "ONLINE":
            yield Finding(
                WARNING,
                row["host"],
                f"It is {row['behind']:,} transactions behind.",
                "Reads there are old. Find what it waits for: disk, CPU, locks, or one very large transaction.",
                "runbooks/MysqlGrApplyQueue.md",
            )


@rule
def other_settings(s: Seen) -> Iterator[Finding]:
    """settings that must be equal"""
    for row in s.members:
        for text in row["differing_settings"]:
            yield Finding(WARNING, row["host"], f"A setting that must be equal differs: {text}.", s.run("site"))


@rule
def inbound(s: Seen) -> Iterator[Finding]:
    """replication from a server outside of the group stands still"""
    for row in s.members:
        for text in row["replicates_from"]:
            if text.startswith("does not"):
                yield Finding(WARNING, row["host"], f"It {text}.", "", "how-to/replicate-then-cut-over.md")


@rule
def guards(s: Seen) -> Iterator[Finding]:
    """a guard that would not bring its member back"""
    answering = [row for row in s.members if row["answered"]]
    for row in answering:
        guard = row["guard"]
        if guard.get("paused_until"):
            yield Finding(
                NOTE,
                row["host"],
                f"Its guard is paused until {guard['paused_until']}.",
                "When the work is done: mysql-gr-guard resume",
                "how-to/guard.md",
            )
        elif not guard and any(other["guard"] for other in answering):
            yield Finding(
                WARNING,
                row["host"],
                "Its guard does not run, and other members have one.",
                "systemctl status mysql-gr-guard",
                "how-to/guard.md",
            )


@rule
def certificates(s: Seen) -> Iterator[Finding]:
    """a certificate that ends soon"""
    for row in s.members:
        yield from certificate(row["host"], row["certificate_days"], row["ca_days"])


def certificate(host: str, days: int | None, ca_days: int | None) -> Iterator[Finding]:
    """The same for members and proxies."""
    for what, left, more in (("certificate", days, ""), ("CA", ca_days, " -e operations_new_ca=true")):
        if left is not None and left < SOON:
            severity = CRITICAL if left < URGENT else WARNING
            ends = "has expired" if left < 0 else f"ends in {left} days"
            yield Finding(severity, host, f"Its {what} {ends}.", f"{PLAYBOOK}renew_certificates{more}", "how-to/tls.md")


def as_dicts(found: Iterable[Finding]) -> list[dict[str, Any]]:
    """For the report."""
    return [one._asdict() for one in found]
