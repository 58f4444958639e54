"""Blocks fetched ahead of their reader, in a thread of their own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable

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
