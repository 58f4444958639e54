"""A migration that is killed again and again comes to the same end as one that is left alone."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

import pytest

from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.migration import Moved
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.local.postgresql import database
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.testing.doubles_mortal import MortalLedger
from ingest_project.testing.faults import Killed, KillPoint, Life
from ingest_project.testing.running import RunningServer
from ingest_project_tests.entities.conversations.migration.mortal import MortalApi
from ingest_project_tests.entities.conversations.migration.scenes import (
    HANDLING,
    MESSAGES,
    Hands,
    filled,
    migration_of,
)

Tables = Mapping[str, TableDefinition]
LIVES, PROCESSES = 10, 5


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    server: RunningServer = request.getfixturevalue("postgresql")
    with database(server.url) as url:
        yield url


async def lived(
    api: DynamoDBApi, tables: Tables, ledger: SqlLedger, kill: KillPoint, owner: str, again: bool
) -> list[Moved]:
    """One process from the plan to the last embedding, unless it is killed."""
    migration = migration_of(MortalApi(api, kill), tables, MortalLedger(ledger, kill), owner=owner)
    plan = await migration.make_plan()
    await migration.prepare(plan)
    return [await migration.copy(plan, again=again), await migration.embed(plan, again=again)]


async def test_killed_ten_times_it_ends_as_if_it_never_was(
    quick_api: DynamoDBApi, quick_tables: Tables, ledger_url: str
) -> None:
    await filled(quick_api, quick_tables)
    clock, rng = Hands(), Random(8)
    ledger = SqlLedger(ledger_url, clock=clock)
    kills = rounds = 0
    while kills < LIVES:
        kill = KillPoint(Life(), at=rng.randrange(2, 16), after=rng.random() < 0.5)
        try:
            # Who survives makes room for a further round, so that ten are killed in any case.
            await lived(quick_api, quick_tables, ledger, kill, f"worker {kills}", again=rounds > 0)
            rounds += 1
        except Killed:
            kills += 1
            clock.now += HANDLING.load.lease + 1
    never = KillPoint(Life())
    moved = await lived(quick_api, quick_tables, ledger, never, "the last", again=False)
    assert [True, True] == [one.whole and one.counts.balanced for one in moved]
    assert [MESSAGES.count] * 2 == [one.counts.sent for one in moved]
    assert [MESSAGES.count] * 2 == [one.counts.written + one.counts.unchanged for one in moved]
    migration = migration_of(quick_api, quick_tables, ledger)
    plan = await migration.plan()
    verdict, findings = await migration.verify(plan)
    assert ([], True) == (findings.differences, verdict.clean)
    copied, embedded = await migration.copy(plan, again=True), await migration.embed(plan, again=True)
    assert [0, 0] == [copied.new.written, embedded.new.written]
    ledger.close()


def run_process(url: str, prefix: str, ledger_url: str, at: int) -> subprocess.CompletedProcess[str]:
    name = "ingest_project_tests.entities.conversations.migration.process"
    command = [sys.executable, "-m", name, url, prefix, ledger_url, str(at)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
async def test_processes_that_are_killed_leave_nothing_that_the_next_cannot_go_on_with(
    dynalite: RunningServer,
    quick_api: DynamoDBApi,
    quick_tables: Tables,
    table_name: str,
    tmp_path: Path,
) -> None:
    await filled(quick_api, quick_tables)
    ledger_url = f"sqlite:///{tmp_path / 'ledger.db'}"
    rng, killed = Random(3), 0
    for _ in range(PROCESSES):
        done = await asyncio.to_thread(
            run_process, dynalite.url, table_name, ledger_url, rng.randrange(14, 40)
        )
        assert done.returncode in (-signal.SIGKILL, 0), done.stderr
        killed += done.returncode != 0
    assert killed
    done = await asyncio.to_thread(run_process, dynalite.url, table_name, ledger_url, 0)
    assert 0 == done.returncode, done.stderr
    for counts in json.loads(done.stdout):
        assert MESSAGES.count == counts["sent"] == counts["written"] + counts["unchanged"]
    ledger = SqlLedger(ledger_url)
    migration = migration_of(quick_api, quick_tables, ledger)
    verdict, findings = await migration.verify(await migration.plan())
    assert ([], True) == (findings.differences, verdict.clean)
    ledger.close()
