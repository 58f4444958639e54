"""The demo's wait and its verdicts, against a ledger that a test moves on in Dagster's place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from ingest_project.core.model import Chunk, Counts, FileRange, Position, Rejection, SourceFile
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.local.demo import ALL, BOOKS, Demo
from ingest_project.local.sample_rows import EXPORTED_ORDERS
from ingest_project.local.samples import Sample
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.samples import sample_chunk, sample_work

DAY = "2026-11-22"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    ledger = SqlLedger(tmp_path / "ledger.db")
    yield ledger
    ledger.close()


def file_of(sample: Sample) -> SourceFile:
    uri = f"s3://ingest/inbox/{sample.entity}/{DAY}/demo-1/{sample.name}"
    return SourceFile(uri=uri, etag="e", size=1, modified=datetime(2026, 11, 22, tzinfo=UTC))


def request(ledger: SqlLedger) -> None:
    """What the sensor does when it sees the files."""
    for sample in ALL:
        file = file_of(sample)
        ledger.files.observe([file], entity=sample.entity, settle=0, complete={file.uri})
        ledger.files.mark_requested(file.uri, file.etag, run="r", date=DAY, target=sample.table)


def load(ledger: SqlLedger, sample: Sample, *, rejected: int | None = None) -> None:
    """What a run does with one file."""
    file = file_of(sample)
    refused = sample.rejected if rejected is None else rejected
    good = sample.read - refused
    span = FileRange(uri=file.uri, etag="e", start=0, end=1)
    made = sample_chunk(date=DAY, target=sample.table, records=sample.read)
    chunk: Chunk = replace(made, entity=sample.entity, range=span)
    outcomes = {
        "validated": Counts(sent=sample.read, written=good, rejected=refused),
        "table": Counts(sent=good, written=good),
        "index": Counts(sent=good, written=good),
    }
    for stage, counts in outcomes.items():
        claim = ledger.claim(sample_work(chunk, stage), owner="run", lease=60)
        letters = [
            Rejection(ordinal=place, offset=-1, reason="refused", raw=b"{}")
            for place in range(counts.rejected)
        ]
        ledger.advance(claim, Position(counts.sent), counts, letters, lease=60)
        ledger.seal(claim, seconds=2.0)
    ledger.files.mark_consumed(file.uri, file.etag)


def book(ledger: SqlLedger, orders: int = EXPORTED_ORDERS) -> None:
    """What the run behind the lines does."""
    made = sample_chunk(date=DAY, target="orders@x", records=orders)
    counts = Counts(sent=orders, written=orders)
    claim = ledger.claim(sample_work(replace(made, entity=BOOKS), "orders"), owner="run", lease=60)
    ledger.advance(claim, Position(orders), counts, (), lease=60)
    ledger.seal(claim, seconds=2.0)


def demo_of(ledger: SqlLedger, tmp_path: Path, steps: list[Callable[[], None]]) -> Demo:
    """A demo whose sleeps are the steps of somebody else."""
    clock = FakeClock()

    def sleep(seconds: float) -> None:
        clock.advance(seconds)
        if steps:
            steps.pop(0)()

    demo = Demo(
        ledger=ledger,
        inbox=tmp_path / "inbox",
        date=DAY,
        name="demo-1",
        memory=lambda: 7 * 2**20,
        clock=clock,
        sleep=sleep,
    )
    demo.place()
    return demo


def test_the_demo_waits_for_every_file_and_is_content(ledger: SqlLedger, tmp_path: Path) -> None:
    steps: list[Callable[[], None]] = [lambda: request(ledger), lambda: None]
    steps += [partial(load, ledger, sample) for sample in ALL]
    steps += [partial(book, ledger)]
    demo = demo_of(ledger, tmp_path, steps)
    told: list[str] = []
    assert demo.wait(100, told.append)
    verdicts = demo.verdicts()
    assert [""] * len(ALL) == [verdict.problem for verdict in verdicts]
    assert {"consumed"} == {verdict.state for verdict in verdicts}
    assert {7 * 2**20} == {verdict.peak_rss_bytes for verdict in verdicts}
    assert all(verdict.seconds > 0 for verdict in verdicts)
    assert "7 in the local inbox" in told[0]
    assert "7 consumed" in told[-1]
    assert "orders: 150" in told[-1]
    assert "" == demo.open_books()


def test_a_file_that_never_ends_is_a_problem(ledger: SqlLedger, tmp_path: Path) -> None:
    demo = demo_of(ledger, tmp_path, [lambda: request(ledger)])
    assert not demo.wait(5, lambda text: None)
    assert {"the file is requested"} == {verdict.problem for verdict in demo.verdicts()}


def test_a_file_that_failed_is_told_with_its_reason(ledger: SqlLedger, tmp_path: Path) -> None:
    demo = demo_of(ledger, tmp_path, [])
    request(ledger)
    for sample in ALL[1:]:
        load(ledger, sample)
    book(ledger)
    broken = file_of(ALL[0])
    ledger.files.mark_failed(broken.uri, broken.etag, "byte 12: expected a comma")
    assert demo.wait(5, lambda text: None)
    assert "byte 12: expected a comma" == demo.verdicts()[0].problem


def test_a_count_that_is_not_as_expected_is_a_problem(ledger: SqlLedger, tmp_path: Path) -> None:
    demo = demo_of(ledger, tmp_path, [])
    request(ledger)
    for sample in ALL:
        load(ledger, sample, rejected=sample.rejected + 1)
    book(ledger)
    assert demo.wait(5, lambda text: None)
    assert all("expected are" in verdict.problem for verdict in demo.verdicts())


def test_orders_that_nobody_makes_are_waited_for_and_told(ledger: SqlLedger, tmp_path: Path) -> None:
    demo = demo_of(ledger, tmp_path, [])
    request(ledger)
    for sample in ALL:
        load(ledger, sample)
    book(ledger, 7)
    assert not demo.wait(5, lambda text: None)
    assert "7 of 150 orders are made" == demo.open_books()
