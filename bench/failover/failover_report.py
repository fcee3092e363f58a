# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of one fail-over run, made from what its tools wrote.

    failover_report.py DIRECTORY

Reads from DIRECTORY: run.json (what was done: fault, target, hostgroups, marks), writes.jsonl (load.py), watch.jsonl
(watch.py), agree.json (load.py agree). Writes report.json and report.html there, prints a summary, and exits 1 when
acknowledged rows are lost or members differ. All times in a report are seconds since the load began.
"""

from __future__ import annotations

import html
import json
import os
import sys

BUCKET = 0.5

# Lanes of the timeline: word -> colour. Chosen to differ in lightness, too.
COLOURS = {
    "ONLINE": "#2f7d4f",
    "RECOVERING": "#d9a521",
    "OFFLINE": "#9aa3ae",
    "ERROR": "#b3261e",
    "no answer": "#2b2f36",
    "writer": "#2f7d4f",
    "backup writer": "#7fb58f",
    "reader": "#4a86c5",
    "shunned": "#d9a521",
    "drained": "#b48ad6",
    "offline": "#9aa3ae",
    "not listed": "#e3e7ec",
    "proxy silent": "#2b2f36",
}
UNKNOWN = "#e36bae"


def read_lines(text):
    """The objects of a file with one JSON object a line; a last line that was cut off is left out."""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n") and line.strip()]


def gaps(events, begin, end, of=lambda pair: True):
    """{client: (from, to)}: each client's longest time without a success, from the end of one to the end of the next; of those that `of` wants."""
    times = {}
    for event in events:
        ends = times.setdefault(event["client"], [])
        if event["error"] is None:
            ends.append(event["end"])
    longest = {}
    for client, ends in times.items():
        points = [begin] + sorted(point for point in ends if begin < point < end) + [end]
        pairs = [pair for pair in zip(points, points[1:]) if of(pair)]
        longest[client] = max(pairs, key=lambda pair: pair[1] - pair[0], default=(begin, begin))
    return longest


def length(longest):
    """That of the unluckiest client, in seconds."""
    return round(max((pair[1] - pair[0] for pair in longest.values()), default=0.0), 3)


def buckets(events, end, width=BUCKET):
    """Statements that ended in each slice of time: [{"at", "writes", "reads", "failed"}], without holes."""
    count = int(end / width) + 1
    slices = [{"at": round(index * width, 3), "writes": 0, "reads": 0, "failed": 0} for index in range(count)]
    for event in events:
        index = int(event["end"] / width)
        if 0 <= index < count:
            key = "failed" if event["error"] is not None else event["kind"] + "s"
            slices[index][key] += 1
    return slices


def below_half(slices, fault, begin=0.0, width=BUCKET):
    """Seconds from the fault on in which less than half as many statements had success as before it, on average from `begin` on."""
    before = [one["writes"] + one["reads"] for one in slices if begin <= one["at"] and one["at"] + width <= fault]
    if not before:
        return 0.0
    half = sum(before) / len(before) / 2
    # The last slice is cut off by the end of the load.
    after = [one["writes"] + one["reads"] for one in slices[:-1] if one["at"] + width > fault]
    return round(sum(width for count in after if count < half), 3)


def intervals(samples, end):
    """[(time, value)] in any order -> [{"from", "to", "is"}] up to the end; equal neighbours become one."""
    found = []
    for at, value in sorted(samples, key=lambda sample: sample[0]):
        at = min(max(at, 0.0), end)
        if found and found[-1]["is"] == value:
            continue
        if found:
            found[-1]["to"] = at
        found.append({"from": at, "to": end, "is": value})
    return [one for one in found if one["to"] > one["from"]]


def place(hostgroups, numbers):
    """Where a server is, in one word, from {hostgroup: status} and the numbers of the hostgroups."""
    if not hostgroups:
        return "not listed"
    groups = {int(number): status for number, status in hostgroups.items()}
    live = [number for number, status in groups.items() if status == "ONLINE"]
    for word in ("writer", "backup_writer", "reader", "offline"):
        if numbers[word] in live:
            return word.replace("_", " ")
    if any(status.startswith("SHUNNED") for status in groups.values()):
        return "shunned"
    return "drained" if "OFFLINE_SOFT" in groups.values() else "offline"


def build(run, head, events, watched, agreed):
    """The whole report as a dictionary."""
    origin = head["origin"]
    marks = [{"at": round(mark["at"] - origin, 3), "what": mark["what"]} for mark in run["marks"]]
    fault = next((mark["at"] for mark in marks if mark["what"].startswith("fault")), 0.0)
    last = max([event["end"] for event in events], default=0.0)
    # Everybody begins to write within the first second; connecting is not part of what is measured.
    begin = min(1.0, last)
    longest = gaps(events, begin, last)
    good = [event for event in events if event["error"] is None]
    bad = [event for event in events if event["error"] is not None]
    errors = {}
    for event in bad:
        errors[event["error"]] = errors.get(event["error"], 0) + 1
    worst = max(longest.values(), key=lambda pair: pair[1] - pair[0], default=(0.0, 0.0))
    together = gaps([dict(event, client=0) for event in events], begin, last).get(0, (0.0, 0.0))

    # What the machine costs by itself: a gap after the fault says little unless it is well above this one.
    quiet = gaps([event for event in events if event["end"] < fault], begin, fault) if fault > begin else {}
    # A gap belongs to what it began in: a fault costs something, and so does a member that comes back.
    undone = next((mark["at"] for mark in marks if mark["what"] == "undone"), last)
    lasting = gaps(events, begin, last, lambda pair: pair[1] > fault and pair[0] < undone)
    afterwards = gaps(events, begin, last, lambda pair: pair[0] >= undone)
    # The load ends before the watch does: members are seen coming back after it, too.
    whole = max([last] + [line["at"] - origin for line in watched])
    names = run.get("names", {})
    members, placement = {}, {}
    slices = buckets(events, last)
    for line in watched:
        at = line["at"] - origin
        if line["kind"] == "member":
            members.setdefault(line["who"], []).append((at, line["state"]))
        elif line["kind"] == "placement":
            for who in names or (line["servers"] or {}):
                word = "proxy silent" if line["servers"] is None else place(line["servers"].get(who), run["hostgroups"])
                placement.setdefault(who, []).append((at, word))
    report = {
        "fault": run["fault"],
        "target": run["target"],
        "mode": run["mode"],
        "versions": run.get("versions", {}),
        "clients": head["clients"],
        # Unix time; all other times of a report are seconds since then.
        "origin": round(origin, 3),
        "seconds": round(whole, 3),
        "load_seconds": round(last, 3),
        "acknowledged_writes": sum(event["kind"] == "write" for event in good),
        "reads": sum(event["kind"] == "read" for event in good),
        "failed_statements": len(bad),
        "errors": errors,
        "longest_gap": round(worst[1] - worst[0], 3),
        "longest_gap_from": round(worst[0], 3),
        "longest_gap_of_all": round(together[1] - together[0], 3),
        "longest_gap_before_fault": length(quiet),
        "longest_gap_until_undone": length(lasting),
        "longest_gap_afterwards": length(afterwards),
        "seconds_below_half": below_half(slices, fault, begin),
        "fault_at": fault,
        "marks": marks,
        "lost_rows": agreed["lost"],
        "same_transactions": agreed["same_transactions"],
        "checksums_agree": agreed["checksums_agree"],
        "tables": sorted({table for sums in agreed["checksums"].values() for table in sums}),
        "names": names,
        "timeline": slices,
        "members": {who: intervals(samples, whole) for who, samples in sorted(members.items())},
        "placement": {who: intervals(samples, whole) for who, samples in sorted(placement.items())},
    }
    report["passed"] = not report["lost_rows"] and report["same_transactions"] and report["checksums_agree"]
    return report


def summary(report):
    """What a terminal shows."""
    lines = [
        f"{report['fault']} ({report['target']}, {report['mode']}): {'passed' if report['passed'] else 'FAILED'}",
        f"  longest time without a success of one client  {report['longest_gap']:8.3f} s,"
        f" from {report['longest_gap_from']:.1f} s on",
        f"  … of all clients together                     {report['longest_gap_of_all']:8.3f} s",
        f"  … of one client before the fault              {report['longest_gap_before_fault']:8.3f} s",
        f"  … begun before the fault was undone           {report['longest_gap_until_undone']:8.3f} s",
        f"  … begun afterwards                            {report['longest_gap_afterwards']:8.3f} s",
        f"  below half of the throughput before the fault {report['seconds_below_half']:8.1f} s",
        f"  failed statements                             {report['failed_statements']:8d}",
        f"  acknowledged writes / reads                   {report['acknowledged_writes']:8d} / {report['reads']}",
        f"  acknowledged rows lost                        {report['lost_rows']:8d}",
        f"  members hold the same transactions, tables    {report['same_transactions']!s:>8}, {report['checksums_agree']}"
        f" ({len(report['tables'])} tables)",
    ]
    lines += [f"  {count:5d} × {text}" for text, count in sorted(report["errors"].items(), key=lambda item: -item[1])]
    lines += [f"  {mark['at']:8.1f} s  {mark['what']}" for mark in report["marks"]]
    return "\n".join(lines)


def text(x, y, words, **attributes):
    extra = "".join(f' {name.rstrip("_").replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{extra}>{html.escape(str(words))}</text>'


def box(x, y, width, height, colour, title=""):
    inside = f"<title>{html.escape(title)}</title>" if title else ""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height:.1f}" fill="{colour}">{inside}</rect>'


def step(seconds):
    """Distance of the time axis's ticks: about ten of them."""
    for size in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600):
        if seconds / size <= 12:
            return size
    return 1200


def timeline(report):
    """The run as one SVG picture: throughput and errors, a lane per member and one per placement, marks over all."""
    left, width, top, plot, lane = 170, 1000, 40, 150, 22
    end = max(report["seconds"], 1.0)

    def x(at):
        return left + width * min(max(at, 0.0), end) / end

    lanes = [(f"{report['names'].get(who, who)} says", parts) for who, parts in report["members"].items()]
    lanes += [(f"{report['names'].get(who, who)} in the proxy", parts) for who, parts in report["placement"].items()]
    bottom = top + plot + 20 + lane * len(lanes)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 20} {bottom + 50}" role="img"'
        ' font-family="system-ui, sans-serif" font-size="12" fill="#1c2330">',
        f"<title>{html.escape(report['fault'])}: statements, members and placement over time</title>",
    ]
    highest = max([slot["writes"] + slot["reads"] + slot["failed"] for slot in report["timeline"]] + [1])
    scale = plot / highest
    for slot in report["timeline"]:
        begin, wide = x(slot["at"]), width * BUCKET / end - 0.4
        base = top + plot
        words = f"{slot['at']} s: {slot['writes']} writes, {slot['reads']} reads, {slot['failed']} failed"
        for key, colour in (("writes", "#2f6db3"), ("reads", "#9cc3e8"), ("failed", "#b3261e")):
            height = slot[key] * scale
            # One failed statement must be seen beside fifty good ones.
            height = max(height, 3.0) if key == "failed" and slot[key] else height
            if height:
                base -= height
                parts.append(box(begin, base, min(wide, x(end) - begin), height, colour, words))
    parts.append(text(left - 8, top + 10, f"{highest / BUCKET:.0f}/s", text_anchor="end"))
    parts.append(text(left - 8, top + plot / 2, "statements", text_anchor="end"))
    parts.append(text(left - 8, top + plot, "0", text_anchor="end"))
    gap_from, gap_to = report["longest_gap_from"], report["longest_gap_from"] + report["longest_gap"]
    parts.append(
        f'<rect x="{x(gap_from):.1f}" y="{top}" width="{max(x(gap_to) - x(gap_from), 1):.1f}" height="{plot}"'
        f' fill="#b3261e" fill-opacity=".15"><title>longest gap of one client: {report["longest_gap"]} s</title></rect>'
    )
    y = top + plot + 20
    for name, pieces in lanes:
        parts.append(text(left - 8, y + 14, name, text_anchor="end"))
        for piece in pieces:
            words = f"{piece['is']}: {piece['from']:.1f} to {piece['to']:.1f} s"
            colour = COLOURS.get(piece["is"], UNKNOWN)
            parts.append(box(x(piece["from"]), y, x(piece["to"]) - x(piece["from"]), lane - 5, colour, words))
        y += lane
    for tick in range(0, int(end) + 1, step(end)):
        parts.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{bottom}" y2="{bottom + 5}" stroke="#1c2330"/>')
        parts.append(text(x(tick), bottom + 18, f"{tick} s", text_anchor="middle"))
    for index, mark in enumerate(report["marks"]):
        at = x(mark["at"])
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top - 8}" y2="{bottom}" stroke="#1c2330" stroke-dasharray="4 3"/>'
        )
        parts.append(text(at + 3, 14 + 12 * (index % 3), f"{index + 1}", font_weight="bold"))
    present = {piece["is"] for _name, pieces in lanes for piece in pieces}
    seen = [word for word in COLOURS if word in present] + sorted(present - set(COLOURS))
    legend, at = [("writes", "#2f6db3"), ("reads", "#9cc3e8"), ("failed", "#b3261e")], left
    legend += [(word, COLOURS.get(word, UNKNOWN)) for word in seen]
    for word, colour in legend:
        parts.append(box(at, bottom + 32, 10, 10, colour))
        parts.append(text(at + 14, bottom + 41, word))
        at += 34 + 7 * len(word)
    return "\n".join(parts + ["</svg>"])


STYLE = """
body { font: 16px/1.45 system-ui, sans-serif; color: #1c2330; max-width: 76rem; margin: 1.5rem auto; padding: 0 1rem; }
svg { width: 100%; height: auto; }
table { border-collapse: collapse; }
th, td { text-align: left; padding: .3rem 1.25rem .3rem 0; border-bottom: 1px solid #e2e6ec; font-weight: normal; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.passed { color: #2f7d4f; } .failed { color: #b3261e; }
.picture { overflow-x: auto; }
"""


def page(report):
    """The report as one HTML file that needs nothing else."""
    verdict = "passed" if report["passed"] else "failed"
    facts = [
        ("Longest time without a success of one client", f"{report['longest_gap']:.3f} s"),
        ("… of all clients together", f"{report['longest_gap_of_all']:.3f} s"),
        ("… of one client before the fault", f"{report['longest_gap_before_fault']:.3f} s"),
        ("… begun before the fault was undone", f"{report['longest_gap_until_undone']:.3f} s"),
        ("… begun afterwards", f"{report['longest_gap_afterwards']:.3f} s"),
        ("Below half of the throughput before the fault", f"{report['seconds_below_half']:.1f} s"),
        ("Failed statements", report["failed_statements"]),
        ("Acknowledged writes", report["acknowledged_writes"]),
        ("Reads", report["reads"]),
        ("Acknowledged rows lost", report["lost_rows"]),
        ("Members executed the same transactions", "yes" if report["same_transactions"] else "no"),
        ("Checksums of all tables agree", "yes" if report["checksums_agree"] else "no"),
        ("Clients", report["clients"]),
        ("Seconds under load", f"{report['load_seconds']:.1f}"),
    ]
    facts += [(f"Version of {name}", version) for name, version in sorted(report["versions"].items())]

    def rows(pairs):
        return "\n".join(
            f'<tr><th scope="row">{html.escape(str(name))}</th><td class="number">{html.escape(str(value))}</td></tr>'
            for name, value in pairs
        )

    marks = [(f"{index + 1}. {mark['what']}", f"{mark['at']:.1f} s") for index, mark in enumerate(report["marks"])]
    errors = sorted(report["errors"].items(), key=lambda item: -item[1])
    title = html.escape(f"{report['fault']}: {report['target']}, {report['mode']}")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{title} – <span class="{verdict}">{verdict}</span></h1>
<div class="picture">
{timeline(report)}
</div>
<h2>Marks</h2>
<table>{rows(marks)}</table>
<h2>Figures</h2>
<table>{rows(facts)}</table>
<h2>Errors that clients saw</h2>
<table>{rows(errors) if errors else "<tr><td>none</td></tr>"}</table>
</body>
</html>
"""


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    directory = arguments[0]

    def read(name):
        with open(os.path.join(directory, name)) as source:
            return source.read()

    journal = read_lines(read("writes.jsonl"))
    report = build(
        json.loads(read("run.json")),
        journal[0],
        journal[1:],
        read_lines(read("watch.jsonl")),
        json.loads(read("agree.json")),
    )
    for name, words in (("report.json", json.dumps(report, indent=1) + "\n"), ("report.html", page(report))):
        with open(os.path.join(directory, name), "w") as target:
            target.write(words)
    print(summary(report))
    return 0 if report["passed"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
