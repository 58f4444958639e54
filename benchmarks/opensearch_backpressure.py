"""What reaches a real OpenSearch whose write queue overflows: the Loader beside opensearch-py's helpers.

``python benchmarks/opensearch_backpressure.py [--documents N] [--rounds N] [--senders N]`` starts a node with
a write queue of 2 and one write thread, and lets each client in turn send the same documents into an index
of its own. Whoever stops at the first refusal is let stop. Writes results/opensearch_backpressure.json.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from opensearchpy import OpenSearch, helpers
from opensearchpy.exceptions import TransportError
from opensearchpy.helpers.errors import BulkIndexError

from ingest_project import local
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits, MemoryBudget
from ingest_project.core.loading import Loader
from ingest_project.core.retrying import RetryPolicy
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.testing.doubles import InMemoryLedger
from ingest_project.testing.doubles_stream import ListStream
from ingest_project.testing.samples import sample_chunk, sample_work
from ingest_project.wire.http import Endpoint, run

NODE = {"thread_pool.write.queue_size": "2", "node.processors": "1", "heap": "1g"}
RESULTS = Path(__file__).with_name("results") / "opensearch_backpressure.json"
CHUNK = 100

Documents = Sequence[tuple[str, dict[str, Any]]]


class Round(NamedTuple):
    """One client's round: documents that can be found afterwards, seconds, and requests that the node
    refused."""

    indexed: int
    seconds: float
    refused: int


@contextmanager
def node() -> Iterator[tuple[str, str]]:
    """A real node of our own; yields its URL and version."""
    with tempfile.TemporaryDirectory(prefix="ingest-backpressure-") as folder:
        home = Path(folder)
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


def shares(all_documents: Documents, senders: int) -> list[Documents]:
    return [all_documents[place::senders] for place in range(senders)]


def actions(index: str, some: Documents) -> Iterator[dict[str, Any]]:
    return ({"_index": index, "_id": key, "_source": source} for key, source in some)


def in_threads(
    url: str, senders: int, send: Callable[[Any, Documents], object], parts: list[Documents]
) -> None:
    """One client a thread; one that stops with an error has stopped."""

    def one(part: Documents) -> None:
        with closing(OpenSearch(hosts=[url], timeout=120, max_retries=0)) as client:
            try:
                send(client, part)
            except (BulkIndexError, TransportError):
                return

    with ThreadPoolExecutor(senders) as pool:
        list(pool.map(one, parts))


def bulk_clients(url: str, index: str, some: Documents, senders: int, **words: Any) -> None:
    def send(client: Any, part: Documents) -> object:
        return helpers.bulk(client, actions(index, part), chunk_size=CHUNK, stats_only=True, **words)

    in_threads(url, senders, send, shares(some, senders))


def parallel_clients(url: str, index: str, some: Documents, senders: int) -> None:
    def send(client: Any, part: Documents) -> object:
        found = helpers.parallel_bulk(
            client, actions(index, part), thread_count=senders, chunk_size=CHUNK, raise_on_error=False
        )
        return sum(1 for _ in found)

    in_threads(url, 1, send, [some])


def loaders(url: str, index: str, some: Documents, senders: int, window: int) -> None:
    """``senders`` Loaders that do not know of each other, each with up to ``window`` requests in flight."""

    async def one(part: Documents, number: int) -> None:
        bodies = [
            b'{"index":{"_id":"%b"}}\n%b\n' % (key.encode(), json.dumps(source).encode())
            for key, source in part
        ]
        api = OpenSearchApi(Endpoint(url, connections=window, timeout=60))
        async with OpenSearchSink(
            api, index, limits=BatchLimits(count=CHUNK, bytes=1 << 20, overhead=0)
        ) as sink:
            loader = Loader(
                sink=sink,
                ledger=InMemoryLedger(time.monotonic),
                retry=RetryPolicy(),
                budget=MemoryBudget(64 << 20),
                governor=RateGovernor(time.monotonic, most=window),
                clock=time.monotonic,
                sleep=asyncio.sleep,
                rng=Random(number),
            )
            chunk = sample_chunk(str(number), records=len(part))
            result = await loader.load(sample_work(chunk, "index"), ListStream(bodies, size=1000), "bench")
            assert result.counts.written == len(part)

    async def all_of_them() -> None:
        await asyncio.gather(*(one(part, number) for number, part in enumerate(shares(some, senders))))

    run(all_of_them)


def measured(url: str, index: str, work: Callable[[str], None]) -> Round:
    ask(url, "PUT", f"/{index}", {"settings": {"number_of_replicas": 0, "refresh_interval": "-1"}})
    before, start = refused(url), time.perf_counter()
    work(index)
    seconds = time.perf_counter() - start
    ask(url, "POST", f"/{index}/_refresh")
    indexed = int(ask(url, "GET", f"/{index}/_count")["count"])
    found = Round(indexed, seconds, refused(url) - before)
    ask(url, "DELETE", f"/{index}")
    return found


def clients(url: str, some: Documents, senders: int) -> dict[str, Callable[[str], None]]:
    return {
        f"helpers.bulk(max_retries=5), {senders} clients": lambda index: bulk_clients(
            url, index, some, senders, max_retries=5
        ),
        f"the same, raise_on_error=False, {senders} clients": lambda index: bulk_clients(
            url, index, some, senders, max_retries=5, raise_on_error=False
        ),
        f"parallel_bulk, {senders} threads": lambda index: parallel_clients(url, index, some, senders),
        "Loader, up to 32 in flight": lambda index: loaders(url, index, some, 1, 32),
        f"{senders} Loaders, up to 8 in flight each": lambda index: loaders(url, index, some, senders, 8),
    }


def table(rounds: dict[str, list[Round]], sent: int) -> Iterator[str]:
    """One row a client."""
    yield f"{'client':<50}{'indexed of ' + f'{sent:,}':>26}{'seconds':>20}{'refused':>16}"
    for name, found in rounds.items():
        indexed, seconds, no = ([one[place] for one in found] for place in range(3))
        yield (f"{name:<50}{spread(indexed, ',.0f'):>26}{spread(seconds, '.1f'):>20}{spread(no, ',.0f'):>16}")


def spread(numbers: Sequence[float], form: str) -> str:
    """Median, and least to most where they differ."""
    least, most = min(numbers), max(numbers)
    middle = format(statistics.median(numbers), form)
    return middle if least == most else f"{middle} ({least:{form}}-{most:{form}})"


def ratios(rounds: dict[str, list[Round]]) -> Iterator[str]:
    """Documents a second that arrived, the Loader's beside each peer's in the same round."""
    *peers, ours, _ = rounds
    for peer in peers:
        pairs = list(zip(rounds[ours], rounds[peer], strict=True))
        rates = [(a.indexed / a.seconds) / (max(1, b.indexed) / b.seconds) for a, b in pairs]
        yield f"documents a second, Loader : {peer}: {spread(rates, '.2f')}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=16_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--senders", type=int, default=16)
    arguments = parser.parse_args()
    logging.getLogger("opensearch").setLevel(logging.CRITICAL)
    some = documents(arguments.documents)
    with node() as (url, version):
        known = clients(url, some, arguments.senders)
        rounds: dict[str, list[Round]] = {name: [] for name in known}
        measured(url, "warm-up", lambda index: loaders(url, index, some[:2000], 1, 2))
        for number in range(arguments.rounds):
            for place, (name, work) in enumerate(known.items()):
                rounds[name].append(measured(url, f"round-{number}-{place}", work))
    print(f"OpenSearch {version}, write queue 2, 1 write thread, {CHUNK} documents a request, ", end="")
    print(f"median of {arguments.rounds} (least to most)")
    print("\n".join(table(rounds, len(some))))
    print("\n".join(ratios(rounds)))
    RESULTS.parent.mkdir(exist_ok=True)
    written = {name: [one._asdict() for one in found] for name, found in rounds.items()}
    RESULTS.write_text(json.dumps({"opensearch": version, "sent": len(some), "rounds": written}, indent=2))
    ours = [one for name, found in rounds.items() if "Loader" in name for one in found]
    if any(one.indexed != len(some) or not one.refused for one in ours):
        raise SystemExit("a Loader lost documents, or the node refused nothing")


if __name__ == "__main__":
    main()
