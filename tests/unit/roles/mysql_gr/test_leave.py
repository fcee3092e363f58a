# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a member does before systemd stops its server: in which order, and what keeps it from doing it."""

from __future__ import annotations

import sys

import pytest

READ_ONLY, STOP = "SET GLOBAL super_read_only = ON", "STOP GROUP_REPLICATION"


@pytest.fixture(name="leaving")
def fixture_leaving(role_program):
    return role_program("mysql_gr/files/leave.py")


class Server:
    """Answers as a member would; its clock goes on only when somebody waits."""

    def __init__(self, module, here=1, others=2, refused_until=0.0, fails=()):
        self.module, self.here, self.others, self.refused_until, self.fails = module, here, others, refused_until, fails
        self.asked, self.now = [], 0.0

    def ask(self, statement):
        if statement in self.fails:
            raise OSError("no answer")
        self.asked.append((self.now, statement))
        if statement == self.module.STATE:
            return (self.here, self.others)
        if statement == self.module.FAILED:
            return (int(min(self.now, self.refused_until) * 100),)
        return None

    def pause(self, seconds):
        self.now += seconds

    def leave(self):
        return self.module.leave(self.ask, clock=lambda: self.now, pause=self.pause)

    def at(self, statement):
        return [when for when, asked in self.asked if asked == statement]


def test_it_is_read_only_until_nobody_writes_then_leaves(leaving):
    server = Server(leaving, refused_until=0.75)
    assert server.leave() == "left the group"
    assert server.at(READ_ONLY) == [0.0]
    assert server.at(STOP)[0] == pytest.approx(0.8 + leaving.CALM, abs=0.11)


def test_clients_that_never_stop_writing_are_not_waited_for_any_longer(leaving):
    server = Server(leaving, refused_until=1e9)
    assert server.leave() == "left the group"
    assert server.at(STOP)[0] == pytest.approx(leaving.PATIENCE, abs=0.11)


@pytest.mark.parametrize(("here", "others", "says"), [(0, 2, "nothing to leave"), (1, 0, "last ONLINE member")])
def test_nothing_is_done_where_it_is_in_no_group_or_alone(leaving, here, others, says):
    server = Server(leaving, here=here, others=others)
    assert says in server.leave()
    assert [statement for _when, statement in server.asked] == [leaving.STATE]


def test_it_leaves_even_if_it_cannot_be_made_read_only(leaving, capsys):
    server = Server(leaving, fails=[READ_ONLY])
    assert server.leave() == "left the group"
    assert server.at(STOP) == [0.0]
    assert "not made read-only first: no answer" in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_said_and_does_not_count(leaving, capsys, monkeypatch):
    class Refusing:
        @staticmethod
        def connect(**_options):
            raise OSError("no such socket")

    monkeypatch.setitem(sys.modules, "pymysql", Refusing)
    monkeypatch.setenv("MAINPID", "4711")
    leaving.main("/etc/mysql-gr-leave.cnf")
    assert "not left before the stop: no such socket" in capsys.readouterr().err


def test_a_server_that_has_ended_by_itself_is_not_asked(leaving, capsys, monkeypatch):
    monkeypatch.delenv("MAINPID", raising=False)
    leaving.main("/etc/mysql-gr-leave.cnf")
    assert capsys.readouterr() == ("", "")
