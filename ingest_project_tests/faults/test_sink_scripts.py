"""Random faults, fixed seeds: each item has one outcome, and the target holds what was counted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from ingest_project.core.errors import BatchTooLarge, TransientFailure
from ingest_project.core.model import WriteReport
from ingest_project.core.ports import Sink
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.fault_scripts import Fault
from ingest_project.testing.fault_server import FaultServer
from ingest_project_tests.sinks.sending import (
    ACCESS,
    INDEX,
    SECRET,
    TABLE,
    batch_of,
    document,
    dynamodb_sink,
    line,
    opensearch_sink,
)

COMMON = [
    faults.reset(after=False),
    faults.reset(after=True),
    faults.cut(),
    faults.slow(0.01),
    faults.error("", status=500),
    faults.error("", status=503, retry_after="1"),
    faults.error("", status=413),
]
DYNAMODB = [
    *COMMON,
    faults.damaged(),
    faults.unprocessed(0),
    faults.unprocessed(1, 2, 5),
    faults.unprocessed(*range(25)),
    faults.error("ThrottlingException"),
    faults.error("ProvisionedThroughputExceededException"),
    faults.error("InternalServerError", status=500),
]
OPENSEARCH = [
    *COMMON,
    faults.error("es_rejected_execution_exception", status=429),
    faults.refused_items(429, "es_rejected_execution_exception", 0, 3, 4),
    faults.refused_items(503, "unavailable_shards_exception", *range(25)),
    Fault(
        kind=faults.ITEMS,
        name="illegal_argument_exception",
        message="cannot be changed from type",
        indices=(1,),
    ),
]


def counted(report: WriteReport) -> int:
    done = report.written + report.superseded + report.unchanged
    return done + len(report.refusals) + len(report.retry)


async def deliver(sink: Sink, bodies: Sequence[bytes]) -> tuple[int, set[bytes]]:
    """Sends until nothing is left, as the loader does but without its waits. Returns written and refused."""
    written, refused = 0, set[bytes]()
    waiting = [list(bodies)]
    while waiting:
        batch = waiting.pop()
        try:
            report = await sink.write(batch_of(batch))
        except BatchTooLarge:
            assert len(batch) > 1
            waiting += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
        except TransientFailure:
            waiting.append(batch)
        else:
            assert counted(report) == len(batch)
            written += report.written
            refused |= {batch[one.index] for one in report.refusals}
            if report.retry:
                waiting.append([batch[index] for index in sorted(report.retry)])
    return written, refused


@pytest.mark.parametrize("seed", range(40))
async def test_dynamodb_holds_all_that_was_counted(seed: int) -> None:
    server = FaultServer(
        keys={TABLE: ("id",)}, credentials=(ACCESS, SECRET), script=faults.at_random(seed, DYNAMODB, 0.5)
    )
    bodies = [line(f"{seed}-{number}", text="x" * number) for number in range(200)]
    bad = line("")
    bodies[seed * 4] = bad
    batches = [bodies[start : start + 25] for start in range(0, 200, 25)]
    async with server, dynamodb_sink(server.url) as sink:
        outcomes = await asyncio.gather(*(deliver(sink, batch) for batch in batches))
    refused = set[bytes]().union(*(one for _, one in outcomes))
    kept = {f'[{{"S": "{seed}-{number}"}}]' for number in range(200) if bodies[number] not in refused}
    assert bad in refused
    assert sum(count for count, _ in outcomes) == 200 - len(refused)
    assert kept <= server.tables.items[TABLE].keys()


@pytest.mark.parametrize("seed", range(40))
async def test_opensearch_holds_all_that_was_counted(seed: int) -> None:
    server = FaultServer(indices=(INDEX,), script=faults.at_random(seed, OPENSEARCH, 0.5))
    bodies = [document(str(number), b'{"n":%d.0}' % number) for number in range(200)]
    bad = document("bad", b"{")
    bodies[seed * 4] = bad
    batches = [bodies[start : start + 25] for start in range(0, 200, 25)]
    async with server, opensearch_sink(server.url) as sink:
        outcomes = await asyncio.gather(*(deliver(sink, batch) for batch in batches))
    refused = set[bytes]().union(*(one for _, one in outcomes))
    kept = {body.split(b"\n")[1] for body in bodies if body not in refused}
    assert bad in refused
    assert sum(count for count, _ in outcomes) == 200 - len(refused)
    assert kept <= set(server.indices.documents[INDEX].values())
