"""GuardedClient: calls to one HTTP service that hold: retries, a circuit breaker, a rate, a deadline.

Knows no vendor. Every call must be safe to repeat: an answer that was lost is asked for again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from io import BufferedReader
from pathlib import Path
from random import Random
from typing import Self

from ingest_project.core.breaking import BreakerStatus, CircuitBreaker
from ingest_project.core.errors import (
    AccessRefused,
    HarmfulRequest,
    PermanentFailure,
    Throttled,
    TransientFailure,
    Unreachable,
)
from ingest_project.core.retrying import RetryPolicy
from ingest_project.wire.entrance import Course, Entrance, GaveUp, Sleep, Ticket
from ingest_project.wire.http import Answer, Endpoint, Upload
from ingest_project.wire.pacing import Pace, Pacing, Room

SLOW_DOWN = frozenset({408, 429})
"""The service lives and wants the request again, later."""

FAILING = frozenset({500, 502, 503, 504})
"""The service, or what stands before it, does not do its work now."""

NOT_US = frozenset({401, 403})
"""No call will do better until somebody changes the credentials."""

SUSPECT_AFTER = 2
"""Breakdowns during one request after which it is tried alone only."""

CONVICT_AFTER = 3
"""Breakdowns of a service that was well just before, with nothing but this request at work. Where one request
in a hundred is lost by chance, one in 10**10 is blamed for nothing."""

BLOCK = 256 * 1024

Body = bytes | Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """What calls may take.

    Attributes:
        at_once: Calls under way at a time; the endpoint should have as many connections.
        rate: Requests a second, tries included; ``None``: no limit.
        deadline: Seconds for all tries of a call and the waits between them, from its first turn on.
        silence: Seconds that a 429 without Retry-After asks for.
    """

    at_once: int = 16
    rate: float | None = None
    deadline: float = 600.0
    silence: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """What became of the calls so far, for metadata.

    Attributes:
        calls: Begun.
        tries: Requests sent for them.
        failures: Tries behind which there had to be another.
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


class GuardedClient:
    """Calls to one service. Use as ``async with``, or call ``aclose``; one event loop at a time.

    Args:
        endpoint: Where; its timeout is that of one try. The client closes it.
        retry: How often and when a failed try is made again.
        breaker: Of this service; other clients of it may share it.
        health: Path that the service answers with 200 when it is well (Tika: ``/version``). With it the
            breaker's probe is this request instead of a caller's, and a request over which the service
            breaks down is told from a service that is down. Empty: there is none.
        pace: In place of ``limits.rate``, when others use the service as well.
        explain: What an answer that is no success says, for messages.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        retry: RetryPolicy,
        breaker: CircuitBreaker,
        clock: Callable[[], float],
        sleep: Sleep,
        rng: Random,
        limits: CallLimits | None = None,
        health: str = "",
        pace: Pacing | None = None,
        explain: Callable[[Answer], str] = Answer.excerpt,
    ) -> None:
        self._endpoint, self._retry, self._breaker, self._health = endpoint, retry, breaker, health
        self._clock, self._rng, self._explain = clock, rng, explain
        self._limits = limits or CallLimits()
        self._entrance = Entrance(breaker, pace or Pace(clock, self._limits.rate), sleep)
        self._room: tuple[asyncio.AbstractEventLoop, Room] | None = None
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
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: Body = b"",
        *,
        name: str = "",
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
            AccessRefused: 401, 403.
            PermanentFailure: TLS, a file that can't be read, an answer beyond the endpoint's limit.
        """
        name = name or f"{method} {self._endpoint.url}{target.partition('?')[0]}"
        course = Course(name=name, deadline=self._limits.deadline, clock=self._clock)
        self._count(calls=1)
        try:
            return await self._pursue(course, lambda: self._send(method, target, headers or {}, body))
        except HarmfulRequest:
            self._count(harmful=1)
            raise
        except TransientFailure:
            self._count(given_up=1)
            raise

    async def _pursue(self, course: Course, send: Callable[[], Awaitable[Answer]]) -> Answer:
        """Try after try, each in its turn, with a place in the room that is given up between them."""
        room = self._place()
        while True:
            alone = bool(self._health) and course.breakdowns >= SUSPECT_AFTER
            async with room.alone() if alone else room.beside_others():
                course.start()
                outcome = await self._try(course, send, alone=alone)
            if isinstance(outcome, Answer):
                return outcome
            self._count(failures=1)
            delay = self._retry.delay(course.tries, self._rng, outcome.retry_after)
            if delay is None:
                raise course.gave_up(str(outcome), outcome.retry_after) from outcome
            await self._entrance.pause(course, delay, str(outcome))

    async def _try(
        self, course: Course, send: Callable[[], Awaitable[Answer]], *, alone: bool
    ) -> Answer | TransientFailure:
        """One try: the answer, or why there has to be another."""
        ticket = await self._entrance.admit(course)
        course.tries += 1
        if self._health and (ticket.probe or alone):
            unwell = await self._check(course, ticket)
            if unwell is not None:
                return unwell
            # A good check closes the circuit: behind it this request is one of many.
            ticket = await self._entrance.admit(course)
        self._count(tries=1)
        try:
            answer = await self._timely(course, ticket, send)
        except GaveUp:
            raise
        except TransientFailure as error:
            reached = not isinstance(error, Unreachable)
            return await self._failed(course, ticket, error, reached=reached, alone=alone)
        if answer.status in FAILING:
            failure = TransientFailure(self._said(course, answer), retry_after=answer.retry_after)
            return await self._failed(course, ticket, failure, reached=answer.status == 500, alone=alone)
        self._entrance.success(ticket)
        if answer.status in SLOW_DOWN:
            seconds, objected = answer.retry_after, answer.status == 429
            if seconds is None and objected:
                seconds = self._limits.silence or None
            await self._entrance.hold(ticket, seconds, objected=objected)
            return Throttled(self._said(course, answer), retry_after=seconds)
        self._entrance.served()
        if answer.status in NOT_US:
            raise AccessRefused(self._said(course, answer), status=answer.status)
        return answer

    def _said(self, course: Course, answer: Answer) -> str:
        return f"{course.name}: HTTP {answer.status}: {self._explain(answer)}"

    async def _failed(
        self, course: Course, ticket: Ticket, failure: TransientFailure, *, reached: bool, alone: bool
    ) -> TransientFailure:
        """Whose fault a failed try is: the service's, or, where that was well just before and had nothing
        else to do, the request's.

        Raises:
            HarmfulRequest: It was the request's often enough.
        """
        await self._entrance.hold(ticket, failure.retry_after)
        course.breakdowns += reached
        if not (alone and reached):
            self._entrance.failure(ticket, failure)
            return failure
        self._entrance.forget(ticket)
        course.breakdowns_alone += 1
        if course.breakdowns_alone < CONVICT_AFTER:
            return failure
        raise HarmfulRequest(
            f"{course.name}: the service broke down over this request {course.breakdowns} times, "
            f"{course.breakdowns_alone} of them well before and busy with nothing else: {failure}"
        ) from failure

    async def _check(self, course: Course, ticket: Ticket) -> TransientFailure | None:
        """Is the service well? ``None``: yes."""
        self._count(checks=1)
        try:
            answer = await self._timely(course, ticket, lambda: self._send("GET", self._health, {}, b""))
        except GaveUp:
            raise
        except TransientFailure as error:
            failure = error
        else:
            if answer.status == 200:
                self._entrance.success(ticket)
                return None
            said = f"GET {self._endpoint.url}{self._health}: HTTP {answer.status}: {answer.excerpt()}"
            failure = TransientFailure(said, retry_after=answer.retry_after)
        self._entrance.failure(ticket, failure)
        return failure

    async def _timely(self, course: Course, ticket: Ticket, send: Callable[[], Awaitable[Answer]]) -> Answer:
        """A request within the call's time. What says nothing about the service gives the ticket back.

        Raises:
            GaveUp: The call's time is over.
            TransientFailure: The endpoint's; the ticket is still out.
        """
        try:
            async with asyncio.timeout(course.left):
                return await send()
        except TimeoutError as error:
            self._entrance.forget(ticket)
            raise course.gave_up("no answer in its time") from error
        except TransientFailure:
            raise
        except BaseException:
            self._entrance.forget(ticket)
            raise

    async def _send(self, method: str, target: str, headers: Mapping[str, str], body: Body) -> Answer:
        if isinstance(body, bytes):
            return await self._endpoint.send(method, target, headers, body)
        try:
            file = await asyncio.to_thread(body.open, "rb")
        except OSError as error:
            raise PermanentFailure(f"{body}: {error.strerror}") from error
        with file:
            size = os.fstat(file.fileno()).st_size
            async with aclosing(_blocks(file)) as blocks:
                return await self._endpoint.send(method, target, headers, Upload(size=size, blocks=blocks))

    def _place(self) -> Room:
        loop = asyncio.get_running_loop()
        if self._room is None or self._room[0] is not loop:
            self._room = loop, Room(self._limits.at_once)
        return self._room[1]

    def _count(self, **more: int) -> None:
        counts = self._counts
        self._counts = replace(counts, **{name: getattr(counts, name) + n for name, n in more.items()})


async def _blocks(file: BufferedReader) -> AsyncGenerator[bytes]:
    while block := await asyncio.to_thread(file.read, BLOCK):
        yield block
