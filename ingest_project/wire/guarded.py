"""GuardedClient: calls to one HTTP service that hold: retries, a circuit breaker, a rate, a deadline.

Knows no vendor. Every call must be safe to repeat: an answer that was lost is asked for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Self

from ingest_project.core.breaking import BreakerStatus, CircuitBreaker
from ingest_project.core.errors import (
    CircuitOpen,
    HarmfulRequest,
    PermanentFailure,
    Throttled,
    TransientFailure,
    Unreachable,
)
from ingest_project.core.retrying import RetryPolicy
from ingest_project.wire.http import Answer, Endpoint, Upload
from ingest_project.wire.pacing import Pace, Room

SLOW_DOWN = frozenset({408, 429})
"""The service lives and wants the request again, later."""

FAILING = frozenset({500, 502, 503, 504})
"""The service, or what stands before it, does not do its work now."""

NOT_US = frozenset({401, 403})
"""No call will do better until somebody changes the credentials."""

SUSPECT_AFTER = 2
"""Breakdowns during one request after which it is tried alone only."""

CONVICT_AFTER = 2
"""Breakdowns of a service that was well just before, with nothing but this request at work."""

BLOCK = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """What one call may take.

    Attributes:
        at_once: Calls under way at a time; the endpoint should have as many connections.
        rate: Requests a second, tries included; ``None``: no limit.
        deadline: Seconds for all tries of a call and the waits between them, from its first turn on.
    """

    at_once: int = 16
    rate: float | None = None
    deadline: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """What became of the calls so far, for metadata.

    Attributes:
        calls: Begun.
        tries: Requests sent for them.
        failures: Tries that have to be made again.
        given_up: Calls that ended without an answer for lack of tries or time, or with the circuit open.
        harmful: Calls over which the service broke down.
        checks: Requests to see whether the service is well.
    """

    calls: int = 0
    tries: int = 0
    failures: int = 0
    given_up: int = 0
    harmful: int = 0
    checks: int = 0
    breaker: BreakerStatus


@dataclass(slots=True, kw_only=True)
class _Course:
    """One call on its way."""

    name: str
    send: Callable[[], Awaitable[Answer]]
    started: float | None = None
    tries: int = 0
    breakdowns: int = 0
    breakdowns_alone: int = 0
    alone: bool = field(default=False)


class GuardedClient:
    """Calls to one service. Use as ``async with``, or call ``aclose``; one event loop at a time.

    Args:
        endpoint: Where; its timeout is that of one try. The client closes it.
        retry: How often and when a failed try is made again.
        breaker: Of this service; may be shared with other clients of it.
        health: Path that the service answers with 200 when it is well (Tika: ``/version``). With it the
            breaker's probe is this request instead of a caller's, and a request over which the service
            breaks down is told from a service that is down. Empty: there is none.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        retry: RetryPolicy,
        breaker: CircuitBreaker,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        rng: Random,
        limits: CallLimits | None = None,
        health: str = "",
    ) -> None:
        self._endpoint, self._retry, self._breaker, self._health = endpoint, retry, breaker, health
        self._clock, self._sleep, self._rng = clock, sleep, rng
        self._limits = limits or CallLimits()
        self._pace = Pace(clock, self._limits.rate)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._counts = ServiceStatus(breaker=breaker.status)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._endpoint.aclose()

    @property
    def status(self) -> ServiceStatus:
        """As it stands."""
        return replace(self._counts, breaker=self._breaker.status)

    async def call(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes | Path = b""
    ) -> Answer:
        """Make one call and return its answer: any but those that are tried again, and 401 and 403. What a
        404 or 422 means is for the caller to say; it is not held against the service.

        Args:
            target: Encoded path and query behind the endpoint's URL.
            body: Bytes, or a file whose bytes are sent in blocks, anew at each try.

        Raises:
            CircuitOpen: The service is left alone for longer than this call may take.
            TransientFailure: Tries or time are used up.
            HarmfulRequest: The service breaks down over this request.
            PermanentFailure: 401, 403, TLS, a file that can't be read, an answer beyond the endpoint's limit.
        """
        name = f"{method} {self._endpoint.url}{target.partition('?')[0]}"
        course = _Course(name=name, send=lambda: self._send(method, target, headers or {}, body))
        room = self._room()
        self._count(calls=1)
        while True:
            course.alone = bool(self._health) and course.breakdowns >= SUSPECT_AFTER
            async with _entered(room, alone=course.alone):
                if course.started is None:
                    course.started = self._clock()
                outcome = await self._try(course)
            if isinstance(outcome, Answer):
                return outcome
            self._count(failures=1)
            await self._back_off(course, outcome)

    async def _try(self, course: _Course) -> Answer | TransientFailure:
        """One try in its turn: the answer, or why there has to be another try."""
        ticket, probing = await self._admission(course)
        course.tries += 1
        if self._health and (probing or course.alone):
            unwell = await self._check(ticket)
            if unwell is not None:
                return unwell
            # A good check as the probe has closed the breaker: this call is now one of many.
            ticket, _ = await self._admission(course)
        self._count(tries=1)
        try:
            async with asyncio.timeout(self._left(course)) as time:
                answer = await course.send()
        except TimeoutError as error:
            self._forget(ticket)
            if not time.expired():
                raise
            raise self._given_up(course, f"no answer within {self._limits.deadline:g} s", None) from error
        except TransientFailure as failure:
            self._judge(course, ticket, failure, reached=not isinstance(failure, Unreachable))
            return failure
        except BaseException:
            self._forget(ticket)
            raise
        return self._heard(course, ticket, answer)

    def _heard(self, course: _Course, ticket: int, answer: Answer) -> Answer | TransientFailure:
        """What a complete answer means."""
        if answer.status in FAILING:
            failure = TransientFailure(_said(course.name, answer), retry_after=answer.retry_after)
            self._hold(failure)
            self._judge(course, ticket, failure, reached=answer.status == 500)
            return failure
        self._breaker.success(ticket)
        self._wake()
        if answer.status in SLOW_DOWN:
            throttled = Throttled(_said(course.name, answer), retry_after=answer.retry_after)
            self._hold(throttled)
            return throttled
        if answer.status in NOT_US:
            raise PermanentFailure(_said(course.name, answer))
        return answer

    def _judge(self, course: _Course, ticket: int, failure: TransientFailure, *, reached: bool) -> None:
        """Whose fault a failed try is: the service's, or, where it had nothing else to do and was well just
        before, that of the request.

        Raises:
            HarmfulRequest: It happened often enough.
        """
        course.breakdowns += reached
        if not (course.alone and reached):
            self._breaker.failure(ticket, str(failure), retry_after=failure.retry_after)
            self._wake()
            return
        self._forget(ticket)
        course.breakdowns_alone += 1
        if course.breakdowns_alone >= CONVICT_AFTER:
            self._count(harmful=1)
            raise HarmfulRequest(
                f"{course.name}: broke down over this request {course.breakdowns} times, "
                f"{CONVICT_AFTER} of them well before it and busy with nothing else: {failure}"
            ) from failure

    async def _check(self, ticket: int) -> TransientFailure | None:
        """Is the service well? ``None``: yes. Counts for the breaker."""
        self._count(checks=1)
        try:
            answer = await self._send("GET", self._health, {}, b"")
        except TransientFailure as error:
            failure = error
        except BaseException:
            self._forget(ticket)
            raise
        else:
            if answer.status == 200:
                self._breaker.success(ticket)
                self._wake()
                return None
            failure = TransientFailure(_said(self._health, answer), retry_after=answer.retry_after)
        self._breaker.failure(ticket, str(failure), retry_after=failure.retry_after)
        self._wake()
        return failure

    async def _admission(self, course: _Course) -> tuple[int, bool]:
        """Wait for pace and breaker. The breaker's ticket, and whether it is for its probe."""
        while True:
            if self._breaker.ready:
                await self._pause(course, self._pace.reserve(), "the service asked for a pause")
                probing = self._breaker.status.open_for > 0 or self._breaker.state != "closed"
                ticket = self._breaker.admit()
                if ticket is not None:
                    return ticket, probing
            else:
                await self._until_ready(course)

    async def _until_ready(self, course: _Course) -> None:
        wait = self._breaker.wait()
        if wait > 0 and wait < self._left(course):
            await self._sleep(wait)
        elif wait > 0 or self._left(course) <= 0:
            self._count(given_up=1)
            status = self._breaker.status
            raise CircuitOpen(
                f"{course.name}: left alone for {wait:.0f} s more after {status.failures} failures in a row, "
                f"the last: {status.reason}",
                retry_after=wait,
            )
        else:
            await self._turned.wait()

    async def _back_off(self, course: _Course, failure: TransientFailure) -> None:
        delay = self._retry.delay(course.tries, self._rng, failure.retry_after)
        if delay is None:
            raise self._given_up(course, str(failure), failure.retry_after) from failure
        await self._pause(course, delay, str(failure))

    async def _pause(self, course: _Course, seconds: float, why: str) -> None:
        if seconds >= self._left(course):
            raise self._given_up(course, why, seconds)
        if seconds > 0:
            await self._sleep(seconds)

    def _given_up(self, course: _Course, why: str, retry_after: float | None) -> TransientFailure:
        self._count(given_up=1)
        spent = self._limits.deadline - self._left(course)
        return TransientFailure(
            f"{course.name}: gave up after {course.tries} tries and {spent:.0f} s: {why}",
            retry_after=retry_after,
        )

    def _left(self, course: _Course) -> float:
        """Seconds that the call may still take."""
        started = self._clock() if course.started is None else course.started
        return started + self._limits.deadline - self._clock()

    def _hold(self, failure: TransientFailure) -> None:
        """What the server asks of one caller it asks of all."""
        if failure.retry_after:
            self._pace.hold(failure.retry_after)

    def _forget(self, ticket: int) -> None:
        self._breaker.forget(ticket)
        self._wake()

    def _wake(self) -> None:
        """The breaker may have changed: whoever waits for a probe's end looks again."""
        self._turned.set()
        self._turned = asyncio.Event()

    def _room(self) -> Room:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._space, self._turned = loop, Room(self._limits.at_once), asyncio.Event()
        return self._space

    def _count(self, **more: int) -> None:
        counts = self._counts
        self._counts = replace(counts, **{name: getattr(counts, name) + n for name, n in more.items()})

    async def _send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | Path
    ) -> Answer:
        if isinstance(body, bytes):
            return await self._endpoint.send(method, target, headers, body)
        try:
            size = (await asyncio.to_thread(body.stat)).st_size
        except OSError as error:
            raise PermanentFailure(f"{body}: {error.strerror}") from error
        return await self._endpoint.send(method, target, headers, Upload(size=size, blocks=_blocks(body)))


def _entered(room: Room, *, alone: bool) -> AbstractAsyncContextManager[None]:
    return room.alone() if alone else room.beside_others()


def _said(name: str, answer: Answer) -> str:
    return f"{name}: HTTP {answer.status}: {answer.excerpt()}"


async def _blocks(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while block := await asyncio.to_thread(file.read, BLOCK):
            yield block
