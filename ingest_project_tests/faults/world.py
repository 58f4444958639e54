"""A deployment of its own for one test: bucket, home, files of dumps, and what must stand in the targets at
the end.

The expected end is made here, from the files alone; targets are read with other clients than those under
test.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import urllib.request
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingest_project.local import Stack
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project_tests import readback

if TYPE_CHECKING:
    import pytest
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client

DAY, NEXT_DAY = "2026-11-02", "2026-11-03"
DIGITS = "12345678901234567890123456789.012345678"


def record(key: str, place: str, *, pad: int = 0, kind: str = "plain") -> bytes:
    """One good record as text of a dump; ``place`` says where it stands, so that no two are equal."""
    padding = "p" * pad
    if kind == "typed":
        typed = (
            f'{{"id":{{"S":"{key}"}},"place":{{"S":"{place}"}},"n":{{"N":"1.10"}},"big":{{"N":"{DIGITS}"}},'
            f'"none":{{"NULL":true}},"tags":{{"L":[{{"S":"a"}},{{"S":"b"}}]}},"flag":{{"BOOL":false}},"more":{{"L":[{{"N":"2.50"}}]}}}}'
        )
        return typed.encode()
    return (
        f'{{"id":"{key}","place":"{place}","n":1.10,"big":{DIGITS},"none":null,'
        f'"tags":["a","b"],"flag":false,"more":[2.50,-0.0],"deep":{{"e":1e5,"empty":""}},"pad":"{padding}"}}'
    ).encode()


def wrapped(records: Iterable[bytes]) -> bytes:
    return b'{"Items":[' + b",".join(records) + b'],"Count":1}'


def lines(records: Iterable[bytes]) -> bytes:
    return b"".join(one + b"\n" for one in records)


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


class Number(str):
    """A number as its text: equal only digit for digit."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{self}>"


def exact(text: bytes | str) -> Any:
    """JSON with numbers as their text."""
    return json.loads(text, parse_float=Number, parse_int=Number)


def plain(value: Mapping[str, Any]) -> Any:
    """A typed DynamoDB value as the plain value it was made of, numbers as text."""
    ((kind, inner),) = value.items()
    if kind == "NULL":
        return None
    if kind == "N":
        return Number(inner)
    if kind == "L":
        return [plain(one) for one in inner]
    if kind == "M":
        return {name: plain(one) for name, one in inner.items()}
    return inner


def untyped(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in item.items()}


def is_typed(item: Mapping[str, Any]) -> bool:
    return isinstance(item.get("id"), dict)


@dataclass(slots=True, kw_only=True)
class World:
    """Files that were dropped, and the clients to look at what became of them.

    Attributes:
        table: Name of table and index; every file of the world is bound for it unless it says otherwise.
        good: (date, uri, table) -> the file's good records in order.
    """

    home: Path
    stack: Stack
    s3: S3Client
    dynamodb: DynamoDBClient
    bucket: str
    table: str = field(default_factory=lambda: f"t-{uuid.uuid4().hex[:10]}")
    turned: dict[str, str] = field(default_factory=dict)
    good: dict[tuple[str, str, str], list[bytes]] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of the deployment."""
        services = {name: value for name, value in self.stack.variables.items() if name != "INGEST_HOME"}
        places = {
            "INGEST_HOME": str(self.home),
            "DAGSTER_HOME": str(self.home / "dagster"),
            "INGEST_BUCKET": self.bucket,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }
        return {**services, **places, **self.turned}

    @property
    def ledger_url(self) -> str:
        return self.turned.get("INGEST_LEDGER_URL") or f"sqlite:///{self.home / 'ledger.db'}"

    @property
    def search_url(self) -> str:
        return self.stack.servers["opensearch"].endpoint

    def put(self, day: str, name: str, content: bytes, good: Sequence[bytes]) -> str:
        """Drop a file into the inbox; ``good`` are the records of it that must arrive. Returns its URI."""
        key = f"inbox/messages/{day}/{name}"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        uri = f"s3://{self.bucket}/{key}"
        table = name.rsplit("/", 1)[-1].split("-dump")[0]
        self.good[(day, uri, table)] = list(good)
        return uri

    def expected(self, table: str = "", days: Iterable[str] = ()) -> dict[str, Any]:
        """Key -> record: the last one in order of date, file and place wins."""
        wanted, found = set(days), dict[str, Any]()
        for (day, _, target), records in sorted(self.good.items()):
            if target == (table or self.table) and (not wanted or day in wanted):
                for text in records:
                    item = exact(text)
                    item = untyped(item) if is_typed(item) else item
                    found[item["id"]] = item
        return found

    def in_table(self, table: str = "") -> dict[str, Any]:
        """Everything the table holds, by key."""
        found = readback.items(self.dynamodb, table or self.table)
        return {key: untyped(item) for key, item in found.items()}

    def in_index(self, index: str = "") -> dict[str, Any]:
        """Everything the index holds, by key."""
        sources = readback.documents(self.search_url, (index or self.table).lower()).values()
        found = {source["id"]: source for source in map(exact, sources)}
        assert len(sources) == len(found)
        return found

    def raw_document(self, name: str) -> bytes:
        """A document of the index, byte for byte as the server sends it."""
        return self._send("GET", f"/{self.table.lower()}/_source/{name}")

    def search(self, method: str, path: str, body: object = None) -> Any:
        """One call of OpenSearch over plain HTTP; a body of bytes is sent as it is."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return exact(self._send(method, path, data))

    def _send(self, method: str, path: str, data: bytes | None = None) -> bytes:
        request = urllib.request.Request(
            self.search_url + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            found: bytes = answer.read()
            return found

    def make_table(self, table: str = "") -> None:
        """An empty table, in place of one that is there."""
        name = table or self.table
        self.drop_table(name)
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def drop_table(self, table: str = "") -> None:
        name = table or self.table
        # Asked for by name: a list of tables ends after its first hundred.
        with contextlib.suppress(self.dynamodb.exceptions.ResourceNotFoundException):
            self.dynamodb.delete_table(TableName=name)

    def drop_index(self, index: str = "") -> None:
        name = (index or self.table).lower()
        if name in self.search("GET", "/_all/_settings"):
            self.search("DELETE", f"/{name}")

    def drop_stored(self, prefix: str) -> None:
        """Delete all objects below a prefix of the bucket."""
        for key in self.stored_below(prefix):
            self.s3.delete_object(Bucket=self.bucket, Key=key)

    def stored_below(self, prefix: str) -> list[str]:
        """Keys of the bucket that start with ``prefix``."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def stored(self, key: str) -> bytes | None:
        """An object of the bucket."""
        try:
            return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return None


def new_world(stack: Stack, s3: S3Client, dynamodb: DynamoDBClient, places: pytest.TempPathFactory) -> World:
    """A world with an empty bucket and an empty home."""
    bucket = f"world-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket)
    home = places.mktemp("world") / "home"
    home.mkdir()
    return World(home=home, stack=stack, s3=s3, dynamodb=dynamodb, bucket=bucket)
