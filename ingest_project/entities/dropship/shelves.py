"""TableShelf: lines, payouts and commissions, and the books made of them, in DynamoDB. Requests only; what
they say is for the makers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from ingest_project.core.errors import TargetMissing
from ingest_project.core.model import Batch, KeySchema, WriteReport
from ingest_project.entities.dropship.books import Item
from ingest_project.entities.dropship.posting import (
    INVOICES,
    KEYS,
    MOST_LINES,
    ORDER_BOOKS,
    ORDERS,
    SETTLEMENTS,
    TooManyLines,
    name_of,
    together,
)
from ingest_project.entities.dropship.values import untyped
from ingest_project.sinks.dynamodb import DynamoDBSink
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.tables import describe, get_items


def keys_of(kind: str) -> KeySchema:
    """Key of the table of a kind of books."""
    return KeySchema(parts=tuple((name, "S") for name in KEYS[kind]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The tables that belong together: what comes out of files, and the books by their kind."""

    lines: str
    income: str
    affiliate: str
    books: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, lines: str) -> Self:
        """``dropship-lines`` -> ``dropship-orders``, ``dropship-income`` and the others beside it."""
        stem = lines.removesuffix("-lines")
        return cls(
            lines=lines,
            income=f"{stem}-income",
            affiliate=f"{stem}-affiliate",
            books={kind: f"{stem}-{kind}" for kind in KEYS},
        )


class TableShelf:
    """posting.OrderShelf and settling.SettlementShelf over the tables of one stem.

    Args:
        absent: Tables of files that there are not: nothing came in them.
    """

    def __init__(self, api: DynamoDBApi, names: Names, absent: frozenset[str] = frozenset()) -> None:
        self._api, self._names, self._absent = api, names, absent
        self._sinks = {kind: DynamoDBSink(api, table) for kind, table in names.books.items()}

    async def identity(self) -> str:
        books = self._names.books
        tables = [self._names.lines, *(books[kind] for kind in ORDER_BOOKS)]
        return await self._identities(tables)

    async def _identities(self, tables: Sequence[str]) -> str:
        found = await together([describe(self._api, name) for name in tables if name not in self._absent])
        return "+".join(table.identity for table in found)

    async def lines(self, code: str) -> Sequence[Item]:
        return await self._query(self._names.lines, "kode_pesanan", code)

    async def payouts(self, code: str) -> Sequence[Item]:
        return await self._query(self._names.income, "no_pesanan", code)

    async def commissions(self, code: str) -> Sequence[Item]:
        return await self._query(self._names.affiliate, "kode_pesanan", code)

    async def sold(self, code: str) -> Sequence[Item]:
        pointers = await self._query(self._names.books[INVOICES], "kode_invoice_channel", code)
        orders = (await self.books(ORDERS, pointers)).values() if pointers else ()
        # Where a code was corrected, the pointer of the old one is still there.
        return [order for order in orders if order.get("kode_invoice_channel") == code]

    async def _query(self, table: str, name: str, code: str) -> list[Item]:
        """All items of one partition key."""
        if table in self._absent:
            return []
        query: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": f"{name} = :code",
            "ExpressionAttributeValues": {":code": {"S": code}},
            "ConsistentRead": True,
        }
        found: list[Item] = []
        while True:
            page = await self._api.call("Query", query)
            found += [untyped(item) for item in page["Items"]]
            if len(found) > MOST_LINES:
                raise TooManyLines(f"{table} has more than {MOST_LINES:,} items of {code}")
            if not page.get("LastEvaluatedKey"):
                return found
            query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    async def books(self, kind: str, items: Sequence[Item]) -> Mapping[str, Item]:
        keys = [{name: {"S": str(item[name])} for name in KEYS[kind]} for item in items]
        found = await get_items(self._api, self._names.books[kind], keys) if keys else []
        return {name_of(kind, item): item for item in map(untyped, found)}

    async def put(self, kind: str, bodies: Sequence[bytes]) -> WriteReport:
        batch = Batch(bodies=bodies, ordinals=range(len(bodies)), size=sum(map(len, bodies)))
        return await self._sinks[kind].write(batch)


class SettlementTables(TableShelf):
    """The same tables, as settlements look at them."""

    async def identity(self) -> str:
        names = self._names
        files, books = (names.income, names.affiliate), (INVOICES, ORDERS, SETTLEMENTS)
        return await self._identities([*files, *(names.books[kind] for kind in books)])


async def missing(api: DynamoDBApi, tables: Sequence[str]) -> frozenset[str]:
    """Those of these tables that there are not."""
    found = []
    for table in tables:
        try:
            await describe(api, table)
        except TargetMissing:
            found.append(table)
    return frozenset(found)
