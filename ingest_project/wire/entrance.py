"""Who may call a service when: at its pace, while its circuit is closed, and as long as the call has time.

Waits, but sends nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from ingest_project.core.breaking import HALF_OPEN, CircuitBreaker
from ingest_project.core.budgeting import Turn
from ingest_project.core.errors import CircuitOpen, TransientFailure
from ingest_project.wire.pacing import Pacing

Sleep = Callable[[float], Awaitable[None]]


class GaveUp(TransientFailure):
    """The call's tries or time are used up."""


class Ticket(NamedTuple):
    """Admission of one request; is given back with its outcome.

    Attributes:
        era: The breaker's.
        probe: The service was failing; this request shows whether it still is.
        turn: The pace's.
    """

    era: int
    probe: bool
    turn: Turn


@dataclass(slots=True, kw_only=True)
class Course:
    """One call on its way, over all its tries.

    Attributes:
        name: Method and address, for messages.
        deadline: Seconds from its first turn on.
        breakdowns: Tries that reached the service and broke down.
        breakdowns_alone: Those with nothing else at work.
    """

    name: str
    deadline: float
    clock: Callable[[], float]
    started: float | None = None
    tries: int = 0
    breakdowns: int = 0
    breakdowns_alone: int = 0

    def start(self) -> None:
        """Time runs from now on, unless it does already."""
        if self.started is None:
            self.started = self.clock()

    @property
    def left(self) -> float:
        """Seconds that the call may still take."""
        now = self.clock()
        return self.deadline - (now - (now if self.started is None else self.started))

    def gave_up(self, why: str, retry_after: float | None = None) -> GaveUp:
        """The error for a call whose tries or time are used up."""
        return GaveUp(
            f"{self.name}: gave up after {self.tries} tries and {self.deadline - self.left:.0f} s: {why}",
            retry_after=retry_after,
        )


class Entrance:
    """Admits requests one by one and hears their outcomes."""

    def __init__(self, breaker: CircuitBreaker, pace: Pacing, sleep: Sleep) -> None:
        self._breaker, self._pace, self._sleep = breaker, pace, sleep
        self._waiting: list[asyncio.Future[None]] = []

    async def admit(self, course: Course) -> Ticket:
        """Wait for a turn.

        Raises:
            CircuitOpen: The service is left alone for longer than the call may take.
            GaveUp: Its pace leaves the call no time.
        """
        while True:
            if not self._breaker.ready:
                await self._until_ready(course)
                continue
            turn = await self._pace.turn(lambda seconds: self.pause(course, seconds, "no turn in its time"))
            probe = self._breaker.state == HALF_OPEN
            era = self._breaker.admit()
            if era is not None:
                return Ticket(era, probe, turn)

    async def pause(self, course: Course, seconds: float, why: str) -> None:
        """Sleep, when the call has the time for it. Raises GaveUp."""
        if seconds >= course.left:
            raise course.gave_up(why, seconds)
        if seconds > 0:
            await self._sleep(seconds)

    def success(self, ticket: Ticket) -> None:
        """The service answered."""
        self._breaker.success(ticket.era)
        self._wake()

    def failure(self, ticket: Ticket, failure: TransientFailure) -> None:
        """The service did not do its work."""
        self._breaker.failure(ticket.era, str(failure), retry_after=failure.retry_after)
        self._wake()

    def forget(self, ticket: Ticket) -> None:
        """The request says nothing about the service."""
        self._breaker.forget(ticket.era)
        self._wake()

    def served(self) -> None:
        """The service did what it was asked for: it takes this rate."""
        self._pace.went_well()

    async def hold(self, ticket: Ticket, seconds: float | None, *, objected: bool = False) -> None:
        """What the service asks of one caller it asks of all."""
        if seconds or objected:
            await self._pace.hold(ticket.turn, seconds or 0.0, objected=objected)

    async def _until_ready(self, course: Course) -> None:
        wait = self._breaker.wait()
        if wait >= course.left:
            status = self._breaker.status
            raise CircuitOpen(
                f"{course.name}: left alone for {wait:.0f} s more after {status.failures} failures in a row, "
                f"the last: {status.reason}",
                retry_after=wait,
            )
        if wait > 0:
            await self._sleep(wait)
            return
        end_of_probe = asyncio.get_running_loop().create_future()
        self._waiting.append(end_of_probe)
        await end_of_probe

    def _wake(self) -> None:
        """The breaker may have changed: whoever waits for a probe's end looks again."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
