"""The sensor and the schedules of a collection of documents.

Schedules list the source; the sensor has what is open taken through all steps. It compares what the ledger
says with the runs that there were: nothing is remembered in between.
"""

import time
from collections.abc import Callable, Mapping

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as Job

from ingest_project.core.bucket_standing import MonthStanding, by_month
from ingest_project.core.errors import ConfigurationError
from ingest_project.core.restarting import READ, Course, due
from ingest_project.core.steps import CollectionSpec
from ingest_project.orchestration.buckets import range_tags
from ingest_project.orchestration.visiting import DATE_TAG, MARK_TAG, PHASE_TAG, runs_of
from ingest_project.resources.clients import IngestResource
from ingest_project.resources.documents.collection import Collection

MOST_MONTHS = 12
"""Looked at in one tick, the newest with open documents first."""

OFTEN, SELDOM, RARELY = "0 */6 * * *", "30 3 * * 0", "30 4 1 * *"
"""When the source is listed in its first mode, in its last one, and in those between: the first looks back
further than the time between two listings, the last finds what was missed all the same, and the others what
was corrected in what had been through."""

STANDING = "*/30 * * * *"


def missing(collection: Collection, ingest: IngestResource) -> str:
    """Why this deployment has no such collection; empty: it has."""
    try:
        collection.require(ingest.settings())
    except ConfigurationError as error:
        return str(error)
    return ""


def month_request(spec: CollectionSpec, month: str, found: MonthStanding, number: int) -> dg.RunRequest:
    """One run over all buckets of a month."""
    tags = {DATE_TAG: f"{spec.name} {month}", PHASE_TAG: READ, MARK_TAG: found.mark}
    return dg.RunRequest(
        run_key=f"{spec.name}:{month}:{found.mark}:{number}", tags=tags | range_tags(spec, month)
    )


def build_bucket_sensor(
    collection: Collection, job: Job, clock: Callable[[], float] = time.time
) -> dg.SensorDefinition:
    """Has open documents worked on: at once what is new, what a run left five minutes later, three times."""
    spec = collection.spec

    @dg.sensor(
        name=f"{spec.name}_buckets",
        job=job,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for a run of each month with documents that are neither through nor parked. Where "
        "a run brought nothing on, at most three more follow, five minutes apart.",
    )
    def buckets(
        context: dg.SensorEvaluationContext, ingest: IngestResource
    ) -> dg.SensorResult | dg.SkipReason:
        if reason := missing(collection, ingest):
            return dg.SkipReason(reason)
        with collection.open(ingest.settings()) as desk:
            months = by_month(desk.books.states(spec.name))
        requests, now = [], clock()
        with_work = [month for month, found in months.items() if found.open][:MOST_MONTHS]
        for month in sorted(with_work):
            found = months[month]
            runs = runs_of(context.instance, spec.name, month, now)
            if due(Course(reading=True, waiting=False, mark=found.mark), runs, now):
                requests.append(month_request(spec, month, found, len(runs)))
        return dg.SensorResult(run_requests=requests)

    return buckets


def build_schedules(collection: Collection, jobs: Mapping[str, Job]) -> list[dg.ScheduleDefinition]:
    """Listings, and the half-hourly look at what stands parked or open."""
    spec = collection.spec
    first, *between, last = collection.modes
    times = {first: OFTEN, **dict.fromkeys(between, RARELY), last: SELDOM}
    listings = [
        _schedule(collection, f"{spec.name}_list_{mode.lower()}_schedule", time, jobs[mode])
        for mode, time in times.items()
    ]
    return [*listings, _schedule(collection, f"{spec.name}_standing_schedule", STANDING, jobs["standing"])]


def _schedule(collection: Collection, name: str, cron: str, job: Job) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=name,
        cron_schedule=cron,
        job=job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"{job.description} Where there are {collection.spec.name}.",
    )
    def scheduled(ingest: IngestResource) -> dg.SkipReason | dg.RunRequest:
        reason = missing(collection, ingest)
        return dg.SkipReason(reason) if reason else dg.RunRequest()

    return scheduled
