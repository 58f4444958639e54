"""build_entity_defs: the assets, checks, jobs, sensor and schedule of an entity of dump files. No entity
lives here."""

import dagster as dg

from ingest_project.core.entity import EntitySpec
from ingest_project.core.model import ChunkPlan
from ingest_project.io_managers.metadata import plan_metadata
from ingest_project.io_managers.names import asset_key, group_of, word_of
from ingest_project.io_managers.work import StageWork, resumable
from ingest_project.orchestration.checks import build_checks
from ingest_project.orchestration.mirror import build_mirror
from ingest_project.orchestration.partitions import Grid, daily_partitions, grid_partitions
from ingest_project.orchestration.pool import FILES
from ingest_project.orchestration.replays import build_replay
from ingest_project.orchestration.sensors import build_inbox_sensor, build_index_sensor, build_replan_schedule
from ingest_project.resources.clients import IngestResource, PlanReader
from ingest_project.resources.outlook import plan_advice

KINDS = {
    "planned": {"s3", "json"},
    "validated": {"s3", "json"},
    "table": {"dynamodb"},
    "index": {"opensearch"},
}
IO_MANAGERS = {"validated": "s3_io", "table": "dynamodb_io", "index": "opensearch_io"}
REPAIR = (
    "\n\nA red file_chunk holds a broken file; the partition's last event tells which, and where. Put a "
    "good file of that name into the inbox: it is planned and loaded by itself. By hand: materialize "
    "`planned` for the date, then the failed partitions only."
)
DESCRIPTIONS = {
    "validated": "Decodes the chunks, checks each record against the contract and keeps numbers exact. "
    "Good records go to S3 parts, refused ones to the rejections with reason, file, byte and raw bytes.",
    "table": "Writes the validated records into the DynamoDB table named after the file; "
    "records that a later one of their key supersedes are left out.",
    "index": "Writes the validated records into the OpenSearch index named after the file; "
    "records that a later one of their key supersedes are left out.",
}


def owner_of(run: dg.DagsterRun) -> str:
    """Name under which a run claims chunks: its first attempt's, so that a retry takes its own lease over at
    once."""
    return f"run:{run.root_run_id or run.run_id}"


def build_planned(spec: EntitySpec) -> dg.AssetsDefinition:
    """The date's plan: which byte ranges of which files go into which slot."""

    @dg.asset(
        key=asset_key(spec, "planned"),
        partitions_def=daily_partitions(spec),
        group_name=group_of(spec),
        kinds=KINDS["planned"],
        io_manager_key="s3_io",
        pool=f"{word_of(spec)}_plan",
        description="Lists the date's complete dump files, finds the record borders of each in one "
        "streaming pass and cuts them into chunks, packed into slots. A file that comes later adds "
        "chunks and moves none.",
    )
    def planned(context: dg.AssetExecutionContext, ingest: IngestResource) -> ChunkPlan:
        with resumable():
            made = ingest.plan(spec, owner_of(context.run), context.partition_key, context.log.info)
        context.add_output_metadata(plan_metadata(made, plan_advice(made.plan, ingest.knobs())))
        return made.plan

    return planned


def build_stage(spec: EntitySpec, stage: str, grid: Grid) -> dg.AssetsDefinition:
    """One stage of the grid. All of them do the same: hand the plan's chunks to the store behind the
    stage."""
    upstream = "planned" if stage == "validated" else "validated"
    mapping = dg.MultiToSingleDimensionPartitionMapping("date") if stage == "validated" else None

    @dg.asset(
        key=asset_key(spec, stage),
        partitions_def=grid,
        group_name=group_of(spec),
        kinds=KINDS[stage],
        io_manager_key=IO_MANAGERS[stage],
        pool=FILES,
        backfill_policy=dg.BackfillPolicy.single_run(),
        description=DESCRIPTIONS[stage] + REPAIR,
        ins={"plans": dg.AssetIn(key=asset_key(spec, upstream), partition_mapping=mapping)},
    )
    def asset(context: dg.AssetExecutionContext, plans: PlanReader) -> StageWork:
        return StageWork(
            spec=spec,
            stage=stage,
            plan_of=plans.of,
            owner=owner_of(context.run),
            report=context.add_asset_metadata,
        )

    return asset


def build_entity_defs(spec: EntitySpec) -> dg.Definitions:
    """Everything Dagster needs of a dump entity. Resources are added once, in definitions.py."""
    stages = ("validated", *spec.destinations)
    grid = grid_partitions(spec)
    assets = [build_planned(spec), *(build_stage(spec, stage, grid) for stage in stages)]
    plan_job = dg.define_asset_job(
        f"{word_of(spec)}_plan",
        selection=dg.AssetSelection.assets(asset_key(spec, "planned")),
        executor_def=dg.in_process_executor,
        description="Plans one date: cheap, adds what is new.",
    )
    load_job = dg.define_asset_job(
        f"{word_of(spec)}_load",
        selection=dg.AssetSelection.assets(*(asset_key(spec, stage) for stage in stages)),
        executor_def=dg.in_process_executor,
        description="Takes a date's slots through all stages in one run.",
    )
    replayed, replay_job = build_replay(spec)
    mirror_job, mirror_sensor = build_mirror(spec)
    sensors = [build_inbox_sensor(spec, [plan_job, load_job]), mirror_sensor]
    if "index" in spec.destinations:
        sensors.append(build_index_sensor(spec))
    return dg.Definitions(
        assets=[*assets, replayed],
        asset_checks=build_checks(spec),
        jobs=[plan_job, load_job, replay_job, mirror_job],
        sensors=sensors,
        schedules=[build_replan_schedule(spec, plan_job)],
    )
