"""kill -9 of a run at ten moments of each stage: the next attempt makes the targets equal to those of one
clean load.

And it does only what was not durable: the ledger is read between the two attempts, the journal tells what the
second did. What lies between the stages (plan, parts) is compared at each moment, byte for byte; behind the
first moment of these stages the load goes on into the targets.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ingest_project_tests.faults.clean import (
    Clean,
    NoVault,
    assert_equal_to_clean,
    assert_started_where_it_was_durable,
    clean_load,
    kill_while_planning,
    kill_while_validating,
    kill_while_writing,
    ledger_rows,
    moments_of,
    turn_back,
)
from ingest_project_tests.faults.launcher import KILLED, Launcher
from ingest_project_tests.faults.world import World

pytestmark = [pytest.mark.dagster, pytest.mark.slow]

MOMENTS = 10


@pytest.fixture(scope="module")
def clean(make_world: Callable[[], World], launcher: Launcher) -> Clean:
    return clean_load(make_world(), launcher, NoVault())


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


def test_a_second_run_over_sealed_work_makes_no_sink_call(clean: Clean, launcher: Launcher) -> None:
    world = turn_back(clean, "table")
    assert "SUCCESS" == launcher.run(world, ["table", "index"]).result
    again = launcher.run(world, ["validated", "table", "index"])
    assert "SUCCESS" == again.result
    assert (0, 0, 0) == (again.items("to_table"), again.items("to_index"), again.parts())
    assert all(claim["sealed"] for claim in again.claims())
    assert 15 == len(again.claims())
    assert_equal_to_clean(clean, "validated", "table", "index")


def test_another_owner_waits_for_the_lease_of_a_killed_run(clean: Clean, launcher: Launcher) -> None:
    world = turn_back(clean, "table")
    world.turned["INGEST_LEASE_SECONDS"] = "5"
    try:
        moment = moments_of(clean, "table", 1)[0]
        first = launcher.run(world, ["table"], kill_at=moment, no_checks=True)
        durable = ledger_rows(world)
        second = launcher.run(world, ["table"], no_checks=True)
    finally:
        del world.turned["INGEST_LEASE_SECONDS"]
    assert (KILLED, "SUCCESS") == (first.status, second.result)
    assert {f"run:{second.run_id}"} == {claim["owner"] for claim in second.claims()}
    assert_started_where_it_was_durable(durable, second)
    assert_equal_to_clean(clean, "table")


def test_a_kill_on_a_stored_instance_keeps_what_was_materialized(clean: Clean, launcher: Launcher) -> None:
    world = turn_back(clean, "table")
    moment = clean.attempts["table"].steps * 2 // 3
    first = launcher.run(world, ["table"], kill_at=moment, kept=True, no_checks=True)
    second = launcher.run(world, ["table"], root=first.run_id, kept=True)
    assert (KILLED, "SUCCESS") == (first.status, second.result)
    assert first.count("log_event") > 0
    assert_equal_to_clean(clean, "table")
