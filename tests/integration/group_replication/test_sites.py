# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two sites of three real mysqld processes each (GR_MYSQLD_ROOT=/some/chroot; on the lab it is skipped, which has four hosts).

RUNS=5 repeats each fault. SITES_DIR names a directory in the tree; servers that are there already are taken as they are with SITES_KEEP=1, and left
running. Figures are printed, and appended to SITES_FIGURES, a file of JSON lines.
"""

from __future__ import annotations

import json
import os
import time

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from gr_sites import GROUPS, Sites, Writer, wait

RUNS = range(int(os.environ.get("RUNS", "1")))
LONG = 300.0
NOWHERE = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]

pytestmark = [
    pytest.mark.members,
    pytest.mark.long,
    pytest.mark.skipif("GR_MYSQLD_ROOT" not in os.environ, reason="two groups of three servers: GR_MYSQLD_ROOT names a tree with mysqld"),
    pytest.mark.claim(
        "A standby site follows through the loss of either primary, takes over without losing a row when it is planned, names what may be lost "
        "when it is not; and the old site comes back closed.",
        minutes=20,
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def sites():
    made = Sites(os.environ["GR_MYSQLD_ROOT"], os.environ.get("SITES_DIR", "/var/tmp/sites"))
    if not os.environ.get("SITES_KEEP"):
        made.make()
    yield made
    if not os.environ.get("SITES_KEEP"):
        made.stop()


def note(what, **figures):
    line = json.dumps({"what": what, "load": os.getloadavg()[0], **figures})
    print(line, flush=True)
    if os.environ.get("SITES_FIGURES"):
        with open(os.environ["SITES_FIGURES"], "a", encoding="utf-8") as out:
            out.write(line + "\n")


def roles(sites):
    """(the site that writes, the one that follows), both whole."""
    north = sites.north.primary().writable()
    writes, follows = (sites.north, sites.south) if north else (sites.south, sites.north)
    wait(lambda: writes.online() and follows.online(), LONG, "both sites whole")
    assert writes.primary().writable() and not any(server.writable() for server in follows.servers)
    return writes, follows


def channel(server):
    found = server.sql(
        "SELECT SERVICE_STATE AS state, SOURCE_UUID AS source, LAST_ERROR_MESSAGE AS error "
        "FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = 'site'"
    )
    return found[0] if found else {}


def all_there(sites, words):
    """Every acknowledged row is on all six."""
    wait(lambda: all(words <= server.rows() for server in sites.servers), LONG, "every row everywhere")


@pytest.mark.parametrize("turn", RUNS)
def test_the_channel_follows_when_the_source_primary_is_killed(sites, turn):
    writes, follows = roles(sites)
    writer = Writer(sites, only=writes)
    writer.start()
    wait(lambda: len(writer.done) > 20, LONG, "writes")
    old = writes.primary()
    uuid = old.sql("SELECT @@GLOBAL.server_uuid AS uuid")[0]["uuid"]
    receiver = follows.primary()
    wait(lambda: channel(receiver)["state"] == "ON", LONG, "the channel")
    led_there = channel(receiver)["source"] == uuid
    began = time.monotonic()
    old.kill9(restart=False)
    wait(lambda: channel(receiver)["state"] == "ON" and channel(receiver)["source"] != uuid, LONG, "another source")
    source = time.monotonic() - began
    wait(lambda: writer.done[-1][1] > began + 0.5, LONG, "a write after the kill")
    first = next(one for one in writer.done if one[1] > began + 0.5)
    wait(lambda: first[0] in receiver.rows(), LONG, "a row written after the kill")
    row = time.monotonic() - began
    old.up()
    old.join()
    words = writer.stop()
    all_there(sites, words)
    assert not any(server.writable() for server in follows.servers)
    note("source primary killed", turn=turn, led_there=led_there, other_source_after=round(source, 1), first_write_after=round(first[1] - began, 1),
         row_at_standby_after=round(row, 1), lost=0, rows=len(words))  # fmt: skip


@pytest.mark.parametrize("turn", RUNS)
def test_the_channel_goes_on_when_the_standby_primary_is_killed(sites, turn):
    writes, follows = roles(sites)
    writer = Writer(sites, only=writes)
    writer.start()
    wait(lambda: len(writer.done) > 20, LONG, "writes")
    old = follows.primary()
    began = time.monotonic()
    old.kill9(restart=False)
    wait(lambda: follows.primary() is not old and channel(follows.primary())["state"] == "ON", LONG, "another receiver")
    receiver = time.monotonic() - began
    word = writer.done[-1][0]
    wait(lambda: word in follows.primary().rows(), LONG, "its rows")
    rows = time.monotonic() - began
    assert not any(server.writable() for server in follows.alive)
    old.up()
    # Not before it is in its group.
    assert channel(old)["state"] == "OFF"
    old.join()
    words = writer.stop()
    all_there(sites, words)
    note("standby primary killed", turn=turn, other_receiver_after=round(receiver, 1), caught_up_after=round(rows, 1), lost=0, rows=len(words))  # fmt: skip


def switch(old, new):
    """As the playbook switch_site does it."""
    closed = old.all("closed")
    assert closed["decision"] in ("close", "unchanged"), closed
    took = new.all("primary")
    if took.get("failed"):
        old.all("primary")
        return took
    back = old.all("standby")
    assert back["decision"] == "follow", back
    return took


@pytest.mark.parametrize("turn", RUNS)
def test_a_planned_switch_over_under_writes_loses_nothing(sites, turn):
    old, new = roles(sites)
    writer = Writer(sites)
    writer.start()
    wait(lambda: len(writer.done) > 20, LONG, "writes")
    foreseen = old.run(old.primary(), "closed", check=True)
    assert foreseen["decision"] == "close" and old.primary().writable(), foreseen
    began = time.monotonic()
    took = switch(old, new)
    assert took["decision"] == "take_over", took
    seconds = time.monotonic() - began
    wait(lambda: writer.done[-1][2] == new.name, LONG, "writes at the new site")
    gap = writer.longest_gap(began)
    words = writer.stop()
    all_there(sites, words)
    assert writer.both == 0
    assert not any(server.writable() for server in old.servers)
    assert new.run(new.primary(), "primary")["decision"] == "unchanged"
    assert old.run(old.primary(), "standby")["decision"] == "unchanged"
    note("switch-over", turn=turn, took=round(seconds, 1), longest_gap=round(gap, 1), lost=0, rows=len(words), claim=took["site"]["claim"])  # fmt: skip


@pytest.mark.parametrize("turn", RUNS)
def test_a_site_that_was_down_as_a_whole_opens_when_it_has_seen_the_other(sites, turn):
    writes, follows = roles(sites)
    writes.kill_all()
    writes.begin()
    assert not writes.primary().writable()
    # As long as the other site is not seen, it stays so.
    refused = writes.run(writes.primary(), "primary", other_members=NOWHERE)
    assert refused["rule"] == "unseen" and not writes.primary().writable(), refused
    opened = writes.all("primary")
    assert opened["rule"] == "reopen" and writes.primary().writable(), opened
    wait(lambda: channel(follows.primary())["state"] == "ON", LONG, "the channel")
    note("whole outage of the site that writes", turn=turn)


@pytest.mark.parametrize("turn", RUNS)
def test_a_fail_over_says_what_may_be_lost_and_the_old_site_comes_back_closed(sites, turn):
    old, new = roles(sites)
    writer = Writer(sites)
    writer.start()
    wait(lambda: len(writer.done) > 20, LONG, "writes")
    cut = turn % 2 == 1
    if cut:
        # What is committed from now on will be missing.
        new.primary().sql("STOP REPLICA IO_THREAD FOR CHANNEL 'site'")
        wait(lambda: len(writer.done) > 60, LONG, "writes that do not arrive")
    old.kill_all()
    killed = time.monotonic()
    refused = new.run(new.primary(), "primary")
    assert refused["rule"] == "unseen" and not new.primary().writable(), refused
    mistaken = new.run(new.primary(), "primary", give_up="west")
    assert mistaken["failed"] and "give_up: 'west' is not allowed" in mistaken["msg"], mistaken
    began = time.monotonic()
    took = new.all("primary", give_up=old.name)
    assert took["decision"] == "fail_over" and "missing may be" in took["reason"], took
    assert took["site"]["last_applied"]["committed"], took
    opened = time.monotonic() - began
    wait(lambda: writer.done[-1][1] > killed and writer.done[-1][2] == new.name, LONG, "writes at the new site")
    words = writer.stop()
    lost = {word for word, at, site in writer.done if site == old.name} - new.primary().rows()
    assert bool(lost) == cut or not cut, lost

    # The old site, with everything it had: closed, whoever starts its group, and refused to be opened.
    old.begin()
    assert not any(server.writable() for server in old.servers)
    refused = old.run(old.primary(), "primary")
    assert refused["failed"] and not old.primary().writable(), refused
    alone = GtidSet(old.primary().gtids()) - GtidSet(new.primary().gtids())
    answer = old.all("standby") if not lost else old.run(old.primary(), "standby")
    if lost:
        assert answer["rule"] == "errant" and str(alone) in answer["msg"], (answer, alone)
        assert alone.of_uuid(GROUPS[old.name]).count() >= len(lost)
        assert lost <= old.primary().rows()
        renewed(sites, old, new)
    else:
        # Received in time, or committed by nobody.
        assert answer["decision"] in ("follow", "refuse"), answer
        if answer["decision"] == "refuse":
            renewed(sites, old, new)
    assert words - lost <= new.primary().rows()
    all_there(sites, words - lost)
    assert writer.both == 0
    assert not any(server.writable() for server in old.servers)
    note("fail-over", turn=turn, receiver_cut=cut, opened_after=round(opened, 1), lost=len(lost), named=alone.count() if lost else 0, rows=len(words),
         claim=took["site"]["claim"])  # fmt: skip


@pytest.mark.parametrize("turn", RUNS)
def test_two_sites_that_do_not_see_each_other_may_both_write_and_the_older_claim_is_closed(sites, turn):
    """What no one can prevent, and docs/how-to/second-site.md says: the old site never went down."""
    old, new = roles(sites)
    took = new.all("primary", give_up=old.name, other_members=NOWHERE)
    assert took["decision"] == "fail_over", took
    assert old.primary().writable() and new.primary().writable()
    for half in (old, new):
        half.primary().sql("INSERT INTO shop.t (v) VALUES (%s)", f"{half.name} {turn} {time.time()}")
    refused = [half.run(half.primary(), "primary") for half in (old, new)]
    assert [one["rule"] for one in refused] == ["both", "both"] and f"{new.name} has the newest claim" in refused[0][
        "msg"
    ], refused
    began = time.monotonic()
    answer = old.run(old.primary(), "standby")
    seconds = time.monotonic() - began
    alone = GtidSet(old.primary().gtids()) - GtidSet(new.primary().gtids())
    assert answer["rule"] == "errant" and str(alone) in answer["msg"] and alone.count() == 1, (answer, alone)
    assert not any(server.writable() for server in old.servers) and new.primary().writable()
    assert new.run(new.primary(), "primary")["rule"] == "writes"
    renewed(sites, old, new)
    note("both wrote, the older closed", turn=turn, closed_after=round(seconds, 1), named=alone.count())


def renewed(sites, old, new):
    """The members of a site that has transactions of its own are set up anew, by clones."""
    for server in old.servers:
        server.sql("STOP GROUP_REPLICATION")
    for server in old.servers:
        sites.clone(server, new.secondaries()[0])
    old.servers[0].join(bootstrap=True)
    for server in old.servers[1:]:
        server.join()
    wait(old.online, LONG, "the site anew")
    answer = old.all("standby")
    assert answer["decision"] == "follow", answer
