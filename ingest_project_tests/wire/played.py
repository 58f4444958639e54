"""A client of a service in virtual time: outages and deaths happen at exact moments, 64 callers wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from ingest_project.core.breaking import BreakerStatus, CircuitBreaker
from ingest_project.core.errors import TransientFailure, Unreachable
from ingest_project.testing.doubles import FakeClock
from ingest_project.wire.guarded import CallLimits, GuardedClient
from ingest_project.wire.http import Answer, Endpoint, Upload
from ingest_project_tests.wire.moody import client_of

T = TypeVar("T")
CALLERS = 64
RESTART = 2.0


class Played(Endpoint):
    """An endpoint in virtual time: ``play`` says what becomes of each request when its latency is over.

    Attributes:
        sent: (moment, body) of each request.
        most: Requests at a time.
    """

    def __init__(self, clock: FakeClock, play: Callable[[str, bytes], int], latency: float = 0.1) -> None:
        super().__init__("http://127.0.0.1:1")
        self._clock, self._play, self._latency = clock, play, latency
        self.sent: list[tuple[float, bytes]] = []
        self.inside = self.most = 0

    async def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | Upload = b""
    ) -> Answer:
        assert isinstance(body, bytes)
        self.sent.append((self._clock(), body))
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await asyncio.sleep(self._latency)
            return Answer(self._play(target, body), (), body)
        finally:
            self.inside -= 1


def body(number: int) -> bytes:
    return b"%d" % number


class Case:
    """A client in virtual time over a service that is down between two moments after the start, and dies of
    each deadly request with all that is under way, to be back after RESTART seconds."""

    def __init__(
        self,
        *,
        down: tuple[float, float] = (0.0, 0.0),
        play: Callable[[str, bytes], int] | None = None,
        threshold: int = 5,
        limits: CallLimits | None = None,
        health: str = "",
        attempts: int = 50,
        latency: float = 0.1,
        deadly: Sequence[bytes] = (),
    ) -> None:
        self.clock = FakeClock()
        self.told: list[BreakerStatus] = []
        self._latency, self._deadly = latency, deadly
        self.deaths: list[float] = []
        self._down = tuple(self.clock() + moment for moment in down)
        self._answer = play or (lambda target, body: 200)
        self.breaker = CircuitBreaker(self.clock, threshold=threshold, cooldown=10.0, watch=self.told.append)
        self.endpoint = Played(self.clock, self._play, latency)
        self.client: GuardedClient = client_of(
            self.endpoint,
            self.clock,
            self.clock.sleep,
            breaker=self.breaker,
            limits=limits or CallLimits(at_once=CALLERS),
            health=health,
            attempts=attempts,
        )

    def _play(self, target: str, body: bytes) -> int:
        now = self.clock()
        if self._down[0] <= now < self._down[1]:
            raise Unreachable("down")
        begun = now - self._latency
        if any(begun < death for death in self.deaths):
            raise TransientFailure("connection reset")
        if any(begun < death + RESTART for death in self.deaths):
            raise Unreachable("restarting")
        if body in self._deadly:
            self.deaths.append(now)
            raise TransientFailure("connection reset")
        return self._answer(target, body)

    async def call(self, number: int) -> bytes:
        return (await self.client.call("PUT", "/", {}, body(number))).body

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        return self.clock.run(main)

    def all_calls(self) -> list[bytes | BaseException]:
        async def main() -> list[bytes | BaseException]:
            calls = (self.call(number) for number in range(CALLERS))
            return await asyncio.gather(*calls, return_exceptions=True)

        return self.run(main())


ALL = [body(number) for number in range(CALLERS)]
