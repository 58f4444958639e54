"""What keeps any load whole, whatever the target, each with its scenario and its removal."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterator
from contextlib import closing
from random import Random
from tempfile import TemporaryDirectory

import pytest

from ingest_project.core import superseding
from ingest_project.core.accounting import Prefix
from ingest_project.core.errors import LeaseLost, PermanentFailure, TransientFailure
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import Batcher, BatchLimits, Cut
from ingest_project.core.model import Batch, Chunk, Counts, ItemBlock, PartInfo, Position, WriteReport
from ingest_project.core.retrying import Patience, RetryPolicy
from ingest_project.core.stepping import Steps
from ingest_project.core.streaming import PartStream
from ingest_project.ledgers import sql
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.testing.doubles import FakeClock, InMemoryPartStore, InMemorySink
from ingest_project.testing.doubles_stream import ListStream
from ingest_project.testing.faults import Answer, FaultScript
from ingest_project.testing.laws_parts import packed
from ingest_project.testing.playing import Stage
from ingest_project.testing.samples import key_hash, sample_chunk, sample_work
from ingest_project_tests.faults.acting import ATTEMPTS, WORK, Desk, Mechanism, replaced

ITEMS = [b"%d=x" % number for number in range(40)]
LIMITS = BatchLimits(count=2, bytes=1000)


def sink_with(*answers: Answer) -> InMemorySink:
    return InMemorySink(limits=LIMITS, script=FaultScript(answers))


def waits_are_spread() -> None:
    desk = Desk()
    asyncio.run(desk.load(sink_with(*[Answer.LOST_BEFORE] * 20), ListStream(ITEMS), window=20))
    first = [wait for wait in desk.waits.asked[:20] if wait <= RetryPolicy().base]
    assert len(set(first)) == len(first) > 10
    assert min(first) < 0.2 * RetryPolicy().base < 0.8 * RetryPolicy().base < max(first)


def tries_are_finite() -> None:
    sink = sink_with(*[Answer.LOST_BEFORE] * 5000)
    with pytest.raises(TransientFailure, match=f"gave up after {ATTEMPTS} attempts"):
        asyncio.run(Desk().load(sink, ListStream(ITEMS)))


class _OnePlace:
    """Takes everything but the item ``hole``, which it cannot take now."""

    def __init__(self, hole: bytes) -> None:
        self._hole = hole
        self.limits = LIMITS
        self.table: set[bytes] = set()

    async def identity(self) -> str:
        return "memory"

    async def write(self, batch: Batch) -> WriteReport:
        if self._hole in batch.bodies:
            raise TransientFailure("not now")
        self.table.update(batch.bodies)
        return WriteReport(written=len(batch))

    async def flush(self) -> None:
        return None


def nothing_is_skipped_behind_a_failure() -> None:
    desk, sink = Desk(), _OnePlace(ITEMS[10])
    with pytest.raises(TransientFailure):
        asyncio.run(desk.load(sink, ListStream(ITEMS)))
    healed = _OnePlace(b"")
    healed.table = sink.table
    result = asyncio.run(desk.load(healed, ListStream(ITEMS)))
    assert set(ITEMS) == healed.table
    assert result.counts.written == len(ITEMS)


def _settle_over_holes(self: Prefix) -> None:
    """Moves on to the furthest cut that is done, and counts what lies before it as written."""
    done = [cut for cut in self._cuts if cut.done]
    for cut in done:
        self._cuts.remove(cut)
    last = max(done, key=lambda cut: cut.end)
    if last.end > self.position.ordinal:
        self._written += last.end - self.position.ordinal
        self.position = Position(last.end, last.token)


def a_stale_owner_cannot_advance() -> None:
    clock = FakeClock()
    with TemporaryDirectory() as folder, closing(SqlLedger(f"{folder}/ledger.db", clock=clock)) as ledger:
        first = ledger.claim(WORK, owner="one", lease=5.0)
        clock.advance(6.0)
        second = ledger.claim(WORK, owner="two", lease=5.0)
        with pytest.raises(LeaseLost):
            ledger.advance(first, Position(8, ""), Counts(sent=8, written=8), (), lease=5.0)
        ledger.advance(second, Position(2, ""), Counts(sent=2, written=2), (), lease=5.0)


class _Slow(ListStream):
    """Takes six seconds to read."""

    clock: FakeClock

    def blocks(self, after: Position) -> Iterator[ItemBlock]:
        self.clock.advance(6.0)
        return super().blocks(after)


def nothing_is_sent_when_the_lease_is_over() -> None:
    stage = Stage()
    sink, stream = stage.sink(), _Slow(ITEMS)
    stream.clock = stage.clock
    with pytest.raises(LeaseLost):
        stage.load(stream, sink=sink)
    assert sink.log == []


def the_last_of_equal_keys_in_flight_wins() -> None:
    for seed in range(5):
        stage = Stage(limits=LIMITS, latency=1.0, seed=seed)
        keys = Random(seed).choices(range(10), k=200)
        bodies = [b"%d=%d" % (key, number) for number, key in enumerate(keys)]
        stage.load(ListStream(bodies, hashes=[key_hash(key) for key in keys]))
        assert stage.table == {body.partition(b"=")[0]: body for body in bodies}


def _without_hashes(patch: pytest.MonkeyPatch) -> None:
    """Cuts are made as if no key could be in flight twice; within a batch keys stay apart."""
    feed, finish = Batcher.feed, Batcher.finish

    def bare(cuts: Iterator[Cut]) -> Iterator[Cut]:
        for cut in cuts:
            cut.hashes = ()
            yield cut

    patch.setattr(Batcher, "feed", lambda self, block: bare(feed(self, block)))
    patch.setattr(Batcher, "finish", lambda self: bare(finish(self)))


def losers_are_not_written() -> None:
    """Two files of one key; the earlier one is loaded behind the later one."""
    store, stage = InMemoryPartStore(), Stage()
    chunks = [sample_chunk(name, records=1) for name in ("a", "b")]
    for chunk in chunks:
        body = b"k=%b" % chunk.range.uri.encode()
        info = PartInfo(number=0, first=0, records=1, bytes=len(body))
        store.write(chunk, info, packed(store, [body]), [key_hash("k")], [0])
        store.publish(chunk, [info])
    for chunk in reversed(chunks):
        losers = superseding.superseded([chunk], chunks, store)[chunk.id]
        stage.load(stream_of(store, chunk, losers), work=sample_work(chunk))
    assert {b"k": b"k=file:///in/b.json"} == stage.table


def stream_of(store: InMemoryPartStore, chunk: Chunk, losers: array[int]) -> PartStream:
    return PartStream(parts=store, chunk=chunk, key_of=bytes.decode, losers=losers)


class _Quota:
    """Takes 300 items a second and saves none up."""

    limits = BatchLimits(count=25, bytes=1 << 20)

    def __init__(self, clock: FakeClock) -> None:
        self._clock, self._tokens, self._seen = clock, 0.0, clock()
        self.refused = 0

    async def identity(self) -> str:
        return "quota"

    async def write(self, batch: Batch) -> WriteReport:
        await asyncio.sleep(0.02)
        now = self._clock()
        self._tokens, self._seen = min(50.0, self._tokens + (now - self._seen) * 300), now
        taken = int(min(len(batch), self._tokens))
        self._tokens -= taken
        self.refused += len(batch) - taken
        return WriteReport(written=taken, retry=range(taken, len(batch)), throttled=taken < len(batch))

    async def flush(self) -> None:
        return None


def a_throttled_target_is_not_stormed() -> None:
    stage = Stage(window=64)
    sink = _Quota(stage.clock)
    items = [b"%d=x" % number for number in range(6000)]
    stage.load(ListStream(items, size=512), sink=sink)
    assert sink.refused < len(items) / 2


def _unjittered(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Random, "uniform", lambda self, low, high: high)


def _for_ever(self: Patience, rng: Random, retry_after: float | None = None) -> float:
    return self._policy.wait(self.tries, rng, retry_after)


def _unfenced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sql, "_held", lambda claim: sql._is(claim.work))


def _nothing(*_: object, **__: object) -> None:
    return None


MECHANISMS = [
    Mechanism(name="full jitter", scenario=waits_are_spread, remove=_unjittered),
    Mechanism(
        name="finite attempts",
        scenario=tries_are_finite,
        remove=replaced(Patience, "delay", _for_ever),
    ),
    Mechanism(
        name="the position never passes a hole",
        scenario=nothing_is_skipped_behind_a_failure,
        remove=replaced(Prefix, "settle", _settle_over_holes),
    ),
    Mechanism(
        name="a stale owner is fenced off",
        scenario=a_stale_owner_cannot_advance,
        remove=_unfenced,
        breaks=pytest.fail.Exception,
    ),
    Mechanism(
        name="nothing is sent in the last tenth of a lease",
        scenario=nothing_is_sent_when_the_lease_is_over,
        remove=replaced(Steps, "check", _nothing),
    ),
    Mechanism(
        name="equal keys in flight wait for each other",
        scenario=the_last_of_equal_keys_in_flight_wins,
        remove=_without_hashes,
        breaks=(AssertionError, PermanentFailure),
    ),
    Mechanism(
        name="losers are named before anything is sent",
        scenario=losers_are_not_written,
        remove=replaced(superseding, "_judge", _nothing),
    ),
    Mechanism(
        name="the governor slows down",
        scenario=a_throttled_target_is_not_stormed,
        remove=replaced(RateGovernor, "report", _nothing),
    ),
]
