"""Fixtures of the whole suite: clients of the servers, unique names, a clean environment.

The servers come from our own plugin. One that cannot be had skips its tests with the reason; with
INGEST_REQUIRE_SERVERS=1 it fails them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from ingest_project import local
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_s3.client import S3Client

    from ingest_project.testing.running import RunningServer
    from ingest_project_tests.faults.launcher import Launcher
    from ingest_project_tests.faults.world import World

hypothesis_settings.register_profile(
    "fixed", derandomize=True, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("fixed")

pytest_plugins = ["ingest_project.testing.plugin", "pytester"]
REQUIRE_SERVERS = os.environ.get("INGEST_REQUIRE_SERVERS", "") == "1"


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """The environment of a CI run asks for all servers."""
    config.option.require_servers = config.option.require_servers or REQUIRE_SERVERS


LONGEST = (
    "cluster/test_lost_worker.py",
    "cluster/test_restarts.py",
    "cli/test_demo_gazettes.py",
    "e2e/test_postgresql.py",
    "e2e/test_ui.py",
    "faults/test_kills.py",
    "entities/gazettes/test_pipeline.py",
    "entities/gazettes/test_kills.py",
    "faults/test_kills_mirror.py",
    "orchestration/test_order.py",
    "cli/test_demo_command.py",
    "cli/test_kill.py",
    "contracts/test_io_managers.py",
    "orchestration/test_range_runs.py",
    "faults/test_sink_scripts.py",
    "formats/test_long_fuzz.py",
)
"""Modules of a minute and more, below this folder."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers side by side begin with what takes longest, so that none of them ends alone with it."""
    if hasattr(config, "workerinput"):
        here = Path(__file__).parent
        ranks = {here / name: rank for rank, name in enumerate(LONGEST)}
        items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


def missing(reason: str) -> NoReturn:
    """What is no server of the plugin cannot be had: a skip, or a failure where everything is required."""
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


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A state folder that others may enter, as PostgreSQL's user must; its servers are stopped in the end."""
    folder = Path(tempfile.mkdtemp(prefix="ingest-test-"))
    folder.chmod(0o755)
    yield folder
    local.down(folder, grace=0.5)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def services(seaweedfs: RunningServer, moto: RunningServer, osmem: RunningServer) -> local.Stack:
    """All three embedded servers, as `ingest services up` would give them."""
    names = {"s3": seaweedfs, "dynamodb": moto, "opensearch": osmem}
    servers = {
        name: local.Running(name=name, mark=server.mark, ports={"http": server.port})
        for name, server in names.items()
    }
    return local.Stack(home=Path(os.devnull), servers=servers, bucket=local.DEFAULT_BUCKET)


@pytest.fixture(scope="session")
def s3_endpoint(seaweedfs: RunningServer) -> str:
    return seaweedfs.url


@pytest.fixture(scope="session")
def dynamodb_endpoint(moto: RunningServer) -> str:
    return moto.url


@pytest.fixture(scope="session")
def opensearch_url(osmem: RunningServer) -> str:
    return osmem.url


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


@pytest.fixture(scope="session")
def launcher(clean_environment: None) -> Iterator[Launcher]:
    """Runs of the messages entity in child processes, forked from one that has everything imported."""
    from ingest_project_tests.faults.launcher import launching

    with launching() as found:
        yield found


@pytest.fixture(scope="session")
def make_world(
    services: local.Stack, s3: S3Client, dynamodb: DynamoDBClient, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], World]:
    """Makes deployments on the embedded servers, each with an empty bucket of its own."""
    from ingest_project_tests.faults.world import new_world

    return lambda: new_world(services, s3, dynamodb, tmp_path_factory)


@pytest.fixture
def world(make_world: Callable[[], World]) -> World:
    return make_world()
