"""The loader, scene by scene: what is sent again, what is counted, and how a load ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import pairwise
from random import Random
from time import monotonic

import pytest

from ingest_project.core.errors import (
    BadInput,
    BatchTooLarge,
    ChunkBusy,
    CountLost,
    LeaseLost,
    PermanentFailure,
    SourceChanged,
    TransientFailure,
)
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits, MemoryBudget
from ingest_project.core.loading import Loader, LoadSettings
from ingest_project.core.model import Batch, Chunk, Claim, Counts, Position, Rejection, WriteReport
from ingest_project.core.retrying import RetryPolicy
from ingest_project.testing.doubles import FakeClock, InMemoryLedger, InMemorySink, ListStream, MortalLedger
from ingest_project.testing.faults import Answer, FaultScript, KillPoint, Life
from ingest_project.testing.playing import Stage
from ingest_project.testing.samples import key_hash, sample_chunk, sample_work

FAULT = BadInput(uri="file:///in/a.json", offset=77, expected="a comma")


def bodies(count: int) -> list[bytes]:
    return [b"k%d=v" % number for number in range(count)]


def state_of(stage: Stage) -> str:
    (row,) = stage.ledger.status()
    return row.state


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


def test_as_many_requests_are_in_flight_as_the_window_allows() -> None:
    stage = Stage(window=5)
    sink = stage.sink()
    stage.load(ListStream(bodies(200)), sink=sink)
    assert sink.most_in_flight == 5


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


def test_a_bug_releases_the_chunk_and_comes_through() -> None:
    class Broken(InMemorySink):
        async def write(self, batch: Batch) -> WriteReport:
            raise KeyError("bug")

    stage = Stage()
    with pytest.raises(KeyError):
        stage.load(ListStream(bodies(4)), sink=Broken())
    assert state_of(stage) == "open"


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


def test_a_broken_input_ends_failed_with_everything_before_it_durable() -> None:
    stage = Stage()
    result = stage.load(ListStream(bodies(30), fault=FAULT))
    assert (False, 30, str(FAULT)) == (result.sealed, result.counts.written, result.reason)
    (row,) = stage.ledger.status()
    assert ("failed", str(FAULT), 30) == (row.state, row.reason, row.counts.written)
    assert len(stage.table) == 30


def test_a_file_that_changed_under_the_reader_fails_its_chunk_only() -> None:
    result = Stage().load(ListStream(bodies(3), fault=SourceChanged("another etag")))
    assert (result.sealed, result.reason) == (False, "another etag")


def test_a_reader_that_stumbles_releases_the_chunk() -> None:
    stage = Stage()
    with pytest.raises(TransientFailure, match="read timed out"):
        stage.load(ListStream(bodies(30), fault=TransientFailure("read timed out")))
    assert state_of(stage) == "open"


def test_a_sealed_chunk_makes_no_sink_call() -> None:
    stage = Stage()
    first = stage.load(ListStream(bodies(30)))
    sink = stage.sink()
    again = stage.load(ListStream(bodies(30)), sink=sink, owner="two")
    assert (sink.log, sink.flushes) == ([], 0)
    assert (True, True, first.counts, Counts()) == (again.sealed, again.replayed, again.counts, again.new)


def test_a_busy_chunk_raises_and_sends_nothing() -> None:
    stage = Stage()
    stage.ledger.claim(sample_work(sample_chunk()), owner="other", lease=60)
    sink = stage.sink()
    with pytest.raises(ChunkBusy):
        stage.load(ListStream(bodies(3)), sink=sink)
    assert sink.log == []


class Hanging(InMemorySink):
    """Takes ``seconds`` for each request, and tells when it was asked."""

    def __init__(self, seconds: float, clock: FakeClock, table: dict[bytes, bytes]) -> None:
        super().__init__(limits=BatchLimits(count=4, bytes=1000), table=table)
        self._seconds, self._clock = seconds, clock
        self.asked: list[float] = []

    async def write(self, batch: Batch) -> WriteReport:
        self.asked.append(self._clock())
        await asyncio.sleep(self._seconds)
        return await super().write(batch)


def test_a_slow_target_does_not_cost_the_lease() -> None:
    stage = Stage(window=1)
    assert stage.load(ListStream(bodies(12)), sink=Hanging(20.0, stage.clock, stage.table)).sealed


def test_nothing_is_sent_once_another_owner_has_the_chunk() -> None:
    stage = Stage(window=2)
    sink = Hanging(0.3, stage.clock, stage.table)
    taken: list[float] = []

    def take_over(stage_name: str, chunk: Chunk, done: int, counts: Counts) -> None:
        if not taken:
            stage.ledger.release(stage.ledger.claim(sample_work(chunk), owner="one", lease=5), "")
            stage.ledger.claim(sample_work(chunk), owner="two", lease=500)
            taken.append(stage.clock())

    with pytest.raises(LeaseLost):
        stage.load(ListStream(bodies(200)), sink=sink, progress=take_over)
    assert max(sink.asked) <= taken[0] + 0.3 + stage.settings.step_seconds
    assert state_of(stage) == "claimed"


def test_a_loader_that_cannot_renew_fences_itself() -> None:
    stage = Stage(window=2)
    sink = Hanging(0.3, stage.clock, stage.table)

    async def stuck(call: Callable[[], object]) -> object:
        """Every call of the ledger behind the claim hangs for longer than the lease."""
        if sink.asked:
            await asyncio.sleep(50.0)
        return call()

    loader = stage.loader(sink, offload=stuck)
    begin = stage.clock()
    load = loader.load(sample_work(sample_chunk()), ListStream(bodies(2000), size=2000), "one")
    with pytest.raises(LeaseLost, match="could not renew"):
        stage.clock.run(load)
    assert max(sink.asked) - begin <= 0.9 * stage.settings.lease


def test_a_lease_counts_from_the_question_and_not_from_the_answer() -> None:
    stage = Stage(window=2)
    sink = Hanging(0.3, stage.clock, stage.table)
    asked: list[float] = []

    async def slow(call: Callable[[], object]) -> object:
        """The first advance takes effect at once and answers late; the ledger is gone behind it."""
        if not sink.asked:
            return call()
        asked.append(stage.clock())
        result = call() if len(asked) == 1 else None
        await asyncio.sleep(3.0 if len(asked) == 1 else 50.0)
        return result

    load = stage.loader(sink, offload=slow).load(
        sample_work(sample_chunk()), ListStream(bodies(2000), size=2000), "one"
    )
    with pytest.raises(LeaseLost, match="could not renew"):
        stage.clock.run(load)
    assert max(sink.asked) <= asked[0] + 0.9 * stage.settings.lease


def test_a_load_that_failed_leaves_window_and_budget_as_it_found_them() -> None:
    stage = Stage(window=4, limits=BatchLimits(count=1, bytes=100))
    answers = [*[Answer.LOST_BEFORE] * 10, Answer.PERMANENT]
    sink, budget = stage.sink(FaultScript(answers)), MemoryBudget(1000)
    loader = stage.loader(sink, budget=budget)
    with pytest.raises(PermanentFailure):
        stage.clock.run(loader.load(sample_work(sample_chunk()), ListStream(bodies(40)), "one"))
    assert budget.held == 0
    sink.most_in_flight = 0
    result = stage.clock.run(loader.load(sample_work(sample_chunk()), ListStream(bodies(200)), "two"))
    assert (True, 0) == (result.sealed, budget.held)
    assert sink.most_in_flight <= 4


def test_a_cancelled_load_releases_the_chunk() -> None:
    stage = Stage()
    loader = stage.loader(Hanging(50.0, stage.clock, stage.table))

    async def main() -> None:
        task = asyncio.create_task(loader.load(sample_work(sample_chunk()), ListStream(bodies(40)), "one"))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    stage.clock.run(main())
    assert state_of(stage) == "open"


def test_progress_is_told_at_every_durable_step() -> None:
    stage = Stage()
    steps: list[tuple[int, int]] = []
    stage.load(ListStream(bodies(100)), progress=lambda *words: steps.append((words[2], words[3].sent)))
    assert len(steps) > 3
    assert steps[-1] == (100, 100)
    assert steps == sorted(steps)
    assert all(done == sent for done, sent in steps)


def test_a_progress_that_raises_stops_the_load_and_releases_the_chunk() -> None:
    def broken(*words: object) -> None:
        raise KeyError("bug in a progress bar")

    stage = Stage()
    with pytest.raises(KeyError):
        stage.load(ListStream(bodies(500)), progress=broken)
    assert state_of(stage) == "open"
    assert stage.load(ListStream(bodies(500)), owner="two").counts.written == 500


def test_the_ledger_advances_in_steps_and_not_for_each_batch() -> None:
    stage = Stage(settings=LoadSettings(lease=60, step_seconds=1.0, step_items=1000))
    steps: list[int] = []
    stage.load(ListStream(bodies(2500)), progress=lambda _, __, done, counts: steps.append(done))
    assert len(steps) <= 12


def test_held_bytes_stay_within_the_budget() -> None:
    stage = Stage(window=64)
    budget = MemoryBudget(50)
    loader = stage.loader(stage.sink(), budget=budget)
    stage.clock.run(loader.load(sample_work(sample_chunk()), ListStream(bodies(300)), "one"))
    assert len(stage.table) == 300
    assert (budget.held, 0 < budget.peak <= 50) == (0, True)


def test_rejections_do_not_pile_up_while_the_ledger_is_busy() -> None:
    letters = [Rejection(ordinal=at, offset=0, reason="no", raw=b"x" * 1000) for at in range(3000)]
    stage = Stage(settings=LoadSettings(lease=60, step_seconds=1.0, step_bytes=20_000))

    async def slow(call: Callable[[], object]) -> object:
        await asyncio.sleep(0.2)
        return call()

    done: list[int] = [0]
    loader = stage.loader(stage.sink(), offload=slow)
    load = loader.load(
        sample_work(sample_chunk()), ListStream(letters), "one", lambda *words: done.append(words[2])
    )
    assert stage.clock.run(load).counts.rejected == 3000
    assert max(end - start for start, end in pairwise(done)) < 8 * 20_000 / 1000 + 256


def test_two_loads_side_by_side_share_window_and_budget() -> None:
    stage = Stage(window=6)
    sink, budget = stage.sink(), MemoryBudget(60)
    loader = stage.loader(sink, budget=budget)
    chunks = [sample_chunk("a"), sample_chunk("b")]

    async def main() -> None:
        streams = [ListStream([b"%s%d=v" % (name, n) for n in range(100)]) for name in (b"a", b"b")]
        await asyncio.gather(
            *(
                loader.load(sample_work(chunk), stream, "one")
                for chunk, stream in zip(chunks, streams, strict=True)
            )
        )

    stage.clock.run(main())
    assert len(stage.table) == 200
    assert sink.most_in_flight <= 6
    assert budget.peak <= 60 + 2 * 4 * 6


def test_an_item_waits_for_the_one_with_its_key_and_overtakes_no_other() -> None:
    stage = Stage(window=16, latency=0.5, limits=BatchLimits(count=1, bytes=100))
    rng = Random(5)
    keys = [rng.randrange(4) for _ in range(60)]
    items = [b"k%d=%d" % (key, at) for at, key in enumerate(keys)]
    result = stage.load(ListStream(items, hashes=[key_hash(key) for key in keys]))
    assert result.sealed
    expected = {b"k%d" % key: item for key, item in zip(keys, items, strict=True)}
    assert expected == stage.table


def test_the_loader_works_with_threads_and_real_time() -> None:
    sink, ledger = InMemorySink(latency=0.001), InMemoryLedger(monotonic)
    loader = Loader(
        sink=sink,
        ledger=ledger,
        retry=RetryPolicy(),
        budget=MemoryBudget(1 << 20),
        governor=RateGovernor(monotonic),
        clock=monotonic,
        sleep=asyncio.sleep,
        rng=Random(0),
    )
    result = asyncio.run(loader.load(sample_work(sample_chunk()), ListStream(bodies(500)), "one"))
    assert (result.sealed, len(sink.table)) == (True, 500)
