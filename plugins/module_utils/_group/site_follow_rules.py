# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site does that does not write: the rules of group_replication_site, state=standby. No I/O here.

Private to this collection.
"""

from __future__ import annotations

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import parse_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Details, Table, when
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.site_situation import (
    MULTI,
    SiteSituation,
    common,
    multi_primary,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.sites import channel_of, follows, takes_writes
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import (
    has_unlogged_data,
    is_live,
    names,
    transactions,
)

FOLLOWS = Table()
common(FOLLOWS)


@FOLLOWS.rule("refuse", "nobody has claimed to write: state=primary at {other} comes first", guards="writer")
def nobody_writes(s: SiteSituation) -> Details:
    """no claim is known"""
    return when(s.newest is None, other=s.name)


@FOLLOWS.rule(
    "refuse", "this site is the one that writes (claim {number}): distdb.mysql_ha.switch_site changes that", guards="writer"
)  # fmt: skip
def is_writer(s: SiteSituation) -> Details:
    """the newest claim is this site's"""
    return when(s.ours, number=s.newest.number if s.newest else 0)


@FOLLOWS.rule(
    "close", "{other} has the newest claim ({number}), and this server takes writes: it is closed", guards="one"
)
def came_back(s: SiteSituation) -> Details:
    """the other site has the newest claim, and this server takes writes, or would when it is elected"""
    would = s.is_primary and s.wish.get("opens")
    return when(
        is_live(s.mine) and (takes_writes(s.mine) or would), other=s.name, number=s.newest.number if s.newest else 0
    )


@FOLLOWS.rule("refuse", "{other} has no group with a majority that is seen, so there is nothing to follow ({why})")
def no_source(s: SiteSituation) -> Details:
    """the other site's group is not seen"""
    return when(not s.other.home, other=s.name, why=s.unseen or "its members are in no group")


def _blank(s: SiteSituation) -> bool:
    nobody = not any(transactions(s.facts[a]) or has_unlogged_data(s.facts[a]) for a in s.asked)
    return not s.partitions and not s.unasked and nobody


@FOLLOWS.rule("clone", "this site is blank; this server gets the data of {other} by a clone of {donor}")
def blank(s: SiteSituation) -> Details:
    """nobody of this site is in a group, every member answers, none has data, and this server is the first of them"""
    first = s.me == s.members[0]
    return when(_blank(s) and first and s.donors, other=s.name, donor=(s.donors or [""])[0])


@FOLLOWS.rule(
    "refuse",
    "this site is blank, and cannot be cloned: no ONLINE member of {other} has the clone plugin and runs the same series",
)
def no_donor(s: SiteSituation) -> Details:
    """the same, and nobody of the other site can give its data"""
    return when(_blank(s) and s.me == s.members[0], other=s.name)


@FOLLOWS.rule(
    "refuse",
    "this site has transactions that {other}, which writes, lacks: {errant}. They are lost to the application there; look at them (mysqlbinlog) and apply "
    "what is needed, then set the members of this site up anew",
    guards="errant",
    settle=True,
)
def errant(s: SiteSituation) -> Details:
    """this site has transactions that the one that writes lacks"""
    return when(s.errant, other=s.name, errant=str(s.errant))


@FOLLOWS.rule("unchanged", "this site is not begun yet, and holds the data of {other} or nothing")
def not_begun(s: SiteSituation) -> Details:
    """nobody of this site is in a group, and it has nothing of its own"""
    return when(not s.partitions, other=s.name)


@FOLLOWS.rule(
    "refuse",
    "{other} has no binary logs any more with {purged}, which this site lacks: set the members of this site up anew",
    guards="purged",
    settle=True,
)
def purged(s: SiteSituation) -> Details:
    """no member of the other site still has the binary logs that this one needs"""
    mine = transactions(s.mine)
    online = s.other.home.online if s.other.home else []
    gone = [GtidSet(s.other.facts[address].gtid_purged) - mine for address in online]
    return when(gone and all(gone), other=s.name, purged=str(min(gone, key=GtidSet.count)) if gone else "")


@FOLLOWS.rule("make_channel", "this server gets the channel from {other}, which is started when it is the primary")
def secondary(s: SiteSituation) -> Details:
    """this server is no primary, and has no channel from the other site"""
    return when(not s.is_primary and not follows(s.mine), other=s.name)


@FOLLOWS.rule("unchanged", "this server has the channel, and starts it when it becomes the primary")
def ready(s: SiteSituation) -> Details:
    """this server is no primary, and has the channel"""
    return when(not s.is_primary)


FOLLOWS.rule("refuse", MULTI, guards="mode")(multi_primary)


@FOLLOWS.rule(
    "refuse",
    "{members} lacks the channel, and would be expelled when it is started: run on the secondaries first",
    guards="channel",
)
def expelled(s: SiteSituation) -> Details:
    """another member of this group lacks the channel"""
    return when(s.without_channel, members=names(s.without_channel))


@FOLLOWS.rule("follow", "this site follows {other} from now on, {source} first")
def follow(s: SiteSituation) -> Details:
    """this server is the primary, and its channel is not there, not complete, or does not run"""
    channel = channel_of(s.mine)
    incomplete = channel is None or not channel.runs or s.wish.get("complete") is False
    host, port = parse_address(s.other.primary or (s.other.home.online[0] if s.other.home else "localhost"))
    return when(incomplete, other=s.name, source=f"{host}:{port}", host=host, port=port, made=channel is not None)


@FOLLOWS.rule("unchanged", "this site {channel}")
def following(s: SiteSituation) -> Details:
    """this server is the primary, and its channel runs"""
    return {"channel": str(channel_of(s.mine))}
