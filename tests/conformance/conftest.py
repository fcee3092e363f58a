# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same tests against the stand-in of the lab and against a real ProxySQL.

Without options: the stand-in. With LAB_PROXYSQL_BIN (a program): that one too. With --proxysql-host: one that runs already, only.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import targets
from members import Forwarder, Group

OPTIONS = {
    # option: (default, meaning)
    "--proxysql-bin": (os.environ.get("LAB_PROXYSQL_BIN"), "a ProxySQL program to start and test beside the stand-in"),
    "--proxysql-host": (None, "test a ProxySQL that runs already; its configuration is cleared"),
    "--proxysql-admin-port": ("6032", "its admin port"),
    "--proxysql-port": ("6033", "its port for applications"),
    "--proxysql-admin-user": (os.environ.get("CONFORMANCE_ADMIN_USER", "radmin"), "an admin user allowed from here"),
    "--proxysql-admin-password": (os.environ.get("CONFORMANCE_ADMIN_PASSWORD", ""), "its password"),
    "--members": (
        os.environ.get("CONFORMANCE_MEMBERS"),
        "host:port,host:port,host:port of a live group as its members call themselves",
    ),
    "--member-sql": (
        os.environ.get("CONFORMANCE_MEMBER_SQL"),
        "command that runs the SQL of its standard input as root on {host}, {port} or {number}, tab-separated rows without a header",
    ),
    "--forward-address": ("127.0.0.1", "address of this machine that the proxy reaches"),
}
tested: dict = {}
counts: Counter = Counter()


def pytest_addoption(parser):
    group = parser.getgroup("conformance")
    for name, (default, text) in OPTIONS.items():
        group.addoption(name, default=default, help=text)


def pytest_configure(config):
    config.addinivalue_line("markers", "restarts: restarts the ProxySQL under test")
    config.addinivalue_line("markers", "members: needs live Group Replication members (--members, --member-sql)")


def pytest_generate_tests(metafunc):
    if "proxy_kind" in metafunc.fixturenames:
        option = metafunc.config.getoption
        kinds = ["given"] if option("--proxysql-host") else ["standin"] + ["proxysql"] * bool(option("--proxysql-bin"))
        metafunc.parametrize("proxy_kind", kinds, scope="session")


@pytest.fixture(scope="session")
def proxy_process(proxy_kind, request):
    option = request.config.getoption
    if proxy_kind == "standin":
        proxy = targets.standin()
    elif proxy_kind == "proxysql":
        proxy = targets.program(option("--proxysql-bin"))
    else:
        proxy = targets.Proxy(
            option("--proxysql-host"),
            int(option("--proxysql-admin-port")),
            int(option("--proxysql-port")),
            option("--proxysql-admin-user"),
            option("--proxysql-admin-password"),
        )
        proxy.version = proxy.value("SELECT version()")
    tested[proxy_kind] = proxy.version
    yield proxy
    if proxy_kind == "given":
        proxy.clear()
    proxy.stop()


@pytest.fixture
def proxy(proxy_process, request):
    """The ProxySQL under test with no configuration in any layer and the variables it came with."""
    if request.node.get_closest_marker("restarts") and not proxy_process.restartable:
        pytest.fail('a ProxySQL that runs already is not restarted by the suite; deselect with -m "not restarts"')
    proxy_process.clear()
    before = proxy_process.rows("SELECT variable_name, variable_value FROM global_variables")
    yield proxy_process
    proxy_process.close()
    changed = set()
    for layer in ("main.global_variables", "main.runtime_global_variables", "disk.global_variables"):
        changed |= set(before) ^ set(proxy_process.rows(f"SELECT variable_name, variable_value FROM {layer}"))
    for name, value in before if changed else ():
        text = value.replace("'", "''")
        proxy_process.run(f"INSERT OR REPLACE INTO global_variables VALUES ('{name}', '{text}')")
    for module in ("ADMIN VARIABLES", "MYSQL VARIABLES") if changed else ():
        proxy_process.run(f"LOAD {module} TO RUNTIME")
        proxy_process.run(f"SAVE {module} TO DISK")


@pytest.fixture(scope="session")
def group(request):
    """The live group, with accounts of the suite's own."""
    members, command = request.config.getoption("--members"), request.config.getoption("--member-sql")
    if not members or not command:
        pytest.fail('these tests need --members and --member-sql; deselect them with -m "not members"')
    found = Group(members.split(","), command)
    assert found.online() == len(found.members) == 3, "the group must have three members, all ONLINE"
    found.prepare()
    yield found
    found.remove()


@pytest.fixture
def forwarder(group, request):
    """Makes forwarders to members."""
    made = []

    def make(member):
        made.append(Forwarder(member, request.config.getoption("--forward-address")))
        return made[-1]

    yield make
    for one in made:
        one.freeze(False)
        one.refuse()


def pytest_runtest_setup(item):
    if "proxy_kind" in item.fixturenames:
        item.user_properties.append(("proxy_kind", item.callspec.params["proxy_kind"]))


def pytest_runtest_logreport(report):
    kind = dict(report.user_properties).get("proxy_kind")
    if kind and (report.when == "call" or report.outcome != "passed"):
        counts[kind, report.outcome] += 1


def pytest_terminal_summary(terminalreporter):
    for kind, version in tested.items():
        numbers = ", ".join(f"{number} {outcome}" for (k, outcome), number in sorted(counts.items()) if k == kind)
        terminalreporter.write_line(f"conformance of {kind} {version}: {numbers}")
