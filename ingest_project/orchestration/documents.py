"""build_collection_defs: assets, jobs, sensor and schedules of a collection of documents. No collection lives
here.

    listed --> a step --> the next (month x territories) ... ; parked: what nobody can help without a change
"""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as Job
from pydantic import Field

from ingest_project.core.steps import CollectionSpec, Step
from ingest_project.io_managers.work import resumable
from ingest_project.orchestration.bucket_runs import run_cells, table
from ingest_project.orchestration.buckets import bucket_partitions
from ingest_project.orchestration.document_checks import build_document_checks
from ingest_project.orchestration.document_sensors import build_bucket_sensor, build_schedules
from ingest_project.orchestration.partitions import Grid
from ingest_project.resources.clients import IngestResource
from ingest_project.resources.documents.collection import Collection

LISTED, PARKED = "listed", "parked"
MOST_PARKED = 100


class ListConfig(dg.Config):
    """What the source is asked for; empty: what the schedule asks for."""

    mode: str = Field(default="", description="A mode of the collection's source, e.g. UNPROCESSED.")


def key_of(spec: CollectionSpec, name: str) -> dg.AssetKey:
    """``gazettes`` and ``texts`` -> ``gazettes/texts``."""
    return dg.AssetKey([spec.name, name])


def build_listed(collection: Collection) -> dg.AssetsDefinition:
    """Reads the source into the ledger."""
    spec = collection.spec

    @dg.asset(
        key=key_of(spec, LISTED),
        group_name=spec.name,
        kinds={"postgres"},
        pool=f"{spec.name}_list",
        description="Reads the source's rows into the ledger, where each document is one row. A row that "
        f"changed makes its document pending again. Modes: {', '.join(collection.modes)}.",
    )
    def listed(
        context: dg.AssetExecutionContext, config: ListConfig, ingest: IngestResource
    ) -> dg.MaterializeResult[None]:
        settings = ingest.settings()
        collection.require(settings)
        mode = config.mode or collection.modes[0]
        with resumable():
            found = collection.enroll(settings, mode, context.log.info)
        return dg.MaterializeResult(
            metadata={
                "mode": found.mode,
                "dagster/row_count": found.rows,
                "new": found.enrolled.new,
                "changed": found.enrolled.changed,
                "unchanged": found.enrolled.unchanged,
                "seconds": round(found.seconds, 3),
            }
        )

    return listed


def build_step(collection: Collection, step: Step, grid: Grid) -> dg.AssetsDefinition:
    """One step over the buckets of a run."""
    spec = collection.spec

    @dg.asset(
        key=key_of(spec, step.name),
        partitions_def=grid,
        group_name=spec.name,
        kinds=set(step.kinds),
        pool=spec.name,
        backfill_policy=dg.BackfillPolicy.single_run(),
        description=step.about,
        deps=[key_of(spec, name) for name in step.after or (LISTED,)],
    )
    def asset(context: dg.AssetExecutionContext, ingest: IngestResource) -> None:
        settings = ingest.settings()
        collection.require(settings)
        with collection.open(settings) as desk:
            run_cells(context, desk, spec, step)

    return asset


def build_parked(collection: Collection) -> dg.AssetsDefinition:
    """What stands parked now, by cause, type and territory."""
    spec = collection.spec

    @dg.asset(
        key=key_of(spec, PARKED),
        group_name=spec.name,
        description="Documents that a stage cannot take until their content, a handler or the configuration "
        "changes: counted by cause, type and territory, the latest by name. They are not tried before.",
        deps=[key_of(spec, step.name) for step in spec.steps],
    )
    def parked(ingest: IngestResource) -> dg.MaterializeResult[None]:
        with collection.open(ingest.settings()) as desk:
            counts = desk.books.parked_counts(spec.name)
            some = desk.books.parked(spec.name, limit=MOST_PARKED)
        by_cause = [(one.stage, one.cause, one.kind, one.group, f"{one.documents:,}") for one in counts]
        named = [(one.id, one.stage, one.group, one.parked.cause, one.parked.detail) for one in some]
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": sum(one.documents for one in counts),
                "by_cause": table(("stage", "cause", "type", "territory", "documents"), by_cause),
                "documents": table(("document", "stage", "territory", "cause", "detail"), named),
            }
        )

    return parked


def build_jobs(collection: Collection) -> dict[str, Job]:
    """Mode -> the job that lists so; ``run``: all steps of buckets; ``standing``: looks at them."""
    spec = collection.spec
    op = "__".join(key_of(spec, LISTED).path)
    jobs = {
        mode: dg.define_asset_job(
            f"{spec.name}_list_{mode.lower()}",
            selection=dg.AssetSelection.assets(key_of(spec, LISTED)),
            config={"ops": {op: {"config": {"mode": mode}}}},
            executor_def=dg.in_process_executor,
            description=f"Lists in mode {mode}; the sensor has what is new taken through all steps.",
        )
        for mode in collection.modes
    }
    jobs["run"] = dg.define_asset_job(
        f"{spec.name}_run",
        selection=dg.AssetSelection.assets(*(key_of(spec, step.name) for step in spec.steps)),
        executor_def=dg.in_process_executor,
        description="Takes the documents of a month's buckets through all steps, as far as they are due.",
    )
    jobs["standing"] = dg.define_asset_job(
        f"{spec.name}_standing",
        selection=dg.AssetSelection.assets(key_of(spec, PARKED)),
        executor_def=dg.in_process_executor,
        description="Shows what stands parked, and checks what failed or was left behind.",
    )
    return jobs


def build_collection_defs(collection: Collection) -> dg.Definitions:
    """Everything Dagster needs of a collection. Resources are added once, in definitions.py."""
    spec = collection.spec
    grid = bucket_partitions(spec)
    jobs = build_jobs(collection)
    steps = [build_step(collection, step, grid) for step in spec.steps]
    return dg.Definitions(
        assets=[build_listed(collection), *steps, build_parked(collection)],
        asset_checks=build_document_checks(collection, key_of(spec, PARKED)),
        jobs=list(jobs.values()),
        sensors=[build_bucket_sensor(collection, jobs["run"])],
        schedules=build_schedules(collection, jobs),
    )
