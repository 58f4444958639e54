"""Ledgers for migrations, and tables on the emulator that is quick."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest

from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.tables import tables_of
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.signing import StaticCredentials
from ingest_project.sinks.table_definitions import ensure_table
from ingest_project.testing.doubles_ledger import InMemoryLedger
from ingest_project.testing.running import RunningServer
from ingest_project_tests.entities.conversations.migration.scenes import Hands
from ingest_project_tests.sinks.sending import dynamodb_api


@pytest.fixture
def ledger() -> InMemoryLedger:
    return InMemoryLedger(Hands())


@pytest.fixture
async def quick_api(dynalite: RunningServer) -> AsyncIterator[DynamoDBApi]:
    credentials = StaticCredentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    async with dynamodb_api(dynalite.url, credentials=credentials) as found:
        yield found


@pytest.fixture
async def quick_tables(quick_api: DynamoDBApi, table_name: str) -> Mapping[str, TableDefinition]:
    """Definitions under names of their own; the old table stands, the new ones do not."""
    found = tables_of({word: f"{table_name}-{word}" for word in tables_of()})
    await ensure_table(quick_api, found["old"])
    return found
