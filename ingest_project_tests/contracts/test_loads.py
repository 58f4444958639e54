"""The Loader and the real sinks on every server: the last record of each key stands, and nothing is lost.

Kills lie between steps of the ledger: the next owner goes on, and the end is that of one clean load.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import pytest

from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits, MemoryBudget
from ingest_project.core.loading import Loader, LoadResult
from ingest_project.core.model import Counts
from ingest_project.core.ports import Ledger, Sink
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.stepping import LoadSettings
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.signing import StaticCredentials
from ingest_project.testing.doubles import FakeClock, InMemoryLedger, MortalLedger, inline
from ingest_project.testing.doubles_stream import ListStream
from ingest_project.testing.faults import Killed, KillPoint, Life
from ingest_project.testing.samples import key_hash, sample_chunk, sample_work
from ingest_project_tests import readback
from ingest_project_tests.sinks.sending import document, dynamodb_sink, line, opensearch_api

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

RECORDS, KEYS, BAD = 900, 300, 444
LIMITS = BatchLimits(count=25, bytes=1 << 20, overhead=0)
KILLS = ((0, True), (1, True), (1, False), (1, True))
"""Call of the ledger at which an owner dies (0: claim, 1: first advance), and whether it takes effect."""
SMALL_STEPS = LoadSettings(step_seconds=0.0, step_items=40)


def keys() -> list[str]:
    """Every key three times in a random order."""
    found = [str(number % KEYS) for number in range(RECORDS)]
    Random(7).shuffle(found)
    found[BAD] = "bad"
    return found


def expected() -> dict[str, str]:
    """Key -> number of its last record."""
    return {key: str(number) for number, key in enumerate(keys()) if number != BAD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Records for one sink, to be loaded as often as a test wants."""

    sink: Sink
    bodies: Sequence[bytes]

    async def by(self, ledger: Ledger, owner: str) -> LoadResult:
        loader = Loader(
            sink=self.sink,
            ledger=ledger,
            retry=RetryPolicy(base=0.05, attempts=20),
            budget=MemoryBudget(1 << 24),
            governor=RateGovernor(time.monotonic, most=8),
            clock=time.monotonic,
            sleep=asyncio.sleep,
            rng=Random(owner),
            settings=SMALL_STEPS,
            offload=inline,
        )
        stream = ListStream(self.bodies, hashes=[key_hash(key) for key in keys()], size=50)
        return await loader.load(sample_work(sample_chunk(records=RECORDS)), stream, owner)


async def end_as_one_clean_load(load: Load) -> None:
    """Owners that die at the claim or an advance, then one that does not, then one with nothing to do."""
    clock = FakeClock()
    ledger = InMemoryLedger(clock)
    for number, (at, after) in enumerate(KILLS):
        with pytest.raises(Killed):
            await load.by(MortalLedger(ledger, KillPoint(Life(), at, after)), f"mortal {number}")
        clock.advance(3600.0)
    result = await load.by(ledger, "last")
    assert (RECORDS, 1, True, True) == (
        result.counts.sent,
        result.counts.rejected,
        result.counts.balanced,
        result.sealed,
    )
    (letter,) = ledger.rejections(sample_chunk(records=RECORDS), "table")
    assert (BAD, load.bodies[BAD]) == (letter.ordinal, letter.raw)
    again = await load.by(ledger, "again")
    assert (True, Counts()) == (again.replayed, again.new)


async def test_dynamodb(dynamodb_endpoint: str, dynamodb: DynamoDBClient, table: str) -> None:
    bodies = [line(key, number=str(number)) for number, key in enumerate(keys())]
    bodies[BAD] = line("", number="bad")
    credentials = StaticCredentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    async with dynamodb_sink(dynamodb_endpoint, table, credentials=credentials) as sink:
        await end_as_one_clean_load(Load(sink=sink, bodies=bodies))
    found = readback.items(dynamodb, table)
    assert expected() == {key: item["number"]["S"] for key, item in found.items()}


async def test_opensearch(opensearch_url: str, index_name: str) -> None:
    bodies = [document(key, b'{"number":%d}' % number) for number, key in enumerate(keys())]
    bodies[BAD] = document("bad", b'{"number":{"an":"object"}}')
    mappings: Mapping[str, object] = {"mappings": {"properties": {"number": {"type": "long"}}}}
    readback.ask(opensearch_url, "PUT", f"/{index_name}", mappings)
    async with OpenSearchSink(opensearch_api(opensearch_url), index_name, limits=LIMITS) as sink:
        await end_as_one_clean_load(Load(sink=sink, bodies=bodies))
    found = readback.documents(opensearch_url, index_name)
    assert expected() == {key: str(json.loads(source)["number"]) for key, source in found.items()}
