"""Room that visits share: how many batches, of how many bytes, in which order, and whose time it is."""

from __future__ import annotations

import asyncio

from ingest_project.core.limits import MemoryBudget
from ingest_project.resources.documents.floor import Floor
from ingest_project.testing.doubles_time import FakeClock


def test_batches_of_all_visits_together_are_bounded_and_come_in_in_their_order() -> None:
    clock, budget, log = FakeClock(), MemoryBudget(100), list[str]()
    floor = Floor(3, budget, clock)

    async def batch(name: str, weight: int) -> None:
        await floor.enter(weight)
        log.append(f"{name} {clock():.0f}")
        await clock.sleep(1)
        floor.leave(weight)

    async def all_of_them() -> None:
        weights = {"a": 40, "b": 40, "large": 500, "c": 1, "d": 1, "e": 1, "f": 1}
        await asyncio.gather(*(batch(name, weight) for name, weight in weights.items()))

    begun = clock()
    clock.run(all_of_them())
    # What is heavier than the bound goes alone, and is not passed by lighter ones that came later.
    expected = {"a": 0, "b": 0, "large": 1, "c": 2, "d": 2, "e": 2, "f": 3}
    assert [f"{name} {begun + second:.0f}" for name, second in expected.items()] == log
    assert (0, 500) == (budget.held, budget.peak)


def test_who_is_called_off_takes_no_room() -> None:
    clock, budget = FakeClock(), MemoryBudget(100)
    floor = Floor(1, budget, clock)

    async def called_off() -> None:
        await floor.enter(1)
        waiting = [asyncio.create_task(floor.enter(weight)) for weight in (10, 20, 30)]
        await clock.sleep(1)
        waiting[0].cancel()
        floor.leave(1)
        # Let in by that, and called off before it could know.
        waiting[1].cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert [True, True, False] == [one.cancelled() for one in waiting]

    clock.run(called_off())
    assert 30 == budget.held


def test_seconds_of_visits_at_once_are_together_those_of_the_clock() -> None:
    clock = FakeClock()
    floor = Floor(1, MemoryBudget(1), clock)
    first = floor.begin()
    clock.advance(1)
    second = floor.begin()
    clock.advance(4)
    spent = floor.spent(first)
    floor.end()
    clock.advance(2)
    assert (3, 4) == (spent, floor.spent(second))
