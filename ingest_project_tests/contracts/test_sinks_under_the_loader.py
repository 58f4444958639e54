"""The loader and the real sinks together, against servers that misbehave: counts balance, the last wins."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from random import Random

import pytest

from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import MemoryBudget
from ingest_project.core.loading import Loader, LoadResult
from ingest_project.core.ports import Sink
from ingest_project.core.retrying import RetryPolicy
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.doubles import FakeClock, InMemoryLedger, inline
from ingest_project.testing.doubles_stream import ListStream
from ingest_project.testing.fault_scripts import Fault
from ingest_project.testing.fault_server import FaultServer
from ingest_project.testing.samples import key_hash, sample_chunk, sample_work
from ingest_project_tests.sinks.sending import (
    ACCESS,
    INDEX,
    SECRET,
    TABLE,
    document,
    dynamodb_sink,
    line,
    opensearch_sink,
)

RECORDS, KEYS = 600, 150
FAULTS: list[Fault] = [
    faults.reset(after=False),
    faults.reset(after=True),
    faults.cut(),
    faults.damaged(),
    faults.slow(0.005),
    faults.error("", status=503),
    faults.unprocessed(0, 2, 7),
    faults.unprocessed(*range(25)),
    faults.error("ThrottlingException"),
]
BULK_FAULTS: list[Fault] = [
    *(fault for fault in FAULTS if fault.kind != faults.ITEMS),
    faults.error("es_rejected_execution_exception", status=429),
    faults.refused_items(429, "es_rejected_execution_exception", 0, 2, 7),
    faults.refused_items(503, "unavailable_shards_exception", *range(1000)),
]


async def hurried(seconds: float) -> None:
    """The loader's waits, shortened: what is tested is not how long they are."""
    await asyncio.sleep(min(seconds, 0.001))


async def load(sink: Sink, bodies: Sequence[bytes], seed: int) -> LoadResult:
    loader = Loader(
        sink=sink,
        ledger=InMemoryLedger(FakeClock()),
        retry=RetryPolicy(attempts=100),
        budget=MemoryBudget(1 << 20),
        governor=RateGovernor(time.monotonic, most=16),
        clock=time.monotonic,
        sleep=hurried,
        rng=Random(seed),
        offload=inline,
    )
    stream = ListStream(bodies, hashes=[key_hash(key) for key in keys_of(seed)], size=31)
    work = sample_work(sample_chunk(records=len(bodies)))
    return await loader.load(work, stream, "owner")


def keys_of(seed: int) -> list[int]:
    """Which key each record has: every key several times in a random order; the bad record has its own."""
    keys = [number % KEYS for number in range(RECORDS)]
    Random(seed).shuffle(keys)
    keys[bad_of(seed)] = KEYS
    return keys


def bad_of(seed: int) -> int:
    """The record that no target takes."""
    return seed * 7


@pytest.mark.parametrize("seed", range(10))
async def test_dynamodb_ends_with_the_last_record_of_each_key_whatever_goes_wrong(seed: int) -> None:
    keys = keys_of(seed)
    bodies = [line(str(key), number=str(number)) for number, key in enumerate(keys)]
    bodies[bad_of(seed)] = line("")
    expected = {str(key): str(number) for number, key in enumerate(keys) if number != bad_of(seed)}
    script = faults.at_random(seed, FAULTS, 0.4)
    server = FaultServer(keys={TABLE: ("id",)}, credentials=(ACCESS, SECRET), script=script)
    async with server, dynamodb_sink(server.url) as sink:
        result = await load(sink, bodies, seed)
    assert result.sealed
    assert (result.counts.sent, result.counts.rejected, result.counts.balanced) == (RECORDS, 1, True)
    stored = {item["id"]["S"]: item["number"]["S"] for item in server.tables.items[TABLE].values()}
    assert expected == stored


@pytest.mark.parametrize("seed", range(10))
async def test_opensearch_ends_with_the_last_document_of_each_key_whatever_goes_wrong(seed: int) -> None:
    keys = keys_of(seed)
    bodies = [document(str(key), b"%d" % number) for number, key in enumerate(keys)]
    bodies[bad_of(seed)] = document(str(KEYS), b"{")
    expected = {str(key): b"%d" % number for number, key in enumerate(keys) if number != bad_of(seed)}
    server = FaultServer(indices=(INDEX,), script=faults.at_random(seed, BULK_FAULTS, 0.4))
    async with server, opensearch_sink(server.url) as sink:
        result = await load(sink, bodies, seed)
    assert result.sealed
    assert (result.counts.sent, result.counts.rejected, result.counts.balanced) == (RECORDS, 1, True)
    assert expected == server.indices.documents[INDEX]
