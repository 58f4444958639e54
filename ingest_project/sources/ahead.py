"""Blocks made ready ahead of their reader, in threads: one after the other, or several at a time."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

DEPTH = 4
"""Blocks that wait at most; memory is (depth + 2) blocks."""


def ahead(blocks: Iterable[bytes], depth: int = DEPTH) -> Generator[bytes, None, None]:
    """The same blocks, produced in a thread of their own; what that raises is raised here in its place."""
    waiting: queue.Queue[bytes | BaseException | None] = queue.Queue(depth)
    stopped = threading.Event()
    thread = threading.Thread(target=_produce, args=(blocks, waiting, stopped), daemon=True)
    thread.start()
    try:
        while (block := waiting.get()) is not None:
            if isinstance(block, BaseException):
                raise block
            yield block
    finally:
        stopped.set()
        while thread.is_alive():
            _drain(waiting)
            thread.join(0.01)


def _produce(
    blocks: Iterable[bytes], waiting: queue.Queue[bytes | BaseException | None], stopped: threading.Event
) -> None:
    try:
        for block in blocks:
            if stopped.is_set():
                return
            waiting.put(block)
        waiting.put(None)
    except BaseException as error:
        waiting.put(error)


def _drain(waiting: queue.Queue[bytes | BaseException | None]) -> None:
    try:
        while True:
            waiting.get_nowait()
    except queue.Empty:
        pass


def in_order(fetches: Iterable[Callable[[], bytes]], most: int) -> Generator[bytes, None, None]:
    """What the calls return, in their order; what one raises is raised in its place.

    Args:
        most: Calls that are under way or wait to be taken; memory is what ``most`` + 1 of them return.
    """
    coming = iter(fetches)
    with ThreadPoolExecutor(most, thread_name_prefix="fetch") as threads:
        begun = deque(threads.submit(fetch) for fetch in islice(coming, most))
        try:
            while begun:
                block = begun.popleft().result()
                begun.extend(threads.submit(fetch) for fetch in islice(coming, 1))
                yield block
        finally:
            for fetch in begun:
                fetch.cancel()
