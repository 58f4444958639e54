"""The gate and the courier: whose turn it is, what goes out again, and when a batch gives up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from ingest_project.core.delivering import Gate
from ingest_project.core.errors import Throttled, TransientFailure
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Batch, WriteReport
from ingest_project.core.retrying import RetryPolicy
from ingest_project.testing.doubles import FakeClock, ListStream
from ingest_project.testing.playing import Stage

ONE = BatchLimits(count=1, bytes=100)
ITEM = (b"x",)


def paced(clock: FakeClock, pace: float) -> RateGovernor:
    """A governor whose pace is ``pace`` requests of one unit a second."""
    governor = RateGovernor(clock, most=4, start=4)
    governor.report(1, 1, begun=clock() - 1 / (2 * pace), inside=1, throttled=True)
    assert governor.pace == pytest.approx(pace)
    return governor


def test_who_came_first_goes_first_and_nobody_before_the_pace_allows() -> None:
    clock = FakeClock()
    gate = Gate(paced(clock, 2.0), ONE, clock.sleep)
    begin, went = clock(), list[tuple[int, float]]()

    async def go(number: int) -> None:
        await gate.enter(ITEM)
        went.append((number, clock() - begin))
        gate.leave()

    async def main() -> None:
        await asyncio.gather(*(go(number) for number in range(6)))

    clock.run(main())
    assert list(range(6)) == [number for number, _ in went]
    assert [0, 0.5, 1.0, 1.5, 2.0, 2.5] == [pytest.approx(moment, abs=0.06) for _, moment in went]


def test_those_who_wait_feel_a_lower_pace_at_once() -> None:
    clock = FakeClock()
    governor = paced(clock, 100.0)
    gate = Gate(governor, ONE, clock.sleep)
    went = 0

    async def go() -> None:
        nonlocal went
        await gate.enter(ITEM)
        went += 1
        gate.leave()

    async def main() -> None:
        tasks = [asyncio.create_task(go()) for _ in range(200)]
        await asyncio.sleep(0.5)
        for _ in range(RateGovernor.MANY):
            governor.report(1, 1, begun=clock(), inside=1, throttled=True)
        slow, before = governor.pace or 0.0, went
        await asyncio.sleep(1.0)
        assert went - before <= slow + 2
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    clock.run(main())


def test_who_is_cancelled_while_waiting_leaves_nothing_behind() -> None:
    clock = FakeClock()
    gate = Gate(paced(clock, 0.6), ONE, clock.sleep)

    async def main() -> None:
        await gate.enter(ITEM)
        tasks = [asyncio.create_task(gate.enter(ITEM)) for _ in range(3)]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert (gate.inside, gate.try_enter(ITEM)) == (1, False)
        await gate.enter(ITEM)
        assert gate.inside == 2

    clock.run(main())


class Choosy:
    """Takes what ``refuse`` does not raise for; keeps a log of what was sent."""

    def __init__(self, refuse: Callable[[Sequence[bytes]], None]) -> None:
        self.limits = BatchLimits(count=2, bytes=100)
        self._refuse = refuse
        self.log: list[Sequence[bytes]] = []

    async def identity(self) -> str:
        return "choosy"

    async def write(self, batch: Batch) -> WriteReport:
        await asyncio.sleep(0.01)
        self.log.append(batch.bodies)
        self._refuse(batch.bodies)
        return WriteReport(written=len(batch))

    async def flush(self) -> None:
        return None


ITEMS = [b"%04d" % number for number in range(4000)]


def unlucky(error: TransientFailure, times: int) -> Callable[[Sequence[bytes]], None]:
    """The batch with the first item fails ``times`` times."""
    left = times

    def refuse(bodies: Sequence[bytes]) -> None:
        nonlocal left
        if ITEMS[0] in bodies and left:
            left -= 1
            raise error

    return refuse


PATIENCE = RetryPolicy(attempts=3, base=0.2, cap=0.2)


def test_a_throttled_batch_does_not_give_up_while_others_get_through() -> None:
    stage, sink = Stage(), Choosy(unlucky(Throttled("no"), 12))
    assert stage.load(ListStream(ITEMS), sink=sink, retry=PATIENCE).sealed
    assert sum(ITEMS[0] in bodies for bodies in sink.log) == 13


def test_a_batch_that_fails_for_another_cause_gives_up_also_while_others_get_through() -> None:
    stage, sink = Stage(), Choosy(unlucky(TransientFailure("no"), 12))
    with pytest.raises(TransientFailure, match="gave up after 3 attempts: no"):
        stage.load(ListStream(ITEMS), sink=sink, retry=PATIENCE)


def test_a_throttled_batch_gives_up_when_nobody_gets_through() -> None:
    def refuse(bodies: Sequence[bytes]) -> None:
        raise Throttled("closed")

    stage, sink = Stage(), Choosy(refuse)
    with pytest.raises(TransientFailure, match="gave up after 3 attempts: closed"):
        stage.load(ListStream(ITEMS), sink=sink, retry=PATIENCE)


def test_a_batch_that_is_refused_for_ever_comes_to_its_end_with_the_others() -> None:
    stage, sink = Stage(), Choosy(unlucky(Throttled("never"), 10**9))
    with pytest.raises(TransientFailure, match="never"):
        stage.load(ListStream(ITEMS), sink=sink, retry=PATIENCE)
    assert {body for bodies in sink.log for body in bodies} == set(ITEMS)


def test_a_refused_batch_does_not_starve_behind_new_ones() -> None:
    stage, sink = Stage(), Choosy(unlucky(Throttled("no"), 3))
    stage.load(ListStream(ITEMS), sink=sink, retry=PATIENCE)
    places = [place for place, bodies in enumerate(sink.log) if ITEMS[0] in bodies]
    assert len(places) == 4
    assert places[-1] < len(sink.log) / 2
