"""The migration as assets: plan, history and embeddings by segments, verified, cut over. Deleting is a job.

Each asset runs one step of migrating.py; what a step may do is decided there.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import dagster as dg
from pydantic import Field

from ingest_project.core.errors import IngestError, TransientFailure
from ingest_project.entities.conversations.migrating import migration_of
from ingest_project.entities.conversations.migration import Findings, Marker, Migration, Moved, Verdict
from ingest_project.entities.conversations.table_assets import TABLES
from ingest_project.io_managers.work import RETRIES, RETRY_SECONDS
from ingest_project.orchestration.entity import owner_of
from ingest_project.resources.clients import IngestResource
from ingest_project.wire.http import run

T = TypeVar("T")
GROUP = "conversations"
PLAN, HISTORY, EMBEDDINGS = (dg.AssetKey([GROUP, name]) for name in ("plan", "history", "embeddings"))
VERIFIED, CUT_OVER = (dg.AssetKey([GROUP, name]) for name in ("verified", "cut_over"))

SLOTS = 8
"""Partitions of a stage; a plan's segments are dealt out to them in turn, however many it has."""

SEGMENTS = dg.StaticPartitionsDefinition([f"{slot:02d}" for slot in range(SLOTS)])
SHOWN = 20
CLEAN = dg.AssetCheckSpec(
    "nothing_differs",
    asset=VERIFIED,
    blocking=True,
    description="Every old row stands in both new tables and all indexes as it must, and nothing else does.",
)


class Confirm(dg.Config):
    """What a target that is not on this machine asks for."""

    confirm: str = Field(default="", description="Hash of the plan, as the asset `plan` shows it.")


class CopyConfig(Confirm):
    """Of a stage."""

    again: bool = Field(default=False, description="Compare everything once more, also what is through.")


class CutOverConfig(dg.Config):
    """A person's word: there is no default."""

    confirm: str = Field(description="Hash of the plan that was verified.")
    rejected: int = Field(default=0, ge=0, description="So many old rows stay behind, knowingly.")


class CleanUpConfig(dg.Config):
    """A person's word: there is no default."""

    confirm: str = Field(description="Hash of the plan that was cut over.")


def _step(
    ingest: IngestResource, run_: dg.DagsterRun, step: Callable[[Migration], Awaitable[T]], *writes: str
) -> T:
    """One step in an event loop of its own; its failure as Dagster's."""

    async def main() -> T:
        async with migration_of(ingest.settings(), owner_of(run_), *writes) as migration:
            return await step(migration)

    try:
        return run(main)
    except TransientFailure as error:
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_SECONDS) from error
    except IngestError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error


@dg.asset(
    key=PLAN,
    group_name=GROUP,
    deps=[TABLES],
    kinds={"dynamodb"},
    description="Looks at the old table and keeps a plan: definitions, settings, counts, a hash over them.",
)
def plan(context: dg.AssetExecutionContext, ingest: IngestResource) -> dg.MaterializeResult[None]:
    made = _step(ingest, context.run, lambda migration: migration.make_plan())
    return dg.MaterializeResult(
        metadata={
            "hash": made.hash,
            "dagster/row_count": made.items,
            "segments": made.segments,
            "moment": made.moment.isoformat(),
            "tables": dg.MetadataValue.json(dict(made.tables)),
            "model": f"{made.model} ({made.dimensions}) as {made.codec}",
        }
    )


def build_stage(key: dg.AssetKey, upstream: dg.AssetKey, about: str) -> dg.AssetsDefinition:
    """One stage over the segments of the old table."""
    word = key.path[-1]

    @dg.asset(
        key=key,
        group_name=GROUP,
        partitions_def=SEGMENTS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[upstream],
        kinds={"dynamodb"},
        description=f"{about} A red partition is repaired by materializing it alone.",
    )
    def stage(context: dg.AssetExecutionContext, config: CopyConfig, ingest: IngestResource) -> None:
        slots = sorted(int(name) for name in context.partition_keys)

        async def step(migration: Migration) -> Moved:
            newest = await migration.plan(config.confirm)
            await migration.prepare(newest, confirm=config.confirm)
            move = migration.copy if word == "history" else migration.embed
            only = [number for number in range(newest.segments) if number % SLOTS in slots]
            return await move(newest, confirm=config.confirm, again=config.again, only=only)

        _report(context, _step(ingest, context.run, step, word), slots)

    return stage


def _report(context: dg.AssetExecutionContext, moved: Moved, slots: Sequence[int]) -> None:
    """Each slot's own event; in the end one failure, when any slot failed."""
    failed: dict[int, str] = {}
    for slot in slots:
        key, counts = SEGMENTS.get_partition_keys()[slot], _counts(moved, slot)
        wrong = [f"segment {one}: {error}" for one, error in moved.failures.items() if one % SLOTS == slot]
        if wrong:
            failed[slot] = "; ".join(wrong)
            context.log.error(f"{key}: {failed[slot]}")
            continue
        context.add_asset_metadata(counts, partition_key=key)
        if len(slots) > 1:
            context.log_event(dg.AssetMaterialization(context.asset_key, partition=key, metadata=counts))
    if failed:
        told = "; ".join(f"{slot:02d}: {text}" for slot, text in failed.items())
        raise dg.Failure(description=told, allow_retries=False)


def _counts(moved: Moved, slot: int) -> Mapping[str, Any]:
    mine = [counts for segment, counts in moved.segments.items() if segment % SLOTS == slot]
    names = ("written", "unchanged", "superseded", "rejected")
    told = {name: sum(getattr(counts, name) for counts in mine) for name in names}
    return {"dagster/row_count": sum(told.values()), **told, "segments": len(mine), "round": moved.round}


@dg.asset(
    key=VERIFIED,
    group_name=GROUP,
    deps=[HISTORY, EMBEDDINGS],
    check_specs=[CLEAN],
    kinds={"dynamodb"},
    description="Compares all of the old table with all of the new ones and of their indexes, both ways.",
)
def verified(
    context: dg.AssetExecutionContext, ingest: IngestResource
) -> Iterator[dg.MaterializeResult[None]]:
    begun = time.monotonic()

    async def step(migration: Migration) -> tuple[Verdict, Findings]:
        return await migration.verify(await migration.plan())

    verdict, found = _step(ingest, context.run, step)
    named = [str(one) for one in found.differences[:SHOWN]]
    numbers = {
        "differences": verdict.differences,
        "rejected": verdict.rejected,
        "expired": verdict.expired,
        "seconds": round(time.monotonic() - begun, 3),
    }
    yield dg.MaterializeResult(
        metadata={"hash": verdict.plan, "read": dg.MetadataValue.json(dict(verdict.read)), **numbers},
        check_results=[
            dg.AssetCheckResult(
                check_name=CLEAN.name,
                passed=verdict.clean,
                severity=dg.AssetCheckSeverity.ERROR,
                description="; ".join(named[:3]) or None,
                metadata={**numbers, "named": dg.MetadataValue.md("\n".join(f"- {one}" for one in named))},
            )
        ],
    )


@dg.asset(
    key=CUT_OVER,
    group_name=GROUP,
    deps=[VERIFIED],
    kinds={"dynamodb"},
    description="Marks the new tables as the memory; asks for the plan's hash and a clean verdict of it.",
)
def cut_over(
    context: dg.AssetExecutionContext, config: CutOverConfig, ingest: IngestResource
) -> dg.MaterializeResult[None]:
    marker = _step(
        ingest,
        context.run,
        lambda migration: _cut(migration, config.confirm, config.rejected),
    )
    return dg.MaterializeResult(
        metadata={"hash": marker.plan, "moment": marker.moment.isoformat(), "rejected": marker.rejected}
    )


async def _cut(migration: Migration, confirm: str, rejected: int) -> Marker:
    return await migration.cut_over(await migration.plan(confirm), confirm=confirm, rejected=rejected)


@dg.op(name="delete_the_old_table_of_conversations")
def delete_old(context: dg.OpExecutionContext, config: CleanUpConfig, ingest: IngestResource) -> None:
    """Refused before the time of stability is over, or with another hash than the plan's."""
    cleaned = _step(ingest, context.run, lambda migration: migration.clean_up(config.confirm), "old")
    context.log.info(f"the old table was deleted {cleaned.isoformat()}")


@dg.job(
    name="conversations_clean_up",
    executor_def=dg.in_process_executor,
    description="Deletes the old table of conversations. Started by a person, with the plan's hash.",
)
def clean_up() -> None:
    delete_old()


history = build_stage(HISTORY, PLAN, "Copies the old rows into the new history; writes only what differs.")
embeddings = build_stage(
    EMBEDDINGS,
    HISTORY,
    "Makes the embedding of every old row's message; leaves those that stand as they must.",
)
