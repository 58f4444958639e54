"""Sinks and batches for tests: how to build them, and nothing more."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ingest_project.core.model import Batch
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.opensearch import OpenSearchSink
from ingest_project.sinks.opensearch_api import OpenSearchApi
from ingest_project.sinks.signing import Credentials, Signer, StaticCredentials
from ingest_project.wire.http import Endpoint

ACCESS, SECRET = "access", "secret"
CREDENTIALS = StaticCredentials(access_key=ACCESS, secret_key=SECRET)
TABLE, INDEX = "t", "i"


def batch_of(bodies: Iterable[bytes]) -> Batch:
    found = list(bodies)
    return Batch(bodies=found, ordinals=range(len(found)), size=sum(map(len, found)))


def line(key: str, **attributes: str) -> bytes:
    """A part line: the item with this key."""
    typed = {"id": {"S": key}} | {name: {"S": value} for name, value in attributes.items()}
    return json.dumps({"Item": typed}, separators=(",", ":")).encode()


def conditional(key: str, version: int, **attributes: str) -> bytes:
    """The end of a conditional PutItem of the item with this key and version."""
    item = json.loads(line(key, **attributes))["Item"] | {"version": {"N": str(version)}}
    values = {":v": {"N": str(version)}}
    return json.dumps({"ExpressionAttributeValues": values, "Item": item}).encode()[1:]


def lines(count: int) -> list[bytes]:
    return [line(str(number), text=f"number {number}") for number in range(count)]


def document(key: str, source: bytes = b"{}", **action: object) -> bytes:
    """A _bulk body: action line and document."""
    return json.dumps({"index": {"_id": key} | action}).encode() + b"\n" + source + b"\n"


def documents(count: int) -> list[bytes]:
    return [document(str(number), b'{"n":%d}' % number) for number in range(count)]


def dynamodb_api(
    url: str, *, credentials: Credentials = CREDENTIALS, timeout: float = 10.0, connections: int = 8
) -> DynamoDBApi:
    endpoint = Endpoint(url, timeout=timeout, connections=connections)
    return DynamoDBApi(endpoint, Signer(credentials, region="us-east-1", service="dynamodb"))


def dynamodb_sink(
    url: str, table: str = TABLE, *, credentials: Credentials = CREDENTIALS, timeout: float = 10.0
) -> DynamoDBSink:
    return DynamoDBSink(dynamodb_api(url, credentials=credentials, timeout=timeout), table)


def opensearch_api(url: str, *, timeout: float = 10.0, compress: bool = False) -> OpenSearchApi:
    return OpenSearchApi(Endpoint(url, timeout=timeout, connections=8), compress=compress)


def opensearch_sink(
    url: str, index: str = INDEX, *, timeout: float = 10.0, compress: bool = False
) -> OpenSearchSink:
    return OpenSearchSink(opensearch_api(url, timeout=timeout, compress=compress), index)
