"""The loader, scene by scene: what is sent, what is sent again, and what is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from ingest_project.core.errors import BatchTooLarge, CountLost, PermanentFailure, TransientFailure
from ingest_project.core.limits import BatchLimits
from ingest_project.core.loading import LoadSettings
from ingest_project.core.model import Batch, Claim, Counts, Position, Rejection, WriteReport
from ingest_project.core.retrying import RetryPolicy
from ingest_project.testing.doubles import InMemorySink, ListStream, MortalLedger
from ingest_project.testing.faults import Answer, FaultScript, KillPoint, Life
from ingest_project.testing.playing import Stage
from ingest_project.testing.samples import sample_chunk
from ingest_project_tests.core.scenes import bodies, state_of


def test_every_item_arrives_and_the_chunk_is_sealed_behind_one_flush() -> None:
    stage = Stage()
    sink = stage.sink()
    result = stage.load(ListStream(bodies(50)), sink=sink)
    assert result.sealed
    assert set(bodies(50)) == set(stage.table.values())
    assert (result.counts.sent, result.counts.written, sink.flushes) == (50, 50, 1)
    assert sum(map(len, bodies(50))) == result.counts.bytes
    assert len(sink.log) == result.counts.requests
    assert Position(50) == stage.ledger.position(sample_chunk(), "table")


def test_an_empty_chunk_is_sealed_without_a_request() -> None:
    stage = Stage()
    sink = stage.sink()
    assert stage.load(ListStream([]), sink=sink).sealed
    assert sink.log == []


def test_only_what_was_not_taken_is_sent_again() -> None:
    stage = Stage(limits=BatchLimits(count=10, bytes=1000), window=1)
    sink = stage.sink(FaultScript([Answer.PARTIAL]))
    result = stage.load(ListStream(bodies(10)), sink=sink)
    first, second = sink.log
    assert 0 < len(second) < len(first)
    assert (10, len(second), 2) == (result.counts.written, result.counts.retries, result.counts.requests)


def test_a_throttled_request_is_counted_and_shrinks_the_window() -> None:
    stage = Stage(window=8)
    sink = stage.sink(FaultScript([Answer.THROTTLE_ALL] * 3))
    result = stage.load(ListStream(bodies(40)), sink=sink)
    assert (result.counts.throttles, result.counts.written) == (3, 40)


def test_retries_wait_with_growing_time() -> None:
    stage = Stage(latency=0.0)
    begin = stage.clock()
    policy = RetryPolicy(base=10.0, cap=1000.0, attempts=6)
    stage.settings = LoadSettings(lease=5000.0)
    stage.load(ListStream(bodies(1)), sink=stage.sink(FaultScript([Answer.LOST_BEFORE] * 5)), retry=policy)
    assert 20 < stage.clock() - begin < 10 + 20 + 40 + 80 + 160


def test_used_up_attempts_raise_and_keep_what_is_durable() -> None:
    stage = Stage(limits=BatchLimits(count=2, bytes=100), window=1)
    script = FaultScript([Answer.OK, Answer.OK, *[Answer.LOST_BEFORE] * 50])
    with pytest.raises(TransientFailure, match="gave up after 3 attempts: connection reset"):
        stage.load(ListStream(bodies(20)), sink=stage.sink(script), retry=RetryPolicy(attempts=3))
    assert state_of(stage) == "open"
    assert Position(4) == stage.ledger.position(sample_chunk(), "table")
    result = stage.load(ListStream(bodies(20)), owner="two")
    assert (result.counts.written, result.new.written) == (20, 16)


def test_progress_of_a_batch_starts_its_attempts_anew() -> None:
    stage = Stage(limits=BatchLimits(count=32, bytes=1000), window=1)
    script = FaultScript([Answer.LOST_BEFORE, Answer.PARTIAL] * 3)
    result = stage.load(ListStream(bodies(32)), sink=stage.sink(script), retry=RetryPolicy(attempts=3))
    assert result.sealed


def test_a_permanent_error_fails_the_chunk_and_raises() -> None:
    stage = Stage(window=1)
    script = FaultScript([Answer.OK, Answer.PERMANENT])
    with pytest.raises(PermanentFailure, match="access denied"):
        stage.load(ListStream(bodies(20)), sink=stage.sink(script))
    (row,) = stage.ledger.status()
    assert (row.state, row.reason, row.counts.written) == ("failed", "access denied", 4)


def test_after_an_error_nothing_more_is_sent_and_nobody_waits_out_his_backoff() -> None:
    class Fails(InMemorySink):
        """The fifth request fails for good, all others are to be sent again after a long time."""

        async def write(self, batch: Batch) -> WriteReport:
            self.log.append(batch)
            number = len(self.log)
            if number == 1:
                raise TransientFailure("not now", retry_after=1000.0)
            await asyncio.sleep(0.1 if number == 5 else 1.0)
            if number == 5:
                raise PermanentFailure("access denied")
            raise TransientFailure("not now either", retry_after=1000.0)

    stage = Stage(window=8, settings=LoadSettings(lease=60.0))
    sink = Fails(limits=stage.limits)
    begin = stage.clock()
    with pytest.raises(PermanentFailure, match="access denied"):
        stage.load(ListStream(bodies(400)), sink=sink)
    assert len(sink.log) <= 9
    assert stage.clock() - begin < 2.0


@pytest.mark.parametrize("took_effect", [True, False])
def test_a_doubtful_advance_is_not_repeated_and_nothing_is_counted_twice_or_lost(took_effect: bool) -> None:
    stage = Stage(window=2)

    class Doubtful(MortalLedger):
        """The answer to the third advance is lost."""

        calls = 0

        def advance(
            self,
            claim: Claim,
            position: Position,
            counts: Counts,
            rejections: Iterable[Rejection],
            *,
            lease: float,
        ) -> None:
            self.calls += 1
            if self.calls != 3 or took_effect:
                super().advance(claim, position, counts, rejections, lease=lease)
            if self.calls == 3:
                raise TransientFailure("the answer was lost")

    ledger = Doubtful(stage.ledger, KillPoint(Life()))
    with pytest.raises(TransientFailure, match="the answer was lost"):
        stage.load(ListStream(bodies(200)), ledger=ledger)
    assert ledger.calls == 3
    (row,) = stage.ledger.status()
    assert row.counts.sent == stage.ledger.position(sample_chunk(), "table").ordinal
    assert stage.load(ListStream(bodies(200)), owner="two").counts.written == 200


def test_a_sink_that_loses_count_is_never_believed() -> None:
    stage = Stage()
    with pytest.raises(CountLost, match="4 items were sent, the report tells of 3"):
        stage.load(ListStream(bodies(20)), sink=stage.sink(FaultScript([Answer.MISCOUNT])))
    assert state_of(stage) == "failed"


@pytest.mark.parametrize("report", [WriteReport(written=2, retry=(0, 0)), WriteReport(written=3, retry=(4,))])
def test_a_report_that_names_an_item_twice_or_from_nowhere_is_never_believed(report: WriteReport) -> None:
    class Liar(InMemorySink):
        async def write(self, batch: Batch) -> WriteReport:
            return report

    stage = Stage()
    with pytest.raises(CountLost, match="names items"):
        stage.load(ListStream(bodies(4)), sink=Liar(limits=stage.limits))


def test_a_request_that_is_too_large_is_split_until_it_fits() -> None:
    class Narrow(InMemorySink):
        async def write(self, batch: Batch) -> WriteReport:
            self.script = FaultScript([Answer.TOO_LARGE] if len(batch) > 2 else ())
            return await super().write(batch)

    stage = Stage(window=1)
    sink = Narrow(limits=BatchLimits(count=10, bytes=1000), table=stage.table)
    result = stage.load(ListStream(bodies(10)), sink=sink)
    assert (result.counts.written, len(stage.table)) == (10, 10)


def test_a_single_item_that_is_too_large_is_a_rejection() -> None:
    class Tiny(InMemorySink):
        async def write(self, batch: Batch) -> WriteReport:
            if b"k3=v" in batch.bodies:
                raise BatchTooLarge("larger than the target takes")
            return await super().write(batch)

    stage = Stage(window=1)
    result = stage.load(ListStream(bodies(8)), sink=Tiny(limits=stage.limits, table=stage.table))
    assert (result.counts.written, result.counts.rejected) == (7, 1)
    (letter,) = stage.ledger.rejections(sample_chunk(), "table")
    assert (letter.ordinal, letter.reason, letter.raw) == (3, "larger than the target takes", b"k3=v")


def test_refused_items_become_dead_letters_and_harm_no_neighbour() -> None:
    stage = Stage()
    items = bodies(30)
    items[7], items[19] = b"k7=no", b"k19=no"
    result = stage.load(ListStream(items))
    assert (result.counts.written, result.counts.rejected, len(stage.table)) == (28, 2, 28)
    letters = stage.ledger.rejections(sample_chunk(), "table")
    found = [(letter.ordinal, letter.offset, letter.raw) for letter in letters]
    assert found == [(7, 70, b"k7=no"), (19, 190, b"k19=no")]


def test_losers_and_rejections_of_the_stream_are_counted_and_never_sent() -> None:
    stage = Stage()
    letter = Rejection(ordinal=2, offset=5, reason="no body", raw=b"x")
    sink = stage.sink()
    result = stage.load(ListStream([b"a=1", None, letter, b"b=2", None]), sink=sink)
    expected = Counts(sent=5, written=2, superseded=2, rejected=1, bytes=6, requests=1)
    assert expected == result.counts
    assert (letter,) == stage.ledger.rejections(sample_chunk(), "table")
