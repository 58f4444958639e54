"""A sensor for runs that were sent to a worker and never began: their task was lost on the way.

Dagster's run monitoring asks for the health of runs that have started only. Who has a run is the launcher's
to say; the repetition is Dagster's.
"""

import json
from typing import Protocol, runtime_checkable

import dagster as dg
from dagster._core.events import JobFailureData, RunFailureReason

STARTING = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING])
AT_MOST = 100
"""Runs in one look."""

TEXT = "The run's task is lost: neither a queue nor a worker has it, asked twice"


@runtime_checkable
class Carrier(Protocol):
    """What is needed of celery_runs.WatchedCeleryRunLauncher."""

    def nowhere(self, run_ids: list[str]) -> set[str]: ...

    def excuse(self, run: dg.DagsterRun) -> None: ...


def look(instance: dg.DagsterInstance, carrier: Carrier, missed: set[str]) -> tuple[set[str], set[str]]:
    """Give up the runs that are nowhere and were nowhere before.

    Args:
        missed: Ids of the runs that the look before did not find.

    Returns:
        Ids of the runs that were given up, and of those that were not found for the first time.
    """
    runs = {run.run_id: run for run in instance.get_runs(STARTING, limit=AT_MOST)}
    nowhere = carrier.nowhere(list(runs)) if runs else set()
    lost = set()
    for run_id in nowhere & missed:
        now = instance.get_run_by_id(run_id)
        if now is not None and now.status == dg.DagsterRunStatus.STARTING:
            carrier.excuse(now)
            reason = JobFailureData(error=None, failure_reason=RunFailureReason.START_TIMEOUT)
            instance.report_run_failed(now, TEXT, reason)
            lost.add(run_id)
    return lost, nowhere - missed


@dg.sensor(
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="In a cluster: runs whose worker was lost before they began are failed, and so repeated.",
)
def lost_starts(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    carrier = context.instance.run_launcher
    if not isinstance(carrier, Carrier):
        return dg.SkipReason("runs are not carried to other hosts here")
    lost, missed = look(context.instance, carrier, set(json.loads(context.cursor or "[]")))
    words = f"lost: {', '.join(sorted(lost))}" if lost else "no run is lost"
    return dg.SensorResult(skip_reason=words, cursor=json.dumps(sorted(missed)))
