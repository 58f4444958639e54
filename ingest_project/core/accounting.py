"""The account of one load: which stretch of a chunk is durable without a hole, and what became of it (laws 2,
8).

Knows cuts and counts; neither sends nor stores.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ingest_project.core.errors import CountLost
from ingest_project.core.limits import Cut
from ingest_project.core.model import Batch, Counts, Position, Rejection, WriteReport

LETTER_BYTES = 512
"""What a rejection weighs beside its raw bytes."""


@dataclass(slots=True)
class Traffic:
    """What was tried, durable or not."""

    requests: int = 0
    retries: int = 0
    throttles: int = 0


class Prefix:
    """Cuts in order, from the first that is not done. The position is the end of the done ones before it.

    Holds at most the cuts that the loader has under way or finished behind a gap; the loader bounds them.
    """

    def __init__(self, position: Position) -> None:
        self.position = position
        self.traffic = Traffic()
        self._cuts: deque[Cut] = deque()
        self._from = position.ordinal
        self._written = self._superseded = self._unchanged = self._bytes = 0
        self._rejections: list[Rejection] = []
        self._weight = 0

    def push(self, cut: Cut) -> None:
        self._cuts.append(cut)

    def settle(self) -> None:
        """Move on over what is done."""
        cuts = self._cuts
        cut = None
        while cuts and cuts[0].done:
            cut = cuts.popleft()
            self._written += cut.written
            self._superseded += cut.superseded
            self._unchanged += cut.unchanged
            if cut.batch is not None:
                self._bytes += cut.batch.size
            if cut.rejections:
                self._rejections += cut.rejections
                self._weight += sum(LETTER_BYTES + len(letter.raw) for letter in cut.rejections)
        if cut is not None:
            self.position = Position(cut.end, cut.token)

    @property
    def ahead(self) -> int:
        """Cuts that are under way, or done behind one that is not."""
        return len(self._cuts)

    @property
    def fresh(self) -> int:
        """Items that became durable since the last ``take``."""
        return self.position.ordinal - self._from

    @property
    def weight(self) -> int:
        """Bytes of the rejections that wait for the next ``take``."""
        return self._weight

    def take(self) -> tuple[Position, Counts, list[Rejection]]:
        """The position, and what is new since the last call."""
        rejections, traffic = self._rejections, self.traffic
        counts = Counts(
            sent=self.fresh,
            written=self._written,
            superseded=self._superseded,
            unchanged=self._unchanged,
            rejected=len(rejections),
            bytes=self._bytes,
            requests=traffic.requests,
            retries=traffic.retries,
            throttles=traffic.throttles,
        )
        if not counts.balanced:
            raise CountLost(f"up to item {self.position.ordinal} the account does not add up: {counts}")
        self._from = self.position.ordinal
        self._written = self._superseded = self._unchanged = self._bytes = 0
        self._rejections, self._weight, self.traffic = [], 0, Traffic()
        return self.position, counts, rejections


def check_report(batch: Batch, report: WriteReport) -> None:
    """One outcome for each item of the batch.

    Raises:
        CountLost: The report says less or more than what was sent.
    """
    named = len(report.refusals) + len(report.retry)
    total = report.written + report.superseded + report.unchanged + named
    if total != len(batch.bodies):
        raise CountLost(f"{len(batch.bodies)} items were sent, the report tells of {total}: {report}")
    if named:
        indices = {refusal.index for refusal in report.refusals} | set(report.retry)
        if len(indices) != named or min(indices) < 0 or max(indices) >= len(batch.bodies):
            raise CountLost(f"the report names items twice, or items that were not sent: {report}")


def part_of(batch: Batch, indices: list[int] | range) -> Batch:
    """The batch's items at ``indices``, in order."""
    bodies = [batch.bodies[index] for index in indices]
    ordinals = [batch.ordinals[index] for index in indices]
    return Batch(bodies=bodies, ordinals=ordinals, size=sum(map(len, bodies)))
