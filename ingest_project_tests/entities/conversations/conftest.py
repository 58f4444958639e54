"""Here every test that takes a DynamoDB is run on each of them, with fresh tables of conversations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest

from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.tables import tables_of
from ingest_project.local.servers import ACCESS_KEY, SECRET_KEY
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.signing import StaticCredentials
from ingest_project.sinks.table_definitions import ensure_table
from ingest_project_tests.every_server import clients, dynamodb, dynamodb_endpoint, dynamodb_server
from ingest_project_tests.sinks.sending import dynamodb_api

__all__ = ["clients", "dynamodb", "dynamodb_endpoint", "dynamodb_server"]


@pytest.fixture
async def api(dynamodb_endpoint: str) -> AsyncIterator[DynamoDBApi]:
    credentials = StaticCredentials(access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    async with dynamodb_api(dynamodb_endpoint, credentials=credentials) as found:
        yield found


@pytest.fixture
async def tables(api: DynamoDBApi, table_name: str) -> Mapping[str, TableDefinition]:
    """All three tables, made anew and ready."""
    found = tables_of({word: f"{table_name}-{word}" for word in tables_of()})
    for definition in found.values():
        await ensure_table(api, definition)
    return found
