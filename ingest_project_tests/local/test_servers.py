"""Each server of the catalogue answers its own protocol."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from ingest_project.local.postgresql import database
from ingest_project.local.servers import exchange
from ingest_project.testing.running import RunningServer, Servers


def ask(url: str, body: object = None, method: str = "GET") -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return json.load(answer)


def test_opensearch_indexes_a_document_and_finds_it(opensearch_node: RunningServer, index_name: str) -> None:
    ask(f"{opensearch_node.url}/{index_name}/_doc/1?refresh=true", {"word": "hello"}, "PUT")
    found = ask(f"{opensearch_node.url}/{index_name}/_search?q=word:hello")
    assert [hit["_id"] for hit in found["hits"]["hits"]] == ["1"]
    assert opensearch_node.version.startswith("2.19")


def test_postgresql_makes_a_table_in_a_fresh_database(postgresql: RunningServer) -> None:
    from sqlalchemy import create_engine, text

    with database(postgresql.url) as url:
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE t AS SELECT 7 AS n"))
            assert connection.execute(text("SELECT n FROM t")).scalar_one() == 7
        engine.dispose()


def test_redis_keeps_a_value(redis: RunningServer) -> None:
    assert exchange(redis.port, b"SET k v\r\n") == b"+OK\r\n"
    assert exchange(redis.port, b"GET k\r\n") == b"$1\r\nv\r\n"


def test_a_second_server_has_settings_of_its_own(
    opensearch_node: RunningServer, start_server: Servers
) -> None:
    words = {"thread_pool.write.queue_size": 2, "node.processors": 1, "heap": "512m"}
    other = start_server("opensearch_node", **words)
    assert other.port != opensearch_node.port
    assert start_server("opensearch_node", **words) == other
    (pool,) = [
        node["thread_pool"]["write"] for node in ask(f"{other.url}/_nodes/thread_pool")["nodes"].values()
    ]
    assert (pool["size"], pool["queue_size"]) == (1, 2)
