"""How a load ends: sealed, failed, released, or taken over by another owner."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ingest_project.core.errors import BadInput, ChunkBusy, LeaseLost, SourceChanged, TransientFailure
from ingest_project.core.model import Batch, Chunk, Counts, WriteReport
from ingest_project.testing.doubles import InMemorySink, ListStream
from ingest_project.testing.playing import Stage
from ingest_project.testing.samples import sample_chunk, sample_work
from ingest_project_tests.core.scenes import Hanging, bodies, state_of

FAULT = BadInput(uri="file:///in/a.json", offset=77, expected="a comma")


def test_a_bug_releases_the_chunk_and_comes_through() -> None:
    class Broken(InMemorySink):
        async def write(self, batch: Batch) -> WriteReport:
            raise KeyError("bug")

    stage = Stage()
    with pytest.raises(KeyError):
        stage.load(ListStream(bodies(4)), sink=Broken())
    assert state_of(stage) == "open"


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


def test_a_progress_that_raises_stops_the_load_and_releases_the_chunk() -> None:
    def broken(*words: object) -> None:
        raise KeyError("bug in a progress bar")

    stage = Stage()
    with pytest.raises(KeyError):
        stage.load(ListStream(bodies(500)), progress=broken)
    assert state_of(stage) == "open"
    assert stage.load(ListStream(bodies(500)), owner="two").counts.written == 500
