"""Who may send when: so many calls a second, so many at a time, and now and then one alone. Sends nothing.

A pace is one process's own, or shared with others over a budget that is kept elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol

from ingest_project.core.budgeting import SharedBudget, Turn

Pause = Callable[[float], Awaitable[None]]
Offload = Callable[[Callable[[], Any]], Awaitable[Any]]


class Pacing(Protocol):
    """Gives each request its moment and hears what the service thinks of it."""

    async def turn(self, pause: Pause) -> Turn:
        """Wait by ``pause`` until a request may go out."""
        ...

    def went_well(self) -> None:
        """A request was served."""
        ...

    async def hold(self, turn: Turn, seconds: float, *, objected: bool) -> None:
        """The service asks for so many seconds of silence.

        Args:
            turn: Of the request that it said so to.
            objected: It refused the request for the rate.
        """
        ...


class Pace:
    """Gives each call its moment.

    Args:
        rate: Calls a second; ``None``: as they come.
    """

    def __init__(self, clock: Callable[[], float], rate: float | None) -> None:
        if rate is not None and rate <= 0:
            raise ValueError(f"no call is ever made at {rate} calls a second")
        self._clock = clock
        self._gap = 0.0 if rate is None else 1.0 / rate
        self._ready = clock()

    def reserve(self) -> float:
        """Take the next moment; returns the seconds until then."""
        now = self._clock()
        moment = max(self._ready, now)
        self._ready = moment + self._gap
        return moment - now

    async def turn(self, pause: Pause) -> Turn:
        wait = self.reserve()
        await pause(wait)
        return Turn(moment=self._clock(), wait=wait)

    def went_well(self) -> None:
        """Nothing follows from it: the rate is fixed."""

    async def hold(self, turn: Turn, seconds: float, *, objected: bool) -> None:
        self._ready = max(self._ready, self._clock() + seconds)


class SharedPace:
    """A pace by a budget that other clients and processes use as well.

    Args:
        offload: Runs the budget's verbs, which block; ``asyncio.to_thread``.
    """

    def __init__(self, budget: SharedBudget, offload: Offload = asyncio.to_thread) -> None:
        self._budget, self._offload = budget, offload
        self._successes = 0

    async def turn(self, pause: Pause) -> Turn:
        while True:
            successes, self._successes = self._successes, 0
            turn: Turn = await self._offload(partial(self._budget.take, successes))
            await pause(turn.wait)
            if turn.wait <= 0 or await self._offload(partial(self._budget.stands, turn)):
                return turn

    def went_well(self) -> None:
        self._successes += 1

    async def hold(self, turn: Turn, seconds: float, *, objected: bool) -> None:
        if objected:
            # What went well before the objection is no reason to ask for more.
            self._successes = 0
            await self._offload(partial(self._budget.object, turn, seconds))
        elif seconds > 0:
            await self._offload(partial(self._budget.hold, seconds))


class Room:
    """Space for ``places`` calls at a time, or for one that must be alone. First come, first served."""

    def __init__(self, places: int) -> None:
        self._all = places
        self._places = asyncio.Semaphore(places)
        self._door = asyncio.Lock()

    @asynccontextmanager
    async def beside_others(self) -> AsyncIterator[None]:
        async with self._door:
            await self._places.acquire()
        try:
            yield
        finally:
            self._places.release()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Waits until everybody is out, and lets nobody in meanwhile."""
        taken = 0
        async with self._door:
            try:
                while taken < self._all:
                    await self._places.acquire()
                    taken += 1
                yield
            finally:
                for _ in range(taken):
                    self._places.release()
