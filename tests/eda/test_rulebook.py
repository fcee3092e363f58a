# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rulebook in a real ansible-rulebook: an alert is posted as Alertmanager does it, and the collection's playbooks run.

There is no cluster here: recover is replaced by a playbook that records its runs and ends as the test says. What it rehearses with, and how the cluster
is found, is the collection's own.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from support import ROOT, wait_for

TOOLS = Path(os.environ.get("EDA_TOOLS", ROOT / ".cache/eda/bin"))


def missing() -> str:
    if not (TOOLS / "ansible-rulebook").exists():
        return f"there is no {TOOLS}/ansible-rulebook; make eda installs it, and EDA_TOOLS names another folder"
    return "" if shutil.which("java") else "ansible-rulebook needs Java 17 or newer (openjdk-17-jre-headless)"


pytestmark = [
    pytest.mark.eda,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.claim(
        "An alert that says so is answered by recover in check mode, and by recover where that would change something; everything else stays with an operator.",
        minutes=1,
    ),
]

TOKEN = "a-token-for-this-test"
RECOVER = """
- name: Instead of recover
  hosts: all
  gather_facts: false
  tasks:
    - name: Record the run
      ansible.builtin.lineinfile:
        path: "{{ lookup('env', 'STUB_FOLDER') }}/runs"
        line: "{{ ansible_check_mode | ternary('check', 'run') }} {{ [operations_cluster] | flatten | first }}"
        create: true
        mode: "0600"
      check_mode: false
      delegate_to: localhost
      run_once: true
      changed_when: outcome == 'changes'
    - name: Refuse
      ansible.builtin.fail:
        msg: no declared member is known to be in a group, but db1 did not answer
      when: outcome == 'refused'
  vars:
    outcome: "{{ lookup('file', lookup('env', 'STUB_FOLDER') ~ '/outcome') }}"
"""
MEMBERS = {
    "alpha": {"db0": "192.0.2.130", "db1": "192.0.2.131"},
    "beta": {"db3": "192.0.2.133"},
    "delta": {"db4": "192.0.2.134"},
}


def alert(cluster: str, status: str = "firing", **labels: str) -> dict:
    return {"status": status, "labels": {"alertname": "MemberNotOnline", "answer": "recover", "cluster": cluster, **labels}, "annotations": {}}  # fmt: skip


class Rulebook:
    """A running ansible-rulebook, and what it was made to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        place = folder / "collections/ansible_collections/distdb/mysql_ha"
        for name in ("galaxy.yml", "meta", "playbooks", "plugins", "extensions"):
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, self.made(place / name))
        (place / "playbooks/recover.yml").write_text(RECOVER)
        groups = {
            name: {
                "hosts": {host: {"mysql_gr_address": address} for host, address in hosts.items()},
                "vars": {"mysql_gr_inventory_group": name},
            }
            for name, hosts in MEMBERS.items()
        }
        inventory = {"all": {"children": {"mysql_gr": {"children": groups}}}}
        self.made(folder / "inventory/hosts.yml").write_text(yaml.safe_dump(inventory))
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"],
            cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        variables = {
            "mysql_ha_webhook_port": self.port, "mysql_ha_webhook_token": TOKEN,
            "mysql_ha_webhook_certificate": str(folder / "cert.pem"), "mysql_ha_webhook_key": str(folder / "key.pem"),
        }  # fmt: skip
        (folder / "vars.yml").write_text(yaml.safe_dump(variables))
        # The collections that this one depends on.
        others = next((TOOLS.parent / "lib").glob("python3*")) / "site-packages"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        environment.update(
            PATH=f"{TOOLS}:{os.environ['PATH']}", STUB_FOLDER=str(folder), ANSIBLE_NOCOLOR="1",
            ANSIBLE_COLLECTIONS_PATH=f"{folder / 'collections'}:{others}",
        )  # fmt: skip
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [TOOLS / "ansible-rulebook", "--rulebook", "distdb.mysql_ha.recover", "--inventory", "inventory", "--vars", "vars.yml"],
                cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.trust = ssl.create_default_context(cafile=str(folder / "cert.pem"))
        wait_for(self.listens, 120, "the rulebook listens")

    @staticmethod
    def made(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def listens(self) -> bool:
        assert self.process.poll() is None, self.said()
        with socket.socket() as there:
            return there.connect_ex(("127.0.0.1", self.port)) == 0

    def said(self) -> str:
        return self.log.read_text()

    def post(self, *alerts: dict, token: str = TOKEN) -> int:
        """As Alertmanager does; the status."""
        request = urllib.request.Request(
            f"https://localhost:{self.port}/alerts", json.dumps({"status": "firing", "alerts": alerts}).encode(),
            {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, context=self.trust, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def outcome(self, name: str) -> None:
        (self.folder / "outcome").write_text(name)

    def runs(self, cluster: str) -> list[str]:
        """What recover was called for: check or run, in order."""
        path = self.folder / "runs"
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [kind for kind, name in lines if name == cluster]

    def until(self, sentence: str) -> None:
        wait_for(lambda: sentence in " ".join(self.said().split()), 180, f"the rulebook says: {sentence}")


@pytest.fixture(scope="module")
def rulebook(tmp_path_factory):
    running = Rulebook(tmp_path_factory.mktemp("eda"))
    yield running
    running.process.terminate()
    try:
        running.process.wait(60)
    except subprocess.TimeoutExpired:
        running.process.kill()
    print(running.said())


def test_only_who_knows_the_token_is_heard(rulebook):
    rulebook.outcome("changes")
    assert rulebook.post(alert("alpha"), token="") == 401
    assert rulebook.post(alert("alpha"), token="another") == 401
    assert rulebook.runs("alpha") == []


def test_what_is_no_request_or_no_name_is_not_answered_and_one_that_is_both_is(rulebook):
    """The last one of the group is answered, so the others were looked at before."""
    rulebook.outcome("refused")
    owned = rulebook.folder / "owned"
    others = [
        alert("beta", status="resolved"),
        alert("beta", answer="page"),
        alert("{{ lookup('ansible.builtin.pipe', 'touch FILE') }}".replace("FILE", str(owned))),
        alert("beta\n{{ 1 }}"),
        {"status": "firing", "labels": {"alertname": "Disk"}},
    ]
    assert rulebook.post(*others, alert("alpha")) == 200
    rulebook.until(
        "alpha: an operator has to decide: no declared member is known to be in a group, but db1 did not answer"
    )
    assert rulebook.runs("alpha") == ["check"]
    assert rulebook.runs("beta") == [] and not owned.exists()
    assert "touch" not in rulebook.said()


def test_an_alert_that_comes_again_is_answered_once_in_five_minutes(rulebook):
    rulebook.outcome("changes")
    assert rulebook.post(alert("alpha", instance="db1")) == 200
    assert rulebook.post(alert("beta")) == 200
    wait_for(lambda: rulebook.runs("beta") == ["check", "run"], 180, "beta is recovered after it was rehearsed")
    assert rulebook.runs("alpha") == ["check"]


def test_where_nothing_would_change_recover_is_not_run(rulebook):
    rulebook.outcome("nothing")
    assert rulebook.post(alert("delta")) == 200
    rulebook.until("delta: recover has nothing to do; the alert has another cause.")
    assert rulebook.runs("delta") == ["check"]


def test_a_cluster_that_is_not_in_the_inventory_is_refused(rulebook):
    assert rulebook.post(alert("gamma")) == 200
    rulebook.until("operations_cluster: 'gamma' is not allowed (allowed: alpha, beta, delta)")
    assert rulebook.runs("gamma") == []


def test_it_still_listens(rulebook):
    """A rulebook whose action failed goes on."""
    assert rulebook.listens()
