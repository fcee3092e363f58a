# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts for the tests of decisions, in the form in which facts.gather() gives them."""

from __future__ import annotations

import copy

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import Entry, ServerFacts, unreachable
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.said import Said

MEMBERS = ["db0:3306", "db1:3306", "db2:3306"]
GROUP = "8f22f846-9922-4139-b2b7-097d185a93cb"
OTHER_GROUP = "99999999-9922-4139-b2b7-097d185a93cb"
UUIDS = {address: f"0000000{index}-aaaa-bbbb-cccc-dddddddddddd" for index, address in enumerate(MEMBERS + ["db3:3306"])}


def facts_of(address, **changes):
    """A configured server in no group."""
    facts = ServerFacts(
        address, version="9.7.4-2", server_uuid=UUIDS[address], server_id=130 + int(address[2]), hostname=address[:3], port=3306,
        report_host=address[:3], report_port=3306, gtid_mode="ON", enforce_gtid_consistency="ON", log_bin=True,
        settings={"group_replication_single_primary_mode": "OFF", "group_replication_enforce_update_everywhere_checks": "ON",
                  "group_replication_gtid_assignment_block_size": "1000000", "lower_case_table_names": "0"},
        group_name=GROUP, start_on_boot=True, persisted={}, plugin_active=True, clone_active=True, view={}, stats={}, channels={},
    )  # fmt: skip
    return facts._replace(**changes)


def change(facts, address, **changes):
    """Change one member's facts."""
    facts[address] = facts[address]._replace(**changes)
    return facts


def gone(address, error=None):
    """A server that could not be asked."""
    return unreachable(address, error or f"{address} does not answer (timed out)")


def entry(address, state="ONLINE", role="PRIMARY", version="9.7.4"):
    """One line of a view."""
    return Entry(address.split(":")[0], int(address.split(":")[1]), state, role, version)


def group_of(states, members=None, **changes):
    """Facts of all members: those with a state in `states` are in one group and see each other so; the others are in none."""
    members = members or MEMBERS
    view = {UUIDS[address]: entry(address, state) for address, state in states.items()}
    facts = {}
    for address in members:
        if states.get(address) in ("ONLINE", "RECOVERING"):
            facts[address] = facts_of(
                address, state=states[address], view=copy.deepcopy(view), role="PRIMARY", **changes
            )
        elif states.get(address) == "ERROR":
            facts[address] = facts_of(
                address, state="ERROR", view={UUIDS[address]: entry(address, "ERROR", "")}, **changes
            )
        else:
            facts[address] = facts_of(address, **changes)
    return facts


CLAIM = "9d0f0a7e-4d2b-4a10-aa5f-b248bcde4229"


def said(state="crashed", evidence="majority", members=None, view=None, promise=("", ""), starts=None, mark=""):
    """What the guard of a member says; by default one whose member crashed in a group of all."""
    members = tuple(members or MEMBERS)
    return Said(evidence, members, state, tuple(members if view is None else view), promise, starts or {}, mark)


def outage(*sets, **changes):
    """Facts of members in no group with these executed sets."""
    return {address: facts_of(address, gtid_executed=text, **changes) for address, text in zip(MEMBERS, sets)}
