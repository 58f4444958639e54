"""The bookkeeper's desk: settings in, order passes and audits out. Puts parts together; knows no Dagster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from ingest_project.core.entity import EntitySpec
from ingest_project.core.model import Chunk, ChunkPlan
from ingest_project.core.ports import PartStore, Progress
from ingest_project.entities.dropship.auditing import BookAudit, audit
from ingest_project.entities.dropship.passes import OrderPass, PassReport, generation, loaded
from ingest_project.entities.dropship.shelves import BOOK_KEYS, Names, TableShelf
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.connect import dynamodb_api
from ingest_project.resources.deployments import Settings
from ingest_project.resources.destinations import TableDestination
from ingest_project.resources.engine import event_loop_factory
from ingest_project.resources.knobs import Knobs

T = TypeVar("T")
Job = Callable[[TableShelf, Sequence[Chunk], Path], Coroutine[Any, Any, T]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookDesk:
    """One entity's books in one deployment.

    Attributes:
        owner: Who claims slots of the order space.
        create: Whether the tables of orders and journal may be made.
    """

    spec: EntitySpec
    settings: Settings
    ledger: SqlLedger
    parts: PartStore
    knobs: Knobs
    owner: str
    create: bool

    def post(self, plan: ChunkPlan, progress: Progress | None = None) -> PassReport:
        """Make the books of the orders that the date's loaded files touch. Raises as OrderPass.run."""
        rows = self.ledger.status(plan.entity, plan.date)

        async def job(shelf: TableShelf, chunks: Sequence[Chunk], folder: Path) -> PassReport:
            work = OrderPass(
                shelf=shelf,
                ledger=self.ledger,
                parts=self.parts,
                owner=self.owner,
                knobs=self.knobs,
                folder=folder,
                clock=time.monotonic,
                rng=Random(),
            )
            return await work.run(plan.date, generation(rows), chunks, progress)

        reports = self._each(loaded(plan.chunks, rows), job)
        return sum(reports, start=PassReport())

    def audit(self, plan: ChunkPlan) -> list[BookAudit]:
        """Read the books of a date back, those of each table of lines by themselves."""
        rows = self.ledger.status(plan.entity, plan.date)

        async def job(shelf: TableShelf, chunks: Sequence[Chunk], folder: Path) -> BookAudit:
            return await audit(shelf, self.parts, chunks, folder)

        return self._each(loaded(plan.chunks, rows), job)

    def _each(self, chunks: Sequence[Chunk], job: Job[T]) -> list[T]:
        """The job over the chunks of each table of lines."""
        tables = sorted({chunk.target for chunk in chunks})
        with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
            return [
                runner.run(self._over(table, [chunk for chunk in chunks if chunk.target == table], job))
                for table in tables
            ]

    async def _over(self, table: str, chunks: Sequence[Chunk], job: Job[T]) -> T:
        names = Names.of(table)
        async with dynamodb_api(self.settings) as api:
            await self._prepare(names)
            with TemporaryDirectory(prefix="orders-", dir=self._scratch()) as folder:
                return await job(TableShelf(api, names), chunks, Path(folder) / "ids")

    async def _prepare(self, names: Names) -> None:
        """Tables of orders and journal, made where they are missing and that is allowed."""
        door = TableDestination(self.settings, self.create)
        try:
            for table in (names.orders, names.journal):
                self.settings.require_write("dynamodb", table)
                await door.keys_of(table, BOOK_KEYS)
        finally:
            await door.close()

    def _scratch(self) -> Path:
        folder = self.settings.home / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        return folder
