# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where on hosts and on the control node a text stands: processes while something runs, files, journals.

The texts go by standard input, never by a command line. What is found is told by the text's name.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support import ROOT

# Runs on a host until its standard input ends; the first line of that is JSON, name by text. Tells where they stood in the command lines and environments
# of processes, as [name, kind, process].
WATCH = r"""
import glob, json, os, select, sys
needles = {text.encode(): name for text, name in json.loads(sys.stdin.readline()).items()}
print("watching", flush=True)
seen = set()
while not select.select([sys.stdin], [], [], 0.01)[0]:
    for path in glob.glob("/proc/[0-9]*"):
        if path == "/proc/%d" % os.getpid():
            continue
        for kind in ("cmdline", "environ"):
            try:
                # Of root's processes the environment is root's alone.
                if kind == "environ" and os.stat(path).st_uid == 0:
                    continue
                with open(path + "/" + kind, "rb") as source:
                    words = source.read()
                if any(text in words for text in needles):
                    with open(path + "/comm") as source:
                        seen |= {(name, kind, source.read().strip()) for text, name in needles.items() if text in words}
            except OSError:
                continue
print(json.dumps(sorted(seen)), flush=True)
"""

# Runs on a host; its standard input is JSON: texts (name by text) and since (of files that changed before, nothing is said). Tells in which files and
# journals they stand, as [name, place, mode].
SEARCH = r"""
import json, os, stat, subprocess, sys
wish = json.load(sys.stdin)
needles = {text.encode(): name for text, name in wish["texts"].items()}
longest = max(map(len, needles))
def look(source):
    found, rest = set(), b""
    while True:
        block = source.read(1 << 22)
        if not block:
            return found
        rest += block
        found |= {name for text, name in needles.items() if text in rest}
        rest = rest[-longest:]
seen = []
for top in wish["below"]:
    for folder, folders, files in os.walk(top):
        folders[:] = [f for f in folders if os.path.join(folder, f) not in wish["apart"]]
        for name in files:
            path = os.path.join(folder, name)
            try:
                facts = os.lstat(path)
                if stat.S_ISREG(facts.st_mode) and facts.st_ctime >= wish["since"]:
                    with open(path, "rb") as source:
                        seen += [[n, path, "%04o" % (facts.st_mode & 0o7777)] for n in look(source)]
            except OSError:
                continue
if wish["journal"]:
    with subprocess.Popen(["journalctl", "--no-pager", "--all", "--output=export"], stdout=subprocess.PIPE) as journal:
        seen += [[n, "journal", ""] for n in look(journal.stdout)]
print(json.dumps(sorted(seen)))
"""


@contextlib.contextmanager
def watched(lab, hosts, texts: dict[str, str]) -> Iterator[dict]:
    """Watch the processes of hosts for texts (name by text); gives a dict that holds, by host, what was seen when the block is over."""
    watchers = {}
    for host in hosts:
        watchers[host] = subprocess.Popen(
            ["lab/podman", "exec", "-i", host, "python3", "-c", WATCH], cwd=ROOT, env=lab.env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        watchers[host].stdin.write(json.dumps(texts) + "\n")
        watchers[host].stdin.flush()
        assert watchers[host].stdout.readline() == "watching\n"
    seen: dict = {}
    try:
        yield seen
    finally:
        for host, watcher in watchers.items():
            output, _nothing = watcher.communicate("end\n", timeout=60)
            seen[host] = [tuple(entry) for entry in json.loads(output)]


def search_host(lab, host: str, texts: dict[str, str], since: float) -> list[tuple[str, str, str]]:
    """(name, path or journal, mode) of every place on a host, also in its mounted tmpfs, of which the file changed since then."""
    wish = json.dumps(
        {"texts": texts, "since": since, "below": ["/"], "apart": ["/proc", "/sys", "/dev"], "journal": True}
    )
    done = subprocess.run(
        ["lab/podman", "exec", "-i", host, "python3", "-c", SEARCH], cwd=ROOT, env=lab.env, text=True, input=wish,
        stdout=subprocess.PIPE, timeout=300, check=True,
    )  # fmt: skip
    return [tuple(entry) for entry in json.loads(done.stdout)]


def search_here(
    folders: list[Path], apart: list[Path], texts: dict[str, str], since: float
) -> list[tuple[str, str, str]]:
    """The same for folders of the control node, without those that are apart."""
    wish = json.dumps(
        {
            "texts": texts,
            "since": since,
            "below": [str(f) for f in folders if f.exists()],
            "apart": [str(f) for f in apart],
            "journal": False,
        }
    )
    done = subprocess.run(
        ["python3", "-c", SEARCH], text=True, input=wish, stdout=subprocess.PIPE, timeout=300, check=True,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    return [tuple(entry) for entry in json.loads(done.stdout)]
