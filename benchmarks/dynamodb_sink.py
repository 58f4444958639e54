"""How fast one core feeds DynamoDBSink, beside boto3's batch_writer in the same run; the service is null.

``python benchmarks/dynamodb_sink.py [--items N] [--delay SECONDS] [--rounds N]`` prints one row a client.
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
from decimal import Decimal
from typing import NamedTuple

from ingest_project.core.model import Batch
from ingest_project.core.ports import Sink
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.signing import Signer, StaticCredentials
from ingest_project.wire.http import Endpoint, run

ITEMS_A_BATCH = 25
REGION = "us-east-1"


class Cost(NamedTuple):
    """Seconds of one run, on the clock and on the CPU of this process."""

    wall: float
    cpu: float


@contextmanager
def null_service(delay: float) -> Iterator[str]:
    """The fault server without faults or memory, in a process of its own; yields its URL."""
    command = [sys.executable, "-m", "ingest_project.testing.fault_server", "--delay", str(delay)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        assert process.stdin is not None
        process.stdin.close()


def record(number: int) -> dict[str, object]:
    """14 attributes, about 1.1 KB."""
    texts = {f"attribute_{index}": f"value {number} " + "lorem ipsum " * 7 for index in range(8)}
    numbers = {f"count_{index}": number * index for index in range(4)}
    return {"id": f"message-{number:012d}", **texts, **numbers, "done": number % 2 == 0}


def part_line(item: dict[str, object]) -> bytes:
    def typed(value: object) -> dict[str, object]:
        if isinstance(value, bool):
            return {"BOOL": value}
        return {"S": value} if isinstance(value, str) else {"N": str(value)}

    return json.dumps({"Item": {name: typed(value) for name, value in item.items()}}).encode()


async def pump(sink: Sink, batches: Iterator[Batch], in_flight: int) -> None:
    """Keeps ``in_flight`` requests going, as a loader would, and nothing else."""

    async def worker() -> None:
        for batch in batches:
            report = await sink.write(batch)
            assert report.written == len(batch)

    await asyncio.gather(*(worker() for _ in range(in_flight)))


def timed(work: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def with_sink(url: str, lines: list[bytes], items: int, in_flight: int) -> Cost:
    batches = [
        Batch(bodies=lines[start : start + ITEMS_A_BATCH], ordinals=range(ITEMS_A_BATCH), size=0)
        for start in range(0, len(lines), ITEMS_A_BATCH)
    ]

    async def main() -> None:
        signer = Signer(StaticCredentials(access_key="a", secret_key="b"), region=REGION, service="dynamodb")
        async with DynamoDBSink(DynamoDBApi(Endpoint(url, connections=in_flight), signer), "null") as sink:
            count = items // ITEMS_A_BATCH
            await pump(sink, itertools.islice(itertools.cycle(batches), count), in_flight)

    return timed(lambda: run(main))


def with_boto3(url: str, records: list[dict[str, object]], items: int) -> Cost:
    import boto3

    resource = boto3.resource(
        "dynamodb", endpoint_url=url, region_name=REGION, aws_access_key_id="a", aws_secret_access_key="b"
    )
    texts = [json.dumps(one).encode() for one in records]

    def work() -> None:
        with resource.Table("null").batch_writer() as writer:
            for text in itertools.islice(itertools.cycle(texts), items):
                writer.put_item(Item=json.loads(text, parse_float=Decimal))

    return timed(work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that the service takes for a write")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    records = [record(number) for number in range(1000)]
    lines = [part_line(one) for one in records]
    few = max(ITEMS_A_BATCH, arguments.items // 20)
    with null_service(arguments.delay) as url:
        rows: dict[str, tuple[int, Callable[[], Cost]]] = {
            "boto3 batch_writer": (few, lambda: with_boto3(url, records, few)),
            "DynamoDBSink, 32 in flight": (
                arguments.items,
                lambda: with_sink(url, lines, arguments.items, 32),
            ),
            "DynamoDBSink, 64 in flight": (
                arguments.items,
                lambda: with_sink(url, lines, arguments.items, 64),
            ),
        }
        with_boto3(url, records, ITEMS_A_BATCH)
        with_sink(url, lines, ITEMS_A_BATCH, 1)
        costs: dict[str, list[Cost]] = {name: [] for name in rows}
        for _ in range(arguments.rounds):
            for name, (_, work) in rows.items():
                costs[name].append(work())
    base = 0.0
    print(f"{len(lines[0])} bytes an item, {arguments.delay:g} s a write, median of {arguments.rounds}")
    print(f"{'client':<28}{'items/s':>10}{'us/item':>10}{'CPU us/item':>13}{'CPU ratio':>11}")
    for name, (items, _) in rows.items():
        wall = statistics.median(cost.wall for cost in costs[name]) / items
        cpu = statistics.median(cost.cpu for cost in costs[name]) / items
        base = base or cpu
        print(f"{name:<28}{1 / wall:>10,.0f}{wall * 1e6:>10.1f}{cpu * 1e6:>13.1f}{base / cpu:>11.1f}")


if __name__ == "__main__":
    main()
