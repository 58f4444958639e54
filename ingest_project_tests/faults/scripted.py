"""One load through the Loader against a fault server whose script is drawn from a seed, and what must hold.

Time is virtual: server, sink and loader share one event loop that jumps where it would wait.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import pytest

from ingest_project.core.errors import IngestError, TransientFailure
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits, MemoryBudget
from ingest_project.core.loading import Loader, LoadResult
from ingest_project.core.model import Counts, Work
from ingest_project.core.ports import Sink
from ingest_project.core.retrying import RetryPolicy
from ingest_project.sinks.signing import Keys, StaticCredentials
from ingest_project.testing import fault_scripts as faults
from ingest_project.testing.doubles import FakeClock, InMemoryLedger, inline
from ingest_project.testing.doubles_stream import ListStream
from ingest_project.testing.fault_quotas import WriteQuota
from ingest_project.testing.fault_scripts import Fault, Script
from ingest_project.testing.fault_server import FaultServer
from ingest_project.testing.samples import key_hash, sample_chunk, sample_work

SECRET = "secret"
BUSY = "es_rejected_execution_exception"

SURVIVABLE: list[Fault] = [
    faults.reset(after=False),
    faults.reset(after=True),
    faults.cut(),
    faults.damaged(),
    faults.wrong(),
    faults.stalled(),
    faults.slow(2.5),
    faults.error("InternalServerError", status=500),
    faults.error("InternalServerError", status=500, after=True),
    faults.error("ServiceUnavailable", status=503, retry_after="2"),
    Fault(kind=faults.ERROR, status=503, retry_date=3.0),
    faults.page(502),
    faults.page(503, b""),
    faults.page(200),
    faults.error("too_many_requests", status=429, retry_after="1"),
    Fault(kind=faults.ERROR, name="too_many_requests", status=429, retry_date=2.0),
    faults.too_large(700),
]
"""What every load must survive, whatever the target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """A fault that lasts and behind which no load goes on, and what the load has to end with."""

    fault: Fault
    ends_with: type[IngestError]


OUTAGES = [
    Terminal(fault=fault, ends_with=TransientFailure)
    for fault in (faults.error("", status=503), faults.reset(after=True), faults.stalled(), faults.cut())
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of the source.

    Attributes:
        value: What the target keeps of it; no two records have the same.
        body: What is sent.
        rank: Of two records of one key the one with the higher rank stands in the end.
        good: The target takes it.
    """

    key: str
    value: object
    body: bytes
    rank: int
    good: bool = True


class Kind(Protocol):
    """A kind of target: how its records look, what may go wrong with it, and how it is read back.

    Attributes:
        versioned: The target knows which of two records is newer: they may come in any order.
    """

    versioned: bool
    survivable: list[Fault]
    terminal: list[Terminal]

    def records(self, dice: Random) -> list[Record]: ...

    def server(self, script: Script, quota: WriteQuota | None) -> FaultServer: ...

    def sink(self, url: str, limits: BatchLimits, keys: Rotating) -> AbstractAsyncContextManager[Sink]: ...

    def stored(self, server: FaultServer) -> dict[str, object]:
        """Key -> value, read from the server's memory and not through the code under test."""
        ...


class Rotating:
    """Credentials of which there are always newer ones."""

    def __init__(self, *, renewable: bool) -> None:
        self._tokens = itertools.count() if renewable else itertools.repeat(0)

    def get_frozen_credentials(self) -> Keys:
        return StaticCredentials(access_key="access", secret_key=SECRET, token=f"token-{next(self._tokens)}")


@dataclass(slots=True)
class Trouble:
    """The script of a case; it can be ended."""

    script: Script
    over: bool = False

    def __call__(self, number: int) -> Fault | None:
        return None if self.over else self.script(number)


@dataclass(slots=True)
class Case:
    """Everything that a seed decides."""

    kind: Kind
    seed: int
    clock: FakeClock = field(default_factory=FakeClock)
    dice: Random = field(init=False)
    records: list[Record] = field(init=False)
    limits: BatchLimits = field(init=False)
    terminal: Terminal | None = field(init=False, default=None)
    trouble: Trouble = field(init=False)
    quota: WriteQuota | None = field(init=False, default=None)
    ledger: InMemoryLedger = field(init=False)

    def __post_init__(self) -> None:
        self.dice = dice = Random(self.seed)
        self.ledger = InMemoryLedger(self.clock)
        self.records = self.kind.records(dice)
        self.limits = BatchLimits(count=dice.randint(4, 25), bytes=dice.choice((1500, 1 << 20)), overhead=17)
        chosen = dice.sample(self.kind.survivable, dice.randint(1, 6))
        ends = dice.random() < 0.2
        script = faults.at_random(self.seed, chosen, dice.uniform(0.05, 0.3 if ends else 0.6))
        if ends:
            self.terminal = dice.choice(self.kind.terminal)
            first = dice.randrange(max(1, len(self.records) // self.limits.count))
            script = faults.layered(faults.between(first, None, self.terminal.fault), script)
        elif dice.random() < 0.2:
            self.quota = WriteQuota(dice.uniform(2, 40), burst=dice.uniform(5, 30), clock=self.clock)
        self.trouble = Trouble(script)

    def run(self) -> None:
        """Load it and look; raises AssertionError."""
        self.clock.run(self._run())

    async def _run(self) -> None:
        server = self.kind.server(self.trouble, self.quota)
        async with server:
            # Keys that expire end a load only when there are no newer ones.
            ends = self.terminal is not None and self.terminal.fault.kind == faults.EXPIRED
            keys = Rotating(renewable=not ends)
            async with self.kind.sink(server.url, self.limits, keys) as sink:
                if self.terminal is None:
                    result = await self._load(sink)
                else:
                    await self._ends_with(sink, self.terminal.ends_with)
                    self._what_is_counted_is_there(server)
                    self.trouble.over = True
                    for left in (server.standing.gone, server.standing.blocked, server.standing.expired):
                        left.clear()
            if self.terminal is not None:
                async with self.kind.sink(server.url, self.limits, keys) as sink:
                    result = await self._load(sink)
        self._all_is_there(server, result)

    async def _load(self, sink: Sink) -> LoadResult:
        dice = self.dice
        loader = Loader(
            sink=sink,
            ledger=self.ledger,
            # A load must end in an outage, and survive whatever comes and goes.
            retry=RetryPolicy(attempts=60 if self.terminal is None else 12),
            budget=MemoryBudget(1 << 20),
            governor=RateGovernor(self.clock, most=dice.randint(2, 16)),
            clock=self.clock,
            sleep=self.clock.sleep,
            rng=dice,
            offload=inline,
        )
        stream = ListStream(
            [record.body for record in self.records],
            hashes=() if self.kind.versioned else [key_hash(record.key) for record in self.records],
            size=dice.randint(3, 40),
            early=dice.randint(0, 9),
        )
        return await loader.load(self._work(), stream, "owner")

    def _work(self) -> Work:
        return sample_work(sample_chunk(records=len(self.records)))

    async def _ends_with(self, sink: Sink, expected: type[IngestError]) -> None:
        with pytest.raises(expected):
            await self._load(sink)

    def _what_is_counted_is_there(self, server: FaultServer) -> None:
        """Behind an end: the account adds up, and all that it covers is in the target."""
        (status,) = self.ledger.status()
        durable = self.ledger.position(self._work().chunk, "table").ordinal
        assert (durable, True) == (status.counts.sent, status.counts.balanced)
        assert sum(not one.good for one in self.records[:durable]) == status.counts.rejected
        ranks = {repr(one.value): one.rank for one in self.records if one.good}
        stored = self.kind.stored(server)
        assert {repr(value) for value in stored.values()} <= ranks.keys()
        for key, winner in winners(self.records[:durable]).items():
            # A record of a higher rank may have been written beyond the account.
            assert winner.rank <= ranks[repr(stored[key])]

    def _all_is_there(self, server: FaultServer, result: LoadResult) -> None:
        bad = [place for place, record in enumerate(self.records) if not record.good]
        counts: Counts = result.counts
        assert result.sealed
        assert (len(self.records), len(bad), True) == (counts.sent, counts.rejected, counts.balanced)
        letters = self.ledger.rejections(self._work().chunk, "table")
        assert bad == [letter.ordinal for letter in letters]
        assert [self.records[place].body for place in bad] == [letter.raw for letter in letters]
        expected = {key: winner.value for key, winner in winners(self.records).items()}
        assert expected == self.kind.stored(server)


def winners(records: Sequence[Record]) -> dict[str, Record]:
    """For each key the record that must stand in the end."""
    return {one.key: one for one in sorted(records, key=lambda one: one.rank) if one.good}


def run_seeds(kind: Callable[[], Kind], seeds: range) -> None:
    """Many cases; a failure names its seed."""
    for seed in seeds:
        try:
            Case(kind(), seed).run()
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
