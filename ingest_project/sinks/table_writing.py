"""Some items put into one or several tables, in one request, until all are taken. Counts what it cost.

For what is written as it comes; whoever fills a table takes the loader. The caller has asked whether it may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from ingest_project.core.consumption import Consumption
from ingest_project.core.errors import TransientFailure
from ingest_project.core.retrying import RetryPolicy
from ingest_project.core.table_definitions import TableDefinition
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.table_reading import BRIEFLY, Item
from ingest_project.sinks.tables import Sleep

ITEMS_A_REQUEST = 25


class TableWriter:
    """Puts typed items over one endpoint.

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

    async def put(self, name: str, items: Mapping[str, Sequence[Item]]) -> None:
        """Put items, by the word of their table; at most 25 in all. Those taken stay when others are not.

        Args:
            name: Of the write, in what it cost.

        Raises:
            TransientFailure: Attempts are used up.
            PermanentFailure: The service refuses the request.
        """
        left: dict[str, Any] = {
            self.tables[word].name: [{"PutRequest": {"Item": item}} for item in some]
            for word, some in items.items()
            if some
        }
        if sum(map(len, left.values())) > ITEMS_A_REQUEST:
            raise ValueError(f"{name}: at most {ITEMS_A_REQUEST} items a request")
        attempt = 0
        while left:
            attempt += 1
            try:
                left = await self._send(name, left)
                error = TransientFailure(f"{name}: items stay unprocessed")
            except TransientFailure as failed:
                error = failed
            if left:
                await self._pause(name, attempt, error)

    async def _send(self, name: str, requests: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self._api.call(
            "BatchWriteItem", {"RequestItems": requests, "ReturnConsumedCapacity": "INDEXES"}
        )
        left: dict[str, Any] = answer.get("UnprocessedItems") or {}
        taken = sum(map(len, requests.values())) - sum(map(len, left.values()))
        for capacity in answer.get("ConsumedCapacity") or (None,):
            self.consumption.note(name, capacity, 0)
        tally = self.consumption.of(name)
        tally.items += taken
        tally.requests -= max(0, len(answer.get("ConsumedCapacity") or ()) - 1)
        return left

    async def _pause(self, name: str, attempt: int, error: TransientFailure) -> None:
        delay = self._retry.delay(attempt, self._rng, error.retry_after)
        if delay is None:
            raise error
        self.consumption.of(name).retries += 1
        await self._sleep(delay)
