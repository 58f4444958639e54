"""Claims: how fast one core feeds OpenSearch, beside opensearch-py's helpers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import our_way
from benchmarks.claims import BUSY, Claim, Scale, Stage, times, usual_columns
from benchmarks.frame import Done, Row, Work, service
from benchmarks.limit import limit
from benchmarks.samples import Record, export_line, first_lines, large, plain_line, wide, write_lines
from ingest_project.formats.bulk import bulk_encoder

SIZES: dict[str, Callable[[int], Record]] = {"1k": wide, "10k": large}
DOCUMENTS_A_REQUEST = 1000
THREADS = 4
BULK, PARALLEL, FROM_FILE = "helpers.bulk", f"parallel_bulk, {THREADS} threads", "helpers.bulk, from the file"
LIMIT = "limit: bodies built"
ONE_PASS, LINES, BODIES = "file to sink", "part lines to sink", "bodies to sink"
NOTE = (
    f"The first two peers have their documents as dicts in memory; `{FROM_FILE}` reads them with "
    f"`json.loads`, a line each. `{ONE_PASS}` reads the same file: source, contract, bulk bodies, loader, "
    f"sink. `{LINES}` is what the index stage of a job does with a validated part: bulk bodies, sink."
)


def documents(path: Path, count: int) -> Iterator[Record]:
    return map(json.loads, first_lines(path, count))


def actions(found: Iterator[Record]) -> Iterator[dict[str, Any]]:
    return ({"_index": "null", "_id": one["id"], "_source": one} for one in found)


def with_helpers(url: str, path: Path, items: int, threads: int = 0, at_hand: bool = True) -> Work:
    """helpers.bulk, or parallel_bulk over ``threads``."""
    from opensearchpy import OpenSearch, helpers

    client = OpenSearch(hosts=[url])
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
    """Part lines at hand -> bulk bodies -> sink."""
    lines = [line.rstrip(b"\n") for line in first_lines(path, items)]

    def work() -> Done:
        bodies = bulk_encoder(our_way.KEYS)(lines)[0]
        return our_way.pumped(url, "index", bodies, our_way.INDEX_IN_FLIGHT)

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


CLAIMS = (claim("1k", "1.1 KB"), claim("10k", "10 KB"))
