"""TableRecords: what plans, part store and ledger have of one table's validated records. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest_project.core.errors import PermanentFailure
from ingest_project.core.model import Chunk, Counts
from ingest_project.core.outcomes import FAILED, SEALED
from ingest_project.ledgers.upkeep import Standing, Upkeep
from ingest_project.resources.assembly import part_store, plan_store
from ingest_project.resources.deployments import Settings

VALIDATED = "validated"
_UNKNOWN = Standing(state="", identity="", fingerprint="", counts=Counts())


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRecords:
    """One table of one entity, over all dates."""

    settings: Settings
    entity: str
    table: str

    def chunks(self) -> list[Chunk]:
        """Planned chunks whose records are stored, in order of dates.

        Raises:
            PermanentFailure: Records that were validated are gone from the store.
        """
        plans, parts = plan_store(self.settings), part_store(self.settings)
        read = (plans.read(self.entity, day) for day in plans.dates(self.entity))
        planned = [
            chunk for plan in read if plan is not None for chunk in plan.chunks if chunk.target == self.table
        ]
        known = self.standings(planned, VALIDATED)
        stored = [chunk for chunk in planned if known[chunk.id].state in (SEALED, FAILED)]
        gone = [chunk for chunk in stored if parts.gone(chunk)]
        if gone:
            raise PermanentFailure(
                f"validated records of {len(gone)} chunks are gone from the store, of {gone[0].range.uri} "
                f"({gone[0].date}) first: materialize `validated` for them again"
            )
        return stored

    def standings(self, chunks: Sequence[Chunk], stage: str) -> dict[str, Standing]:
        """Chunk id -> how it stands in the stage."""
        upkeep = Upkeep(self.settings.ledger_url)
        try:
            known = upkeep.standings([chunk.id for chunk in chunks])
        finally:
            upkeep.close()
        return {chunk.id: known.get((chunk.id, stage), _UNKNOWN) for chunk in chunks}

    def missing(self, chunks: Sequence[Chunk], stage: str, identity: str) -> list[Chunk]:
        """Chunks of which the stage's target with this identity does not have every validated record."""
        done, good = self.standings(chunks, stage), self.standings(chunks, VALIDATED)
        return [
            chunk
            for chunk in chunks
            if done[chunk.id].identity != identity
            or done[chunk.id].counts.sent != good[chunk.id].counts.written
            or done[chunk.id].state not in (SEALED, FAILED)
        ]

    def documents(self, chunks: Sequence[Chunk], stage: str) -> int:
        """Records that the stage's target must hold, as the ledger counted them."""
        counts = (row.counts for row in self.standings(chunks, stage).values())
        return sum(one.written + one.unchanged for one in counts)
