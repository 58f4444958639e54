"""DynamoDBSink: puts part lines into one table with BatchWriteItem, unparsed.

One request a batch, no retry, no loop over a stream; items are parsed only when something went wrong.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, Self

from ingest_project.core.errors import TransientFailure
from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Batch, KeySchema, WriteReport
from ingest_project.sinks.dynamodb_api import DynamoDBApi
from ingest_project.sinks.isolating import write_apart
from ingest_project.sinks.tables import Table, describe

# The service takes 25 puts and 16 MB a request; the slack is for the envelope.
LIMITS = BatchLimits(count=25, bytes=15_500_000, overhead=len(b'{"PutRequest":},'), unit=1024)

ALL_TAKEN = frozenset({b'{"UnprocessedItems":{}}', b'{"UnprocessedItems": {}}', b"{}"})

# Most requests go well: one report for each size will do.
all_written = cache(lambda count: WriteReport(written=count))

_JOINT = b'},{"PutRequest":'
_CLOSING = b"}]}}"


class TableSink:
    """What every sink over one table has but its way to write. Use as ``async with``, or call ``aclose``.

    Args:
        api: Signed calls; the sink closes it.
        table: Table name.
    """

    def __init__(self, api: DynamoDBApi, table: str, limits: BatchLimits) -> None:
        self._api, self._name, self._limits = api, table, limits
        self._table: Table | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.endpoint.aclose()

    @property
    def limits(self) -> BatchLimits:
        return self._limits

    async def identity(self) -> str:
        """The TableId.

        Raises:
            TargetMissing: No such table, or it is being deleted.
            TransientFailure: The table is not ready yet.
        """
        self._table = table = await describe(self._api, self._name)
        if not table.writable:
            raise TransientFailure(f"table {self._name} is {table.status}")
        return table.identity

    async def flush(self) -> None:
        """Puts are durable when they are answered: nothing to do."""


class DynamoDBSink(TableSink):
    """core.ports.Sink over one table, by BatchWriteItem."""

    def __init__(self, api: DynamoDBApi, table: str, *, limits: BatchLimits = LIMITS) -> None:
        super().__init__(api, table, limits)
        self._opening = b'{"RequestItems":{' + json.dumps(table).encode() + b':[{"PutRequest":'

    async def write(self, batch: Batch) -> WriteReport:
        """Put the batch's items; see core.ports.Sink."""
        return await write_apart(self._send, batch.bodies)

    async def _send(self, bodies: Sequence[bytes]) -> WriteReport:
        # Joined in one go: a request of 30 KB is copied once.
        pieces = [*bodies]
        pieces[0] = self._opening + pieces[0]
        pieces[-1] = b"%b%b" % (pieces[-1], _CLOSING)
        answer = await self._api.post("BatchWriteItem", _JOINT.join(pieces))
        if answer in ALL_TAKEN:
            return all_written(len(bodies))
        left = self._unprocessed(answer)
        if not left:
            return all_written(len(bodies))
        retry = await self._indices(bodies, left)
        return WriteReport(written=len(bodies) - len(retry), retry=retry, throttled=True)

    def _unprocessed(self, answer: bytes) -> list[Mapping[str, Any]]:
        try:
            requests = json.loads(answer).get("UnprocessedItems", {})
            return [request["PutRequest"]["Item"] for left in requests.values() for request in left]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TransientFailure(f"BatchWriteItem: answer not understood: {answer[:200]!r}") from error

    async def _indices(self, bodies: Sequence[bytes], left: Sequence[Mapping[str, Any]]) -> list[int]:
        """Indices of the items in ``left``. All, when one can't be told apart: to put twice does no harm."""
        if self._table is None:
            self._table = await describe(self._api, self._name)
        keys = self._table.keys
        wanted = {canonical_key(item, keys) for item in left}
        retry = [
            index
            for index, body in enumerate(bodies)
            if canonical_key(json.loads(bytes(body))["Item"], keys) in wanted
        ]
        return retry if len(retry) == len(left) else list(range(len(bodies)))


def canonical_key(item: Mapping[str, Any], keys: KeySchema) -> tuple[object, ...]:
    """An item's key, the same however the server spells it (``1.0`` or ``1``, padding of base64)."""
    return tuple(_canonical(kind, item.get(name, {}).get(kind, "")) for name, kind in keys.parts)


def _canonical(kind: str, value: str) -> object:
    try:
        if kind == "N":
            return Decimal(value)
        if kind == "B":
            return base64.b64decode(value + "==")
    except (InvalidOperation, ValueError):
        return value
    return value
