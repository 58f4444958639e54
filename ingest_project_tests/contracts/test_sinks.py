"""SinkLaws over the DynamoDB and OpenSearch sinks on every server, read back by other clients."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING

import pytest

from ingest_project.core.ports import Sink
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.sinks import indexes
from ingest_project.sinks.signing import StaticCredentials
from ingest_project.sinks.versioned import VersionedSink
from ingest_project.testing.laws import SinkLaws
from ingest_project_tests import readback
from ingest_project_tests.sinks.sending import (
    conditional,
    document,
    dynamodb_api,
    dynamodb_sink,
    line,
    opensearch_sink,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient


class TableProbe:
    def __init__(self, sink: Sink, client: DynamoDBClient, table: str) -> None:
        self.sink, self._client, self._table = sink, client, table

    def body(self, key: str, value: str) -> bytes:
        return line(key, text=value)

    def refused(self, key: str) -> bytes | None:
        return b'{"Item":{"text":{"S":"an item without its key"}}}'

    async def read(self) -> Mapping[str, str]:
        found = readback.items(self._client, self._table)
        return {key: item["text"]["S"] for key, item in found.items()}


class TestDynamoDBSink(SinkLaws):
    @pytest.fixture
    async def probe(
        self, dynamodb_endpoint: str, dynamodb: DynamoDBClient, table: str
    ) -> AsyncIterator[TableProbe]:
        credentials = StaticCredentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
        async with dynamodb_sink(dynamodb_endpoint, table, credentials=credentials) as sink:
            yield TableProbe(sink, dynamodb, table)


class VersionedProbe(TableProbe):
    """Each body is newer than all before it."""

    _version = 0

    def body(self, key: str, value: str) -> bytes:
        self._version += 1
        return conditional(key, self._version, text=value)

    def refused(self, key: str) -> bytes | None:
        return conditional("", 1)


class TestVersionedSink(SinkLaws):
    @pytest.fixture
    async def probe(
        self, dynamodb_endpoint: str, dynamodb: DynamoDBClient, table: str
    ) -> AsyncIterator[TableProbe]:
        credentials = StaticCredentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
        async with dynamodb_api(dynamodb_endpoint, credentials=credentials) as api:
            yield VersionedProbe(VersionedSink(api, table, version="version"), dynamodb, table)


class IndexProbe:
    def __init__(self, sink: Sink, url: str, index: str) -> None:
        self.sink, self._url, self._index = sink, url, index

    def body(self, key: str, value: str) -> bytes:
        return document(key, json.dumps({"n": 1, "text": value}).encode())

    def refused(self, key: str) -> bytes | None:
        return document(key, b'["not a document"]')

    async def read(self) -> Mapping[str, str]:
        found = readback.documents(self._url, self._index)
        return {key: json.loads(source)["text"] for key, source in found.items()}


class TestOpenSearchSink(SinkLaws):
    @pytest.fixture
    async def probe(self, opensearch_url: str, index_name: str) -> AsyncIterator[IndexProbe]:
        async with opensearch_sink(opensearch_url, index_name) as sink:
            await indexes.ensure_index(sink._api, index_name, made_for=index_name)
            yield IndexProbe(sink, opensearch_url, index_name)


class VersionedIndexProbe(IndexProbe):
    """Each document is newer than all before it."""

    _version = 0

    def body(self, key: str, value: str) -> bytes:
        self._version += 1
        return document(
            key, json.dumps({"text": value}).encode(), version=self._version, version_type="external_gte"
        )


class TestOpenSearchSinkWithVersions(SinkLaws):
    @pytest.fixture
    async def probe(self, opensearch_url: str, index_name: str) -> AsyncIterator[IndexProbe]:
        async with opensearch_sink(opensearch_url, index_name) as sink:
            await indexes.ensure_index(sink._api, index_name, made_for=index_name)
            yield VersionedIndexProbe(sink, opensearch_url, index_name)
