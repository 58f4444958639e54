"""A mechanism, a small load that needs it, and the change that takes it away. Waits take no time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from ingest_project.core.errors import PermanentFailure
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import MemoryBudget
from ingest_project.core.loading import Loader, LoadResult, LoadSettings
from ingest_project.core.ports import ItemStream, Ledger, Sink
from ingest_project.core.retrying import RetryPolicy
from ingest_project.testing.doubles import FakeClock, InMemoryLedger, inline
from ingest_project.testing.samples import sample_chunk, sample_work

ATTEMPTS = 6
ENDLESS = 500
"""Waits after which a load is held to be without end."""

BEAT = 1e6
"""Seconds between two steps of the ledger: longer than any scenario."""

WORK = sample_work(sample_chunk())

Remove = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    """One thing that keeps loads whole.

    Attributes:
        name: What it does.
        scenario: Passes with it.
        remove: Switches it off in the code under test, and nothing else.
        breaks: What the scenario then ends with.
    """

    name: str
    scenario: Callable[[], None]
    remove: Remove
    breaks: type[BaseException] | tuple[type[BaseException], ...] = AssertionError


class Final(PermanentFailure):
    """Stands in for an error that was transient, where the mechanism is that it is."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)


@dataclass(slots=True)
class Waits:
    """The loader's sleep: moves the clock, takes no time, remembers what was asked."""

    clock: FakeClock
    asked: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        if seconds >= BEAT:
            await asyncio.Event().wait()
        self.asked.append(seconds)
        assert len(self.asked) < ENDLESS, "the load does not end"
        self.clock.advance(seconds)
        await asyncio.sleep(0)


@dataclass(slots=True)
class Desk:
    """Loads the one chunk; its ledger outlives a load that failed."""

    clock: FakeClock = field(default_factory=FakeClock)
    waits: Waits = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.waits = Waits(self.clock)
        self.ledger = InMemoryLedger(self.clock)

    async def load(self, sink: Sink, stream: ItemStream, *, window: int = 8) -> LoadResult:
        loader = Loader(
            sink=sink,
            ledger=self.ledger,
            retry=RetryPolicy(attempts=ATTEMPTS),
            budget=MemoryBudget(1 << 20),
            governor=RateGovernor(self.clock, most=window),
            clock=self.clock,
            sleep=self.waits,
            rng=Random(5),
            settings=LoadSettings(lease=9 * BEAT, step_seconds=BEAT),
            offload=inline,
        )
        return await loader.load(WORK, stream, "owner")


def replaced(target: Any, name: str, value: Any) -> Remove:
    """The removal that puts ``value`` in the place of an attribute."""
    return lambda patch: patch.setattr(target, name, value)
