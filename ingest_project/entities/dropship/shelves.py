"""TableShelf: order lines, orders and journal entries in DynamoDB. Requests only; what they say is books'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ingest_project.core.model import Batch, KeySchema, WriteReport
from ingest_project.entities.dropship.books import Item
from ingest_project.entities.dropship.posting import JOURNAL, MOST_LINES, ORDERS, TooManyLines, together
from ingest_project.entities.dropship.values import untyped
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.tables import describe, get_items

BOOK_KEYS = KeySchema(parts=(("kode_pesanan", "S"),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The tables that belong together."""

    lines: str
    orders: str
    journal: str

    @classmethod
    def of(cls, lines: str) -> Self:
        """``dropship-lines`` -> ``dropship-orders`` and ``dropship-journal`` beside it."""
        stem = lines.removesuffix("-lines")
        return cls(lines=lines, orders=f"{stem}-{ORDERS}", journal=f"{stem}-{JOURNAL}")


class TableShelf:
    """posting.Shelf over three tables."""

    def __init__(self, api: DynamoDBApi, names: Names) -> None:
        self._api, self._names = api, names
        self._tables = {ORDERS: names.orders, JOURNAL: names.journal}
        self._sinks = {kind: DynamoDBSink(api, table) for kind, table in self._tables.items()}

    async def identity(self) -> str:
        names = self._names
        found = [await describe(self._api, table) for table in (names.lines, names.orders, names.journal)]
        return "+".join(table.identity for table in found)

    async def lines(self, code: str) -> Sequence[Item]:
        query: dict[str, Any] = {
            "TableName": self._names.lines,
            "KeyConditionExpression": "kode_pesanan = :code",
            "ExpressionAttributeValues": {":code": {"S": code}},
            "ConsistentRead": True,
        }
        found: list[Item] = []
        while True:
            page = await self._api.call("Query", query)
            found += [untyped(item) for item in page["Items"]]
            if len(found) > MOST_LINES:
                raise TooManyLines(f"the order has more than {MOST_LINES:,} lines")
            if not page.get("LastEvaluatedKey"):
                return found
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    async def books(self, kind: str, codes: Sequence[str]) -> Mapping[str, Item]:
        keys = [{"kode_pesanan": {"S": code}} for code in codes]
        items = [untyped(item) for item in await get_items(self._api, self._tables[kind], keys)]
        return {str(item["kode_pesanan"]): item for item in items}

    async def put(self, kind: str, bodies: Sequence[bytes]) -> WriteReport:
        batch = Batch(bodies=bodies, ordinals=range(len(bodies)), size=sum(map(len, bodies)))
        return await self._sinks[kind].write(batch)


async def all_books(shelf: TableShelf, codes: Sequence[str]) -> tuple[Mapping[str, Item], Mapping[str, Item]]:
    """Orders and journal entries of these ids."""
    orders, journal = await together([shelf.books(kind, codes) for kind in (ORDERS, JOURNAL)])
    return orders, journal
