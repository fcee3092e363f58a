# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status report as one HTML page: no script, nothing from outside of it, readable on a telephone, light and dark. No I/O here.

Names and messages come from servers: everything is escaped by `tag`, and the page's own policy allows nothing but its one style sheet.

Private to this collection.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Iterable

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.status_answers import SOON, Row
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.status_style import STYLE

PAGES = "https://github.com/distdb/mysql_ha/blob/main/docs/"
# Also without colours.
SIGNS = {"OK": "✓", "WARNING": "!", "CRITICAL": "✕", "UNKNOWN": "?"}
SEVERITIES = {"note": "i", "warning": "!", "unknown": "?", "critical": "✕", "error": "✕"}
GOOD = ("ONLINE",)
BAD = ("OFFLINE", "ERROR", "UNKNOWN", "UNREACHABLE", "SHUNNED", "OFFLINE_HARD", "NO_QUORUM", "SPLIT_BRAIN")
MODES = {"single_primary": "single-primary", "multi_primary": "multi-primary"}


class Html(str):
    """Text that is HTML already."""


def text(value: object) -> Html:
    """Anything else, as HTML."""
    if isinstance(value, Html):
        return value
    # Control characters are no HTML, and direction marks make a name look like another one.
    shown = "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in str(value))
    return Html(escape(shown, quote=True))


def tag(name: str, *content: object, **attributes: object) -> Html:
    """An element. class_ is the attribute class, data_label is data-label."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{text(value)}"' for key, value in attributes.items() if value != ""
    )
    return Html(f"<{name}{shown}>{''.join(map(text, content))}</{name}>")


def joined(parts: Iterable[object], between: str = "") -> Html:
    """Several elements."""
    return Html(between.join(map(text, parts)))


def policy() -> str:
    """What a browser may do with the page: its own style sheet, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def table(caption: str, columns: list[str], rows: Iterable[list[object]]) -> Html:
    """A table that becomes a list of cards on a narrow screen; its cells keep their headings there. The roles are said, since a changed display takes
    them away."""
    head = tag("tr", *(tag("th", name, scope="col", role="columnheader") for name in columns), role="row")
    body = [
        tag(
            "tr",
            *(
                tag("td", cell, data_label=name, role="cell", class_="" if str(cell) else "empty")
                for name, cell in zip(columns, row)
            ),
            role="row",
        )
        for row in rows
    ]
    parts = [tag("caption", caption), tag("thead", head, role="rowgroup"), tag("tbody", *body, role="rowgroup")]
    return tag("div", tag("table", *parts, role="table"), class_="wide")


def badge(verdict: str) -> Html:
    """OK, WARNING, CRITICAL or UNKNOWN."""
    return tag(
        "span", tag("span", SIGNS[verdict], class_="sign", aria_hidden="true"), " ", verdict, class_=f"badge {verdict.lower()}"
    )  # fmt: skip


def state(word: str) -> Html:
    """A state of a member or server."""
    kind = "ok" if word in GOOD else "critical" if word in BAD else "warning"
    return tag("span", word, class_=f"state {kind}")


def days(left: int | None) -> object:
    """For how long a certificate is valid."""
    if left is None:
        return ""
    shown = "expired" if left < 0 else f"{left} days"
    return tag("strong", shown) if left < SOON else shown


def number(value: object) -> str:
    """With separators; nothing where it is not known."""
    return f"{value:,}" if isinstance(value, int) else ""


def findings(rows: list[Row], heading: str = "What to do") -> Html:
    """What is wrong, and the next step."""
    if not rows:
        return Html("")
    items = [
        tag(
            "li",
            tag(
                "p",
                tag("span", SEVERITIES[one["severity"]], class_="sign", aria_hidden="true"),
                " ",
                tag("strong", one["severity"], ": ", one["about"]),
                " ",
                one["what"],
            ),
            tag("p", _next(one), class_="next") if one["do"] or one["see"] else "",
            class_=f"finding {one['severity']}",
        )
        for one in rows
    ]
    return joined([tag("h3", heading), tag("ol", *items, class_="findings")])


def _next(one: Row) -> Html:
    do = one["do"]
    before, command, after = do.partition("ansible-playbook")
    step = joined([text(before), tag("code", command + after)]) if command else text(do)
    link = tag("a", "read more", href=PAGES + one["see"], rel="noreferrer") if one["see"] else Html("")
    return joined([part for part in (step, link) if part], " ")


def members(cluster: Row) -> Html:
    """The members' table."""
    columns = ["member", "address", "state", "role", "version", "behind", "to certify", "certificate", "CA", "guard", "remark"]  # fmt: skip
    rows = []
    for row in cluster["members"]:
        guard = row["guard"]
        said = f"{guard.get('mode', '')}: {guard.get('rule') or guard.get('decision', '')}" if guard else ""
        if guard.get("paused_until"):
            said = f"paused until {guard['paused_until']}"
        remark = row["why"] or "; ".join(row["replicates_from"])
        rows.append([
            tag("strong", row["host"]), row["address"], state(row["state"]), row["role"], row["version"], number(row["behind"]), number(row["to_certify"]),
            days(row["certificate_days"]), days(row["ca_days"]), said, remark,
        ])  # fmt: skip
    for stranger in cluster["undeclared"]:
        rows.append(["?", stranger, "", "", "", "", "", "", "", "", "not declared in the inventory"])
    # A column that no member has is left out.
    used = [index for index in range(len(columns)) if any(str(row[index]) for row in rows)]
    return table("Members", [columns[index] for index in used], [[row[index] for index in used] for row in rows])


def margin(quorum: Row) -> str:
    """The quorum margin, in words."""
    lose = quorum["may_lose"]
    if lose is None:
        return "unknown"
    if lose < 0:
        return f"no majority: {quorum['live']} of {quorum['members']} members, {-lose} more needed"
    return f"may lose {lose or 'no'} more ({quorum['live']} of {quorum['declared']} declared members are in the group)"


def facts(pairs: Iterable[tuple[str, object]]) -> Html:
    """Names and values."""
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs if str(value)))


def cluster_section(cluster: Row, anchor: str) -> Html:
    """One cluster."""
    events = [
        [tag("time", one["at"].replace("T", " ").replace("Z", " UTC"), datetime=one["at"]), ", ".join(one["hosts"]),
         f"{SEVERITIES[one['severity']]} {one['severity']}", one["code"], one["what"]]
        for one in cluster["events"]
    ]  # fmt: skip
    return tag(
        "section",
        tag("h2", "Group ", cluster["name"], " ", badge(cluster["verdict"])),
        facts(
            [
                ("state", joined([state(cluster["state"]), text(" (uncertain)" if cluster["uncertain"] else "")])),
                ("quorum", margin(cluster["quorum"])),
                ("primaries", ", ".join(cluster["primaries"])),
                ("mode", ", ".join(filter(None, [MODES.get(cluster["mode"], cluster["mode"]), cluster["writers"] and f"writers: {cluster['writers']}"]))),
                ("communication stack", cluster["communication_stack"]),
                ("proxies", ", ".join(cluster["proxies"])),
            ]
        ),
        findings(cluster["findings"]),
        members(cluster),
        tag("details", tag("summary", f"Events ({len(events)})"), table("Events, the newest first", ["at", "member", "severity", "code", "what"], events))
        if events
        else "",
        id=anchor,
    )  # fmt: skip


def proxy_section(row: Row) -> Html:
    """One proxy."""
    servers: list[list[object]] = [
        [one["server"], f"{one['hostgroup']} {one['role']}", state(one["status"]), one["remark"]] for one in row["servers"]
    ]  # fmt: skip
    drift: list[list[object]] = [[one["table"], one["layer"], ", ".join(one["names"])] for one in row["drift"]]
    return tag(
        "section",
        tag("h2", "Proxy ", row["host"], " ", badge(row["verdict"])),
        facts(
            [
                ("ProxySQL", row["version"] or ("" if row["reachable"] else f"does not answer: {row['error']}")),
                ("certificate", days(row["certificate_days"])),
                ("CA", days(row["ca_days"])),
            ]
        ),
        findings(row["findings"]),
        table("Hostgroups", ["server", "hostgroup", "status", "remark"], servers) if servers else "",
        table("Layers that differ from memory", ["table", "layer", "names"], drift) if drift else "",
    )


def address_section(rows: list[Row]) -> Html:
    """The addresses that proxies share."""
    if not rows:
        return Html("")
    cells = [[tag("strong", row["address"]), row["proxies"], badge(row["verdict"])] for row in rows]
    found = [one for row in rows for one in row["findings"]]
    return tag(
        "section",
        tag("h2", "Shared addresses"),
        findings(found),
        table("Who has which address", ["address", "proxies", "verdict"], cells),
    )


def page(report: Row) -> str:
    """The whole page."""
    anchors = {cluster["name"]: f"cluster-{index}" for index, cluster in enumerate(report["clusters"], 1)}
    overview: list[list[object]] = [
        [tag("a", cluster["name"], href=f"#{anchors[cluster['name']]}"), badge(cluster["verdict"]), state(cluster["state"]), margin(cluster["quorum"]),
         f"{sum(row['state'] == 'ONLINE' for row in cluster['members'])} of {len(cluster['members'])}"]
        for cluster in report["clusters"]
    ]  # fmt: skip
    at = report["at"]
    head = joined(
        [
            Html('<meta charset="utf-8">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{text(policy())}">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Html('<meta name="color-scheme" content="light dark">'),
            Html('<meta name="referrer" content="no-referrer">'),
            Html('<meta name="robots" content="noindex">'),
            tag("title", f"{report['verdict']}: MySQL groups, {at}"),
            Html(f"<style>{STYLE}</style>"),
        ],
        "\n",
    )
    body = tag(
        "main",
        tag("h1", badge(report["verdict"]), " MySQL groups"),
        tag("p", "As seen at ", tag("time", at.replace("T", " ").replace("Z", " UTC"), datetime=at), ". The page does not renew itself.", class_="seen"),
        table("Groups", ["group", "verdict", "state", "quorum", "ONLINE"], overview) if len(overview) > 1 else "",
        *(cluster_section(cluster, anchors[cluster["name"]]) for cluster in report["clusters"]),
        *(proxy_section(row) for row in report["proxies"]),
        address_section(report["addresses"]),
    )  # fmt: skip
    return f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n'
