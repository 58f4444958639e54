"""import_records: dicts to a table on real servers, each with one outcome."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import Binary

from ingest_project import import_records
from ingest_project.core.errors import ConfigurationError, RemoteWriteRefused, TargetMissing
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.resources.deployments import Settings
from ingest_project.resources.importing import records as module
from ingest_project.resources.importing.records import RecordsInterrupted, RecordsReport, RejectedRecord
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.fault_server import FaultServer
from ingest_project.testing.running import RunningServer

Load = Callable[..., RecordsReport]


class Odd(bytes):
    """Is equal to nothing else, so that a set may hold it twice."""

    __hash__ = bytes.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


@pytest.fixture(params=["moto", "dynalite"])
def url(request: pytest.FixtureRequest) -> str:
    server: RunningServer = request.getfixturevalue(request.param)
    return server.url


@pytest.fixture
def settings(url: str, home: Path) -> Settings:
    return Settings.from_env({"AWS_ENDPOINT_URL_DYNAMODB": url, "INGEST_HOME": str(home)})


@pytest.fixture
def load(settings: Settings, table_name: str) -> Load:
    """Into a table of this test's own, made on the way."""

    def call(records: Any, key: str = "id", **given: Any) -> RecordsReport:
        return import_records(records, table_name, key=key, create_table=True, settings=settings, **given)

    return call


@pytest.fixture
def stored(url: str, table_name: str) -> Callable[[], dict[Any, dict[str, Any]]]:
    """What boto3 reads, by the key ``id``."""
    table = boto3.resource(
        "dynamodb",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    ).Table(table_name)
    return lambda: {item["id"]: item for item in table.scan(ConsistentRead=True)["Items"]}


def test_values_of_every_type_are_read_back_by_boto3_as_they_were(load: Load, stored: Any) -> None:
    record = {
        "id": "a",
        "integer": 12345678901234567890123456789012345678,
        "decimal": Decimal("-0.00001234567890123456789"),
        "bytes": b"\x00\xff",
        "bool": True,
        "none": None,
        "list": ["x", 1, [None]],
        "map": {"é": {"deep": "\n"}},
        "texts": {"x", "y"},
        "numbers": {1, Decimal("2.5")},
        "binaries": {b"x", b"y"},
        "empty": "",
    }
    report = load([record])
    assert (1, 1, 0, 0, True) == (
        report.read,
        report.written,
        report.superseded,
        report.rejected,
        report.ok,
    )
    assert {"a": record} == stored()
    assert Binary(b"\x00\xff") == stored()["a"]["bytes"]


def test_the_last_record_of_a_key_wins_in_a_request_and_over_many(load: Load, stored: Any) -> None:
    records = [{"id": f"k{number % 60}", "n": number} for number in range(600)]
    records += [{"id": "one", "n": number} for number in range(100)]
    report = load(iter(records))
    assert 700 == report.read == report.written + report.superseded
    assert report.superseded > 0
    assert {"one": 99, **{f"k{number}": 540 + number for number in range(60)}} == {
        name: int(item["n"]) for name, item in stored().items()
    }


def test_a_bad_record_is_told_with_its_place_and_harms_no_other(load: Load, stored: Any) -> None:
    told: list[RejectedRecord] = []
    records: list[Any] = [{"id": f"r{number}"} for number in range(300)]
    records[7] = {"id": "r7", "meta": {"tags": [1, 0.5]}}
    records[299] = {"name": "no key"}
    report = load(records, on_rejection=told.append)
    assert (300, 298, 2, False) == (report.read, report.written, report.rejected, report.ok)
    first, last = report.rejections
    assert (7, "meta.tags[1]", "r7") == (first.index, first.path, first.key)
    assert "float is not exact" in first.reason
    assert RejectedRecord(index=299, path="id", reason="the key attribute is missing") == last
    assert [first, last] == told
    assert {first.reason: 1, last.reason: 1} == report.reasons
    assert {f"r{number}" for number in range(299)} - {"r7"} == set(stored())


@pytest.mark.parametrize("url", ["dynalite"], indirect=True)
def test_what_only_the_table_refuses_is_told_as_well(load: Load, stored: Any) -> None:
    records = [{"id": f"r{number}", "n": number} for number in range(60)]
    report = load([*records[:30], {"id": "bad", "s": {Odd(b"x"), Odd(b"x")}}, *records[30:]])
    [letter] = report.rejections
    assert (30, "", "bad") == (letter.index, letter.path, letter.key)
    assert "duplicates" in letter.reason
    assert (61, 60, 60) == (report.read, report.written, len(stored()))


def test_an_iterable_that_raises_leaves_what_it_gave_and_says_how_much(load: Load, stored: Any) -> None:
    def failing() -> Iterator[dict[str, Any]]:
        yield from ({"id": f"r{number}"} for number in range(130))
        raise OSError("the line went dead")

    with pytest.raises(RecordsInterrupted, match=r"OSError after 130 were read.*130 written.*dead") as caught:
        load(failing())
    assert isinstance(caught.value.__cause__, OSError)
    assert (130, 130) == (caught.value.report.read, caught.value.report.written)
    assert 130 == len(stored())


def test_given_again_the_same_records_give_the_same_table(load: Load, stored: Any) -> None:
    records = [{"id": f"r{number}", "n": number} for number in range(40)]
    load(records)
    before = stored()
    assert 40 == load(records).written
    assert before == stored()


def test_the_iterable_and_the_watcher_are_used_in_the_callers_thread(load: Load) -> None:
    threads = set()

    def records() -> Iterator[dict[str, Any]]:
        for number in range(2500):
            threads.add(threading.current_thread())
            yield {"id": f"r{number}"}
        yield {}

    report = load(records(), on_rejection=lambda _: threads.add(threading.current_thread()))
    assert {threading.current_thread()} == threads
    assert (2501, 2500) == (report.read, report.written)
    assert report.items_per_second > 0


def test_nothing_is_written_of_no_records(load: Load, stored: Any) -> None:
    assert (0, True) == (load([]).read, load([]).ok)
    assert {} == stored()


def test_a_table_has_to_be_there_and_to_have_the_key_that_is_named(
    load: Load, settings: Settings, table_name: str
) -> None:
    for key, error in [(None, TargetMissing), ("id", TargetMissing)]:
        with pytest.raises(error):
            import_records([], table_name, key=key, settings=settings)
    load([])
    with pytest.raises(ConfigurationError, match="has the key id:S, not other:N"):
        load([], key="other:N")


def test_a_table_is_not_made_without_a_key() -> None:
    with pytest.raises(ConfigurationError, match="with a key"):
        import_records([], "t", create_table=True)


def test_a_remote_table_is_refused_before_a_record_is_read(home: Path) -> None:
    asked: list[int] = []

    def records() -> Iterator[dict[str, Any]]:
        asked.append(1)
        yield {"id": "a"}

    settings = Settings.from_env({"INGEST_HOME": str(home), "AWS_REGION": "eu-west-1"})
    with pytest.raises(RemoteWriteRefused):
        import_records(records(), "t", settings=settings)
    assert [] == asked


def test_a_report_names_only_so_many_rejections_and_counts_all(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 5)
    report = load({"n": number} for number in range(400))
    assert (400, 5) == (report.rejected, len(report.rejections))
    assert {"the key attribute is missing": 400} == report.reasons


def test_an_interrupt_ends_the_call_and_what_was_sent_stays(load: Load, stored: Any) -> None:
    def interrupted() -> Iterator[dict[str, Any]]:
        yield from ({"id": f"r{number}"} for number in range(3000))
        raise KeyboardInterrupt

    load([{"id": "before"}])
    with pytest.raises(KeyboardInterrupt):
        load(interrupted())
    assert {"before"} <= set(stored()) <= {"before", *(f"r{number}" for number in range(3000))}


def test_what_a_watcher_raises_ends_the_call(load: Load) -> None:
    def watcher(letter: RejectedRecord) -> None:
        raise LookupError(letter.reason)

    with pytest.raises(LookupError, match="key attribute is missing"):
        load([{"id": "a"}, {}], on_rejection=watcher)


async def test_the_last_of_a_key_wins_over_a_table_that_throttles_and_breaks_off(home: Path) -> None:
    troubles = [
        faults.unprocessed(0, 2, 3),
        faults.error("InternalServerError", status=500),
        faults.reset(after=True),
    ]
    server = FaultServer(keys={"t": ("id",)}, script=faults.at_random(7, troubles, 0.3))
    records = [{"id": f"k{number % 40}", "n": number} for number in range(1000)]
    async with server:
        settings = Settings.from_env(
            {
                "AWS_ENDPOINT_URL_DYNAMODB": server.url,
                "INGEST_HOME": str(home),
                "INGEST_RETRY_BASE_SECONDS": "0.001",
            }
        )
        report = await asyncio.to_thread(import_records, records, "t", settings=settings)
    assert (1000, 0) == (report.read, report.rejected)
    assert 1000 == report.written + report.superseded
    last = {item["id"]["S"]: item["n"]["N"] for item in server.tables.items["t"].values()}
    assert {f"k{number}": str(960 + number) for number in range(40)} == last
    assert server.met
