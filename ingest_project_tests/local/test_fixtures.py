"""The shared server fixtures do what other tests rely on."""

from __future__ import annotations

from typing import Any

import pytest

from ingest_project import local
from ingest_project_tests import conftest


def test_each_embedded_server_stores_and_gives_back(
    s3: Any, dynamodb: Any, opensearch: Any, bucket: str, table: str, index_name: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"bytes")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"bytes"
    dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}, "n": {"N": "1.50"}})
    assert dynamodb.get_item(TableName=table, Key={"id": {"S": "1"}})["Item"]["id"] == {"S": "1"}
    opensearch.index(index=index_name, id="1", body={"n": 1}, params={"refresh": "true"})
    assert opensearch.get(index=index_name, id="1")["_source"] == {"n": 1}


def test_the_servers_of_a_test_session_listen_on_loopback_only(services: local.Stack) -> None:
    import psutil

    for server in services.servers.values():
        addresses = {
            connection.laddr.ip
            for connection in psutil.Process(server.mark.pid).net_connections()
            if connection.status == psutil.CONN_LISTEN
        }
        assert addresses == {"127.0.0.1"}


def test_what_is_missing_skips_or_fails_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conftest, "REQUIRE_SERVERS", False)
    with pytest.raises(pytest.skip.Exception, match="no browser"):
        conftest.missing("no browser")
    monkeypatch.setattr(conftest, "REQUIRE_SERVERS", True)
    with pytest.raises(pytest.fail.Exception, match="INGEST_REQUIRE_SERVERS=1, but no browser"):
        conftest.missing("no browser")
