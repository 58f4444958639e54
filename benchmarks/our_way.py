"""Rows of our own: source, contract, loader and sink in one pass; sinks alone; and `ingest load`.

The one pass leaves out what a job does beside it: survey, parts, who supersedes whom, ledger on disk.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.frame import Done, Work
from benchmarks.samples import first_lines
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import MemoryBudget
from ingest_project.core.loading import Loader
from ingest_project.core.model import (
    Admitted,
    Batch,
    Chunk,
    FileRange,
    ItemBlock,
    KeySchema,
    Position,
    Rejection,
)
from ingest_project.core.ports import ItemStream, Sink
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.streaming import EncodeLines
from ingest_project.formats.admission import ItemAdmission
from ingest_project.formats.bulk import bulk_encoder
from ingest_project.formats.parts import decode_lines, encode_lines
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.sinks.signing import Signer, StaticCredentials
from ingest_project.sources.dumps import DumpSource, list_files
from ingest_project.testing.doubles import InMemoryLedger
from ingest_project.testing.samples import sample_chunk, sample_work
from ingest_project.wire.http import Endpoint, run

KEYS = KeySchema(parts=(("id", "S"),))
REGION = "us-east-1"
TABLE_IN_FLIGHT, INDEX_IN_FLIGHT = 48, 4
BLOCK, BLOCK_BYTES = 1024, 256 * 1024
"""Lines that go to the loader at once; as many bytes as a block of a part has."""


def signer() -> Signer:
    credentials = StaticCredentials(access_key="a", secret_key="b")
    return Signer(credentials, region=REGION, service="dynamodb")


def table_sink(url: str, in_flight: int = TABLE_IN_FLIGHT) -> DynamoDBSink:
    return DynamoDBSink(DynamoDBApi(Endpoint(url, connections=in_flight), signer()), "null")


def index_sink(url: str, in_flight: int = INDEX_IN_FLIGHT, compress: bool = False) -> OpenSearchSink:
    return OpenSearchSink(OpenSearchApi(Endpoint(url, connections=in_flight), compress=compress), "null")


SINKS: dict[str, Callable[[str], DynamoDBSink | OpenSearchSink]] = {
    "table": table_sink,
    "index": index_sink,
    "index, gzip": partial(index_sink, compress=True),
}


def whole_chunk(path: Path) -> Chunk:
    """The file as one chunk, as the planner would make it."""
    source, file = DumpSource(), list_files(str(path))[0]
    index = source.index(file)
    return Chunk(
        entity="bench",
        date="2026-01-01",
        slot=0,
        target="null",
        keys=KEYS,
        range=FileRange(uri=file.uri, etag=file.etag, start=index.marks[0].offset, end=index.end),
        shape=index.shape,
        compression=index.compression,
        records=index.records,
    )


class AdmittedStream:
    """ItemStream: the chunk's records, admitted on the way. Keys are not compared, as no peer does."""

    def __init__(self, chunk: Chunk, encode: EncodeLines | None = None) -> None:
        self._chunk, self._encode = chunk, encode

    def blocks(self, after: Position) -> Iterator[ItemBlock]:
        first, size, waiting = after.ordinal, 0, list[bytes]()
        for lines in self._admitted(after):
            waiting += lines
            size += sum(map(len, lines))
            if len(waiting) >= BLOCK or size >= BLOCK_BYTES:
                yield self._block(first, waiting)
                first, size, waiting = first + len(waiting), 0, []
        if waiting:
            yield self._block(first, waiting)

    def rejection(self, ordinal: int, body: bytes, reason: str) -> Rejection:
        return Rejection(ordinal=ordinal, offset=-1, reason=reason, raw=body)

    def _admitted(self, after: Position) -> Iterator[Sequence[bytes]]:
        admission = ItemAdmission(self._chunk.keys)
        for batch in DumpSource().read(self._chunk, after):
            admitted: Admitted = admission(batch)
            assert not admitted.rejections
            yield admitted.lines

    def _block(self, first: int, lines: Sequence[bytes]) -> ItemBlock:
        bodies = lines if self._encode is None else self._encode(list(map(bytes, lines)))[0]
        return ItemBlock(first=first, entries=bodies, plain=True)


class StoredPart:
    """ItemStream: a stored part, read and made bulk bodies of as the index stage does."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def blocks(self, after: Position) -> Iterator[ItemBlock]:
        encode, first = bulk_encoder(KEYS), after.ordinal
        for lines in decode_lines([self._data]):
            yield ItemBlock(first=first, entries=encode(lines)[0], plain=True)
            first += len(lines)

    def rejection(self, ordinal: int, body: bytes, reason: str) -> Rejection:
        return Rejection(ordinal=ordinal, offset=-1, reason=reason, raw=body)


def part_to_sink(url: str, path: Path, items: int) -> Work:
    """A stored part through a Loader, as the index stage of a job does it."""
    stream = StoredPart(encode_lines([line.rstrip(b"\n") for line in first_lines(path, items)]))

    async def main() -> int:
        async with index_sink(url) as sink:
            return await loaded(sink, stream, sample_chunk(records=items), "index")

    def work() -> Done:
        assert run(main) == items
        return Done(units=items)

    return work


def one_pass(url: str, path: Path, stage: str = "table") -> Work:
    """File to service without parts."""
    chunk = whole_chunk(path)

    async def main() -> int:
        encode = bulk_encoder(KEYS) if stage == "index" else None
        async with SINKS[stage](url) as sink:
            return await loaded(sink, AdmittedStream(chunk, encode), chunk, stage)

    def work() -> Done:
        written = run(main)
        assert written == chunk.records
        return Done(units=written)

    return work


async def loaded(sink: Sink, stream: ItemStream, chunk: Chunk, stage: str) -> int:
    """The chunk through a Loader; items written."""
    governor = RateGovernor(time.monotonic, most=TABLE_IN_FLIGHT)
    result = await usual_loader(sink, governor).load(sample_work(chunk, stage), stream, "bench")
    return result.counts.written


def usual_loader(sink: Sink, governor: RateGovernor, *, seed: int = 1) -> Loader:
    """A Loader with the usual limits, over a ledger in memory."""
    return Loader(
        sink=sink,
        ledger=InMemoryLedger(time.monotonic),
        retry=RetryPolicy(),
        budget=MemoryBudget(32 << 20),
        governor=governor,
        clock=time.monotonic,
        sleep=asyncio.sleep,
        rng=Random(seed),
    )


def pumped(url: str, stage: str, bodies: Sequence[bytes], in_flight: int, repeat: int = 1) -> Done:
    """Bodies into a sink, ``in_flight`` requests at a time and no Loader."""
    sink = SINKS[stage](url)
    size = sink.limits.count
    batches = [
        Batch(bodies=bodies[first : first + size], ordinals=range(first, first + size), size=0)
        for first in range(0, len(bodies), size)
    ]
    return sent(sink, itertools.chain.from_iterable(itertools.repeat(batches, repeat)), in_flight)


def sent(sink: DynamoDBSink | OpenSearchSink, waiting: Iterator[Batch], in_flight: int) -> Done:
    """Batches into a sink, each made when it is its turn."""
    done = 0

    async def worker() -> None:
        nonlocal done
        for batch in waiting:
            report = await sink.write(batch)
            assert report.written == len(batch)
            done += len(batch)

    async def main() -> None:
        async with sink:
            await asyncio.gather(*(worker() for _ in range(in_flight)))

    run(main)
    return Done(units=done)


def sink_alone(url: str, path: Path, items: int, stage: str, repeat: int = 1) -> Work:
    """Bodies at hand -> sink. ``path``: a file of part lines."""
    lines = [line.rstrip(b"\n") for line in first_lines(path, items)]
    bodies = lines if stage == "table" else bulk_encoder(KEYS)(lines)[0]
    in_flight = TABLE_IN_FLIGHT if stage == "table" else INDEX_IN_FLIGHT
    return lambda: pumped(url, stage, bodies, in_flight, repeat)


def ingest_load(
    url: str, files: Sequence[str], home: Path, workers: int = 1, variables: dict[str, str] | None = None
) -> Work:
    """The whole job by the command line: survey, validation, parts, ledger, delivery; start-up included."""
    ingest = str(Path(sys.executable).with_name("ingest"))
    options = ["--table", "null", "--json", "--endpoint", url, "--workers", str(workers)]
    if not variables or "OPENSEARCH_URL" not in variables:
        options.append("--no-index")
    environ = os.environ | (variables or {}) | {"INGEST_HOME": str(home)}

    def work() -> Done:
        shutil.rmtree(home, ignore_errors=True)
        done = subprocess.run([ingest, "load", *files, *options], env=environ, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"ingest load: {done.stderr[-2000:]}")
        report: dict[str, Any] = json.loads(done.stdout)
        assert report["written"] == report["read"]
        assert not any(file["loaded_before"] for file in report["files"])
        return Done(
            units=report["read"],
            peak=report["peak_rss_bytes"],
            figures={"seconds": report["seconds"], "rate": report["items_per_second"]},
        )

    return work
