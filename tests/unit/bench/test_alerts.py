# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alerts after faults: when they fired and ended, from what Prometheus says, and the table of the records."""

from __future__ import annotations

import pytest

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "Of each alert the first time that it fires and the last time that it ends are recorded, and the table says what the records say."
    ),
]


class Time:
    """A clock that goes on when somebody waits, and what fires at each second."""

    def __init__(self, *firing):
        self.now, self.firing = 0.0, firing

    def clock(self):
        return self.now

    def pause(self, seconds):
        self.now += seconds

    def look(self):
        return self.firing[min(int(self.now), len(self.firing) - 1)]


def test_an_alert_counts_from_when_it_fires_first(bench_alerts):
    time = Time(set(), {"A"}, set(), {"A", "B"})
    found = bench_alerts.follow(time.look, lambda found, now: now >= 5, time.clock, time.pause)
    assert found == {"A": 1.0, "B": 3.0}


def test_an_alert_has_ended_when_it_does_not_come_back(bench_alerts):
    time = Time({"A", "B"}, {"A"}, set(), {"A", "C"}, {"C"}, set())
    assert bench_alerts.fade(time.look, {"A", "B"}, 100, time.clock, time.pause) == {"A": 4.0, "B": 1.0, "C": 5.0}
    assert time.now >= 24
    assert bench_alerts.fade(Time({"A"}).look, {"A"}, 0, lambda: 0.0) == {"A": None}


def test_what_waits_does_not_fire(bench_alerts):
    alerts = [{"labels": {"alertname": name}, "state": state} for name, state in (("A", "firing"), ("B", "pending"))]
    assert bench_alerts.firing({"data": {"alerts": alerts}}) == {"A"}


def test_a_job_has_tls_a_password_and_the_name_of_its_cluster(bench_alerts):
    (job,) = bench_alerts.configuration({"node": ["192.0.2.130:9100"]}, "/ca.pem", "mysql_gr")["scrape_configs"]
    assert (
        job["scheme"] == "https"
        and job["tls_config"] == {"ca_file": "/ca.pem"}
        and "password_file" in job["basic_auth"]
    )
    assert job["static_configs"] == [{"targets": ["192.0.2.130:9100"], "labels": {"cluster": "mysql_gr"}}]


RUN = {"fault": "freeze", "at": 1795784555, "versions": "MySQL 9.7.4, ProxySQL 2.7.1", "load": [1.0, 2.0]}


def test_the_table_says_what_the_records_say(bench_alerts, tmp_path, monkeypatch):
    found = [
        {**RUN, "fired": {"Late": 70.0, "Soon": 20.0}, "ended": {"Late": 5.0, "Soon": None}},
        {**RUN, "fired": {"Soon": 30.0}, "ended": {"Soon": 10.0, "After": 40.0}},
        {**RUN, "fault": "kill", "fired": {}, "ended": {}},
    ]
    assert bench_alerts.rows(found) == [
        ("kill", "1", "none", "–", "–", "–"),
        ("freeze", "2", "Soon", "2 of 2", "25 s, 30 s", "10 s, 10 s; 1 had not"),
        ("freeze", "2", "Late", "1 of 2", "70 s, 70 s", "5 s, 5 s"),
        ("freeze", "2", "After", "0 of 2, 1 after the fault's end", "–", "40 s, 40 s"),
    ]
    page = tmp_path / "alerts.md"
    page.write_text("Before.\n<!-- begin runs -->\nold\n<!-- end runs -->\nAfter.\n")
    monkeypatch.setattr(bench_alerts, "PAGE", page)
    monkeypatch.setattr(bench_alerts, "records", lambda: found)
    bench_alerts.write_docs()
    text = page.read_text()
    assert text.startswith(
        "Before.\n<!-- begin runs -->\nMySQL 9.7.4, ProxySQL 2.7.1; a scrape and an evaluation every 5 s; 2026-11-27, two cores"
    )
    assert "load of the machine 1 to 2." in text and text.endswith("<!-- end runs -->\nAfter.\n") and "old" not in text
