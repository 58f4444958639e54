"""build_synced_defs: assets and jobs of an entity that is mirrored over a paged API. No entity lives here.

    planned (date) --> pages (date x file_chunk) --> records --> current, history, index

A slice that failed makes its partition red; materializing that one alone reads that slice and nothing else.
"""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as Job
from pydantic import Field

from ingest_project.core.entity import EntitySpec
from ingest_project.core.syncing import MODES, SINCE
from ingest_project.io_managers.names import asset_key, group_of, word_of
from ingest_project.io_managers.slices import begun_metadata, read_pages
from ingest_project.io_managers.work import StageWork, resumable
from ingest_project.orchestration.checks import build_checks
from ingest_project.orchestration.entity import owner_of
from ingest_project.orchestration.partitions import Grid, daily_partitions, grid_partitions
from ingest_project.orchestration.pool import FILES
from ingest_project.orchestration.replays import build_replay
from ingest_project.orchestration.sensors import build_index_sensor
from ingest_project.orchestration.visiting import build_schedules, build_sync_sensor
from ingest_project.resources.clients import IngestResource, PlanReader

PAGES, PLANNED, VALIDATED = "pages", "planned", "validated"
IO_MANAGERS = {VALIDATED: "s3_io", "index": "opensearch_io"}
KINDS = {VALIDATED: {"s3", "json"}, "index": {"opensearch"}}
REPAIR = (
    "\n\nA red file_chunk holds a slice that failed; the partition's last event says why. It is read again "
    "by itself some minutes later, three times; by hand: materialize that partition alone."
)
DESCRIPTIONS = {
    VALIDATED: "Holds each row against the contract, flattens relations and keeps numbers exact. Good rows "
    "go to S3 parts, refused ones to the rejections with reason, place and raw bytes.",
    "current": "The latest version of each row in DynamoDB: an older one never replaces a newer one, in "
    "whatever order they come; it counts as superseded.",
    "history": "Every version of each row in DynamoDB, by id and version. Nothing in it is ever replaced.",
    "index": "The latest version of each row in OpenSearch, by external versions.",
}


class SyncConfig(dg.Config):
    """Which sync is begun. One of the same kind that is not through is gone on with."""

    mode: str = Field(
        default=SINCE,
        description="`full`: all rows, by id ranges. `since`: what changed since the last sync, less the "
        "overlap. `deletes`: rows that are gone, found by counts.",
        pattern="^(?:full|since|deletes)$",
    )


def build_planned(spec: EntitySpec) -> dg.AssetsDefinition:
    """Begins a sync: notes where it starts and cuts it into slices."""

    @dg.asset(
        key=asset_key(spec, PLANNED),
        partitions_def=daily_partitions(spec),
        group_name=group_of(spec),
        kinds={"s3", "json"},
        pool=f"{word_of(spec)}_plan",
        description="Begins a sync of the source, or goes on with the open one of its kind: cuts it into "
        "slices by a few requests. Pages are read by the runs that follow.",
    )
    def planned(
        context: dg.AssetExecutionContext, config: SyncConfig, ingest: IngestResource
    ) -> dg.MaterializeResult[None]:
        day = context.partition_key
        with resumable(), ingest.visit(spec, owner_of(context.run)) as visit:
            begun = visit.begin(config.mode, day)
            slices = visit.ledger.syncs.status(begun.sync.number)
        for text in begun.warnings:
            context.log.warning(text)
        if begun.sync.date != day:
            context.log.warning(
                f"the {config.mode} sync of {begun.sync.date} is not through: it goes on there"
            )
        return dg.MaterializeResult(metadata=begun_metadata(begun, slices))

    return planned


def build_pages(spec: EntitySpec, grid: Grid) -> dg.AssetsDefinition:
    """The slices of the grid's cells, as they land."""
    mapping = dg.MultiToSingleDimensionPartitionMapping("date")

    @dg.asset(
        key=asset_key(spec, PAGES),
        partitions_def=grid,
        group_name=group_of(spec),
        kinds={"s3", "json"},
        backfill_policy=dg.BackfillPolicy.single_run(),
        description="Reads the source page by page. What came is stored as it was sent before it counts, and "
        "is never asked for again." + REPAIR,
        deps=[dg.AssetDep(asset_key(spec, PLANNED), partition_mapping=mapping)],
    )
    def pages(context: dg.AssetExecutionContext, ingest: IngestResource) -> None:
        with ingest.visit(spec, owner_of(context.run)) as visit:
            read_pages(context, visit, spec)

    return pages


def build_stage(spec: EntitySpec, stage: str, grid: Grid) -> dg.AssetsDefinition:
    """One stage behind the pages."""
    upstream = PAGES if stage == VALIDATED else VALIDATED

    @dg.asset(
        key=asset_key(spec, stage),
        partitions_def=grid,
        group_name=group_of(spec),
        kinds=KINDS.get(stage, {"dynamodb"}),
        io_manager_key=IO_MANAGERS.get(stage, "dynamodb_io"),
        pool=FILES,
        backfill_policy=dg.BackfillPolicy.single_run(),
        description=DESCRIPTIONS[stage],
        deps=[asset_key(spec, upstream)],
    )
    def asset(context: dg.AssetExecutionContext, ingest: IngestResource) -> StageWork:
        return StageWork(
            spec=spec,
            stage=stage,
            plan_of=PlanReader(ingest=ingest, entity=spec.name).of,
            owner=owner_of(context.run),
            report=context.add_asset_metadata,
        )

    return asset


def build_jobs(spec: EntitySpec) -> dict[str, Job]:
    """Mode -> the job that begins such a sync; ``sync``: the one that reads and delivers."""
    word = word_of(spec)
    op = "__".join(asset_key(spec, PLANNED).path)
    jobs = {
        mode: dg.define_asset_job(
            f"{word}_{mode}",
            selection=dg.AssetSelection.assets(asset_key(spec, PLANNED)),
            config={"ops": {op: {"config": {"mode": mode}}}},
            executor_def=dg.in_process_executor,
            description=f"Begins a sync of kind {mode}; the sensor has it read.",
        )
        for mode in MODES
    }
    stages = (PAGES, VALIDATED, *spec.destinations)
    jobs["sync"] = dg.define_asset_job(
        f"{word}_sync",
        selection=dg.AssetSelection.assets(*(asset_key(spec, stage) for stage in stages)),
        executor_def=dg.in_process_executor,
        description="Reads what is not through of a date's syncs and takes it through all stages.",
    )
    return jobs


def build_synced_defs(spec: EntitySpec) -> dg.Definitions:
    """Everything Dagster needs of such an entity. Resources are added once, in definitions.py."""
    grid = grid_partitions(spec)
    stages = [build_stage(spec, stage, grid) for stage in (VALIDATED, *spec.destinations)]
    replayed, replay_job = build_replay(spec)
    jobs = build_jobs(spec)
    sensors = [build_sync_sensor(spec, jobs["sync"])]
    if "index" in spec.destinations:
        sensors.append(build_index_sensor(spec))
    return dg.Definitions(
        assets=[build_planned(spec), build_pages(spec, grid), *stages, replayed],
        asset_checks=build_checks(spec),
        jobs=[*jobs.values(), replay_job],
        sensors=sensors,
        schedules=build_schedules(spec, {mode: jobs[mode] for mode in MODES}),
    )
