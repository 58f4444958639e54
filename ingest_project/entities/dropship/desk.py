"""The bookkeeper's desk: settings in, passes and audits out. Puts parts together; knows no Dagster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from ingest_project.core.entity import EntitySpec
from ingest_project.core.model import Chunk, ChunkPlan, WorkStatus
from ingest_project.core.ports import PartStore, Progress, Sink
from ingest_project.core.ranking import Ranked
from ingest_project.entities.dropship.auditing import BookAudit, SettlementAudit, audit, audit_settlements
from ingest_project.entities.dropship.passes import BookPass, PassReport, entity_of, generation, loaded
from ingest_project.entities.dropship.posting import (
    INVOICES,
    ORDER_BOOKS,
    ORDERS,
    SETTLEMENTS,
    BookSink,
    SlotLock,
    order_maker,
)
from ingest_project.entities.dropship.related import AFFILIATE_SPEC, INCOME_SPEC
from ingest_project.entities.dropship.settling import settlement_maker
from ingest_project.entities.dropship.shelves import Names, SettlementTables, TableShelf, keys_of, missing
from ingest_project.entities.dropship.touched import ids_of, published
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.connect import dynamodb_api
from ingest_project.resources.deployments import Settings
from ingest_project.resources.destinations import TableDestination
from ingest_project.resources.engine import event_loop_factory
from ingest_project.resources.knobs import Knobs

T = TypeVar("T")
S = TypeVar("S", bound=TableShelf)
Job = Callable[[S, Path], Coroutine[Any, Any, T]]

CODES = {
    "dropship": "kode_invoice_channel",
    INCOME_SPEC.name: "no_pesanan",
    AFFILIATE_SPEC.name: "kode_pesanan",
}
"""Entities that settlements are made of, and the attribute of each that holds the channel's code."""

Plans = Mapping[str, ChunkPlan]
"""A date's plans by the names of these entities."""

SETTLING = ("table", ORDERS)
"""Stages whose work settlements are made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookDesk:
    """One entity's books in one deployment.

    Attributes:
        owner: Who claims slots of the id spaces.
        create: Whether the tables of books may be made.
        again: Names an attempt that does once more what was done before; empty: what was done is done.
    """

    spec: EntitySpec
    settings: Settings
    ledger: SqlLedger
    parts: PartStore
    knobs: Knobs
    owner: str
    create: bool
    again: str = ""

    def post(self, plan: ChunkPlan, progress: Progress | None = None) -> PassReport:
        """Make the books of the orders that the plan's loaded files touch. Raises as BookPass.run."""
        rows = self._rows(plan)

        def job_of(chunks: Sequence[Chunk]) -> Job[TableShelf, PassReport]:
            async def job(shelf: TableShelf, folder: Path) -> PassReport:
                def sink(lock: SlotLock) -> Sink:
                    return BookSink(shelf, lock, order_maker(shelf), ORDER_BOOKS)

                ids, mark = ids_of(self.parts, published(self.parts, chunks)), generation(rows) + self.again
                return await self._pass(ORDERS, sink, folder).run(plan.date, mark, ids, progress)

            return job

        reports = [
            self._at(TableShelf, table, ORDER_BOOKS, job_of(chunks)) for table, chunks in _tables(plan, rows)
        ]
        return sum(reports, start=PassReport())

    def audit(self, plan: ChunkPlan) -> list[BookAudit]:
        """Read the books of a date back, those of each table of lines by themselves."""

        def job_of(chunks: Sequence[Chunk]) -> Job[TableShelf, BookAudit]:
            async def job(shelf: TableShelf, folder: Path) -> BookAudit:
                return await audit(shelf, ids_of(self.parts, published(self.parts, chunks)), folder)

            return job

        found = _tables(plan, self._rows(plan))
        return [self._at(TableShelf, table, ORDER_BOOKS, job_of(chunks)) for table, chunks in found]

    def settle(self, day: str, plans: Plans, progress: Progress | None = None) -> PassReport:
        """Make the settlements of all codes that a date's files touch, be they of lines, payouts or
        commissions. Raises as BookPass.run."""
        rows = [row for plan in plans.values() for row in self._rows(plan)]
        rows += self.ledger.status(entity_of(ORDERS), day)

        async def job(shelf: SettlementTables, folder: Path) -> PassReport:
            def sink(lock: SlotLock) -> Sink:
                return BookSink(shelf, lock, settlement_maker(shelf), (SETTLEMENTS,))

            work, mark = self._pass(SETTLEMENTS, sink, folder), generation(rows, SETTLING) + self.again
            return await work.run(day, mark, self._codes(plans), progress)

        return self._settlements(job, PassReport())

    def audit_settlements(self, plans: Plans) -> SettlementAudit:
        """Read the settlements of a date's codes back."""

        async def job(shelf: SettlementTables, folder: Path) -> SettlementAudit:
            return await audit_settlements(shelf, self._codes(plans), folder)

        return self._settlements(job, SettlementAudit())

    def _codes(self, plans: Plans) -> Iterator[Ranked]:
        """The channel's codes in what is loaded of these plans."""
        for name, plan in plans.items():
            chunks = published(self.parts, loaded(plan.chunks, self._rows(plan)))
            yield from ids_of(self.parts, chunks, CODES[name])

    def _settlements(self, job: Job[SettlementTables, T], nothing: T) -> T:
        """The job over the tables of settlements; nothing where neither payouts nor commissions ever came."""
        lines = self.spec.target_of("")
        names = Names.of(lines)
        if self._run(self._missing((names.income, names.affiliate))) == {names.income, names.affiliate}:
            return nothing
        return self._at(SettlementTables, lines, (INVOICES, ORDERS, SETTLEMENTS), job)

    async def _missing(self, tables: Sequence[str]) -> frozenset[str]:
        async with dynamodb_api(self.settings) as api:
            return await missing(api, tables)

    def _rows(self, plan: ChunkPlan) -> Sequence[WorkStatus]:
        """What the ledger says of the plan's own chunks."""
        mine = {chunk.id for chunk in plan.chunks}
        return [row for row in self.ledger.status(plan.entity, plan.date) if row.chunk_id in mine]

    def _pass(self, stage: str, sink: Callable[[SlotLock], Sink], folder: Path) -> BookPass:
        return BookPass(
            stage=stage,
            sink=sink,
            ledger=self.ledger,
            owner=self.owner,
            knobs=self.knobs,
            folder=folder,
            clock=time.monotonic,
            rng=Random(),
        )

    def _at(self, kind: type[S], lines: str, books: Sequence[str], job: Job[S, T]) -> T:
        """The job at the tables that belong to a table of lines."""
        return self._run(self._over(kind, Names.of(lines), books, job))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
            return runner.run(work)

    async def _over(self, kind: type[S], names: Names, books: Sequence[str], job: Job[S, T]) -> T:
        async with dynamodb_api(self.settings) as api:
            await self._prepare(names, books)
            absent = await missing(api, (names.lines, names.income, names.affiliate))
            with TemporaryDirectory(prefix="books-", dir=self._scratch()) as folder:
                return await job(kind(api, names, absent), Path(folder) / "ids")

    async def _prepare(self, names: Names, books: Sequence[str]) -> None:
        """Tables of books, made where they are missing and that is allowed."""
        door = TableDestination(self.settings, self.create)
        try:
            for kind in books:
                self.settings.require_write("dynamodb", names.books[kind])
                await door.keys_of(names.books[kind], keys_of(kind))
        finally:
            await door.close()

    def _scratch(self) -> Path:
        folder = self.settings.home / "scratch"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _tables(plan: ChunkPlan, rows: Sequence[WorkStatus]) -> list[tuple[str, list[Chunk]]]:
    """The tables of lines and the loaded chunks of each."""
    found: dict[str, list[Chunk]] = {}
    for chunk in loaded(plan.chunks, rows):
        found.setdefault(chunk.target, []).append(chunk)
    return sorted(found.items())
