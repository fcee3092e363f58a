# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of docs/reference/hardening.md beside the option file that the role writes, and beside mysql_gr_hardening."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_hardening import gr_hardening
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.hardening import PROTECTIONS, hardening_problems
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.option_lines import option_lines

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("What the hardening table calls met is what the role's option file leaves or writes."),
]

ROOT = Path(__file__).resolve().parents[4]
PAGE = (ROOT / "docs" / "reference" / "hardening.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("## Points")[2].splitlines()
    if line.startswith("|")
][2:]
DEFAULTS = yaml.safe_load((ROOT / "roles" / "mysql_gr" / "defaults" / "main.yml").read_text())
VARS = yaml.safe_load((ROOT / "roles" / "mysql_gr" / "vars" / "main.yml").read_text())
VERSIONS = ("8.0.30", "8.4.8", "9.7.4")


def given(template: object) -> object:
    """The value of a setting that is a default variable by itself, also as a truth value; None where it is made from more."""
    found = re.fullmatch(r"{{ (mysql_gr_\w+)(?: \| bool)? }}", str(template))
    value = DEFAULTS.get(found[1]) if found else template
    return None if isinstance(value, str) and "{{" in value else value


def written(version: str) -> dict[str, str]:
    """What the role writes with its defaults, as far as the hosts do not matter."""
    strict = {name: given(value) for name, value in VARS["_mysql_gr_strict"].items()}
    preferred = {name: given(value) for name, value in VARS["_mysql_gr_preferred"].items()}
    extra = {
        **VARS["_mysql_gr_machines"]["standard"]["extra"],
        **gr_hardening(DEFAULTS["mysql_gr_hardening"], ["mysql_clone.so"]),
        **DEFAULTS["mysql_gr_settings"],
    }
    lines = (line.removeprefix("loose-").partition(" = ") for line in option_lines(version, strict, preferred, extra))
    return {name: value for name, _equals, value in lines}


def test_every_row_has_a_state_and_says_how():
    assert len(ROWS) > 30 and {row[2] for row in ROWS} == {"met", "settable", "refused"}
    assert all(len(row) == 4 and all(row) for row in ROWS)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_met_is_written_or_left_as_it_is(version):
    lines = written(version)
    values = [
        (name, value, how)
        for _point, _source, state, how in ROWS
        if state == "met"
        for name, value in re.findall(r"`(\w+) = ([^`]+)`", how)
    ]
    assert len(values) >= 7
    for name, value, how in values:
        assert lines.get(name) == (value if "written by the role" in how else None), name
    for name in (
        "secure_file_priv",
        "sql_mode",
        "skip_grant_tables",
        "allow_suspicious_udfs",
        "require_secure_transport",
    ):
        assert name not in lines


def test_what_is_settable_by_name_is_what_the_role_has():
    named = set(re.findall(r"mysql_gr_hardening: \[(\w+)\]", PAGE))
    assert named == set(PROTECTIONS)
    specs = yaml.safe_load((ROOT / "roles" / "mysql_gr" / "meta" / "argument_specs.yml").read_text())
    assert specs["argument_specs"]["main"]["options"]["mysql_gr_hardening"]["choices"] == list(PROTECTIONS)


@pytest.mark.parametrize("version", VERSIONS)
def test_protections_are_written(version):
    text = "\n".join(option_lines(version, {}, None, gr_hardening(list(PROTECTIONS), ["mysql_clone.so"])))
    assert 'plugin_load_add = "mysql_clone.so;validate_password.so;connection_control.so"' in text
    assert "require_secure_transport = ON" in text and "password_history = 5" in text
    assert (
        "loose-validate_password_policy = MEDIUM" in text
        and "loose-connection_control_failed_connections_threshold = 5" in text
    )
    # Without them the file is what it was, so that no member is restarted for nothing.
    assert gr_hardening([], ["mysql_clone.so"]) == {"plugin_load_add": "mysql_clone.so"}
    assert gr_hardening([], [""]) == {"plugin_load_add": None}
    # The user's value counts.
    own = {**gr_hardening(["password_history"], []), "password_history": 9}
    assert "password_history = 9" in option_lines(version, {}, None, own)


@pytest.mark.parametrize(
    ("names", "settings", "sentence"),
    [
        ("validate_password", {}, "mysql_gr_hardening: 'validate_password' is not allowed (allowed: a list of require_secure_transport, "),
        (["audit"], {}, "mysql_gr_hardening: 'audit' is not allowed (allowed: require_secure_transport, "),
        (["connection_control"], {"plugin-load-add": "x.so"}, "connection_control loads a plugin, and so does plugin_load_add of mysql_gr_settings"),
        (["password_history"], {"plugin_load_add": "x.so"}, ""),
        (list(PROTECTIONS), {}, ""),
    ],
)  # fmt: skip
def test_protections_that_cannot_be_are_refused(names, settings, sentence):
    problems = hardening_problems(names, settings)
    assert sentence in " ".join(problems) and bool(problems) is bool(sentence)
