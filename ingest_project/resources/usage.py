"""What a load takes: processor seconds of this machine, seconds of requests to its target."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Batch, WriteReport
from ingest_project.core.ports import Clock, Sink


def cpu_seconds() -> float:
    """Processor time of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@dataclass(slots=True)
class Requests:
    """Seconds of requests, each counted: many are under way at once."""

    seconds: float = 0.0


_current: ContextVar[Requests | None] = ContextVar("requests", default=None)


@contextmanager
def requests_counted() -> Iterator[Requests]:
    """Counts the requests of timed sinks in this context and in tasks that are made in it."""
    counted = Requests()
    token = _current.set(counted)
    try:
        yield counted
    finally:
        _current.reset(token)


class TimedSink:
    """core.ports.Sink that tells how long its requests take."""

    def __init__(self, sink: Sink, clock: Clock = time.monotonic) -> None:
        self._sink, self._clock = sink, clock

    @property
    def limits(self) -> BatchLimits:
        return self._sink.limits

    async def identity(self) -> str:
        return await self._sink.identity()

    async def write(self, batch: Batch) -> WriteReport:
        started = self._clock()
        try:
            return await self._sink.write(batch)
        finally:
            counted = _current.get()
            if counted is not None:
                counted.seconds += self._clock() - started

    async def flush(self) -> None:
        await self._sink.flush()


class Meter:
    """Processor time of a call, from its making on."""

    def __init__(self, read: Callable[[], float] = cpu_seconds) -> None:
        self._read, self._first = read, read()

    @property
    def seconds(self) -> float:
        return self._read() - self._first
