# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one end of a module."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import AddressError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, conclude


class Ended(Exception):
    """A module ends by leaving the process; here by this."""


class Module:
    def exit_json(self, **result):
        raise Ended("exit", result)

    def fail_json(self, **result):
        raise Ended("fail", result)


def end_of(run, **options):
    with pytest.raises(Ended) as ended:
        conclude(Module(), run, **options)
    return ended.value.args


def refuse(error):
    def run():
        raise error

    return run


def test_a_result():
    assert end_of(lambda: {"changed": True}) == ("exit", {"changed": True})


@pytest.mark.parametrize("error", [Refusal("no"), AddressError("no"), ServerError("no", 1045)])
def test_every_refusal_is_one_sentence(error):
    assert end_of(refuse(error)) == ("fail", {"msg": "no"})


def test_what_was_known_travels_with_the_refusal():
    found = end_of(
        refuse(Refusal("no", error_log=["x"])), so_far=lambda refusal: {"reason": str(refusal), "error_log": []}
    )
    assert found == ("fail", {"msg": "no", "reason": "no", "error_log": ["x"]})


def test_anything_else_is_a_fault_of_the_collection():
    with pytest.raises(ZeroDivisionError):
        conclude(Module(), lambda: {"x": 1 // 0})


def test_a_missing_library_is_named_before_anything_is_done():
    kind, result = end_of(refuse(AssertionError("was run")), pymysql_error="Traceback …")
    assert kind == "fail" and "PyMySQL" in result["msg"] and result["exception"] == "Traceback …"
