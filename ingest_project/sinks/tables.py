"""DynamoDB tables: describe, create, wait until active, delete, read items back. Nothing hot lives here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingest_project.core.errors import PermanentFailure, TargetMissing, TransientFailure
from ingest_project.core.model import KeySchema
from ingest_project.sinks.dynamodb_api import DynamoDBApi

READ_KEYS = 100
WAITS = 120

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What DescribeTable says of a table.

    Attributes:
        identity: TableId; ARN and time of creation where the server has no TableId. Another table of the
            same name has another identity.
        status: ``ACTIVE``, ``CREATING`` ...
    """

    name: str
    identity: str
    status: str
    keys: KeySchema

    @property
    def writable(self) -> bool:
        return self.status in ("ACTIVE", "UPDATING")


async def describe(api: DynamoDBApi, table: str) -> Table:
    """Describe a table.

    Raises:
        TargetMissing: No such table, or it is being deleted.
    """
    found: Mapping[str, Any] = (await api.call("DescribeTable", {"TableName": table}))["Table"]
    if found["TableStatus"] == "DELETING":
        raise TargetMissing(f"table {table} is being deleted")
    kinds = {one["AttributeName"]: one["AttributeType"] for one in found["AttributeDefinitions"]}
    schema = sorted(found["KeySchema"], key=lambda one: one["KeyType"] != "HASH")
    made = f"{found.get('TableArn', table)}@{found.get('CreationDateTime', '')}"
    return Table(
        name=table,
        identity=found.get("TableId") or made,
        status=found["TableStatus"],
        keys=KeySchema(parts=tuple((one["AttributeName"], kinds[one["AttributeName"]]) for one in schema)),
    )


async def describe_keys(api: DynamoDBApi, table: str) -> KeySchema:
    """The table's primary key. Raises TargetMissing."""
    return (await describe(api, table)).keys


async def create_table(
    api: DynamoDBApi, table: str, keys: KeySchema, *, sleep: Sleep = asyncio.sleep
) -> Table:
    """Create an on-demand table and wait until it is active; one that exists with the same key is taken.

    One of the same name that is still being deleted is waited for. So is a new one that DescribeTable, which
    may lag behind, does not know yet.

    Raises:
        PermanentFailure: The table exists with another key, or the service refuses the definition.
        TransientFailure: Not active within some minutes.
    """
    for _ in range(WAITS):
        try:
            await api.call("CreateTable", _definition(table, keys))
        except PermanentFailure as error:
            if "ResourceInUseException" not in str(error):
                raise
        try:
            made = await wait_active(api, table, sleep=sleep)
        except TargetMissing:
            await sleep(1.0)
            continue
        if made.keys != keys:
            raise PermanentFailure(f"table {table} exists with the key {made.keys}, not {keys}")
        return made
    raise TransientFailure(f"table {table} is still being deleted")


async def wait_active(api: DynamoDBApi, table: str, *, sleep: Sleep = asyncio.sleep) -> Table:
    """Wait until a table may be written, at most two minutes. Raises TransientFailure after that."""
    for _ in range(WAITS):
        found = await describe(api, table)
        if found.writable:
            return found
        await sleep(1.0)
    raise TransientFailure(f"table {table} is still {found.status}")


async def get_items(
    api: DynamoDBApi, table: str, keys: Sequence[Mapping[str, Any]], *, sleep: Sleep = asyncio.sleep
) -> list[dict[str, Any]]:
    """Consistent read of the items with these typed keys (``{"id": {"S": "1"}}``), in no particular order.

    Numbers come as the service spells them, as text, never through a float. Missing items are left out.

    Raises:
        TransientFailure: Keys stay unprocessed after ten rounds.
    """
    found: list[dict[str, Any]] = []
    for start in range(0, len(keys), READ_KEYS):
        wanted: dict[str, Any] = {
            table: {"Keys": list(keys[start : start + READ_KEYS]), "ConsistentRead": True}
        }
        for attempt in range(10):
            answer = await api.call("BatchGetItem", {"RequestItems": wanted})
            found += answer.get("Responses", {}).get(table, [])
            wanted = answer.get("UnprocessedKeys") or {}
            if not wanted:
                break
            await sleep(0.1 * 2**attempt)
        else:
            raise TransientFailure(f"table {table}: keys stay unprocessed")
    return found


def _definition(table: str, keys: KeySchema) -> dict[str, Any]:
    roles = ("HASH", "RANGE")
    return {
        "TableName": table,
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in keys.parts],
        "KeySchema": [
            {"AttributeName": name, "KeyType": role}
            for (name, _), role in zip(keys.parts, roles, strict=False)
        ],
        "BillingMode": "PAY_PER_REQUEST",
    }


async def delete_table(api: DynamoDBApi, table: str, *, sleep: Sleep = asyncio.sleep) -> None:
    """Delete a table and wait until it is gone; one that is not there is taken as deleted.

    Raises:
        TransientFailure: Not gone within two minutes.
    """
    for _ in range(WAITS):
        try:
            found = await api.call("DescribeTable", {"TableName": table})
            if found["Table"]["TableStatus"] != "DELETING":
                await api.call("DeleteTable", {"TableName": table})
        except TargetMissing:
            return
        await sleep(1.0)
    raise TransientFailure(f"table {table} is still being deleted")
