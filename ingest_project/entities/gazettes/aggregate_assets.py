"""gazettes/aggregates: a year's files of XML by town and state, with their job and schedule."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from ingest_project.core.errors import TransientFailure
from ingest_project.entities.gazettes.aggregates import AggregatesReport
from ingest_project.entities.gazettes.archive import aggregate
from ingest_project.entities.gazettes.spec import INDEXED
from ingest_project.io_managers.metadata import Metadata
from ingest_project.io_managers.work import RETRIES, RETRY_SECONDS
from ingest_project.orchestration.bucket_runs import table
from ingest_project.orchestration.document_sensors import missing
from ingest_project.orchestration.documents import key_of
from ingest_project.resources.clients import IngestResource
from ingest_project.resources.documents.collection import Collection

AGGREGATES = "aggregates"


def years_of(collection: Collection) -> dg.TimeWindowPartitionsDefinition:
    """From the year of the collection's first month on; this year's from its first day."""
    start = collection.spec.start[:4]
    return dg.TimeWindowPartitionsDefinition(start=start, fmt="%Y", cron_schedule="0 0 1 1 *", end_offset=1)


def build_aggregates(collection: Collection) -> dg.AssetsDefinition:
    """One year's files."""
    spec = collection.spec

    @dg.asset(
        key=key_of(spec, AGGREGATES),
        partitions_def=years_of(collection),
        group_name=spec.name,
        kinds={"s3", "xml"},
        pool=f"{spec.name}_{AGGREGATES}",
        description="A ZIP of XML for each town and each state of a year. A file is made again only when the "
        "texts that it is made of have changed.",
        deps=[dg.AssetDep(key_of(spec, INDEXED), partition_mapping=dg.AllPartitionMapping())],
    )
    def aggregates(context: dg.AssetExecutionContext, ingest: IngestResource) -> dg.MaterializeResult[None]:
        settings = ingest.settings()
        collection.require(settings)
        try:
            made = aggregate(settings, int(context.partition_key))
        except TransientFailure as error:
            raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_SECONDS) from error
        metadata = report_metadata(made)
        if made.failed:
            said = f"{len(made.failed)} files could not be made: {made.failed[0]}"
            raise dg.Failure(description=said, metadata=metadata, allow_retries=False)
        return dg.MaterializeResult(metadata=metadata)

    return aggregates


def report_metadata(made: AggregatesReport) -> Metadata:
    """Numbers that Dagster plots over the years, and what could not be made."""
    numbers = {
        "dagster/row_count": made.gazettes,
        "built": made.built,
        "unchanged": made.unchanged,
        "bytes": made.bytes,
        "failed": len(made.failed),
    }
    return {
        **{name: dg.MetadataValue.int(number) for name, number in numbers.items()},
        "seconds": dg.MetadataValue.float(round(made.seconds, 3)),
        "failures": table(("file and reason",), [(line,) for line in made.failed]),
    }


def build_aggregate_defs(collection: Collection) -> dg.Definitions:
    """Asset, job and daily schedule."""
    spec = collection.spec
    asset = build_aggregates(collection)
    job = dg.define_asset_job(
        f"{spec.name}_{AGGREGATES}",
        selection=dg.AssetSelection.assets(key_of(spec, AGGREGATES)),
        executor_def=dg.in_process_executor,
        description="Brings the aggregates of a year up to date.",
    )

    @dg.schedule(
        name=f"{spec.name}_{AGGREGATES}_schedule",
        cron_schedule="0 5 * * *",
        job=job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Brings this year's and last year's aggregates up to date where there are gazettes.",
    )
    def daily(ingest: IngestResource) -> Iterator[dg.SkipReason | dg.RunRequest]:
        if reason := missing(collection, ingest):
            yield dg.SkipReason(reason)
            return
        year = datetime.now(UTC).year
        for one in (year - 1, year):
            yield dg.RunRequest(partition_key=str(one))

    return dg.Definitions(assets=[asset], jobs=[job], schedules=[daily])
