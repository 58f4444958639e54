"""Verdicts: whether a file, or a date, is through all stages, as plan and ledger tell it. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest_project.core.model import ChunkPlan, SourceFile, WorkStatus
from ingest_project.core.outcomes import FAILED, SEALED


@dataclass(frozen=True, slots=True, kw_only=True)
class DateView:
    """One date's plan beside its rows of the ledger.

    Attributes:
        stages: All stages of the entity, ``validated`` first.
    """

    plan: ChunkPlan
    rows: Sequence[WorkStatus]
    stages: Sequence[str]

    def of_file(self, file: SourceFile) -> str:
        """Empty when every chunk of the file is sealed in every stage; else why it is not, first cause
        first."""
        planned = {(index.file.uri, index.file.etag) for index in self.plan.files}
        if (file.uri, file.etag) not in planned:
            return "it is not in the plan"
        states = self._states()
        for stage in self.stages:
            for chunk in self.plan.chunks:
                if chunk.range.uri == file.uri:
                    row = states.get((chunk.id, stage))
                    if row is None or row.state != SEALED:
                        return f"{stage}: {row.reason or row.state}" if row else f"{stage}: not begun"
        return ""

    def has_open(self) -> bool:
        """Whether a chunk that was validated, up to its fault if need be, was not offered to a later
        stage."""
        states = self._states()
        for chunk in self.plan.chunks:
            validated = states.get((chunk.id, self.stages[0]))
            if validated is not None and validated.state in (SEALED, FAILED):
                later = [states.get((chunk.id, stage)) for stage in self.stages[1:]]
                if any(row is None or row.state == "open" for row in later):
                    return True
        return False

    def _states(self) -> dict[tuple[str, str], WorkStatus]:
        return {(row.chunk_id, row.stage): row for row in self.rows}
