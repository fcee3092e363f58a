# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of backups and settings of the program: what is taken, and what is refused with one sentence."""

from __future__ import annotations

import json

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import (
    Full,
    ManifestError,
    Piece,
    Segment,
    Timeline,
    from_json,
    to_json,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import read_settings, settings_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from backup_records import GROUP, SETTINGS, full, segment

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("A record of a backup that is cut off, changed, or of a later version is not believed."),
]

RECORDS = [
    full("20261127T170000Z-db2", f"{GROUP}:1-9"),
    full("a", "", pieces=[Piece("piece-0001.tar.zst", 1, "0" * 64, 2, ["ibdata1"])], tables={"shop.t": (3, None), "shop.u": (4, 77)}),
    segment("1" * 8 + "-1111-1111-1111-111111111111", 12, "", f"{GROUP}:1-9", first=1.5, last=2.5),
    Timeline("shop", GROUP, 2, 1795738742.0, 1, f"{GROUP}:1-7"),
]  # fmt: skip


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_comes_back_as_it_was(record):
    assert from_json(to_json(record), type(record)) == record
    assert to_json(record).count("\n") == 1


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_that_is_cut_off_anywhere_is_not_believed(record):
    text = to_json(record).rstrip("\n")
    for length in range(len(text)):
        with pytest.raises(ManifestError):
            from_json(text[:length], type(record))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 2}, "here: format 2 is not known to this version of the collection (known: 1)"),
        ({"format": None}, "here: no record of a backup"),
        ({"kind": "segment"}, "here: a record of kind 'segment', where one of kind 'full' is expected"),
        ({"gtids": "1-2"}, "here: gtids: GTID set: '1-2' is no UUID"),
        ({"gtids": 5}, "here.gtids: 5 is not allowed (allowed: str)"),
        ({"encrypted": 1}, "here.encrypted: 1 is not allowed (allowed: bool)"),
        ({"data": True}, "here.data: true is not allowed (allowed: int)"),
        ({"data": 1.5}, "here.data: 1.5 is not allowed (allowed: int)"),
        ({"pieces": [{"name": "x"}]}, "here.pieces[0]: 'files' is missing, 'raw' is missing, 'sha256' is missing, 'size' is missing"),
        ({"pieces": [3]}, "here.pieces[0]: 3 is not allowed (allowed: an object)"),
        ({"tables": {"shop.t": [1]}}, "here.tables.shop.t: [1] is not allowed"),
        ({"new": 1}, "here: 'new' is not known"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(change, says):
    text = json.dumps({**json.loads(to_json(RECORDS[0])), **change})
    with pytest.raises(ManifestError) as told:
        from_json(text, Full, "here")
    assert str(told.value).startswith(says)


def test_a_list_is_no_record():
    with pytest.raises(ManifestError, match="no record"):
        from_json("[1]", Segment)


def changed(path, value):
    """The settings with one value of another kind."""
    made = json.loads(json.dumps(SETTINGS))
    at = made
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    return made


def test_settings_of_the_role(tmp_path):
    found = tmp_path / "config.json"
    found.write_text(json.dumps(SETTINGS))
    settings = read_settings(found)
    assert settings.keep.days == 14 and settings.members["db1"] == "10.0.0.1:3306"
    assert settings.connection("db1").where == "10.0.0.1:3306"


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (["format"], 2, "format: 2 is not allowed (allowed: 1)"),
        (["cluster"], "../x", "cluster: '../x' is not allowed"),
        (["hosts"], ["db1"], "host: 'db2' is not allowed (allowed: one of hosts, db1)"),
        (["members"], {}, "members: {} is not allowed"),
        (["members", "db1"], "10.0.0.300:1", "members: db1: "),
        (["encrypt_to"], ["AGE-SECRET-KEY-1QQ"], "encrypt_to: 'AGE-SECRET-KEY-1QQ' is not allowed"),
        (["place", "remote"], "backups", "place: 'backups' is not allowed (allowed: an absolute directory, or REMOTE:path)"),
        (["level"], 20, "level: 20 is not allowed (allowed: 1 to 19)"),
        (["keep", "fulls"], 0, "keep.fulls: 0 is not allowed (allowed: 1 to 1000)"),
        (["mysqlbinlog"], ["mysqlbinlog"], "mysqlbinlog: ['mysqlbinlog'] is not allowed"),
        (["directory"], "var", "directory: 'var' is not allowed (allowed: an absolute path)"),
        (["stream", "password"], 4711, "config.json.stream.password: this value is not allowed (allowed: str)"),
        (["keep", "weeks"], 2, "config.json.keep: 'weeks' is not known"),
    ],
)  # fmt: skip
def test_settings_that_are_not_allowed(path, value, says):
    with pytest.raises(Refusal) as told:
        settings_of(changed(path, value))
    assert says in str(told.value) and "\n" not in str(told.value)
    assert "4711" not in str(told.value)


def test_settings_that_cannot_be_read(tmp_path):
    with pytest.raises(Refusal, match="cannot be read"):
        read_settings(tmp_path / "none")
    (tmp_path / "cut").write_text('{"format"')
    with pytest.raises(Refusal, match="is no JSON"):
        read_settings(tmp_path / "cut")
    with pytest.raises(Refusal, match="allowed: an object"):
        settings_of([])
