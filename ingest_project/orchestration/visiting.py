"""The sensor and the schedules of an entity that is mirrored over a paged API.

Schedules begin syncs; the sensor has them read, delivered and, when a run failed, gone on with. It compares
what the ledger says with the runs that there were: nothing is remembered in between.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as Job

from ingest_project.core.entity import EntitySpec
from ingest_project.core.restarting import DELIVER, READ, Course, RunFact, due
from ingest_project.core.syncing import DELETES, DONE, FULL, READING, SINCE
from ingest_project.io_managers.names import asset_key, word_of
from ingest_project.orchestration.partitions import range_tags
from ingest_project.orchestration.retried import is_over
from ingest_project.resources.clients import IngestResource

DATE_TAG, PHASE_TAG, MARK_TAG = "ingest/sync", "ingest/phase", "ingest/mark"
LATEST_SYNCS = 12
"""Of an entity; a date that stands unread behind so many newer syncs is for a person."""

CRON = {FULL: "0 2 * * 0", SINCE: "0 */2 * * *", DELETES: "30 4 * * *"}
ABOUT = {FULL: "every week", SINCE: "every two hours", DELETES: "every day"}


def course_of(spec: EntitySpec, ingest: IngestResource, day: str) -> Course:
    """How a date stands by ledger and plan."""
    ledger = ingest.ledger()
    slices = ledger.syncs.slices(spec.name, day)
    view = ingest.view(spec, day)
    states = {(row.chunk_id, row.stage): row.state for row in view.rows}
    wanted = [(chunk.id, stage) for chunk in view.plan.chunks for stage in view.stages]
    # Somebody else is at work, by hand perhaps: two at once would only be in each other's way.
    read = any(one.state == READING for one in slices)
    delivered = any(states.get(work) == "claimed" for work in wanted)
    rows, sealed = sum(one.rows for one in slices), sum(state == "sealed" for state in states.values())
    return Course(
        reading=not (read or delivered) and any(one.state != DONE for one in slices),
        waiting=not delivered and any(states.get(work, "open") == "open" for work in wanted),
        mark=f"{len(slices)}.{sum(one.state == DONE for one in slices)}.{rows}.{sealed}",
    )


def runs_of(instance: dg.DagsterInstance, name: str, day: str, now: float) -> list[RunFact]:
    """The latest runs of a date or month, the newest first. One that Dagster will try again has not ended."""
    records = instance.get_run_records(
        dg.RunsFilter(tags={DATE_TAG: f"{name} {day}"}), limit=20, order_by="id", ascending=False
    )
    found: list[RunFact] = []
    for record in records:
        run = record.dagster_run
        over = is_over(instance, run)
        found.append(
            RunFact(
                phase=run.tags.get(PHASE_TAG, READ),
                succeeded=run.is_success,
                ended=(record.end_time or now) if over else None,
                mark=run.tags.get(MARK_TAG, ""),
            )
        )
    return found


def sync_request(spec: EntitySpec, day: str, phase: str, course: Course, number: int) -> dg.RunRequest:
    """One run over all cells of a date."""
    stages = (
        ("validated", *spec.destinations) if phase == DELIVER else ("pages", "validated", *spec.destinations)
    )
    tags = {DATE_TAG: f"{spec.name} {day}", PHASE_TAG: phase, MARK_TAG: course.mark, "ingest/date": day}
    return dg.RunRequest(
        run_key=f"{spec.name}:{day}:{phase}:{course.mark}:{number}",
        job_name=f"{word_of(spec)}_sync",
        asset_selection=[asset_key(spec, stage) for stage in stages],
        tags=tags | range_tags(day, spec.slots),
    )


def build_sync_sensor(
    spec: EntitySpec, job: Job, clock: Callable[[], float] = time.time
) -> dg.SensorDefinition:
    """Has syncs read: a run that failed is followed by another one five minutes later, three times."""

    @dg.sensor(
        name=f"{word_of(spec)}_syncs",
        job=job,
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for the runs of syncs that are begun and not through. After a failure at most "
        "three times without progress, five minutes apart; what has landed is delivered meanwhile.",
    )
    def syncs(context: dg.SensorEvaluationContext, ingest: IngestResource) -> dg.SensorResult:
        latest = ingest.ledger().syncs.syncs(spec.name, limit=LATEST_SYNCS)
        requests = []
        for day in sorted({sync.date for sync in latest}):
            course, now = course_of(spec, ingest, day), clock()
            runs = runs_of(context.instance, spec.name, day, now)
            if phase := due(course, runs, now):
                requests.append(sync_request(spec, day, phase, course, len(runs)))
        return dg.SensorResult(run_requests=requests)

    return syncs


def build_schedules(spec: EntitySpec, jobs: Mapping[str, Job]) -> list[dg.ScheduleDefinition]:
    """One for each kind of sync."""
    return [_schedule(spec, mode, job) for mode, job in jobs.items()]


def _schedule(spec: EntitySpec, mode: str, job: Job) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{word_of(spec)}_{mode}_schedule",
        cron_schedule=CRON[mode],
        job=job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Begins a sync of kind {mode} {ABOUT[mode]}.",
    )
    def scheduled(
        context: dg.ScheduleEvaluationContext, ingest: IngestResource
    ) -> dg.SkipReason | dg.RunRequest:
        if not ingest.settings().wms.url:
            return dg.SkipReason("INGEST_WMS_URL is not set")
        ledger = ingest.ledger()
        if ledger.syncs.open_sync(spec.name, mode):
            return dg.SkipReason(f"the last {mode} sync is not through")
        if mode != FULL and ledger.syncs.watermark(spec.name) is None:
            return dg.SkipReason("no full sync has begun")
        day = datetime.now(UTC).date().isoformat()
        return dg.RunRequest(partition_key=day, tags={"ingest/mode": mode})

    return scheduled
