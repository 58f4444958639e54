"""The pool of runs that work on files, and which of them go first, as Dagster's queue decides it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from ingest_project.orchestration.inbox import LOAD, PLAN, Ask
from ingest_project.orchestration.pool import FILES, keep_limit
from ingest_project.orchestration.sensors import run_request
from ingest_project_tests.faults.deployed import definitions, only_our_warnings, spec

pytestmark = pytest.mark.dagster

PROJECT = Path(__file__).resolve().parents[2]
REPOSITORY = RemoteRepositoryOrigin(
    InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="ingest_project.definitions")), "here"
)
MIB = 1 << 20


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    """A Dagster instance as this project configures it, with its queue and without its daemon."""
    home = tmp_path_factory.mktemp("dagster")
    shutil.copy(PROJECT / "dagster.yaml", home)
    with only_our_warnings(), dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


@pytest.fixture
def instance(made: dg.DagsterInstance) -> dg.DagsterInstance:
    made.wipe()
    return made


@pytest.fixture(scope="module")
def location() -> dg.Definitions:
    with only_our_warnings():
        return definitions()


def ask(instance: dg.DagsterInstance, location: dg.Definitions, *asks: Ask) -> list[str]:
    """Queue what the sensor asks for; the runs' ids."""
    queued: list[str] = []
    for one in asks:
        wanted = run_request(spec(), one)
        assert wanted.job_name
        tags = {**wanted.tags, **({"dagster/partition": one.date} if one.phase == PLAN else {})}
        with only_our_warnings():
            job = location.resolve_job_def(wanted.job_name)
            run = instance.create_run_for_job(
                job,
                tags=tags,
                status=dg.DagsterRunStatus.QUEUED,
                remote_job_origin=RemoteJobOrigin(REPOSITORY, wanted.job_name),
            )
        queued.append(run.run_id)
    return queued


def load(day: int, size: int = 0) -> Ask:
    return Ask(request=f"messages:x:{day}", phase=LOAD, date=f"2026-11-{day:02}", size=size)


def next_runs(instance: dg.DagsterInstance) -> Sequence[str]:
    """What the daemon would launch now, in this order."""
    daemon = QueuedRunCoordinatorDaemon(interval_seconds=1)
    config = instance.get_concurrency_config()
    return [run.run_id for run in daemon._get_runs_to_dequeue(instance, config, None)]


def test_as_many_runs_work_on_files_as_the_setting_says_and_the_others_wait(
    instance: dg.DagsterInstance, location: dg.Definitions
) -> None:
    keep_limit(instance, 3)
    queued = ask(instance, location, *(load(day) for day in range(1, 5)))
    assert queued[:3] == next_runs(instance)
    keep_limit(instance, 5)
    assert queued == next_runs(instance)


def test_a_planning_does_not_wait_for_the_pool_of_loads(
    instance: dg.DagsterInstance, location: dg.Definitions
) -> None:
    keep_limit(instance, 1)
    plan = Ask(request="messages:x:1", phase=PLAN, date="2026-11-09")
    queued = ask(instance, location, load(1), load(2), plan)
    assert [queued[0], queued[2]] == next_runs(instance)


def test_smaller_files_go_first(instance: dg.DagsterInstance, location: dg.Definitions) -> None:
    keep_limit(instance, 2)
    sizes = (900 * MIB, 3 * MIB, 10)
    queued = ask(instance, location, *(load(day, size) for day, size in enumerate(sizes, start=1)))
    assert [queued[2], queued[1]] == next_runs(instance)


def test_the_limit_of_the_pool_follows_the_setting_and_nothing_else(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    storage.initialize_concurrency_limit_to_default(FILES)
    keep_limit(instance, 5)
    keep_limit(instance, 5)
    (found,) = [pool for pool in storage.get_pool_limits() if pool.name == FILES]
    assert (5, False) == (found.limit, found.from_default)
