"""What an old row becomes: nothing of it is lost, its order is kept, and what cannot become one says why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest_project.entities.conversations.migration.items import Rows, Vectors, line_of, old_key_of
from ingest_project.entities.conversations.similarity import Similarity
from ingest_project.entities.conversations.tables import EMBEDDINGS, HISTORY
from ingest_project.formats.json_tree import Refused
from ingest_project.resources.encoders.hashing import HashingEncoder
from ingest_project.testing.conversation_messages import NOW

ROWS = Rows(moment=NOW)
ROW: dict[str, Any] = {
    "user_id": {"S": "ana"},
    "sort_key": {"S": "2026-10-30T23:30:00.123456-03:00"},
    "timestamp": {"S": "2026-10-30T23:30:00-03:00"},
    "session_id": {"S": "s-1"},
    "role": {"S": "user"},
    "content": {"S": "x" * 250},
    "metadata": {"M": {"n": {"N": "1.50"}}},
    "archived": {"BOOL": False},
    "tokens": {"N": "12"},
    "mood": {"SS": ["calm"]},
}


def test_all_of_a_row_arrives_and_the_keys_are_of_utc() -> None:
    message = ROWS.message(ROW)
    history = message.history
    assert "ana#2026-10-31" == history["user_date"]["S"]
    assert history["timestamp_type"]["S"].startswith("2026-10-31T02:30:00.123456Z#user#")
    kept = {name: value for name, value in ROW.items() if name not in ("sort_key", "timestamp")}
    assert kept == {name: history[name] for name in kept}
    assert (ROW["sort_key"], ROW["timestamp"]) == (history["old_sort_key"], history["old_timestamp"])
    assert ("x" * 200, "x" * 100) == (
        history["content_summary"]["S"],
        message.embedding["text_preview"]["S"],
    )
    assert history.keys() - {"mood"} <= HISTORY.attributes.keys()
    vectors = Vectors(encoder=HashingEncoder(dimensions=8), similarity=Similarity(dimensions=8, model="m"))
    (whole,) = vectors.embeddings([message])
    assert isinstance(whole, dict)
    assert EMBEDDINGS.attributes.keys() == whole.keys()
    assert line_of(whole).startswith(b'{"Item":{')


@pytest.mark.parametrize(
    ("sort_key", "timestamp", "moment"),
    [
        pytest.param("2026-10-01T10:00:00.5+00:00", "2026-10-01T10:00:00Z", "10:00:00.500000", id="finer"),
        pytest.param("2026-10-01T10:00:01.5+00:00", "2026-10-01T10:00:00Z", "10:00:00.000000", id="another"),
        pytest.param("2026-10-01T11:00:00.5+01:00", "2026-10-01T10:00:00Z", "10:00:00.500000", id="zones"),
        pytest.param("2026-10-01T10:00:00.5Z", "2026-10-01T10:00:00.25Z", "10:00:00.250000", id="both tell"),
        pytest.param("a-1", "2026-10-01T10:00:00", "10:00:00.000000", id="no time in the key"),
        pytest.param("2026-10-01T10:00:00.5Z", "", "10:00:00.500000", id="no timestamp"),
    ],
)
def test_the_order_within_a_second_is_the_sort_keys(sort_key: str, timestamp: str, moment: str) -> None:
    row = {**ROW, "sort_key": {"S": sort_key}, "timestamp": {"S": timestamp}}
    if not timestamp:
        del row["timestamp"]
    assert f"2026-10-01T{moment}Z" == ROWS.message(row).history["timestamp"]["S"]


def test_rows_that_are_older_expire_after_the_plans_moment_and_others_after_their_own() -> None:
    def ttl(age: timedelta) -> datetime:
        row = ROW | {"timestamp": {"S": (NOW - age).isoformat()}, "sort_key": {"S": "k"}}
        return datetime.fromtimestamp(int(ROWS.message(row).history["ttl"]["N"]), UTC)

    assert NOW + timedelta(days=30) == ttl(timedelta(days=31))
    assert NOW + timedelta(days=28) == ttl(timedelta(days=2))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"role": {"S": "robot"}}, "role: 'robot' is none of", id="role"),
        pytest.param({"content": {"N": "1"}}, "content: is a number", id="content"),
        pytest.param({"content": None}, "content: the attribute is missing", id="no content"),
        pytest.param({"timestamp": {"S": "soon"}}, "no ISO 8601 timestamp", id="timestamp"),
        pytest.param({"session_id": {"S": ""}}, "session_id: is empty", id="session"),
        pytest.param({"ttl": {"N": "1"}}, "ttl: an old row has it", id="another meaning"),
        pytest.param({"content": {"S": "x" * 409_500}}, "the new item would have", id="too large"),
    ],
)
def test_what_cannot_become_a_message_says_why(change: dict[str, Any], reason: str) -> None:
    row = {name: value for name, value in (ROW | change).items() if value is not None}
    with pytest.raises(Refused, match=reason):
        ROWS.message(row)


def test_a_message_of_no_session_and_of_no_words_is_one_too() -> None:
    row = {name: value for name, value in ROW.items() if name != "session_id"} | {"content": {"S": ""}}
    message = ROWS.message(row)
    assert "session_id" not in message.history
    vectors = Vectors(encoder=HashingEncoder(dimensions=8), similarity=Similarity(dimensions=8, model="m"))
    assert isinstance(vectors.embeddings([message])[0], dict)
    assert "ana | 2026-10-30T23:30:00.123456-03:00" == old_key_of(row)
