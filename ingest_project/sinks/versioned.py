"""VersionedSink: puts items into one table, each only over an item whose version is not higher.

One PutItem an item, as BatchWriteItem knows no condition; no retry, no loop over a stream. An item's body is
the end of its request: ``"ExpressionAttributeValues":{":v":{"N":"7"}},"Item":{...}}``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from ingest_project.core.errors import BatchTooLarge, TransientFailure
from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Batch, Refusal, WriteReport
from ingest_project.sinks.dynamodb import TableSink
from ingest_project.sinks.dynamodb_api import ConditionRefused, DynamoDBApi
from ingest_project.sinks.isolating import RequestRefused, Tally

# A batch is a request: so the loader's window counts what is under way, and a throttled item slows its own.
LIMITS = BatchLimits(count=1, bytes=1_000_000, overhead=0, unit=1024)

_WRITTEN, _SUPERSEDED = WriteReport(written=1), WriteReport(superseded=1)


class VersionedSink(TableSink):
    """core.ports.Sink over one table.

    An equal version is written again: a request that is repeated because its answer was lost counts as
    written, as it was.

    Args:
        api: Signed calls; the sink closes it.
        table: Table name.
        version: The attribute that is compared; an item that has none is older than any.
    """

    def __init__(self, api: DynamoDBApi, table: str, *, version: str, limits: BatchLimits = LIMITS) -> None:
        super().__init__(api, table, limits)
        words = {
            "TableName": table,
            "ConditionExpression": "attribute_not_exists(#v) OR #v <= :v",
            "ExpressionAttributeNames": {"#v": version},
        }
        self._opening = json.dumps(words, separators=(",", ":")).encode()[:-1] + b","

    async def write(self, batch: Batch) -> WriteReport:
        """Put the items, all at once; see core.ports.Sink. What the condition refuses is superseded."""
        if len(batch.bodies) == 1:
            return await self._put(batch.bodies[0])
        return await self._all(batch.bodies)

    async def _put(self, body: bytes) -> WriteReport:
        try:
            await self._api.post("PutItem", self._opening + body)
        except ConditionRefused:
            return _SUPERSEDED
        except (RequestRefused, BatchTooLarge) as error:
            return WriteReport(refusals=(Refusal(index=0, reason=str(error)),))
        return _WRITTEN

    async def _all(self, bodies: Sequence[bytes]) -> WriteReport:
        """Raises what is wrong with every item, when none was taken for the same transient cause, too."""
        ended = await asyncio.gather(*map(self._put, bodies), return_exceptions=True)
        tally, last = Tally(), None
        for place, one in enumerate(ended):
            if isinstance(one, WriteReport):
                tally.add(one, (place,))
            elif isinstance(one, TransientFailure):
                last = one
                tally.put_off(one, (place,))
            else:
                raise one
        if last is not None and len(tally.retry) == len(bodies):
            raise last
        return tally.report()
