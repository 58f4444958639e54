"""The frame of the benchmarks: rows in processes of their own, in turn, on their core; the null service."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from benchmarks.frame import CLIENT_CORES, Row, RowFailed, Service, measure, service
from ingest_project_tests.performance.rows import failing, spinning, telling

TURNS = {"twice": 2, "once": 1, "thrice": 3}


@pytest.fixture(scope="module")
def null() -> Iterator[Service]:
    with service("benchmarks.null_service") as found:
        yield found


def asked(server: Service, method: str, path: str, body: str = "", target: str = "") -> dict[str, object]:
    with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)) as connection:
        connection.request(method, path, body, {"X-Amz-Target": f"DynamoDB_20120810.{target}"})
        found: dict[str, object] = json.loads(connection.getresponse().read())
        return found


def test_rows_take_turns_in_processes_of_their_own_on_the_clients_core() -> None:
    rows = [Row(name=name, make=telling, given={"units": 3}) for name in ("one", "two")]
    found = measure(rows, 3)
    times = [sample.figures["at"] for samples in zip(*found.values(), strict=True) for sample in samples]
    assert sorted(times) == times
    assert 6 == len(times)
    assert [{3}, {3}] == [{sample.units for sample in samples} for samples in found.values()]
    processes = [{sample.figures["process"] for sample in samples} for samples in found.values()]
    assert [1, 1] == [len(one) for one in processes]
    assert processes[0] != processes[1]
    cores = {sample.figures["core"] for samples in found.values() for sample in samples}
    assert cores == CLIENT_CORES


def test_the_turns_of_a_round_alternate_with_other_rows_and_are_added_up() -> None:
    rows = [Row(name=name, make=telling, given={"units": 3}, turns=turns) for name, turns in TURNS.items()]
    found = measure(rows, 2)
    assert {name: [3 * turns] * 2 for name, turns in TURNS.items()} == {
        name: [sample.units for sample in samples] for name, samples in found.items()
    }
    last = {name: [sample.figures["at"] for sample in samples] for name, samples in found.items()}
    assert last["once"][0] < last["twice"][0] < last["thrice"][0] < last["once"][1]


def test_cpu_time_counts_the_children_that_ended() -> None:
    alone, both = (
        measure([Row(name="row", make=spinning, given={"turns": turns})], 1)["row"][0]
        for turns in (0, 10_000_000)
    )
    assert alone.cpu < both.cpu
    # Two processes shared a core: less than both of their times cannot have passed.
    assert both.cpu <= both.wall + 0.05


def test_a_row_that_fails_says_why() -> None:
    with pytest.raises(RowFailed, match="no such thing"):
        measure([Row(name="bad", make=failing)], 1)


def test_a_row_whose_peer_is_not_installed_says_what_is_missing() -> None:
    row = Row(name="row", make=failing, needs=("json", "no_such_module"))
    assert ["no_such_module"] == row.missing()


def test_the_null_service_takes_items_and_describes_its_table(null: Service) -> None:
    assert {"UnprocessedItems": {}} == asked(null, "POST", "/", "{}", "BatchWriteItem")
    table = asked(null, "POST", "/", "{}", "DescribeTable")["Table"]
    assert isinstance(table, dict)
    assert "ACTIVE" == table["TableStatus"]


@pytest.mark.parametrize("asking", ["", "?filter_path=errors"])
def test_the_null_service_answers_for_each_document(null: Service, asking: str) -> None:
    found = asked(null, "POST", f"/null/_bulk{asking}", '{"index":{}}\n{"a":1}\n' * 7)
    assert found["errors"] is False
    items = found["items"]
    assert isinstance(items, list)
    assert [201] * 7 == [item["index"]["status"] for item in items]


def test_the_null_service_waits_for_a_request_that_comes_in_pieces(null: Service) -> None:
    """And answers two that come at once."""
    place = urlsplit(null.url)
    request = b"POST / HTTP/1.1\r\nX-Amz-Target: x.BatchWriteItem\r\ncontent-length: 5\r\n\r\nabcde"
    with closing(socket.create_connection((place.hostname, place.port or 0), timeout=30)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in (request[:20], request[20:-2], request[-2:] + request):
            connection.sendall(piece)
        heard = b""
        while heard.count(b'{"UnprocessedItems":{}}') < 2:
            heard += connection.recv(1000)
    assert 2 == heard.count(b"HTTP/1.1 200 OK")
