# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stream: binary logs of a member into the place as they are written; from another member when that one is gone.

What is in the place is all that it remembers: killed at any moment, it begins where that ends.

Private to this collection.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Callable

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import hosts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.catalog import Catalog, known_place
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.depot import NOTHING, Depot, Stock
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.members import Files, Members
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import PlaceError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import Settings
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.sources import (
    AVOIDED,
    Seen,
    Start,
    View,
    fresh,
    ranked,
    start_of,
    trouble,
)  # fmt: skip
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.spool import Dump, Source
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.status import (
    DOWN,
    GAP,
    STANDBY,
    STREAMING,
    WAITING,
    stream_file,
)  # fmt: skip
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.store import Worker
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

TURN = 0.4  # seconds between two looks
PART_EACH = 1.5  # seconds between two parts of a file
AGAIN = 1.0  # seconds between two attempts to begin
VERIFY = 300.0  # seconds between two looks at what is in the place
MEND = 30.0  # seconds between two attempts to find what is missing
REPORT = 1.0
LAST = 4.0  # seconds for what came last, when it is to end

OTHER = "other_history"
NOT_HELD = "the cluster does not hold what the newest full backup holds: restore it, or begin a new timeline (mysql-gr-backup timeline new)"


class Trouble(Refusal):
    """Nothing can be stored now. kind: what `status` calls it; state: WAITING where it ends by itself."""

    def __init__(self, kind: str, text: str, state: str = DOWN) -> None:
        super().__init__(text)
        self.kind, self.state = kind, state


class Stream:
    """One host's stream."""

    def __init__(self, settings: Settings, say: Callable[[str], None], alone: bool = False) -> None:
        """alone: whichever other host is at work; two at once do no harm."""
        self.settings, self._say = settings, say
        self.members = Members(settings)
        self.stock = Stock()
        self.depot = Depot(settings, self.stock, say)
        self.looker = Worker()
        self.others = hosts.Others([] if alone else settings.hosts[: settings.hosts.index(settings.host)])
        self.counters: dict[str, int | None] = {}
        self.seen = Seen()
        self.source: View | None = None  # the member whose logs come
        self.dump: Dump | None = None  # by this process
        self.received = NOTHING
        self.avoided: dict[str, float] = {}
        self.state, self.kind, self.error, self.since = DOWN, "", "", time.time()
        self.leader: str | None = None
        self.counter = int(time.time())
        self._due: dict[str, float] = {}
        self._grew = (0, 0.0)
        self._doubted = False

    # -- what is said ------------------------------------------------------------------------------------------------
    def tell(self, state: str, kind: str = "", error: str = "") -> None:
        """The state, from now on; a line where it is another one."""
        if (state, kind) != (self.state, self.kind) or (kind and error != self.error):
            self._say(f"{state}{f': {error}' if error else ''}")
        if state != self.state:
            self.since = time.time()
        self.state, self.kind, self.error = state, kind, error

    def behind(self, now: float) -> float:
        """For how many seconds something is on the members that is not stored."""
        return self.seen.without(now, self.stock.stored) if self.stock.have is not None else 0.0

    def report(self, now: float) -> None:
        """What `status` reads."""
        kind, error = self.kind, self.error
        worse = self.depot.sender.error or self.depot.background.error
        if worse is not None:
            kind, error = (f"place_{worse.kind}" if isinstance(worse, PlaceError) else "spool_full"), str(worse)
        found = {
            "state": self.state, "kind": kind, "error": error, "since": self.since, "beat": now, "leader": self.leader,
            "source": self.source.member if self.source else None,
            "file": self.dump.files[-1].file if self.dump and self.dump.files else None, "behind": round(self.behind(now), 1),
            "stored_until": str(self.stock.stored), "spool": self.depot.size(), "gap": str(self.stock.gap),
        }  # fmt: skip
        made = stream_file(self.settings).with_suffix(".new")
        made.write_text(json.dumps(found), encoding="utf-8")
        os.replace(made, stream_file(self.settings))

    def due(self, what: str, now: float, each: float) -> bool:
        """Whether it is time for something that is done from time to time; then it is not for a while."""
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + each
        return True

    # -- who is at work ----------------------------------------------------------------------------------------------
    def leads(self, now: float) -> bool:
        """Whether no host before this one is at work."""
        if not self.others.earlier:
            return True
        if self.looker.idle and self.due("look", now, hosts.BEAT):
            self.looker.submit(self._look_at_others)
        self.leader = self.others.look(self.counters, now)
        return self.leader is None

    def _look_at_others(self) -> None:
        for host in self.others.earlier:
            self.counters[host] = hosts.read_host(self.depot.store.place, self.settings.cluster, host).get("counter")

    # -- where from --------------------------------------------------------------------------------------------------
    def views(self, now: float) -> dict[str, View]:
        """Members that answer, and are of this group."""
        found = fresh(self.members.views(), now)
        return {name: view for name, view in found.items() if view.group_name == self.settings.group_name.lower()}

    def begin(self, now: float) -> None:
        """Choose a member and a file, and let it come. A Trouble, or a failure of the place, where that cannot be."""
        if self.stock.number == 0:
            self.stock.learn(known_place(self.depot.store.place, self.settings, self.depot.store.catalog))
        views = self.views(now)
        if not views:
            others = sorted(fresh(self.members.views(), now).values())
            if others:
                raise Trouble(
                    OTHER,
                    f"{others[0].member} is of group '{others[0].group_name}', and not of {self.settings.group_name}",
                )
            raise Trouble("no_source", f"no member answers: {self.members.error()}")
        avoided = [name for name, until in self.avoided.items() if until > now]
        order = [
            name
            for name in ranked(views, list(self.settings.members), None, avoided)
            if views[name].executed.contains(self.stock.point)
        ]
        if not order:
            raise Trouble(OTHER, NOT_HELD)
        chosen = self.choose(order)
        if chosen is None:
            raise Trouble("no_source", f"no member has binary logs: {self.members.error()}")
        self.take(views[chosen[0]], chosen[1], now)

    def choose(self, members: list[str], mend: bool = False) -> tuple[str, Start] | None:
        """The first of these members that has a file which goes on where the stored ones end; else the one that lacks least.

        With a gap, which only a member that has it can mend, the stored ones end after it.
        """
        best: tuple[str, Start] | None = None
        stock = self.stock
        have = stock.have if mend or not stock.gap else stock.stored.union(stock.gap)
        for member in members:
            try:
                with Files(self.settings, member) as files:
                    names = files.names()
                    if have is None and names:
                        # Nothing is in the place: the file that is written now is the first one.
                        stock.have = files.previous(names[-1])
                        return member, Start(names[-1], NOTHING, files.purged)
                    start = start_of(names, files.previous, have or NOTHING)
                    start = start and start._replace(purged=files.purged)
            except ServerError:
                continue
            if start and not start.missing:
                return member, start
            if start and (best is None or start.missing.count() < best[1].missing.count()):
                best = (member, start)
        return best

    def take(self, view: View, start: Start, now: float) -> None:
        """Let the logs of a member come, from this file on."""
        least = 2 * view.largest
        if least > self.settings.spool_limit:
            raise Trouble(
                "spool_full", f"spool_limit: {self.settings.spool_limit} is not allowed (allowed: twice max_binlog_size of {view.member}, {least}, or more)"
            )  # fmt: skip
        self.stock.gap = self.stock.gap.union(start.missing)
        self.dump = Dump(
            self.settings,
            Source(view.member, view.uuid, view.version, start.purged),
            start.file,
            self.depot.next_folder(),
        )
        self.depot.dumps.append(self.dump)
        self.source, self.received, self._grew = view, self.stock.stored, (0, now)
        self._say(f"{view.member}: from {start.file} on")
        self._due["mend"] = now + MEND

    def leave(self, why: str, now: float, avoid: bool = True) -> None:
        """No more from this source; what came is stored."""
        if self.source and self.dump:
            self._say(f"{self.source.member} {why}")
            if avoid:
                self.avoided[self.source.member] = now + AVOIDED
            self.dump.stop()
            self.source, self.dump = None, None
            self._due["begin"] = now

    def watch(self, now: float) -> None:
        """Whether the source still does what it should."""
        assert self.source and self.dump
        views = self.views(now)
        online = any(view.state == "ONLINE" for view in views.values())
        why = self.dump.ended() or trouble(
            views.get(self.source.member),
            self.seen,
            self.received,
            self._grew[0],
            now - self._grew[1],
            now,
            online,
            len(views) > 1,
        )
        full = self.depot.full()
        if why:
            self.leave(why, now)
        elif full:
            self.leave("has to wait", now, avoid=False)
            self.tell(WAITING, "spool_full", full)
        elif self.stock.gap:
            gap = self.stock.gap
            self.tell(
                GAP, "gap", f"{gap.count()} transactions are on no member that answers, {gap}; a full backup is due"
            )
            found = (
                self.choose([name for name in self.settings.members if name in views], mend=True)
                if self.due("mend", now, MEND)
                else None
            )
            if found and not found[1].missing:
                self.leave(f"is left, {found[0]} has what is missing", now, avoid=False)
                self.stock.gap = self.stock.beyond = NOTHING
                self.take(views[found[0]], found[1], now)
        else:
            self.tell(STREAMING)

    # -- one look ----------------------------------------------------------------------------------------------------
    def turn(self, now: float) -> None:
        """Everything that is to be done now."""
        self.depot.hear()
        views = list(self.views(now).values())
        if views and self.stock.have is not None:
            online = [view for view in views if view.state == "ONLINE"]
            self.seen.note(now, NOTHING.union(*(view.executed for view in online or views)))
            self.seen.forget(self.stock.stored)
        if not self.leads(now):
            self.leave(f"is left to {self.leader}", now, avoid=False)
            self.tell(STANDBY)
        elif self.source is not None:
            self.watch(now)
        elif self.due("begin", now, AGAIN):
            full = self.depot.full()
            try:
                if full:
                    raise Trouble("spool_full", full, WAITING)
                self.begin(now)
            except PlaceError as error:
                self.tell(DOWN, f"place_{error.kind}", str(error))
            except Trouble as error:
                self.tell(error.state, error.kind, str(error))
            except Refusal as error:
                self.tell(DOWN, OTHER, str(error))
        self.move(now)
        if self.stock.number and self.depot.background.idle and self.due("verify", now, VERIFY):
            self._verify()
        if self.due("report", now, REPORT):
            self.report(now)

    def move(self, now: float) -> None:
        """Look at what came, and store what is whole; tell the other hosts that this one is at work."""
        depot = self.depot
        self.received = self.received.union(depot.scan())
        came = self.dump.came() if self.dump else 0
        if came != self._grew[0]:
            self._grew = (came, now)
        if depot.sender.idle and self.stock.number:
            batch = depot.at / "batch"
            shutil.rmtree(batch, ignore_errors=True)
            parts, replaced = depot.parts(batch) if self.due("part", now, PART_EACH) else ([], [])
            if self.source and (parts or now >= self._due.get("beat", 0.0)):
                self._due["beat"] = now + hosts.BEAT
                self._beat(batch / "hosts", now)
            if batch.exists():
                depot.send(batch, parts, replaced)
        depot.unite(self.dump)

    def _beat(self, at: Path, now: float) -> None:
        """This host's counter."""
        self.counter += 1
        at.mkdir(parents=True, exist_ok=True)
        files = [list(one.key) for dump in self.depot.dumps for one in dump.files if one.headed and not one.dropped]
        behind = self.behind(now)
        seen = 0.0 if behind or self.stock.gap else time.time()
        text = hosts.text_of(
            self.settings.host, self.counter, files=files, behind=behind, seen=seen, stored_until=str(self.stock.stored)
        )
        (at / f"{self.settings.host}.json").write_bytes(text)

    def _verify(self) -> None:
        """From time to time, look at what is in the place: another timeline, a full, or something that is gone."""
        had = self.stock.have or NOTHING

        def verified(catalog: Catalog) -> None:
            why = self.stock.verified(catalog, had)
            doubted, self._doubted = self._doubted, bool(why)
            if why and not doubted:
                self._due["verify"] = 0.0  # parts may just have been replaced while it was read
            elif why:
                self.leave(f"is left: {why}", time.monotonic(), avoid=False)
                self.stock.forget()

        def job() -> None:
            catalog = self.depot.store.catalog()
            self.depot.news.put(lambda: verified(catalog))

        self.depot.background.submit(job)

    def close(self) -> None:
        """Store what came last, and end."""
        end = time.monotonic() + LAST
        self.leave("is left", time.monotonic())
        while time.monotonic() < end and self.stock.number:
            self.depot.hear()
            self._due["part"] = 0.0
            self.move(time.monotonic())
            if self.depot.sender.idle and not self.depot.pending:
                break
            time.sleep(0.05)
        self.depot.hear()
        self.depot.stop()
        self.looker.stop()
        self.members.stop()
        self.tell(DOWN)
        self.report(time.monotonic())
