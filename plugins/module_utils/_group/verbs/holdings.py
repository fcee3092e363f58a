# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the managed server holds beside its GTID set: looked at once, and marked where its history does not account for it.

Private to this collection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import Data, from_dict, table_problems
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data_rules import UPDATE_EVERYWHERE
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import check_some
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import is_live
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import has_json_aggregates
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

if TYPE_CHECKING:
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.member import Member


def check_data(given: Mapping[str, Any] | None, members: list[str]) -> dict[str, Data] | None:
    """What the task says about the members' data, by normalized address; None where it says nothing."""
    if given is None:
        return None
    found = {}
    for address, data in given.items():
        (normal,) = check_some({"data": [address]}, "data", members) or [address]
        try:
            found[normal] = from_dict(data)
        except (KeyError, TypeError, ValueError) as error:
            raise Refusal(
                f"data: what it says about '{address}' is not allowed (allowed: host.data of group_replication_host_info): {error!r}"
            ) from None
    return found


class Holdings:
    """Of the managed server, for one run."""

    def __init__(self, run: Member) -> None:
        self.run = run
        self.seen = ""  # tables, or history: also what its history accounts for

    def look(self) -> None:
        """Look once, and at a server that is in no group also whether its history accounts for what it holds."""
        run = self.run
        given: dict[str, Data] = run.wish.get("data") or {}
        run.cluster.data = {**given, **run.cluster.data}
        mine = run.mine
        wanted = "tables" if is_live(mine) else "history"
        if run.wish["state"] == "present" and mine.reachable and self.seen not in (wanted, "history"):
            try:
                self._look(wanted, given.get(run.me))
            except ServerError as error:
                # Of a server that goes down meanwhile the next look at its facts tells.
                if not error.lost:
                    raise
        run.facts = run.cluster.with_data(run.facts)

    def _look(self, wanted: str, given: Data | None) -> None:
        run = self.run
        if run.mine.version_error or not has_json_aggregates(run.mine.version):
            return
        run.cluster.look_at_data(wanted == "history")
        found = run.cluster.data.get(run.me)
        if given and found and given.history and not found.history:
            # Seen before the server was restarted with gtid_mode=ON, which hides it.
            run.cluster.data[run.me] = found._replace(history=given.history, proven=given.proven)
        self.seen = wanted

    def forget(self) -> None:
        """Its data is about to be replaced."""
        self.seen = ""
        self.run.cluster.data.pop(self.run.me, None)
        (self.run.wish.get("data") or {}).pop(self.run.me, None)

    def mark(self, decision: Decision) -> None:
        """Put a transaction that no binary log has into this server's history. The server refuses that while a client's transaction is being
        committed, so it takes no writes for that moment."""
        run = self.run
        opened = "" if run.mine.super_read_only else "super_read_only" if run.mine.read_only else "read_only"
        if opened:
            run.run_statement("SET GLOBAL super_read_only = ON")
        try:
            run.execute("add_purged", ("+" + decision.details["mark"],))
        finally:
            if opened:
                # read_only, which super_read_only has switched on, takes that off with it.
                run.run_statement(f"SET GLOBAL {opened} = OFF")

    def warn(self) -> None:
        """Say which tables of the group nobody can write to, made since it was begun."""
        mine = self.run.mine
        found = table_problems(mine.data or Data(), mine.settings.get(UPDATE_EVERYWHERE) == "ON")
        if found:
            self.run.warn(f"the group has tables whose rows nobody can change: {'; '.join(found)}")
