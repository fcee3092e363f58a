# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status page: it is whole in itself, and no server can put anything into it but text."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_status_page import FilterModule, gr_status_page
from hypothesis import given, settings
from hypothesis import strategies as st
from support_status import HOSTILE, everything, proxy, reported

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("The status page loads nothing, has no script, and shows what servers say as text, whatever that is."),
]  # fmt: skip
VOID = ("meta", "link", "img", "br", "input", "base")


class Parsed(HTMLParser):
    """What a browser sees."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def text(self, tag: str) -> str:
        return " ".join(self.texts.get(tag, []))


def test_it_loads_nothing():
    page = gr_status_page(everything())
    seen = Parsed(page)
    assert not seen.open, "every element is closed"
    names = {tag for tag, _attrs in seen.tags}
    assert not names & {"script", "img", "iframe", "object", "embed", "link", "base", "form", "svg", "video", "audio"}
    attributes = {name for _tag, attrs in seen.tags for name in attrs}
    assert not attributes & {"src", "srcset", "style", "action", "background"}
    assert not [name for name in attributes if name.startswith("on")]
    links = [attrs["href"] for tag, attrs in seen.tags if tag == "a"]
    assert links and all(re.match(r"#cluster-\d+$|https://github\.com/distdb/mysql_ha/blob/main/docs/", one) for one in links)  # fmt: skip
    assert not re.search(r"url\(|@import", page)


def test_its_policy_allows_its_style_sheet_and_nothing_else():
    page = gr_status_page(reported())
    policy = next(attrs["content"] for tag, attrs in Parsed(page).tags if attrs.get("http-equiv"))
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_what_it_shows():
    seen = Parsed(gr_status_page(everything()))
    assert "shop" in seen.text("h2") and "proxy0" in seen.text("h2")
    assert "may lose 1 more (3 of 3 declared members are in the group)" in seen.text("dd")
    assert "no majority: 1 of 3 members, 1 more needed" in seen.text("dd")
    assert "12 days" in seen.text("strong")
    assert any("recover --limit db1" in text for text in seen.texts["code"])
    assert "Members removed" in seen.text("td") or "has become unreachable" in seen.text("td")
    # A moment for machines and for people.
    assert {attrs["datetime"] for tag, attrs in seen.tags if tag == "time"} >= {"2026-11-27T17:20:00Z"}
    # A verdict is no colour alone.
    assert set(seen.text("span").split()) >= {"WARNING", "CRITICAL", "!", "✕"}


def test_several_clusters_are_one_page():
    seen = Parsed(gr_status_page(everything()))
    targets = {attrs["href"][1:] for tag, attrs in seen.tags if tag == "a" and attrs["href"].startswith("#")}
    assert targets == {attrs["id"] for _tag, attrs in seen.tags if "id" in attrs} == {"cluster-1", "cluster-2", "cluster-3"}  # fmt: skip
    # One has no need of a table of contents.
    assert "Groups" not in Parsed(gr_status_page(reported())).texts.get("caption", [])


def test_cells_say_what_they_are_on_a_narrow_screen():
    seen = Parsed(gr_status_page(everything()))
    assert all(attrs["data-label"] for tag, attrs in seen.tags if tag == "td")
    assert any(attrs.get("name") == "viewport" for tag, attrs in seen.tags)


def test_columns_that_nobody_has_are_left_out():
    assert "guard" not in Parsed(gr_status_page(reported())).text("th")
    assert "guard" in Parsed(gr_status_page(everything())).text("th")


@pytest.mark.parametrize(
    ("change", "there"),
    [
        (lambda m: m["db0"].update(guard={"mode": "full", "decision": "aside", "paused_until": "12:30"}), "paused until 12:30"),
        (lambda m: m["db0"].update(certificate={"days_left": -1}), "expired"),
        (lambda m: m["db0"]["cluster"].update(undeclared=["192.0.2.9:3306 (x) ONLINE"]), "192.0.2.9:3306 (x) ONLINE"),
        (lambda m: m.update(dict.fromkeys(m, {"failed": True, "msg": "gone"})), "unknown"),
    ],
)  # fmt: skip
def test_details(change, there):
    assert there in gr_status_page(reported(change=change))


def test_a_proxy_that_does_not_answer():
    page = gr_status_page(reported(proxies={"proxy": proxy(reachable=False, error="refused", placement=[])}))
    assert "does not answer: refused" in page


def test_hostile_names_and_messages_are_text():
    page = gr_status_page(everything())
    assert "<script" not in page and "<img" not in page and "\x00" not in page and "\u202e" not in page
    assert "&lt;/td&gt;&lt;script&gt;" in page
    # An entity of theirs stays what they wrote.
    assert "&amp;quot;" in page


def put(node, into):
    """The report with that in every place where a server can say something."""
    if isinstance(node, dict):
        fixed = ("severity", "verdict", "at", "see", "kind")
        return {key: value if key in fixed else put(value, into) for key, value in node.items()}
    if isinstance(node, list):
        return [put(value, into) for value in node]
    return into if isinstance(node, str) and node else node


def shape(report):
    return [(tag, sorted(set(attrs) - {"class"})) for tag, attrs in Parsed(gr_status_page(report)).tags]


REPORT = everything()
PLAIN = shape(put(REPORT, "x"))


@settings(max_examples=25)
@given(st.text())
def test_no_string_changes_what_the_page_is_made_of(text):
    assert shape(put(REPORT, f"{text}<b title='\"x' onclick=\"&#60;")) == PLAIN


def test_it_is_the_filter_of_its_name():
    assert set(FilterModule().filters()) == {"gr_status_page"}
    assert HOSTILE not in gr_status_page(REPORT)
