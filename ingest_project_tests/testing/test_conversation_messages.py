"""Generated messages: the same from one seed, any stretch by itself, and as hostile as they are said."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from datetime import datetime, timedelta

import pytest

from ingest_project.core.model import Position
from ingest_project.testing.conversation_messages import BLOCK, NOW, Messages, MessageStream, write_messages
from ingest_project.testing.doubles import InMemorySink

MESSAGES = Messages(count=8_000, users=50)


def test_any_stretch_is_the_same_wherever_it_is_begun() -> None:
    every = list(MESSAGES.rows(0, 200))
    assert every[37:61] == list(MESSAGES.rows(37, 61))
    assert every[:5] != list(Messages(count=8_000, users=50, seed=2).rows(0, 5))
    assert 8_000 == sum(1 for _ in MESSAGES.rows(0, 9_000))


def test_no_key_repeats_and_every_kind_occurs() -> None:
    rows = list(MESSAGES.rows())
    assert 8_000 == len({(row["user_id"], row["sort_key"]) for row in rows})
    moments = [datetime.fromisoformat(str(row["timestamp"])) for row in rows]
    naive = [moment for moment in moments if moment.tzinfo is None]
    aware = [moment for moment in moments if moment.tzinfo is not None]
    seconds = Counter((row["user_id"], row["role"], str(row["timestamp"])) for row in rows)
    found = {
        "naive": len(naive),
        "zones": len({moment.utcoffset() for moment in aware}),
        "old": sum(moment < NOW - timedelta(days=30) for moment in aware),
        "of one second and role": sum(count > 1 for count in seconds.values()),
        "of one instant": len(aware) - len({moment.timestamp() for moment in aware}),
        "without tokens": sum("tokens" not in row for row in rows),
        "without metadata": sum("metadata" not in row for row in rows),
        "long": sum(len(str(row["content"])) > 200 for row in rows),
    }
    assert {} == {kind: count for kind, count in found.items() if count < 8}
    assert all(moment < NOW for moment in aware)
    assert {"user", "assistant"} == {row["role"] for row in rows}


def test_a_block_is_one_session_of_one_user() -> None:
    rows = list(MESSAGES.rows(BLOCK * 3, BLOCK * 4))
    assert 1 == len({(row["user_id"], row["session_id"]) for row in rows})


def test_nothing_is_held() -> None:
    many = Messages(count=200_000)
    tracemalloc.start()
    for place, _ in zip(range(5), MessageStream(many).blocks(Position()), strict=False):
        assert place < 5
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


async def test_all_are_written_once() -> None:
    sink = InMemorySink()
    assert 8_000 == await write_messages(MESSAGES, sink)


def test_more_than_the_microseconds_can_tell_apart_are_refused() -> None:
    with pytest.raises(ValueError, match=r"1,000,000"):
        Messages(count=1_000_001)
