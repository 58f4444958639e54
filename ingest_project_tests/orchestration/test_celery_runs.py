"""The health check of runs that Celery carries, against a real Redis; no worker runs here."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus

from ingest_project.orchestration.celery_runs import WatchedCeleryRunLauncher
from ingest_project.orchestration.inbox import LOAD, PLAN, Ask
from ingest_project.orchestration.pool import LARGE, QUEUE_TAG, SMALL, SMALL_BYTES
from ingest_project.orchestration.sensors import run_request
from ingest_project.testing.running import RunningServer
from ingest_project_tests.faults.deployed import only_our_warnings, spec

pytestmark = pytest.mark.dagster


@pytest.fixture
def launcher(redis: RunningServer) -> Iterator[WatchedCeleryRunLauncher]:
    made = WatchedCeleryRunLauncher(broker=redis.url, default_queue=LARGE)
    made.answer_seconds = 0.1
    yield made
    made.celery.close()


def started() -> dg.DagsterRun:
    return dg.DagsterRun(job_name="load", run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus.STARTED)


def test_a_run_that_no_worker_has_is_lost_at_the_second_look(launcher: WatchedCeleryRunLauncher) -> None:
    run = started()
    launcher.celery.backend.store_result(run.run_id, {"hostname": "1@gone", "pid": 1}, "STARTED")
    looks = [launcher.check_run_worker_health(run) for _ in range(2)]
    assert [WorkerStatus.RUNNING, WorkerStatus.FAILED] == [look.status for look in looks]
    assert "worker 1@gone does not have it" in str(looks[1].msg)


def test_a_run_of_which_the_broker_knows_nothing_any_more_is_lost_at_the_second_look(
    launcher: WatchedCeleryRunLauncher,
) -> None:
    run = started()
    looks = [launcher.check_run_worker_health(run).status for _ in range(2)]
    assert [WorkerStatus.RUNNING, WorkerStatus.FAILED] == looks


@pytest.mark.parametrize("state", ["SUCCESS", "FAILURE"])
def test_a_task_that_ended_with_its_run_open_is_dead_at_once(
    launcher: WatchedCeleryRunLauncher, state: str
) -> None:
    run = started()
    launcher.celery.backend.store_result(run.run_id, 0 if state == "SUCCESS" else OSError("gone"), state)
    found = launcher.check_run_worker_health(run)
    assert (WorkerStatus.FAILED, True) == (found.status, f"({state})" in str(found.msg))


def test_what_is_not_small_waits_in_the_queue_of_large_runs() -> None:
    def queue(phase: str, size: int) -> str:
        asked = Ask(request="some-request", phase=phase, date="2026-11-02", size=size)
        with only_our_warnings():
            return run_request(spec(), asked).tags[QUEUE_TAG]

    assert (SMALL, LARGE) == (queue(LOAD, SMALL_BYTES - 1), queue(LOAD, SMALL_BYTES))
    assert SMALL == queue(PLAN, SMALL_BYTES)
