"""Comparing old and new finds each planted corruption, calls it by its name, and finds nothing else."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from ingest_project.core.table_definitions import TableDefinition
from ingest_project.entities.conversations.keys import CHUNKS
from ingest_project.entities.conversations.migration import Difference, verifying
from ingest_project.entities.conversations.migration.items import new_key_of
from ingest_project.entities.conversations.tables import BY_SESSION, SIMILARITY, TTL, USER_TIME
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.testing.doubles_ledger import InMemoryLedger
from ingest_project_tests.entities.conversations.migration.scenes import (
    MESSAGES,
    Hands,
    contents,
    drop,
    filled,
    migrated,
    migration_of,
    put,
)

Tables = Mapping[str, TableDefinition]
Item = dict[str, Any]
Planted = set[tuple[str, str, str]]
"""Kind, place and key."""


def as_planted(found: list[Difference]) -> Planted:
    return {(one.kind, one.place, one.key) for one in found}


async def corrupt_history(api: DynamoDBApi, table: TableDefinition, items: list[Item]) -> Planted:
    """One of each kind."""
    lost, altered, moved, overdue, other, copied, untold = items[3:10]
    await drop(api, table, lost)
    await put(api, table.name, altered | {"content": {"S": f"{altered['content']['S']} "}})
    await drop(api, table, moved)
    user, _, _ = moved["user_date"]["S"].rpartition("#")
    await put(api, table.name, moved | {"user_date": {"S": f"{user}#2020-01-01"}})
    await put(api, table.name, overdue | {TTL: {"N": "1000000000"}})
    await put(api, table.name, other | {"archived": {"BOOL": not other["archived"]["BOOL"]}})
    extra = copied | {"timestamp_type": {"S": f"{copied['timestamp']['S']}#user#0123456789ab"}}
    await put(api, table.name, extra)
    await put(api, table.name, {name: value for name, value in untold.items() if name != "session_id"})
    return {
        ("lost row", "history", new_key_of(lost)),
        ("altered text", "history", new_key_of(altered)),
        ("wrong key", "history", new_key_of(moved)),
        ("wrong ttl", "history", new_key_of(overdue)),
        ("wrong attribute", "history", new_key_of(other)),
        ("extra row", "history", new_key_of(extra)),
        ("wrong attribute", "history", new_key_of(untold)),
    }


async def corrupt_embeddings(api: DynamoDBApi, table: TableDefinition, items: list[Item]) -> Planted:
    missing, moved, exchanged, broken, hashed, preview, copied, model = items[3:11]
    await drop(api, table, missing)
    await drop(api, table, moved)
    user, _, chunk = moved["user_chunk"]["S"].rpartition("#")
    await put(api, table.name, moved | {"user_chunk": {"S": f"{user}#{(int(chunk) + 1) % CHUNKS:03d}"}})
    different = next(one for one in items[11:] if one["content_hash"] != exchanged["content_hash"])
    await put(api, table.name, exchanged | {"vector_compressed": different["vector_compressed"]})
    await put(api, table.name, broken | {"vector_compressed": {"B": base64.b64encode(b"no").decode()}})
    await put(api, table.name, hashed | {"similarity_hash": {"S": "zzzz"}})
    await put(api, table.name, preview | {"text_preview": {"S": "something else"}})
    extra = copied | {"embedding_id": {"S": "0" * 32}}
    await put(api, table.name, extra)
    await put(api, table.name, model | {"model": {"S": "another"}})
    return {
        ("missing embedding", "embeddings", new_key_of(missing)),
        ("wrong chunk", "embeddings", new_key_of(moved)),
        ("vector of another text", "embeddings", new_key_of(exchanged)),
        ("broken vector", "embeddings", new_key_of(broken)),
        ("wrong hashes", "embeddings", new_key_of(hashed)),
        ("altered text", "embeddings", new_key_of(preview)),
        ("extra embedding", "embeddings", new_key_of(extra)),
        ("wrong attribute", "embeddings", new_key_of(model)),
    }


async def test_each_planted_corruption_is_named_and_a_further_round_mends_what_copying_can(
    api: DynamoDBApi, tables: Tables, ledger: InMemoryLedger
) -> None:
    await filled(api, tables)
    migration = migration_of(api, tables, ledger)
    plan = await migrated(migration)
    history, embeddings = await contents(api, tables)
    planted = await corrupt_history(api, tables["history"], [*history])
    planted |= await corrupt_embeddings(api, tables["embeddings"], [*embeddings])
    verdict, findings = await migration.verify(plan)
    assert planted == as_planted([*findings.differences])
    assert (False, len(planted), False) == (verdict.clean, verdict.differences, verdict.unnamed)

    copied, embedded = await migration.copy(plan, again=True), await migration.embed(plan, again=True)
    assert (6, MESSAGES.count - 6) == (copied.new.written, copied.new.unchanged)
    assert (7, MESSAGES.count - 7) == (embedded.new.written, embedded.new.unchanged)
    left = (await migration.verify(plan))[1].differences
    assert {"extra row", "extra embedding"} == {one.kind for one in left}
    # What was moved stands twice now: where it must, and where it was put.
    assert [2, 2] == [sum(one.place == place for one in left) for place in ("history", "embeddings")]


class Blurred(DynamoDBApi):
    """Scans of an index show less, more or something else than the server has: no emulator can be made to.

    Attributes:
        blur: Index -> what becomes of a page.
    """

    def __init__(self, api: DynamoDBApi) -> None:
        super().__init__(api.endpoint, api.signer)
        self.blur: dict[str, Any] = {}
        self.scans = 0

    async def call(self, operation: str, payload: dict[str, Any]) -> dict[str, Any]:
        answer = await super().call(operation, payload)
        if operation == "Scan" and (blur := self.blur.get(payload.get("IndexName", ""))):
            self.scans += 1
            answer["Items"] = [one for item in answer["Items"] for one in blur(item)]
        return answer


async def test_gaps_ghosts_and_altered_projections_of_each_index_are_named(
    quick_api: DynamoDBApi, quick_tables: Tables, ledger: InMemoryLedger
) -> None:
    await filled(quick_api, quick_tables)
    blurred = Blurred(quick_api)
    migration = migration_of(blurred, quick_tables, ledger)
    plan = await migrated(migration)
    history, embeddings = await contents(quick_api, quick_tables)
    chosen = {name: new_key_of(history[at]) for at, name in enumerate((USER_TIME, BY_SESSION))}
    chosen |= {name: new_key_of(embeddings[at]) for at, name in enumerate(SIMILARITY)}
    blurred.blur[USER_TIME] = lambda item: () if new_key_of(item) == chosen[USER_TIME] else (item,)
    blurred.blur[BY_SESSION] = lambda item: (
        (item | {"content_hash": {"S": "0"}} if new_key_of(item) == chosen[BY_SESSION] else item,)
    )
    ghost = {"embedding_id": {"S": "f" * 32}}
    blurred.blur[SIMILARITY[0]] = lambda item: (
        (item, item | ghost) if new_key_of(item) == chosen[SIMILARITY[0]] else (item,)
    )
    blurred.blur[SIMILARITY[1]] = lambda item: (
        ({name: value for name, value in item.items() if name != "sketch"},)
        if new_key_of(item) == chosen[SIMILARITY[1]]
        else (item,)
    )
    found = (await migration.verify(plan))[1].differences
    ghost_key = f"{chosen[SIMILARITY[0]].split(' | ')[0]} | {'f' * 32}"
    assert {
        ("index gap", USER_TIME, chosen[USER_TIME]),
        ("altered projection", BY_SESSION, chosen[BY_SESSION]),
        ("index ghost", SIMILARITY[0], ghost_key),
        ("altered projection", SIMILARITY[1], chosen[SIMILARITY[1]]),
    } == as_planted([*found])
    assert "sketch is missing" in next(one.text for one in found if one.place == SIMILARITY[1])


async def test_an_index_that_lags_is_looked_at_twice_before_it_is_accused(
    quick_api: DynamoDBApi, quick_tables: Tables, ledger: InMemoryLedger
) -> None:
    await filled(quick_api, quick_tables)
    blurred = Blurred(quick_api)
    migration = migration_of(blurred, quick_tables, ledger)
    plan = await migrated(migration)
    late = new_key_of((await contents(quick_api, quick_tables))[0][5])
    blurred.blur[BY_SESSION] = lambda item: (
        () if blurred.scans <= plan.segments and new_key_of(item) == late else (item,)
    )
    verdict, _ = await migration.verify(plan)
    assert (True, 1) == (verdict.clean, verdict.settled)


async def test_no_more_is_held_or_named_than_there_is_room_for(
    quick_api: DynamoDBApi, quick_tables: Tables, ledger: InMemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(quick_api, quick_tables)
    migration = migration_of(quick_api, quick_tables, ledger, most_named=1000)
    plan = await migration.make_plan()
    await migration.prepare(plan)
    monkeypatch.setattr(verifying, "MOST_HELD", 9)
    found = (await migration.verify(plan))[1]
    assert 2 * MESSAGES.count == len(found.differences)
    assert {"lost row", "missing embedding"} == {one.kind for one in found.differences}
    few = migration_of(quick_api, quick_tables, ledger, most_named=10)
    verdict, found = await few.verify(plan)
    assert (10, True, False) == (len(found.differences), verdict.unnamed, verdict.clean)


async def test_messages_whose_time_is_over_may_have_gone_or_not(
    quick_api: DynamoDBApi, quick_tables: Tables, ledger: InMemoryLedger
) -> None:
    await filled(quick_api, quick_tables)
    clock = Hands()
    migration = migration_of(quick_api, quick_tables, ledger, clock=clock)
    plan = await migrated(migration)
    clock.now += 20 * 86_400
    history, embeddings = await contents(quick_api, quick_tables)
    gone = [item for item in history if int(item[TTL]["N"]) < clock.now]
    assert gone
    await drop(quick_api, quick_tables["history"], gone[0])
    await drop(
        quick_api,
        quick_tables["embeddings"],
        next(item for item in embeddings if item["embedding_id"] == gone[0]["message_id"]),
    )
    verdict, _ = await migration.verify(plan)
    assert (True, 2 * len(gone) - 1) == (verdict.clean, verdict.expired)
