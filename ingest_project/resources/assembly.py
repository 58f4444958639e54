"""Assembly: Settings and an EntitySpec in, a ready Engine with its stores out. The one place where parts are
put together.

Knows no Dagster; worker processes call it too, so everything it takes can be pickled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from ingest_project.core.entity import EntitySpec, rebuild_stage
from ingest_project.core.fields import FieldBook
from ingest_project.core.model import Chunk, ChunkPlan
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.ledgers.upkeep import Upkeep
from ingest_project.resources.connect import s3_client
from ingest_project.resources.deployments import Settings
from ingest_project.resources.destinations import Destination, TableDestination
from ingest_project.resources.engine import Engine, Parts
from ingest_project.resources.index_destination import IndexDestination
from ingest_project.resources.knobs import Knobs
from ingest_project.resources.landed_plans import LandedPlans
from ingest_project.resources.memory import watch
from ingest_project.resources.places import Places
from ingest_project.resources.planner import Planner
from ingest_project.resources.reading import source_of
from ingest_project.resources.replaying.plans import ReplayedPlans
from ingest_project.resources.standings import Standings
from ingest_project.resources.versioned_destinations import CurrentDestination, HistoryDestination
from ingest_project.sinks.aliases import MARK_REBUILDS
from ingest_project.sinks.parts import LocalPartStore, ObjectPartStore, S3PartStore
from ingest_project.sinks.plans import LocalPlanStore, PlanStore, S3PlanStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """What an engine is made of.

    Attributes:
        owner: Name under which chunks are claimed.
        plan: The only plan there is (command line); without it, plans are read from the plan store.
        create_tables: Whether missing tables may be made.
        index: Index name in place of the one made of the target's.
        rebuild: The alias for which the index is built beside the one in use; the index is then the only
            destination. Empty: it is the one in use.
    """

    settings: Settings
    spec: EntitySpec
    owner: str
    knobs: Knobs
    plan: ChunkPlan | None = None
    create_tables: bool = False
    index: str = ""
    rebuild: str = ""

    def engine(self) -> Engine:
        """A new engine; the caller closes it."""
        settings, parts = self.settings, part_store(self.settings)
        ledger = SqlLedger(settings.ledger_url)
        rivals = partial(_stored_rivals, plan_store(settings), self.spec.name)
        standings = Standings(
            ledger,
            parts,
            rivals if self.plan is None else partial(_plan_rivals, self.plan),
            across_dates=self.spec.across_dates,
        )
        notes: list[str] = []
        return Engine(
            with_book(self.spec, ledger.fields),
            Parts(
                ledger=ledger,
                source=source_of(self.spec, settings),
                parts=parts,
                upkeep=Upkeep(settings.ledger_url),
                standings=standings,
                destinations=self._destinations(notes),
                notes=notes,
                memory=watch(self.knobs),
                places=Places(self.knobs.places, self.knobs.limit),
            ),
            owner=self.owner,
            knobs=self.knobs,
        )

    def planner(self, engine: Engine, target: str = "") -> Planner:
        """Plans files with the engine's source and database."""
        return Planner(
            spec=self.spec,
            source=engine.source,
            keys_of=engine.keys_of,
            table_keys=self.settings.table_keys,
            min_chunk_bytes=self.knobs.min_chunk_bytes,
            target=target,
        )

    def _destinations(self, notes: list[str]) -> dict[str, Destination]:
        index = IndexDestination(
            self.settings,
            contract=self.spec.index,
            name=self.index,
            mark={MARK_REBUILDS: self.rebuild} if self.rebuild else {},
            version=self.spec.version,
            note=notes.append,
        )
        if self.rebuild:
            return {rebuild_stage(self.index): index}
        made: dict[str, Destination] = {
            "table": TableDestination(self.settings, self.create_tables),
            "index": index,
        }
        if version := self.spec.version:
            settings, create = self.settings, self.create_tables
            made["current"] = CurrentDestination(settings, create, version=version)
            made["history"] = HistoryDestination(settings, create, version=version)
        return {stage: made[stage] for stage in self.spec.destinations}


def with_book(spec: EntitySpec, book: FieldBook) -> EntitySpec:
    """The spec with the contract that all runs share."""
    described = spec.described
    if described is None:
        return spec
    return replace(spec, admission=lambda chunk: described.admission(chunk, book))


def part_store(settings: Settings) -> ObjectPartStore:
    """Where validated parts lie in this deployment."""
    if settings.part_store == "local":
        return LocalPartStore(settings.home / "parts")
    return S3PartStore(s3_client(settings), settings.bucket, settings.prefix)


def plan_store(settings: Settings) -> PlanStore:
    """Where plans lie in this deployment: beside the parts. What landed and the ledger's replays are in
    them."""
    stored: PlanStore
    if settings.part_store == "local":
        stored = LocalPlanStore(settings.home / "parts")
    else:
        stored = S3PlanStore(s3_client(settings), settings.bucket, settings.prefix)
    ledger = SqlLedger(settings.ledger_url)
    return ReplayedPlans(LandedPlans(stored, ledger.syncs), ledger.replays)


def _stored_rivals(plans: PlanStore, entity: str, day: str, target: str) -> Iterable[Chunk]:
    for other in plans.dates(entity):
        plan = plans.read(entity, other) if other >= day else None
        if plan is not None:
            yield from (chunk for chunk in plan.chunks if chunk.target == target)


def _plan_rivals(plan: ChunkPlan, day: str, target: str) -> Iterable[Chunk]:
    return (chunk for chunk in plan.chunks if chunk.target == target)
