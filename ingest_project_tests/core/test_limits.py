"""Law 1: batches concatenate to the input and keep within their limits; and the memory budget's
arithmetic."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest_project.core.errors import CountLost
from ingest_project.core.limits import Batcher, BatchLimits, Cut, MemoryBudget, batched
from ingest_project.core.model import ItemBlock, Position, Rejection
from ingest_project.testing.doubles_stream import ListStream
from ingest_project.testing.samples import key_hash

bodies = st.binary(min_size=0, max_size=40)
entries = st.lists(
    st.one_of(
        bodies,
        bodies,
        bodies,
        st.none(),
        st.just(Rejection(ordinal=0, offset=0, reason="no", raw=b"")),
    ),
    max_size=60,
)
limits = st.builds(
    BatchLimits,
    count=st.integers(1, 9),
    bytes=st.integers(1, 100),
    overhead=st.integers(0, 3),
)


def cost(cut: Cut, limits: BatchLimits) -> int:
    assert cut.batch is not None
    return sum(len(body) + limits.overhead for body in cut.batch.bodies)


@given(entries, limits, st.integers(1, 20), st.integers(0, 60), st.integers(0, 9))
def test_cuts_tile_the_input_and_batches_concatenate_to_it(
    items: list[bytes | Rejection | None], limits: BatchLimits, size: int, start: int, early: int
) -> None:
    start = min(start, len(items))
    stream = ListStream(items, size=size, early=early)
    cuts = list(batched(stream.blocks(Position(start, str(start - start % size))), limits, start))
    assert [start, *(cut.end for cut in cuts)] == [*(cut.first for cut in cuts), len(items)]
    batches = [cut.batch for cut in cuts if cut.batch is not None]
    sent = [
        (ordinal, body)
        for batch in batches
        for ordinal, body in zip(batch.ordinals, batch.bodies, strict=True)
    ]
    expected = [(at, item) for at, item in enumerate(items) if at >= start and isinstance(item, bytes)]
    assert expected == sent
    rest = items[start:]
    assert rest.count(None) == sum(cut.superseded for cut in cuts)
    assert sum(isinstance(item, Rejection) for item in rest) == sum(len(cut.rejections) for cut in cuts)


@given(entries, limits, st.integers(1, 20))
def test_every_batch_is_within_count_and_bytes_or_a_single_item(
    items: list[bytes | Rejection | None], limits: BatchLimits, size: int
) -> None:
    for cut in batched(ListStream(items, size=size).blocks(Position()), limits):
        if cut.batch is not None:
            assert 1 <= len(cut.batch) <= limits.count
            assert len(cut.batch) == 1 or cost(cut, limits) <= limits.bytes
            assert sum(map(len, cut.batch.bodies)) == cut.batch.size


@given(st.lists(bodies, max_size=60), limits, st.integers(1, 20))
def test_batches_are_as_full_as_the_limits_allow(items: list[bytes], limits: BatchLimits, size: int) -> None:
    cuts = list(batched(ListStream(items, size=size).blocks(Position()), limits))
    for cut, following in pairwise(cuts):
        assert cut.batch is not None
        assert following.batch is not None
        grown = cost(cut, limits) + len(following.batch.bodies[0]) + limits.overhead
        assert len(cut.batch) == limits.count or grown > limits.bytes


@given(st.lists(st.tuples(st.integers(0, 6), bodies), max_size=60), limits, st.integers(1, 20))
def test_one_key_is_never_twice_in_a_batch_and_the_last_one_stays(
    items: list[tuple[int, bytes]], limits: BatchLimits, size: int
) -> None:
    values = [value for _, value in items]
    stream = ListStream(values, hashes=[key_hash(key) for key, _ in items], size=size)
    table: dict[bytes, int] = {}
    for cut in batched(stream.blocks(Position()), limits):
        sent = len(cut.batch) if cut.batch is not None else 0
        assert cut.end - cut.first == sent + cut.superseded
        if cut.batch is not None:
            assert len(set(cut.hashes)) == len(cut.hashes) == len(cut.batch)
            assert len(cut.batch) <= limits.count
            assert list(cut.batch.ordinals) == sorted(cut.batch.ordinals)
            assert [values[ordinal] for ordinal in cut.batch.ordinals] == list(cut.batch.bodies)
            table.update(zip(cut.hashes, cut.batch.ordinals, strict=True))
    expected = {key_hash(key): at for at, (key, _) in enumerate(items)}
    assert expected == table


def test_a_cut_carries_the_token_of_the_block_that_holds_its_last_item() -> None:
    cuts = list(batched(ListStream([b"x"] * 10, size=3).blocks(Position()), BatchLimits(count=4, bytes=99)))
    assert [(cut.end, cut.token) for cut in cuts] == [(4, "3"), (8, "6"), (10, "9")]


def test_a_stretch_without_items_does_not_wait_for_the_next_item() -> None:
    batcher = Batcher(BatchLimits(count=4, bytes=99))
    (cut,) = batcher.feed(ItemBlock(first=0, entries=[None, None]))
    assert (cut.first, cut.end, cut.batch, cut.superseded) == (0, 2, None, 2)


def test_a_hole_in_the_stream_is_an_error() -> None:
    batcher = Batcher(BatchLimits(count=4, bytes=99))
    list(batcher.feed(ItemBlock(first=0, entries=[b"a"], plain=True)))
    with pytest.raises(CountLost, match="from item 1 to 2"):
        list(batcher.feed(ItemBlock(first=2, entries=[b"c"], plain=True)))


def test_many_refused_items_in_a_row_do_not_pile_up_in_one_cut() -> None:
    letters = [Rejection(ordinal=at, offset=0, reason="no", raw=b"x") for at in range(1000)]
    cuts = list(batched([ItemBlock(first=0, entries=letters)], BatchLimits(count=4, bytes=99)))
    assert max(len(cut.rejections) for cut in cuts) == 256


@pytest.mark.parametrize("words", [{"count": 0, "bytes": 9}, {"count": 1, "bytes": 0}])
def test_limits_that_hold_nothing_are_refused(words: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one item"):
        BatchLimits(**words)


@given(st.lists(st.integers(1, 50), max_size=40))
def test_the_budget_never_holds_more_than_its_limit_and_one_batch(sizes: list[int]) -> None:
    budget = MemoryBudget(100)
    held: list[int] = []
    for size in sizes:
        if budget.take(size, alone=not held):
            held.append(size)
        else:
            assert sum(held) + size > 100
            budget.give(held.pop(0))
    assert sum(held) == budget.held
    assert budget.peak <= 100


def test_a_batch_larger_than_the_budget_goes_alone() -> None:
    budget = MemoryBudget(10)
    assert budget.take(50, alone=True)
    assert not budget.take(1, alone=False)
    budget.give(50)
    assert budget.take(10, alone=False)


def test_under_memory_pressure_less_is_held_and_in_a_pause_one_batch_a_load() -> None:
    share = 0.5
    budget = MemoryBudget(1000, share=lambda: share)
    assert budget.take(500, alone=False)
    assert not budget.take(1, alone=False)
    share = 0.0
    budget.give(500)
    assert not budget.take(1, alone=False)
    assert budget.take(1, alone=True)
    share = 1.0
    assert budget.take(999, alone=False)
