"""The steps of a migration, in their order, on real servers: everything arrives, and twice is once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest_project.core.access_linting import lint
from ingest_project.core.errors import PlanDrift, RemoteWriteRefused, TargetMissing
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.migration import Migration, MigrationRefused
from ingest_project.entities.conversations.migration.records import RECORDS, WORD, definition_of
from ingest_project.ledgers.rejections import Selection
from ingest_project.ledgers.sql import SqlLedger
from ingest_project.resources.encoders.hashing import HashingEncoder
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.table_definitions import check_table
from ingest_project.testing.doubles_ledger import InMemoryLedger
from ingest_project.wire.http import Endpoint
from ingest_project_tests.entities.conversations.migration.scenes import (
    ENCODER,
    MESSAGES,
    SETTINGS,
    Hands,
    contents,
    drop,
    filled,
    migrated,
    migration_of,
    put,
)

Tables = Mapping[str, TableDefinition]
DAY = 86_400


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


async def test_the_old_table_is_deleted_last_and_only_when_all_is_proven(
    quick_api: DynamoDBApi, quick_tables: Tables, ledger: InMemoryLedger
) -> None:
    await filled(quick_api, quick_tables)
    clock = Hands()
    migration = migration_of(quick_api, quick_tables, ledger, clock=clock)
    plan = await migration.make_plan()
    with pytest.raises(MigrationRefused, match="prepare the tables first"):
        await migration.copy(plan)
    assert plan == await migrated(migration)
    with pytest.raises(MigrationRefused, match="not verified"):
        await migration.cut_over(plan)
    lost = (await contents(quick_api, quick_tables))[0][0]
    await drop(quick_api, quick_tables["history"], lost)
    await migration.verify(plan)
    with pytest.raises(MigrationRefused, match="found 1 differences"):
        await migration.cut_over(plan)
    await put(quick_api, quick_tables["history"].name, lost)
    await migration.verify(plan)
    clock.now += 2 * DAY
    with pytest.raises(MigrationRefused, match="too long ago"):
        await migration.cut_over(plan)
    await migration.copy(plan, again=True)
    with pytest.raises(MigrationRefused, match="copied since"):
        await migration.cut_over(plan)
    await migration.verify(plan)
    with pytest.raises(MigrationRefused, match="0 old rows are rejected, 3 may be"):
        await migration.cut_over(plan, rejected=3)
    with pytest.raises(MigrationRefused, match="nothing was cut over"):
        await migration.clean_up(plan.hash)
    await _cut_over_and_clean_up(migration, quick_api, quick_tables, clock)


async def _cut_over_and_clean_up(
    migration: Migration, api: DynamoDBApi, tables: Tables, clock: Hands
) -> None:
    plan = await migration.plan()
    marker = await migration.cut_over(plan, by="ana")
    assert (plan.hash, "ana", datetime.fromtimestamp(clock.now, UTC)) == (
        marker.plan,
        marker.by,
        marker.moment,
    )
    assert marker == (await migration.standing()).marker
    for refused in (migration.cut_over, migration.copy, migration.embed):
        with pytest.raises(MigrationRefused, match="was cut over"):
            await refused(plan)
    with pytest.raises(MigrationRefused, match="was cut over"):
        await migration.make_plan()
    with pytest.raises(MigrationRefused, match="a plan without a hash"):
        await migration.clean_up("")
    clock.now += 6 * DAY
    with pytest.raises(MigrationRefused, match="stays until"):
        await migration.clean_up(plan.hash)
    assert await check_table(api, tables["old"]) is not None
    clock.now += DAY
    cleaned = await migration.clean_up(plan.hash)
    assert cleaned == await migration.clean_up(plan.hash) == (await migration.standing()).cleaned
    assert await check_table(api, tables["old"]) is None
    assert MESSAGES.count == len((await contents(api, tables))[0])


async def test_a_row_that_can_become_no_message_is_a_rejection_that_the_cut_over_asks_about(
    quick_api: DynamoDBApi, quick_tables: Tables, tmp_path: Path
) -> None:
    old = quick_tables["old"].name
    good = {
        "user_id": {"S": "ana"},
        "sort_key": {"S": "2026-10-30T10:00:00+01:00"},
        "timestamp": {"S": "2026-10-30T10:00:00+01:00"},
        "role": {"S": "user"},
        "content": {"S": "hello"},
    }
    await put(quick_api, old, good)
    await put(quick_api, old, good | {"sort_key": {"S": "b"}, "timestamp": {"S": "yesterday"}})
    await put(quick_api, old, good | {"sort_key": {"S": "c"}, "session_id": {"NULL": True}})
    ledger = SqlLedger(tmp_path / "ledger.db", clock=Hands())
    migration = migration_of(quick_api, quick_tables, ledger)
    plan = await migration.make_plan()
    await migration.prepare(plan)
    for moved in (await migration.copy(plan), await migration.embed(plan)):
        assert (3, 1, 2, True) == (
            moved.counts.sent,
            moved.counts.written,
            moved.counts.rejected,
            moved.counts.balanced,
        )
    letters = ledger.dead_letters.list(Selection(entity="conversations", stage="history"))
    assert {
        ("ana | b", "timestamp: 'yesterday' is no ISO 8601 timestamp"),
        ("ana | c", "session_id: is null and not a string"),
    } == {(one.key, one.reason) for one in letters}
    assert {"yesterday"} <= {json.loads(one.raw)["timestamp"]["S"] for one in letters}
    verdict, _ = await migration.verify(plan)
    assert (True, 2) == (verdict.clean, verdict.rejected)
    with pytest.raises(MigrationRefused, match="2 old rows are rejected, 0 may be"):
        await migration.cut_over(plan)
    assert 2 == (await migration.cut_over(plan, rejected=2)).rejected
    ledger.close()


async def test_segments_go_one_by_one_and_a_further_round_begins_when_all_of_one_have_ended(
    quick_api: DynamoDBApi, quick_tables: Tables, ledger: InMemoryLedger
) -> None:
    await filled(quick_api, quick_tables)
    migration = migration_of(quick_api, quick_tables, ledger)
    plan = await migration.make_plan()
    await migration.prepare(plan)
    moved = [await migration.copy(plan, only=[segment], again=True) for segment in (2, 0, 1, 1)]
    assert [1, 1, 1, 2] == [one.round for one in moved]
    assert MESSAGES.count == sum(one.new.written for one in moved)
    assert 0 == moved[3].new.written


async def test_a_plan_stays_the_same_until_something_of_it_changes(
    quick_api: DynamoDBApi, quick_tables: Tables, ledger: InMemoryLedger
) -> None:
    clock = Hands()
    migration = migration_of(quick_api, quick_tables, ledger, clock=clock)
    with pytest.raises(TargetMissing, match="no plan was made"):
        await migration.plan()
    first = await migration.make_plan()
    clock.now += DAY
    assert first == await migration.make_plan() == await migration.plan(first.hash)
    other = migration_of(
        quick_api, quick_tables, ledger, settings=replace(SETTINGS, keep=timedelta(days=9)), clock=clock
    )
    with pytest.raises(PlanDrift, match="other keep"):
        await other.copy(first)
    second = await other.make_plan()
    assert (first.moment + timedelta(days=1), False) == (second.moment, second.hash == first.hash)
    assert (first, second) == (await migration.plan(), await other.plan())
    encoder = HashingEncoder(dimensions=2 * ENCODER.dimensions)
    with pytest.raises(PlanDrift, match="model, dimensions"):
        await migration_of(quick_api, quick_tables, ledger, encoder=encoder).plan()


async def test_a_target_that_is_not_on_this_machine_wants_the_plans_hash(
    quick_api: DynamoDBApi, quick_tables: Tables, ledger: InMemoryLedger
) -> None:
    plan = await migration_of(quick_api, quick_tables, ledger).make_plan()
    elsewhere = DynamoDBApi(Endpoint("https://dynamodb.example.com"), quick_api.signer)
    remote = migration_of(elsewhere, quick_tables, ledger)
    for said in ("", "0" * 24):
        for step in (remote.copy, remote.embed, remote.cut_over, remote.prepare):
            with pytest.raises(RemoteWriteRefused, match=plan.hash):
                await step(plan, confirm=said)
    with pytest.raises(RemoteWriteRefused, match="not on this machine"):
        await remote.prepare()
    with pytest.raises(RemoteWriteRefused, match="is not its hash"):
        await migration_of(quick_api, quick_tables, ledger).copy(plan, confirm="0" * 24)


def test_the_records_are_read_as_their_table_allows() -> None:
    assert [] == lint([RECORDS], {WORD: definition_of("conversation-history")})
