"""Claim: what reaches a real OpenSearch whose write queue overflows, beside opensearch-py's helpers.

The node has a write queue of 2 and one write thread; each client sends the same documents into an index of
its own. Whoever stops at the first refusal is let stop.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from opensearchpy import OpenSearch, helpers
from opensearchpy.exceptions import TransportError
from opensearchpy.helpers.errors import BulkIndexError

from benchmarks.claims import Against, Claim, Column, Scale, Stage
from benchmarks.frame import ALL_CORES, Done, Row, Work
from benchmarks.our_way import usual_loader
from ingest_project import local
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.testing.doubles_stream import ListStream
from ingest_project.testing.samples import sample_chunk, sample_work
from ingest_project.wire.http import Endpoint, run

NODE = {"thread_pool.write.queue_size": "2", "node.processors": "1", "heap": "1g"}
CHUNK, SENDERS = 100, 16

Documents = Sequence[tuple[str, dict[str, Any]]]
Send = Callable[[Any, str, Documents], object]
Client = Callable[[str, str, Documents], None]


@contextmanager
def node(home: Path) -> Iterator[tuple[str, str]]:
    """A real node of our own; yields its URL and version."""
    try:
        stack = local.up(
            home,
            names=("opensearch-node",),
            settings={"opensearch-node": NODE},
            usual_ports=False,
            tied=True,
            timeout=180,
        )
        url = stack.servers["opensearch-node"].endpoint
        yield url, ask(url, "GET", "/")["version"]["number"]
    finally:
        local.down(home, grace=1.0)


def ask(url: str, method: str, path: str, body: object = None) -> Any:
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)) as connection:
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())


def refused(url: str) -> int:
    """Writes that the node's queue has refused so far."""
    found = ask(url, "GET", "/_nodes/stats/thread_pool?filter_path=**.write.rejected")
    return sum(one["thread_pool"]["write"]["rejected"] for one in found["nodes"].values())


def documents(count: int) -> Documents:
    """About 1 KB each."""
    text = "lorem ipsum dolor sit amet " * 32
    return [(f"d{number:06d}", {"number": number, "text": f"{number} {text}"}) for number in range(count)]


def actions(index: str, some: Documents) -> Iterator[dict[str, Any]]:
    return ({"_index": index, "_id": key, "_source": source} for key, source in some)


def bulk(client: Any, index: str, part: Documents, **words: Any) -> object:
    return helpers.bulk(
        client, actions(index, part), chunk_size=CHUNK, stats_only=True, max_retries=5, **words
    )


def parallel_bulk(client: Any, index: str, part: Documents) -> object:
    found = helpers.parallel_bulk(
        client, actions(index, part), thread_count=SENDERS, chunk_size=CHUNK, raise_on_error=False
    )
    return sum(1 for _ in found)


def in_threads(send: Send, threads: int, url: str, index: str, some: Documents) -> None:
    """One client a thread; one that stops with an error has stopped."""

    def one(part: Documents) -> None:
        with closing(OpenSearch(hosts=[url], timeout=120, max_retries=0)) as client:
            try:
                send(client, index, part)
            except (BulkIndexError, TransportError):
                return

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, [some[place::threads] for place in range(threads)]))


def loaders(count: int, window: int, url: str, index: str, some: Documents) -> None:
    """``count`` Loaders that do not know of each other, each with up to ``window`` requests in flight."""

    async def one(part: Documents, number: int) -> None:
        bodies = [
            b'{"index":{"_id":"%b"}}\n%b\n' % (key.encode(), json.dumps(source).encode())
            for key, source in part
        ]
        api = OpenSearchApi(Endpoint(url, connections=window, timeout=60))
        limits = BatchLimits(count=CHUNK, bytes=1 << 20, overhead=0)
        async with OpenSearchSink(api, index, limits=limits) as sink:
            loader = usual_loader(sink, RateGovernor(time.monotonic, most=window), seed=number)
            chunk = sample_chunk(str(number), records=len(part))
            result = await loader.load(sample_work(chunk, "index"), ListStream(bodies, size=1000), "bench")
            assert result.counts.written == len(part)

    async def all_of_them() -> None:
        await asyncio.gather(*(one(some[number::count], number) for number in range(count)))

    run(all_of_them)


def pressed(url: str, client: Client, count: int, ours: bool) -> Work:
    """Send everything into a new index; what can be found there afterwards, and how much was refused."""
    logging.getLogger("opensearch").setLevel(logging.CRITICAL)
    some, rounds = documents(count), itertools.count()

    def work() -> Done:
        index = f"round-{os.getpid()}-{next(rounds)}"
        ask(url, "PUT", f"/{index}", {"settings": {"number_of_replicas": 0, "refresh_interval": "-1"}})
        before, start = refused(url), time.perf_counter()
        client(url, index, some)
        seconds = time.perf_counter() - start
        ask(url, "POST", f"/{index}/_refresh")
        indexed = int(ask(url, "GET", f"/{index}/_count")["count"])
        ask(url, "DELETE", f"/{index}")
        no = refused(url) - before
        assert not ours or (indexed == count and no)
        return Done(units=count, figures={"indexed": indexed, "seconds": seconds, "refused": no})

    return work


PEERS: dict[str, Client] = {
    f"helpers.bulk(max_retries=5), {SENDERS} clients": partial(in_threads, bulk, SENDERS),
    f"the same, raise_on_error=False, {SENDERS} clients": partial(
        in_threads, partial(bulk, raise_on_error=False), SENDERS
    ),
    f"parallel_bulk, {SENDERS} threads": partial(in_threads, parallel_bulk, 1),
}
OURS: dict[str, Client] = {
    "Loader, up to 32 in flight": partial(loaders, 1, 32),
    f"{SENDERS} Loaders, up to 8 in flight each": partial(loaders, SENDERS, 8),
}


@contextmanager
def prepare(scale: Scale, folder: Path) -> Iterator[Stage]:
    count = scale.of(4_000, 16_000)
    with node(folder / "services") as (url, version):
        loaders(1, 2, url, "warm-up", documents(2_000))
        ask(url, "DELETE", "/warm-up")
        rows = [
            Row(
                name=name,
                make=pressed,
                given={"url": url, "client": client, "count": count, "ours": name in OURS},
                ours=name in OURS,
                warm=False,
                cores=ALL_CORES,
            )
            for name, client in {**PEERS, **OURS}.items()
        ]
        yield Stage(
            rows=rows,
            note=f"OpenSearch {version}, a write queue of 2, one write thread; {count:,} documents of 1 KB, "
            f"{CHUNK} a request.",
        )


def seconds_a_document(sample: Any) -> float:
    """Of those that arrived."""
    return float(sample.figures["seconds"] / max(1, sample.figures["indexed"]))


CLAIMS = (
    Claim(
        name="opensearch-backpressure",
        family="backpressure",
        title="A real OpenSearch whose write queue overflows",
        unit="document",
        columns=(
            Column(title="indexed", of=lambda one: one.figures["indexed"], form=",.0f", spread=True),
            Column(title="seconds", of=lambda one: one.figures["seconds"], form=".1f", spread=True),
            Column(title="refused requests", of=lambda one: one.figures["refused"], form=",.0f", spread=True),
        ),
        against=tuple(
            Against(peer=peer, title=f"x {short}, documents/s", cost=seconds_a_document)
            for peer, short in zip(PEERS, ("bulk", "bulk, no raise", "parallel_bulk"), strict=True)
        ),
        prepare=prepare,
        rounds={"usual": 3},
    ),
)
