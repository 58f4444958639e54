"""kill -9 of a run whose ledger is in PostgreSQL, at two moments of each stage (see test_kills.py).

Between the tests the ledger is had back as a copy of its database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ingest_project.testing.running import RunningServer
from ingest_project_tests import readback
from ingest_project_tests.faults.clean import (
    Clean,
    clean_load,
    kill_while_planning,
    kill_while_validating,
    kill_while_writing,
    moments_of,
    turn_back,
)
from ingest_project_tests.faults.databases import DatabaseVault
from ingest_project_tests.faults.launcher import Launcher
from ingest_project_tests.faults.world import World

pytestmark = [pytest.mark.dagster, pytest.mark.slow]

MOMENTS = 2


@pytest.fixture(scope="module")
def clean(make_world: Callable[[], World], postgresql: RunningServer, launcher: Launcher) -> Iterator[Clean]:
    vault = DatabaseVault(postgresql.url)
    try:
        world = make_world()
        world.turned["INGEST_LEDGER_URL"] = vault.url
        yield clean_load(world, launcher, vault)
    finally:
        vault.drop()


@pytest.mark.parametrize("number", range(MOMENTS))
def test_a_kill_while_planning_leaves_the_plan_of_one_clean_run(
    clean: Clean, launcher: Launcher, number: int
) -> None:
    moment = moments_of(clean, "planned", MOMENTS)[number]
    kill_while_planning(clean, launcher, moment, go_on=number == 0)


@pytest.mark.parametrize("number", range(MOMENTS))
def test_a_kill_while_validating_leaves_the_parts_of_one_clean_run(
    clean: Clean, launcher: Launcher, number: int
) -> None:
    moment = moments_of(clean, "validated", MOMENTS)[number]
    kill_while_validating(clean, launcher, moment, go_on=number == 0)


@pytest.mark.parametrize("number", range(MOMENTS))
@pytest.mark.parametrize("stage", ["table", "index"])
def test_a_kill_while_writing_leaves_the_target_of_one_clean_load(
    clean: Clean, launcher: Launcher, stage: str, number: int
) -> None:
    kill_while_writing(clean, launcher, stage, moments_of(clean, stage, MOMENTS)[number])


def test_the_ledger_of_these_runs_is_nowhere_but_in_postgresql(clean: Clean) -> None:
    world = turn_back(clean, "index")
    assert {"validated", "table"} == {stage for stage, _ in readback.works(clean.world.ledger_url)}
    assert not list(world.home.rglob("*.db"))
