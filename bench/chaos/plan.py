# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which faults a chaos run has, from its seed; what members' own words say about groups; and what outages were like. Pure functions."""

from __future__ import annotations

import random
import re
import statistics
from typing import Iterable, Iterator, NamedTuple


class Kind(NamedTuple):
    """A kind of fault. fault: its commands in bench/failover/faults.yml; members: how many it hits, at least and at most; lasts: seconds until it is undone, at
    least and at most; weight: how often it is chosen."""

    fault: str
    members: tuple[int, int]
    lasts: tuple[int, int]
    weight: int


# Of three members. What is killed, systemd starts again at once.
KINDS = {
    "kill one": Kind("kill", (1, 1), (0, 0), 3),
    "kill two": Kind("kill", (2, 2), (0, 0), 2),
    "kill all": Kind("kill", (3, 3), (0, 0), 2),
    "stop one": Kind("stop", (1, 1), (5, 40), 1),
    "freeze": Kind("freeze", (1, 1), (3, 20), 2),
    "cut one off": Kind("network", (1, 1), (5, 45), 2),
    "cut all off": Kind("network_all", (3, 3), (5, 45), 2),
    "hosts off": Kind("reboot", (1, 3), (5, 30), 3),
    "disk full": Kind("disk_full", (1, 1), (10, 30), 1),
}
# Seconds without a fault before each one.
CALM = (8, 25)


class Fault(NamedTuple):
    """kind: a name of KINDS. members: in the order in which they are hit; undone: in the order in which it ends for them, each with the seconds after the
    first one. calm: seconds before it, in which nothing happens."""

    kind: str
    members: tuple[str, ...]
    lasts: float
    undone: tuple[tuple[str, float], ...]
    calm: float


def faults(seed: int, members: list[str]) -> Iterator[Fault]:
    """Without end; the same for the same seed."""
    chance = random.Random(seed)
    names = sorted(KINDS)
    while True:
        name = chance.choices(names, [KINDS[one].weight for one in names])[0]
        kind = KINDS[name]
        hit = chance.sample(members, chance.randint(*kind.members))
        back = chance.sample(hit, len(hit))
        # Hosts boot when they do; everything else ends at once.
        late = [0.0, *sorted(chance.uniform(0, 20) for _member in back[1:])]
        if kind.fault != "reboot":
            late = [0.0] * len(back)
        yield Fault(
            name, tuple(hit), chance.uniform(*kind.lasts), tuple(zip(back, late, strict=True)), chance.uniform(*CALM)
        )


def group_of(look: dict) -> str | None:
    """The group that a member would write in, by its own words, or None: it is in none, or sees no majority of it.

    look: view (first part of the view's identifier, which is that of the bootstrap), state, sees ({address: state}).
    """
    there = sum(state in ("ONLINE", "RECOVERING") for state in look["sees"].values())
    if look["state"] not in ("ONLINE", "RECOVERING") or 2 * there <= len(look["sees"]):
        return None
    return look["view"] or None


def several_groups(looks: list[dict]) -> list[float]:
    """When more than one group was alive. A group that ends while the members are asked one after the other looks like two at one look; so it must be the
    same two at two looks in a row. looks: one after the other, each {"at": s, "members": {name: look or None}}."""
    found, before = [], set()
    for look in looks:
        alive = {group for one in look["members"].values() if one and (group := group_of(one))}
        if len(alive & before) > 1:
            found.append(look["at"])
        before = alive
    return found


def back_after(successes: list[float], moment: float) -> float | None:
    """Seconds from a moment to the end of the first success that ended after it; None if none did."""
    later = [one for one in successes if one > moment]
    return round(min(later) - moment, 2) if later else None


def whole_from(looks: Iterable[tuple[float, bool]], since: float, steady: float) -> float | None:
    """The moment after `since` from which on the cluster was whole in each look, for `steady` seconds at least; None where there is none."""
    begin = None
    for at, whole in looks:
        if at <= since:
            continue
        begin = (begin or at) if whole else None
        if begin is not None and at - begin >= steady:
            return begin
    return None


def gap_in(successes: list[float], begin: float, end: float) -> float:
    """The longest time without a success between two moments, in seconds."""
    inside = [begin, *sorted(one for one in successes if begin < one < end), end]
    return round(max(later - earlier for earlier, later in zip(inside, inside[1:])), 2)


def throughput_back(
    successes: list[float], began: float, over: float, share: float = 0.9, width: float = 3.0
) -> float | None:
    """Seconds from the end of a fault until the rate of the successes, over a few seconds, is a share of what it was before the fault; None if it never is."""
    before = sum(began - 2 * width <= one < began for one in successes) / (2 * width)
    moment = over
    while successes and moment + width <= successes[-1]:
        if sum(moment <= one < moment + width for one in successes) >= share * before * width:
            return round(moment - over, 1)
        moment += 0.25
    return None


def worst(of: list[dict], key: str) -> str:
    values = [one[key] for one in of if one[key] is not None]
    return f"{max(values):.1f} s" if values else "–"


def bad(run: dict) -> bool:
    """Whether something was that must not be."""
    return bool(
        run["lost"]
        or run["several_groups"]
        or run["person"]
        or run.get("early")
        or not run["same"]
        or not run.get("named", True)
    )


def middle_and_worst(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} s, {max(values):.1f} s" if values else "–"


BEGIN, END = "<!-- begin runs -->", "<!-- end runs -->"


def slowest(output: str, count: int = 5) -> dict[str, float]:
    """The tasks of a run that took longest with their seconds, from the profile at the end of its output."""
    _before, _mark, after = output.rpartition("TASKS RECAP")
    found = re.findall(r"^(.+?) -+ ([0-9.]+)s$", after, re.MULTILINE)
    return {task.replace("distdb.mysql_ha.", ""): float(seconds) for task, seconds in found[:count]}


def renewed(page: str, made: str) -> str:
    """A page with this between its two marks."""
    before, begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def table(runs: list[dict]) -> str:
    """For people."""
    heads = (
        "outage", "runs", "service after all servers answer, median and worst", "longest gap, median and worst",
        "throughput above 90 % after its end, median and worst", "whole after its end, worst", "rows lost", "runs with two groups",
        "a person was needed", "load of the machine",
    )  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for name in dict.fromkeys(one["outage"] for one in runs):
        of = [one for one in runs if one["outage"] == name]
        after = [one["service_after_servers"] for one in of if one["service_after_servers"] is not None]
        gaps, loads = [one["gap"] for one in of], [value for one in of for value in one["load"]]
        back = [one["throughput_back"] for one in of if one["throughput_back"] is not None]
        lines.append(
            f"| {name} | {len(of)} | {middle_and_worst(after)} | {middle_and_worst(gaps)} | {middle_and_worst(back)} | {worst(of, 'whole_after')}"
            f" | {sum(one['lost'] for one in of)} of {sum(one['acknowledged'] for one in of)} | {sum(one['several_groups'] > 0 for one in of)}"
            f" | {sum(one['person'] for one in of)} | {min(loads):.0f} to {max(loads):.0f} |"
        )
    return "\n".join(lines)
