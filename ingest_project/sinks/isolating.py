"""Finds the items for which a whole request was refused, so that they harm no other item.

Sends halves, in order; knows no vendor.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from ingest_project.core.errors import BatchTooLarge, PermanentFailure, Throttled, TransientFailure
from ingest_project.core.model import Refusal, WriteReport

Send = Callable[[Sequence[bytes]], Awaitable[WriteReport]]


class RequestRefused(PermanentFailure):
    """The target refused a request as a whole for its content."""


@dataclass(slots=True)
class Tally:
    """Sum of the reports of a batch's pieces, with indices counted in the batch."""

    written: int = 0
    superseded: int = 0
    unchanged: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    retry: list[int] = field(default_factory=list)
    retry_after: float | None = None
    throttled: bool = False

    def add(self, report: WriteReport, indices: Sequence[int]) -> None:
        """Add the report of a piece whose items have these indices in the batch."""
        self.written += report.written
        self.superseded += report.superseded
        self.unchanged += report.unchanged
        self.refusals += (Refusal(index=indices[one.index], reason=one.reason) for one in report.refusals)
        self.retry += (indices[index] for index in report.retry)
        self.throttled |= report.throttled
        self._wait(report.retry_after)

    def put_off(self, failure: TransientFailure, indices: Sequence[int]) -> None:
        """A piece that failed for now: all of it may be sent again."""
        self.retry += indices
        self.throttled |= isinstance(failure, Throttled)
        self._wait(failure.retry_after)

    def _wait(self, seconds: float | None) -> None:
        if seconds is not None:
            self.retry_after = max(seconds, self.retry_after or 0.0)

    def report(self) -> WriteReport:
        """The batch's report."""
        return WriteReport(
            written=self.written,
            superseded=self.superseded,
            unchanged=self.unchanged,
            refusals=self.refusals,
            retry=self.retry,
            retry_after=self.retry_after,
            throttled=self.throttled,
        )


async def write_apart(send: Send, bodies: Sequence[bytes]) -> WriteReport:
    """Send ``bodies`` in one request; refused as a whole, in halves until the culprits stand alone.

    ``k`` culprits among ``n`` items cost at most ``2 k log2(n) + 1`` requests. Halves go one after the
    other, in order, so that the last of two equal keys still wins.

    Raises:
        TransientFailure, BatchTooLarge, PermanentFailure: From the first request, as ``send`` raised them.
            Later transient failures become retries of their items; one item that is too large is a refusal.
    """
    try:
        return await send(bodies)
    except (RequestRefused, BatchTooLarge) as error:
        if isinstance(error, BatchTooLarge) and len(bodies) > 1:
            raise
        reason = str(error)
    tally = Tally()
    await _divide(send, bodies, 0, reason, tally)
    return tally.report()


async def _divide(send: Send, bodies: Sequence[bytes], first: int, reason: str, tally: Tally) -> None:
    """``bodies`` were refused together for ``reason``; ``first`` is the batch's index of ``bodies[0]``."""
    if len(bodies) == 1:
        tally.refusals.append(Refusal(index=first, reason=reason))
        return
    middle = len(bodies) // 2
    for start, half in ((first, bodies[:middle]), (first + middle, bodies[middle:])):
        try:
            tally.add(await send(half), range(start, start + len(half)))
        except (RequestRefused, BatchTooLarge) as error:
            await _divide(send, half, start, str(error), tally)
        except TransientFailure as error:
            tally.put_off(error, range(start, start + len(half)))
