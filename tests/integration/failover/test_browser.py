# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example application in a real browser: list, add, edit, with all members and with one down.

Debian's packages chromium and chromium-driver must be there. The browser has to reach the lab's hosts:

    lab/enter python -m pytest -m browser tests/integration/failover/test_browser.py
"""

from __future__ import annotations

import os
import time
import uuid

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait
from support import wait_for

pytestmark = [
    pytest.mark.browser,
    pytest.mark.claim("The example application works in a real browser, also while a member is down."),
]

FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --window-size=1200,900"
)
# The application itself retries for 20 s; no page may take longer than that and a little.
PATIENCE = 25


@pytest.fixture(scope="module")
def application(lab):
    """The URL of the deployed application; SIMKP_URL names one that is there already."""
    if "SIMKP_URL" in os.environ:
        return os.environ["SIMKP_URL"].rstrip("/")
    run = lab.site(playbook="examples/simkp/deploy.yml")
    assert run.code == 0, run
    address = lab.on("proxy", "hostname", "-I").split()[0]
    return f"http://{address}:8000"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    driver.set_page_load_timeout(PATIENCE)
    yield driver
    driver.quit()


def rows(browser) -> list[list[str]]:
    return [
        [cell.text for cell in row.find_elements(By.TAG_NAME, "td")]
        for row in browser.find_elements(By.CSS_SELECTOR, "tbody tr")
    ]


def submit(browser) -> None:
    """Press Save and wait for the list that follows."""
    form = browser.current_url
    browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    WebDriverWait(browser, PATIENCE).until(lambda driver: driver.current_url != form)


def add_company(browser, application: str) -> str:
    """Add a company by its form; its name."""
    name = f"Company {uuid.uuid4().hex[:12]}"
    browser.get(f"{application}/companies/")
    browser.find_element(By.ID, "add").click()
    browser.find_element(By.NAME, "name").send_keys(name)
    browser.find_element(By.NAME, "city").send_keys("Malang")
    browser.find_element(By.NAME, "contact").send_keys("contact@company.example")
    submit(browser)
    assert [name, "Malang", "contact@company.example"] in rows(browser)
    return name


def move_company(browser, application: str, name: str, city: str) -> None:
    """Change a company's city by its form."""
    browser.get(f"{application}/companies/")
    browser.find_element(By.LINK_TEXT, name).click()
    field = browser.find_element(By.NAME, "city")
    field.clear()
    field.send_keys(city)
    submit(browser)
    assert [name, city, "contact@company.example"] in rows(browser)


def test_home_page_lists_the_seeded_internships(browser, application):
    browser.get(application)
    assert browser.find_element(By.TAG_NAME, "h1").text == "Internships"
    found = rows(browser)
    assert len(found) >= 8
    assert ["Ana Duarte (S1001)", "Harbour Logistics"] in [row[1:3] for row in found]
    # Nothing on the page is missing or broken.
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_every_menu_entry_opens_a_list_and_its_form(browser, application):
    browser.get(application)
    names = [link.text for link in browser.find_elements(By.CSS_SELECTOR, "nav a")]
    assert names == ["Internships", "Students", "Companies", "Supervisors"]
    for name in names:
        browser.find_element(By.LINK_TEXT, name).click()
        assert browser.find_element(By.TAG_NAME, "h1").text == name
        browser.find_element(By.ID, "add").click()
        assert browser.find_element(By.CSS_SELECTOR, "button[type=submit]").text == "Save"


def test_add_and_edit_a_company(browser, application):
    move_company(browser, application, add_company(browser, application), "Kediri")


def test_add_an_internship_with_its_references(browser, application):
    title = f"Internship {uuid.uuid4().hex[:12]}"
    browser.get(f"{application}/internships/new")
    Select(browser.find_element(By.NAME, "student")).select_by_visible_text("Chen Wei (S1003)")
    Select(browser.find_element(By.NAME, "company")).select_by_visible_text("Riverbank Software")
    Select(browser.find_element(By.NAME, "supervisor")).select_by_visible_text("Karin Berg")
    browser.find_element(By.NAME, "title").send_keys(title)
    for name, day in (("begins", "2026-09-01"), ("ends", "2026-08-01")):
        browser.execute_script("arguments[0].value = arguments[1]", browser.find_element(By.NAME, name), day)
    browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    message = WebDriverWait(browser, PATIENCE).until(lambda driver: driver.find_elements(By.CLASS_NAME, "errorlist"))
    assert message[0].text == "The last day is before the first."
    browser.execute_script("arguments[0].value = '2026-12-01'", browser.find_element(By.NAME, "ends"))
    submit(browser)
    row = next(row for row in rows(browser) if row[0] == title)
    assert row[1:4] == ["Chen Wei (S1003)", "Riverbank Software", "Karin Berg"]


def test_the_same_form_sent_twice_makes_one_row(browser, application):
    name = f"Company {uuid.uuid4().hex[:12]}"
    browser.get(f"{application}/companies/new")
    # What a user does whose first answer was lost: the same form again, by a second request of the page itself.
    for field, value in (("name", name), ("city", "Malang"), ("contact", "contact@company.example")):
        browser.find_element(By.NAME, field).send_keys(value)
    status = browser.execute_async_script(
        "const done = arguments[0], form = document.forms[0];"
        "fetch(form.action, {method: 'POST', body: new URLSearchParams(new FormData(form))}).then(r => done(r.status))"
    )
    assert status == 200
    submit(browser)
    assert [row[0] for row in rows(browser)].count(name) == 1


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_list_add_and_edit_while_a_member_is_down(lab, browser, application, how):
    member = lab.members[2]
    if how == "stop":
        lab.on(member, "systemctl", "stop", "mysql")
    else:
        # systemd would start a killed server again at once; masked it stays down.
        lab.on(member, "systemctl", "mask", "--runtime", "mysql")
        lab.on(member, "systemctl", "kill", "--signal=KILL", "mysql")
    try:
        began = time.monotonic()
        name = add_company(browser, application)
        move_company(browser, application, name, "Blitar")
        assert time.monotonic() - began < 2 * PATIENCE
        assert lab.on(member, "systemctl", "is-active", "mysql", check=False).strip() != "active"
    finally:
        lab.on(member, "systemctl", "unmask", "--runtime", "mysql")
        run = lab.site()
    assert run.code == 0, run
    lab.one_group()
    count = f"SELECT city FROM simkp.internships_company WHERE name = '{name}'"
    for holder in lab.members:
        wait_for(lambda holder=holder: lab.sql(holder, count) == [["Blitar"]], 30, f"the edited row on {holder}")
