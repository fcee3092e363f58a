# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unmodified applications work on the cluster as on a single server, also while members are restarted or killed."""

from __future__ import annotations

import threading
import time

import pytest
from applications import APPLICATIONS
from support import kill_tree, wait_for

pytestmark = [
    pytest.mark.applications,
    pytest.mark.claim(
        "Laravel's and Django's database layers and sysbench run without an error, also while members restart;"
        " while the writer is killed, with the repetition that they have."
    ),
]

every = pytest.mark.parametrize("name", APPLICATIONS)


def report(name: str, results: list) -> None:
    good = sum(result.code == 0 for result in results)
    print(f"{name}: {good} of {len(results)} runs without an error, {sum(result.retries for result in results)} retries")
    bad = [result for result in results if result.code]
    assert not bad, "\n".join(result.output for result in bad)


@every
def test_without_an_error(client, runs, name):
    results = [APPLICATIONS[name](client) for _number in range(runs)]
    report(name, results)


@every
def test_while_members_restart(lab, client, runs, name):
    """Runs until each was beside a restart of all members, one after the other."""
    results = []
    while len(results) < runs:
        playbook = lab.start(playbook="playbooks/rolling_restart.yml")
        output = []
        # Read all the time, or the playbook stands still when the pipe is full.
        reader = threading.Thread(target=lambda process=playbook: output.append(process.stdout.read()), daemon=True)
        reader.start()
        try:
            while playbook.poll() is None:
                results.append(APPLICATIONS[name](client))
        finally:
            if playbook.poll() is None:
                kill_tree(playbook)
            reader.join()
        assert playbook.returncode == 0, output[0][-6000:]
    report(f"{name}, beside a rolling restart", results)
    lab.one_group()


@every
def test_while_the_writer_is_killed(lab, client, runs, name):
    results = []
    for _number in range(runs):
        started = lab.started()
        # The members' restart counters: five within ten seconds, and systemd gives up.
        victim = client.writer()
        fault = threading.Timer(8, lambda one=victim: lab.on(one, "systemctl", "kill", "--signal=KILL", "mysql"))
        fault.start()
        began = time.monotonic()
        results.append(APPLICATIONS[name](client, seconds=30, patient=True))
        fault.join()
        assert results[-1].code or time.monotonic() - began > 25, "the application ended before the fault"
        wait_for(lambda: sorted(lab.view("db0").values()) == ["ONLINE"] * 3, 180, "three ONLINE members", every=1)
        lab.one_group()
        again = lab.started()
        assert [member for member in lab.members if again[member] != started[member]] == [victim]
    report(f"{name}, the writer killed", results)
