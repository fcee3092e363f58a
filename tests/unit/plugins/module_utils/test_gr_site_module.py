# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""group_replication_site from options to answer, on servers of two sites that answer its statements."""

from __future__ import annotations

import pymysql
import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import connection
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.sites import claim_uuid
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs import site, site_channel
from ansible_collections.distdb.mysql_ha.plugins.modules import (
    group_replication_fence,
    group_replication_info,
    group_replication_site,
)
from gr_servers import Session, World, rehearsed

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("A site is opened, closed and made to follow by the statements that MySQL takes, in the order in which nothing is lost."),
]  # fmt: skip

SITE = group_replication_site
NORTH, SOUTH = "8f22f846-9922-4139-b2b7-097d185a93aa", "5f22f846-9922-4139-b2b7-097d185a93bb"
N, S = ("n0", "n1", "n2"), ("s0", "s1", "s2")
DATA = f"{NORTH}:1-9,{claim_uuid(NORTH)}:1"
OPENED = ["SET GLOBAL super_read_only = OFF", "claim", "enable", "SET GLOBAL read_only = OFF"]
ACTION = "mysql_disable_super_read_only_if_primary"


class SiteSession(Session):
    """Answers what is asked about channels between groups, too."""

    def change(self, text, args):
        server = self.server
        if "GET_LOCK" in text:
            return [{"got": getattr(server, "site_lock", 1)}]
        if text.startswith("CHANGE REPLICATION SOURCE TO SOURCE_HOST"):
            server.inbound = [
                a_channel(
                    args[0], receiver="OFF", applier="OFF", failover="1" if "AUTO_FAILOVER" in text else "0", managed=0
                )
            ]
        elif "failover_add_managed" in text:
            server.inbound[0]["managed"] = 1
        elif text.startswith("START REPLICA FOR CHANNEL"):
            server.inbound = [
                dict(one, **getattr(server, "starts", {"receiver": "ON", "applier": "ON"})) for one in server.inbound
            ]
        elif text.startswith("STOP REPLICA IO_THREAD"):
            server.inbound = [dict(one, receiver="OFF") for one in server.inbound]
        elif text.startswith("SET gtid_next = '5173c1a1"):
            server.gtid_executed = str(GtidSet(server.gtid_executed).union(text.split("'")[1]))
        elif text == "SET GLOBAL super_read_only = ON":
            server.globals["read_only"] = 1
            return super().change(text, args)
        else:
            return super().change(text, args)
        server.statements.append(text)
        return []  # fmt: skip


class Half(World):
    """The servers of one site."""

    def __init__(self, group, *names):
        super().__init__(*names)
        self.brings = True
        for number, server in enumerate(self.servers.values()):
            server.variables["group_replication_group_name"] = group
            server.uuid = f"{group[:7]}{number}-aaaa-bbbb-cccc-dddddddddddd"
            server.number = number + 10 * (names == S)

    def arrived(self, server, gtids):
        runs = any(one["applier"] == "ON" for one in server.inbound)
        if runs and self.brings:
            server.gtid_executed = str(GtidSet(server.gtid_executed).union(gtids))
        return GtidSet(server.gtid_executed).contains(gtids)


def a_channel(host="n0", **changes):
    found = {
        "channel": "site", "host": host, "port": 3306, "source_uuid": f"{NORTH[:7]}0-aaaa-bbbb-cccc-dddddddddddd", "receiver": "ON", "applier": "ON",
        "received": "", "receiver_error": None, "applier_error": None, "failover": "1", "managed": 1,
    }  # fmt: skip
    return {**found, **changes}


class Two:
    """north writes, south follows; both whole."""

    def __init__(self):
        self.north, self.south = Half(NORTH, *N), Half(SOUTH, *S)
        for half, names, opened in ((self.north, N, 1), (self.south, S, 0)):
            half.group(*names, primary=names[0])
            for name, server in half.servers.items():
                server.gtid_executed, server.action = DATA, opened
                shut = int(not (opened and name == names[0]))
                server.globals.update(read_only=shut, super_read_only=shut)
        for server in self.south.servers.values():
            server.inbound = [a_channel(**({} if server.name == "s0" else {"receiver": "OFF", "applier": "OFF"}))]

    def connection(self, **arguments):
        host = arguments.get("host") or arguments["unix_socket"].rpartition("/")[2]
        half = self.north if host in N else self.south
        opened = half.connection(**arguments)
        return SiteSession(half, opened.server)

    def close(self):
        """north takes no writes."""
        for server in self.north.servers.values():
            server.action = 0
            server.globals.update(read_only=1, super_read_only=1)

    def end(self, half):
        for server in half.servers.values():
            server.alive = False


@pytest.fixture
def two(world, monkeypatch):
    made = Two()
    world.connection = made.connection
    monkeypatch.setattr(site, "LOOK", 0.02)
    monkeypatch.setattr(site_channel, "LOOK", 0.02)
    monkeypatch.setattr(site_channel, "STARTED", 0.05)
    return made


@pytest.fixture
def at(run, two):
    """Runs the module on a server of a site."""

    def work(module=SITE, on="s0", check=False, **options):
        here, there, group, other = (S, N, SOUTH, NORTH) if on in S else (N, S, NORTH, SOUTH)
        if module is not SITE:
            return run(module, on, check, members=list(here), **options)
        given = {"members": list(here), "group_name": group, "other_members": list(there), "other_group": other,
                 "other_name": "north" if on in S else "south", "site_user": "gr_site", "site_password": "site-Secret-1", "timeout": 1}  # fmt: skip
        answer = run(module, on, check, **{**given, **options})
        assert "site-Secret-1" not in str(answer)
        return answer

    return work


def short(statements):
    """Statements without what is the same everywhere."""
    found = []
    for text in statements:
        if ACTION in text:
            text = "enable" if "enable" in text else "disable"
        elif text.startswith("SET gtid_next = '5173c1a1"):
            text = "claim"
        elif text in ("BEGIN", "COMMIT", "SET gtid_next = 'AUTOMATIC'"):
            continue
        found.append(text)
    return found


def test_the_site_that_writes_claims_it_once(at, two):
    for server in two.north.servers.values():
        server.gtid_executed = f"{NORTH}:1-9"
    for server in two.south.servers.values():
        server.gtid_executed, server.inbound = "", []
    foreseen, done = rehearsed(at, SITE, on="n0", state="primary")
    assert (done["rule"], short(done["statements"])) == ("first_claim", ["claim"])
    assert done["statements"][0] == f"SET gtid_next = '{claim_uuid(NORTH)}:1'"
    assert done["site"]["writes"] and done["site"]["claim"] == 1
    again = at(on="n0", state="primary")
    assert (again["changed"], again["rule"]) == (False, "writes")


def test_a_blank_site_gets_its_data_by_clone(at, two):
    two.south.members = []
    for server in two.south.servers.values():
        server.state, server.gtid_executed, server.inbound, server.schemas = "OFFLINE", "", [], []
    two.south.servers["n1"] = two.north.servers["n1"]  # the donor's name in CLONE
    foreseen, done = rehearsed(at, SITE, state="standby", site_ca_cert=None)
    assert done["rule"] == "blank"
    assert done["statements"][-1] == "CLONE INSTANCE FROM 'gr_site'@'n1':3306 IDENTIFIED BY '********' REQUIRE SSL"
    assert two.south.servers["s0"].gtid_executed == DATA
    assert at(state="standby")["rule"] == "not_begun"


def test_a_clone_that_fails_leaves_the_ca_as_it_was(at, two):
    two.south.members = []
    for server in two.south.servers.values():
        server.state, server.gtid_executed, server.inbound = "OFFLINE", "", []
    two.south.refused["CLONE INSTANCE"] = pymysql.err.OperationalError(3862, "Clone Donor Error: 1045")
    done = at(state="standby")
    assert done["failed"] and "clone from n1:3306 failed" in done["msg"]


def test_the_channel_is_made_on_the_secondaries_first(at, two):
    for server in two.south.servers.values():
        server.inbound = []
    assert at(state="standby")["rule"] == "expelled"
    for name in ("s1", "s2"):
        foreseen, done = rehearsed(at, SITE, on=name, state="standby")
        (text,) = done["statements"]
        assert (
            "AUTO_FAILOVER" not in text
            and "SOURCE_PASSWORD='********'" in text
            and "SOURCE_SSL_VERIFY_SERVER_CERT=0" in text
        )
    foreseen, done = rehearsed(at, SITE, state="standby")
    change, managed, start = done["statements"]
    assert "SOURCE_HOST='n0'" in change and "SOURCE_CONNECTION_AUTO_FAILOVER=1" in change
    assert (
        managed
        == f"SELECT asynchronous_connection_failover_add_managed('site', 'GroupReplication', '{NORTH}', 'n0', 3306, '', 80, 60)"
    )
    assert start == "START REPLICA FOR CHANNEL 'site'"
    again = at(state="standby")
    assert (again["changed"], again["rule"]) == (False, "following")


def test_a_channel_that_stands_still_is_started_and_its_error_is_said(at, two, tmp_path, monkeypatch):
    (tmp_path / "north.pem").write_text("a certificate")
    monkeypatch.setattr(connection, "tls_context", lambda *_given, **_more: None)
    server = two.south.servers["s0"]
    server.inbound = [a_channel(receiver="OFF", applier="OFF")]
    assert at(state="standby")["statements"] == ["START REPLICA FOR CHANNEL 'site'"]
    server.inbound = [a_channel(receiver="OFF")]
    server.starts = {"receiver": "ON", "applier": "OFF", "applier_error": "Duplicate entry"}
    assert "Duplicate entry" in at(state="standby")["msg"]
    server.inbound = [a_channel(receiver="OFF")]
    server.starts = {"receiver": "CONNECTING"}
    assert "receiver CONNECTING" in at(state="standby")["msg"]
    # One that does not fail over is made anew, and what is there of it is left.
    server.inbound, server.starts = [a_channel(failover="0", managed=0)], {"receiver": "ON", "applier": "ON"}
    first, second, third = at(state="standby", site_ca_cert=str(tmp_path / "north.pem"))["statements"][:3]
    assert (
        first == "STOP REPLICA FOR CHANNEL 'site'"
        and f"SOURCE_SSL_CA='{tmp_path}/north.pem', SOURCE_SSL_VERIFY_SERVER_CERT=1" in second
    )
    assert "add_managed" in third


def test_a_planned_switch_over(at, two):
    foreseen, closed = rehearsed(at, SITE, on="n0", state="closed")
    assert short(closed["statements"]) == ["disable", "SET GLOBAL super_read_only = ON"]
    assert at(on="n0", state="closed")["rule"] == "is_closed"
    for server in two.north.servers.values():
        server.gtid_executed = DATA.replace(":1-9", ":1-12")
    # The last of it is waited for.
    assert "a real run waits" in at(state="primary", check=True)["msg"]
    done = at(state="primary")
    assert done["decision"] == "take_over" and done["site"]["missing"] == "", done
    assert short(done["statements"]) == [
        "STOP REPLICA IO_THREAD FOR CHANNEL 'site'", "STOP REPLICA FOR CHANNEL 'site'",
        "CHANGE REPLICATION SOURCE TO SOURCE_CONNECTION_AUTO_FAILOVER=0 FOR CHANNEL 'site'",
        f"SELECT asynchronous_connection_failover_delete_managed('site', '{NORTH}')", "RESET REPLICA ALL FOR CHANNEL 'site'", *OPENED,
    ]  # fmt: skip
    assert done["after"]["opens"] and not done["after"]["super_read_only"]
    assert at(on="s1", state="primary")["statements"] == ["RESET REPLICA ALL FOR CHANNEL 'site'"]
    assert not at(on="s1", state="primary")["changed"]


def test_two_runs_do_not_open_both_sites(at, two):
    two.close()
    two.north.servers["n0"].site_lock = 0
    done = at(state="primary")
    assert "another run opens one of the sites: it holds the lock 'distdb.mysql_ha:site' on n0:3306" in done["msg"]
    assert not done["statements"]


def test_what_is_decided_under_the_lock_counts(at, two, monkeypatch):
    """north has been opened again meanwhile."""
    two.close()
    looked = site.SiteChange.look

    def look(self):
        two.north.servers["n0"].globals.update(read_only=0, super_read_only=0)
        two.north.servers["n0"].action = 1
        return looked(self)

    monkeypatch.setattr(site.SiteChange, "look", look)
    done = at(state="primary")
    assert (done["rule"], done["statements"]) == ("both", [])


def test_a_claim_that_fails_leaves_the_site_closed(at, two):
    two.close()
    two.south.refused["SET gtid_next"] = pymysql.err.OperationalError(
        3100, "Error on observer while running replication hook"
    )
    done = at(state="primary")
    assert done["failed"] and two.south.servers["s0"].globals["super_read_only"] and not two.south.servers["s0"].action


def test_what_does_not_come_in_time_ends_the_switch_over_before_anything_is_opened(at, two):
    two.close()
    two.south.brings = False
    for server in two.north.servers.values():
        server.gtid_executed = DATA.replace(":1-9", ":1-12")
    done = at(state="primary")
    assert done["failed"] and "timeout: after 1 seconds: 3 transactions of north are to come" in done["msg"]
    assert two.south.servers["s0"].globals["super_read_only"] and not done["statements"]
    # And the old one opens itself again: it is still the one that writes.
    back = at(on="n0", state="primary")
    assert (back["decision"], short(back["statements"])) == (
        "open",
        ["SET GLOBAL super_read_only = OFF", "enable", "SET GLOBAL read_only = OFF"],
    )


def test_a_site_that_is_not_kept_up_with_is_not_closed(at, two):
    for server in two.north.servers.values():
        server.gtid_executed = DATA.replace(":1-9", ":1-12")
    done = at(on="n0", state="closed")
    assert "south does not keep up with this site. Nothing was changed" in done["msg"] and not done["statements"]


def test_a_statement_that_does_not_end_leaves_the_site_open(at, two):
    two.north.refused["super_read_only = ON"] = pymysql.err.OperationalError(1205, "Lock wait timeout exceeded")
    done = at(on="n0", state="closed")
    assert "this site takes writes as before" in done["msg"]
    assert short(done["statements"])[-1] == "enable" and two.north.servers["n0"].action


def test_a_fail_over_needs_a_word_and_says_what_may_be_lost(at, two):
    two.end(two.north)
    refused = at(state="primary")
    assert refused["rule"] == "unseen" and "operations_give_up=north" in refused["msg"]
    two.south.servers["s0"].inbound[0]["received"] = f"{NORTH}:1-10"
    done = at(state="primary", give_up="north")
    assert done["decision"] == "fail_over" and "missing may be what north committed" in done["reason"]
    # What was received is applied first.
    assert GtidSet(done["site"]["gtid_executed"]) == GtidSet(
        f"{NORTH}:1-10,{claim_uuid(NORTH)}:1,{claim_uuid(SOUTH)}:2"
    )
    assert short(done["statements"])[-4:] == OPENED


def test_what_was_received_and_is_not_applied_keeps_the_site_closed(at, two):
    two.end(two.north)
    two.south.brings = False
    two.south.servers["s0"].inbound[0]["received"] = f"{NORTH}:1-12"
    done = at(state="primary", give_up="north")
    assert "3 transactions were received and are not applied" in done["msg"]
    assert two.south.servers["s0"].globals["super_read_only"]


def test_the_old_site_is_closed_when_it_comes_back_and_what_it_has_alone_is_named(at, two):
    """It was cut off, and wrote."""
    for server in two.south.servers.values():
        server.inbound, server.action = [], 1
        server.gtid_executed = f"{DATA},{claim_uuid(SOUTH)}:2"
    two.south.servers["s0"].globals.update(read_only=0, super_read_only=0)
    for server in two.north.servers.values():
        server.gtid_executed = DATA.replace(":1-9", ":1-11")
    done = at(on="n0", state="standby")
    assert done["rule"] == "errant" and f"{NORTH}:10-11" in done["msg"]
    assert short(done["statements"]) == ["disable", "SET GLOBAL super_read_only = ON"] and done["changed"]
    # A member that is elected next would open itself.
    two.north.servers["n0"].action = 1
    assert short(at(on="n0", state="standby")["statements"]) == [
        "SET GLOBAL super_read_only = OFF",
        "disable",
        "SET GLOBAL super_read_only = ON",
    ]


def test_a_secondary_that_takes_writes_is_closed(at, two):
    server = two.south.servers["s1"]
    server.globals.update(read_only=0, super_read_only=0)
    server.action = 1  # which only the primary changes
    assert at(on="s1", state="standby")["statements"] == ["SET GLOBAL super_read_only = ON"]


def test_the_state_of_a_site_is_shown(at, two):
    info = group_replication_info
    south, north = at(info, on="s0")["cluster"], at(info, on="n0")["cluster"]
    assert south["site"] == {
        "role": "standby", "claim": 1, "takes_writes": False, "source": "n0:3306", "running": True, "behind": 0, "error": "",
    }  # fmt: skip
    assert (north["site"]["role"], north["site"]["takes_writes"], north["warnings"]) == ("primary", True, [])
    assert south["members"]["s1:3306"]["replicates_from"] == []
    two.close()
    assert "distdb.mysql_ha.open_site" in at(info, on="n0")["cluster"]["warnings"][0]
    # unfence does not open what only the other site's answer may open.
    assert at(group_replication_fence, on="n0", fence="none")["rule"] == "of_two_sites"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"other_members": ["s1"]}, "other_members: 's1:3306' is not allowed"),
        ({"other_group": "south"}, "other_group: 'south' is not allowed (allowed: a UUID"),
        ({"give_up": "west"}, "give_up: 'west' is not allowed (allowed: the name of the other site, north)"),
        ({"give_up": "north", "state": "standby"}, "give_up: is not allowed with state=standby"),
        ({"site_password": "it's"}, "site_password: this one is not allowed"),
        ({"site_ca_cert": "/none.pem"}, "site_ca_cert: '/none.pem' cannot be read"),
        ({"timeout": 0}, "timeout: 0 is not allowed"),
        ({"closed_timeout": 0}, "closed_timeout: 0 is not allowed"),
    ],
)
def test_what_cannot_be_meant_is_refused(at, options, words):
    done = at(**{"state": "primary", **options})
    assert done["failed"] and words in done["msg"]


def test_a_server_that_is_down_is_said(at, two):
    two.end(two.south)
    assert "does not answer" in at(state="primary")["msg"] or "Can't connect" in at(state="primary", member="s0")["msg"]
