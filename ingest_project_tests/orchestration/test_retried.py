"""When a run counts as ended."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from ingest_project.orchestration.retried import is_over

FAILURE = dg.DagsterRunStatus.FAILURE


@pytest.fixture
def instance(tmp_path: Path) -> dg.DagsterInstance:
    """One that repeats runs, as the deployments do."""
    return dg.DagsterInstance.local_temp(str(tmp_path), overrides={"run_retries": {"enabled": True}})


def run(status: dg.DagsterRunStatus, **tags: str) -> dg.DagsterRun:
    return dg.DagsterRun(
        job_name="load", status=status, tags={f"dagster/{name}": tags[name] for name in tags}
    )


@pytest.mark.parametrize(
    ("seen", "over"),
    [
        (run(dg.DagsterRunStatus.STARTED), False),
        (run(dg.DagsterRunStatus.SUCCESS), True),
        (run(dg.DagsterRunStatus.CANCELED), True),
        (run(FAILURE), False),
        (run(FAILURE, will_retry="true"), False),
        (run(FAILURE, will_retry="false"), True),
    ],
    ids=["started", "success", "canceled", "undecided", "repeated", "given up"],
)
def test_a_failure_is_the_end_once_dagster_has_said_that_it_will_not_try_again(
    instance: dg.DagsterInstance, seen: dg.DagsterRun, over: bool
) -> None:
    assert over == is_over(instance, seen)


def test_without_retries_a_failure_is_the_end_at_once() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert is_over(instance, run(FAILURE))
