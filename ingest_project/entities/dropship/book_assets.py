"""dropship/orders and dropship/journal: the second stage, by date, with checks, job and sensor."""

import time
from collections.abc import Callable, Iterator

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as Job

from ingest_project.core.entity import EntitySpec
from ingest_project.core.errors import IngestError, LeaseLost, TransientFailure
from ingest_project.core.model import Chunk, Counts
from ingest_project.entities.dropship.book_checks import build_book_checks, desk_of
from ingest_project.entities.dropship.passes import PassReport, generation
from ingest_project.entities.dropship.posting import JOURNAL, ORDERS
from ingest_project.entities.dropship.touched import SLOTS
from ingest_project.io_managers.live import MIN_GAP_SECONDS
from ingest_project.io_managers.work import RETRIES, RETRY_SECONDS
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.orchestration.entity import owner_of
from ingest_project.orchestration.partitions import daily_partitions
from ingest_project.resources.clients import IngestResource, PlanReader

MARK_TAG = "ingest/books"
MOST_ATTEMPTS = 3
"""So often books of one state of the lines are asked for by the sensor; after that a person has to look."""

ABOUT = {
    ORDERS: "One item an order: header fields and sums over all of its lines, in whatever file or date these "
    "stand. Made anew for the orders that the date's files touch; what stands there already is left.",
    JOURNAL: "One balanced journal entry an order, made of the order.",
}


class SlotTeller:
    """core.ports.Progress: says in the run's log how far the pass is, not too often."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write, self._last, self._done = write, time.monotonic(), dict[int, int]()

    def __call__(self, stage: str, chunk: Chunk, done: int, counts: Counts) -> None:
        self._done[chunk.slot] = done
        if time.monotonic() - self._last >= MIN_GAP_SECONDS:
            self._last = time.monotonic()
            total = sum(self._done.values())
            self._write(f"{stage}: {total:,} orders, in slot {chunk.slot + 1} of {SLOTS}")


def build_books(spec: EntitySpec) -> dg.AssetsDefinition:
    """Both assets in one pass: an order and its entry are never made of different lines."""
    table = dg.AssetDep(
        dg.AssetKey([spec.name, "table"]), partition_mapping=dg.MultiToSingleDimensionPartitionMapping("date")
    )
    order_key = dg.AssetKey([spec.name, ORDERS])
    deps = {ORDERS: [table], JOURNAL: [dg.AssetDep(order_key)]}

    @dg.multi_asset(
        name=f"{spec.name}_keep_books",
        specs=[
            dg.AssetSpec(
                [spec.name, kind],
                deps=deps[kind],
                description=ABOUT[kind],
                group_name=spec.name,
                kinds={"dynamodb"},
            )
            for kind in (ORDERS, JOURNAL)
        ],
        partitions_def=daily_partitions(spec),
    )
    def books(
        context: dg.AssetExecutionContext, ingest: IngestResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        plan = PlanReader(ingest=ingest, entity=spec.name).of(context.partition_key)
        try:
            report = desk_of(spec, ingest, owner_of(context.run)).post(plan, SlotTeller(context.log.info))
        except (TransientFailure, LeaseLost) as error:
            raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_SECONDS) from error
        except IngestError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        for kind in (ORDERS, JOURNAL):
            yield dg.MaterializeResult(asset_key=[spec.name, kind], metadata=report_metadata(report))

    return books


def report_metadata(report: PassReport) -> dict[str, int | float]:
    """Numbers that Dagster plots over the dates."""
    counts = report.counts
    found: dict[str, int | float] = {
        "dagster/row_count": counts.sent,
        "orders": counts.sent,
        "written": counts.written,
        "unchanged": counts.unchanged,
        "still_to_come": counts.superseded,
        "refused": counts.rejected,
        "requests": counts.requests,
        "retries": counts.retries,
        "already_done": counts.sent - report.fresh.sent,
        "seconds": round(report.seconds, 3),
    }
    if report.fresh.sent and report.seconds > 0:
        found["orders_per_second"] = round(report.fresh.sent / report.seconds, 1)
    return found


def ripe(spec: EntitySpec, ledger: SqlLedger) -> dict[str, str]:
    """Date -> state of its lines, for dates whose table stage rests and holds lines."""
    busy = {entry.date for entry in ledger.files.list(spec.name, state="requested")}
    rows = [row for row in ledger.status(spec.name) if row.stage == "table"]
    busy |= {row.date for row in rows if row.state in ("claimed", "open")}
    days = sorted({row.date for row in rows} - busy)
    return {day: generation([row for row in rows if row.date == day]) for day in days}


def build_book_sensor(spec: EntitySpec, job: Job) -> dg.SensorDefinition:
    """Follows the table stage, also where a file of the date is broken: its good lines are lines."""

    @dg.sensor(
        name=f"{spec.name}_books",
        job=job,
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for orders and journal of each date whose lines in the table changed and rest now.",
    )
    def book_sensor(context: dg.SensorEvaluationContext, ingest: IngestResource) -> dg.SensorResult:
        requests = []
        for day, mark in ripe(spec, ingest.ledger()).items():
            tags = {MARK_TAG: mark, "ingest/date": day}
            failed = context.instance.get_runs(
                dg.RunsFilter(tags=tags, statuses=[dg.DagsterRunStatus.FAILURE]), limit=MOST_ATTEMPTS
            )
            if len(failed) < MOST_ATTEMPTS:
                key = f"{spec.name}:books:{day}:{mark}:{len(failed)}"
                requests.append(dg.RunRequest(run_key=key, partition_key=day, tags=tags))
        return dg.SensorResult(run_requests=requests)

    return book_sensor


def build_book_defs(spec: EntitySpec) -> dg.Definitions:
    """The second stage of an entity whose first one fills a table of order lines."""
    job = dg.define_asset_job(
        f"{spec.name}_books",
        selection=dg.AssetSelection.assets([spec.name, ORDERS], [spec.name, JOURNAL]),
        executor_def=dg.in_process_executor,
        description="Orders and journal entries of one date.",
    )
    return dg.Definitions(
        assets=[build_books(spec)],
        asset_checks=build_book_checks(spec),
        jobs=[job],
        sensors=[build_book_sensor(spec, job)],
    )
