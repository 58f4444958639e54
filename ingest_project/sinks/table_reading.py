"""Reads of DynamoDB by patterns: pages of a query, items by key, pages of a scan. Counts what they cost.

Asks nothing that is not one of core.access_patterns; what the answers mean is the caller's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from ingest_project.core.access_patterns import Lookup, Plain, Query, Scan, Typed
from ingest_project.core.consumption import Consumption
from ingest_project.core.errors import TransientFailure
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.tables import Sleep

KEYS_A_REQUEST = 100
BRIEFLY = RetryPolicy(base=0.05, cap=1.0, attempts=6)
"""Somebody waits for the answer."""

Item = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Items as typed values, in the order of the service.

    Attributes:
        following: Where the next page begins; None: there is none.
    """

    items: Sequence[Item]
    following: Typed | None = None


class TableReader:
    """Answers patterns over one endpoint. Any number of calls at a time; the endpoint bounds the connections.

    Args:
        tables: Definitions by their word.
        consumption: Where the cost is added up.
    """

    def __init__(
        self,
        api: DynamoDBApi,
        tables: Mapping[str, TableDefinition],
        *,
        rng: Random,
        retry: RetryPolicy = BRIEFLY,
        sleep: Sleep = asyncio.sleep,
        consumption: Consumption | None = None,
    ) -> None:
        self._api, self.tables = api, tables
        self._retry, self._rng, self._sleep = retry, rng, sleep
        self.consumption = consumption or Consumption()

    async def query(
        self,
        pattern: Query,
        partition: Plain,
        sort: Sequence[Plain] = (),
        filters: Mapping[str, Plain] | None = None,
        *,
        limit: int | None = None,
    ) -> Found:
        """Pages until the end, or until as many items as the limit (this or the pattern's) were looked at.

        Raises:
            TransientFailure: Attempts are used up.
            PermanentFailure: The service refuses the request.
        """
        most = min((one for one in (limit, pattern.limit) if one is not None), default=None)
        definition, items, looked = self.tables[pattern.table], list[Item](), 0
        start: Typed | None = None
        while True:
            left = None if most is None else most - looked
            request = pattern.request(definition, partition, sort, filters, start=start, limit=left)
            answer = await self._ask(pattern.name, "Query", request)
            items += answer["Items"]
            looked += answer.get("ScannedCount", len(answer["Items"]))
            start = answer.get("LastEvaluatedKey")
            if start is None or (most is not None and looked >= most):
                return Found(items=items, following=start)

    async def lookup(self, pattern: Lookup, keys: Sequence[Typed]) -> list[Item]:
        """Items with these keys, each asked for once, in no particular order; missing ones are left out.

        Raises:
            TransientFailure: Keys stay unprocessed, or attempts are used up.
        """
        groups = [keys[at : at + KEYS_A_REQUEST] for at in range(0, len(keys), KEYS_A_REQUEST)]
        found = await asyncio.gather(*(self._some(pattern, group) for group in groups))
        return [item for items in found for item in items]

    async def page(
        self, pattern: Scan, *, segment: int, segments: int, start: Typed | None, limit: int | None = None
    ) -> Found:
        """One page of a segment; an empty one may have a following. Raises as ``query``."""
        definition = self.tables[pattern.table]
        request = pattern.request(definition, segment=segment, segments=segments, start=start, limit=limit)
        answer = await self._ask(pattern.name, "Scan", request)
        return Found(items=answer["Items"], following=answer.get("LastEvaluatedKey"))

    async def _some(self, pattern: Lookup, keys: Sequence[Typed]) -> list[Item]:
        table, found = self.tables[pattern.table], list[Item]()
        left, attempt = list(keys), 0
        while left:
            answer = await self._ask(pattern.name, "BatchGetItem", pattern.request(table, left))
            got = answer["Responses"].get(table.name, [])
            found += got
            left = answer.get("UnprocessedKeys", {}).get(table.name, {}).get("Keys", [])
            attempt = 1 if got else attempt + 1
            if left:
                await self._pause(
                    pattern.name, attempt, TransientFailure(f"{table.name}: keys stay unprocessed")
                )
        return found

    async def _ask(self, name: str, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        attempt = 0
        while True:
            try:
                answer = await self._api.call(operation, request)
                break
            except TransientFailure as error:
                attempt += 1
                await self._pause(name, attempt, error)
        told = answer.get("ConsumedCapacity")
        items = answer.get("Items")
        if isinstance(told, list):
            items = [one for found in answer.get("Responses", {}).values() for one in found]
            told = told[0] if told else None
        self.consumption.note(name, told, len(items or ()))
        return answer

    async def _pause(self, name: str, attempt: int, error: TransientFailure) -> None:
        delay = self._retry.delay(attempt, self._rng, error.retry_after)
        if delay is None:
            raise error
        self.consumption.of(name).retries += 1
        await self._sleep(delay)
