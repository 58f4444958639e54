"""Rows of other clients of DynamoDB, each the fastest way its own documentation knows, from the same file.

Numbers stay exact: ``parse_float=Decimal``. Export lines have to become Python values where a client takes
nothing else.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Coroutine, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.frame import Done, Work
from benchmarks.our_way import REGION
from benchmarks.samples import first_lines
from ingest_project.wire.http import run

ITEMS_A_REQUEST = 25
IN_FLIGHT = 64

Item = dict[str, Any]


def untyped(value: dict[str, Any]) -> Any:
    """A DynamoDB JSON value as Python's own; plainer and faster than boto3's TypeDeserializer."""
    ((kind, inner),) = value.items()
    if kind == "N":
        return Decimal(inner)
    if kind == "M":
        return {name: untyped(one) for name, one in inner.items()}
    if kind == "L":
        return [untyped(one) for one in inner]
    return None if kind == "NULL" else inner


def items_of(path: Path, count: int, export: bool) -> Iterator[Item]:
    for line in first_lines(path, count):
        if export:
            yield {name: untyped(value) for name, value in json.loads(line)["Item"].items()}
        else:
            yield json.loads(line, parse_float=Decimal)


def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while batch := list(itertools.islice(rest, ITEMS_A_REQUEST)):
        yield batch


def boto3_session() -> Any:
    import boto3

    return boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name=REGION)


def batch_writer(url: str, path: Path, items: int, export: bool) -> Work:
    """boto3's Table.batch_writer."""
    table = boto3_session().resource("dynamodb", endpoint_url=url).Table("null")

    def work() -> Done:
        with table.batch_writer() as writer:
            for item in items_of(path, items, export):
                writer.put_item(Item=item)
        return Done(units=items)

    return work


def typed_client(url: str, path: Path, items: int) -> Work:
    """boto3's client.batch_write_item, which takes the typed items of export lines as they are."""
    client = boto3_session().client("dynamodb", endpoint_url=url)

    def work() -> Done:
        for batch in batches(json.loads(line)["Item"] for line in first_lines(path, items)):
            left = client.batch_write_item(
                RequestItems={"null": [{"PutRequest": {"Item": item}} for item in batch]}
            )
            assert not left["UnprocessedItems"]
        return Done(units=items)

    return work


async def spread_out(
    requests: Iterator[list[Item]], send: Callable[[list[Item]], Coroutine[Any, Any, object]]
) -> None:
    """Keeps IN_FLIGHT requests going."""

    async def worker() -> None:
        for batch in requests:
            await send(batch)

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))


def with_aiodynamo(url: str, path: Path, items: int, export: bool) -> Work:
    """aiodynamo over aiohttp and uvloop."""

    async def main() -> None:
        import aiohttp
        from aiodynamo.client import Client
        from aiodynamo.credentials import Key, StaticCredentials
        from aiodynamo.http.aiohttp import AIOHTTP
        from aiodynamo.models import BatchWriteRequest
        from yarl import URL

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=IN_FLIGHT)) as session:
            credentials = StaticCredentials(Key(id="a", secret="b"))
            client = Client(AIOHTTP(session), credentials, REGION, endpoint=URL(url))

            async def send(batch: list[Item]) -> None:
                result = await client.batch_write({"null": BatchWriteRequest(items_to_put=batch)})
                assert not result

            await spread_out(batches(items_of(path, items, export)), send)

    return _asynchronous(main, items)


def with_pydynox(url: str, path: Path, items: int, export: bool) -> Work:
    """pydynox's asynchronous client over the Rust SDK."""
    from pydynox import DynamoDBClient

    client = DynamoDBClient(region=REGION, access_key="a", secret_key="b", endpoint_url=url)

    async def main() -> None:
        async def send(batch: list[Item]) -> None:
            await client.batch_write("null", put_items=batch)

        await spread_out(batches(items_of(path, items, export)), send)

    return _asynchronous(main, items)


def _asynchronous(main: Callable[[], Coroutine[Any, Any, None]], items: int) -> Work:
    def work() -> Done:
        run(main)
        return Done(units=items)

    return work
