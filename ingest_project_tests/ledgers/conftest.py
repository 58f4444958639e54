"""Both databases of the ledger: an SQLite file, and a PostgreSQL server that lives as long as the session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest_project.ledgers.sql import SqlLedger
from ingest_project.local.postgresql import database
from ingest_project.testing.doubles_time import FakeClock
from ingest_project.testing.running import RunningServer


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    server: RunningServer = request.getfixturevalue("postgresql")
    with database(server.url) as url:
        yield url


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ledger(ledger_url: str, clock: FakeClock) -> Iterator[SqlLedger]:
    """An empty ledger on each kind of database; its time is ``clock``."""
    ledger = SqlLedger(ledger_url, clock=clock)
    yield ledger
    ledger.close()
