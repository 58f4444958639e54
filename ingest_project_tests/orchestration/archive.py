"""A collection of documents whose stages do as a test says, over a real ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ingest_project.core.documents import (
    COMPLETED,
    EXTRACTING,
    Bucket,
    Document,
    Done,
    Outcome,
    Stage,
    bucket_number,
    fingerprint_of,
)
from ingest_project.core.errors import ConfigurationError, IngestError
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.steps import CollectionSpec, Step
from ingest_project.ledgers.documents import SqlDocumentLedger
from ingest_project.resources.deployments import Settings
from ingest_project.resources.documents.collection import Collection, Listing, Log, Loss
from ingest_project.resources.documents.desk import Desk
from ingest_project.resources.documents.export import StageExport
from ingest_project.resources.documents.hands import RunnerSettings

READ, FILED = "read", "filed"
SPEC = CollectionSpec(
    name="letters",
    start="2026-01",
    numbers=2,
    steps=(
        Step(name=READ, about="Reads letters."),
        Step(name=FILED, about="Files them.", after=(READ,)),
    ),
)


@dataclass
class Act:
    """A stage that asks the test what becomes of each document.

    Attributes:
        runs: Ids of each call.
    """

    name: str
    after: tuple[str, ...]
    state: str
    decide: Callable[[Document], Outcome | IngestError]
    batch: int = 2
    version: str = "1"
    runs: list[list[str]] = field(default_factory=list)

    def fingerprint(self, document: Document) -> str:
        return fingerprint_of(self.version, *(document.marks[name].output for name in self.after))

    def weight(self, document: Document) -> int:
        return 1

    async def run(self, documents: Sequence[Document]) -> Sequence[Outcome]:
        await asyncio.sleep(0)
        self.runs.append([one.id for one in documents])
        found = [self.decide(one) for one in documents]
        for one in found:
            if isinstance(one, IngestError):
                raise one
        return [one for one in found if not isinstance(one, IngestError)]


def done(document: Document) -> Done:
    return Done(output=f"of {document.id}")


def letter(name: str, month: str = "2026-01", territory: str = "a") -> Document:
    number = bucket_number(territory, SPEC.numbers)
    bucket = Bucket(collection=SPEC.name, month=month, number=number)
    return Document(id=name, bucket=bucket, fields={"name": name}, group=territory)


class Archive:
    """The collection, what its source has, and what its stages decide.

    Attributes:
        decide: Step -> what becomes of a document.
        opened: Steps whose stages were opened.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.source: list[Document] = []
        self.there = True
        self.unknown = 0
        self.lost: list[Loss] = []
        self.opened: list[str] = []
        self.read = Act(READ, (), EXTRACTING, done)
        self.filed = Act(FILED, (READ,), COMPLETED, done)
        self.collection = Collection(
            spec=SPEC,
            modes=("DAILY", "ALL"),
            require=self._require,
            open=self.open,
            enroll=self._enroll,
            unknown=lambda settings: self.unknown,
            lost=lambda settings: self.lost,
        )

    def books(self) -> SqlDocumentLedger:
        return SqlDocumentLedger(self.home / "letters.db")

    def enroll(self, documents: Iterable[Document]) -> None:
        self.books().enroll(list(documents))

    def open(self, settings: Settings | None = None) -> Desk:
        return Desk(
            SPEC,
            self.books(),
            self._stages,
            settings=RunnerSettings(),
            retry=RetryPolicy(attempts=1),
            export=StageExport(self.home / "metrics", SPEC.name),
        )

    @asynccontextmanager
    async def _stages(self, step: str) -> AsyncIterator[Sequence[Stage]]:
        self.opened.append(step)
        yield [{READ: self.read, FILED: self.filed}[step]]

    def _require(self, settings: Settings) -> None:
        if not self.there:
            raise ConfigurationError("there are no letters")

    def _enroll(self, settings: Settings, mode: str, log: Log) -> Listing:
        log(f"listed {mode}")
        enrolled = self.books().enroll(self.source)
        return Listing(mode=mode, rows=len(self.source), enrolled=enrolled, seconds=0.5)
