# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A group at one of two sites: it writes, closes for a switch-over, or follows the other one.

Private to this collection.
"""

from __future__ import annotations

import os
import time
from typing import Any, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import operation
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.cluster import Cluster, Facts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection, ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import (
    check_cluster_options,
    check_members,
    check_range,
    check_uuid,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.site_rules import (
    CLOSED,
    PRIMARY,
    STANDBY,
    decide_site,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.site_situation import SiteSituation
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.sites import CHANNEL, channel_of, claim_uuid
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import is_live
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.source import LONGEST_PASSWORD
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.fence import MAKE_WRITABLE
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.member import Member
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.provision import CLONE_CA, SET_CLONE_CA
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.site_channel import LOOK, SiteChannel
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, Result

ANSWER = 120.0  # seconds that the managed server has for one statement
OPENING = ("take_over", "fail_over", "open")
LOCK = "distdb.mysql_ha:site"  # held while a site is opened
# Part of the time for which no site may take writes, within which a site that keeps up has what this one has executed.
KEEPS_UP = 0.3
_ACTION = (
    "SELECT ENABLED AS enabled FROM performance_schema.replication_group_member_actions WHERE NAME = %s AND EVENT = %s"
)


class SiteChange(Member):
    """One run of group_replication_site."""

    other: Cluster

    def check(self) -> None:
        members, _me = check_cluster_options(self.params)
        others = check_members(self.params["other_members"], "other_members")
        for address in others:
            if address in members:
                raise Refusal(f"other_members: '{address}' is not allowed (allowed: servers that are not in members)")
        for option in ("group_name", "other_group"):
            check_uuid(self.params[option], option)
        check_range(self.params, "timeout", 1, 86400)
        check_range(self.params, "closed_timeout", 1, 3600)
        name, given_up = self.params["other_name"], self.params.get("give_up")
        if given_up and given_up != name:
            raise Refusal(f"give_up: '{given_up}' is not allowed (allowed: the name of the other site, {name})")
        if given_up and self.params["state"] != PRIMARY:
            raise Refusal(
                f"give_up: is not allowed with state={self.params['state']} (allowed: with state=primary, for the site that takes over)"
            )
        password = self.params["site_password"]
        if not password or len(password) > LONGEST_PASSWORD or "'" in password or "\\" in password:
            raise Refusal(
                f"site_password: this one is not allowed (allowed: 1 to {LONGEST_PASSWORD} characters, the most that a replication channel takes, "
                "without ' and \\)"
            )
        ca = self.params.get("site_ca_cert")
        if ca and not os.access(ca, os.R_OK):
            raise Refusal(f"site_ca_cert: '{ca}' cannot be read (allowed: a file on the managed host)")
        self.wish = {
            "state": "site",
            "acting": None,
            "group_name": self.params["group_name"].lower(),
            "other_group": self.params["other_group"].lower(),
            "other_name": name,
            "give_up": bool(given_up),
        }
        self.donor_account = (self.params["site_user"], password)
        self.others: Facts = {}
        self.channel = SiteChannel(self)

    def open(self) -> None:
        super().open()
        self.other = Cluster(
            check_members(self.params["other_members"]),
            None,
            self.local,
            self.params["site_user"],
            self.params["site_password"],
            self.params.get("site_ca_cert"),
            self.params.get("peer_connect_timeout") or 3,
        )
        self.look_across()

    def look_across(self) -> None:
        """Ask the other site, after this one: what this one has of it is there then."""
        self.others = self.other.gather()
        if not self.mine.reachable:
            return
        self.local.timeout(ANSWER)
        if self.params["state"] == CLOSED:
            # The other one has what this one had when it was asked.
            self.facts.update(self.cluster.gather([self.me]))
        rows = self.local.query(_ACTION, MAKE_WRITABLE) if self.mine.plugin_active else []
        self.wish["opens"] = bool(int(rows[0]["enabled"])) if rows else None
        self.wish["complete"] = self.channel.look()
        if self.params["state"] == STANDBY and not is_live(self.mine):
            self.cluster.look_at_data(history=False)
            self.facts = self.cluster.with_data(self.facts)

    @property
    def situation(self) -> SiteSituation:
        """What the rules look at."""
        return SiteSituation(self.cluster.members, self.facts, self.me, self.other.members, self.others, self.wish)

    def decide(self) -> Decision:
        return decide_site(
            self.params["state"],
            self.cluster.members,
            self.facts,
            self.me,
            self.other.members,
            self.others,
            self.wish,
        )

    def look(self) -> Decision:
        self.facts = self.cluster.gather()
        self.look_across()
        return self.decide()

    def work(self) -> None:
        self.decision = self.settled(self.decide())
        while True:
            self.refuse(self.decision)
            if self.decision.action == "wait":
                self.decision = self.awaited(self.decision)
                continue
            again = self.act_on(self.decision)
            if not again or self.check_mode:
                break
            self.decision = self.settled(self.look())
        if not self.check_mode and self.changed:
            self.facts.update(self.cluster.gather([self.me]))
            self.look_across()

    def act_on(self, decision: Decision) -> bool:
        """Do what was decided; whether another decision follows."""
        action, details = decision.action, decision.details
        if action == "clone":
            self.clone_from(details["donor"])
        elif action == "make_channel":
            self.channel.make(details)
        elif action == "drop_channel":
            self.execute("reset_channel", (CHANNEL,))
        elif action == "follow":
            self.channel.follow(details)
        elif action == "close":
            if self.params["state"] == CLOSED and not self.check_mode:
                self.followed()
            self.close_site()
            # One that came back is closed first, and follows then.
            return bool(self.params["state"] == STANDBY)
        elif action in OPENING:
            return self.locked(decision)
        elif action == "claim":
            self.claim(details["number"])
        return False

    def locked(self, decision: Decision) -> bool:
        """Open this site under the lock on its primary and on the other one's, if that is still the decision: two runs do not open both. Whether it is
        not, and another decision follows."""
        held: list[Connection] = []
        try:
            # The same order everywhere.
            for address in sorted(filter(None, (self.me, self.situation.other.primary))) if not self.check_mode else ():
                where = self.local if address == self.me else self.other.connection(address)
                if where.query("SELECT GET_LOCK(%s, 2) AS got", (LOCK,))[0]["got"] != 1:
                    raise Refusal(
                        f"another run opens one of the sites: it holds the lock '{LOCK}' on {address}; run again"
                    )
                held.append(where)
            now = decision if self.check_mode else self.look()
            self.refuse(now)
            if now.action != decision.action:
                return True
            self.decision = now
            self.channel.leave()
            self.open_site(now.details["number"] if now.action != "open" else 0)
            return False
        finally:
            for where in held:
                try:
                    where.query("SELECT RELEASE_LOCK(%s) AS released", (LOCK,))
                except ServerError:
                    where.close()  # the lock ends with its connection

    # -- what is waited for --------------------------------------------------------------------------------------------
    def awaited(self, decision: Decision) -> Decision:
        """The next decision, once the channel had some time."""
        if self.check_mode:
            raise Refusal(f"{decision.reason}; a real run waits for them")
        if self.left() <= 0:
            raise Refusal(
                f"timeout: after {self.timeout} seconds: {decision.reason}. This site takes no writes; {self.params['other_name']} takes none, either, unless "
                "it is opened again (state=primary there)"
            )
        self.channel.has(str(self.situation.missing), min(LOOK, max(self.left(), 0.1)))
        return self.look()

    def followed(self) -> None:
        """Before this site is closed, wait until the other one keeps up with it."""
        while True:
            began = time.monotonic()
            self.facts.update(self.cluster.gather([self.me]))
            executed = GtidSet(self.mine.gtid_executed)
            while time.monotonic() - began < LOOK:
                self.others = self.other.gather()
                primary = self.situation.other.primary
                if primary and GtidSet(self.others[primary].gtid_executed).contains(executed):
                    if time.monotonic() - began <= KEEPS_UP * self.params["closed_timeout"]:
                        return
                    break
                time.sleep(operation.POLL)
            self.refuse(self.look())
            if self.left() <= 0:
                raise Refusal(
                    f"timeout: after {self.timeout} seconds {self.params['other_name']} does not keep up with this site. Nothing was changed; run again at a "
                    "quiet hour"
                )

    # -- writing -------------------------------------------------------------------------------------------------------
    def close_site(self) -> None:
        """No member of this group takes writes any more, whoever is elected."""
        # The group's own setting, which only the primary changes.
        acts = self.wish["opens"] is not False and self.situation.is_primary
        if acts:
            if self.mine.super_read_only:
                # MySQL does that with super_read_only=OFF only; read_only stays ON meanwhile.
                self.run_statement("SET GLOBAL super_read_only = OFF")
            self.execute("disable_member_action", MAKE_WRITABLE)
        elif self.mine.super_read_only:
            return
        try:
            self.local.query(f"SET SESSION lock_wait_timeout = {int(self.params['closed_timeout'])}")
            self.run_statement("SET GLOBAL super_read_only = ON")
        except ServerError as error:
            if acts:
                self.execute("enable_member_action", MAKE_WRITABLE)
            raise Refusal(
                f"{error}; this site takes writes as before: a statement may have run for longer than closed_timeout"
            ) from None

    def open_site(self, number: int) -> None:
        """Claim, where that is new; and take writes. What stands in the history first is what counts if this run ends in between."""
        closed = self.mine.super_read_only
        if closed:
            self.run_statement("SET GLOBAL super_read_only = OFF")
        try:
            if number:
                self.claim(number)
            if self.wish["opens"] is False:
                self.execute("enable_member_action", MAKE_WRITABLE)
            self.run_statement("SET GLOBAL read_only = OFF")
        except ServerError:
            if closed and self.local.is_open:
                self.run_statement("SET GLOBAL super_read_only = ON")
            raise

    def claim(self, number: int) -> None:
        """An empty transaction, which is committed by a majority of the group."""
        gtid = f"{claim_uuid(self.wish['group_name'])}:{number}"
        for text in (f"SET gtid_next = '{gtid}'", "BEGIN", "COMMIT", "SET gtid_next = 'AUTOMATIC'"):
            self.run_statement(text)

    def clone_from(self, donor: str) -> None:
        """The first member gets the other site's data; the certificate there may be of another CA."""
        self.holdings.forget()
        rows = self.local.query(CLONE_CA) if self.mine.clone_active else []
        before, wanted = (rows[0]["ca"] or "" if rows else ""), self.params.get("site_ca_cert") or ""
        if before != wanted:
            self.run_statement(SET_CLONE_CA, (wanted,))
        try:
            self.cloner.clone(donor)
        except Refusal:
            if before != wanted and self.local.is_open:
                self.run_statement(SET_CLONE_CA, (before,))
            raise

    # -- report --------------------------------------------------------------------------------------------------------
    def snapshot(self) -> dict[str, Any]:
        if not self.mine.reachable:
            return {}
        mine: Mapping[str, Any] = {n: getattr(self.mine, n) for n in ("state", "role", "read_only", "super_read_only")}
        return {
            **mine,
            "opens": self.wish.get("opens"),
            "follows": str(channel_of(self.mine) or ""),
        }

    def shown(self, state: dict[str, Any]) -> dict[str, Any]:
        # How far it is behind changes all the time.
        return {name: value if name != "follows" else bool(value) for name, value in state.items()}

    def report(self) -> Result:
        situation, details = self.situation, self.decision.details if self.decision else {}
        newest = situation.newest
        return {
            **super().report(),
            "site": {
                "writes": situation.ours,
                "claim": newest.number if newest else 0,
                "other_seen": situation.other.seen,
                "missing": str(situation.missing - situation.other.own),
                "lost": details.get("lost", ""),
                "last_applied": self.channel.last,
                "gtid_executed": self.mine.gtid_executed,
            },
        }

    def run(self) -> Result:
        try:
            return super().run()
        finally:
            if hasattr(self, "other"):
                self.other.close()
