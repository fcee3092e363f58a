# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of two sites writes: the rules of group_replication_site, state=primary and state=closed. No I/O here.

Unreachable is not absent: a site that is not seen may write.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision, Details, Rule, Table, when
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.site_follow_rules import FOLLOWS
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.site_situation import (
    MULTI,
    NO_MEMBER,
    SiteSituation,
    common,
    multi_primary,
    no_member,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.sites import channel_of, follows
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import Facts, names

PRIMARY, CLOSED, STANDBY = "primary", "closed", "standby"

# -- the site that writes ----------------------------------------------------------------------------------------------
WRITES = Table()
common(WRITES)
WRITES.rule("refuse", NO_MEMBER, guards="living")(no_member)
WRITES.rule("refuse", MULTI, guards="mode")(multi_primary)


@WRITES.rule("drop_channel", "this site follows {other} no more: the channel of this secondary is removed")
def leftover(s: SiteSituation) -> Details:
    """this server is a secondary with a channel from the other site, and its primary has none"""
    primary = s.site.primary
    return when(
        not s.is_primary and follows(s.mine) and primary and not follows(s.facts[primary]) and s.ours, other=s.name
    )


@WRITES.rule("unchanged", "{primary} acts, the primary of this group")
def for_primary(s: SiteSituation) -> Details:
    """this server is a secondary"""
    return when(not s.is_primary, primary=s.site.primary or "nobody that answers")


@WRITES.rule(
    "refuse",
    "{members} of {other} takes writes: {hint}",
    guards="one",
    settle=True,
)
def both(s: SiteSituation) -> Details:
    """a member of the other site takes writes"""
    hint = "distdb.mysql_ha.switch_site closes it first"
    if s.opened:
        winner = "this site" if s.ours or not s.newest else s.name
        hint = (
            f"so does this site, and {winner} has the newest claim; distdb.mysql_ha.standby_site closes the other one"
        )
    return when(s.other.open, members=names(s.other.open), other=s.name, hint=hint)


@WRITES.rule("unchanged", "this site writes, by claim {number}")
def writes(s: SiteSituation) -> Details:
    """this site takes writes, and nobody who answers knows of a newer claim"""
    return when(s.opened and s.ours and not follows(s.mine), number=s.newest.number if s.newest else 0)


@WRITES.rule("claim", "this site writes, and nobody has claimed that yet")
def first_claim(s: SiteSituation) -> Details:
    """this site takes writes, follows nobody, and no claim is known anywhere"""
    return when(s.opened and s.newest is None and not follows(s.mine), number=1)


@WRITES.rule(
    "refuse",
    "{other} is alive, and so is not given up: distdb.mysql_ha.switch_site loses nothing",
    guards="alive",
    settle=True,
)
def alive(s: SiteSituation) -> Details:
    """the other site is named as given up, and has a living group"""
    return when(s.wish.get("give_up") and s.other.home, other=s.name)


@WRITES.rule(
    "refuse",
    "{other} is not seen ({why}), and may write, or have become the site that writes; unreachable is not absent. If it is given up, a person says so: "
    "distdb.mysql_ha.fail_over_site with operations_give_up={other}",
    guards="seen",
    settle=True,
)
def unseen(s: SiteSituation) -> Details:
    """not everything is known of the other site, and nobody has given it up"""
    return when(not s.other.seen and not s.wish.get("give_up"), other=s.name, why=s.unseen)


@WRITES.rule(
    "refuse",
    "{other} has transactions that this site has lost: {missing}. Opened, this site would give their numbers to others; distdb.mysql_ha.switch_site to {other} "
    "loses nothing",
    guards="lost",
    settle=True,
)
def behind(s: SiteSituation) -> Details:
    """this site is the one that writes, is closed after an outage, and the other one has transactions of it that it has lost"""
    lost = s.missing - s.other.own
    return when(s.ours and lost and not s.wish.get("give_up"), other=s.name, missing=str(lost))


@WRITES.rule("open", "this site is the one that writes (claim {number}), and {other}, which was asked, takes no writes")
def reopen(s: SiteSituation) -> Details:
    """this site is the one that writes and is closed, as after an outage; the other one is seen, takes no writes and has no newer claim"""
    return when(s.ours and s.other.seen and not s.wish.get("give_up"), number=s.newest.number if s.newest else 0, other=s.name)  # fmt: skip


@WRITES.rule(
    "refuse",
    "{other} has no group, and its members answer: distdb.mysql_ha.recover brings it back, and distdb.mysql_ha.switch_site loses nothing then; given up, "
    "lost is {missing}",
    guards="alive",
    settle=True,
)
def down(s: SiteSituation) -> Details:
    """the other site is in no group, all of its members answer, and nobody has given it up"""
    return when(
        not s.wish.get("give_up") and s.other.home is None,
        other=s.name,
        missing=str(s.missing - s.other.own) or "nothing",
    )


@WRITES.rule(
    "fail_over",
    "this site takes over by claim {number}, and {other} is given up; {said}",
)
def fail_over(s: SiteSituation) -> Details:
    """a person has given the other site up, and it has no living group that is seen"""
    if not s.wish.get("give_up"):
        return None
    lost = s.missing - s.other.own
    said = f"lost is what its members that answer have and this site has not: {lost}" if lost else "nothing is missing"
    if not s.other.seen:
        said = (
            f"missing may be what {s.name} committed and this site had not received"
            + (f"; known of that: {lost}" if lost else "")
            + f"; not asked: {names(s.other.unasked)}"
        )
    return {"number": s.next_number, "other": s.name, "said": said, "lost": str(lost)}


@WRITES.rule("refuse", "a planned switch-over needs both sites whole; not ONLINE: {members}", guards="whole")
def not_whole(s: SiteSituation) -> Details:
    """a planned switch-over, and a member of one of the sites is not ONLINE"""
    members = s.site.not_online + s.other.not_online
    return when(members, members=names(members))


@WRITES.rule(
    "refuse",
    "this site has transactions that {other} lacks: {errant}. They would be this site's alone; look at them (mysqlbinlog), and set the standby up anew",
    guards="errant",
    settle=True,
)
def errant_here(s: SiteSituation) -> Details:
    """a planned switch-over, and this site has transactions of its own"""
    # Those of the other group were its own, and lost there in an outage: it gets them back.
    alone = s.errant - s.errant.of_uuid(s.other.group)
    return when(alone, other=s.name, errant=str(alone))


@WRITES.rule("wait", "{number} transactions of {other} are to come", guards="lost")
def to_come(s: SiteSituation) -> Details:
    """a planned switch-over, and not everything of the other site is here yet"""
    return when(s.missing, number=s.missing.count(), other=s.name)


@WRITES.rule(
    "take_over", "this site takes over by claim {number}; {other} takes no writes, and everything of it is here"
)
def take_over(s: SiteSituation) -> Details:
    """a planned switch-over: the other site is closed and whole, and everything of it is here"""
    return {"number": s.next_number, "other": s.name}


# -- the site that closes for a switch-over ----------------------------------------------------------------------------
CLOSES = Table()
common(CLOSES)
CLOSES.rule("refuse", NO_MEMBER)(no_member)
CLOSES.rule("refuse", MULTI, guards="mode")(multi_primary)
CLOSES.rule("unchanged", "{primary} acts, the primary of this group")(for_primary)


@CLOSES.rule("unchanged", "this site takes no writes")
def is_closed(s: SiteSituation) -> Details:
    """this site takes no writes already"""
    return when(s.closed)


@CLOSES.rule("refuse", "a planned switch-over needs both sites whole; not ONLINE: {members}", guards="whole")
def not_whole_yet(s: SiteSituation) -> Details:
    """a member of one of the sites is not ONLINE"""
    members = s.site.not_online + s.other.not_online
    return when(members, members=names(members))


@CLOSES.rule("refuse", "{other} does not follow this site: {channel}; distdb.mysql_ha.standby_site makes it")
def not_followed(s: SiteSituation) -> Details:
    """the other site does not replicate from this one"""
    primary = s.other.primary
    channel = channel_of(s.other.facts[primary]) if primary else None
    known = [facts.server_uuid for facts in s.site.facts.values()]
    runs = channel and channel.runs and not channel.error and channel.source_uuid in known
    return when(not runs, other=s.name, channel=str(channel or "it has no channel"))


@CLOSES.rule(
    "refuse",
    "{other} has transactions that this site lacks: {errant}. A switch-over would keep them there alone; set the standby up anew",
    guards="errant",
    settle=True,
)
def errant_there(s: SiteSituation) -> Details:
    """the other site has transactions of its own"""
    errant = s.missing - s.other.own
    return when(errant, other=s.name, errant=str(errant))


@CLOSES.rule("close", "this site takes no writes from now on")
def close(s: SiteSituation) -> Details:
    """this site takes writes, and the other one follows it"""
    return {}


TABLES = {PRIMARY: WRITES, CLOSED: CLOSES, STANDBY: FOLLOWS}


def decide_site(
    state: str,
    members: Iterable[str],
    facts: Facts,
    me: str,
    other_members: Iterable[str],
    other_facts: Facts,
    wish: Mapping[str, Any],
    rules: list[Rule] | None = None,
) -> Decision:
    """The Decision about this site."""
    return TABLES[state].decide(SiteSituation(members, facts, me, other_members, other_facts, wish), rules)
