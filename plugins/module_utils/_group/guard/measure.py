# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of the member on this host: `mysql-gr-guard metrics`.

A process of its own, started by a timer, and no part of the guard's loop: the guard looks at its own server once a second and asks others only where
that is not well; a peer that hangs, or a server with many tables, must not make it late. And where the guard does not run, that is a metric, too.

Private to this collection.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import lease
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.certificate import certificate_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import (
    Connection,
    ServerError,
    login_connection,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import look, without_waiting
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.diagnosis import diagnose
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import lock_name
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.host import read, running, write
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.metrics import exposition, member_samples
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import check_cluster_options, make_cluster
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.sites import channel_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

NEEDED = ("members", "member", "group_name")
TABLES = "tables"  # the file with what is known of them
FRESH = 3600.0  # seconds for which that counts: to look is work for a server with many tables
WORK = 300.0  # seconds after the order to stop a server, for which it is out on purpose
TOGETHER = 8.0  # seconds that all members together have: one that is frozen must not let the others' values grow old
ANSWER = 5.0  # seconds that the own server has for a statement
KINDS = ("without_key", "other_engines", "cascading")
_OPEN = """SELECT COALESCE(MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())), 0) AS longest, COALESCE(MAX(trx_rows_modified), 0) AS largest
 FROM information_schema.INNODB_TRX"""


def refused_tables(local: Connection, now: float) -> dict[str, int]:
    """How many tables there are of each kind that a group cannot take."""
    kept = read(lease.KEPT / TABLES)
    if (
        isinstance(kept.get("at"), (int, float))
        and 0 <= now - kept["at"] < FRESH
        and isinstance(kept.get("tables"), dict)
    ):
        return {kind: int(kept["tables"][kind]) for kind in KINDS if kind in kept["tables"]}

    def ask(text: str) -> list[list[Any]]:
        return [list(row.values()) for row in local.query(text)]

    before = without_waiting(ask)
    if before:
        local.query(before)
    data = look(ask, history=False)
    found = {kind: getattr(data, kind).number for kind in KINDS}
    write(lease.KEPT / TABLES, {"at": now, "tables": found})
    return found


def answer(options: dict[str, Any], now: float, path: Path = lease.OPTIONS) -> dict[str, Any]:
    """What group_replication_info says on this host, with what only metrics have. path: where the options are from."""
    missing = [name for name in NEEDED if not options.get(name)]
    if missing:
        raise Refusal(f"{path}: {', '.join(missing)} must be given")
    params = {**options, "connect_timeout": 5, "config_file": ""}
    members, me = check_cluster_options(params)
    group_name = options["group_name"]
    cluster = make_cluster(params, members, str(me), login_connection(params), lock_name(group_name))
    facts = cluster.gather(within=TOGETHER)
    stopped = lease.marked_at(lease.LEAVING)
    found: dict[str, Any] = {
        "address": cluster.me,
        "cluster": diagnose(cluster.members, facts, group_name),
        "member": facts[cluster.me].as_dict(),
        "guard": running(),
        "site_channel": channel_of(facts[cluster.me]),
        "planned": stopped is not None and 0 <= now - stopped < WORK,
    }
    # The options say it, also where no server does.
    found["cluster"]["group_name"] = group_name
    try:
        if facts[cluster.me].reachable and not facts[cluster.me].version_error:
            cluster.local.timeout(ANSWER)
            found["certificate"] = certificate_of(cluster.local, now)
            found["transactions"] = cluster.local.query(_OPEN)[0]
            found["refused_tables"] = refused_tables(cluster.local, now)
    except ServerError:
        # It has ended meanwhile, or hangs: what it did not say is not known. Connections end with the process; a frozen server's could not be closed.
        pass
    return found


def metrics(options: Path | None = None) -> str:
    """The text for node_exporter's textfile collector. options: a file other than the guard's, on a host without one."""
    now = time.time()
    path = options or lease.OPTIONS
    return exposition(member_samples(answer(read(path), now, path), now))


def put(path: Path, text: str) -> None:
    """Replace the file in one step; whoever may read the directory may read it, as it holds no secret. Its name does not end with .prom before it is whole."""
    made = path.with_name(f".{path.name}.new")
    with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "w", encoding="utf-8") as target:
        os.fchmod(target.fileno(), 0o644)
        target.write(text)
    os.replace(made, path)
