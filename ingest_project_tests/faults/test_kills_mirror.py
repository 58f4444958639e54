"""kill -9 of a run that mirrors a warehouse, its ledger in PostgreSQL, in the middle of the pages and in the
middle of the table: the next attempt ends with the targets of one clean load, and asks for nothing twice but
what was under way."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from ingest_project.testing.running import RunningServer
from ingest_project.testing.wms_running import RunningWms, Simulators
from ingest_project_tests import readback
from ingest_project_tests.faults.databases import DatabaseVault
from ingest_project_tests.faults.launcher import KILLED, Attempt, Launcher, moments
from ingest_project_tests.faults.mirrored import PLANNED, STAGES
from ingest_project_tests.faults.world import World

pytestmark = [pytest.mark.dagster, pytest.mark.slow]

ROWS, PAGE_ROWS, AT_ONCE = 160, 10, 4
MOMENTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """One mirror of the warehouse: a bucket, a database, a table and an index of its own."""

    world: World
    warehouse: RunningWms
    launcher: Launcher
    target: str

    def run(self, *stages: str, **words: Any) -> Attempt:
        return self.launcher.run(self.world, stages, kind="mirrored", target=self.target, **words)

    def lists(self) -> int:
        """Pages that were asked for so far."""
        return int(self.warehouse.control("state")["asked"]["list"])

    def kept(self) -> dict[str, Any]:
        """All that the targets hold."""
        return {
            "current": readback.items(self.world.dynamodb, self.target),
            "history": readback.items(self.world.dynamodb, f"{self.target}-history"),
            "index": self.world.in_index(self.target),
        }

    def rows(self, query: str) -> list[Any]:
        return list(readback.rows(self.world.ledger_url, query))

    def assert_nothing_is_left(self) -> None:
        """Slices and works are through, each row is counted once, and no object lies there uncounted."""
        assert [("done", ROWS)] == [
            (row["state"], row["rows"])
            for row in self.rows("SELECT state, sum(rows) AS rows FROM ingest_slices GROUP BY state")
        ]
        works = readback.works(self.world.ledger_url)
        assert set(STAGES[1:]) == {stage for stage, _ in works}
        assert {"sealed"} == {row["state"] for row in works.values()}
        prefix = f"s3://{self.world.bucket}/"
        landed = {row["uri"].removeprefix(prefix) for row in self.rows("SELECT uri FROM ingest_landings")}
        assert landed == set(self.world.stored_below("stages/pages/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """What one load without a disturbance left, and what it took."""

    kept: dict[str, Any]
    attempts: dict[str, Attempt]
    lists: int


@contextmanager
def a_mirror(
    world: World, server: RunningServer, warehouse: RunningWms, launcher: Launcher
) -> Iterator[Mirror]:
    """A full sync that is begun."""
    vault = DatabaseVault(server.url)
    access = {"URL": warehouse.url, "USER": "demo", "PASSWORD": "demo", "QUOTA": "1000"}
    access |= {"PAGE_SIZE": str(PAGE_ROWS), "AT_ONCE": str(AT_ONCE)}
    world.turned |= {f"INGEST_WMS_{name}": value for name, value in access.items()}
    world.turned |= {"INGEST_LEDGER_URL": vault.url, "INGEST_IN_FLIGHT": "4"}
    try:
        target = f"wms-{uuid.uuid4().hex[:8]}"
        mirror = Mirror(world=world, warehouse=warehouse, launcher=launcher, target=target)
        assert "SUCCESS" == mirror.run(PLANNED).result
        yield mirror
    finally:
        vault.drop()


@pytest.fixture(scope="module")
def warehouse() -> Iterator[RunningWms]:
    """One in which nothing changes: every mirror of it is the same."""
    simulators = Simulators()
    yield simulators("--rows", f"allocation={ROWS}", "--user", "demo", "--password", "demo")
    simulators.close()


@pytest.fixture(scope="module")
def clean(
    make_world: Callable[[], World], postgresql: RunningServer, warehouse: RunningWms, launcher: Launcher
) -> Clean:
    with a_mirror(make_world(), postgresql, warehouse, launcher) as mirror:
        before = mirror.lists()
        attempts = {"pages": mirror.run("pages")}
        lists = mirror.lists() - before
        assert "SUCCESS" == mirror.run("validated").result
        attempts["current"] = mirror.run("current")
        assert "SUCCESS" == mirror.run("history", "index").result
        mirror.assert_nothing_is_left()
        kept = mirror.kept()
    assert {"SUCCESS"} == {attempt.result for attempt in attempts.values()}
    truth = sorted(row["id"] for row in warehouse.truth("allocation"))
    for name, found in kept.items():
        assert truth == sorted(map(int, found)), name
    return Clean(kept=kept, attempts=attempts, lists=lists)


@pytest.fixture
def mirror(
    world: World, postgresql: RunningServer, warehouse: RunningWms, launcher: Launcher
) -> Iterator[Mirror]:
    with a_mirror(world, postgresql, warehouse, launcher) as made:
        yield made


def moment(clean: Clean, stage: str, number: int) -> int:
    """One to die at. What happens when differs from run to run: the last steps of one may lack in another."""
    return moments(f"mirror/{stage}", clean.attempts[stage].steps * 4 // 5, MOMENTS)[number]


@pytest.mark.parametrize("number", range(MOMENTS))
def test_a_kill_while_pages_are_read_ends_in_one_clean_load(
    clean: Clean, mirror: Mirror, number: int
) -> None:
    before = mirror.lists()
    first = mirror.run("pages", kill_at=moment(clean, "pages", number))
    assert KILLED == first.status
    second = mirror.run(*STAGES, root=first.run_id)
    assert "SUCCESS" == second.result
    # One page of each slice that was at work, at most; and the last, empty one of a slice that had it.
    assert clean.lists <= mirror.lists() - before <= clean.lists + AT_ONCE
    assert clean.kept == mirror.kept()
    mirror.assert_nothing_is_left()


@pytest.mark.parametrize("number", range(MOMENTS))
def test_a_kill_while_the_table_is_written_ends_in_one_clean_load(
    clean: Clean, mirror: Mirror, number: int
) -> None:
    assert "SUCCESS" == mirror.run("pages", "validated").result
    first = mirror.run("current", kill_at=moment(clean, "current", number))
    assert KILLED == first.status
    works = readback.works(mirror.world.ledger_url)
    durable = sum(row["written"] for (stage, _), row in works.items() if stage == "current")
    second = mirror.run("current", "history", "index", root=first.run_id)
    assert "SUCCESS" == second.result
    # What was durable was not sent again.
    assert ROWS == durable + second.items("to_current")
    assert clean.kept == mirror.kept()
    mirror.assert_nothing_is_left()
