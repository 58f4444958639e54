"""The request budget in the ledger, on both databases: one for all processes, whatever their number."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from itertools import pairwise
from multiprocessing.connection import Connection
from typing import Any

import pytest

from ingest_project.core.budgeting import SLACK, Budget
from ingest_project.ledgers.budgets import LedgerBudget
from ingest_project.testing.doubles_time import FakeClock

SPAWN = multiprocessing.get_context("spawn")
QUOTA, TURNS = 5.0, 40


@pytest.fixture
def budget(ledger_url: str, clock: FakeClock) -> Iterator[LedgerBudget]:
    made = LedgerBudget(ledger_url, "wms", QUOTA, clock=clock)
    yield made
    made.close()


def test_turns_are_as_far_apart_as_the_quota_says(budget: LedgerBudget, clock: FakeClock) -> None:
    waits = [budget.take(0).wait for _ in range(4)]
    assert waits == pytest.approx([0.0, 0.2, 0.4, 0.6])
    clock.advance(10.0)
    assert budget.take(0).wait == 0.0
    assert budget.standing().taken == 5


def test_an_objection_to_one_silences_the_other(
    ledger_url: str, budget: LedgerBudget, clock: FakeClock
) -> None:
    other = LedgerBudget(ledger_url, "wms", QUOTA, clock=clock)
    mine, theirs = budget.take(0), other.take(0)
    assert other.stands(theirs)
    budget.object(mine, 30.0)
    assert not other.stands(theirs)
    again = other.take(0)
    assert (again.wait, other.stands(again)) == (30.0, True)
    assert (other.standing().rate, other.standing().objections) == (QUOTA / 2, 1)
    other.close()


def test_a_hold_without_an_objection_leaves_the_rate(budget: LedgerBudget, clock: FakeClock) -> None:
    budget.hold(7.0)
    assert budget.take(0).wait == 7.0
    assert budget.standing().rate == QUOTA


def test_each_api_has_a_budget_of_its_own(ledger_url: str, budget: LedgerBudget, clock: FakeClock) -> None:
    other = LedgerBudget(ledger_url, "another", QUOTA, clock=clock)
    assert other.standing() == Budget(rate=QUOTA)
    budget.object(budget.take(0), 30.0)
    assert other.take(0).wait == 0.0
    other.close()


def take_turns(url: str, gate: Any, answer: Connection) -> None:
    """Body of one process: turn after turn, as fast as they are given."""
    budget = LedgerBudget(url, "wms", QUOTA)
    budget.standing()
    gate.wait()
    answer.send([budget.take(0).moment for _ in range(TURNS)])
    budget.close()


def test_two_processes_together_keep_to_one_quota(ledger_url: str) -> None:
    """What two processes were given is as far apart as what one is: within 10 % of the quota over all."""
    ends = [SPAWN.Pipe(duplex=False) for _ in range(2)]
    gate = SPAWN.Barrier(2)
    workers = [SPAWN.Process(target=take_turns, args=(ledger_url, gate, send)) for _, send in ends]
    for worker in workers:
        worker.start()
    moments = sorted(moment for receive, _ in ends for moment in receive.recv())
    for worker in workers:
        worker.join()
    assert len(moments) == 2 * TURNS
    gaps = [after - before for before, after in pairwise(moments)]
    assert min(gaps[1:]) >= 1 / QUOTA - SLACK - 1e-6
    assert 0.9 * QUOTA <= (len(moments) - 1) / (moments[-1] - moments[0]) <= 1.1 * QUOTA
