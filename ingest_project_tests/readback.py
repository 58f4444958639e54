"""Reads whole targets back: tables, indices, buckets and ledgers, with none of the code under test.

boto3, plain HTTP and plain SQL only. Nothing here writes, but for the refresh without which an index shows
nothing.
"""

from __future__ import annotations

import http.client
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import msgspec
import psycopg2

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client

_PAGE = 2000


class _Hit(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    source: msgspec.Raw = msgspec.field(name="_source")


class _Hits(msgspec.Struct):
    hits: list[_Hit]


class _Page(msgspec.Struct):
    hits: _Hits
    scroll: str = msgspec.field(name="_scroll_id", default="")


def boto(service: Any, url: str, *, access_key: str, secret_key: str) -> Any:
    """A boto3 client that asks once and goes through no proxy."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=16, proxies={}),
    )


def items(dynamodb: DynamoDBClient, table: str, key: str = "id") -> dict[str, Any]:
    """Everything that a table holds: text of the key attribute -> item with its types."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    found = [item for page in pages for item in page["Items"]]
    by_key: dict[str, Any] = {str(next(iter(item[key].values()))): item for item in found}
    assert len(found) == len(by_key)
    return by_key


def plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item without its types: what it was in JSON, numbers as the text that the server spells."""
    return {name: _plain(value) for name, value in item.items()}


def _plain(value: Mapping[str, Any]) -> Any:
    ((kind, inner),) = value.items()
    if kind == "NULL":
        return None
    if kind == "L":
        return [_plain(one) for one in inner]
    return plain(inner) if kind == "M" else inner


def objects(s3: S3Client, bucket: str, prefix: str = "") -> dict[str, bytes]:
    """Every object below a prefix: key -> bytes."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def documents(url: str, index: str) -> dict[str, bytes]:
    """Everything that an index holds after a refresh: id -> source, byte for byte as the server sends it."""
    place = f"/{quote(index, safe='')}"
    ask(url, "POST", f"{place}/_refresh")
    page = _page(ask(url, "POST", f"{place}/_search?scroll=1m", {"size": _PAGE, "sort": ["_doc"]}))
    found: list[_Hit] = []
    while page.hits.hits:
        found += page.hits.hits
        words = {"scroll": "1m", "scroll_id": page.scroll}
        page = _page(ask(url, "POST", "/_search/scroll", words))
    ask(url, "DELETE", "/_search/scroll", {"scroll_id": [page.scroll]})
    by_id = {hit.id: bytes(hit.source) for hit in found}
    assert len(found) == len(by_id)
    return by_id


def ask(url: str, method: str, path: str, body: object = None, kind: str = "application/json") -> bytes:
    """One call of OpenSearch; an answer other than 2xx fails the test with its words."""
    status, answer = try_asking(url, method, path, body, kind)
    assert 200 <= status < 300, answer.decode(errors="replace")
    return answer


def try_asking(
    url: str, method: str, path: str, body: object = None, kind: str = "application/json"
) -> tuple[int, bytes]:
    """The same, with the status; a body of bytes is sent as it is."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)) as connection:
        connection.request(method, path, data, {"Content-Type": kind})
        answer = connection.getresponse()
        return answer.status, answer.read()


def works(ledger_url: str) -> dict[tuple[str, str], Mapping[str, Any]]:
    """(stage, chunk) -> the ledger's row of that piece of work."""
    found = rows(ledger_url, "SELECT * FROM ingest_works ORDER BY stage, chunk")
    return {(row["stage"], row["chunk"]): row for row in found}


def rows(ledger_url: str, query: str) -> list[Mapping[str, Any]]:
    """What a plain SQL query gives, from SQLite or PostgreSQL."""
    if ledger_url.startswith("sqlite:///"):
        with closing(sqlite3.connect(ledger_url.removeprefix("sqlite:///"))) as connection:
            return _fetched(connection.execute(query))
    with closing(psycopg2.connect(ledger_url)) as server, server.cursor() as cursor:
        cursor.execute(query)
        return _fetched(cursor)


def _fetched(cursor: Any) -> list[Mapping[str, Any]]:
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _page(answer: bytes) -> _Page:
    return msgspec.json.decode(answer, type=_Page)
