# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that the Group Replication modules share, their checks, and the connections made from them.

The options are documented in doc_fragments/mysql.py and doc_fragments/group_replication.py.

Private to this collection.
"""

from __future__ import annotations

import uuid

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import normal_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, conclude
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_facts import Cluster, find_me, gather, lock_name
from ansible_collections.distdb.mysql_ha.plugins.module_utils.mysql_conn import (
    PYMYSQL_ERROR,
    login_connection,
    login_options,
)


def cluster_options():
    """Connection options and the options about declared members."""
    spec = login_options()
    spec.update(
        members={"type": "list", "elements": "str", "required": True},
        member={"type": "str"},
        peer_user={"type": "str"},
        peer_password={"type": "str", "no_log": True},
        peer_ca_cert={"type": "path"},
        peer_connect_timeout={"type": "int", "default": 3},
    )
    return spec


def check_members(members, option="members"):
    """Normalized addresses; Refusal with one sentence when one is not an address or is named twice."""
    if not members:
        raise Refusal(f"{option}: an empty list is not allowed (allowed: host or host:port of every declared member)")
    normal = [normal_address(item, option=option) for item in members]
    twice = sorted({item for item in normal if normal.count(item) > 1})
    if twice:
        raise Refusal(f"{option}: '{twice[0]}' is named twice (allowed: every member once)")
    return normal


def check_some(params, option, members):
    """Normalized addresses of an option that names some of the declared members; None when it is not given."""
    some = params.get(option)
    if not some:
        return None if some is None else []
    normal = check_members(some if isinstance(some, list) else [some], option)
    for item in normal:
        if item not in members:
            raise Refusal(f"{option}: '{item}' is not allowed (allowed: one of members, {', '.join(members)})")
    return normal


def check_range(params, option, least, most, unit=" seconds"):
    """Refuse a number outside its range."""
    value = params.get(option)
    if value is not None and not least <= value <= most:
        raise Refusal(f"{option}: {value} is not allowed (allowed: {least} to {most}{unit})")


def check_uuid(text, option="group_name"):
    """The UUID in lower case, or None; Refusal with one sentence when it is none."""
    if text is None:
        return None
    try:
        if len(text) != 36:
            raise ValueError
        return str(uuid.UUID(text))
    except ValueError:
        raise Refusal(f"{option}: '{text}' is not allowed (allowed: a UUID, for instance from uuidgen)") from None


def check_cluster_options(params):
    """Check the shared options; the declared members and, when it is named, this server's own address."""
    members = check_members(params["members"])
    check_range(params, "peer_connect_timeout", 1, 3600)
    check_range(params, "connect_timeout", 1, 3600)
    check_range(params, "login_port", 1, 65535, "")
    me = check_some(params, "member", members) if params.get("member") else None
    if params.get("peer_password") is not None and not params.get("peer_user"):
        raise Refusal("peer_user: must be given together with peer_password")
    if params.get("peer_user") and params.get("peer_password") is None:
        raise Refusal("peer_password: must be given together with peer_user")
    if params.get("client_key") and not params.get("client_cert"):
        raise Refusal("client_cert: must be given together with client_key")
    return members, me[0] if me else None


def make_cluster(params, members, me, local, lock):
    """The Cluster of these options."""
    own_account = not params.get("peer_user")
    return Cluster(
        members,
        me,
        local,
        params.get("login_user") or "root" if own_account else params["peer_user"],
        params.get("login_password") if own_account else params.get("peer_password"),
        params.get("peer_ca_cert"),
        params.get("peer_connect_timeout") or 3,
        lock=lock,
    )


def open_cluster(params, recorder=None):
    """(Cluster, facts of all declared members, wished group name): options checked, everybody asked at the same time."""
    members, me = check_cluster_options(params)
    group_name = check_uuid(params.get("group_name"))
    local = login_connection(params, recorder)
    if me is None:
        own = gather(local, local.where, own=True)
        me = find_me(members, own)
        group_name_known = group_name or own["group_name"]
        cluster = make_cluster(params, members, me, local, lock_name(group_name_known))
        facts = cluster.gather([address for address in members if address != me])
        own["address"] = me
        facts = {address: own if address == me else facts[address] for address in members}
    else:
        cluster = make_cluster(params, members, me, local, lock_name(group_name) if group_name else "")
        facts = cluster.gather()
        if group_name is None:
            cluster.lock = lock_name(facts[me].get("group_name"))
    return cluster, facts, group_name


def close_cluster(cluster):
    """Close all connections of open_cluster()."""
    if cluster is not None:
        cluster.close()
        cluster.local.close()


def require_pymysql(module):
    """End the module, saying what is missing, when there is no PyMySQL on the host."""
    if PYMYSQL_ERROR:
        module.fail_json(msg=missing_required_lib("PyMySQL"), exception=PYMYSQL_ERROR)


def execute(module, manager):
    """Let a manager do the module's work, and report it; every module that changes something ends here.

    The manager has run() -> result, and tells by its attributes decision, before, changed and recorder how far it came.
    """

    def so_far(refusal):
        return {
            "changed": manager.changed,
            "decision": "refuse",
            "rule": manager.decision.rule if manager.decision else "",
            "reason": str(refusal),
            "before": manager.before,
            "statements": manager.recorder.statements,
        }

    conclude(module, manager.run, so_far, PYMYSQL_ERROR)
