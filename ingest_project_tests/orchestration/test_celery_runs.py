"""The health check of runs that Celery carries, against a real Redis; no worker runs here."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus

from ingest_project.orchestration.celery_runs import LOST_TAG, WatchedCeleryRunLauncher
from ingest_project.orchestration.inbox import LOAD, PLAN, Ask
from ingest_project.orchestration.lost_starts import look
from ingest_project.orchestration.pool import LARGE, QUEUE_TAG, SMALL, SMALL_BYTES
from ingest_project.orchestration.sensors import run_request
from ingest_project.testing.running import RunningServer
from ingest_project_tests.faults.deployed import only_our_warnings, spec

pytestmark = pytest.mark.dagster


@pytest.fixture
def launcher(redis: RunningServer) -> Iterator[WatchedCeleryRunLauncher]:
    made = WatchedCeleryRunLauncher(broker=redis.url, default_queue=LARGE)
    made.answer_seconds = 0.1
    with dg.DagsterInstance.ephemeral() as instance:
        made.register_instance(instance)
        yield made
    made.celery.close()


def started(**tags: str) -> dg.DagsterRun:
    return a_run(dg.DagsterRunStatus.STARTED, **tags)


def a_run(status: dg.DagsterRunStatus, **tags: str) -> dg.DagsterRun:
    return dg.DagsterRun(job_name="load", run_id=str(uuid.uuid4()), status=status, tags=tags)


def test_a_run_that_no_worker_has_is_lost_at_the_second_look(launcher: WatchedCeleryRunLauncher) -> None:
    run = launcher._instance.add_run(started())
    launcher.celery.backend.store_result(run.run_id, {"hostname": "1@gone", "pid": 1}, "STARTED")
    looks = [launcher.check_run_worker_health(run) for _ in range(2)]
    assert [WorkerStatus.RUNNING, WorkerStatus.FAILED] == [look.status for look in looks]
    assert "worker 1@gone does not have it" in str(looks[1].msg)


def test_a_run_of_which_the_broker_knows_nothing_any_more_is_lost_at_the_second_look(
    launcher: WatchedCeleryRunLauncher,
) -> None:
    run = launcher._instance.add_run(started())
    looks = [launcher.check_run_worker_health(run).status for _ in range(2)]
    assert [WorkerStatus.RUNNING, WorkerStatus.FAILED] == looks


def test_a_worker_that_was_silent_is_not_asked_for_each_of_its_runs(
    launcher: WatchedCeleryRunLauncher,
) -> None:
    runs = [launcher._instance.add_run(started()) for _ in range(3)]
    for run in runs:
        launcher.celery.backend.store_result(run.run_id, {"hostname": "1@gone", "pid": 1}, "STARTED")
    launcher.check_run_worker_health(runs[0])
    # Whoever waited for an answer now would wait for longer than the test may last.
    launcher.answer_seconds = 3600.0
    looks = [launcher.check_run_worker_health(run).msg for run in runs[1:]]
    assert ["no answer yet"] * 2 == looks


@pytest.mark.parametrize("state", ["SUCCESS", "FAILURE"])
def test_a_task_that_ended_with_its_run_open_is_dead_at_once(
    launcher: WatchedCeleryRunLauncher, state: str
) -> None:
    run = started()
    launcher.celery.backend.store_result(run.run_id, 0 if state == "SUCCESS" else OSError("gone"), state)
    found = launcher.check_run_worker_health(run)
    assert (WorkerStatus.FAILED, True) == (found.status, f"({state})" in str(found.msg))


@pytest.mark.parametrize(("lost", "most"), [({}, "1"), ({LOST_TAG: "4"}, "5"), ({LOST_TAG: "20"}, None)])
def test_a_lost_worker_does_not_count_among_a_runs_retries_for_twenty_times_and_puts_it_first(
    launcher: WatchedCeleryRunLauncher, lost: dict[str, str], most: str | None
) -> None:
    # An ephemeral instance repeats nothing by itself.
    run = launcher._instance.add_run(started(**lost))
    for _ in range(2):
        launcher.check_run_worker_health(run)
    found = launcher._instance.get_run_by_id(run.run_id)
    assert found is not None
    assert (most, most and "100") == tuple(
        found.tags.get(f"dagster/{name}") for name in ("max_retries", "priority")
    )


def test_a_run_in_a_queue_is_somewhere(launcher: WatchedCeleryRunLauncher) -> None:
    waiting, gone = str(uuid.uuid4()), str(uuid.uuid4())
    launcher.celery.send_task("some task", task_id=waiting, queue=SMALL, routing_key=f"{SMALL}.run")
    assert {gone} == launcher.nowhere([waiting, gone])
    assert set() == launcher.nowhere([])


class Somewhere:
    """A carrier of runs who knows where all are but some."""

    def __init__(self, nowhere: set[str]) -> None:
        self.gone, self.excused = nowhere, set[str]()

    def nowhere(self, run_ids: list[str]) -> set[str]:
        return self.gone.intersection(run_ids)

    def excuse(self, run: dg.DagsterRun) -> None:
        self.excused.add(run.run_id)


def test_a_run_that_is_nowhere_twice_before_it_began_is_given_up() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        lost, sent = (instance.add_run(a_run(dg.DagsterRunStatus.STARTING)).run_id for _ in range(2))
        begun = instance.add_run(started()).run_id
        carrier = Somewhere({lost, begun})
        assert (set(), {lost}) == look(instance, carrier, set())
        assert ({lost}, set()) == look(instance, carrier, {lost})
        assert {lost} == carrier.excused
        states = [found.status.value for run in (lost, sent, begun) if (found := instance.get_run_by_id(run))]
    assert ["FAILURE", "STARTING", "STARTED"] == states


def test_what_is_not_small_waits_in_the_queue_of_large_runs() -> None:
    def queue(phase: str, size: int) -> str:
        asked = Ask(request="some-request", phase=phase, date="2026-11-02", size=size)
        with only_our_warnings():
            return run_request(spec(), asked).tags[QUEUE_TAG]

    assert (SMALL, LARGE) == (queue(LOAD, SMALL_BYTES - 1), queue(LOAD, SMALL_BYTES))
    assert SMALL == queue(PLAN, SMALL_BYTES)
