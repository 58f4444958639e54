"""Text by an engine in processes of its own: a file that crashes it, hangs it or swells takes nothing else
along.

Decides what a worker's end means. The kernel keeps the limits, set in extract_worker.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Self

from ingest_project.core.errors import ConfigurationError, TransientFailure
from ingest_project.core.extracting import DIED, MEDIA, TOO_HUNGRY, TOO_SLOW, Unreadable, tidied
from ingest_project.sources.extract_process import Ended, ExtractProcess
from ingest_project.sources.scratch import scratch_folder

_OUT_OF_TIME = {-signal.SIGXCPU: "CPU time", -signal.SIGALRM: "time by the clock"}
_OUT_OF_MEMORY = "memory allocation of", "MemoryError", "bad_alloc", "out of memory"
_FROM_OUTSIDE = frozenset({-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP})
"""Deaths that say nothing of the file: somebody, or the kernel for want of memory, ended the worker."""

_TRIES = 2
"""Workers that one file may take along before it is blamed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What extracts.

    Attributes:
        name: As in fingerprints.
        version: The same.
        opened_by: ``package.module:function``, called in the worker without arguments; gives an
            extract_worker.Engine.
    """

    name: str
    version: str
    opened_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """What one file may take, and what a worker may.

    Attributes:
        memory: Bytes of data of a worker (RLIMIT_DATA), the engine's own included: some 30 MiB, and
            kreuzberg reads a file whole. A worker that is well but holds more than half of it between two
            files is replaced.
        cpu: Seconds of CPU a file.
        wall: Seconds by the clock a file; only against what hangs, so it leaves room for a busy machine.
        text: Bytes of text in UTF-8.
        documents: After so many a worker is replaced.
    """

    memory: int = 1 << 30
    cpu: int = 120
    wall: float = 900.0
    text: int = 128 << 20
    documents: int = 1000

    def __post_init__(self) -> None:
        if min(self.memory, self.cpu, self.wall, self.text, self.documents) <= 0:
            raise ConfigurationError(f"no file can be read within {self}")


class ExtractWorkers:
    """An Extractor over processes, which are started as files come. Use as ``async with`` or call ``aclose``;
    a file that comes later starts new ones.

    Memory: ``workers * limits.memory`` in them, three times ``workers * limits.text`` here, at the worst.

    Args:
        workers: Processes, and files under way at a time; others wait.

    Attributes:
        started: Processes so far.
        died: Those of them that a file, or somebody, ended.
    """

    def __init__(self, engine: Engine, *, workers: int, limits: WorkerLimits | None = None) -> None:
        if workers < 1:
            raise ConfigurationError(f"{engine.name}: {workers} workers extract nothing")
        self._engine, self._workers, self._limits = engine, workers, limits or WorkerLimits()
        self._threads: ThreadPoolExecutor | None = None
        self._stack = ExitStack()
        self._folder: Path | None = None
        self._lock = Lock()
        self._idle: list[ExtractProcess] = []
        self._all: set[ExtractProcess] = set()
        self._closing = False
        self.started = self.died = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def version(self) -> str:
        return self._engine.version

    @property
    def pids(self) -> frozenset[int]:
        """Of the workers there are now."""
        with self._lock:
            return frozenset(worker.pid for worker in self._all)

    async def text(self, file: Path, kind: str) -> str:
        """As core.extracting.Extractor.

        Raises:
            ConfigurationError: The engine cannot be opened.
        """
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._workers, thread_name_prefix=f"extract-{self.name}")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._pursue, file, MEDIA[kind])

    async def aclose(self) -> None:
        """End all workers, those at work too: who waits for them gets a TransientFailure."""
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(self._end, threads)

    def _end(self, threads: ThreadPoolExecutor) -> None:
        with self._lock:
            self._closing = True
            for worker in self._all:
                worker.kill()
        threads.shutdown(wait=True, cancel_futures=True)
        self._drop(list(self._all))
        self._stack.close()
        self._folder, self._closing = None, False

    def _pursue(self, file: Path, media: str) -> str:
        """The file's text; by another worker when the first is gone."""
        tries = 0
        while True:
            tries += 1
            worker = self._take()
            try:
                answer, text = worker.ask(file, media)
            except Ended:
                self._judge(worker, file, last=tries == _TRIES)
                continue
            self._give_back(worker, answer["rss"])
            if "cause" in answer:
                raise Unreadable(answer["cause"], answer["detail"])
            return tidied(text.decode())

    def _take(self) -> ExtractProcess:
        with self._lock:
            if self._closing:
                raise TransientFailure(f"{self.name}: the workers are being ended")
            if self._idle:
                return self._idle.pop()
            if self._folder is None:
                self._folder = self._stack.enter_context(scratch_folder("extract"))
            limits = self._limits
            settings = {
                "engine": self._engine.opened_by,
                "memory": limits.memory,
                "cpu": limits.cpu,
                "wall": limits.wall,
                "most": limits.text,
            }
            worker = ExtractProcess(settings, self._folder)
            self._all.add(worker)
            self.started += 1
            return worker

    def _give_back(self, worker: ExtractProcess, held: int) -> None:
        if worker.documents >= self._limits.documents or held > self._limits.memory // 2:
            self._drop([worker])
            return
        with self._lock:
            self._idle.append(worker)

    def _drop(self, workers: Iterable[ExtractProcess]) -> None:
        for worker in workers:
            worker.close()
            with self._lock:
                self._all.discard(worker)
                if worker in self._idle:
                    self._idle.remove(worker)

    def _judge(self, worker: ExtractProcess, file: Path, *, last: bool) -> None:
        """What its death means; returns when the file deserves another worker."""
        code, said = worker.ended()
        self._drop([worker])
        if self._closing:
            raise TransientFailure(f"{self.name}: the workers were ended over {file.name}")
        self.died += 1
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        told = f"{self.name} ended by {how} over {file.name}" + (f": {said}" if said else "")
        if not worker.ready and code > 0:
            raise ConfigurationError(f"{self.name} cannot be opened: {said[-300:]}")
        if code in _OUT_OF_TIME:
            raise Unreadable(TOO_SLOW, f"{self.name} took all of its {_OUT_OF_TIME[code]} over {file.name}")
        if any(words in said for words in _OUT_OF_MEMORY):
            raise Unreadable(TOO_HUNGRY, told)
        if not last:
            return
        if code in _FROM_OUTSIDE:
            raise TransientFailure(told)
        raise Unreadable(DIED, told)
