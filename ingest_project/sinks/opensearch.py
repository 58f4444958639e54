"""OpenSearchSink: sends documents as bytes to one index with _bulk.

An item's body is its action line and its document: ``{"index":{"_id":"x"}}\\n{...}\\n``. One request a
batch, no retry, no loop over a stream; answers are parsed only when something went wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any, Self

from ingest_project.core.errors import IngestError, PermanentFailure, TargetMissing, TransientFailure
from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Batch, Refusal, WriteReport
from ingest_project.sinks.indexes import identity_of, index_path
from ingest_project.sinks.isolating import RequestRefused, Tally, write_apart
from ingest_project.sinks.opensearch_api import LINES, OpenSearchApi, describe_error

# OpenSearch takes 100 MB a request; beyond some megabytes larger requests only cost the server's memory.
LIMITS = BatchLimits(count=1000, bytes=5 * 1024 * 1024, overhead=0, unit=1)

_FILTER = "_bulk?filter_path=errors%2Citems.%2A.status%2Citems.%2A.error"
_NO_ERRORS = b'{"errors":false,'
_STATUS = b'"status":2'

# Two documents that meet a new field at the same time with values of two kinds: the loser is refused although
# the mapping, once it stands, takes both.
_CONTESTED = "cannot be changed from type"

_UNBLOCK = (
    ". The index takes no writes until its block is taken away: PUT /<index>/_settings "
    '{"index.blocks.write": null}, or read_only or read_only_allow_delete, whichever is named'
)


class OpenSearchSink:
    """core.ports.Sink over one index. Use as ``async with``, or call ``aclose``.

    Args:
        api: Calls; the sink closes it.
        index: Name of the index, or of an alias of exactly one index.
    """

    def __init__(self, api: OpenSearchApi, index: str, *, limits: BatchLimits = LIMITS) -> None:
        self._api = api
        self._index = index
        self._limits = limits
        self._bulk = f"{index_path(index)}/{_FILTER}"
        self._identity = ""

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
        """The index's UUID. Raises TargetMissing."""
        self._identity = await identity_of(self._api, self._index)
        return self._identity

    async def write(self, batch: Batch) -> WriteReport:
        """Index the batch's documents; see core.ports.Sink.

        A conflict of external versions counts as superseded. A block on the index (read-only, no write) is a
        PermanentFailure: nothing is wrong with the documents, and waiting would hold up other targets.
        """
        report = await write_apart(self._send, batch.bodies)
        contested = {one.index for one in report.refusals if _CONTESTED in one.reason}
        return await self._hear_again(batch.bodies, report, contested) if contested else report

    async def flush(self) -> None:
        """The chunk may be sealed: what was written is in the index that ``identity`` named. No refresh: one
        a load is made by whoever knows its end.

        Raises:
            TargetMissing: The index is another one. _bulk creates an index that was deleted meanwhile,
                without what was written before.
        """
        if self._identity and await identity_of(self._api, self._index) != self._identity:
            raise TargetMissing(f"index {self._index} was replaced while it was loaded")

    async def _hear_again(
        self, bodies: Sequence[bytes], report: WriteReport, contested: Set[int]
    ) -> WriteReport:
        """Send once more what lost a race for a new field's type; what is refused again stays refused."""
        tally = Tally()
        kept = [one for one in report.refusals if one.index not in contested]
        tally.add(replace(report, refusals=kept), range(len(bodies)))
        indices = sorted(contested)
        try:
            again = await write_apart(self._send, [bodies[index] for index in indices])
        except TransientFailure as failure:
            tally.put_off(failure, indices)
        else:
            tally.add(again, indices)
        return tally.report()

    async def _send(self, bodies: Sequence[bytes]) -> WriteReport:
        answer = await self._api.send("POST", self._bulk, b"".join(bodies), LINES)
        if answer.startswith(_NO_ERRORS) and answer.count(_STATUS) == len(bodies):
            return WriteReport(written=len(bodies))
        return _report(_items(answer), len(bodies))


def _items(answer: bytes) -> list[Mapping[str, Any]]:
    try:
        return [next(iter(item.values())) for item in json.loads(answer).get("items", [])]
    except (ValueError, TypeError, AttributeError, StopIteration) as error:
        raise TransientFailure(f"_bulk: answer not understood: {answer[:200]!r}") from error


def _report(items: Sequence[Mapping[str, Any]], sent: int) -> WriteReport:
    """One outcome an item, by its place.

    Raises:
        RequestRefused: The answer has more items than were sent: a body was not one action.
        TransientFailure: It has fewer: nobody knows of which, and no document is to blame.
        TargetMissing, PermanentFailure: The index as a whole does not take writes.
    """
    if len(items) != sent:
        failure = RequestRefused if len(items) > sent else TransientFailure
        raise failure(f"_bulk: {sent} items sent, {len(items)} answered")
    written = superseded = 0
    refusals: list[Refusal] = []
    retry: list[int] = []
    throttled = False
    for index, item in enumerate(items):
        status = int(item.get("status", 0))
        if 200 <= status < 300:
            written += 1
        elif status == 409:
            superseded += 1
        elif status == 429 or status >= 500:
            retry.append(index)
            throttled |= status == 429
        else:
            refusals.append(Refusal(index=index, reason=_refused(status, item.get("error", ""))))
    return WriteReport(
        written=written, superseded=superseded, refusals=refusals, retry=retry, throttled=throttled
    )


def _refused(status: int, error: object) -> str:
    """The reason for which one document was refused; raises when it is not the document's fault."""
    reason = describe_error(error)
    failure: type[IngestError] | None = None
    if status == 404 and "index_not_found" in reason:
        failure = TargetMissing
    elif status in (401, 403) or reason.startswith("index_closed_exception"):
        failure = PermanentFailure
    if "cluster_block" in reason:
        reason += _UNBLOCK
    if failure is not None:
        raise failure(reason)
    return reason
