"""A step over many buckets: some at once, within one bound; what stops it; what is told meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ingest_project.core.documents import Bucket, Document, Outcome, Stage
from ingest_project.core.errors import TargetMissing
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.staging import StageReport
from ingest_project.core.steps import CollectionSpec
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.resources.documents.desk import Desk
from ingest_project.resources.documents.export import StageExport
from ingest_project.resources.documents.hands import RunnerSettings
from ingest_project.testing.doubles_stages import StageDouble
from ingest_project.testing.laws_documents import listed

BUCKETS = [Bucket(collection="gazettes", month="2026-01", number=number) for number in range(8)]
EACH = 3


class Meeting(StageDouble):
    """Nobody begins before two buckets are under way."""

    def __init__(self, decide: Callable[[Document], Outcome | None]) -> None:
        super().__init__("texts", batch=1, outcome=decide)
        self.seen: set[Bucket] = set()
        self.met = asyncio.Event()

    async def run(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        self.seen.add(documents[0].bucket)
        if len(self.seen) == 2:
            self.met.set()
        await self.met.wait()
        return await super().run(documents)


class Office:
    """A desk over eight buckets of three documents, and the stage that it runs."""

    def __init__(self, home: Path) -> None:
        self.stage, self.home, self.given_back = Meeting(lambda one: self.decide(one)), home, False
        self.decide: Callable[[Document], Outcome | None] = lambda one: None
        self.books().enroll(
            [listed(f"{one.number}-{place}", bucket=one) for one in BUCKETS for place in range(EACH)]
        )

    def books(self) -> SqlDocumentLedger:
        return SqlDocumentLedger(self.home / "ledger.db")

    def desk(self) -> Desk:
        return Desk(
            CollectionSpec(name="gazettes", start="2026-01", numbers=8, steps=()),
            self.books(),
            self.stages,
            settings=RunnerSettings(at_once=4, bytes=100, buckets=2),
            retry=RetryPolicy(attempts=1),
            export=StageExport(self.home / "metrics", "gazettes"),
        )

    @asynccontextmanager
    async def stages(self, step: str) -> AsyncIterator[Sequence[Stage]]:
        try:
            yield [self.stage]
        finally:
            self.given_back = True


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_documents_of_several_buckets_are_under_way_within_one_bound(office: Office) -> None:
    told: list[StageReport] = []
    with office.desk() as desk:
        runs = list(desk.run("texts", BUCKETS, told.append))
    assert BUCKETS == sorted((one.bucket for one in runs), key=lambda one: one.number)
    assert [EACH] * 8 == [one.reports[0].done for one in runs]
    assert 2 <= office.stage.most_at_once <= 4
    assert (24, 24) == (told[-1].total, told[-1].seen)
    assert sorted(one.seen for one in told) == [one.seen for one in told]


def test_what_stops_a_bucket_lets_the_others_end_and_begins_no_more(office: Office) -> None:
    def decide(document: Document) -> Outcome | None:
        if document.id == "0-1":
            raise TargetMissing("no such index")
        return None

    office.decide = decide
    with office.desk() as desk:
        runs = {one.bucket.number: one for one in desk.run("texts", BUCKETS)}
    assert "texts: no such index" == runs[0].stopped
    through = [one.reports[0].done for one in runs.values() if not one.stopped]
    not_tried = [one for one in runs.values() if one.stopped == f"not tried: {runs[0].stopped}"]
    assert (8, [EACH] * len(through)) == (1 + len(through) + len(not_tried), through)
    assert through
    assert not_tried


def test_a_run_that_is_given_up_leaves_nothing_behind(office: Office) -> None:
    with office.desk() as desk:
        runs = desk.run("texts", BUCKETS)
        next(runs)
        runs.close()
        assert office.given_back
        held = [one.held for bucket in BUCKETS for one in desk.books.page(bucket, "texts", ())]
        again = list(desk.run("texts", BUCKETS))
    assert not any(held)
    assert 24 == sum(one.reports[0].done + one.reports[0].unchanged for one in again)
