# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the records of growth.py say: tables for docs/measurements/growth.md, and the plot docs/images/growth.svg. Pure functions."""

from __future__ import annotations

import math
import statistics
import time
from typing import Any, Callable, Iterable, NamedTuple, Sequence
from xml.sax.saxutils import escape

Record = dict[str, Any]
NONE = "–"
MISSING = "Not measured yet."
# What the project has set itself: the time of status for twenty clusters beside that for one, and rounds to each host of a site that is converged.
STATUS_TIMES, ROUNDS = 2.0, 12
MANY = 20


# -- which records count -----------------------------------------------------------------------------------------------
def key_of(record: Record) -> tuple[Any, ...]:
    """What was measured; records of the same key are the same thing measured again."""
    return (record["step"], record.get("size"), record.get("clusters"), record.get("real"), record.get("rows"))


def newest(records: Iterable[Record], step: str) -> list[Record]:
    """The newest record of each thing of this step, by size."""
    found = {key_of(one): one for one in records if one["step"] == step}
    return sorted(found.values(), key=lambda one: [value or 0 for value in key_of(one)[1:]])


def measured(records: Iterable[Record], run: str, **wanted: Any) -> bool:
    """Whether this run has it already."""
    return any(one["run"] == run and all(one.get(name) == value for name, value in wanted.items()) for one in records)


# -- rounds ------------------------------------------------------------------------------------------------------------
def rounds(lines: Iterable[str]) -> Record:
    """From the lines of the callback and of the counting podman: rounds by host and by task, and what the tasks' parts took on each host."""
    by_host: dict[str, int] = {}
    by_task: dict[str, dict[str, int]] = {}
    seconds: dict[str, dict[str, float]] = {}
    task = ""
    for line in lines:
        word, _space, rest = line.strip().partition(" ")
        if word == "task":
            task = rest
        elif word == "round":
            host = rest.split()[0]
            by_host[host] = by_host.get(host, 0) + 1
            there = by_task.setdefault(task, {})
            there[host] = there.get(host, 0) + 1
        elif word == "ended":
            host, took = rest.split()
            there_too = seconds.setdefault(task, {})
            there_too[host] = round(there_too.get(host, 0.0) + float(took), 3)
    return {"by_host": by_host, "by_task": by_task, "seconds": seconds}


# -- tables ------------------------------------------------------------------------------------------------------------
def number(value: Any, unit: str = "", digits: int = 1) -> str:
    """A value or the median of several; a dash where there is none."""
    if isinstance(value, (list, tuple)):
        value = statistics.median(value) if value else None
    return NONE if value is None else f"{value:.{digits}f}{unit}"


def table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    made = [f"| {' | '.join(line)} |" for line in lines]
    if not made:
        return MISSING
    return "\n".join([f"| {' | '.join(heads)} |", f"| {' | '.join('---' for _head in heads)} |", *made])


def load_of(record: Record) -> str:
    return f"{min(record['load']):.1f} to {max(record['load']):.1f}"


def day(record: Record) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(record["at"]))


def conditions(records: Sequence[Record]) -> str:
    """One sentence above a table."""
    if not records:
        return ""
    versions = sorted({one["versions"] for one in records if one.get("versions")})
    days = sorted({day(one) for one in records})
    return f"{'; '.join([*versions, ' and '.join(days)])}.\n\n"


def members_table(records: list[Record]) -> str:
    found = newest(records, "members")
    heads = (
        "members", "site, blank hosts", "site again", "changed", "status", "`group_replication_info`, one host alone", "the same, slowest of all at once",
        "ONLINE after `START`", "then in its hostgroup after", "guard, processor time per second", "`mysql-gr-guard status`",
        "`mysql-gr-guard metrics`", "load",
    )  # fmt: skip
    lines = []
    for one in found:
        proxy, guard, info = one.get("proxy") or {}, one.get("guard") or {}, one.get("info") or {}
        lines.append((
            str(one["size"]), number(one["site"], " s"), number(one["again"], " s"), str(one["changed"]), number(one["status"], " s"),
            number(info.get("alone"), " s", 2), number(info.get("slowest"), " s", 2), number(proxy.get("online"), " s", 2),
            number(proxy.get("placed"), " s", 2), number(guard.get("cpu"), " ms"), number(guard.get("status"), " s", 2),
            number(guard.get("metrics"), " s", 2), load_of(one),
        ))  # fmt: skip
    return conditions(found) + table(heads, lines)


def per_host(found: dict[str, int], members: bool) -> list[int]:
    return [count for host, count in found.items() if host.startswith("db") == members]


def rounds_table(records: list[Record]) -> str:
    found = [one for one in newest(records, "members") if one.get("rounds")]
    lines = []
    for one in found:
        counted = one["rounds"]["by_host"]
        members, proxies = per_host(counted, True), per_host(counted, False)
        most = max(counted.values(), default=0)
        lines.append((
            str(one["size"]), f"{min(members, default=0)} to {max(members, default=0)}", str(max(proxies, default=0)),
            f"{ROUNDS}: {'met' if most <= ROUNDS else 'missed'}",
        ))  # fmt: skip
    text = table(("members", "rounds to each member", "rounds to the proxy", "target per host"), lines)
    if not found:
        return text
    last = found[0]["rounds"]["by_task"]
    most_of = {task: max(hosts.values()) for task, hosts in last.items()}
    tasks = sorted(most_of, key=lambda task: (-most_of[task], task))
    more = [
        (task, str(max(per_host(last[task], True), default=0) or NONE), str(max(per_host(last[task], False), default=0) or NONE))
        for task in tasks
    ]  # fmt: skip
    return text + "\n\n" + table(("task that reaches hosts", "rounds per member", "rounds to the proxy"), more)


def status_line(one: Record, base: Record | None) -> tuple[str, ...]:
    took = statistics.median(one["seconds"])
    times = f"{took / statistics.median(base['seconds']):.1f}" if base else NONE
    return (
        str(one["clusters"]), str(one["real"]), str(one["clusters"] - one["real"]), str(one["hosts"]), f"{took:.1f} s", times,
        number(one["cpu"], " s"), f"{1000 * statistics.median(one['cpu']) / one['hosts']:.0f} ms", f"{one['memory']:.0f} MB", load_of(one),
    )  # fmt: skip


def base_of(found: Sequence[Record], one: Record) -> Record | None:
    """The record of one cluster that it is compared with: a real one with a real one."""
    return next((other for other in found if other["clusters"] == 1 and other["real"] == min(one["real"], 1)), None)


def status_table(records: list[Record]) -> str:
    found = newest(records, "status")
    heads = (
        "clusters", "real", "recorded", "hosts", "status", "times that of one", "processor time of the control node", "the same per host",
        "largest process", "load",
    )  # fmt: skip
    text = conditions(found) + table(heads, [status_line(one, base_of(found, one)) for one in found])
    for one in found:
        base = base_of(found, one)
        if one["clusters"] == MANY and base:
            times = statistics.median(one["seconds"]) / statistics.median(base["seconds"])
            word = "met" if times <= STATUS_TIMES else "missed"
            kinds = f"{one['real']} real, {MANY - one['real']} recorded"
            if one.get("slowest"):
                shown = ", ".join(f"{task} {seconds:.1f} s" for task, seconds in one["slowest"].items())
                text += f"\n\nOf {MANY} clusters, {kinds}, these tasks take longest: {shown}."
            text += f"\n\nTarget, {kinds}: {MANY} clusters take at most {STATUS_TIMES:.0f} times as long as one. They take {times:.1f} times as long: {word}."
    return text


def sites_table(records: list[Record]) -> str:
    found = newest(records, "sites")
    heads = ("clusters, all real", "hosts", "site, blank hosts", "site again", "changed", "load")
    lines = [
        (str(one["real"]), str(one["hosts"]), number(one["site"], " s"), number(one["again"], " s"), str(one["changed"]), load_of(one))
        for one in found
    ]  # fmt: skip
    return conditions(found) + table(heads, lines)


def compute_table(records: list[Record]) -> str:
    found = newest(records, "compute")
    names = list(dict.fromkeys(name for one in found for name in one["milliseconds"]))
    lines = []
    for one in found:
        took = one["milliseconds"]
        whole = sum(took.values())
        lines.append((
            str(one["clusters"]), *(number(took.get(name), " ms", 2) for name in names), f"{whole:.1f} ms", f"{whole / one['clusters']:.1f} ms",
            f"{one['memory']:.0f} MB", load_of(one),
        ))  # fmt: skip
    return conditions(found) + table(("clusters", *names, "all", "per cluster", "process", "load"), lines)


def rows_table(records: list[Record]) -> str:
    found, site = newest(records, "rows"), {one["rows"]: one for one in newest(records, "proxysql")}
    heads = (
        "users, and as many rules", "preflight", "configuration", "plan of the first run", "plan of the second", "process", "on the lab: first run",
        "second run", "changed", "load",
    )  # fmt: skip
    lines = []
    for count in sorted({*(one["rows"] for one in found), *site}):
        pure = next((one for one in found if one["rows"] == count), None)
        lab = site.get(count) or {}
        took = pure["milliseconds"] if pure else {}
        lines.append((
            str(count), *(number(took.get(name), " ms") for name in ("preflight", "configuration", "first", "again")),
            f"{pure['memory']:.0f} MB" if pure else NONE, number(lab.get("first"), " s"), number(lab.get("again"), " s"), str(lab.get("changed", NONE)),
            ", ".join(load_of(one) for one in (pure, lab) if one),
        ))  # fmt: skip
    return conditions([*found, *site.values()]) + table(heads, lines)


def page(records: list[Record]) -> str:
    parts: tuple[tuple[str, Callable[[list[Record]], str]], ...] = (
        ("Members of one cluster", members_table),
        ("Rounds to hosts of a converged site", rounds_table),
        ("Status of many clusters", status_table),
        ("Site of several clusters", sites_table),
        ("What the control node computes", compute_table),
        ("Users and query rules of a proxy", rows_table),
    )
    return "\n\n".join(f"## {title}\n\n{made(records)}" for title, made in parts)


# -- plot --------------------------------------------------------------------------------------------------------------
class Line(NamedTuple):
    name: str
    points: list[tuple[float, float]]


class Panel(NamedTuple):
    title: str
    across: str
    lines: list[Line]
    logarithmic: bool = False


# Of docs/images/status.svg: a background of its own, so that it reads the same on a light and on a dark page.
GROUND, INK, FAINT, GRID = "#0d1117", "#c9d1d9", "#8b949e", "#30363d"
COLOURS = ("#3fb950", "#58a6ff", "#d29922", "#f85149")
WIDTH, HEIGHT, COLUMNS = 430, 290, 2
LEFT, RIGHT, TOP, BOTTOM = 58, 16, 62, 44


def nice(value: float) -> float:
    """The next number that a scale ends with: 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999999)


def scale(places: Sequence[float], logarithmic: bool) -> Callable[[float], float]:
    """From a place on the horizontal axis to 0 … 1."""
    if not logarithmic:
        last = max(places)
        return lambda value: value / last
    low, high = math.log10(min(places)), math.log10(max(places))
    return lambda value: (math.log10(value) - low) / ((high - low) or 1)


def drawn(panel: Panel, left: float, top: float) -> list[str]:
    """The elements of one panel whose corner is there."""
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    made = [f'<text x="{left + 14:.0f}" y="{top + 24:.0f}" font-size="14" fill="{INK}">{escape(panel.title)}</text>']
    points = [point for line in panel.lines for point in line.points]
    if not points:
        return [*made, f'<text x="{left + LEFT:.0f}" y="{top + TOP + high / 2:.0f}" fill="{FAINT}">{MISSING}</text>']
    places = sorted({x for x, _y in points})
    end = nice(max(y for _x, y in points))
    xs = scale(places, panel.logarithmic)

    def at(x: float, y: float) -> tuple[float, float]:
        return left + LEFT + wide * xs(x), top + TOP + high * (1 - y / end)

    for part in range(5):
        value = end * part / 4
        _x, y = at(places[0], value)
        made.append(f'<line x1="{left + LEFT}" y1="{y:.1f}" x2="{left + LEFT + wide}" y2="{y:.1f}" stroke="{GRID}"/>')
        made.append(f'<text x="{left + LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="{FAINT}">{value:g}</text>')
    for place in places:
        x, y = at(place, 0)
        made.append(f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle" fill="{FAINT}">{place:g}</text>')
    made.append(
        f'<text x="{left + LEFT + wide / 2:.0f}" y="{top + HEIGHT - 8}" text-anchor="middle" fill="{FAINT}">{escape(panel.across)}</text>'
    )
    beside = left + 14.0
    for line, colour in zip(panel.lines, COLOURS):
        if not line.points:
            continue
        spots = [at(*point) for point in sorted(line.points)]
        made.append(
            f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in spots)}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        made += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in spots]
        made.append(f'<rect x="{beside:.0f}" y="{top + 35:.0f}" width="10" height="10" fill="{colour}"/>')
        made.append(f'<text x="{beside + 14:.0f}" y="{top + 44:.0f}" fill="{INK}">{escape(line.name)}</text>')
        beside += 28 + 7 * len(line.name)
    return made


def points(found: Iterable[Record], across: str, value: Callable[[Record], Any]) -> list[tuple[float, float]]:
    """What there is of a value."""
    made = []
    for one in found:
        what = value(one)
        if isinstance(what, list):
            what = statistics.median(what) if what else None
        if what is not None:
            made.append((float(one[across]), float(what)))
    return made


def panels(records: list[Record]) -> list[Panel]:
    members = newest(records, "members")
    recorded = [one for one in newest(records, "status") if not one["real"]]
    with_real = [one for one in newest(records, "status") if one["real"]]
    rows = newest(records, "rows")
    return [
        Panel("Members of one cluster: seconds", "members", [
            Line("site, blank hosts", points(members, "size", lambda one: one["site"])),
            Line("site again", points(members, "size", lambda one: one["again"])),
            Line("status", points(members, "size", lambda one: one["status"])),
        ]),
        Panel("Status of many clusters: seconds", "clusters of three with a proxy each", [
            Line("recorded", points(recorded, "clusters", lambda one: one["seconds"])),
            Line("some real", points(with_real, "clusters", lambda one: one["seconds"])),
            Line("processor time", points(recorded, "clusters", lambda one: one["cpu"])),
        ]),
        Panel("Control node: ms of processor time per host", "clusters of three with a proxy each", [
            Line("status", points(recorded, "clusters", lambda one: 1000 * statistics.median(one["cpu"]) / one["hosts"])),
        ]),
        Panel("Users and rules: milliseconds of the module's plan", "users, and as many query rules", [
            Line("first run", points(rows, "rows", lambda one: one["milliseconds"]["first"])),
            Line("second run", points(rows, "rows", lambda one: one["milliseconds"]["again"])),
        ], logarithmic=True),
    ]  # fmt: skip


def plot(records: list[Record]) -> str:
    """The whole picture."""
    made = panels(records)
    wide, high = WIDTH * COLUMNS, HEIGHT * math.ceil(len(made) / COLUMNS)
    parts = [
        element
        for index, panel in enumerate(made)
        for element in drawn(panel, WIDTH * (index % COLUMNS), HEIGHT * (index // COLUMNS))
    ]
    body = "\n".join(parts)
    return (
        "<!-- SPDX-License-Identifier: GPL-3.0-or-later; made by bench/growth/growth.py -->\n"
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}" height="{high}" role="img">\n'
        "<title>How times grow with members, clusters, users and rules</title>\n"
        f'<rect width="100%" height="100%" rx="6" fill="{GROUND}"/>\n'
        f'<g font-family="system-ui, -apple-system, Segoe UI, sans-serif" font-size="12">\n{body}\n</g>\n</svg>\n'
    )
