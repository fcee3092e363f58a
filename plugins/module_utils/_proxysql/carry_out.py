# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Do what was planned, all of it or nothing."""

from __future__ import annotations

import time
from typing import NamedTuple, Protocol, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import Admin, AdminError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import Address, ServerKey, show_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.read import number, text
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.rows import Statement, Step

# Seconds that open transactions on the one writer get to end, while statements wait, before another server takes its place.
HAND_OVER = 0.5
# Seconds. Statements wait at the proxy meanwhile, so it is short.
POLL = 0.02


class Progress(NamedTuple):
    """How far a part has come. Set before a statement is sent: one whose answer was lost may have been done."""

    written: bool = False
    loaded: bool = False
    saved: bool = False


class Part(Protocol):
    """One part of the configuration, planned."""

    name: str
    steps: Sequence[Step]
    saves: Sequence[Step]
    waits: Sequence[Step]

    def check_loaded(self, admin: Admin) -> None:
        """After a LOAD: AdminError if ProxySQL did not take it."""

    def check_saved(self, admin: Admin) -> None:
        """After a SAVE, to which ProxySQL answers OK although it could not write: AdminError if disk is not what it is to be."""

    def put_back(self, admin: Admin, progress: Progress) -> None:
        """Every layer as it was before; AdminError if that fails, too."""


def carry_out(admin: Admin, parts: Sequence[Part], drain_timeout: int) -> None:
    """Write and load part after part, then save all of them; on a failure put everything back."""
    progress = {part.name: Progress() for part in parts}
    try:
        for part in parts:
            for step in part.steps:
                _do(admin, part, step, progress, drain_timeout)
            if progress[part.name].loaded:
                part.check_loaded(admin)
        for part in parts:
            for step in part.saves:
                _do(admin, part, step, progress, drain_timeout)
                part.check_saved(admin)
    except AdminError as error:
        begun = [part for part in parts if progress[part.name] != Progress()]
        if not begun:
            raise
        raise AdminError(error.kind, f"{str(error).rstrip('.')}. {_put_back(admin, begun, progress)}") from error
    for part in parts:
        for step in part.waits:  # what was asked for is done and saved, whoever is still connected
            wait_drained(admin, step.servers, drain_timeout)


def _do(admin: Admin, part: Part, step: Step, progress: dict[str, Progress], drain_timeout: int) -> None:
    if step.kind == "drain":
        wait_drained(admin, step.servers, drain_timeout)
    if step.kind == "hand_over":
        wait_unused(admin, step.places, HAND_OVER)
    if step.kind == "let_end":
        wait_unused(admin, step.places, drain_timeout)
    for statement in step.statements:
        before = progress[part.name]
        progress[part.name] = Progress(
            before.written or step.kind == "write",
            before.loaded or step.kind == "load",
            before.saved or step.kind == "save",
        )
        admin.execute(statement)


def _put_back(admin: Admin, begun: Sequence[Part], progress: dict[str, Progress]) -> str:
    """Each part by itself, the last one first: one that cannot be put back keeps no other from it."""
    failed = []
    for part in reversed(begun):
        try:
            admin.revive()
            part.put_back(admin, progress[part.name])
        except AdminError as error:
            failed.append(f"{part.name} ({error})")
    if failed:
        return f"What was written could not be put back: {'; '.join(failed)}. Run the task again."
    layers = ["memory"]
    layers += ["runtime"] if any(done.loaded for done in progress.values()) else []
    layers += ["disk"] if any(done.saved for done in progress.values()) else []
    return f"Put back to what it was: {', '.join(layers)}."


def execute_all(admin: Admin, statements: Sequence[Statement]) -> None:
    for statement in statements:
        admin.execute(statement)


def used_places(admin: Admin) -> dict[ServerKey, int]:
    """Connections in use by hostgroup and server."""
    rows = admin.query("SELECT hostgroup, srv_host, srv_port, ConnUsed FROM stats_mysql_connection_pool")
    places = {
        (number(row["hostgroup"]), text(row["srv_host"]), number(row["srv_port"])): number(row["ConnUsed"])
        for row in rows
    }
    return {place: used for place, used in places.items() if used}


def used_connections(admin: Admin, servers: Sequence[Address]) -> dict[str, int]:
    """Connections in use to these servers, in whatever hostgroup."""
    used: dict[str, int] = {}
    for place, count in used_places(admin).items():
        if place[1:] in servers:
            used[show_address(place[1:])] = used.get(show_address(place[1:]), 0) + count
    return used


def wait_unused(admin: Admin, places: Sequence[ServerKey], timeout: float) -> None:
    """Until no connection there is in use, or for so many seconds."""
    deadline = time.monotonic() + timeout
    while not used_places(admin).keys().isdisjoint(places) and time.monotonic() < deadline:
        time.sleep(POLL)


def wait_drained(admin: Admin, servers: Sequence[Address], timeout: int) -> None:
    deadline = time.monotonic() + timeout
    while True:
        used = used_connections(admin, servers)
        if not used:
            return
        if time.monotonic() >= deadline:
            counts = ", ".join(f"{server} has {count}" for server, count in sorted(used.items()))
            raise AdminError("drain", f"After {timeout} s (drain_timeout) connections are still in use: {counts}.")
        time.sleep(POLL)
