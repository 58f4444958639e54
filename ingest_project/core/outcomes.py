"""What became of the work: one outcome a chunk, added up by slot, file and run. Values only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ingest_project.core.model import Chunk, Counts
from ingest_project.core.pressure import UNSEEN, Pressure

SEALED, FAILED, BUSY, STOPPED = "sealed", "failed", "busy", "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkOutcome:
    """The end of one attempt at one chunk in one stage.

    Attributes:
        state: ``sealed``: complete. ``failed``: a permanent cause. ``busy``: another owner holds it.
            ``stopped``: a transient cause outlived its retries; the next attempt goes on where this one
            ended.
        counts: Everything the ledger has on the chunk, earlier attempts included.
        fresh: What this attempt added to it (all zero when the chunk was sealed before).
        seconds: Duration of this attempt.
        reason: Why it is not sealed.
        pressure: What was seen of memory meanwhile.
        target_seconds: Of this attempt's requests to the target, each counted: many are under way at once.
    """

    chunk: Chunk
    stage: str
    state: str
    counts: Counts
    fresh: Counts
    seconds: float
    reason: str = ""
    pressure: Pressure = UNSEEN
    target_seconds: float = 0.0

    @property
    def retriable(self) -> bool:
        return self.state in (BUSY, STOPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Outcomes added up. ``planned`` counts the records of the chunks' ranges as the index pass counted
    them."""

    chunks: int
    planned: int
    counts: Counts
    fresh: Counts
    seconds: float
    unsealed: tuple[ChunkOutcome, ...]
    pressure: Pressure = UNSEEN
    target_seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Records a second of what was done in this attempt; 0 when nothing was."""
        return self.fresh.sent / self.seconds if self.seconds > 0 else 0.0


def summarize(outcomes: Iterable[ChunkOutcome]) -> Summary:
    """Add outcomes up; seconds add up as well (chunks of one worker run one after another)."""
    total, fresh, seconds, planned, chunks = Counts(), Counts(), 0.0, 0, 0
    unsealed: list[ChunkOutcome] = []
    pressure, target_seconds = UNSEEN, 0.0
    for outcome in outcomes:
        chunks += 1
        planned += outcome.chunk.records
        total, fresh = total + outcome.counts, fresh + outcome.fresh
        seconds += outcome.seconds
        pressure |= outcome.pressure
        target_seconds += outcome.target_seconds
        if outcome.state != SEALED:
            unsealed.append(outcome)
    return Summary(
        chunks=chunks,
        planned=planned,
        counts=total,
        fresh=fresh,
        seconds=seconds,
        unsealed=tuple(unsealed),
        pressure=pressure,
        target_seconds=target_seconds,
    )
