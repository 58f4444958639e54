"""Fixtures of the whole suite: the embedded servers (once a session), unique names, a clean environment.

A server that cannot be had skips its tests with the reason; with INGEST_REQUIRE_SERVERS=1 it fails them.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from ingest_project import local
from ingest_project.core.errors import IngestError
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client

hypothesis_settings.register_profile(
    "fixed", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("fixed")

SERVER_FIXTURES = frozenset({"services"})
REQUIRE_SERVERS = os.environ.get("INGEST_REQUIRE_SERVERS", "") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever takes a server is marked ``servers``: nobody forgets it."""
    for item in items:
        if SERVER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.servers)


def missing(reason: str) -> NoReturn:
    """A server is not to be had: a skip on a bare machine, a failure where all are required."""
    if REQUIRE_SERVERS:
        pytest.fail(f"INGEST_REQUIRE_SERVERS=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def clean_environment() -> Iterator[None]:
    """No variable of the caller's machine reaches a test; no telemetry leaves it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AWS_", "INGEST_", "OPENSEARCH_", "DAGSTER_")):
                patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("DAGSTER_DISABLE_TELEMETRY", "yes")
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        yield


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory, clean_environment: None) -> Iterator[local.Stack]:
    """All three embedded servers on free ports; stopped by pid at the end of the session."""
    home = tmp_path_factory.mktemp("services")
    try:
        stack = local.up(home, usual_ports=False, tied=True)
    except IngestError as error:
        local.down(home, grace=0.5)
        missing(str(error))
    yield stack
    local.down(home, grace=0.5)


@pytest.fixture(scope="session")
def s3_endpoint(services: local.Stack) -> str:
    return services.servers["s3"].endpoint


@pytest.fixture(scope="session")
def dynamodb_endpoint(services: local.Stack) -> str:
    return services.servers["dynamodb"].endpoint


@pytest.fixture(scope="session")
def opensearch_url(services: local.Stack) -> str:
    return services.servers["opensearch"].endpoint


def _boto(service: Any, endpoint: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(retries={"total_max_attempts": 1}, max_pool_connections=16, proxies={}),
    )


@pytest.fixture(scope="session")
def s3(s3_endpoint: str) -> Iterator[S3Client]:
    """A boto3 S3 client of its own, not the one under test."""
    client: S3Client = _boto("s3", s3_endpoint)
    yield client
    client.close()


@pytest.fixture(scope="session")
def dynamodb(dynamodb_endpoint: str) -> Iterator[DynamoDBClient]:
    """A boto3 DynamoDB client of its own, not the one under test."""
    client: DynamoDBClient = _boto("dynamodb", dynamodb_endpoint)
    yield client
    client.close()


@pytest.fixture(scope="session")
def opensearch(opensearch_url: str) -> Iterator[Any]:
    """An opensearch-py client of its own, not the one under test."""
    from opensearchpy import OpenSearch

    client = OpenSearch(hosts=[opensearch_url])
    yield client
    client.close()


@pytest.fixture
def bucket(s3: S3Client) -> str:
    """A new empty bucket."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def table_name() -> str:
    """A table name nobody else has; the table is not made."""
    return f"table-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def table(dynamodb: DynamoDBClient, table_name: str) -> str:
    """A new empty table with the string key ``id``."""
    dynamodb.create_table(
        TableName=table_name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return table_name


@pytest.fixture
def index_name() -> str:
    """An index name nobody else has; the index is not made."""
    return f"index-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty INGEST_HOME."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder
