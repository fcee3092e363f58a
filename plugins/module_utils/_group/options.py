# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that the Group Replication modules share, their checks, and the connections made from them.

The options are documented in doc_fragments/mysql.py and doc_fragments/group_replication.py.

Private to this collection.
"""

from __future__ import annotations

import uuid
from typing import Any, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import normal_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.cluster import Cluster, Facts, find_me
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import (
    Connection,
    Recorder,
    login_connection,
    login_options,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import gather, lock_name
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

Params = Mapping[str, Any]


def cluster_options() -> dict[str, dict[str, Any]]:
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


def check_members(members: list[str], option: str = "members") -> list[str]:
    """Normalized addresses; a Refusal when one is not an address or is named twice."""
    if not members:
        raise Refusal(f"{option}: an empty list is not allowed (allowed: host or host:port of every declared member)")
    normal = [normal_address(item, option=option) for item in members]
    for item in normal:
        if normal.count(item) > 1:
            raise Refusal(f"{option}: '{item}' is named twice (allowed: every member once)")
    return normal


def check_some(params: Params, option: str, members: list[str]) -> list[str] | None:
    """Normalized addresses of an option that names some of the declared members; None when it is not given."""
    some = params.get(option)
    if not some:
        return None if some is None else []
    normal = check_members(some if isinstance(some, list) else [some], option)
    for item in normal:
        if item not in members:
            raise Refusal(f"{option}: '{item}' is not allowed (allowed: one of members, {', '.join(members)})")
    return normal


def check_one(params: Params, option: str, members: list[str]) -> str | None:
    """The normalized address of an option that names one of the declared members; None when it is not given."""
    some = check_some(params, option, members) if params.get(option) else None
    return some[0] if some else None


def check_range(params: Params, option: str, least: int, most: int, unit: str = " seconds") -> None:
    """Refuse a number outside its range."""
    value = params.get(option)
    if value is not None and not least <= value <= most:
        raise Refusal(f"{option}: {value} is not allowed (allowed: {least} to {most}{unit})")


def check_pair(params: Params, user: str, password: str) -> None:
    """Refuse an account of which one half is missing."""
    if params.get(password) is not None and not params.get(user):
        raise Refusal(f"{user}: must be given together with {password}")
    if params.get(user) and params.get(password) is None:
        raise Refusal(f"{password}: must be given together with {user}")


def check_uuid(text: str | None, option: str = "group_name") -> str | None:
    """The UUID in lower case, or None; a Refusal when it is none."""
    if text is None:
        return None
    try:
        if len(text) != 36:
            raise ValueError
        return str(uuid.UUID(text))
    except ValueError:
        raise Refusal(f"{option}: '{text}' is not allowed (allowed: a UUID, for instance from uuidgen)") from None


def check_cluster_options(params: Params) -> tuple[list[str], str | None]:
    """Check the shared options; the declared members and, when it is named, this server's own address."""
    members = check_members(params["members"])
    check_range(params, "peer_connect_timeout", 1, 3600)
    check_range(params, "connect_timeout", 1, 3600)
    check_range(params, "login_port", 1, 65535, "")
    me = check_one(params, "member", members)
    check_pair(params, "peer_user", "peer_password")
    if params.get("client_key") and not params.get("client_cert"):
        raise Refusal("client_cert: must be given together with client_key")
    return members, me


def make_cluster(params: Params, members: list[str], me: str, local: Connection, lock: str) -> Cluster:
    """The Cluster of these options."""
    own = not params.get("peer_user")
    return Cluster(
        members,
        me,
        local,
        (params.get("login_user") or "root") if own else params["peer_user"],
        params.get("login_password") if own else params.get("peer_password"),
        params.get("peer_ca_cert"),
        params.get("peer_connect_timeout") or 3,
        lock=lock,
    )


def open_cluster(
    params: Params, recorder: Recorder | None = None, rehearsing: bool = False
) -> tuple[Cluster, Facts, str | None]:
    """(Cluster, facts of all declared members, wished group name): options checked, everybody asked at the same time."""
    members, me = check_cluster_options(params)
    group_name = check_uuid(params.get("group_name"))
    local = login_connection(params, recorder)
    local.rehearsing = rehearsing
    if me is not None:
        cluster = make_cluster(params, members, me, local, lock_name(group_name) if group_name else "")
        facts = cluster.gather()
        if group_name is None:
            cluster.lock = lock_name(facts[me].group_name)
        return cluster, facts, group_name
    own = gather(local, local.where, own=True)
    me = find_me(members, own)
    cluster = make_cluster(params, members, me, local, lock_name(group_name or own.group_name))
    others = cluster.gather([address for address in members if address != me])
    return cluster, {a: own._replace(address=me) if a == me else others[a] for a in members}, group_name
