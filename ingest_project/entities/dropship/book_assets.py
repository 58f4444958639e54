"""dropship/orders, dropship/journal and dropship/settlements: what is made of what the files of a date
brought, with checks, jobs and sensors."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as Job

from ingest_project.core.entity import EntitySpec
from ingest_project.core.errors import IngestError, LeaseLost, TransientFailure
from ingest_project.core.model import Chunk, Counts, WorkStatus
from ingest_project.entities.dropship.book_checks import (
    build_book_checks,
    build_settlement_check,
    desk_of,
    plans_of,
)
from ingest_project.entities.dropship.passes import PassReport, entity_of, generation
from ingest_project.entities.dropship.posting import JOURNAL, ORDERS, SETTLEMENTS
from ingest_project.entities.dropship.spec import BESIDE
from ingest_project.entities.dropship.touched import SLOTS
from ingest_project.io_managers.live import MIN_GAP_SECONDS
from ingest_project.io_managers.work import RETRIES, RETRY_SECONDS
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.orchestration.entity import owner_of
from ingest_project.orchestration.partitions import daily_partitions
from ingest_project.resources.clients import IngestResource, PlanReader

Work = Callable[[dg.AssetExecutionContext, IngestResource], PassReport]

MARK_TAG = "ingest/books"
MOST_ATTEMPTS = 3
"""So often books of one state of the lines are asked for by the sensor; after that a person has to look."""

ABOUT = {
    ORDERS: "One item an order: header fields and sums over all of its lines, in whatever file or date these "
    "stand. Made anew for the orders that the date's files touch; what stands there already is left.",
    JOURNAL: "One balanced journal entry an order, made of the order.",
    SETTLEMENTS: "One item an invoice code of the channel: what its orders sold for, what was paid out, what "
    "commissions cost. Made anew for the codes that the date's files touch, be they of lines, payouts or "
    "commissions.",
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
            self._write(f"{stage}: {total:,} ids, in slot {chunk.slot + 1} of {SLOTS}")


def build_books(spec: EntitySpec) -> dg.AssetsDefinition:
    """Both assets in one pass: an order and its entry are never made of different lines."""
    table = dg.AssetDep(
        dg.AssetKey([spec.name, "table"]), partition_mapping=dg.MultiToSingleDimensionPartitionMapping("date")
    )
    order_key = dg.AssetKey([spec.name, ORDERS])
    deps = {ORDERS: [table], JOURNAL: [dg.AssetDep(order_key)]}

    def work(context: dg.AssetExecutionContext, ingest: IngestResource) -> PassReport:
        plan = PlanReader(ingest=ingest, entity=spec.name).of(context.partition_key)
        return desk_of(spec, ingest, owner_of(context.run)).post(plan, SlotTeller(context.log.info))

    return _asset(spec, f"{spec.name}_keep_books", deps, work)


def build_settlements(spec: EntitySpec) -> dg.AssetsDefinition:
    """What was paid out, beside what the lines sold for."""
    sources = [dg.AssetKey([one.name, "table"]) for one in BESIDE]
    mapping = dg.MultiToSingleDimensionPartitionMapping("date")
    deps = [
        dg.AssetDep(dg.AssetKey([spec.name, ORDERS])),
        *(dg.AssetDep(key, partition_mapping=mapping) for key in sources),
    ]

    def work(context: dg.AssetExecutionContext, ingest: IngestResource) -> PassReport:
        day = context.partition_key
        desk = desk_of(spec, ingest, owner_of(context.run))
        return desk.settle(day, plans_of(ingest, day), SlotTeller(context.log.info))

    return _asset(spec, f"{spec.name}_keep_settlements", {SETTLEMENTS: deps}, work)


def _asset(
    spec: EntitySpec, name: str, deps: Mapping[str, Sequence[dg.AssetDep]], work: Work
) -> dg.AssetsDefinition:
    """One pass that fills these kinds of books."""

    @dg.multi_asset(
        name=name,
        specs=[
            dg.AssetSpec(
                [spec.name, kind],
                deps=deps[kind],
                description=ABOUT[kind],
                group_name=spec.name,
                kinds={"dynamodb"},
            )
            for kind in deps
        ],
        partitions_def=daily_partitions(spec),
    )
    def books(
        context: dg.AssetExecutionContext, ingest: IngestResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        try:
            report = work(context, ingest)
        except (TransientFailure, LeaseLost) as error:
            raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_SECONDS) from error
        except IngestError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        for kind in deps:
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
    rows = _table_rows(ledger, spec.name)
    return _resting(rows, _requested(ledger, spec.name))


def ripe_settlements(spec: EntitySpec, ledger: SqlLedger) -> dict[str, str]:
    """Date -> state of all that settlements are made of, for dates where it rests; none before the first
    payout or commission."""
    names = (spec.name, *(one.name for one in BESIDE))
    paid = [row for one in BESIDE for row in _table_rows(ledger, one.name)]
    if not paid:
        return {}
    lines, orders = _table_rows(ledger, spec.name), list(ledger.status(entity_of(ORDERS)))
    booked = {row.date for row in orders}
    busy = {day for name in names for day in _requested(ledger, name)}
    busy |= {row.date for row in lines} - booked
    return _resting([*lines, *paid, *orders], busy)


def _table_rows(ledger: SqlLedger, name: str) -> list[WorkStatus]:
    return [row for row in ledger.status(name) if row.stage == "table"]


def _requested(ledger: SqlLedger, name: str) -> set[str]:
    return {entry.date for entry in ledger.files.list(name, state="requested")}


def _resting(rows: Sequence[WorkStatus], busy: set[str]) -> dict[str, str]:
    """The ``generation`` of each date where nothing is at work or left open."""
    busy = busy | {row.date for row in rows if row.state in ("claimed", "open") and row.date}
    days = sorted({row.date for row in rows if row.date} - busy)
    stages = ("table", ORDERS)
    return {day: generation([row for row in rows if row.date == day], stages) for day in days}


def build_follower(
    name: str, job: Job, ripe_of: Callable[[SqlLedger], Mapping[str, str]], about: str
) -> dg.SensorDefinition:
    """Asks for a job of each date whose mark it has not asked for; also where a file of the date is broken:
    its good records count."""

    @dg.sensor(
        name=name,
        job=job,
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=about,
    )
    def follower(context: dg.SensorEvaluationContext, ingest: IngestResource) -> dg.SensorResult:
        requests = []
        for day, mark in ripe_of(ingest.ledger()).items():
            tags = {MARK_TAG: mark, "ingest/date": day}
            failed = context.instance.get_runs(
                dg.RunsFilter(job_name=job.name, tags=tags, statuses=[dg.DagsterRunStatus.FAILURE]),
                limit=MOST_ATTEMPTS,
            )
            if len(failed) < MOST_ATTEMPTS:
                key = f"{name}:{day}:{mark}:{len(failed)}"
                requests.append(dg.RunRequest(run_key=key, partition_key=day, tags=tags))
        return dg.SensorResult(run_requests=requests)

    return follower


def build_book_defs(spec: EntitySpec) -> dg.Definitions:
    """What is made of an entity whose first stage fills a table of order lines, and of what comes beside."""
    books, settlements = (
        dg.define_asset_job(
            f"{spec.name}_{name}",
            selection=dg.AssetSelection.assets(*([spec.name, kind] for kind in kinds)),
            executor_def=dg.in_process_executor,
            description=about,
        )
        for name, kinds, about in (
            ("books", (ORDERS, JOURNAL), "Orders and journal entries of one date."),
            ("settle", (SETTLEMENTS,), "Settlements of one date's invoice codes."),
        )
    )
    return dg.Definitions(
        assets=[build_books(spec), build_settlements(spec)],
        asset_checks=[*build_book_checks(spec), build_settlement_check(spec)],
        jobs=[books, settlements],
        sensors=[
            build_follower(
                f"{spec.name}_books",
                books,
                partial(ripe, spec),
                "Asks for orders and journal of each date whose lines in the table changed and rest now.",
            ),
            build_follower(
                f"{spec.name}_settle",
                settlements,
                partial(ripe_settlements, spec),
                "Asks for the settlements of each date whose orders, payouts or commissions changed and rest "
                "now.",
            ),
        ],
    )
