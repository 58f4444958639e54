"""Clients that share a budget, over a service with a limit of its own, in virtual time."""

from __future__ import annotations

import asyncio
from collections import deque
from random import Random

import pytest

from ingest_project.core import budgeting
from ingest_project.core.breaking import CircuitBreaker
from ingest_project.core.budgeting import Budget, Turn
from ingest_project.core.errors import TransientFailure
from ingest_project.core.retrying import RetryPolicy
from ingest_project.testing.doubles_time import FakeClock, inline
from ingest_project.wire.answer import Answer
from ingest_project.wire.guarded import CallLimits, GuardedClient
from ingest_project.wire.http import Endpoint
from ingest_project.wire.pacing import SharedPace


class Kept:
    """A SharedBudget in memory."""

    def __init__(self, clock: FakeClock, quota: float) -> None:
        self._clock, self._quota, self.state = clock, quota, Budget(rate=quota)

    def take(self, successes: int) -> Turn:
        self.state, turn = budgeting.take(self.state, self._clock(), self._quota, successes)
        return turn

    def stands(self, turn: Turn) -> bool:
        return budgeting.stands(self.state, turn)

    def object(self, turn: Turn, seconds: float) -> None:
        self.state = budgeting.object_to(self.state, self._clock(), turn.moment, seconds, self._quota)

    def hold(self, seconds: float) -> None:
        self.state = budgeting.hold(self.state, self._clock(), seconds)


class Limited(Endpoint):
    """A service that takes so many requests in any second, and refuses the others; also for so long after."""

    def __init__(self, clock: FakeClock, limit: float, *, retry_after: bytes = b"2") -> None:
        super().__init__("http://127.0.0.1:1")
        self._clock, self.limit, self._retry_after = clock, limit, retry_after
        self._recent: deque[float] = deque()
        self.moments: list[float] = []
        self.refused: list[float] = []

    async def send(self, *_: object, **__: object) -> Answer:
        now = self._clock()
        self.moments.append(now)
        while self._recent and self._recent[0] <= now - 1.0:
            self._recent.popleft()
        if len(self._recent) >= self.limit:
            self.refused.append(now)
            headers = ((b"Retry-After", self._retry_after),) if self._retry_after else ()
            return Answer(429, headers, b"slow down")
        self._recent.append(now)
        await asyncio.sleep(0.3)
        return Answer(200, (), b"{}")


def client(service: Limited, clock: FakeClock, kept: Kept, *, attempts: int = 20) -> GuardedClient:
    return GuardedClient(
        service,
        retry=RetryPolicy(attempts=attempts, base=0.1, cap=1.0),
        breaker=CircuitBreaker(clock),
        clock=clock,
        sleep=clock.sleep,
        rng=Random(3),
        limits=CallLimits(at_once=12, deadline=3600.0, silence=60.0),
        pace=SharedPace(kept, inline),
    )


async def calls(one: GuardedClient, count: int) -> None:
    await asyncio.gather(*(one.call("GET", "/") for _ in range(count)))


def test_two_clients_together_send_as_the_quota_says() -> None:
    clock = FakeClock()
    service, kept = Limited(clock, limit=1e9), Kept(clock, 5.0)

    async def main() -> None:
        await asyncio.gather(*(calls(client(service, clock, kept), 150) for _ in range(2)))

    clock.run(main())
    spent = service.moments[-1] - service.moments[0]
    assert (len(service.moments) - 1) / spent == pytest.approx(5.0, rel=0.01)


def test_a_service_that_takes_less_than_the_quota_is_served_all_the_same() -> None:
    """It refuses little, and gets most of what it takes."""
    clock = FakeClock()
    service, kept = Limited(clock, limit=4), Kept(clock, 10.0)

    async def main() -> None:
        await asyncio.gather(*(calls(client(service, clock, kept), 400) for _ in range(3)))

    clock.run(main())
    spent = service.moments[-1] - service.moments[0]
    assert len(service.refused) < 0.05 * 1200
    assert 1200 / spent > 0.6 * 4


def test_nobody_sends_while_the_service_asked_for_silence() -> None:
    clock = FakeClock()
    service, kept = Limited(clock, limit=3), Kept(clock, 10.0)

    async def main() -> None:
        await asyncio.gather(*(calls(client(service, clock, kept), 60) for _ in range(2)))

    clock.run(main())
    assert service.refused
    for refused in service.refused:
        assert [moment for moment in service.moments if refused < moment < refused + 2.0 - 1e-6] == []


def test_an_objection_that_names_no_time_means_a_minute() -> None:
    clock = FakeClock()
    service, kept = Limited(clock, limit=0, retry_after=b""), Kept(clock, 10.0)
    with pytest.raises(TransientFailure, match="gave up after 3 tries"):
        clock.run(client(service, clock, kept, attempts=3).call("GET", "/"))
    first, second, third = service.moments
    assert [second - first, third - second] == pytest.approx([60.0, 60.0], abs=1.0)
    assert kept.state.rate == 10.0 / 8
