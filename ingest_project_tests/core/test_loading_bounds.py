"""A load stays within its bounds: window, budget, steps of the ledger, order of one key."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random
from time import monotonic
from weakref import ref

import pytest

from ingest_project.core.errors import PermanentFailure
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits, MemoryBudget
from ingest_project.core.loading import Loader, LoadSettings
from ingest_project.core.model import ItemBlock, Position, Rejection
from ingest_project.core.retrying import RetryPolicy
from ingest_project.testing.doubles import InMemoryLedger, InMemorySink, ListStream
from ingest_project.testing.faults import Answer, FaultScript
from ingest_project.testing.playing import Stage
from ingest_project.testing.samples import key_hash, sample_chunk, sample_work
from ingest_project_tests.core.scenes import bodies


def test_as_many_requests_are_in_flight_as_the_window_allows() -> None:
    stage = Stage(window=5)
    sink = stage.sink()
    stage.load(ListStream(bodies(200)), sink=sink)
    assert sink.most_in_flight == 5


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


def test_progress_is_told_at_every_durable_step() -> None:
    stage = Stage()
    steps: list[tuple[int, int]] = []
    stage.load(ListStream(bodies(100)), progress=lambda *words: steps.append((words[2], words[3].sent)))
    assert len(steps) > 3
    assert steps[-1] == (100, 100)
    assert steps == sorted(steps)
    assert all(done == sent for done, sent in steps)


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


class Entries(list[bytes]):
    """A list that can be watched."""


class WatchedStream:
    """ItemStream that can tell which of its blocks somebody still holds."""

    def __init__(self) -> None:
        self._given: list[ref[Entries]] = []

    def blocks(self, after: Position) -> Iterator[ItemBlock]:
        for first in range(after.ordinal, 300, 10):
            entries = Entries(bodies(300)[first : first + 10])
            self._given.append(ref(entries))
            yield ItemBlock(first=first, entries=entries, plain=True)

    def rejection(self, ordinal: int, body: bytes, reason: str) -> Rejection:
        raise NotImplementedError

    @property
    def held(self) -> list[int]:
        return [number for number, given in enumerate(self._given) if given() is not None]


def test_a_load_that_ended_holds_no_block_until_cycles_are_collected() -> None:
    """Loads of a huge file's chunks would pile up a reading each, as collections are rare."""
    stream = WatchedStream()
    gc.disable()
    try:
        assert Stage().load(stream).sealed
        assert [] == stream.held
    finally:
        gc.enable()
