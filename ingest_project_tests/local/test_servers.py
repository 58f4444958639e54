"""Each server speaks its protocol, keeps what it says it keeps, stops, and ends when its port is taken."""

from __future__ import annotations

import json
import shutil
import socket
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.config import Config
from sqlalchemy import create_engine, text

from ingest_project import local
from ingest_project.core.errors import ConfigurationError
from ingest_project.local import postgresql as postgresql_server
from ingest_project.local import processes
from ingest_project.local.catalogue import SERVERS
from ingest_project.local.ports import choose
from ingest_project.local.postgresql import THROW_AWAY, database
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY, Place, exchange
from ingest_project.testing.running import IN_TESTS, RunningServer, Servers

pytestmark = pytest.mark.servers
WORDS = b"the quick brown fox"


def ask(url: str, body: object = None, method: str = "GET") -> Any:
    return json.loads(send(url, None if body is None else json.dumps(body).encode(), method))


def send(url: str, body: bytes | None, method: str, kind: str = "application/json") -> bytes:
    wanted = "application/json" if kind == "application/json" else "text/plain"
    request = urllib.request.Request(url, body, {"Content-Type": kind, "Accept": wanted}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as answer:
        found: bytes = answer.read()
    return found


def boto(service: Any, url: str) -> AbstractContextManager[Any]:
    return closing(
        boto3.client(
            service,
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )
    )


def write_objects(url: str) -> None:
    with boto("s3", url) as client:
        client.create_bucket(Bucket="kept-here")
        client.put_object(Bucket="kept-here", Key="k", Body=WORDS)


def read_objects(url: str) -> object:
    with boto("s3", url) as client:
        return client.get_object(Bucket="kept-here", Key="k")["Body"].read()


def write_items(url: str) -> None:
    with boto("dynamodb", url) as client:
        client.create_table(
            TableName="kept-here",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.get_waiter("table_exists").wait(TableName="kept-here", WaiterConfig={"Delay": 1})
        client.put_item(TableName="kept-here", Item={"id": {"S": "1"}, "words": {"B": WORDS}})


def read_items(url: str) -> object:
    with boto("dynamodb", url) as client:
        return client.get_item(TableName="kept-here", Key={"id": {"S": "1"}})["Item"]["words"]["B"]


def write_documents(url: str) -> None:
    ask(f"{url}/kept/_doc/1?refresh=true", {"words": WORDS.decode()}, "PUT")
    assert ask(f"{url}/kept/_search?q=words:brown")["hits"]["total"]["value"] == 1


def read_documents(url: str) -> object:
    ask(f"{url}/_cluster/health/kept?wait_for_status=yellow&timeout=60s")
    found: str = ask(f"{url}/kept/_doc/1")["_source"]["words"]
    return found.encode()


def write_rows(url: str) -> None:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TABLE kept AS SELECT CAST(:words AS text) AS words"), {"words": WORDS.decode()}
        )
    engine.dispose()


def read_rows(url: str) -> object:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.connect() as connection:
        found: str = connection.execute(text("SELECT words FROM kept")).scalar_one()
    engine.dispose()
    return found.encode()


def write_key(url: str) -> None:
    words = b"*3\r\n$3\r\nSET\r\n$4\r\nkept\r\n$%d\r\n%s\r\n" % (len(WORDS), WORDS)
    assert exchange(int(url.split(":")[2].split("/")[0]), words) == b"+OK\r\n"


def read_key(url: str) -> object:
    return exchange(int(url.split(":")[2].split("/")[0]), b"GET kept\r\n").split(b"\r\n")[1]


def write_nothing(url: str) -> None:
    """Tika keeps nothing."""


def read_page(url: str) -> object:
    page = b"<html><body><p>" + WORDS + b"</p></body></html>"
    return send(f"{url}/tika", page, "PUT", "text/html").strip()


TALKS: dict[str, tuple[Callable[[str], None], Callable[[str], object]]] = {
    "seaweedfs": (write_objects, read_objects),
    "moto": (write_items, read_items),
    "osmem": (write_documents, read_documents),
    "dynalite": (write_items, read_items),
    "opensearch_node": (write_documents, read_documents),
    "opensearch3_node": (write_documents, read_documents),
    "tika": (write_nothing, read_page),
    "postgresql": (write_rows, read_rows),
    "redis": (write_key, read_key),
}
CATALOGUE = {name: "s3" if name == "seaweedfs" else name.replace("_", "-") for name in TALKS} | {
    "moto": "dynamodb",
    "osmem": "opensearch",
}


def some_slow(*but: str) -> list[Any]:
    """The servers' names; those that take long to start are marked."""
    return [
        pytest.param(name, marks=[pytest.mark.slow] if name.startswith("opensearch") else [])
        for name in TALKS
        if name not in but
    ]


def obtained(name: str, start_server: Servers) -> Path:
    """Its program, or the end of the test with the reason."""
    try:
        return local.obtain((CATALOGUE[name],))[CATALOGUE[name]]
    except ConfigurationError as error:
        start_server.missing(name, str(error))


@pytest.mark.parametrize("name", TALKS)
def test_a_server_answers_its_protocol(name: str, start_server: Servers) -> None:
    server, (write, read) = start_server(name), TALKS[name]
    assert server.version[0].isdigit()
    write(server.url)
    assert read(server.url) == WORDS


# SeaweedFS: test_services.py has it. Both versions of OpenSearch are run in the same way: this test takes one
# of them, the next one the other.
@pytest.mark.parametrize("name", some_slow("seaweedfs", "opensearch3_node"))
def test_a_server_stops_when_it_is_asked_and_keeps_what_it_says(
    name: str, open_home: Path, start_server: Servers
) -> None:
    known, (write, read) = CATALOGUE[name], TALKS[name]
    obtained(name, start_server)

    def up() -> local.Running:
        settings = {known: IN_TESTS.get(name, {})}
        return local.up(
            open_home, names=(known,), settings=settings, usual_ports=False, tied=True, timeout=120
        ).servers[known]

    first = up()
    write(first.endpoint)
    assert local.down(open_home, grace=60) == {known: "stopped"}
    assert not processes.alive(first.mark)
    if SERVERS[known].keeps_data:
        assert read(up().endpoint) == WORDS


@pytest.mark.parametrize("name", some_slow("opensearch_node"))
def test_a_server_whose_port_is_taken_ends_by_itself(
    name: str, open_home: Path, start_server: Servers
) -> None:
    server = SERVERS[CATALOGUE[name]]
    program = obtained(name, start_server)
    taken: set[int] = set()
    with socket.create_server(("127.0.0.1", 0)) as holder:
        ports = {listener: choose((), taken) for listener in server.ports} | {"http": holder.getsockname()[1]}
        place = Place(folder=open_home, ports=ports, program=program, settings=IN_TESTS.get(name, {}))
        mark = processes.start(
            server.command(place),
            folder=open_home,
            log=open_home / "log",
            tied=True,
            account=server.account(),
        )
        try:
            psutil.wait_procs([psutil.Process(mark.pid)] if processes.alive(mark) else [], timeout=120)
            assert not processes.alive(mark), (open_home / "log").read_text()[-2000:]
        finally:
            processes.stop(mark, grace=0.5)


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
    start_server.stop(other)
    assert not processes.alive(other.mark)


def test_the_real_opensearch_listens_on_loopback_only(opensearch_node: RunningServer) -> None:
    connections = psutil.Process(opensearch_node.mark.pid).net_connections()
    listening = {known.laddr.ip for known in connections if known.status == psutil.CONN_LISTEN}
    assert {word.removeprefix("::ffff:") for word in listening} == {"127.0.0.1"}


def test_each_database_is_empty_and_gone_afterwards(postgresql: RunningServer) -> None:
    for _ in range(2):
        with database(postgresql.url) as url:
            write_rows(url)
    engine = create_engine(postgresql.url.replace("postgresql:", "postgresql+psycopg2:"))
    with engine.connect() as connection:
        left = connection.execute(text("SELECT datname FROM pg_database WHERE datname LIKE 'test_%'"))
        assert left.scalars().all() == []
    engine.dispose()


def test_a_folder_that_postgresql_may_not_enter_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_server: Servers
) -> None:
    program = obtained("postgresql", start_server)
    (closed := tmp_path / "closed").mkdir(mode=0o700)
    (folder := closed / "server").mkdir()
    place = Place(folder=folder, ports={"http": 1}, program=program, settings=THROW_AWAY)
    monkeypatch.setattr(postgresql_server, "_account", lambda: "nobody")
    monkeypatch.setattr(shutil, "chown", lambda *_: None)
    with pytest.raises(ConfigurationError, match=r"runs as nobody, who may not enter .*closed"):
        postgresql_server.SERVER.command(place)
