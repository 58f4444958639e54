"""Plays whole loads over the doubles: builds a loader in virtual time, kills it, starts it again."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from ingest_project.core.delivering import Offload
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits, MemoryBudget
from ingest_project.core.loading import Loader, LoadResult, LoadSettings
from ingest_project.core.model import Work
from ingest_project.core.ports import ItemStream, Ledger, Progress, Sink
from ingest_project.core.pressure import MemoryWatch
from ingest_project.core.retrying import RetryPolicy
from ingest_project.testing.doubles_ledger import InMemoryLedger
from ingest_project.testing.doubles_mortal import MortalLedger
from ingest_project.testing.doubles_sink import InMemorySink
from ingest_project.testing.doubles_time import FakeClock, inline
from ingest_project.testing.faults import Answer, FaultScript, Killed, KillPoint, Life
from ingest_project.testing.samples import sample_chunk, sample_work

PATIENT = RetryPolicy(base=0.1, cap=1.0, attempts=1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What happens to one process: answers of the sink, and the ledger call at which it dies."""

    answers: tuple[Answer, ...] = ()
    dies_at: int | None = None
    dies_after: bool = False


@dataclass(slots=True, kw_only=True)
class Stage:
    """One target, its ledger and its time, for any number of processes one after another."""

    limits: BatchLimits = field(default_factory=lambda: BatchLimits(count=4, bytes=1000))
    latency: float = 0.02
    window: int = 8
    seed: int = 0
    clock: FakeClock = field(default_factory=FakeClock)
    settings: LoadSettings = field(
        default_factory=lambda: LoadSettings(lease=5.0, step_seconds=0.05, step_items=10)
    )
    table: dict[bytes, bytes] = field(default_factory=dict)
    ledger: InMemoryLedger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = InMemoryLedger(self.clock)

    def sink(self, script: FaultScript | None = None, life: Life | None = None) -> InMemorySink:
        return InMemorySink(
            limits=self.limits,
            script=script,
            latency=self.latency,
            life=life,
            rng=Random(self.seed),
            table=self.table,
            refuse=lambda body: "refused" if b"=no" in body else "",
        )

    def loader(
        self,
        sink: Sink,
        ledger: Ledger | None = None,
        *,
        retry: RetryPolicy = PATIENT,
        budget: MemoryBudget | None = None,
        offload: Offload = inline,
        memory: MemoryWatch | None = None,
    ) -> Loader:
        return Loader(
            sink=sink,
            ledger=ledger or self.ledger,
            retry=retry,
            budget=budget or MemoryBudget(1 << 20),
            governor=RateGovernor(self.clock, most=self.window),
            clock=self.clock,
            sleep=self.clock.sleep,
            rng=Random(self.seed),
            settings=self.settings,
            offload=offload,
            memory=memory,
        )

    def load(
        self,
        stream: ItemStream,
        *,
        sink: Sink | None = None,
        retry: RetryPolicy = PATIENT,
        work: Work | None = None,
        owner: str = "one",
        progress: Progress | None = None,
        ledger: Ledger | None = None,
    ) -> LoadResult:
        """One load by one process, in virtual time."""
        loader = self.loader(sink or self.sink(), ledger, retry=retry)
        return self.clock.run(loader.load(work or sample_work(sample_chunk()), stream, owner, progress))

    def attempt(self, stream: ItemStream, attempt: Attempt, owner: str) -> LoadResult | None:
        """One process that may die; ``None`` when it did. Its lease runs out before the next one starts."""
        life = Life()
        sink = self.sink(FaultScript(attempt.answers), life)
        ledger = MortalLedger(self.ledger, KillPoint(life, attempt.dies_at, attempt.dies_after))
        try:
            return self.load(stream, sink=sink, owner=owner, ledger=ledger)
        except Killed:
            self.clock.advance(self.settings.lease + 1)
            return None

    def play(self, stream: ItemStream, attempts: list[Attempt]) -> LoadResult:
        """All attempts until one comes to its end, and a last one that nothing disturbs."""
        for number, attempt in enumerate(attempts):
            result = self.attempt(stream, attempt, f"owner {number}")
            if result is not None:
                return result
        return self.load(stream, owner="last")
