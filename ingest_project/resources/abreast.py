"""Several chunks at once in one process: threads where the work blocks, tasks of one event loop where it
waits.

Outcomes come as chunks end; one that fails keeps no other from its turn. Knows no stage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any

from ingest_project.core.errors import TransientFailure
from ingest_project.core.model import Chunk, Counts
from ingest_project.core.outcomes import ChunkOutcome
from ingest_project.core.ports import Progress

LISTEN_SECONDS = 0.1

News = tuple[str, Chunk, int, Counts]


def in_threads(
    attempt: Callable[[Chunk, Progress], ChunkOutcome],
    chunks: Sequence[Chunk],
    count: int,
    progress: Progress,
) -> Generator[ChunkOutcome, None, None]:
    """Attempts in ``count`` threads, begun in the order of the chunks; ``progress`` is called in this one.

    When the caller stops early, attempts under way end at their next durable step, released.
    """
    news: SimpleQueue[News] = SimpleQueue()
    stopped = Event()

    def send(stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
        if stopped.is_set():
            raise TransientFailure("the load was stopped")
        news.put((stage, chunk, done, counts))

    with ThreadPoolExecutor(count, thread_name_prefix="chunk") as pool:
        pending = {pool.submit(attempt, chunk, send) for chunk in chunks}
        try:
            while pending:
                done, pending = wait(pending, timeout=LISTEN_SECONDS, return_when=FIRST_COMPLETED)
                tell(news, progress)
                for task in done:
                    yield task.result()
        finally:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)


def in_tasks(
    runner: asyncio.Runner,
    attempt: Callable[[Chunk], Coroutine[Any, Any, ChunkOutcome]],
    chunks: Sequence[Chunk],
    count: int,
) -> Generator[ChunkOutcome, None, None]:
    """Attempts as at most ``count`` tasks of the runner's loop, begun in the order of the chunks.

    When the caller stops early, attempts under way are cancelled and come to their end, released.
    """
    queue = iter(chunks)
    pending: set[asyncio.Task[ChunkOutcome]] = set()
    try:
        while True:
            loop = runner.get_loop()
            pending |= {loop.create_task(attempt(chunk)) for chunk in islice(queue, count - len(pending))}
            if not pending:
                return
            done, pending = runner.run(_first(pending))
            for task in done:
                yield task.result()
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
