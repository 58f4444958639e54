"""The inbox sensor and the daily schedule of a dump entity: Dagster's side of orchestration.inbox."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as Job

from ingest_project.core.entity import EntitySpec
from ingest_project.core.errors import ConfigurationError, IngestError
from ingest_project.io_managers.names import asset_key, word_of
from ingest_project.ledgers.files import FileEntry
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.orchestration.checks import open_work_event
from ingest_project.orchestration.inbox import DELIVER, PLAN, Ask, InboxDecider, PhaseState
from ingest_project.orchestration.partitions import range_tags
from ingest_project.orchestration.pool import keep_limit, priority, queue
from ingest_project.orchestration.retried import is_over
from ingest_project.resources.clients import IngestResource
from ingest_project.resources.verdicts import DateView
from ingest_project.sources.inbox import date_of

REQUEST_TAG, PHASE_TAG = "ingest/request", "ingest/phase"


def short(request: str) -> str:
    """A request's hash: unique by itself, and all of it is seen in Dagster's list of runs."""
    return request.rpartition(":")[2]


def phases_of(instance: dg.DagsterInstance, request: str) -> dict[str, PhaseState]:
    """The latest run of each phase of a request, as Dagster's run storage knows it."""
    states: dict[str, PhaseState] = {}
    for run in instance.get_runs(dg.RunsFilter(tags={REQUEST_TAG: short(request)}), limit=50):
        phase = run.tags[PHASE_TAG]
        # Newest first: an older run of the phase is only the attempt that this one repeats.
        states.setdefault(
            phase,
            PhaseState(
                finished=is_over(instance, run),
                succeeded=run.is_success,
                reason="" if run.is_success else f"(run {run.run_id})",
            ),
        )
    return states


def run_request(spec: EntitySpec, ask: Ask) -> dg.RunRequest:
    """The launch of one phase: a plan is a run of one date, the others one run over all slots of the date."""
    tags = {REQUEST_TAG: short(ask.request), PHASE_TAG: ask.phase, "ingest/date": ask.date}
    # A plan reads all bytes once, whatever their number, and holds none.
    tags |= priority(ask.size) | queue(0 if ask.phase == PLAN else ask.size)
    if ask.phase == PLAN:
        return dg.RunRequest(
            run_key=ask.run_key, job_name=f"{word_of(spec)}_plan", partition_key=ask.date, tags=tags
        )
    stages = spec.destinations if ask.phase == DELIVER else ("validated", *spec.destinations)
    return dg.RunRequest(
        run_key=ask.run_key,
        job_name=f"{word_of(spec)}_load",
        asset_selection=[asset_key(spec, stage) for stage in stages],
        tags=tags | range_tags(ask.date, spec.slots),
    )


def decider(spec: EntitySpec, ingest: IngestResource, instance: dg.DagsterInstance) -> InboxDecider:
    """The inbox logic bound to this deployment's ledger and to Dagster's runs."""
    ledger = ingest.ledger()

    @cache
    def view(day: str) -> DateView:
        # A hundred files of a date that end together are looked at once, after their run has ended.
        return ingest.view(spec, day)

    def place(entry: FileEntry) -> tuple[str, str]:
        day = date_of(entry.file)
        today = datetime.now(UTC).date().isoformat()
        if not spec.start <= day <= today:
            raise ConfigurationError(f"date {day} has no partition: these go from {spec.start} to {today}")
        return day, spec.target_of(entry.file.uri)

    return InboxDecider(
        entity=spec.name,
        register=ledger.files,
        phases=lambda request: phases_of(instance, request),
        verdict=lambda entry: view(entry.date).of_file(entry.file),
        place=place,
        has_open=lambda day: view(day).has_open(),
    )


def settled_files(ledger: SqlLedger, spec: EntitySpec) -> dict[str, int]:
    """Files that have ended, one way or the other."""
    states = ledger.files.states(spec.name)
    return {state: states.get(state, 0) for state in ("consumed", "failed", "replaced")}


def open_work_now(spec: EntitySpec, ingest: IngestResource) -> list[dg.AssetCheckEvaluation]:
    """The standing check, evaluated now: a file that failed shows at once, and one that was repaired too."""
    with ingest.audit(spec) as audit:
        return [open_work_event(spec, audit)]


def build_inbox_sensor(spec: EntitySpec, jobs: Sequence[Job]) -> dg.SensorDefinition:
    """Watches ``inbox/<entity>/``: one listing page a tick, however many objects the bucket holds."""

    @dg.sensor(
        name=f"{word_of(spec)}_inbox",
        jobs=jobs,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks for the runs of complete files in the S3 inbox, plan first, then load; a file is "
        "consumed when its runs succeeded.",
    )
    def inbox_sensor(context: dg.SensorEvaluationContext, ingest: IngestResource) -> dg.SensorResult:
        keep_limit(context.instance, ingest.knobs().limit)
        page = ingest.inbox(spec.name).page(context.cursor or "")
        ledger = ingest.ledger()
        before = settled_files(ledger, spec)
        ledger.files.observe(page.files, entity=spec.name, settle=ingest.settle_seconds, complete=page.done)
        asks = decider(spec, ingest, context.instance).decide()
        return dg.SensorResult(
            run_requests=[run_request(spec, ask) for ask in asks],
            cursor=page.after,
            asset_events=[] if before == settled_files(ledger, spec) else open_work_now(spec, ingest),
        )

    return inbox_sensor


def build_index_sensor(spec: EntitySpec) -> dg.SensorDefinition:
    """Looks once a minute for indices that a killed load left in load mode."""

    @dg.sensor(
        name=f"{word_of(spec)}_indices",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Gives OpenSearch indices their refresh and replicas back when the load that stopped "
        "them was killed.",
    )
    def indices(context: dg.SensorEvaluationContext, ingest: IngestResource) -> dg.SkipReason:
        try:
            restored = ingest.restore_indices()
        except IngestError as error:
            return dg.SkipReason(str(error))
        return dg.SkipReason(f"restored {', '.join(restored)}" if restored else "nothing to restore")

    return indices


def build_replan_schedule(spec: EntitySpec, plan_job: Job) -> dg.ScheduleDefinition:
    """Every night: files whose runs failed are asked for again, with a new attempt and so a new run key."""

    @dg.schedule(
        name=f"{word_of(spec)}_replan",
        cron_schedule="15 3 * * *",
        job=plan_job,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Asks again, every night, for files whose runs failed.",
    )
    def replan(
        context: dg.ScheduleEvaluationContext, ingest: IngestResource
    ) -> dg.SkipReason | list[dg.RunRequest]:
        ledger = ingest.ledger()
        failed = ledger.files.list(spec.name, state="failed")
        for entry in failed:
            ledger.files.retry(entry.file.uri, entry.file.etag)
        asks = decider(spec, ingest, context.instance).decide()
        plans = [run_request(spec, ask) for ask in asks if ask.phase == PLAN]
        if not plans:
            return dg.SkipReason(f"nothing is left open; {len(failed)} failed files")
        return plans

    return replan
