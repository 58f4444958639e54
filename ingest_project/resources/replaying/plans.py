"""Plans as they are worked with: those that are stored, with the replays of their files out of the ledger."""

from __future__ import annotations

from collections.abc import Sequence

from ingest_project.core.model import Chunk, ChunkPlan
from ingest_project.core.planning import from_json, to_json
from ingest_project.core.replaying import replay_chunk, with_replays, without_replays
from ingest_project.ledgers.replays import Replay, Replays
from ingest_project.sinks.plans import PlanStore


class ReplayedPlans(PlanStore):
    """A plan store in whose plans the replays are. They are never stored with a plan: whoever plans and
    whoever replays at the same time can't undo each other's work."""

    def __init__(self, plans: PlanStore, replays: Replays) -> None:
        self._plans, self._replays = plans, replays

    def __repr__(self) -> str:
        return repr(self._plans)

    def write(self, plan: ChunkPlan) -> None:
        self._plans.write(without_replays(plan))

    def read(self, entity: str, date: str) -> ChunkPlan | None:
        plan = self._plans.read(entity, date)
        return plan if plan is None else joined(plan, self._replays)

    def dates(self, entity: str) -> Sequence[str]:
        return self._plans.dates(entity)


def joined(plan: ChunkPlan, replays: Replays) -> ChunkPlan:
    """The plan with the replays of its files."""
    return with_replays(plan, map(chunk_of, replays.of_date(plan.entity, plan.date)))


def chunk_of(replay: Replay) -> Chunk:
    """The chunk of a replay."""
    return from_json(replay.definition).chunks[0]


def definition(origin: Chunk, number: int, form: str, records: int) -> tuple[str, str]:
    """Id and text of the chunk of a new replay."""
    chunk = replay_chunk(origin, number, form, records)
    return chunk.id, to_json(ChunkPlan(entity=chunk.entity, date=chunk.date, slots=1, chunks=(chunk,)))
