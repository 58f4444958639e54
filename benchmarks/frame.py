"""The frame: named pieces of work, each in a process of its own, in turn in every round, held to one core.

Knows no claim and prints nothing. CPU time is that of the process, all its threads and the children it ended.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.connection import Connection
from typing import Any, Self

import psutil

from ingest_project.resources.process import peak_rss

ALL_CORES = frozenset(os.sched_getaffinity(0))
CLIENT_CORES = frozenset(sorted(ALL_CORES)[:1])
SERVICE_CORES = ALL_CORES - CLIENT_CORES or ALL_CORES
"""Clients have the first core for themselves, services the others; on a machine with one core they share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What one round of work did.

    Attributes:
        units: Items, documents, bytes: what the claim counts.
        peak: Resident bytes of the largest process at its peak; 0: that of the process which did the work.
        figures: What else the claim's columns show.
        series: What only its plot shows; JSON.
    """

    units: float
    peak: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    series: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One round of one row as it was measured. ``busy``: share of one core that the services took."""

    units: float
    wall: float
    cpu: float
    peak: int
    busy: float = 0.0
    figures: Mapping[str, float] = field(default_factory=dict)
    series: Any = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


Work = Callable[[], Done]
Maker = Callable[..., Work]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A named piece of work.

    Attributes:
        make: Called with ``given`` in the row's own process; what it does is not measured.
        ours: Not a peer.
        warm: Do the work once before the first round.
        turns: Of the work in one round, taken in turn with the other rows' and added up. For seconds
            at a time a core is up to 1.7 times slower, while other things run: that shall hit each row alike.
        cores: Where the process and its children run.
        needs: Modules without which the row is left out.
    """

    name: str
    make: Maker
    given: Mapping[str, Any] = field(default_factory=dict)
    ours: bool = False
    warm: bool = True
    turns: int = 1
    cores: frozenset[int] = CLIENT_CORES
    needs: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """Which of ``needs`` are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


class RowFailed(Exception):
    """A row's work raised; the message is its traceback."""


class Worker:
    """A row in its process. Use as a context manager."""

    def __init__(self, row: Row) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_attend, args=(theirs, row.cores, row.make, dict(row.given)))
        self._process.start()
        self._warm = row.warm
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join(30)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def get_ready(self) -> None:
        """Wait until the work is made, and done once where that is wanted. Raises RowFailed."""
        self._hear()
        if self._warm:
            self.round()

    def round(self) -> Sample:
        """Do the work once. Raises RowFailed."""
        self._pipe.send(True)
        sample = self._hear()
        assert isinstance(sample, Sample)
        return sample

    def _hear(self) -> object:
        try:
            heard = self._pipe.recv()
        except EOFError:
            raise RowFailed("the row's process died") from None
        if isinstance(heard, str):
            raise RowFailed(heard)
        return heard


def _attend(pipe: Connection, cores: frozenset[int], make: Maker, given: Mapping[str, Any]) -> None:
    """A row's process: makes the work, does it whenever it is asked to, ends with the pipe."""
    try:
        os.sched_setaffinity(0, cores)
        work = make(**given)
        pipe.send(None)
        while True:
            pipe.recv()
            pipe.send(_timed(work))
    except EOFError:
        return
    except BaseException:
        pipe.send(traceback.format_exc())


def _timed(work: Work) -> Sample:
    gc.collect()
    children, wall, cpu = _children(), time.perf_counter(), time.process_time()
    done = work()
    cpu, wall = time.process_time() - cpu + _children() - children, time.perf_counter() - wall
    return Sample(
        units=done.units,
        wall=wall,
        cpu=cpu,
        peak=done.peak or peak_rss(),
        figures=dict(done.figures),
        series=done.series,
    )


def _children() -> float:
    """CPU seconds of the children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(rows: Sequence[Row], rounds: int, services: Sequence[int] = ()) -> dict[str, list[Sample]]:
    """Every row in each round, in their order; name -> samples, one a round.

    Args:
        services: Processes whose CPU time is noted beside each sample.
    """
    watched = [psutil.Process(pid) for pid in services]
    found: dict[str, list[Sample]] = {row.name: [] for row in rows}
    with ExitStack() as stack:
        workers = {row.name: stack.enter_context(Worker(row)) for row in rows}
        for worker in workers.values():
            worker.get_ready()
        for _ in range(rounds):
            taken: dict[str, list[Sample]] = {row.name: [] for row in rows}
            for turn in range(max(row.turns for row in rows)):
                for row in rows:
                    if turn < row.turns:
                        taken[row.name].append(_turn(workers[row.name], watched))
            for name, turns in taken.items():
                found[name].append(_added(turns))
    return found


def _turn(worker: Worker, watched: Sequence[psutil.Process]) -> Sample:
    before = _used(watched)
    sample = worker.round()
    return replace(sample, busy=(_used(watched) - before) / sample.wall)


def _added(turns: Sequence[Sample]) -> Sample:
    wall = sum(one.wall for one in turns)
    return replace(
        turns[-1],
        units=sum(one.units for one in turns),
        wall=wall,
        cpu=sum(one.cpu for one in turns),
        peak=max(one.peak for one in turns),
        busy=sum(one.busy * one.wall for one in turns) / wall,
    )


def _used(processes: Sequence[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return sum(one.user + one.system for one in times)


@contextmanager
def held_to(cores: frozenset[int]) -> Iterator[None]:
    """What is started inside runs on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Service:
    """A server in a process of its own: prints ``{"url": ...}`` first, and ends with its standard input."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._process, self.pid = process, process.pid
        self.url: str = json.loads(process.stdout.readline())["url"]

    def end(self) -> str:
        """End it; what it printed beside its address."""
        said, _ = self._process.communicate()
        return said


@contextmanager
def service(module: str, *options: str, cores: frozenset[int] = SERVICE_CORES) -> Iterator[Service]:
    """``python -m module options``."""
    command = [sys.executable, "-m", module, *options]
    with held_to(cores):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield Service(process)
        if process.poll() is None:
            process.communicate()
