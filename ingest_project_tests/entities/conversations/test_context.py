"""A context has what was said last, of late and about the same thing; what is written is in the next one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ingest_project.core.access_linting import lint_request
from ingest_project.core.caching import CacheSettings
from ingest_project.core.metrics import as_openmetrics
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project_tests.entities.conversations.remembered import NOW, World, message, world

QUESTION = "which soil suits tomatoes in a pot on the balcony"


async def said_before(made: World) -> None:
    """Twelve turns today, three yesterday, one about the question six days ago, one far back."""
    texts = [
        message(
            f"train number {turn} leaves",
            NOW - timedelta(minutes=60 - turn),
            session=f"s-{turn % 2}",
            tokens=turn,
        )
        for turn in range(12)
    ]
    texts += [
        message(f"yesterday {turn}", NOW - timedelta(hours=20 + turn), session="s-9") for turn in range(3)
    ]
    about = "tomatoes in a pot on the balcony want a soil that is loose"
    texts += [
        message(about, NOW - timedelta(days=6), session="s-8", role="assistant", tokens=100),
        message("long ago", NOW - timedelta(days=20), session="s-7"),
        message("a stranger about tomatoes in a pot on the balcony soil", NOW, user="bo", session="s-x"),
    ]
    for one in texts:
        await made.memory.remember(one)


async def test_a_context_has_all_four_parts(api: DynamoDBApi, tables: Mapping[str, TableDefinition]) -> None:
    made = world(api, tables)
    await said_before(made)
    found = await made.engine.build_context(QUESTION, "ana", "s-1")
    assert [f"train number {turn} leaves" for turn in (11, 9, 7, 5, 3)] == [one.text for one in found.session]
    assert [f"train number {turn} leaves" for turn in range(11, 3, -1)] == [one.text for one in found.recent]
    assert ["s-8"] == [one.session_id for one in found.similar]
    assert found.similar[0].cosine is not None
    assert found.similar[0].cosine > 0.5
    week = found.statistics
    assert (16, sum(range(12)) + 100, 3) == (week.messages, week.tokens, week.untold)
    assert {"user": 15, "assistant": 1} == dict(week.by_role)
    assert "2026-10-26T12:00:00.000000Z" == week.first


async def test_yesterday_follows_where_today_is_short(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition]
) -> None:
    made = world(api, tables)
    for hours in (1, 11, 13, 14, 37):
        await made.memory.remember(message(f"{hours} hours ago", NOW - timedelta(hours=hours)))
    found = await made.engine.build_context("hello", "ana", "none")
    assert [f"{hours} hours ago" for hours in (1, 11, 13, 14)] == [one.text for one in found.recent]
    assert [] == found.session


async def test_a_session_of_somebody_else_tells_nothing(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition]
) -> None:
    made = world(api, tables)
    await made.memory.remember(message("a secret of bo", user="bo", session="s-5"))
    found = await made.engine.build_context("a secret of bo", "ana", "s-5")
    assert [] == found.messages()


async def test_a_second_context_is_answered_by_the_cache_until_a_message_comes(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition]
) -> None:
    made = world(api, tables)
    await made.memory.remember(message("first"))
    cold = await made.engine.build_context("hello", "ana", "s-1")
    asked = made.meter.reads.requests
    warm = await made.engine.build_context("hello", "ana", "s-1")
    other = await made.engine.build_context("another question", "ana", "s-1")
    assert (False, True, False) == (cold.cached, warm.cached, other.cached)
    assert cold.messages() == warm.messages()
    assert 3 / 6 == made.cache.counts.rate
    assert made.meter.reads.of("last of the session").requests == 1
    await made.memory.remember(message("second", NOW + timedelta(seconds=1)))
    after = await made.engine.build_context("hello", "ana", "s-1")
    assert ["second", "first"] == [one.text for one in after.session]
    assert made.meter.reads.requests > asked


async def test_right_behind_a_write_nothing_is_kept_and_an_old_entry_ends_by_time(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition]
) -> None:
    made = world(api, tables, CacheSettings(settle=2, ttl=300))
    await made.memory.remember(message("first"))
    for expected, seconds in ((False, 0), (False, 2), (True, 299), (False, 1), (True, 0)):
        made.clock.now += seconds
        assert expected == (await made.engine.build_context("hello", "ana", "s-1")).cached


async def test_messages_are_told_once_in_the_order_of_time(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition]
) -> None:
    made = world(api, tables)
    for turn in range(3):
        await made.memory.remember(message(f"tomatoes in a pot {turn}", NOW + timedelta(seconds=turn)))
    found = await made.engine.build_context("tomatoes in a pot", "ana", "s-1")
    assert [f"tomatoes in a pot {turn}" for turn in range(3)] == [one.text for one in found.messages()]
    assert [] == found.similar


class Recording(DynamoDBApi):
    """Keeps what was asked."""

    def __init__(self, api: DynamoDBApi) -> None:
        super().__init__(api.endpoint, api.signer)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def call(self, operation: str, payload: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((operation, payload))
        return await super().call(operation, payload)


async def test_only_queries_and_keys_are_asked_each_fits_and_metrics_tell(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition]
) -> None:
    recording = Recording(api)
    made = world(recording, tables)
    await said_before(made)
    recording.calls.clear()
    await made.engine.build_context(QUESTION, "ana", "s-1")
    assert {"Query", "BatchGetItem"} == {operation for operation, _ in recording.calls}
    wrong = [lint_request("context", operation, request, tables) for operation, request in recording.calls]
    assert [] == [text for found in wrong for text in found]
    assert all("ProjectionExpression" in json.dumps(request) for _, request in recording.calls)
    text = as_openmetrics(made.meter.metrics())
    assert "ingest_conversations_contexts_total 1\n" in text
    assert "ingest_conversations_avg_context_build_ms 0\n" in text
    assert f'pattern="last of the session",place="{tables["history"].name}' in text
    assert 'ingest_conversations_write_units_total{pattern="remember"' in text
    assert made.meter.reads.units > 0
    assert made.meter.writes.units >= 2 * 18
