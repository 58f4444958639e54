"""Places: so many chunks are worked on at once on this host, whichever runs and processes work on them.

A place is a locked file below INGEST_HOME: the kernel gives it back when its process ends, however it ends.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

LOOK_SECONDS = 0.1


class Places:
    """Places 0 to ``count - 1`` of a folder; None as a folder: there is always one.

    Who finds none looks again ten times a second; within one run chunks wait in the run's own order.
    """

    def __init__(self, folder: Path | None, count: int, look: float = LOOK_SECONDS) -> None:
        self._folder, self._count, self._look = folder, count, look

    @contextmanager
    def one(self, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
        """A place, as soon as there is one."""
        while (taken := self._take()) is None:
            sleep(self._look)
        try:
            yield
        finally:
            self._give(taken)

    @asynccontextmanager
    async def one_of_a_loop(self) -> AsyncIterator[None]:
        """The same for a task of an event loop."""
        while (taken := self._take()) is None:
            await asyncio.sleep(self._look)
        try:
            yield
        finally:
            self._give(taken)

    def _take(self) -> int | None:
        """A descriptor that holds a place, -1 where none is needed; None when all are taken."""
        if self._folder is None:
            return -1
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in range(self._count):
            place = os.open(self._folder / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(place)
            else:
                return place
        return None

    def _give(self, place: int) -> None:
        if place >= 0:
            os.close(place)
