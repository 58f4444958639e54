"""Claims: how fast one core feeds OpenSearch, beside opensearch-py's helpers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from benchmarks import our_way
from benchmarks.claims import BUSY, Claim, Column, Scale, Stage, times, usual_columns
from benchmarks.frame import Done, Row, Work, service
from benchmarks.limit import limit
from benchmarks.samples import Record, export_line, first_lines, large, plain_line, prose, wide, write_lines
from ingest_project.core.limits import batched
from ingest_project.core.model import ItemBlock
from ingest_project.formats.bulk import bulk_encoder

SIZES: dict[str, Callable[[int], Record]] = {"1k": wide, "10k": large}
DOCUMENTS_A_REQUEST = 1000
THREADS = 4
BULK, PARALLEL, FROM_FILE = "helpers.bulk", f"parallel_bulk, {THREADS} threads", "helpers.bulk, from the file"
LIMIT = "limit: bodies built"
ONE_PASS, PART = "file to sink", "stored part to sink"
LINES, BODIES, GZIPPED = "part lines to sink", "bodies to sink", "bodies to sink, gzip"
NOTE = (
    f"`{FROM_FILE}` reads its documents with `json.loads`, a line each; the other peers have them as dicts "
    f"in memory. `{ONE_PASS}` reads the same file: source, contract, part lines, bulk bodies, loader, sink. "
    f"`{PART}` is what the index stage of a job does, where the contract was checked before: zstd, lines, "
    f"bulk bodies, loader, sink; `{LINES}` leaves out zstd and loader, `{BODIES}` the bulk bodies as well."
)

COMPRESSED = (
    "The network is this machine's own, so time shows what compression costs and not what it saves. "
    f"`http_compress` is gzip's level 9, `{GZIPPED}` isal's level 1."
)


def documents(path: Path, count: int) -> Iterator[Record]:
    return map(json.loads, first_lines(path, count))


def actions(found: Iterator[Record]) -> Iterator[dict[str, Any]]:
    return ({"_index": "null", "_id": one["id"], "_source": one} for one in found)


def with_helpers(
    url: str, path: Path, items: int, threads: int = 0, at_hand: bool = True, compress: bool = False
) -> Work:
    """helpers.bulk, or parallel_bulk over ``threads``."""
    from opensearchpy import OpenSearch, helpers

    client = OpenSearch(hosts=[url], http_compress=compress)
    kept = list(documents(path, items)) if at_hand else []

    def work() -> Done:
        found = actions(iter(kept) if at_hand else documents(path, items))
        if threads:
            sent = helpers.parallel_bulk(client, found, thread_count=threads, chunk_size=DOCUMENTS_A_REQUEST)
            count = sum(good for good, _ in sent)
        else:
            count, _ = helpers.bulk(client, found, chunk_size=DOCUMENTS_A_REQUEST, stats_only=True)
        assert count == items
        return Done(units=items)

    return work


def lines_to_sink(url: str, path: Path, items: int) -> Work:
    """Part lines at hand -> bulk bodies -> sink, a block at a time."""
    lines = [line.rstrip(b"\n") for line in first_lines(path, items)]
    block = max(1, our_way.BLOCK_BYTES * items // sum(map(len, lines)))

    def work() -> Done:
        encode, sink = bulk_encoder(our_way.KEYS), our_way.index_sink(url)
        blocks = (
            ItemBlock(first=first, entries=encode(lines[first : first + block])[0], plain=True)
            for first in range(0, items, block)
        )
        batches = (cut.batch for cut in batched(blocks, sink.limits) if cut.batch)
        done = our_way.sent(sink, batches, our_way.INDEX_IN_FLIGHT)
        assert done.units == items
        return done

    return work


@contextmanager
def prepare(size: str, scale: Scale, folder: Path) -> Iterator[Stage]:
    share = 1 if size == "1k" else 10
    items, few = scale.of(20_000, 100_000) // share, scale.of(5_000, 20_000) // share
    plain = write_lines(folder / "null.jsonl", SIZES[size], plain_line, items)
    parts = write_lines(folder / "parts.jsonl", SIZES[size], export_line, items)
    held = min(items, 20_000 // share)
    with service("benchmarks.null_service") as server:
        file = {"url": server.url, "path": plain}
        peer = {**file, "items": few}
        ours = {"url": server.url, "path": parts, "items": held}
        bodies = {"stage": "index", "repeat": max(1, items // held)}
        rows = [
            Row(name=BULK, make=with_helpers, given=peer),
            *(other_peers(peer) if scale.name != "short" else ()),
            Row(name=ONE_PASS, make=our_way.one_pass, given={**file, "stage": "index"}, ours=True),
            Row(name=PART, make=our_way.part_to_sink, given=ours, ours=True),
            Row(name=LINES, make=lines_to_sink, given=ours, ours=True),
            Row(name=BODIES, make=our_way.sink_alone, given={**ours, **bodies}, ours=True),
            Row(name=LIMIT, make=limit, given={**ours, **bodies, "connections": our_way.INDEX_IN_FLIGHT}),
        ]
        yield Stage(rows=rows, services=(server.pid,), note=NOTE)


def other_peers(given: dict[str, Any]) -> list[Row]:
    return [
        Row(name=PARALLEL, make=with_helpers, given={**given, "threads": THREADS}),
        Row(name=FROM_FILE, make=with_helpers, given={**given, "at_hand": False}),
    ]


def weighed(url: str, work: Work) -> Work:
    """``work``, and how many bytes the service received meanwhile for each document."""

    def received() -> int:
        with urlopen(f"{url}/received") as answer:
            return int(answer.read())

    def measured() -> Done:
        before = received()
        done = work()
        return replace(done, figures={"bytes": (received() - before) / done.units})

    return measured


def helpers_weighed(url: str, path: Path, items: int, compress: bool) -> Work:
    return weighed(url, with_helpers(url, path, items, compress=compress))


def ours_weighed(url: str, path: Path, items: int, stage: str) -> Work:
    return weighed(url, our_way.sink_alone(url, path, items, stage))


@contextmanager
def prepare_compressed(scale: Scale, folder: Path) -> Iterator[Stage]:
    items = scale.of(5_000, 10_000)
    with service("benchmarks.null_service") as server:
        plain = write_lines(folder / "null.jsonl", prose, plain_line, items)
        parts = write_lines(folder / "parts.jsonl", prose, export_line, items)
        peer = {"url": server.url, "path": plain, "items": items}
        ours = {"url": server.url, "path": parts, "items": items}
        yield Stage(
            rows=[
                Row(name=BULK, make=helpers_weighed, given={**peer, "compress": False}),
                Row(name=f"{BULK}, http_compress", make=helpers_weighed, given={**peer, "compress": True}),
                Row(name=BODIES, make=ours_weighed, given={**ours, "stage": "index"}, ours=True),
                Row(name=GZIPPED, make=ours_weighed, given={**ours, "stage": "index, gzip"}, ours=True),
            ],
            services=(server.pid,),
            note=COMPRESSED,
        )


COMPRESSION = Claim(
    name="opensearch-gzip",
    family="opensearch",
    title="OpenSearch: compressed requests, documents of 1 KB of words at random",
    unit="document",
    columns=(
        *usual_columns("document"),
        Column(title="bytes/document", of=lambda one: one.figures["bytes"], form=",.0f"),
        BUSY,
    ),
    against=[*times(BULK, BULK, clock=True), *times(BODIES, "uncompressed", clock=True)],
    prepare=prepare_compressed,
)


def claim(size: str, words: str) -> Claim:
    return Claim(
        name=f"opensearch-{size}",
        family="opensearch",
        title=f"OpenSearch: documents of {words}, {DOCUMENTS_A_REQUEST} a request",
        unit="document",
        columns=(*usual_columns("document"), BUSY),
        against=[
            *times(BULK, BULK, clock=True, gated=True),
            *times(FROM_FILE, "the same from a file"),
            *times(LIMIT, "limit"),
        ],
        prepare=partial(prepare, size),
        short=size == "1k",
    )


CLAIMS = (claim("1k", "1.1 KB"), claim("10k", "10 KB"), COMPRESSION)
