"""Keys of the new tables: UTC, no collision, the same in every process; and when an item expires."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.errors import ConfigurationError
from ingest_project.entities.conversations.keys import (
    CHUNKS,
    chunk_of,
    expiry,
    keys_of,
    message_id,
    moment_of,
    timestamp_of,
    user_date,
    zone_of,
)
from ingest_project.formats.json_tree import Refused
from ingest_project.testing.conversation_messages import Messages

MOMENT = datetime(2026, 10, 31, 23, 30, 0, 5, tzinfo=UTC)
MIGRATED = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-10-31T23:30:00.000005Z",
        "2026-10-31T23:30:00.000005",
        "2026-10-31 23:30:00.000005+00:00",
        "2026-11-01T05:15:00.000005+05:45",
        "2026-10-31T20:00:00.000005 -0330",
        "2026-11-01T13:30:00.000005999+14:00",
    ],
)
def test_one_moment_has_one_key_however_it_is_told(text: str) -> None:
    moment = moment_of(text)
    assert MOMENT == moment
    assert ("2026-10-31T23:30:00.000005Z", "ana#2026-10-31") == (
        timestamp_of(moment),
        user_date("ana", moment),
    )


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-10-31", "2026-13-01T00:00", "0001-01-01T00:00+14:00"]
)
def test_what_is_no_timestamp_is_refused_by_name(text: str) -> None:
    with pytest.raises(Refused, match=r"timestamp: .* is no ISO 8601 timestamp"):
        moment_of(text)


def test_the_zone_of_timestamps_without_one_is_a_setting() -> None:
    assert datetime(2026, 1, 1, 3, tzinfo=UTC) == moment_of("2026-01-01T00:00", zone_of("-03:00"))
    assert UTC == zone_of("utc")
    with pytest.raises(ConfigurationError, match="'Mars' is no zone"):
        zone_of("Mars")


@given(st.integers(0, 2 * 10**17), st.integers(-839, 839))
def test_sort_keys_have_the_order_of_time(microseconds: int, minutes: int) -> None:
    moment = (MOMENT + timedelta(microseconds=microseconds)).astimezone(timezone(timedelta(minutes=minutes)))
    assert moment == moment_of(timestamp_of(moment))
    assert timestamp_of(moment) < timestamp_of(moment + timedelta(microseconds=1))
    assert 27 == len(timestamp_of(moment))


def test_two_messages_of_one_role_and_instant_have_two_keys() -> None:
    one, other = (
        keys_of("ana", MOMENT, "user", message_id("ana", key))
        for key in ("2026-10-31T23:30:00.000005Z", "2026-10-31T20:30:00.000005-03:00")
    )
    assert (one.user_date, one.timestamp) == (other.user_date, other.timestamp)
    assert one.timestamp_type != other.timestamp_type
    assert one.timestamp_type.startswith("2026-10-31T23:30:00.000005Z#user#")
    assert keys_of("ana", MOMENT, "user", "my own id").timestamp_type != one.timestamp_type


def test_generated_messages_lose_no_key() -> None:
    seen = set()
    for row in Messages(count=6_000, users=7).rows():
        user, role = str(row["user_id"]), str(row["role"])
        keys = keys_of(user, moment_of(str(row["timestamp"])), role, message_id(user, str(row["sort_key"])))
        seen.add((keys.user_date, keys.timestamp_type))
    assert 6_000 == len(seen)


def test_a_chunk_is_the_same_in_every_process() -> None:
    told = "from ingest_project.entities.conversations.keys import chunk_of; print(chunk_of('ana', 'm1'))"
    found = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=60
    )
    assert str(chunk_of("ana", "m1")) == found.stdout.strip()
    assert "ana#007" == keys_of("ana", MOMENT, "user", _in_chunk(7)).user_chunk


def _in_chunk(chunk: int) -> str:
    return next(str(number) for number in range(1000) if chunk_of("ana", str(number)) == chunk)


def test_chunks_are_about_equally_full() -> None:
    counts = Counter(chunk_of("ana", message_id("ana", str(number))) for number in range(5_000))
    assert CHUNKS == len(counts)
    assert all(400 < count < 600 for count in counts.values())


def test_rows_that_are_already_older_live_from_the_migration_on() -> None:
    month = timedelta(days=30)
    old, new = MIGRATED - timedelta(days=31), MIGRATED - timedelta(days=1)
    assert (MIGRATED + month).timestamp() == expiry(old, MIGRATED)
    assert (new + month).timestamp() == expiry(new, MIGRATED)
    assert (MIGRATED + timedelta(days=1)).timestamp() == expiry(
        MIGRATED - timedelta(days=1), MIGRATED, timedelta(hours=24)
    ) + 86_400
    assert expiry(old, MIGRATED) > MIGRATED.timestamp()
