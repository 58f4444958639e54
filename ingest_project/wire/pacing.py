"""Who may send when: so many calls a second, so many at a time, and now and then one alone. Sends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


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

    def hold(self, seconds: float) -> None:
        """No moment is given within this time (the service asked for it)."""
        self._ready = max(self._ready, self._clock() + seconds)


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
