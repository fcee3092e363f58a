# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status page in a real browser: nothing is loaded, nothing runs, and it is readable on a telephone, light and dark.

Debian's packages chromium and chromium-driver must be there; CHROMIUM and CHROMEDRIVER name others. No lab: the answers are recorded ones.

    python -m pytest -m browser tests/integration/status            STATUS_PICTURES=docs/images renews the pictures of the documentation
"""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from support_status import HOSTILE, everything, presentable

pytestmark = [
    pytest.mark.browser,
    pytest.mark.claim("The status page works in a real browser: readable on a telephone, light and dark, with enough contrast; it loads and runs nothing."),
]  # fmt: skip

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --hide-scrollbars --force-device-scale-factor=1"
)
TELEPHONE, DESK = (360, 740), (1280, 900)
PICTURES = os.environ.get("STATUS_PICTURES", "")
# WCAG 2 AA for text.
CONTRAST = 4.5


def written(report, folder) -> str:
    """The page of a report, as a file's address."""
    from ansible_collections.distdb.mysql_ha.plugins.filter.gr_status_page import gr_status_page

    path = folder / "status.html"
    path.write_text(gr_status_page(report), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def collection():
    """Lets this checkout be imported as a collection."""
    return importlib.import_module("unit.conftest")


@pytest.fixture(scope="module")
def address(tmp_path_factory, collection):
    return written(everything(), tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_page_load_timeout(120)
    yield driver
    driver.quit()


def show(browser, address, size, scheme):
    """The page on a screen of that size, light or dark."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(address)


@pytest.fixture(params=["light", "dark"])
def scheme(request):
    return request.param


@pytest.fixture(params=[TELEPHONE, DESK], ids=["telephone", "desk"])
def size(request):
    return request.param


def test_nothing_is_loaded_and_nothing_runs(browser, address):
    browser.get_log("performance")
    show(browser, address, DESK, "light")
    sent = re.findall(r'"Network\.requestWillBeSent".*?"url":"([^"]*)"', str(browser.get_log("performance")))
    assert {url for url in sent if not url.startswith("data:")} <= {address}
    # The policy found nothing to refuse, and nobody took the page over.
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    assert browser.title == "CRITICAL: MySQL groups, 2026-11-27T17:20:00Z"
    assert browser.find_elements(By.CSS_SELECTOR, "script, img, iframe, link") == []


def test_what_a_server_says_is_shown_as_it_said_it(browser, address):
    show(browser, address, DESK, "light")
    shown = browser.find_element(By.TAG_NAME, "main").text
    visible = HOSTILE.replace("\x00", "\N{REPLACEMENT CHARACTER}").replace("\u202e", "\N{REPLACEMENT CHARACTER}")
    assert " ".join(visible.split()) in " ".join(shown.split())


def test_no_sideways_scrolling(browser, address, size, scheme):
    show(browser, address, size, scheme)
    for details in browser.find_elements(By.TAG_NAME, "summary"):
        details.click()
    assert browser.execute_script("return document.documentElement.scrollWidth") <= size[0]
    outside = browser.execute_script(
        "return [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
    )
    assert [one for one in outside if not one.startswith(("<thead", "<tr role", "<th "))] == []


def test_on_a_telephone_each_cell_says_what_it_is(browser, address):
    show(browser, address, TELEPHONE, "light")
    labels = browser.execute_script(
        "return [...document.querySelectorAll('td')].filter(e => e.offsetParent).map(e => getComputedStyle(e, '::before').content)"
    )
    assert labels and all(label not in ("none", '""') for label in labels)
    # Text is not smaller than what one reads without glasses, and what is to be touched is large enough (WCAG 2.2: 24 pixels).
    assert browser.execute_script("return parseFloat(getComputedStyle(document.body).fontSize)") >= 16
    sizes = [one.size["height"] for one in browser.find_elements(By.CSS_SELECTOR, "summary, td a, .next a")]
    assert sizes and min(sizes) >= 24


def test_text_has_enough_contrast(browser, address, scheme):
    show(browser, address, DESK, scheme)
    seen = browser.execute_script("""
      const numbers = c => c.match(/[\\d.]+/g).map(Number);
      const light = c => { const [r, g, b] = numbers(c).map(v => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
                           return .2126 * r + .7152 * g + .0722 * b; };
      const back = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if ((numbers(c)[3] ?? 1) > 0) return c; }
                          return 'rgb(255,255,255)'; };
      const found = {};
      for (const e of document.querySelectorAll('body *')) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.offsetParent) continue;
        const [a, b] = [light(getComputedStyle(e).color), light(back(e))].sort((x, y) => y - x);
        found[e.tagName + '.' + e.className] = Math.min(found[e.tagName + '.' + e.className] ?? 99, (a + .05) / (b + .05));
      }
      return found;""")
    assert len(seen) > 10
    assert {name: ratio for name, ratio in seen.items() if ratio < CONTRAST} == {}


def test_light_is_light_and_dark_is_dark(browser, address):
    backs = []
    for one in ("light", "dark"):
        show(browser, address, DESK, one)
        back = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        backs.append(sum(map(int, re.findall(r"\d+", back)[:3])))
    assert backs[0] > 700 and backs[1] < 100


def test_a_table_is_still_one_for_a_screen_reader(browser, address):
    """Cards are laid out by `display`, which takes the roles of a table away where they are not said."""
    show(browser, address, TELEPHONE, "light")
    tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = [node.get("role", {}).get("value") for node in tree]
    assert {"table", "row", "cell", "columnheader"} <= set(roles)


def test_the_overview_leads_to_each_cluster(browser, address):
    show(browser, address, TELEPHONE, "light")
    for link in browser.find_elements(By.CSS_SELECTOR, "td a"):
        target = link.get_attribute("href").rpartition("#")[2]
        link.click()
        top = browser.execute_script(f"return document.getElementById('{target}').getBoundingClientRect().top")
        assert top < TELEPHONE[1]


@pytest.mark.skipif(not PICTURES, reason="STATUS_PICTURES names no folder for pictures of the page")
def test_pictures(browser, collection, tmp_path):
    address = written(presentable(), tmp_path)
    for name, size, scheme in (("light", DESK, "light"), ("dark", DESK, "dark"), ("telephone", TELEPHONE, "dark")):
        show(browser, address, size, scheme)
        path = Path(PICTURES) / f"status-{name}.png"
        browser.save_screenshot(str(path))
        assert path.read_bytes().startswith(b"\x89PNG")
