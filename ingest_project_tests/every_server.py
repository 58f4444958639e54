"""Fixtures that repeat a test over every server that speaks a protocol.

A folder's conftest.py that imports ``s3``, ``dynamodb``, ``opensearch`` and their addresses from here puts
all of its tests on all of these servers; the test's name then ends with the server's. One client and one
bucket a server live as long as the session: SeaweedFS reserves volumes for each bucket.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.testing.running import RunningServer
from ingest_project_tests.readback import boto

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client


def over(*names: str) -> list[Any]:
    """Parameters of a fixture: names of the plugin's fixtures, marked as servers."""
    return [pytest.param(name, marks=pytest.mark.servers) for name in names]


class Clients:
    """One client of each service and one bucket for each server."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Any] = {}

    def boto(self, service: str, server: RunningServer) -> Any:
        return self._once(
            service,
            server,
            lambda: boto(service, server.url, access_key=ACCESS_KEY, secret_key=SECRET_KEY),
        )

    def opensearch(self, server: RunningServer) -> Any:
        from opensearchpy import OpenSearch

        return self._once("opensearch", server, lambda: OpenSearch(hosts=[server.url], timeout=60))

    def bucket(self, server: RunningServer) -> str:
        name: str = self._once("bucket", server, lambda: new_bucket(self.boto("s3", server)))
        return name

    def close(self) -> None:
        for (kind, _), client in self._known.items():
            if kind != "bucket":
                client.close()

    def _once(self, kind: str, server: RunningServer, make: Callable[[], Any]) -> Any:
        place = (kind, server.url)
        if place not in self._known:
            self._known[place] = make()
        return self._known[place]


def new_table(dynamodb: DynamoDBClient, name: str) -> str:
    """An empty table with the string key ``id``, ready to be written: dynalite takes a moment for that."""
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    looks = (dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] for _ in range(10_000))
    assert "ACTIVE" in looks
    return name


def new_bucket(s3: S3Client) -> str:
    name = f"every-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def clients() -> Iterator[Clients]:
    found = Clients()
    yield found
    found.close()


# Of function scope, so that each test's report names the server that it took.
@pytest.fixture(params=over("seaweedfs", "moto"))
def s3_server(request: pytest.FixtureRequest) -> RunningServer:
    """S3: the real SeaweedFS, and moto."""
    found: RunningServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=over("moto", "dynalite"))
def dynamodb_server(request: pytest.FixtureRequest) -> RunningServer:
    """DynamoDB: moto, which checks little, and dynalite, which has the service's own limits and words."""
    found: RunningServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=over("osmem", "opensearch_node"))
def opensearch_server(request: pytest.FixtureRequest) -> RunningServer:
    """OpenSearch: osmem in memory, and a real node."""
    found: RunningServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def s3_endpoint(s3_server: RunningServer) -> str:
    return s3_server.url


@pytest.fixture
def dynamodb_endpoint(dynamodb_server: RunningServer) -> str:
    return dynamodb_server.url


@pytest.fixture
def opensearch_url(opensearch_server: RunningServer) -> str:
    return opensearch_server.url


@pytest.fixture
def s3(clients: Clients, s3_server: RunningServer) -> S3Client:
    """A boto3 S3 client of its own, not the one under test."""
    client: S3Client = clients.boto("s3", s3_server)
    return client


@pytest.fixture
def dynamodb(clients: Clients, dynamodb_server: RunningServer) -> DynamoDBClient:
    """A boto3 DynamoDB client of its own, not the one under test."""
    client: DynamoDBClient = clients.boto("dynamodb", dynamodb_server)
    return client


@pytest.fixture
def table(dynamodb: DynamoDBClient, table_name: str) -> str:
    """A new empty table with the string key ``id``."""
    return new_table(dynamodb, table_name)


@pytest.fixture
def opensearch(clients: Clients, opensearch_server: RunningServer) -> Any:
    """An opensearch-py client of its own, not the one under test."""
    return clients.opensearch(opensearch_server)


@pytest.fixture
def one_bucket(clients: Clients, s3_server: RunningServer) -> str:
    """The bucket that all tests on this server share; each takes a folder of its own in it."""
    return clients.bucket(s3_server)


@pytest.fixture
def prefix() -> str:
    """An empty folder of the shared bucket."""
    return f"tests/{uuid.uuid4().hex[:12]}"
