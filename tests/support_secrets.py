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
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from support import ROOT

# The control node, among hosts.
HERE = "control node"
# Where programs leave temporary files; /root/.ansible is Ansible's.
ON_HOSTS = ["/tmp", "/var/tmp", "/dev/shm", "/root"]
# Where passwords are kept on purpose, for root and one service only. MySQL keeps the password of the recovery channel in a table of its own schema.
KEPT = {
    "db": r"/etc/mysql-gr-(wait\.json|leave\.cnf|guard\.json)|/run/mysql-gr\.loaded"
    r"|/var/lib/mysql/(mysql\.ibd|undo_\d+|ibdata1|ib_logfile\d+|#innodb_redo/[^/]+|#ib_\d+_\d+\.dblwr)",
    "proxy": r"/var/lib/proxysql/[^/]+|/etc/proxysql-address-check\.json",
}

# Runs until its standard input ends; the first line of that is JSON: texts (name by text), parent (of processes that did not begin from this one, nothing
# is said; 0: of all), folders and since (of files that changed before, nothing is said). Tells where the texts stood in command lines and environments of
# processes, and in files that others could read, as [name, kind, process or file].
WATCH = r"""
import json, os, select, stat, sys, threading, time
wish = json.loads(sys.stdin.readline())
needles = {text.encode(): name for text, name in wish["texts"].items()}
seen, known = set(), set()
def read(path):
    try:
        with open(path, "rb") as source:
            return source.read()
    except OSError:
        return b""
def mode(path):
    try:
        facts = os.lstat(path)
        return facts.st_mode, facts.st_ctime
    except OSError:
        return 0, 0
def look(kind, words, where):
    seen.update((name, kind, where()) for text, name in needles.items() if text in words)
parents = {}
def processes():
    there = {int(name) for name in os.listdir("/proc") if name.isdigit()} - {os.getpid()}
    for gone in set(parents) - there:
        del parents[gone]
    for new in there - set(parents) if wish["parent"] else ():
        words = read("/proc/%d/stat" % new).rpartition(b")")[2].split()
        parents[new] = int(words[1]) if words else 0
    for one in there:
        begin = one
        while begin and begin != wish["parent"]:
            begin = parents.get(begin, 0)
        if begin == wish["parent"]:
            yield one
def files():
    while True:
        for top in wish["folders"]:
            for folder, folders, names in os.walk(top):
                # Where others cannot get in they can read nothing.
                if not mode(folder)[0] & 0o001:
                    folders[:] = []
                    continue
                for path in (os.path.join(folder, name) for name in names):
                    bits, changed = mode(path)
                    if stat.S_ISREG(bits) and bits & 0o004 and changed >= wish["since"] and (path, changed) not in known:
                        known.add((path, changed))
                        look("file", read(path), lambda: path)
        time.sleep(0.2)
threading.Thread(target=files, daemon=True).start()
print("watching", flush=True)
while not select.select([sys.stdin], [], [], 0.03 if wish["parent"] else 0.01)[0]:
    for one in processes():
        for kind in ("cmdline", "environ"):
            look(kind, read("/proc/%d/%s" % (one, kind)), lambda: read("/proc/%d/comm" % one).decode().strip())
print(json.dumps(sorted(list(seen))), flush=True)
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
    """While the context lasts: where these texts are in processes and in files that others can read, on hosts, and here in what this process has started
    (HERE). By host, known when the context is over."""
    commands = {host: ["lab/podman", "exec", "-i", host, "python3", "-c", WATCH] for host in hosts}
    commands[HERE] = [sys.executable, "-c", WATCH]
    watchers = {}
    for host, command in commands.items():
        folders = [str(Path.home() / ".ansible"), tempfile.gettempdir(), "/dev/shm"] if host == HERE else ON_HOSTS
        wish = {
            "texts": texts,
            "parent": os.getpid() if host == HERE else 0,
            "folders": folders,
            "since": time.time() - 1,
        }
        watchers[host] = subprocess.Popen(
            command, cwd=ROOT, env=lab.env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        watchers[host].stdin.write(json.dumps(wish) + "\n")
        watchers[host].stdin.flush()
        assert watchers[host].stdout.readline() == "watching\n"
    seen: dict = {}
    try:
        yield seen
    finally:
        for host, watcher in watchers.items():
            output, _nothing = watcher.communicate("end\n", timeout=60)
            seen[host] = [tuple(entry) for entry in json.loads(output)]


def stray(found, kept: str) -> list:
    """Of places where a secret was found, those that are not for it, and those that others can read."""
    return [entry for entry in found if not re.fullmatch(kept, entry[1]) or not entry[2] or int(entry[2], 8) & 0o007]


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
