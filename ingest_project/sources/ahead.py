"""Work that runs beside the reader: blocks fetched ahead, a digest of what passes. A thread each."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Generator, Iterable, Iterator

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


class Digest:
    """SHA-256 of the blocks that pass, computed beside their use. At most DEPTH blocks wait."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._taken: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def over(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass the blocks on and take them into the digest."""
        for count, block in enumerate(blocks):
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            if count >= DEPTH:
                self._taken.get()
            self._waiting.put(block)
            yield block

    def close(self) -> str:
        """Hex digits of everything that passed."""
        self._waiting.put(None)
        if self._thread is not None:
            self._thread.join()
        return self._hash.hexdigest()

    def _run(self) -> None:
        while (block := self._waiting.get()) is not None:
            self._hash.update(block)
            self._taken.put(None)
