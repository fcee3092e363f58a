# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts for the tests of decisions, in the form in which gr_facts.gather() gives them."""

from __future__ import annotations

import copy

MEMBERS = ["db0:3306", "db1:3306", "db2:3306"]
GROUP = "8f22f846-9922-4139-b2b7-097d185a93cb"
OTHER_GROUP = "99999999-9922-4139-b2b7-097d185a93cb"
UUIDS = {address: f"0000000{index}-aaaa-bbbb-cccc-dddddddddddd" for index, address in enumerate(MEMBERS + ["db3:3306"])}


def facts_of(address, **changes):
    """A configured server in no group."""
    facts = {
        "address": address, "reachable": True, "error": "", "error_kind": "", "version": "9.7.4-2", "version_warning": None,
        "version_error": "", "server_uuid": UUIDS[address], "server_id": 130 + int(address[2]), "hostname": address[:3], "port": 3306,
        "report_host": address[:3], "report_port": 3306, "gtid_executed": "", "gtid_purged": "", "received": "", "gtid_mode": "ON",
        "enforce_gtid_consistency": "ON", "log_bin": True, "read_only": False, "super_read_only": False, "offline_mode": False,
        "settings": {"group_replication_single_primary_mode": "OFF", "group_replication_enforce_update_everywhere_checks": "ON",
                     "group_replication_gtid_assignment_block_size": "1000000", "lower_case_table_names": "0"},
        "log_error": "", "datadir": "", "group_name": GROUP, "local_address": "", "single_primary_mode": False, "bootstrap_flag": False,
        "bootstrap_flag_source": "", "start_on_boot": True, "persisted": {}, "plugins": {}, "plugin_active": True, "clone_active": True,
        "view": {}, "view_id": "", "stats": {}, "state": "OFFLINE", "role": "", "channels": {}, "lock_held_by_other": False,
        "starting": False, "schemas": [], "applier_error": {}, "lock_holder": "",
    }  # fmt: skip
    facts.update(changes)
    return facts


def gone(address, error=None):
    """A server that could not be asked."""
    return {
        "address": address,
        "reachable": False,
        "error": error or f"{address} does not answer (timed out)",
        "error_kind": "unreachable",
    }


def entry(address, state="ONLINE", role="PRIMARY", version="9.7.4"):
    """One line of a view."""
    return {
        "host": address.split(":")[0],
        "port": int(address.split(":")[1]),
        "state": state,
        "role": role,
        "version": version,
    }


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


def outage(*sets, **changes):
    """Facts of members in no group with these executed sets."""
    return {address: facts_of(address, gtid_executed=text, **changes) for address, text in zip(MEMBERS, sets)}
