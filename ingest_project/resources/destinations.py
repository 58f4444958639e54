"""Destinations: what a stage behind ``validated`` writes to, made of Settings. One class a store, the same
verbs; that of OpenSearch has a module of its own.

Decides nothing about records; refuses remote targets that are not allowed before the first connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ingest_project.core.errors import TargetMissing
from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import KeySchema
from ingest_project.core.ports import Sink
from ingest_project.core.streaming import EncodeLines
from ingest_project.ledgers.budgets import LedgerBudget
from ingest_project.resources.connect import dynamodb_api
from ingest_project.resources.deployments import Settings
from ingest_project.resources.shared_quota import QuotaSink
from ingest_project.sinks import dynamodb, tables
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.readback import item_differences, typed_key


class Destination(Protocol):
    """A kind of store as the engine uses it. All coroutines run in one event loop."""

    stage: str

    async def open(self, target: str, keys: KeySchema) -> Sink:
        """The sink for one target, made where the policy allows it. Raises TargetMissing,
        RemoteWriteRefused."""
        ...

    async def begin(self, target: str, keys: KeySchema, coming: Callable[[str], int]) -> None:
        """A run is about to write to the target, once for all of its workers. ``coming``: identity of the
        target -> records that are left to send."""
        ...

    async def keep(self, target: str) -> None:
        """The run lives."""
        ...

    async def finish(self, target: str, *, touched: bool) -> None:
        """The run has ended. ``touched``: it sent something."""
        ...

    def encoder(self, keys: KeySchema) -> EncodeLines | None:
        """How part lines become bodies; None when they are bodies already."""
        ...

    async def differences(self, target: str, keys: KeySchema, lines: Sequence[bytes]) -> list[str]:
        """Read the records of these lines back and say, one text each, which are missing or not equal."""
        ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class TableDestination:
    """DynamoDB tables, named after the target."""

    settings: Settings
    create: bool
    stage: str = "table"
    _api: DynamoDBApi | None = field(default=None, init=False)
    _budgets: list[LedgerBudget] = field(default_factory=list, init=False)

    def api(self) -> DynamoDBApi:
        """The API client, made at its first use: one pool of connections for all tables."""
        if self._api is None:
            self._api = dynamodb_api(self.settings)
        return self._api

    async def open(self, target: str, keys: KeySchema) -> Sink:
        self.settings.require_write("dynamodb", target)
        limits = BatchLimits(
            count=self.settings.limits.dynamodb_batch_items,
            bytes=dynamodb.LIMITS.bytes,
            overhead=dynamodb.LIMITS.overhead,
            unit=dynamodb.LIMITS.unit,
        )
        return self.within_quota(target, dynamodb.DynamoDBSink(self.api(), target, limits=limits))

    def within_quota(self, table: str, sink: Sink) -> Sink:
        """The sink, held to what all hosts together may write to the table where that is written down."""
        quota = self.settings.shared_write_units.get(table)
        if quota is None:
            return sink
        budget = LedgerBudget(self.settings.ledger_url, f"dynamodb {table}", quota)
        self._budgets.append(budget)
        return QuotaSink(sink, budget, quota)

    async def keys_of(self, target: str, wanted: KeySchema | None) -> KeySchema:
        """The table's key; a table that is missing is made with ``wanted`` where that is allowed.

        Raises:
            TargetMissing: There is no such table and none may be made; says how to get one.
        """
        try:
            found = await tables.describe_keys(self.api(), target)
        except TargetMissing:
            if not self.create or wanted is None:
                raise TargetMissing(
                    f"table {target} does not exist and may not be created here: create it, or set "
                    "INGEST_CREATE_TABLES and INGEST_TABLE_KEYS (command line: --create-table --key id:S)"
                ) from None
            self.settings.require_write("dynamodb", target)
            return (await tables.create_table(self.api(), target, wanted)).keys
        return found

    async def begin(self, target: str, keys: KeySchema, coming: Callable[[str], int]) -> None:
        return

    async def keep(self, target: str) -> None:
        return

    async def finish(self, target: str, *, touched: bool) -> None:
        return

    def encoder(self, keys: KeySchema) -> EncodeLines | None:
        return None

    async def differences(self, target: str, keys: KeySchema, lines: Sequence[bytes]) -> list[str]:
        wanted = [typed_key(line, keys) for line in lines]
        found = await tables.get_items(self.api(), target, wanted)
        return item_differences(found, lines, keys)

    async def close(self) -> None:
        for budget in self._budgets:
            budget.close()
        if self._api is not None:
            await self._api.endpoint.aclose()
