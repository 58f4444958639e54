"""A service whose mood tests decide: it answers, refuses, breaks off or goes away, request by request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from random import Random

from aiohttp import web

from ingest_project.core.breaking import CircuitBreaker
from ingest_project.core.retrying import RetryPolicy
from ingest_project.testing.doubles import FakeClock
from ingest_project.wire.entrance import Sleep
from ingest_project.wire.guarded import CallLimits, GuardedClient
from ingest_project.wire.http import Endpoint

BREAK, STALL = "break", "stall"
Mood = int | str | tuple[int, dict[str, str]]
"""A status, a status with headers, ``BREAK`` (the connection ends without an answer) or ``STALL``."""


class Moody:
    """Answers each request as the next mood says, then with 200 and the request's body.

    Attributes:
        seen: (method, target, body's size) of all requests but health checks.
        checks: Requests to ``/health``; they are answered as ``health`` says.
        deadly: A request with this body breaks the connection whatever the mood.
    """

    def __init__(self, *moods: Mood, health: int = 200, deadly: bytes = b"") -> None:
        self._moods: Iterator[Mood] = iter(moods)
        self.health, self.deadly = health, deadly
        self.seen: list[tuple[str, str, int]] = []
        self.checks = self.inside = self.most = 0
        self._ends = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.path == "/health":
            self.checks += 1
            return web.Response(status=self.health)
        self.seen.append((request.method, request.path_qs, len(body)))
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            return await self._answer(request, body)
        finally:
            self.inside -= 1

    async def _answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        mood = BREAK if self.deadly and body == self.deadly else next(self._moods, 200)
        if mood == STALL:
            await self._ends.wait()
        if isinstance(mood, str):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        status, headers = mood if isinstance(mood, tuple) else (mood, {})
        return web.Response(status=status, headers=headers, body=body if status == 200 else b"said so")

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        app = web.Application(client_max_size=1 << 28)
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            self._ends.set()
            await runner.cleanup()


class Naps:
    """Sleep that takes no time but moves the clock, remembers how long it was asked to, and then does what
    the test wants."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.taken: list[float] = []
        self.then: Callable[[], None] = lambda: None

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        self._clock.advance(seconds)
        self.then()
        await asyncio.sleep(0)


def client_of(
    url: str | Endpoint,
    clock: FakeClock,
    naps: Sleep,
    *,
    timeout: float = 10.0,
    most: int = 1 << 20,
    attempts: int = 8,
    breaker: CircuitBreaker | None = None,
    limits: CallLimits | None = None,
    health: str = "",
) -> GuardedClient:
    return GuardedClient(
        url if isinstance(url, Endpoint) else Endpoint(url, timeout=timeout, connections=64, most=most),
        retry=RetryPolicy(base=1.0, cap=8.0, attempts=attempts),
        breaker=breaker or CircuitBreaker(clock, threshold=100),
        clock=clock,
        sleep=naps,
        rng=Random(7),
        limits=limits,
        health=health,
    )


def repeated(mood: Mood, times: int) -> Iterable[Mood]:
    return [mood] * times
