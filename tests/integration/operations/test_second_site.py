# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two sites on hosts of the lab: the standby follows, takes over when it is planned and when it is not, and the old site comes back closed.

Six members and two proxies, which two cores bear when nothing else runs. --runs says how often each site takes over; each run leaves a report in
.cache/sites.
"""

from __future__ import annotations

import json
import secrets
import statistics
import time

import pytest
from support import ROOT, wait_for
from support_load import DIRECTORY, Load, new_address

pytestmark = [
    pytest.mark.operations,
    pytest.mark.claim(
        "A standby site on hosts of its own follows, takes over under load without losing a row when it is planned, says what may be missing when it is "
        "not; and the old site comes back closed.",
        minutes=30,
    ),
]

INVENTORY = ROOT / "inventories/lab-sites/hosts.yml"
REPORTS = ROOT / ".cache/sites"
SITES = {"north": ("db0", "db1", "db2"), "south": ("db3", "db4", "db5")}
PROXIES = {"north": "proxy", "south": "proxy1"}
EVERYONE = (*SITES["north"], *SITES["south"])
OTHER = {"north": "south", "south": "north"}


class Two:
    """Both sites, and playbooks on them."""

    def __init__(self, lab, password: str) -> None:
        self.lab, self.password = lab, password

    def play(self, name: str, *arguments: str, code: int | None = 0, timeout: float = 1800):
        path = "site.yml" if name == "site" else f"playbooks/{name}.yml"
        run = self.lab.site(
            "-i", str(INVENTORY), "-e", json.dumps({"mysql_gr_site_password": self.password}), *arguments, playbook=path, timeout=timeout
        )  # fmt: skip
        assert code is None or (run.code == 0) == (code == 0), run
        return run

    def writable(self, member: str) -> bool:
        return self.lab.sql(member, "SELECT @@super_read_only", check=False) == [["0"]]

    def writes(self) -> str:
        """The one site that takes writes."""
        found = {site for site, members in SITES.items() if any(map(self.writable, members))}
        assert len(found) == 1, found
        return found.pop()

    def whole(self, site: str) -> bool:
        return all(sorted(self.lab.view(member).values()) == ["ONLINE"] * 3 for member in SITES[site])

    def follows(self, site: str, seconds: float = 120) -> None:
        """A site has everything that the other one has now."""
        wanted = self.lab.executed(SITES[OTHER[site]][0])

        def there() -> bool:
            return all(
                self.lab.sql(member, f"SELECT GTID_SUBSET('{wanted}', @@GLOBAL.gtid_executed)", check=False) == [["1"]]
                for member in SITES[site]
            )

        wait_for(there, seconds, f"{site} has what the other site has")

    def proxy(self, site: str) -> str:
        return f"{self.lab.variable('proxy', 'proxysql_address').rpartition('.')[0]}.{129 if site == 'north' else 128}:6033"

    def both(self, first: str, patience: int) -> tuple[str, ...]:
        """Of a load whose clients know the proxies of both sites."""
        host, _colon, port = self.proxy(first).rpartition(":")
        return ("--host", host, "--port", port, "--also", self.proxy(OTHER[first]), "--patience", str(patience))

    def note(self, what: str, **figures) -> None:
        REPORTS.mkdir(parents=True, exist_ok=True)
        line = {"what": what, "at": int(time.time()), **figures}
        print(json.dumps(line), flush=True)
        with (REPORTS / "figures.jsonl").open("a") as out:
            out.write(json.dumps(line) + "\n")


@pytest.fixture(scope="module")
def two(lab):
    lab.command("lab/up", timeout=900, LAB_HOSTS=" ".join((*EVERYONE, "proxy", "proxy1")))
    run = lab.site("-i", str(INVENTORY), "--limit", "localhost,proxy1", playbook="lab/prepare.yml")
    assert run.code == 0, run
    found = Two(lab, secrets.token_hex(16))
    refused = found.play("site", "-e", "operations_cluster=north", code=1)
    assert "'south' is not allowed yet for north, which is blank" in refused.flat and not any(
        refused.changed.values()
    ), refused
    found.play("site", "-e", "operations_cluster=north", "-e", "mysql_gr_other_site=")
    found.play("site", "-e", "operations_cluster=north")
    found.play("standby_site", "-e", "operations_site=south")
    yield found
    for name in (*SITES["south"], "proxy1"):
        lab.command("lab/host", "remove", name)


def test_the_standby_has_everything_and_is_closed(two, lab):
    lab.sql(primary(two, "north"), "CREATE TABLE simkp.notes (id INT PRIMARY KEY); INSERT INTO simkp.notes VALUES (1)")
    two.follows("south")
    assert two.writes() == "north"
    assert all(lab.sql(member, "SELECT id FROM simkp.notes") == [["1"]] for member in EVERYONE)
    shown = two.play("status").output
    assert "replicates from" in shown and "0 transactions behind" in shown, shown


def primary(two, site: str) -> str:
    found = [member for member in SITES[site] if two.writable(member)]
    assert len(found) == 1, (site, found)
    return found[0]


def test_the_same_again_changes_nothing(two):
    run = two.play("standby_site", "-e", "operations_site=south")
    assert not any(run.changed.values()), run.what_changed
    checked = two.play("switch_site", "-e", "operations_site=south", "--check")
    assert two.writes() == "north", checked


def test_both_sites_have_their_proxies(two):
    """South's have their account at its members once south has written."""
    two.play("switch_site", "-e", "operations_site=south")
    two.play("site", "-e", "operations_cluster=south")
    two.play("switch_site", "-e", "operations_site=north")
    two.play("site")
    run = two.play("site")
    assert not any(run.changed.values()), run.what_changed
    assert two.writes() == "north"


def test_how_far_the_standby_is_behind_under_load(two, lab):
    load = Load(lab, "standby_lag", REPORTS)
    load.start()
    late = []
    end = time.monotonic() + 60
    while time.monotonic() < end:
        newest = lab.sql(SITES["south"][0], "SELECT UNIX_TIMESTAMP(NOW(6)) - MAX(at) FROM simkp.load_rows", check=False)
        if newest and newest[0][0] != "NULL":
            late.append(float(newest[0][0]))
        time.sleep(0.5)
    report = load.finish(60)
    two.follows("south")
    two.note(
        "lag",
        looks=len(late),
        median=round(statistics.median(late), 2),
        worst=round(max(late), 2),
        writes=report["acknowledged_writes"],
    )
    assert report["passed"] and late, report


def test_a_planned_switch_over_loses_nothing(two, lab, request):
    for number in range(2 * request.config.getoption("--runs")):
        old = two.writes()
        new = OTHER[old]
        load = Load(lab, f"switch-{number}", REPORTS)
        load.start(options=two.both(old, 60))
        run = two.play("switch_site", "-e", f"operations_site={new}")
        two.follows(old)
        report = load.finish(
            run.seconds,
            [new_address(lab, int(member[2:])) for member in SITES["south"]],
        )
        assert two.writes() == new and two.whole(old) and two.whole(new)
        two.note("switch", number=number, to=new, seconds=round(run.seconds, 1), gap=report["longest_gap"], failed=report["failed_statements"],
                 writes=report["acknowledged_writes"], lost=report["lost_rows"], same=report["same_transactions"] and report["checksums_agree"])  # fmt: skip
        assert not report["lost_rows"] and report["same_transactions"] and report["checksums_agree"], report


def test_fail_over_says_what_is_missing_and_the_old_site_comes_back_closed(two, lab, request):
    for number in range(request.config.getoption("--runs")):
        old = two.writes()
        new = OTHER[old]
        load = Load(lab, f"fail-over-{number}", REPORTS, host=PROXIES[new])
        load.start(options=two.both(old, 120))
        time.sleep(8)
        began = time.time()
        for member in SITES[old]:
            lab.command("lab/podman", "kill", "--signal", "KILL", member)
        word = (
            "-e",
            f"operations_site={new}",
            "-e",
            f"operations_give_up={old}",
            "--limit",
            f"{','.join(SITES[new])},localhost",
        )
        refused = two.play("fail_over_site", *word, code=1)
        assert f"confirm: '' is not allowed (allowed: {new}" in refused.flat, refused
        asked = time.time()
        run = two.play("fail_over_site", *word, "-e", f"confirm={new}")
        wait_for(lambda new=new: two.writes() == new, 30, f"{new} takes writes")
        time.sleep(5)
        load.stop()
        log = [
            json.loads(line) for line in lab.on(load.host, "cat", f"{DIRECTORY}/writes.jsonl", timeout=120).splitlines()
        ]
        written = {(one["client"], one["number"]) for one in log[1:] if one["kind"] == "write" and one["error"] is None}
        after = [
            log[0]["origin"] + one["end"]
            for one in log[1:]
            if one["kind"] == "write" and one["error"] is None and log[0]["origin"] + one["end"] > asked
        ]
        there = {
            (int(client), int(count))
            for client, count in lab.sql(
                SITES[new][0], f"SELECT client, number FROM simkp.load_rows WHERE run = '{log[0]['run']}'"
            )
        }
        missing = written - there
        # The old site is back: a group that takes no writes, before and after anybody looks at it.
        for member in SITES[old]:
            lab.command("lab/host", "start", member)
        two.play("recover", "-e", f"operations_cluster={old}")
        assert two.writes() == new
        extra = [line for member in SITES[old] for line in [subtract(two, member, SITES[new][0])] if line]
        back = two.play("standby_site", "-e", f"operations_site={old}", code=None)
        assert bool(extra) == bool(back.code), (extra, back)
        if back.code:
            # What it has alone is named; it is set up anew.
            assert "this site has transactions that" in back.flat, back
            for member in SITES[old]:
                lab.command("lab/host", "remove", member)
            lab.command("lab/up", timeout=900, LAB_HOSTS=" ".join(SITES[old]), LAB_PREPARE="0")
            two.play("standby_site", "-e", f"operations_site={old}")
        two.follows(old)
        first = min(after, default=None)
        two.note("fail over", number=number, to=new, seconds=round(run.seconds, 1), outage=first and round(first - began, 1),
                 after_the_word=first and round(first - asked, 1), writes=len(written), missing=len(missing), alone=len(extra))  # fmt: skip
        assert bool(missing) <= bool(extra), (len(missing), extra)
        assert two.writes() == new and two.whole(old) and two.whole(new)


def subtract(two, member: str, other: str) -> str:
    """What a member of one site has, and one of the other site has not."""
    text = two.lab.sql(member, f"SELECT GTID_SUBTRACT(@@GLOBAL.gtid_executed, '{two.lab.executed(other)}')")[0][0]
    return text.replace("\\n", "")
