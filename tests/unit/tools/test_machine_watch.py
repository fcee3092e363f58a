# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine cost while something was measured on it."""

from __future__ import annotations

import importlib.util
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def watch(monkeypatch):
    spec = importlib.util.spec_from_file_location("machine_watch", ROOT / "tools/machine_watch.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "machine_watch", module)
    spec.loader.exec_module(module)
    return module


def test_the_kernels_accounts(watch):
    text = (
        "some avg10=0.02 avg60=0.57 avg300=0.52 total=3869190\nfull avg10=0.00 avg60=0.08 avg300=0.26 total=2698118\n"
    )
    assert watch.account(text, "full") == 2.698118
    assert watch.account(text, "some") == 3.86919
    assert watch.account("", "full") == 0.0


def test_a_write_that_only_overlaps_counts_with_its_whole_time(watch):
    samples = [
        watch.Sample(10.0, 0.0, 0.01, 1.0, 0.0),
        watch.Sample(10.1, 0.03, 0.91, 1.8, 0.1),
        watch.Sample(11.1, 0.0, 0.01, 1.8, 0.2),
    ]
    slow = {"longest_sync": 0.91, "latest_wakeup": 0.03, "disk_waited": 0.8, "core_waited": 0.1}
    assert watch.meanwhile(samples, 10.5, 10.8) == slow
    quick = {"longest_sync": 0.01, "latest_wakeup": 0.0, "disk_waited": 0.0, "core_waited": 1.0}
    assert watch.meanwhile(samples, 11.05, 12.0) == quick


def test_nothing_seen_is_nothing_said(watch):
    assert watch.meanwhile([], 0.0, 1.0) == {}
    assert watch.meanwhile([watch.Sample(10.0, 0.0, 0.01, 1.0, 0.0)], 11.0, 12.0) == {}


def test_it_writes_until_it_is_stopped_and_leaves_nothing(watch, tmp_path, monkeypatch):
    slow = threading.Event()

    def fsync(descriptor):
        slow.wait(0.2 if not slow.is_set() else 0)
        slow.set()

    monkeypatch.setattr(watch.os, "fsync", fsync)
    with watch.MachineWatch(tmp_path) as running:
        assert slow.wait(10)
        while len(running.samples) < 3:
            running.stopped.wait(0.01)
    assert running.samples[0].took >= 0.2 > running.samples[-1].took
    assert not running.is_alive()
    assert list(tmp_path.iterdir()) == []
