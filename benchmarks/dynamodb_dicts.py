"""Claim: Python dicts to DynamoDB by import_records, beside every other client that takes dicts.

The dicts are made beforehand and are the same for all, numbers as Decimal and int.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import ingest_project
from benchmarks import dynamodb_peers as peers
from benchmarks.claims import BUSY, Claim, Scale, Stage, times, usual_columns
from benchmarks.frame import Done, Row, Work, service
from benchmarks.our_way import KEYS, REGION
from benchmarks.samples import Record, message, narrow, plain_line, wide
from ingest_project.formats.python_items import DictEncoder
from ingest_project.resources.deployments import Settings

SHAPES: dict[str, tuple[Callable[[int], Record], str]] = {
    "1k": (wide, "1.1 KB, 14 attributes"),
    "220b": (narrow, "220 B, 4 attributes"),
    "message": (message, "1 KB as chat messages have them, with a list and an object"),
}
WRITER, OURS, ENCODED = "boto3 batch_writer", "import_records", "encoding alone"
NOTE = (
    f"`{OURS}` is the whole call: table looked up, dicts checked and encoded, keys compared, loader, sink. "
    f"`{ENCODED}` sends nothing."
)


def dicts(shape: str, count: int) -> list[dict[str, Any]]:
    """As a program has them that reads JSON exactly."""
    make = SHAPES[shape][0]
    return [json.loads(plain_line(make(number)), parse_float=Decimal) for number in range(count)]


def batch_writer(url: str, shape: str, items: int) -> Work:
    """boto3's Table.batch_writer."""
    table = peers.boto3_session().resource("dynamodb", endpoint_url=url).Table("null")
    records = dicts(shape, items)

    def work() -> Done:
        with table.batch_writer() as writer:
            for item in records:
                writer.put_item(Item=item)
        return Done(units=items)

    return work


def pydynox(url: str, shape: str, items: int) -> Work:
    """pydynox's asynchronous client over the Rust SDK."""
    from pydynox import DynamoDBClient

    client = DynamoDBClient(region=REGION, access_key="a", secret_key="b", endpoint_url=url)
    records = dicts(shape, items)

    async def send(batch: list[peers.Item]) -> None:
        await client.batch_write("null", put_items=batch)

    def work() -> Done:
        asyncio.run(peers.spread_out(peers.batches(records), send))
        return Done(units=items)

    return work


def ours(url: str, shape: str, items: int) -> Work:
    records = dicts(shape, items)
    settings = Settings.from_env({"AWS_ENDPOINT_URL_DYNAMODB": url, "INGEST_HOME": tempfile.gettempdir()})

    def work() -> Done:
        report = ingest_project.import_records(records, "null", settings=settings)
        assert (items, 0) == (report.written, report.rejected)
        return Done(units=items)

    return work


def encoding(shape: str, items: int) -> Work:
    records = dicts(shape, items)

    def work() -> Done:
        encode = DictEncoder(KEYS).encode
        encoded: Sequence[object] = [encode(record) for record in records]
        return Done(units=len(encoded))

    return work


@contextmanager
def prepare(shape: str, scale: Scale, folder: Path) -> Iterator[Stage]:
    few, items = scale.of(1_000, 2_500), scale.of(20_000, 50_000)
    with service("benchmarks.null_service") as server:
        given = {"url": server.url, "shape": shape}
        rows = [Row(name=WRITER, make=batch_writer, given={**given, "items": few})]
        rows.append(Row(name=OURS, make=ours, given={**given, "items": items}, ours=True))
        if scale.name != "short":
            rows += [
                Row(name="pydynox", make=pydynox, given={**given, "items": 8 * few}, needs=("pydynox",)),
                Row(name=ENCODED, make=encoding, given={"shape": shape, "items": items}, ours=True),
            ]
        yield Stage(rows=rows, services=(server.pid,), note=NOTE)


def claim(shape: str) -> Claim:
    return Claim(
        name=f"dynamodb-dicts-{shape}",
        family="dynamodb-dicts",
        title=f"DynamoDB from Python dicts: items of {SHAPES[shape][1]}",
        unit="item",
        columns=(*usual_columns("item"), BUSY),
        against=[
            *times(WRITER, "batch_writer", clock=True, gated=True),
            *times("pydynox", "pydynox"),
        ],
        prepare=partial(prepare, shape),
    )


CLAIMS = tuple(map(claim, SHAPES))
