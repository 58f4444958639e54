"""Runs asynchronous work from blocking code: the event loop in a thread of its own, blocking calls in the
caller's.

What the caller handed in (an iterable, a callback) is so used by the thread that made it, and a caller that
has an event loop of its own, as notebooks have, may wait for the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar

T = TypeVar("T")
LoopFactory = Callable[[], asyncio.AbstractEventLoop]
_Call = tuple["Future[Any]", Callable[[], Any]]


class CallerThread(Generic[T]):
    """One piece of work. ``offload`` is for use inside it: it runs a call in the thread that called ``run``.

    Args:
        loop_factory: As asyncio.Runner's.
    """

    def __init__(self, loop_factory: LoopFactory | None = None) -> None:
        self._factory = loop_factory
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[T] | None = None
        self._interrupted = False
        self._outcome: Future[T] = Future()

    def offload(self, call: Callable[[], Any]) -> Awaitable[Any]:
        done: Future[Any] = Future()
        self._calls.put((done, call))
        return asyncio.wrap_future(done)

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The work's result, or what it raised. An interrupt of the caller cancels it and waits for its
        end."""
        thread = Thread(target=self._attend, args=(work,), name="event-loop", daemon=True)
        thread.start()
        try:
            self._serve()
        except BaseException:
            self._cancel()
            self._serve()
            raise
        thread.join()
        return self._outcome.result()

    def _serve(self) -> None:
        """Make the calls that are asked for, until the work has ended."""
        while (wanted := self._calls.get()) is not None:
            done, call = wanted
            if not done.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except Exception as error:
                done.set_exception(error)
            except BaseException as error:
                done.set_exception(InterruptedError(f"the caller was interrupted: {type(error).__name__}"))
                raise
            else:
                done.set_result(result)

    def _cancel(self) -> None:
        self._interrupted = True
        loop, task = self._loop, self._task
        if loop is not None and task is not None and not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    def _attend(self, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
        """The loop's thread."""

        async def main() -> T:
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
            if self._interrupted:
                raise asyncio.CancelledError
            return await work()

        try:
            with asyncio.Runner(loop_factory=self._factory) as runner:
                self._outcome.set_result(runner.run(main()))
        except BaseException as error:
            self._outcome.set_exception(error)
        finally:
            self._calls.put(None)
