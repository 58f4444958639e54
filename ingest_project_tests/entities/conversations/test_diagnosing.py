"""A diagnosis looks at everything once and names what is wrong; alerts fire above their limits alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ingest_project.core.caching import CacheSettings, MemoryCache
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations import diagnosing
from ingest_project.entities.conversations.alerts import alerts
from ingest_project.entities.conversations.diagnosing import diagnose
from ingest_project.entities.conversations.metering import SESSIONS, Meter, quantile
from ingest_project.entities.conversations.probing import probe
from ingest_project.entities.conversations.serving import ChatMemory, assembled
from ingest_project.resources.conversation_access import ConversationAccess
from ingest_project.resources.encoders.hashing import HashingEncoder
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.table_writing import TableWriter
from ingest_project_tests.entities.conversations.remembered import message


def memory_of(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition], cache: CacheSettings | None = None
) -> ChatMemory:
    settings = cache or CacheSettings(settle=0)
    kept = MemoryCache(clock=time.monotonic, settings=settings)
    return assembled(api, tables, ConversationAccess(), HashingEncoder(), kept, kept.counts)


async def told(memory: ChatMemory) -> dict[str, str]:
    return {one.about: f"{one.verdict}: {one.text}" for one in await diagnose(memory, users=3)}


async def test_a_sound_memory_has_no_fault(api: DynamoDBApi, tables: Mapping[str, TableDefinition]) -> None:
    memory = memory_of(api, tables)
    now = datetime.now(UTC)
    for turn in range(12):
        at, number = now - timedelta(minutes=turn), turn % 4
        await memory.memory.remember(
            message(f"turn {turn}", at, user=f"user-{number}", session=f"s-{number}")
        )
    found = await told(memory)
    slow = {one.name for one in alerts(memory.meter, 1)}
    assert {"ok", "note"} >= {text.partition(":")[0] for about, text in found.items() if about not in slow}
    assert "3 of 3 contexts asked for again came from the cache (50% of the parts)" in found["cache"]
    assert "1.0 requests a context, 3.0 items" in found["requests of 'last of the session'"]
    assert "of 12 sampled items 0 have none, 0 should be gone" in found["ttl of history"]
    assert found["scans"].startswith("ok: none of")
    assert found["read_units"].startswith("ok: reads take of their budget")


async def test_faults_are_named(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosing, "ENOUGH", 10)
    memory = memory_of(api, tables, CacheSettings(count=0))
    now = datetime.now(UTC)
    for turn in range(40):
        user = "busy" if turn < 20 else f"user-{turn}"
        await memory.memory.remember(message(f"turn {turn}", now, user=user))
    await memory.memory.remember(message("long ago", now - timedelta(days=33), user="busy"))
    writer = memory.memory.writer
    assert isinstance(writer, TableWriter)
    keys = {"user_date": {"S": "old#2026-01-01"}, "timestamp_type": {"S": "x"}}
    gone = {"ttl": {"N": "1"}}
    await writer.put("test", {"history": [keys, {**keys, "timestamp_type": {"S": "y"}} | gone]})
    found = await told(memory)
    assert found["cache"].startswith("warn: 0 of 3")
    assert found["partitions of history"].startswith(f"warn: busy#{now.date().isoformat()} holds 46")
    assert found["ttl of history"].startswith("fail: of 43 sampled items 1 have none, 1 should be gone")
    assert found["ttl of embeddings"].startswith("ok")


async def test_a_probe_reads_a_bounded_part(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest_project.entities.conversations.probing.PAGE", 1)
    memory = memory_of(api, {**tables, "old": replace(tables["old"], name=f"{tables['old'].name}-gone")})
    for turn in range(20):
        await memory.memory.remember(message(f"turn {turn}", user=f"user-{turn}"))
    seen = await probe(memory, users=2)
    assert ["history", "embeddings"] == [*seen.samples]
    assert 1 <= seen.samples["history"].items <= 8
    assert 2 == len(seen.sessions) == seen.again


def meter_of(**numbers: float) -> Meter:
    """A meter behind one second, one session and one context."""
    clock, size = iter([0.0, 1.0, 1.0]), iter([0, int(numbers.get("bytes", 0))])
    meter = Meter(clock=lambda: next(clock, 1.0), resident=lambda: next(size, int(numbers.get("bytes", 0))))
    meter.built(numbers.get("build", 0), session=("a", "s"), size=1, cached=False)
    meter.searched(encode=0, search=numbers.get("search", 0), looked_at=1, broken=0)
    meter.reads.note("p", {"TableName": "t", "CapacityUnits": numbers.get("units", 0)}, 1)
    return meter


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("context_time", {"build": 0.100}),
        ("search_time", {"search": 0.500}),
        ("read_units", {"units": 80}),
        ("session_memory", {"bytes": 20e6}),
    ],
)
def test_an_alert_fires_above_its_limit_and_not_at_it(name: str, numbers: dict[str, float]) -> None:
    above = {key: value * 1.01 for key, value in numbers.items()}
    assert [] == [one.name for one in alerts(meter_of(**numbers), 100) if one.fired]
    assert [name] == [one.name for one in alerts(meter_of(**above), 100) if one.fired]


def test_a_meter_stays_small_whatever_it_is_told() -> None:
    meter = Meter(clock=lambda: 0.0)
    for number in range(SESSIONS + 500):
        meter.built(0.001 * (number % 100), session=("u", str(number)), size=1, cached=True)
    assert (SESSIONS + 500, 1000, 0) == (meter.builds.count, len(meter.builds.last), meter.fresh.count)
    assert pytest.approx(94) == meter.builds.quantile_ms(0.95)
    assert [0.0, 1.0, 1.0, 2.0, 3.0] == [
        quantile(values, share)
        for values, share in (
            ([], 0.5),
            ([1.0], 0.0),
            ([2.0, 1.0], 0.5),
            ([1.0, 2.0], 0.51),
            ([1.0, 2.0, 3.0], 1),
        )
    ]
