"""A ledger of ten documents and runs of stages over it, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from ingest_project.core.document_ledger import Standing
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.staging import StageReport
from ingest_project.resources.documents.floor import Floor
from ingest_project.resources.documents.hands import RunnerSettings
from ingest_project.resources.documents.runner import StageRunner, never
from ingest_project.testing.doubles_documents import DocumentMemory, InMemoryDocumentLedger
from ingest_project.testing.doubles_stages import StageDouble
from ingest_project.testing.doubles_time import FakeClock, inline
from ingest_project.testing.faults import KillPoint
from ingest_project.testing.laws_documents import BUCKET, listed

SETTINGS = RunnerSettings(at_once=3, bytes=100, page=4, lease=60.0, patience=3)
IDS = [f"{number:02d}" for number in range(10)]


class Play:
    """A ledger with ten documents, and runs of stages over it."""

    def __init__(self, ids: Sequence[str] = IDS) -> None:
        self.clock, self.memory, self.runs = FakeClock(), DocumentMemory(), 0
        self.ledger().enroll([listed(id) for id in ids])

    def ledger(self, kill: KillPoint | None = None) -> InMemoryDocumentLedger:
        return InMemoryDocumentLedger(self.clock, memory=self.memory, kill=kill)

    def run(
        self,
        stage: StageDouble,
        *,
        kill: KillPoint | None = None,
        again: Callable[[Standing], bool] = never,
        told: list[StageReport] | None = None,
        is_dead: Callable[[str], bool] = lambda owner: True,
        settings: RunnerSettings = SETTINGS,
        floor: Floor | None = None,
        ledger: InMemoryDocumentLedger | None = None,
    ) -> StageReport:
        """One run of one process. Every earlier process is dead, unless told otherwise."""
        self.runs += 1
        runner = StageRunner(
            ledger or self.ledger(kill),
            owner=f"run {self.runs}",
            settings=settings,
            retry=RetryPolicy(attempts=3),
            floor=floor,
            clock=self.clock,
            sleep=self.clock.sleep,
            rng=Random(self.runs),
            offload=inline,
            is_dead=is_dead,
        )
        progress = (lambda report: None) if told is None else told.append
        return self.clock.run(runner.run(stage, BUCKET, progress, again=again))

    def stage(self, name: str = "texts", **told: Any) -> StageDouble:
        return StageDouble(name, sleep=self.clock.sleep, **told)

    def states(self) -> set[str]:
        return set(self.memory.states.values())


def counts(report: StageReport) -> dict[str, int]:
    """Those that are not 0."""
    names = ("done", "unchanged", "waiting", "parked", "delayed", "busy")
    return {name: getattr(report, name) for name in names if getattr(report, name)}
