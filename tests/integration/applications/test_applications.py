# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unmodified applications work on the cluster as on a single server, also while members are restarted or killed."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from applications import APPLICATIONS
from support import wait_for

pytestmark = [
    pytest.mark.applications,
    pytest.mark.claim(
        "Laravel's and Django's database layers and sysbench run without an error, also while members restart; Laravel's and Django's"
        " while the writer is killed, too, with the repetition that their worlds have."
    ),
]

# Seconds between two runs of an application beside a restart.
PAUSE = 5

every = pytest.mark.parametrize("name", APPLICATIONS)


def whole(view: dict) -> bool:
    return sorted(view.values()) == ["ONLINE"] * 3


def report(name: str, results: list) -> None:
    good = sum(result.code == 0 for result in results)
    print(
        f"{name}: {good} of {len(results)} runs without an error, {sum(result.retries for result in results)} retries"
    )
    bad = [result for result in results if result.code]
    assert not bad, "\n".join(result.output for result in bad)


@every
def test_without_an_error(client, runs, name):
    results = [APPLICATIONS[name](client) for _number in range(runs)]
    report(name, results)
    assert name == "sysbench" or not any(result.retries for result in results)


@every
def test_while_members_restart(lab, client, runs, name):
    """Runs until each was beside a restart of all members, one after the other."""
    results = []
    with ThreadPoolExecutor(1) as pool:
        while len(results) < runs:
            playbook = pool.submit(lab.site, playbook="playbooks/rolling_restart.yml", timeout=1800)
            while not playbook.done():
                results.append(APPLICATIONS[name](client))
                # A member that has restarted is to catch up with what all members write, on disks that they share here.
                time.sleep(PAUSE)
            assert playbook.result().code == 0
    report(f"{name}, beside a rolling restart", results)
    lab.one_group()


# Not sysbench: version 1.0 crashes where it connects again.
@pytest.mark.parametrize("name", [name for name in APPLICATIONS if name != "sysbench"])
def test_while_the_writer_is_killed(lab, client, runs, name):
    results = []
    for _number in range(runs):
        started = lab.started()
        victim = client.writer()
        fault = threading.Timer(8, lambda one=victim: lab.on(one, "systemctl", "kill", "--signal=KILL", "mysql"))
        fault.start()
        began = time.monotonic()
        results.append(APPLICATIONS[name](client, seconds=30, patient=True))
        fault.join()
        assert results[-1].code or time.monotonic() - began > 25, "the application ended before the fault"
        wait_for(lambda: all(whole(lab.view(member)) for member in lab.members), 180, "three ONLINE members", every=1)
        lab.one_group()
        again = lab.started()
        assert [member for member in lab.members if again[member] != started[member]] == [victim]
    report(f"{name}, the writer killed", results)
