"""The hot path to OpenSearch: what is sent and read of a request, and how much is in flight at a time."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest

from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits, MemoryBudget
from ingest_project.core.loading import Loader
from ingest_project.core.model import Batch, KeySchema, WriteReport
from ingest_project.core.retrying import RetryPolicy
from ingest_project.formats.bulk import bulk_encoder
from ingest_project.sinks import indexes, opensearch
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.sinks.signing import Signer
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.doubles import InMemoryLedger
from ingest_project.testing.doubles_stream import ListStream
from ingest_project.testing.fault_server import FaultServer
from ingest_project.testing.samples import sample_chunk, sample_work
from ingest_project.wire.http import Answer, Endpoint, Upload
from ingest_project_tests.sinks.sending import (
    ACCESS,
    CREDENTIALS,
    INDEX,
    SECRET,
    batch_of,
    documents,
    line,
    lines,
    opensearch_api,
    opensearch_sink,
)

KEYS = KeySchema(parts=(("id", "S"),))


class Watched(Endpoint):
    """Keeps what goes over the wire: target, head and body of each request, and the answer."""

    def __init__(self, url: str) -> None:
        super().__init__(url, connections=8)
        self.seen: list[tuple[str, str, bytes, bytes]] = []

    async def send(
        self, method: str, target: str, headers: Mapping[str, str] | bytes, body: bytes | Upload = b""
    ) -> Answer:
        answer = await super().send(method, target, headers, body)
        assert isinstance(body, bytes)
        self.seen.append((target, str(headers), body, answer.body))
        return answer


def counted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Answers that are taken apart."""
    seen: list[bytes] = []
    items = opensearch._items

    def watched(answer: bytes) -> list[Mapping[str, Any]]:
        seen.append(answer)
        return items(answer)

    monkeypatch.setattr(opensearch, "_items", watched)
    return seen


async def test_an_answer_is_short_and_is_taken_apart_only_when_something_was_refused(
    opensearch_url: str, index_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = counted(monkeypatch)
    endpoint = Watched(opensearch_url)
    async with OpenSearchApi(endpoint) as api:
        await indexes.ensure_index(api, index_name, made_for=index_name)
        sink = OpenSearchSink(api, index_name)
        endpoint.seen.clear()
        assert WriteReport(written=200) == await sink.write(batch_of(documents(200)))
        [(_, _, _, answer)] = endpoint.seen
        assert [] == parsed
        assert len(answer) < 200 * 40
        report = await sink.write(batch_of([*documents(2), documents(3)[2][:-2] + b"\n"]))
    assert (2, [2]) == (report.written, [one.index for one in report.refusals])
    assert 1 == len(parsed)


@pytest.mark.parametrize("signed", [False, True])
async def test_a_compressed_request_holds_the_same_bytes_in_fewer(signed: bool) -> None:
    bodies = documents(400)
    signer = Signer(CREDENTIALS, region="us-east-1", service="es") if signed else None
    keys = (ACCESS, SECRET) if signed else None
    async with FaultServer(indices=(INDEX,), credentials=keys) as server:
        endpoint = Watched(server.url)
        async with OpenSearchSink(OpenSearchApi(endpoint, signer=signer, compress=True), INDEX) as sink:
            assert WriteReport(written=400) == await sink.write(batch_of(bodies))
        stored = server.indices.documents[INDEX]
    [(_, head, body, _)] = endpoint.seen
    assert "Content-Encoding" in head
    assert b"".join(bodies) == gzip.decompress(body)
    assert 4 * len(body) < len(b"".join(bodies))
    assert {str(number): b'{"n":%d}' % number for number in range(400)} == stored


async def test_only_bulk_requests_are_compressed_and_only_where_it_is_asked_for() -> None:
    async with FaultServer(indices=(INDEX,)) as server:
        for compress in (False, True):
            endpoint = Watched(server.url)
            async with OpenSearchSink(OpenSearchApi(endpoint, compress=compress), INDEX) as sink:
                await sink.identity()
                await sink.write(batch_of(documents(3)))
            heads = ["Content-Encoding" in head for _, head, _, _ in endpoint.seen]
            assert [False, compress] == heads


async def test_documents_that_a_compressed_request_could_not_place_are_for_later() -> None:
    script = faults.in_order(faults.refused_items(429, "es_rejected_execution_exception", 1, 3))
    server = FaultServer(indices=(INDEX,), script=script)
    async with server, opensearch_sink(server.url, compress=True) as sink:
        report = await sink.write(batch_of(documents(5)))
    assert WriteReport(written=3, refusals=[], retry=[1, 3], throttled=True) == report


class Meeting(OpenSearchSink):
    """Sends nothing before ``wanted`` requests are there to be sent."""

    def __init__(self, api: OpenSearchApi, limits: BatchLimits, wanted: int) -> None:
        super().__init__(api, INDEX, limits=limits)
        self._wanted = wanted
        self.inside = self.most = self.held = self.most_held = 0
        self._met = asyncio.Event()

    async def write(self, batch: Batch) -> WriteReport:
        size = sum(map(len, batch.bodies))
        self.inside, self.held = self.inside + 1, self.held + size
        self.most, self.most_held = max(self.most, self.inside), max(self.most_held, self.held)
        if self.inside >= self._wanted:
            self._met.set()
        try:
            await asyncio.wait_for(self._met.wait(), 10)
            return await super().write(batch)
        finally:
            self.inside, self.held = self.inside - 1, self.held - size


async def loaded(server: FaultServer, bodies: Sequence[bytes], limits: BatchLimits, budget: int) -> Meeting:
    """All bodies through a Loader that may have 32 requests in flight."""
    sink = Meeting(opensearch_api(server.url, compress=True), limits, wanted=4)
    loader = Loader(
        sink=sink,
        ledger=InMemoryLedger(time.monotonic),
        retry=RetryPolicy(),
        budget=MemoryBudget(budget),
        governor=RateGovernor(time.monotonic, most=32, start=32),
        clock=time.monotonic,
        sleep=asyncio.sleep,
        rng=Random(1),
    )
    async with sink:
        await sink.identity()
        work = sample_work(sample_chunk(records=len(bodies)), "index", identity="")
        result = await loader.load(work, ListStream(bodies, size=100), "owner")
    assert (len(bodies), True) == (result.counts.written, result.sealed)
    return sink


async def test_several_requests_are_in_flight_and_their_bytes_are_bounded() -> None:
    bodies = bulk_encoder(KEYS)(lines(2000))[0]
    limits = BatchLimits(count=100, bytes=1 << 20, overhead=0)
    budget = 4 * max(sum(map(len, bodies[at : at + 100])) for at in range(0, 2000, 100))
    async with FaultServer(indices=(INDEX,)) as server:
        sink = await loaded(server, bodies, limits, budget)
        assert 2000 == len(server.indices.documents[INDEX])
    assert 4 == sink.most
    assert sink.most_held <= budget


async def test_requests_of_long_documents_are_cut_by_their_bytes() -> None:
    bodies = bulk_encoder(KEYS)([line(str(number), text="x" * 9000) for number in range(60)])[0]
    limits = BatchLimits(count=1000, bytes=50_000, overhead=0)
    async with FaultServer(indices=(INDEX,)) as server:
        sink = await loaded(server, bodies, limits, 4 * limits.bytes)
    assert sink.most_held <= 4 * limits.bytes
