"""Redis and PostgreSQL restarted in the middle of loads: all comes to its end without a person, nothing is
lost or doubled."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ingest_project.entities.messages.spec import SPEC
from ingest_project.orchestration.partitions import range_tags
from ingest_project_tests import readback
from ingest_project_tests.cluster.deployed import Cluster, cluster
from ingest_project_tests.cluster.restarting import Restartable, restartable
from ingest_project_tests.e2e.running import PATIENCE, Run, wait_until
from ingest_project_tests.faults.world import DAY, World, lines, record

pytestmark = [pytest.mark.dagster, pytest.mark.slow, pytest.mark.servers, pytest.mark.timeout(900)]

RECORDS, UNITS = 300, 40
"""Of a file, and of all writers a second: loads last, and leave the machine to others."""

LONG = 3 * PATIENCE
EARLIER = ("2026-10-01", "2026-10-02")


@pytest.fixture(scope="module")
def servers() -> Iterator[Restartable]:
    with restartable("postgresql", "redis") as found:
        yield found


@pytest.fixture(scope="module")
def running(make_world: Callable[[], World], servers: Restartable) -> Iterator[Cluster]:
    world = make_world()
    world.turned["INGEST_SHARED_WRITE_UNITS"] = f"{world.table}={UNITS}"
    with cluster(world, servers.at("postgresql"), servers.at("redis"), ("one",)) as found:
        found.stop_sensors()
        yield found


def planned(found: Cluster, days: tuple[str, ...]) -> None:
    """A file of its own for each day, planned."""
    world = found.world
    for day in days:
        content = [record(f"{day}-{number}", f"{day}/{number}") for number in range(RECORDS)]
        world.put(day, f"a/{world.table}-dump.jsonl", lines(content), content)
    runs = [found.launch("messages_plan", {"dagster/partition": day}) for day in days]
    ended(found, runs)


def loading(found: Cluster, days: tuple[str, ...]) -> list[str]:
    return [found.launch("messages_load", range_tags(day, SPEC.slots)) for day in days]


def ended(found: Cluster, runs: list[str]) -> None:
    """Each of the runs or what repeats it ended well. The web server, too, may have lost its database."""

    def last(known: list[Run], run_id: str) -> str:
        return next(r.status for r in known if run_id in (r.id, r.tags.get("dagster/root_run_id")))

    def well() -> bool:
        try:
            known = found.deployment.runs()
        except (OSError, AssertionError):
            return False
        return {"SUCCESS"} == {last(known, run_id) for run_id in runs}

    wait_until("all runs end well", well, timeout=LONG, pause=1.0)


def under_way(found: Cluster) -> bool:
    """Whether a table is being written now."""
    rows = readback.works(found.deployment.settings.ledger_url).values()
    return any(row["stage"] == "table" and row["state"] == "claimed" and row["sent"] for row in rows)


def in_order(found: Cluster) -> None:
    world = found.world
    assert world.expected() == world.in_table()
    assert world.expected() == world.in_index()
    rows = readback.works(found.deployment.settings.ledger_url).values()
    assert {("sealed", RECORDS)} == {(row["state"], row["sent"]) for row in rows}


def test_a_run_goes_on_without_its_broker_and_one_that_waited_in_it_is_repeated(
    running: Cluster, servers: Restartable
) -> None:
    planned(running, EARLIER)
    runs = loading(running, EARLIER)
    wait_until("a table is being written", lambda: under_way(running), timeout=LONG, pause=0.2)
    servers.stop("redis")
    servers.start()
    ended(running, runs)
    in_order(running)
    first = [run for run in running.deployment.runs() if run.id in runs]
    assert ["FAILURE", "SUCCESS"] == sorted(run.status for run in first)


def test_a_load_outlives_its_database(running: Cluster, servers: Restartable) -> None:
    planned(running, (DAY,))
    runs = loading(running, (DAY,))
    wait_until("a table is being written", lambda: under_way(running), timeout=LONG, pause=0.2)
    servers.stop("postgresql")
    servers.start()
    ended(running, runs)
    in_order(running)
    assert running.run(runs[0]).status == "SUCCESS"
