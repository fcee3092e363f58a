# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GTID algebra against a real server: GTID_SUBSET, GTID_SUBTRACT and the server's own printing are the oracle."""

from __future__ import annotations

import random

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidError, GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import parse_version

pytestmark = [
    pytest.mark.members,
    pytest.mark.integration,
    pytest.mark.claim("GTID sets are computed as the server computes them, for 10,000 random pairs."),
]

PAIRS = 10000
BATCH = 200
UUIDS = [
    "aaaaaaaa-0000-0000-0000-000000000001",
    "AAAAAAAA-0000-0000-0000-000000000001",
    "bbbbbbbb-0000-0000-0000-000000000002",
]
TAGS = ["", "", "x", "Y_2", "_tag"]
FIRST_WITH_TAGS = (8, 3, 0)


def random_set(rng, tags):
    """Text of a random set: overlapping, unordered intervals, tags inside and in items of their own, odd spacing and case."""
    items = []
    for _item in range(rng.randint(0, 3)):
        text = rng.choice(UUIDS)
        for _tag in range(rng.randint(1, 2)):
            tag = rng.choice(tags) if text.count(":") == 0 else rng.choice(tags[2:] or tags)
            text += f":{tag}" if tag else ""
            for _interval in range(rng.randint(1, 4)):
                first = rng.randint(1, 30)
                last = first + rng.choice((0, 0, 1, 2, 5, 10))
                text += f":{first}" if first == last and rng.random() < 0.7 else f":{first}-{last}"
        items.append(text)
    return rng.choice((",", ", ", " ,\\n")).join(items)


def flat(text):
    """The server's text without its line breaks."""
    return (text or "").replace("\n", "").replace("\\n", "").replace(" ", "")


def test_ten_thousand_random_pairs(session_group):
    server = session_group[0]
    seed = random.SystemRandom().randrange(1 << 32)
    rng = random.Random(seed)
    tags = TAGS if parse_version(server.sql("SELECT VERSION() AS v")[0]["v"]) >= FIRST_WITH_TAGS else [""]
    done = tagged = 0
    while done < PAIRS:
        pairs = [(random_set(rng, tags), random_set(rng, tags)) for _pair in range(BATCH)]
        query = " UNION ALL ".join(
            f"SELECT {number} AS n, GTID_SUBSET('{a}', '{b}') AS inside, GTID_SUBTRACT('{a}', '{b}') AS minus, "
            f"GTID_SUBTRACT('{a},{b}', '') AS both_of"
            for number, (a, b) in enumerate(pairs)
        )
        rows = {int(row["n"]): row for row in server.sql(query)}
        for number, (a, b) in enumerate(pairs):
            one, two, row = GtidSet(a.replace("\\n", "\n")), GtidSet(b.replace("\\n", "\n")), rows[number]
            told = f"random seed {seed}: {a!r} and {b!r}"
            assert str(one - two) == flat(row["minus"]), told
            assert str(one.union(two)) == flat(row["both_of"]), told
            assert two.contains(one) == (row["inside"] == "1"), told
            tagged += any(tag in str(one) for tag in ("x:", "y_2:", "_tag:"))
        done += BATCH
    assert done >= PAIRS
    assert tagged > PAIRS / 20 or tags == [""], "too few sets with tags"


@pytest.mark.parametrize(
    "text",
    # MySQL 8.4 takes "1-", which no server prints.
    ["{u}:", "{u}:0", "{u}:9x:1", "nonsense", "{u}:-5", "{u}:1:" + "t" * 33 + ":1", "{u}:9223372036854775808"],
)  # fmt: skip
def test_what_the_server_refuses_is_refused(session_group, text):
    text = text.format(u=UUIDS[0])
    with pytest.raises(GtidError):
        GtidSet(text)
    with pytest.raises(Exception, match="(?i)malformed|gtid"):
        session_group[0].sql(f"SELECT GTID_SUBTRACT('{text}', '') AS g")


def test_a_long_set(session_group):
    """Thousands of intervals, as after a bad day."""
    text = UUIDS[0] + ":" + ":".join(str(number) for number in range(1, 6000, 2))
    row = session_group[0].sql(f"SELECT GTID_SUBTRACT('{text}', '{UUIDS[0]}:1000-2000') AS g")[0]
    assert str(GtidSet(text) - GtidSet(f"{UUIDS[0]}:1000-2000")) == flat(row["g"])
