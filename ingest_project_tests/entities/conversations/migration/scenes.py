"""An old table with generated rows, and migrations over it as one process after the other would run them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ingest_project.core.access_patterns import Scan
from ingest_project.core.encoding import Encoder
from ingest_project.core.loading import LoadSettings
from ingest_project.core.ports import Ledger
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.migration import (
    Handling,
    Migration,
    MigrationPlan,
    MigrationSettings,
)
from ingest_project.entities.conversations.queries import SCAN_EMBEDDINGS, SCAN_HISTORY
from ingest_project.resources.encoders.hashing import HashingEncoder
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.table_reading import TableReader
from ingest_project.testing.conversation_messages import NOW, Messages, write_messages

MESSAGES = Messages(count=72, users=7)
ENCODER = HashingEncoder(dimensions=32)
SETTINGS = MigrationSettings(segments=3)
HANDLING = Handling(
    in_flight=4,
    page=100,
    at_once=2,
    retry=RetryPolicy(base=0.01, attempts=4),
    load=LoadSettings(step_seconds=0.02, step_items=25),
)


@dataclass(slots=True)
class Hands:
    """A clock that is moved by hand."""

    now: float = field(default_factory=NOW.timestamp)

    def __call__(self) -> float:
        return self.now


def migration_of(
    api: DynamoDBApi,
    tables: Mapping[str, TableDefinition],
    ledger: Ledger,
    *,
    owner: str = "worker",
    encoder: Encoder = ENCODER,
    settings: MigrationSettings = SETTINGS,
    clock: Hands | None = None,
    most_named: int = 1000,
) -> Migration:
    return Migration(
        api,
        tables,
        ledger,
        encoder,
        owner=owner,
        settings=settings,
        handling=HANDLING,
        clock=clock or Hands(),
        rng=Random(1),
        most_named=most_named,
    )


async def filled(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition], messages: Messages = MESSAGES
) -> None:
    assert messages.count == await write_messages(messages, DynamoDBSink(api, tables["old"].name), window=4)


async def migrated(migration: Migration) -> MigrationPlan:
    plan = await migration.make_plan()
    await migration.prepare(plan)
    for moved in (await migration.copy(plan), await migration.embed(plan)):
        assert {} == moved.failures
    return plan


async def all_of(api: DynamoDBApi, tables: Mapping[str, TableDefinition], scan: Scan) -> list[dict[str, Any]]:
    """Every item, sorted by its text."""
    reader = TableReader(api, tables, rng=Random(1))
    items: list[dict[str, Any]] = []
    found = await reader.page(scan, segment=0, segments=1, start=None)
    items += found.items
    while found.following is not None:
        found = await reader.page(scan, segment=0, segments=1, start=found.following)
        items += found.items
    return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))


async def contents(
    api: DynamoDBApi, tables: Mapping[str, TableDefinition]
) -> tuple[Sequence[dict[str, Any]], Sequence[dict[str, Any]]]:
    """All of the history and of the embeddings."""
    return await all_of(api, tables, SCAN_HISTORY), await all_of(api, tables, SCAN_EMBEDDINGS)


async def put(api: DynamoDBApi, table: str, item: Mapping[str, Any]) -> None:
    await api.call("PutItem", {"TableName": table, "Item": dict(item)})


async def drop(api: DynamoDBApi, definition: TableDefinition, item: Mapping[str, Any]) -> None:
    key = {name: item[name] for name, _ in definition.keys.parts}
    await api.call("DeleteItem", {"TableName": definition.name, "Key": key})
