"""kill -9 of a worker in the middle of a run: the run is repeated by the other worker, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psutil
import pytest

from ingest_project.testing.running import RunningServer
from ingest_project_tests import readback
from ingest_project_tests.cluster.deployed import Cluster, cluster
from ingest_project_tests.e2e.running import PATIENCE, Run, wait_until
from ingest_project_tests.faults.world import DAY, World, record, wrapped

pytestmark = [pytest.mark.dagster, pytest.mark.slow, pytest.mark.timeout(900)]

RECORDS, KEYS = 3000, 2500
LONG = 3 * PATIENCE


@pytest.fixture(scope="module")
def running(
    make_world: Callable[[], World], postgresql: RunningServer, redis: RunningServer
) -> Iterator[Cluster]:
    world = make_world()
    with cluster(world, postgresql, redis, ("one", "two")) as found:
        yield found


def accounts(found: Cluster) -> dict[str, tuple[str, int]]:
    """Stage -> state and records sent, from the ledger's own rows."""
    rows = readback.works(found.deployment.settings.ledger_url).values()
    return {row["stage"]: (row["state"], row["sent"]) for row in rows}


def loads(found: Cluster) -> list[Run]:
    """Runs of the load, the newest first."""
    return [run for run in found.deployment.runs() if run.tags.get("ingest/phase") == "load"]


def test_a_run_whose_worker_was_killed_is_repeated_by_the_other_one(running: Cluster) -> None:
    world = running.world
    content = [record(f"k{number % KEYS}", f"a{number}") for number in range(RECORDS)]
    world.put(DAY, f"a/{world.table}-dump.json", wrapped(content), content)

    def under_way() -> bool:
        state, sent = accounts(running).get("table", ("", 0))
        return state == "claimed" and sent < KEYS

    wait_until("the table is being written", under_way, timeout=LONG, pause=0.05)
    (lost,) = loads(running)
    process, worker = psutil.Process(running.process_of(lost)), running.worker_of(lost)
    psutil.Process(running.workers[worker].pid).kill()
    process.wait(PATIENCE)
    wait_until("the run is given up", lambda: running.run(lost.id).status == "FAILURE")
    wait_until("it is repeated", lambda: loads(running)[0].id != lost.id, timeout=LONG)
    wait_until("it ends", lambda: loads(running)[0].ended, timeout=LONG)
    (again, _) = loads(running)
    assert ("SUCCESS", lost.id) == (again.status, again.tags["dagster/parent_run_id"])
    assert "The run's worker is lost" in running.said(lost)
    assert world.expected() == world.in_table()
    assert world.expected() == world.in_index()
    assert {"sealed"} == {state for state, _ in accounts(running).values()}


def test_compute_logs_of_the_workers_lie_in_the_bucket(running: Cluster) -> None:
    assert running.world.stored_below("compute-logs/")
