"""Time that tests drive: a clock that moves only when told to, and an event loop that sleeps in no time.

Nothing here waits for real.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class FakeClock:
    """Seconds under the test's control; also the time of the event loop that ``run`` makes."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds

    async def sleep(self, seconds: float) -> None:
        """Sleeps inside ``run``: the loop jumps to the next deadline as soon as nothing else can go on."""
        await asyncio.sleep(seconds)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end in virtual time. Threads started by it see no time pass."""
        with asyncio.Runner(loop_factory=lambda: _VirtualLoop(self)) as runner:
            return runner.run(main)


async def inline(call: Callable[[], T]) -> T:
    """Runs a blocking call where it stands; the deterministic stand-in for ``asyncio.to_thread``."""
    return call()


class _JumpingSelector(selectors.DefaultSelector):
    """Where a real selector would wait, the clock jumps."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout if timeout is None else 0)
        if not ready and timeout:
            self._clock.advance(timeout)
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: FakeClock) -> None:
        super().__init__(_JumpingSelector(clock))
        self._virtual = clock

    def time(self) -> float:
        return self._virtual.now
