"""The steps of a migration, in their order, on real servers: everything arrives, and twice is once."""

from __future__ import annotations

from collections.abc import Mapping

from ingest_project.core.table_definitions import TableDefinition
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.testing.doubles_ledger import InMemoryLedger
from ingest_project_tests.entities.conversations.migration.scenes import (
    MESSAGES,
    contents,
    filled,
    migrated,
    migration_of,
)

Tables = Mapping[str, TableDefinition]


async def test_everything_arrives_once_and_a_second_round_changes_nothing(
    api: DynamoDBApi, tables: Tables, ledger: InMemoryLedger
) -> None:
    await filled(api, tables)
    migration = migration_of(api, tables, ledger)
    plan = await migrated(migration)
    before = await contents(api, tables)
    assert [MESSAGES.count, MESSAGES.count] == [len(items) for items in before]
    verdict, findings = await migration.verify(plan)
    assert ([], True, 0) == (findings.differences, verdict.clean, verdict.rejected)
    assert {MESSAGES.count} == set(verdict.read.values())
    assert 7 == len(verdict.read)
    for step in (migration.copy, migration.embed):
        replayed, again = await step(plan), await step(plan, again=True)
        assert (0, 0, 1) == (replayed.new.sent, replayed.new.requests, replayed.round)
        assert (0, MESSAGES.count, 2) == (again.new.written, again.new.unchanged, again.round)
        assert again.new.balanced
    assert before == await contents(api, tables)
