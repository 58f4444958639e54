"""Transfers: blocking calls to stores in threads of their own, made again while a store does not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any, Self, TypeVar

from ingest_project.core.errors import TransientFailure
from ingest_project.core.ports import Clock
from ingest_project.core.retrying import RetryPolicy

T = TypeVar("T")

GENTLE = RetryPolicy(attempts=3)
"""A store's client tries no request again by itself; what fails so often waits for the next run."""


class Transfers:
    """Makes calls for stages. Use as ``async with``, or call ``aclose``; one event loop at a time.

    Args:
        at_once: Calls under way, and threads; the store's client should have as many connections.
        retry: How often and when a failed call is made again.
        clock: Monotonic seconds, for stages that tell what a document took.
    """

    def __init__(
        self,
        *,
        at_once: int = 10,
        retry: RetryPolicy = GENTLE,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: Random | None = None,
    ) -> None:
        self._at_once, self._retry, self._sleep, self._rng = at_once, retry, sleep, rng or Random()
        self._threads: ThreadPoolExecutor | None = None
        self.clock = clock

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Wait for what is under way; a later call starts new threads."""
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown, cancel_futures=True)

    async def make(self, call: Callable[[], T]) -> T:
        """One call, which must be safe to repeat.

        Raises:
            TransientFailure: The last one, when tries are used up.
        """
        attempt = 0
        while True:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._at_once, thread_name_prefix="transfer")
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, call)
            except TransientFailure as failure:
                attempt += 1
                delay = self._retry.delay(attempt, self._rng, failure.retry_after)
                if delay is None:
                    raise
            await self._sleep(delay)


async def together(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All of them at once; their results in order. When one raises, the others are ended before it is raised:
    nothing of a stage that stops goes on behind it."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
