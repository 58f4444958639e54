"""Stages over buckets on doubles, in virtual time: who is due, what is bounded, what is accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from ingest_project.core.document_ledger import Settlement
from ingest_project.core.documents import (
    COMPLETED,
    EXTRACTING,
    FAILED,
    INDEXING,
    PENDING,
    Document,
    Outcome,
)
from ingest_project.core.errors import CountLost, PermanentFailure, TransientFailure
from ingest_project.core.limits import MemoryBudget
from ingest_project.core.staging import StageReport
from ingest_project.resources.documents.floor import Floor
from ingest_project.resources.documents.hands import RunnerSettings
from ingest_project.resources.documents.runner import StageRunner, parked_for
from ingest_project.testing.doubles_documents import InMemoryDocumentLedger
from ingest_project.testing.doubles_stages import StageDouble, delays, parks
from ingest_project.testing.doubles_time import inline
from ingest_project.testing.laws_documents import BUCKET, listed
from ingest_project_tests.resources.documents.plays import IDS, SETTINGS, Play, counts


@pytest.fixture
def play() -> Play:
    return Play()


def test_a_stage_runs_once_over_every_document(play: Play) -> None:
    first, second = play.stage(), play.stage()
    assert {"done": 10} == counts(play.run(first))
    assert sorted(IDS) == sorted(id for call in first.log for id in call)
    assert {"unchanged": 10} == counts(play.run(second))
    assert [] == second.log


def test_an_empty_bucket_is_done_at_once() -> None:
    report = Play([]).run(StageDouble("texts"))
    assert (0, {}) == (report.total, counts(report))


def test_a_stage_waits_for_those_before_it_document_by_document(play: Play) -> None:
    play.run(play.stage("downloaded", outcome=parks("empty file", "03")))
    assert {"done": 9, "waiting": 1} == counts(play.run(play.stage(after=("downloaded",))))
    assert {"waiting": 10} == counts(play.run(play.stage("ranked", after=("texts", "excerpts"))))


def test_another_configuration_runs_what_it_concerns_and_what_builds_on_it(play: Play) -> None:
    later = ("downloaded",)
    for version in ("1", "2"):
        assert {"done": 10} == counts(play.run(play.stage("downloaded", version=version)))
        assert {"done": 10} == counts(play.run(play.stage(after=later)))
    assert {"unchanged": 10} == counts(play.run(play.stage(after=later)))


def test_a_changed_document_runs_alone(play: Play) -> None:
    play.run(play.stage())
    play.ledger().enroll([listed("04", power="executive")])
    stage = play.stage()
    assert {"done": 1, "unchanged": 9} == counts(play.run(stage))
    assert [["04"]] == stage.log


def test_what_is_parked_is_left_alone_until_its_fingerprint_changes(play: Play) -> None:
    first = play.run(play.stage(outcome=parks("zip", "01", "02")))
    assert ({"done": 8, "parked": 2}, 2, {"zip": 2}) == (counts(first), first.newly_parked, first.causes)
    stage = play.stage(outcome=parks("zip", "01", "02"))
    again = play.run(stage)
    assert ({"unchanged": 8, "parked": 2}, 0, []) == (counts(again), again.newly_parked, stage.log)
    assert {"done": 10} == counts(play.run(play.stage(version="2")))


def test_what_is_parked_for_a_cause_is_replayed_by_force(play: Play) -> None:
    zips, pages = parks("zip", "01"), parks("html", "07")
    play.run(play.stage(outcome=lambda one: zips(one) or pages(one)))
    stage = play.stage()
    assert {"done": 1, "parked": 1, "unchanged": 8} == counts(play.run(stage, again=parked_for("html")))
    assert [["07"]] == stage.log


def test_everything_is_done_once_more_by_force(play: Play) -> None:
    play.run(play.stage())
    assert {"done": 10} == counts(play.run(play.stage(), again=lambda found: True))


def test_what_is_delayed_is_tried_again_by_the_next_run(play: Play) -> None:
    report = play.run(play.stage(outcome=delays("not there yet", "05")))
    assert ({"done": 9, "delayed": 1}, ("not there yet",)) == (counts(report), report.reasons)
    assert {"done": 1, "unchanged": 9} == counts(play.run(play.stage()))


def test_calls_that_fail_for_a_while_are_made_again(play: Play) -> None:
    stage = play.stage(failing=0.3, rng=Random(3))
    assert {"done": 10} == counts(play.run(stage))
    assert len(stage.log) > 4


def test_a_service_that_is_away_leaves_the_rest_to_the_next_run(play: Play) -> None:
    stage = play.stage(failing=1.0, batch=1)
    report = play.run(stage)
    assert {"delayed": 10} == counts(report)
    assert len(stage.log) <= (SETTINGS.patience + SETTINGS.at_once) * 3
    assert {"done": 10} == counts(play.run(play.stage()))


def test_a_document_that_nobody_reckoned_with_harms_no_other(play: Play) -> None:
    def odd(document: Document) -> Outcome | None:
        if document.id == "06":
            raise KeyError("no such town")
        return None

    report = play.run(play.stage(outcome=odd))
    assert ({"done": 9, "delayed": 1}, ("KeyError: 'no such town'",)) == (counts(report), report.reasons)


def test_what_stops_the_stage_keeps_what_was_through_and_frees_the_rest(play: Play) -> None:
    def refused(document: Document) -> Outcome | None:
        if document.id == "06":
            raise PermanentFailure("access denied")
        return None

    with pytest.raises(PermanentFailure, match="access denied"):
        play.run(play.stage(outcome=refused, batch=1), settings=RunnerSettings(at_once=1))
    assert {"done": 4, "unchanged": 6} == counts(play.run(play.stage(), is_dead=lambda owner: False))


def test_a_stage_that_loses_count_is_stopped(play: Play) -> None:
    class Short(StageDouble):
        async def run(self, documents: Sequence[Document]) -> Sequence[Outcome]:
            return (await super().run(documents))[1:]

    with pytest.raises(CountLost, match="2 outcomes of 3 documents"):
        play.run(Short("texts"))


def test_batches_are_bounded_by_count_and_weight(play: Play) -> None:
    stage = play.stage(batch=4, latency=1.0, weigh=lambda one: 30 if one.id < "05" else 3)
    budget = MemoryBudget(SETTINGS.bytes)
    play.run(stage, floor=Floor(SETTINGS.at_once, budget, play.clock))
    assert [1, 1, 1, 1, 2, 4] == [len(call) for call in stage.log]
    assert (3, True) == (stage.most_at_once, stage.heaviest <= SETTINGS.bytes)
    assert 0 == budget.held


def test_a_document_heavier_than_the_bound_goes_alone(play: Play) -> None:
    stage = play.stage(latency=1.0, weigh=lambda one: 1000 if one.id == "04" else 1)
    assert {"done": 10} == counts(play.run(stage))
    assert stage.heaviest == 1000


def test_the_last_stage_completes_documents_and_mends_their_states(play: Play) -> None:
    last = ("texts",)
    play.run(play.stage(outcome=parks("zip", "01")))
    assert {EXTRACTING, FAILED} == play.states()
    play.run(play.stage("processed", after=last, state=COMPLETED))
    assert {COMPLETED, FAILED} == play.states()
    play.run(play.stage("indexed", after=last, state=INDEXING))
    assert {INDEXING, FAILED} == play.states()
    play.run(play.stage("processed", after=last, state=COMPLETED))
    assert {COMPLETED, FAILED} == play.states()


def test_a_delayed_document_is_pending(play: Play) -> None:
    play.run(play.stage(outcome=delays("later", *IDS)))
    assert {PENDING} == play.states()


def test_two_runners_share_a_bucket(play: Play) -> None:
    stages = [play.stage(latency=2.0, batch=1, rng=Random(seed)) for seed in (1, 2)]

    async def both() -> list[StageReport]:
        runners = [
            StageRunner(
                play.ledger(),
                owner=f"runner {number}",
                settings=SETTINGS,
                clock=play.clock,
                sleep=play.clock.sleep,
                offload=inline,
            )
            for number in range(2)
        ]
        return list(
            await asyncio.gather(
                *(one.run(stage, BUCKET) for one, stage in zip(runners, stages, strict=True))
            )
        )

    reports = play.clock.run(both())
    assert sorted(IDS) == sorted(id for stage in stages for call in stage.log for id in call)
    assert 10 == sum(report.done for report in reports)
    assert [10, 10] == [report.seen for report in reports]


def test_a_batch_that_outlasts_its_lease_keeps_it(play: Play) -> None:
    class Slow(StageDouble):
        async def run(self, documents: Sequence[Document]) -> Sequence[Outcome]:
            await play.clock.sleep(10 * SETTINGS.lease)
            return await super().run(documents)

    assert {"done": 10} == counts(play.run(Slow("texts")))


def test_a_runner_whose_lease_was_taken_counts_those_as_busy(play: Play) -> None:
    def stolen(document: Document) -> Outcome | None:
        if document.id == "02":
            play.ledger().release_dead(BUCKET.collection, lambda owner: True)
        return None

    report = play.run(play.stage(outcome=stolen, batch=3), settings=RunnerSettings(at_once=1))
    assert {"busy": 3, "done": 7} == counts(report)


def test_a_ledger_that_does_not_answer_for_a_while_is_asked_again(play: Play) -> None:
    answered: set[str] = set()

    class Shaky(InMemoryDocumentLedger):
        def settle(self, ended: Sequence[Settlement]) -> Sequence[str]:
            found, first = super().settle(ended), ended[0].claim.document.id
            if first not in answered:
                answered.add(first)
                raise TransientFailure("the answer was lost")
            return found

    ledger = Shaky(play.clock, memory=play.memory)
    assert {"done": 10} == counts(play.run(play.stage(), ledger=ledger))


def test_progress_and_seconds_a_document_are_told(play: Play) -> None:
    told: list[StageReport] = []
    report = play.run(play.stage(latency=2.0), told=told)
    assert (4, 10) == (len(told), told[-1].done)
    assert sorted(one.done for one in told) == [one.done for one in told]
    assert [10] * 4 == [one.total for one in told]
    assert 0 < report.mean <= report.p95 <= 2.0
    assert report.seconds > 0
    assert report.rate == pytest.approx(10 / report.seconds)
