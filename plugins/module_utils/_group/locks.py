# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock that controllers hold on declared members while they decide and act.

GET_LOCK needs no privilege, so that any account can hold it: one that is no controller's is named, and not waited for.

Private to this collection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Iterable, NamedTuple, TypeVar

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection, ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

if TYPE_CHECKING:
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.member import Member

Done = TypeVar("Done")
_HOLDER = (
    "SELECT PROCESSLIST_ID AS id, PROCESSLIST_USER AS user, PROCESSLIST_HOST AS host FROM performance_schema.threads "
    "WHERE PROCESSLIST_ID = IS_USED_LOCK(%s)"
)


class Holder(NamedTuple):
    """Who holds a lock."""

    user: str
    host: str
    id: int

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (connection {self.id})"


def holder(connection: Connection, name: str) -> Holder | None:
    """Who holds that lock there; None when nobody does any more."""
    rows = connection.query(_HOLDER, (name,))
    return Holder(**rows[0]) if rows else None


def locked(run: Member, action: Callable[[], Done], where: Iterable[str], name: str) -> Done:
    """Run action() while holding the lock on these members, as far as they can be asked. In check mode nobody is kept out."""
    held: list[Connection] = []
    try:
        # The same order everywhere: two controllers cannot wait for each other.
        for address in sorted(where):
            if run.facts[address].reachable and not run.check_mode:
                connection = run.cluster.connection(address)
                while connection.query("SELECT GET_LOCK(%s, 2) AS got", (name,))[0]["got"] != 1:
                    _wait_for(run, connection, address, name)
                held.append(connection)
        return action()
    finally:
        for connection in reversed(held):
            try:
                connection.query("SELECT RELEASE_LOCK(%s) AS released", (name,))
            except ServerError:
                connection.close()  # the lock ends with its connection


def _wait_for(run: Member, connection: Connection, address: str, name: str) -> None:
    """Return where waiting may help; a Refusal or the end of the turn where not."""
    by = holder(connection, name)
    if by and by.user not in (run.params.get("peer_user"), connection.user, run.local.user):
        raise Refusal(
            f"the lock '{name}' on {address} is held by {by}, which is no account of a controller (peer_user, login_user): end that session "
            "and run again"
        )
    shown = f", by {by}" if by else ""
    if run.left() <= 0:
        raise Refusal(f"timeout: another controller holds the lock '{name}' on {address}{shown}")
    run.turn.pause(f"another run holds the lock '{name}' on {address}{shown}")
