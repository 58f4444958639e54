"""A whole sync in this process, for the command line: begun, read, validated and delivered.

Uses what Dagster's assets use, claims as their runs do, and goes on where either of them stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from ingest_project.core.entity import EntitySpec
from ingest_project.core.model import Chunk, Counts
from ingest_project.core.outcomes import SEALED, ChunkOutcome
from ingest_project.core.ports import Progress
from ingest_project.core.syncing import DONE, SliceOutcome, Sync
from ingest_project.ledgers.upkeep import Upkeep
from ingest_project.resources.assembly import Assembly, plan_store
from ingest_project.resources.crew import Crew
from ingest_project.resources.deployments import Settings
from ingest_project.resources.knobs import knobs_of
from ingest_project.resources.owner import is_dead, new_owner
from ingest_project.resources.visits import Visit

Log = Callable[[str], None]
Expect = Callable[[str, int], None]


def _nothing(stage: str, rows: int) -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What became of a sync.

    Attributes:
        rows, pages: Read now.
        stages: Stage -> what it did now.
        left: What is not through, and why.
    """

    sync: Sync
    rows: int
    pages: int
    stages: dict[str, Counts] = field(default_factory=dict)
    left: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.left and not any(counts.rejected for counts in self.stages.values())


def sync_whole(
    spec: EntitySpec,
    settings: Settings,
    mode: str,
    date: str,
    *,
    log: Log,
    progress: Progress,
    expect: Expect = _nothing,
) -> Synced:
    """Begin or take up a sync and bring it to its end, as far as it goes.

    Args:
        progress: Told each durable step, the stage by the entity's own name for it.
        expect: Told a stage's name and rows before it begins; 0 when nobody knows.

    Raises:
        ConfigurationError: The entity has no source, or there is no API.
        PermanentFailure, TransientFailure: It could not be begun.
    """
    owner = new_owner()
    # Who was killed on this machine need not be waited for.
    with Upkeep(settings.ledger_url) as upkeep:
        upkeep.release_dead(spec.name, is_dead, now=time.time())
    with Visit(spec, settings, owner) as visit:
        begun = visit.begin(mode, date)
        for text in begun.warnings:
            log(f"warning: {text}")
        day = begun.sync.date
        expect("pages", begun.sync.rows)
        outcomes = visit.read(day, None, progress)
        number = begun.sync.number
        sync = next(one for one in visit.ledger.syncs.syncs(spec.name) if one.number == number)
    plan = plan_store(settings).read(spec.name, day)
    left = [_slice_left(one) for one in outcomes if one.state != DONE]
    stages, unsealed = _deliver(spec, settings, owner, plan.chunks if plan else (), progress, expect)
    return Synced(
        sync=sync,
        rows=sum(one.rows for one in outcomes),
        pages=sum(one.pages for one in outcomes),
        stages=stages,
        left=(*left, *unsealed),
    )


def _deliver(
    spec: EntitySpec,
    settings: Settings,
    owner: str,
    chunks: Sequence[Chunk],
    progress: Progress,
    expect: Expect,
) -> tuple[dict[str, Counts], list[str]]:
    """Each stage over all chunks; what was done before is not done again."""
    assembly = Assembly(
        settings=settings,
        spec=spec,
        owner=owner,
        knobs=knobs_of(settings),
        create_tables=settings.may_create_table(),
    )
    stages: dict[str, Counts] = {}
    left: list[str] = []
    with Crew(assembly) as crew:
        for stage in ("validated", *spec.destinations):
            name = spec.stage_names.get(stage, stage)
            expect(name, _left(settings, stage, chunks))
            named = partial(_named, progress, name)
            ended = list(crew.run(stage, chunks, named)) if chunks else []
            stages[name] = sum((one.fresh for one in ended), start=Counts())
            left += [f"{name} {_chunk_left(one)}" for one in ended if one.state != SEALED]
    return stages, left


def _left(settings: Settings, stage: str, chunks: Sequence[Chunk]) -> int:
    """Records of the chunks that are not through the stage."""
    with Upkeep(settings.ledger_url) as upkeep:
        known = upkeep.standings([chunk.id for chunk in chunks])
    through = {name for (name, of), standing in known.items() if of == stage and standing.state == SEALED}
    return sum(chunk.records for chunk in chunks if chunk.id not in through)


def _named(progress: Progress, name: str, stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
    progress(name, chunk, done, counts)


def _slice_left(one: SliceOutcome) -> str:
    return f"slice {one.slice.name} {one.state}: {one.reason}"


def _chunk_left(one: ChunkOutcome) -> str:
    return f"of {one.chunk.range.uri} {one.state}: {one.reason}"
