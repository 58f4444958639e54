"""Floor: the room that batches of several visits share: how many at once, and their bytes. First come, first
in; and what part of the clock's time is whose. Knows no ledger and no stage."""

from __future__ import annotations

import asyncio
from collections import deque

from ingest_project.core.limits import MemoryBudget
from ingest_project.core.ports import Clock


class Floor:
    """Lets batches in, for one event loop.

    At most ``at_once`` are inside, of at most the budget's bytes together; one that is heavier goes in alone.
    Who waits is let in before those who came later, however light they are.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, at_once: int, budget: MemoryBudget, clock: Clock) -> None:
        self._at_once, self._budget, self._clock = at_once, budget, clock
        self._inside = self._visits = 0
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._shared, self._seen = 0.0, clock()

    async def enter(self, weight: int) -> None:
        """Wait for room; who was let in leaves."""
        if not self._queue and self._take(weight):
            return
        place = asyncio.get_running_loop().create_future()
        self._queue.append((weight, place))
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():
                # Let in, and called off before it knew.
                self.leave(weight)
            self._admit()
            raise

    def leave(self, weight: int) -> None:
        """Make room for the next."""
        self._inside -= 1
        self._budget.give(weight)
        self._admit()

    def begin(self) -> float:
        """A visit begins; what ``spent`` is asked with."""
        self._turn()
        self._visits += 1
        return self._shared

    def spent(self, begun: float) -> float:
        """Seconds of a visit so far, where one in which n visits were under way counts as an n-th: all visits
        together spend what they took by the clock."""
        self._turn()
        return self._shared - begun

    def end(self) -> None:
        """A visit has ended."""
        self._turn()
        self._visits -= 1

    def _turn(self) -> None:
        now = self._clock()
        if self._visits:
            self._shared += (now - self._seen) / self._visits
        self._seen = now

    def _take(self, weight: int) -> bool:
        if self._inside >= self._at_once or not self._budget.take(weight, alone=not self._inside):
            return False
        self._inside += 1
        return True

    def _admit(self) -> None:
        while self._queue:
            weight, place = self._queue[0]
            if not place.cancelled():
                if not self._take(weight):
                    return
                place.set_result(None)
            self._queue.popleft()
