"""Rebuild: a table's validated records into a new index beside the one in use, whose alias then moves.

The new index is filled by the same engine under a stage of its own: a rebuild goes on where it stopped, and
the index in use is loaded meanwhile as always. The alias moves only when everything agrees.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ingest_project.core.entity import EntitySpec, in_order_of_dates, rebuild_stage
from ingest_project.core.errors import PermanentFailure, TransientFailure
from ingest_project.core.model import Chunk
from ingest_project.core.outcomes import SEALED, ChunkOutcome
from ingest_project.ledgers.upkeep import Upkeep
from ingest_project.resources.assembly import Assembly, part_store, plan_store
from ingest_project.resources.audit import Audit, Scope
from ingest_project.resources.connect import opensearch_api
from ingest_project.resources.crew import Crew
from ingest_project.resources.deployments import Settings
from ingest_project.resources.engine import event_loop_factory
from ingest_project.resources.knobs import knobs_of
from ingest_project.resources.owner import is_dead, new_owner
from ingest_project.resources.table_records import TableRecords
from ingest_project.sinks import aliases, indexes
from ingest_project.sinks.documents import count_documents
from ingest_project.sinks.opensearch_api import OpenSearchApi

INDEX = "index"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildOptions:
    """What a rebuild is told.

    Attributes:
        alias: Empty is the table's name in lower case, where the loads of every day go.
        switch: Move the alias when all agrees.
        delete_old: Delete the index for which the alias stood, or which has its name.
        fewer: Move although the new index holds less than the one in use.
        anew: Begin a new index although there is one that was not completed.
        workers: Processes; None is the deployment's number.
    """

    alias: str = ""
    switch: bool = True
    delete_old: bool = False
    fewer: bool = False
    anew: bool = False
    workers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """How it ended.

    Attributes:
        documents: In the new index, as many as the ledger says there must be.
        compared: So many of them were read back and equal.
        former: What the alias stood for; empty when it was new.
        late: Chunks that came meanwhile and were loaded behind the move.
        notes: What went otherwise than asked for and stopped nothing.
    """

    alias: str
    index: str
    documents: int
    compared: int
    switched: bool = False
    former: str = ""
    deleted: bool = False
    late: int = 0
    notes: tuple[str, ...] = ()


class Rebuilder:
    """Rebuilds one table's index.

    Args:
        log: Told in sentences what is done.
        wall: Seconds since 1970.
    """

    def __init__(
        self,
        spec: EntitySpec,
        settings: Settings,
        table: str,
        options: RebuildOptions,
        *,
        log: Callable[[str], None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        # The new index is to hold the newest of each key, as one clean load in order of dates leaves it.
        self._spec = in_order_of_dates(spec)
        self._settings, self._table, self._options = settings, table, options
        self._log, self._wall = log, wall
        self._records = TableRecords(settings=settings, entity=spec.name, table=table)
        self._owner, self._notes = new_owner(), list[str]()
        self.alias = options.alias or indexes.index_name(table)

    def rebuild(self) -> Rebuilt:
        """Fill a new index, or go on with one that was begun; check it; move the alias.

        Raises:
            PermanentFailure, TransientFailure: It is not complete, or something does not agree. The alias
                stands as it stood; the same call goes on.
        """
        chunks = self._records.chunks()
        if not chunks:
            raise PermanentFailure(
                f"no validated records of {self._table} are stored: there is nothing to load"
            )
        index = self._calls(self._choose)
        self._log(f"{len(chunks)} chunks into {index}")
        with self._upkeep() as upkeep:
            upkeep.release_dead(self._spec.name, is_dead, now=self._wall())
        bad = [
            outcome
            for outcome in self._load(rebuild_stage(index), chunks, index)
            if outcome.state != SEALED and outcome.chunk.fault is None
        ]
        if bad:
            failure = TransientFailure if all(one.retriable for one in bad) else PermanentFailure
            raise failure(f"{len(bad)} of {len(chunks)} chunks are not in {index}: {bad[0].reason}")
        return self.switch(index) if self._options.switch else self._check(index, chunks)

    def switch(self, index: str) -> Rebuilt:
        """Move the alias to an index that is complete, and let the ledger know.

        Raises:
            PermanentFailure: Something does not agree. The alias stands as it stood.
        """
        self._calls(lambda api: aliases.require_ours(api, index, made_for=self._table))
        chunks = self._records.chunks()
        checked = self._check(index, chunks)
        move = self._calls(lambda api: self._move(api, checked))
        self._log(f"{self.alias} stands for {index}")
        late = self._adopt(index, chunks) if self.alias == indexes.index_name(self._table) else 0
        former = move.former.name if move.former and move.former.name != index else ""
        deleted = move.replaced
        if former and self._options.delete_old and not deleted:
            self._settings.require_write("opensearch", former)
            self._calls(lambda api: aliases.delete_index(api, former, made_for=self._table))
            deleted = True
        notes = tuple(self._notes)
        return replace(checked, switched=True, former=former, deleted=deleted, late=late, notes=notes)

    async def _choose(self, api: OpenSearchApi) -> str:
        """A new name, or that of an index that was begun. An alias that could not move is refused now."""
        former = await indexes.find_index(api, self.alias)
        if former is not None and self._options.switch:
            aliases.require_movable(
                self.alias, former, made_for=self._table, replace_index=self._options.delete_old
            )
        now, anew = self._wall(), self._options.anew
        return await aliases.beside(api, self.alias, made_for=self._table, now=now, anew=anew)

    def _load(self, stage: str, chunks: Sequence[Chunk], index: str) -> list[ChunkOutcome]:
        outcomes = []
        with Crew(self._assembly(index, beside=stage != INDEX)) as crew:
            for outcome in crew.run(stage, chunks):
                outcomes.append(outcome)
                span = outcome.chunk.range
                said = f"{span.uri} bytes {span.start}-{span.end}: {outcome.state} {outcome.reason}"
                self._log(said.rstrip())
        self._notes += crew.engine.notes
        return outcomes

    def _check(self, index: str, chunks: Sequence[Chunk]) -> Rebuilt:
        """The ledger's count is the index's, and a sample reads back equal; or PermanentFailure."""
        stage = rebuild_stage(index)
        state = self._calls(lambda api: aliases.require_ours(api, index, made_for=self._table))
        if missing := self._records.missing(chunks, stage, state.uuid):
            raise PermanentFailure(
                f"{len(missing)} of {len(chunks)} chunks are not in {index}: "
                f"`ingest index rebuild {self._table}` goes on with it"
            )
        expected = self._records.documents(chunks, stage)
        documents = self._calls(lambda api: _counted(api, index))
        if documents != expected:
            raise PermanentFailure(
                f"{index} holds {documents:,} documents, the ledger says {expected:,}: {self.alias} is not "
                f"moved. Begin another: `ingest index rebuild {self._table} --anew`"
            )
        return Rebuilt(
            alias=self.alias,
            index=index,
            documents=documents,
            compared=self._compare(index),
            notes=tuple(self._notes),
        )

    def _compare(self, index: str) -> int:
        """Read a sample of each date back; how many were equal. Raises PermanentFailure when one is not."""
        engine = self._assembly(index, beside=True).engine()
        compared = 0
        with Audit(engine, plan_store(self._settings), part_store(self._settings)) as audit:
            for day in audit.dates():
                back = audit.read_back(rebuild_stage(index), Scope(date=day, target=self._table))
                compared += back.compared
                if back.differences:
                    raise PermanentFailure(
                        f"{len(back.differences)} of {back.compared} documents of {day} do not read back as "
                        f"they were validated, {back.differences[0]}: {self.alias} is not moved"
                    )
        return compared

    async def _move(self, api: OpenSearchApi, new: Rebuilt) -> aliases.Move:
        for name in (self.alias, new.index):
            self._settings.require_write("opensearch", name)
        former = await indexes.find_index(api, self.alias)
        held = await _counted(api, former.name) if former else 0
        if held > new.documents and not self._options.fewer:
            raise PermanentFailure(
                f"{self.alias} holds {held:,} documents, {new.index} {new.documents:,}: it is not moved. "
                "What `ingest load` or another program brought is not among the validated records; if less "
                "is right, say --accept-fewer"
            )
        move = await aliases.move_alias(
            api, self.alias, new.index, made_for=self._table, replace_index=self._options.delete_old
        )
        await aliases.settled(api, new.index, made_for=self._table)
        return move

    def _adopt(self, index: str, chunks: Sequence[Chunk]) -> int:
        """What stands in the new index is loaded, for the ledger; what came meanwhile is loaded now."""
        with self._upkeep() as upkeep:
            upkeep.adopt(chunks, rebuild_stage(index), into=INDEX, now=self._wall())
        uuid = self._calls(lambda api: indexes.identity_of(api, index))
        late = self._records.missing(self._records.chunks(), INDEX, uuid)
        if late:
            self._load(INDEX, late, self.alias)
        return len(late)

    def _assembly(self, index: str, *, beside: bool) -> Assembly:
        knobs = knobs_of(self._settings)
        return Assembly(
            settings=self._settings,
            spec=self._spec,
            owner=self._owner,
            knobs=replace(knobs, workers=self._options.workers or knobs.workers),
            index=index,
            rebuild=self.alias if beside else "",
        )

    def _upkeep(self) -> Upkeep:
        return Upkeep(self._settings.ledger_url)

    def _calls(self, call: Callable[[OpenSearchApi], Awaitable[T]]) -> T:
        """Some calls over connections of their own."""

        async def calling() -> T:
            async with opensearch_api(self._settings) as api:
                return await call(api)

        with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
            return runner.run(calling())


async def _counted(api: OpenSearchApi, index: str) -> int:
    await indexes.refresh_index(api, index)
    return await count_documents(api, index)
