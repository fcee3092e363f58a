# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server that was never a member brings along beside its tables: accounts, definers and events. Pure functions; nobody is asked.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import SHOWN, Tables
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data_rules import CLONING
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.account_hosts import admits, exact
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.preflight_hosts import in_group
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.server_options import plain_name
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.writers import CHOICES


class Findings(NamedTuple):
    """Sentences: what stands against the server, and what its operator should know."""

    problems: list[str]
    warnings: list[str]


def newcomer_findings(members: list[dict[str, Any]], probes: dict[str, Any], wishes: dict[str, Any]) -> Findings:
    """Of this host, where the role has never set its server up."""
    name = wishes["host"]
    probe = probes.get(name, {})
    brings = (probe.get("data") or {}).get("brings")
    if not brings or in_group(probe) or probe["files"].get(wishes["paths"]["mysql_gr_config_file"]):
        return Findings([], [])
    found = account_findings(brings["accounts"], member_addresses(members, probe), wishes)
    if not any(in_group(other) for other in probes.values()):
        # Its data may become the group's.
        found.warnings.extend(definer_warnings(Tables(**brings["definers"])))
        event = event_findings(Tables(**brings["events"]), wishes)
        found = Findings(found.problems + event.problems, found.warnings + event.warnings)
    return Findings([f"{name}: {text}" for text in found.problems], [f"{name}: {text}" for text in found.warnings])


def member_addresses(members: list[dict[str, Any]], probe: dict[str, Any]) -> list[str]:
    """Names and addresses under which members connect to this server."""
    return [text for m in members for text in (m["address"], *probe["resolved"].get(m["address"], []))]


# -- accounts --------------------------------------------------------------------------------------------------------------
# By what an account is to the role's own: in the way, or not.
IN_THE_WAY = {
    "locked": "the role needs {accounts}, locked or a role: ALTER USER … ACCOUNT UNLOCK, or set {options} to other names.",
    "first": "MySQL would take {accounts} for members that log in as {own}, as its host part is more exact: DROP USER, set mysql_gr_account_host to that"
    " host part, or set {options} to other names.",
}  # fmt: skip
BESIDE = {
    "taken": "the role takes {accounts} over: another password, other privileges, and whoever else uses it is locked out (other names: {options}).",
    "removed": "the role removes {accounts}, since it has {own} at the members' own addresses: whoever else uses it is locked out (other names: {options};"
    " mysql_gr_account_host keeps that host part).",
    "elsewhere": "MySQL takes {accounts}, whose host part is more exact, for who comes from there as {expected}.",
}  # fmt: skip


def wins(host: str, rivals: Iterable[str], address: str) -> bool:
    """Whether MySQL takes an account with this host part, and none with one of the others, for who comes from there."""
    best = max((exact(other) for other in rivals if admits(other, address)), default=-1)
    return admits(host, address) and (exact(host) > best or exact(host) == best and host not in rivals)


def account_findings(accounts: list[Any], addresses: list[str], wishes: dict[str, Any]) -> Findings:
    """Accounts that are in the way of the role's own, and such as become the role's own."""
    own = {user: list(wishes["account_hosts"]) for user in wishes["accounts"].values()}
    expected: dict[str, list[str]] = {}
    for account in wishes["expected_accounts"]:
        expected.setdefault(account["name"], []).append(account.get("host", "%"))
    wanted = {**expected, **own}

    def kind(user: str, host: str, locked: bool) -> str:
        if host in wanted.get(user, []):
            return "locked" if locked else "taken"
        if host == "localhost":
            return ""
        # One without a name is for every name.
        rivals = wanted[user] if user else [other for hosts in wanted.values() for other in hosts]
        if user not in expected and any(wins(host, rivals, address) for address in addresses):
            return "first"
        if user in own:
            # A locked one may be the role's own, for old binary logs.
            return "" if locked else "removed"
        # From where they come is known where it is an address.
        named_places = [place for hosts in ([rivals] if user else expected.values()) for place in hosts]
        beside = any(
            exact(host) >= exact(p) and host != p and (exact(p) < 255 or admits(host, p)) for p in named_places
        )
        return "elsewhere" if expected and beside else ""

    kinds: dict[str, list[str]] = {}
    for user, host, locked in accounts:
        kinds.setdefault(kind(user, host, locked), []).append(f"{user or '(no name)'}@{host}")
    words = {"own": named(own), "expected": named(expected), "options": " and ".join(wishes["accounts"])}

    def said(sentences: dict[str, str]) -> list[str]:
        return [text.format(accounts=named(kinds[k]), **words) for k, text in sentences.items() if k in kinds]

    return Findings(said(IN_THE_WAY), said(BESIDE))


def named(names: Iterable[str]) -> str:
    """The first ten, and how many more there are."""
    every = list(names)
    return str(Tables(len(every), every[:SHOWN]))


# -- definers and events ---------------------------------------------------------------------------------------------------
def definer_warnings(definers: Tables) -> list[str]:
    """Objects that cannot be used."""
    said = f"views, routines, triggers or events fail, as their definer is no account ({definers.number}: {definers}); CREATE USER makes it one."
    return [said] if definers.number else []


def event_findings(events: Tables, wishes: dict[str, Any]) -> Findings:
    """A clone has events enabled as they were, and one that takes no writes runs none; who gets them by the binary log has them disabled."""
    cloned = wishes["clone"] in CLONING
    silent = [
        h for h, settings in wishes["settings_of"].items() if "event_scheduler" not in map(plain_name, settings or {})
    ]
    if not events.number or not silent or cloned and CHOICES[wishes["writers"]].single_primary:
        return Findings([], [])
    said = f"it has enabled events ({events.number}: {events})"
    if not cloned:
        return Findings([], [f"{said}, and others get them REPLICA_SIDE_DISABLED: once this server is gone, ALTER EVENT … ENABLE on another one."])  # fmt: skip
    return Findings(
        [f"{said}, and so have its clones: each would run once on every member. Say where they run by event_scheduler in mysql_gr_settings of every host"
         f" ({named(silent)} has none): ON for one, OFF for the others. With mysql_gr_writers: primary the primary alone runs them."], [],
    )  # fmt: skip
