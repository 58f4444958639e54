"""Client factories: they reach the embedded servers, refuse remote writes themselves, and import late."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ingest_project import local
from ingest_project.core.errors import ConfigurationError, RemoteWriteRefused
from ingest_project.resources import connect
from ingest_project.resources.deployments import Settings
from ingest_project.sinks.opensearch_api import LINES
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.fault_server import FaultServer
from ingest_project.wire.http import Answer
from ingest_project_tests.cli.processes import serving


@pytest.fixture
def embedded(services: local.Stack, home: Path) -> Settings:
    """Settings that know the embedded servers by their addresses alone."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_DYNAMODB", "OPENSEARCH_URL")
    return Settings.from_env({name: services.variables[name] for name in names}, home)


@pytest.fixture
def remote(home: Path) -> Settings:
    """Addresses that lead nowhere: .invalid is reserved."""
    environ = {
        "AWS_ENDPOINT_URL": "https://aws.invalid",
        "OPENSEARCH_URL": "https://search.invalid",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "INGEST_ALLOW_REMOTE_WRITES": "s3:aws.invalid/mine",
    }
    return Settings.from_env(environ, home)


def test_the_clients_write_to_and_read_from_the_embedded_servers(
    embedded: Settings, bucket: str, table: str, index_name: str
) -> None:
    s3 = connect.s3_client(embedded)
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"v"
    dynamodb = connect.dynamodb_client(embedded)
    dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}})
    assert dynamodb.scan(TableName=table)["Count"] == 1
    search: Any = connect.opensearch_client(embedded)
    search.index(index=index_name, id="1", body={"n": 1}, params={"refresh": "true"})
    assert search.get(index=index_name, id="1")["_source"] == {"n": 1}
    for client in (s3, dynamodb, search):
        client.close()


async def test_the_asynchronous_search_client_reaches_the_server(embedded: Settings) -> None:
    client: Any = connect.async_opensearch_client(embedded)
    try:
        assert (await client.info())["version"]["distribution"] == "opensearch"
    finally:
        await client.close()


async def test_the_calls_of_the_hot_path_reach_the_servers(embedded: Settings, table: str) -> None:
    dynamodb, search = connect.dynamodb_api(embedded), connect.opensearch_api(embedded)
    try:
        found = await dynamodb.call("DescribeTable", {"TableName": table})
        assert found["Table"]["TableName"] == table
        assert (await search.call("GET", "/"))["version"]["distribution"] == "opensearch"
    finally:
        await dynamodb.endpoint.aclose()
        await search.endpoint.aclose()


@pytest.mark.parametrize(
    ("operation", "arguments", "target"),
    [
        ("put_object", {"Bucket": "b", "Key": "k", "Body": b""}, "s3:aws.invalid/b"),
        ("delete_object", {"Bucket": "b", "Key": "k"}, "s3:aws.invalid/b"),
        ("create_bucket", {"Bucket": "b"}, "s3:aws.invalid/b"),
        ("copy_object", {"Bucket": "b", "Key": "k", "CopySource": "mine/k"}, "s3:aws.invalid/b"),
        ("create_multipart_upload", {"Bucket": "b", "Key": "k"}, "s3:aws.invalid/b"),
    ],
)
def test_the_s3_client_refuses_every_remote_write_before_it_connects(
    remote: Settings, operation: str, arguments: dict[str, Any], target: str
) -> None:
    client = connect.s3_client(remote)
    with pytest.raises(RemoteWriteRefused) as caught:
        getattr(client, operation)(**arguments)
    assert target in str(caught.value)
    client.close()


@pytest.mark.parametrize(
    ("operation", "arguments", "target"),
    [
        ("put_item", {"TableName": "t", "Item": {}}, "aws.invalid/t"),
        ("create_table", {"TableName": "t", "KeySchema": [], "AttributeDefinitions": []}, "aws.invalid/t"),
        ("delete_table", {"TableName": "t"}, "aws.invalid/t"),
        ("batch_write_item", {"RequestItems": {"t": []}}, "aws.invalid/t"),
        (
            "transact_write_items",
            {"TransactItems": [{"Put": {"TableName": "t", "Item": {}}}]},
            "aws.invalid/t",
        ),
        ("execute_statement", {"Statement": "DELETE FROM t"}, "aws.invalid/"),
    ],
)
def test_the_dynamodb_client_refuses_every_remote_write_before_it_connects(
    remote: Settings, operation: str, arguments: dict[str, Any], target: str
) -> None:
    client = connect.dynamodb_client(remote)
    with pytest.raises(RemoteWriteRefused) as caught:
        getattr(client, operation)(**arguments)
    assert target in str(caught.value)
    client.close()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/i"),
        ("POST", "/_bulk"),
        ("POST", "/i/_doc/_search"),
        ("DELETE", "/i"),
        ("POST", "/_aliases"),
        ("POST", "/i/_delete_by_query"),
    ],
)
async def test_the_search_clients_refuse_every_remote_write_before_they_connect(
    remote: Settings, method: str, path: str
) -> None:
    client: Any = connect.opensearch_client(remote)
    with pytest.raises(RemoteWriteRefused, match=r"opensearch:search\.invalid"):
        client.transport.perform_request(method, path, body={})
    client.close()
    later: Any = connect.async_opensearch_client(remote)
    with pytest.raises(RemoteWriteRefused, match=r"opensearch:search\.invalid"):
        await later.transport.perform_request(method, path, body={})
    await later.close()


def test_a_write_to_aws_itself_is_refused_when_no_endpoint_is_set(home: Path) -> None:
    client = connect.dynamodb_client(Settings.from_env({}, home))
    with pytest.raises(RemoteWriteRefused, match="dynamodb:us-east-1/t to INGEST_ALLOW_REMOTE_WRITES"):
        client.delete_table(TableName="t")
    client.close()


def test_other_sources_of_endpoints_cannot_lead_past_the_guard(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://elsewhere.invalid")
    client = connect.s3_client(Settings.from_env({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, home))
    assert client.meta.endpoint_url == "http://127.0.0.1:1"
    client.close()
    client = connect.s3_client(Settings.from_env({}, home))
    assert "amazonaws.com" in client.meta.endpoint_url
    client.close()


@pytest.fixture
def counting_port() -> Iterator[tuple[int, list[int]]]:
    """A server that takes connections and closes each one without an answer; counts them."""
    seen: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                seen.append(1)
                connection.recv(65536)
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], seen
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_connection_that_broke_is_tried_again_twice(
    home: Path, counting_port: tuple[int, list[int]]
) -> None:
    from botocore.exceptions import ConnectionClosedError

    port, seen = counting_port
    client = connect.dynamodb_client(
        Settings.from_env({"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}, home)
    )
    with pytest.raises(ConnectionClosedError):
        client.list_tables()
    assert len(seen) == 3
    client.close()


def test_an_answer_of_the_service_is_never_tried_again(services: local.Stack, embedded: Settings) -> None:
    from botocore.exceptions import ClientError

    client = connect.dynamodb_client(embedded)
    with pytest.raises(ClientError) as caught:
        client.describe_table(TableName="nowhere")
    assert caught.value.response["ResponseMetadata"]["RetryAttempts"] == 0
    client.close()


@contextmanager
def troubled(services: local.Stack, home: Path, *troubles: faults.Fault | None) -> Iterator[tuple[Any, Any]]:
    """A client of S3 behind a server whose first requests meet these troubles; and that server."""
    real = services.variables["AWS_ENDPOINT_URL_S3"]
    with serving(FaultServer(upstream=real, service="http", script=faults.in_order(*troubles))) as server:
        client = connect.s3_client(Settings.from_env({"AWS_ENDPOINT_URL_S3": server.url}, home))
        yield client, server
        client.close()


def test_what_s3_could_not_do_now_is_asked_again(services: local.Stack, bucket: str, home: Path) -> None:
    troubles = [faults.NAMED[name] for name in ("503", "500-after", "reset-after")]
    with troubled(services, home, *troubles) as (client, server):
        client.put_object(Bucket=bucket, Key="k", Body=b"v")
        assert b"v" == client.get_object(Bucket=bucket, Key="k")["Body"].read()
    assert len(troubles) + 2 == server.requests


def test_an_upload_that_may_be_complete_is_not_completed_twice(
    services: local.Stack, bucket: str, home: Path
) -> None:
    from botocore.exceptions import ClientError

    with troubled(services, home, None, None, faults.NAMED["500-after"]) as (client, server):
        known = {"Bucket": bucket, "Key": "k"}
        upload = {**known, "UploadId": client.create_multipart_upload(**known)["UploadId"]}
        part = client.upload_part(**upload, PartNumber=1, Body=b"v")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        with pytest.raises(ClientError):
            client.complete_multipart_upload(**upload, MultipartUpload=parts)
        assert 3 == server.requests
        assert b"v" == client.get_object(**known)["Body"].read()


def test_without_opensearch_the_message_says_what_to_set(home: Path) -> None:
    with pytest.raises(ConfigurationError, match="OPENSEARCH_URL is not set"):
        connect.opensearch_client(Settings.from_env({}, home))


def test_an_unreadable_file_of_authorities_is_named(home: Path) -> None:
    given = Settings.from_env({"AWS_CA_BUNDLE": str(home / "missing.pem")}, home)
    with pytest.raises(ConfigurationError, match="AWS_CA_BUNDLE"):
        connect.tls_context(given)


def test_importing_the_factories_loads_no_vendor() -> None:
    code = (
        "import sys, ingest_project.resources.connect;"
        "print({'boto3', 'botocore', 'opensearchpy', 'aiohttp', 'dagster'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("extra", [{}, {"INGEST_OPENSEARCH_AUTH": "aws", "AWS_ACCESS_KEY_ID": "a"}])
@pytest.mark.parametrize(("how", "expected"), [("", False), ("none", False), ("gzip", True)])
async def test_bulk_requests_are_compressed_where_the_setting_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch, extra: dict[str, str], how: str, expected: bool
) -> None:
    heads: list[str] = []
    secret = {"AWS_SECRET_ACCESS_KEY": "s"} if extra else {}
    async with FaultServer(indices=("i",)) as server:
        given = {"OPENSEARCH_URL": server.url, "INGEST_OPENSEARCH_COMPRESSION": how, **extra, **secret}
        async with connect.opensearch_api(Settings.from_env(given, home)) as api:
            monkeypatch.setattr(api.endpoint, "send", watched(api.endpoint.send, heads))
            await api.send("POST", "/i/_bulk", b'{"index":{"_id":"a"}}\n{}\n', LINES)
        assert {"a": b"{}"} == server.indices.documents["i"]
    assert [expected] == ["gzip" in head for head in heads]


def watched(send: Callable[..., Awaitable[Answer]], heads: list[str]) -> Callable[..., Awaitable[Answer]]:
    """``send`` that keeps the heads of its requests."""

    async def sent(method: str, target: str, head: object, body: bytes = b"") -> Answer:
        heads.append(str(head))
        return await send(method, target, head, body)

    return sent
