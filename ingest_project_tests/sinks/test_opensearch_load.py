"""A real node with a write queue of 2, one write thread, requests of 1 MB at most: all arrives once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from random import Random

import pytest

from ingest_project.core.errors import BatchTooLarge, Throttled
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits, MemoryBudget
from ingest_project.core.loading import Loader, LoadResult
from ingest_project.core.ports import Sink
from ingest_project.core.retrying import RetryPolicy
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.testing.doubles import InMemoryLedger
from ingest_project.testing.doubles_stream import ListStream
from ingest_project.testing.running import RunningServer, Servers
from ingest_project.testing.samples import sample_chunk, sample_work
from ingest_project_tests.readback import ask, documents
from ingest_project_tests.sinks.sending import batch_of, document, opensearch_api, opensearch_sink

NARROW = {
    "thread_pool.write.queue_size": 2,
    "node.processors": 1,
    "http.max_content_length": "1mb",
    "heap": "512m",
}
MEGABYTE = 1 << 20


@pytest.fixture
def narrow(start_server: Servers) -> RunningServer:
    """The node; one for the session."""
    return start_server("opensearch_node", **NARROW)


@pytest.fixture
def index(narrow: RunningServer, index_name: str) -> str:
    settings = {"number_of_replicas": 0, "refresh_interval": -1}
    ask(narrow.url, "PUT", f"/{index_name}", {"settings": settings})
    return index_name


def refused(url: str) -> int:
    """Writes that the node's queue has refused so far."""
    found = json.loads(ask(url, "GET", "/_nodes/stats/thread_pool?filter_path=**.write.rejected"))
    return sum(int(one["thread_pool"]["write"]["rejected"]) for one in found["nodes"].values())


async def load(sink: Sink, bodies: Sequence[bytes], name: str, *, window: int) -> LoadResult:
    loader = Loader(
        sink=sink,
        ledger=InMemoryLedger(time.monotonic),
        retry=RetryPolicy(base=0.05, attempts=50),
        budget=MemoryBudget(64 * MEGABYTE),
        governor=RateGovernor(time.monotonic, most=window, start=window),
        clock=time.monotonic,
        sleep=asyncio.sleep,
        rng=Random(name),
    )
    work = sample_work(sample_chunk(name, records=len(bodies)), "index")
    return await loader.load(work, ListStream(bodies, size=500), name)


@pytest.mark.slow
async def test_16000_documents_sent_into_a_queue_of_two_are_16000_indexed(
    narrow: RunningServer, index: str
) -> None:
    """Four loads that do not know of each other keep eight requests in flight each until the node objects."""
    sent = {f"{part}-{number}": b'{"n":%d}' % number for part in range(4) for number in range(4000)}
    before = refused(narrow.url)
    limits = BatchLimits(count=200, bytes=MEGABYTE // 2, overhead=0)

    async def one(part: int) -> LoadResult:
        mine = [document(key, source) for key, source in sent.items() if key.startswith(f"{part}-")]
        async with OpenSearchSink(opensearch_api(narrow.url, timeout=60.0), index, limits=limits) as sink:
            return await load(sink, mine, f"part {part}", window=8)

    results = await asyncio.gather(*map(one, range(4)))
    assert refused(narrow.url) > before
    assert [(4000, 4000, True)] * 4 == [(one.counts.sent, one.counts.written, one.sealed) for one in results]
    assert sum(one.counts.throttles for one in results) > 0
    assert sent == documents(narrow.url, index)


async def test_a_request_that_is_too_large_is_split_and_one_document_that_is_is_refused_alone(
    narrow: RunningServer, index: str
) -> None:
    """The node answers 413 without a word, and may close the connection on a request still under way."""
    sent = {str(number): b'{"text":"%b"}' % (b"x" * 150_000) for number in range(20)}
    bodies = [document(key, source) for key, source in sent.items()]
    bodies.insert(11, document("huge", b'{"text":"%b"}' % (b"x" * 2 * MEGABYTE)))
    async with opensearch_sink(narrow.url, index) as sink:
        with pytest.raises(BatchTooLarge, match="more than the server takes"):
            await sink.write(batch_of(bodies))
        result = await load(sink, bodies, "large", window=4)
    assert (21, 20, 1) == (result.counts.sent, result.counts.written, result.counts.rejected)
    assert sent == documents(narrow.url, index)


async def test_a_node_that_lacks_memory_for_a_request_puts_it_off(narrow: RunningServer, index: str) -> None:
    """The circuit breaker answers the whole request with 429."""
    body = document("a", b'{"text":"%b"}' % (b"x" * 500_000))
    limit = "network.breaker.inflight_requests.limit"
    async with opensearch_sink(narrow.url, index) as sink:
        try:
            ask(narrow.url, "PUT", "/_cluster/settings", {"transient": {limit: "100kb"}})
            with pytest.raises(Throttled, match="circuit_breaking_exception"):
                await sink.write(batch_of([body]))
        finally:
            ask(narrow.url, "PUT", "/_cluster/settings", {"transient": {limit: None}})
        assert (await sink.write(batch_of([body]))).written == 1
