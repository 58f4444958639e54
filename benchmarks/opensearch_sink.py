"""How fast one core feeds OpenSearchSink, beside opensearch-py's helpers.bulk in the same run; null service.

``python benchmarks/opensearch_sink.py [--documents N] [--bytes N] [--rounds N]`` prints one row a client.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ingest_project.core.model import Batch
from ingest_project.core.ports import Sink
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.wire.http import Endpoint, run

DOCUMENTS_A_BATCH = 1000
IN_FLIGHT = 4


class Cost(NamedTuple):
    """Seconds of one run, on the clock and on the CPU of this process."""

    wall: float
    cpu: float


@contextmanager
def null_service() -> Iterator[str]:
    """The fault server without faults or memory, in a process of its own; yields its URL."""
    command = [sys.executable, "-m", "ingest_project.testing.fault_server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        assert process.stdin is not None
        process.stdin.close()


def source(number: int, size: int) -> dict[str, object]:
    """A document of about ``size`` bytes."""
    texts = {f"attribute_{index}": f"value {number} " + "lorem ipsum " * 7 for index in range(size // 120)}
    return {"id": f"message-{number:012d}", "count": number, **texts}


def timed(work: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


async def pump(sink: Sink, batches: Iterator[Batch]) -> None:
    """Keeps some requests going, as a loader would, and nothing else."""

    async def worker() -> None:
        for batch in batches:
            report = await sink.write(batch)
            assert report.written == len(batch)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


def with_sink(url: str, sources: list[dict[str, object]], documents: int) -> Cost:
    bodies = [
        b'{"index":{"_id":"%d"}}\n%b\n' % (number, json.dumps(one, separators=(",", ":")).encode())
        for number, one in enumerate(sources)
    ]
    batch = Batch(bodies=bodies, ordinals=range(len(bodies)), size=0)

    async def main() -> None:
        async with OpenSearchSink(OpenSearchApi(Endpoint(url, connections=IN_FLIGHT)), "null") as sink:
            await pump(sink, itertools.repeat(batch, documents // len(bodies)))

    return timed(lambda: run(main))


def with_helpers(url: str, sources: list[dict[str, object]], documents: int) -> Cost:
    from opensearchpy import OpenSearch, helpers

    client = OpenSearch(hosts=[url])

    def actions() -> Iterator[dict[str, object]]:
        for number, one in enumerate(itertools.islice(itertools.cycle(sources), documents)):
            yield {"_index": "null", "_id": str(number), "_source": one}

    return timed(lambda: helpers.bulk(client, actions(), chunk_size=DOCUMENTS_A_BATCH, stats_only=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    sources = [source(number, arguments.bytes) for number in range(DOCUMENTS_A_BATCH)]
    few = max(DOCUMENTS_A_BATCH, arguments.documents // 5)
    with null_service() as url:
        rows: dict[str, tuple[int, Callable[[], Cost]]] = {
            "opensearch-py helpers.bulk": (few, lambda: with_helpers(url, sources, few)),
            f"OpenSearchSink, {IN_FLIGHT} in flight": (
                arguments.documents,
                lambda: with_sink(url, sources, arguments.documents),
            ),
        }
        with_helpers(url, sources, DOCUMENTS_A_BATCH)
        with_sink(url, sources, DOCUMENTS_A_BATCH)
        costs: dict[str, list[Cost]] = {name: [] for name in rows}
        for _ in range(arguments.rounds):
            for name, (_, work) in rows.items():
                costs[name].append(work())
    base = 0.0
    print(f"{len(json.dumps(sources[0]))} bytes a document, median of {arguments.rounds}")
    print(f"{'client':<28}{'docs/s':>10}{'us/doc':>10}{'CPU us/doc':>13}{'CPU ratio':>11}")
    for name, (documents, _) in rows.items():
        wall = statistics.median(cost.wall for cost in costs[name]) / documents
        cpu = statistics.median(cost.cpu for cost in costs[name]) / documents
        base = base or cpu
        print(f"{name:<28}{1 / wall:>10,.0f}{wall * 1e6:>10.2f}{cpu * 1e6:>13.2f}{base / cpu:>11.1f}")


if __name__ == "__main__":
    main()
