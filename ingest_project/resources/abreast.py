"""Several chunks at once in one process: threads where the work blocks, tasks of one event loop where it
waits.

Outcomes come as chunks end; one that fails keeps no other from its turn. Knows no stage.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any

from ingest_project.core.errors import TransientFailure
from ingest_project.core.model import Chunk, Counts
from ingest_project.core.outcomes import ChunkOutcome
from ingest_project.core.ports import Progress

LISTEN_SECONDS = 0.1

ABREAST_BYTES = 16 * 2**20
"""Of parts that grow, or chunks that are delivered, beside each other in one process. Small files go five at
once; a chunk of a huge one keeps the target busy by itself, and each more would take 5 to 8 MB, measured."""

News = tuple[str, Chunk, int, Counts]


@dataclass(slots=True, kw_only=True)
class Room:
    """How much may be under way at once.

    Attributes:
        count: Attempts.
        weigh: Bytes that an attempt at this chunk counts for.
        bytes: Of attempts beside each other; one alone may count for more.
    """

    count: int
    weigh: Callable[[Chunk], int] = lambda _: 0
    bytes: int = 0


def room_for(stage: str, count: int, part_bytes: int) -> Room:
    """At most ``count`` attempts, fewer where chunks are large.

    A chunk that is validated counts for twice what it may have in its part (a compressed one may fill it): so
    much is held while the part is stored. A chunk that is delivered counts for all of it.
    """

    def weigh(chunk: Chunk) -> int:
        whole = chunk.range.end - chunk.range.start
        if stage != "validated":
            return whole
        return 2 * (part_bytes if chunk.compression else min(part_bytes, whole))

    return Room(count=count, weigh=weigh, bytes=ABREAST_BYTES)


class _Queue:
    """Chunks in their order, let in as there is room."""

    def __init__(self, chunks: Sequence[Chunk], room: Room) -> None:
        self._waiting, self._room = deque(chunks), room
        self._held: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting or self._held)

    def let_in(self) -> Iterator[Chunk]:
        """Those that may begin now."""
        while self._waiting and len(self._held) < self._room.count:
            weight = self._room.weigh(self._waiting[0])
            if self._held and sum(self._held.values()) + weight > self._room.bytes:
                return
            chunk = self._waiting.popleft()
            self._held[chunk.id] = weight
            yield chunk

    def ended(self, outcome: ChunkOutcome) -> ChunkOutcome:
        del self._held[outcome.chunk.id]
        return outcome


def in_threads(
    attempt: Callable[[Chunk, Progress], ChunkOutcome],
    chunks: Sequence[Chunk],
    room: Room,
    progress: Progress,
) -> Generator[ChunkOutcome, None, None]:
    """Attempts in threads, begun in the order of the chunks; ``progress`` is called in this one.

    When the caller stops early, attempts under way end at their next durable step, released.
    """
    news: SimpleQueue[News] = SimpleQueue()
    stopped, queue = Event(), _Queue(chunks, room)
    pending: set[Future[ChunkOutcome]] = set()

    def send(stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
        if stopped.is_set():
            raise TransientFailure("the load was stopped")
        news.put((stage, chunk, done, counts))

    with ThreadPoolExecutor(room.count, thread_name_prefix="chunk") as pool:
        try:
            while queue:
                pending |= {pool.submit(attempt, chunk, send) for chunk in queue.let_in()}
                done, pending = wait(pending, timeout=LISTEN_SECONDS, return_when=FIRST_COMPLETED)
                tell(news, progress)
                for task in done:
                    yield queue.ended(task.result())
        finally:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)


def in_tasks(
    runner: asyncio.Runner,
    attempt: Callable[[Chunk], Coroutine[Any, Any, ChunkOutcome]],
    chunks: Sequence[Chunk],
    room: Room,
) -> Generator[ChunkOutcome, None, None]:
    """Attempts as tasks of the runner's loop, begun in the order of the chunks.

    When the caller stops early, attempts under way are cancelled and come to their end, released.
    """
    queue = _Queue(chunks, room)
    pending: set[asyncio.Task[ChunkOutcome]] = set()
    try:
        while queue:
            loop = runner.get_loop()
            pending |= {loop.create_task(attempt(chunk)) for chunk in queue.let_in()}
            done, pending = runner.run(_first(pending))
            for task in done:
                yield queue.ended(task.result())
    finally:
        if pending:
            runner.run(_end(pending))


def tell(news: SimpleQueue[News], progress: Progress) -> None:
    """Pass on what has come."""
    try:
        while True:
            progress(*news.get_nowait())
    except Empty:
        return


Tasks = set[asyncio.Task[ChunkOutcome]]


async def _first(pending: Tasks) -> tuple[Tasks, Tasks]:
    return await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)


async def _end(pending: Tasks) -> None:
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
