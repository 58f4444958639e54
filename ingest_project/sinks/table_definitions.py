"""Tables made from their definitions, and held against them: status, keys, indexes, projections, TTL.

Creates and compares; never deletes, and never changes a table that is another one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest_project.core.errors import PermanentFailure, TargetMissing, TransientFailure
from ingest_project.core.table_definitions import (
    TableDefinition,
    create_request,
    key_schema,
    projection,
)
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.isolating import RequestRefused
from ingest_project.sinks.tables import Sleep

WAITS = 600
_UNKNOWN_OPERATIONS = ("UnknownOperation", "UnsupportedOperation", "NotImplemented")
_NO_NAME = "-"
_UNLIKE, _TTL = "defined is", "TTL"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableState:
    """What a server says of one defined table.

    Attributes:
        items, stored_bytes: As the service last counted them: some hours old.
        faults: What is not as defined, in sentences; a table without any is ready.
        notes: What this server has not at all, so that it cannot be asked for.
    """

    name: str
    items: int
    stored_bytes: int
    faults: Sequence[str]
    notes: Sequence[str] = ()

    @property
    def ready(self) -> bool:
        return not self.faults


async def ensure_table(
    api: DynamoDBApi, definition: TableDefinition, *, sleep: Sleep = asyncio.sleep
) -> TableState:
    """Create the table unless it stands, switch TTL on, and wait until it and its indexes are active.

    Raises:
        PermanentFailure: A table of this name is another one, or the service refuses the definition.
        TransientFailure: Not active within ten minutes.
    """
    for attempt in range(WAITS):
        state = await check_table(api, definition)
        if state is None:
            await _create(api, definition)
        elif unlike := [text for text in state.faults if text.startswith(_UNLIKE)]:
            raise PermanentFailure(f"table {definition.name} is not as defined: {'; '.join(unlike)}")
        elif state.ready:
            return state
        elif all(text.startswith(_TTL) for text in state.faults):
            await _enable_ttl(api, definition)
        await sleep(0.2 if attempt < 5 else 1.0)
    raise TransientFailure(f"table {definition.name} is not ready after {WAITS} looks")


async def check_table(api: DynamoDBApi, definition: TableDefinition) -> TableState | None:
    """Compare a table with its definition; None: it does not stand."""
    try:
        answer = await api.call("DescribeTable", {"TableName": definition.name})
    except TargetMissing:
        return None
    found: Mapping[str, Any] = answer["Table"]
    faults = list(_faults(found, definition))
    asked = definition.ttl and found["TableStatus"] == "ACTIVE"
    ttl_fault, note = await _ttl(api, definition) if asked else ("", "")
    return TableState(
        name=definition.name,
        items=int(found.get("ItemCount", 0)),
        stored_bytes=int(found.get("TableSizeBytes", 0)),
        faults=[*faults, *([ttl_fault] if ttl_fault else [])],
        notes=[note] if note else [],
    )


def _faults(found: Mapping[str, Any], definition: TableDefinition) -> Iterator[str]:
    if found["TableStatus"] != "ACTIVE":
        yield f"the table is {found['TableStatus']}"
    if _sorted(found["KeySchema"]) != _sorted(key_schema(definition.keys)):
        yield f"{_UNLIKE} the key {definition.keys}, it has {_key_text(found)}"
    kinds = {one["AttributeName"]: one["AttributeType"] for one in found["AttributeDefinitions"]}
    for wanted in create_request(definition)["AttributeDefinitions"]:
        name, kind = wanted["AttributeName"], wanted["AttributeType"]
        if name in kinds and kinds[name] != kind:
            yield f"{_UNLIKE} the key attribute {name} of type {kind}, it has {kinds[name]}"
    billing = found.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    if billing != definition.billing:
        yield f"{_UNLIKE} the billing {definition.billing}, it has {billing}"
    standing = {one["IndexName"]: one for one in found.get("GlobalSecondaryIndexes", ())}
    for index in definition.indexes:
        one = standing.get(index.name)
        if one is None:
            yield f"{_UNLIKE} the index {index.name}, it has none of that name"
            continue
        if _sorted(one["KeySchema"]) != _sorted(key_schema(index.keys)):
            yield f"{_UNLIKE} {index.name} with the key {index.keys}, it has {_key_text(one)}"
        wanted, has = projection(index), _projection(one["Projection"])
        if wanted != has:
            yield f"{_UNLIKE} {index.name} that projects {_told(wanted)}, it projects {_told(has)}"
        if one.get("IndexStatus", "ACTIVE") != "ACTIVE":
            yield f"{index.name} is {one['IndexStatus']}"


async def _create(api: DynamoDBApi, definition: TableDefinition) -> None:
    try:
        await api.call("CreateTable", create_request(definition))
    except PermanentFailure as error:
        if "ResourceInUseException" not in str(error):
            raise


async def _ttl(api: DynamoDBApi, definition: TableDefinition) -> tuple[str, str]:
    """What is wrong with the table's TTL, and whether the server has such a thing."""
    answer = await api.call("DescribeTimeToLive", {"TableName": definition.name})
    found = answer.get("TimeToLiveDescription", {})
    status, attribute = found.get("TimeToLiveStatus", "DISABLED"), found.get("AttributeName", "")
    if attribute and attribute != definition.ttl and status.startswith("ENABL"):
        return f"{_UNLIKE} TTL by {definition.ttl}, it has {attribute}", ""
    if status in ("ENABLED", "ENABLING"):
        return "", ""
    if await _knows_ttl(api, definition.ttl):
        return f"{_TTL} is {status}", ""
    return "", f"this server knows no TTL: items of {definition.name} will stay"


async def _knows_ttl(api: DynamoDBApi, attribute: str) -> bool:
    """Some emulators describe TTL and cannot switch it on. Asked of a name that no table can have."""
    wanted = {"Enabled": True, "AttributeName": attribute}
    try:
        await api.call("UpdateTimeToLive", {"TableName": _NO_NAME, "TimeToLiveSpecification": wanted})
    except PermanentFailure as error:
        return not any(word in str(error) for word in _UNKNOWN_OPERATIONS)
    return True


async def _enable_ttl(api: DynamoDBApi, definition: TableDefinition) -> None:
    wanted = {"Enabled": True, "AttributeName": definition.ttl}
    try:
        await api.call("UpdateTimeToLive", {"TableName": definition.name, "TimeToLiveSpecification": wanted})
    except RequestRefused as error:
        # Another worker was first, or one hour has not passed since the last change.
        if "already enabled" not in str(error) and "within a fixed interval" not in str(error):
            raise


def _sorted(schema: Sequence[Mapping[str, str]]) -> list[tuple[str, str]]:
    return sorted((one["KeyType"], one["AttributeName"]) for one in schema)


def _key_text(found: Mapping[str, Any]) -> str:
    return ", ".join(name for _, name in _sorted(found["KeySchema"]))


def _projection(found: Mapping[str, Any]) -> dict[str, Any]:
    names = {"NonKeyAttributes": sorted(found["NonKeyAttributes"])} if found.get("NonKeyAttributes") else {}
    return {"ProjectionType": found["ProjectionType"], **names}


def _told(projected: Mapping[str, Any]) -> str:
    return ", ".join(projected.get("NonKeyAttributes", ())) or str(projected["ProjectionType"])
