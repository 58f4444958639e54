"""Tombstones keep the last values, and stand behind them and before whatever comes next."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest_project.entities.wms.admission import admission
from ingest_project_tests.entities.wms.rows import batch, book, chunk, text

GONE = "2026-01-02T03:04:05+00:00"


def stone(row: int = 987654, **said: Any) -> bytes:
    return json.dumps({"id": row, "__tombstone__": {"deleted_ts": GONE, **said}}).encode()


def item(raw: bytes) -> dict[str, Any]:
    admitted = admission(chunk(), book())(batch([raw]))
    assert () == tuple(letter.reason for letter in admitted.rejections)
    found: dict[str, Any] = json.loads(admitted.lines[0])["Item"]
    return found


def test_a_tombstone_has_the_last_values_and_the_odd_version_behind_its_moment() -> None:
    last = item(text())
    gone = item(stone(item=last))
    version = int(item(text(mod_ts=GONE))["version"]["N"])
    assert (
        last
        | {
            "version": {"N": str(version + 1)},
            "deleted": {"BOOL": True},
            "deleted_ts": {"S": GONE},
        }
        == gone
    )
    next_change = int(item(text(mod_ts="2026-01-02T03:04:05.000001+00:00"))["version"]["N"])
    assert int(last["version"]["N"]) < version < version + 1 < next_change


def test_a_row_on_its_way_to_the_table_loses_against_its_tombstone() -> None:
    # The table has the values before the row's last change, or none.
    on_its_way = int(item(text(mod_ts=GONE))["version"]["N"])
    for raw in (stone(item=item(text())), stone()):
        assert on_its_way < int(item(raw)["version"]["N"])


def test_a_tombstone_is_never_older_than_the_values_it_has() -> None:
    late = item(text(mod_ts="2026-01-02T03:05:00Z"))
    assert int(late["version"]["N"]) + 1 == int(item(stone(item=late))["version"]["N"])


def test_a_tombstone_of_a_tombstone_is_the_same() -> None:
    gone = item(stone(item=item(text())))
    assert gone == item(stone(item=gone))


@pytest.mark.parametrize("said", [{}, {"item": None}, {"item": {}}])
def test_a_row_of_which_no_values_are_known_has_a_tombstone_all_the_same(said: dict[str, Any]) -> None:
    assert {
        "id": {"N": "7"},
        "version": {"N": "3534646090000001"},
        "deleted": {"BOOL": True},
        "deleted_ts": {"S": GONE},
    } == item(stone(7, **said))


def test_tombstones_and_rows_may_stand_side_by_side() -> None:
    admitted = admission(chunk(), book())(batch([text(id=1), stone(2), text(id=3), stone(4)]))
    assert ["1", "2", "3", "4"] == [json.loads(line)["Item"]["id"]["N"] for line in admitted.lines]
    assert 4 == len(set(admitted.hashes))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"id":"7","__tombstone__":{}}', "id: not the id of a row"),
        (b'{"id":7,"__tombstone__":5}', "__tombstone__.deleted_ts: not a moment with an offset"),
        (stone(7, deleted_ts="now"), "__tombstone__.deleted_ts: not a moment with an offset"),
        (stone(7, item={"id": {"N": "8"}}), "__tombstone__.item: not the item of this row"),
        (stone(7, item=[]), "__tombstone__.item: not the item of this row"),
        (stone(7, item={"version": {"S": "1"}}), "__tombstone__.item.version: not a whole number"),
        (stone(7, item={"zip": {"N": "x"}}), "__tombstone__.zip: x is not a number"),
    ],
)
def test_what_is_no_tombstone_is_refused(raw: bytes, reason: str) -> None:
    admitted = admission(chunk(), book())(batch([raw]))
    assert [reason] == [letter.reason for letter in admitted.rejections]
