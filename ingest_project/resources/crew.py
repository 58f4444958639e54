"""Crew: runs chunks through a stage in this process, or over several worker processes, with the same
outcomes.

A worker that dies (killed, out of memory) leaves its chunks ``stopped``; a worker whose parent dies ends with
it.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from multiprocessing.queues import Queue
from queue import Empty
from types import TracebackType
from typing import Self

from ingest_project.core.model import Chunk, Counts
from ingest_project.core.outcomes import STOPPED, ChunkOutcome
from ingest_project.core.ports import Progress
from ingest_project.core.queueing import size_of, smaller_first
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.assembly import Assembly
from ingest_project.resources.engine import Engine, quiet
from ingest_project.resources.memory import hand_back
from ingest_project.resources.process import end_with_parent, spare_collector
from ingest_project.resources.standings import Standing

LISTEN_SECONDS = 0.25

News = tuple[str, Chunk, int, Counts] | str
"""A durable step, or a sentence about the worker's memory."""


class Crew:
    """Workers for one entity; use as a context manager. ``engine`` is this process's own.

    Args:
        tell: Told in sentences what memory presses to.

    Attributes:
        processes: Most workers that a run of this crew had; 0: this process did the work.
    """

    def __init__(self, assembly: Assembly, tell: Callable[[str], None] = lambda text: None) -> None:
        self._assembly, self._tell, self.processes = assembly, tell, 0
        self._stack = ExitStack()
        self.engine = self._stack.enter_context(assembly.engine())
        self.engine.memory.tell = tell

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def listen(self, tell: Callable[[str], None]) -> None:
        """Tell somebody else what memory presses to."""
        self._tell = self.engine.memory.tell = tell

    @property
    def ledger(self) -> SqlLedger:
        return self.engine.ledger

    def run(self, stage: str, chunks: Sequence[Chunk], progress: Progress = quiet) -> Iterator[ChunkOutcome]:
        """Take chunks through ``stage``, those of smaller files first; outcomes come as the chunks end."""
        hand_back()
        queue = smaller_first(chunks)
        workers = self._assembly.knobs.crew(len(queue), sum(map(size_of, queue)))
        if workers <= 1:
            return self.engine.run(stage, queue, progress)
        return self._spread(stage, queue, progress, workers)

    def _spread(
        self, stage: str, chunks: Sequence[Chunk], progress: Progress, workers: int
    ) -> Iterator[ChunkOutcome]:
        standings, self.processes = self.engine.standings, max(self.processes, workers)
        if stage != "validated":
            standings.prepare(chunks)
        context = multiprocessing.get_context("spawn")
        news: Queue[News] = context.Queue()
        start = (self._assembly, news, os.getpid())
        with (
            self.engine.running(stage, chunks) as run,
            ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=start) as pool,
        ):
            tasks = {pool.submit(_attempt, stage, chunk, standings.known(chunk)): chunk for chunk in chunks}
            pending = set(tasks)
            while pending:
                done, pending = wait(pending, timeout=LISTEN_SECONDS, return_when=FIRST_COMPLETED)
                _pass_on(news, progress, self._tell)
                self.engine.keep(run)
                for task in done:
                    outcome = _outcome(task, stage, tasks[task])
                    run.saw(outcome)
                    yield outcome


def _outcome(task: Future[ChunkOutcome], stage: str, chunk: Chunk) -> ChunkOutcome:
    try:
        return task.result()
    except BrokenProcessPool:
        return ChunkOutcome(
            chunk=chunk,
            stage=stage,
            state=STOPPED,
            counts=Counts(),
            fresh=Counts(),
            seconds=0.0,
            reason="a worker process died; what it made durable is in the ledger",
        )


def _pass_on(news: Queue[News], progress: Progress, tell: Callable[[str], None]) -> None:
    try:
        while True:
            one = news.get_nowait()
            if isinstance(one, str):
                tell(one)
            else:
                progress(*one)
    except Empty:
        return


class _Worker:
    """What a worker process keeps between tasks."""

    engine: Engine
    news: Queue[News]


def _start(assembly: Assembly, news: Queue[News], parent: int) -> None:
    end_with_parent(parent)
    _Worker.engine, _Worker.news = assembly.engine(), news
    _Worker.engine.memory.tell = news.put
    spare_collector()


def _attempt(stage: str, chunk: Chunk, standing: Standing | None) -> ChunkOutcome:
    if standing is not None:
        _Worker.engine.standings.adopt(chunk, standing)
    return _Worker.engine.attempt(stage, chunk, _send)


def _send(stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
    _Worker.news.put((stage, chunk, done, counts))
