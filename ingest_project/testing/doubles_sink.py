"""InMemorySink: a table that answers by script. Key -> body, a log of requests, one outcome an item."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random

from ingest_project.core.errors import BatchTooLarge, PermanentFailure, Throttled, TransientFailure
from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Batch, Refusal, WriteReport
from ingest_project.testing.faults import Answer, FaultScript, Life


def key_before_equals(body: bytes) -> bytes:
    """``b"key=value"`` -> ``b"key"``: how bodies of tests carry their key."""
    return body.partition(b"=")[0]


class InMemorySink:
    """Sink double with the manners of a table: a later write of a key replaces the earlier one.

    Refuses for good, as DynamoDB does, a request that is larger than its limits or holds one key twice.

    Args:
        limits: Of one request.
        script: What becomes of the requests, in the order of their arrival.
        latency: Seconds that a request takes, at most; each takes a random share of it, so that requests
            overtake one another. The write takes effect at its end.
        refuse: Body -> reason, for items that are never taken.
        life: The process that writes; when it dies, requests under way take effect or not, at random.
    """

    def __init__(
        self,
        *,
        limits: BatchLimits | None = None,
        script: FaultScript | None = None,
        latency: float = 0.0,
        refuse: Callable[[bytes], str] = lambda body: "",
        key_of: Callable[[bytes], bytes] = key_before_equals,
        life: Life | None = None,
        rng: Random | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        table: dict[bytes, bytes] | None = None,
    ) -> None:
        self._limits = limits or BatchLimits(count=25, bytes=1 << 20)
        self.script = script or FaultScript()
        self.table = {} if table is None else table
        self.log: list[Batch] = []
        self.flushes = 0
        self.in_flight = self.most_in_flight = 0
        self._latency, self._refuse, self._key_of = latency, refuse, key_of
        self._life, self._rng, self._sleep = life or Life(), rng or Random(0), sleep

    @property
    def limits(self) -> BatchLimits:
        return self._limits

    @property
    def items_sent(self) -> int:
        return sum(map(len, self.log))

    async def identity(self) -> str:
        return "memory"

    async def write(self, batch: Batch) -> WriteReport:
        self._life.check()
        answer = self.script.next()
        self._check_size(batch)
        self.log.append(batch)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self._sleep(self._rng.uniform(0, self._latency))
            return self._answer(answer, batch)
        finally:
            self.in_flight -= 1

    async def flush(self) -> None:
        self._life.check()
        self.flushes += 1

    def _answer(self, answer: Answer, batch: Batch) -> WriteReport:
        if self._life.dead and self._rng.random() < 0.5:
            self._apply(batch, range(len(batch)))
        self._life.check()
        match answer:
            case Answer.KILL_BEFORE:
                self._life.end()
            case Answer.LOST_BEFORE:
                raise TransientFailure("connection reset before the request was read")
            case Answer.THROTTLE_ALL:
                raise Throttled("slow down", retry_after=0.1)
            case Answer.TOO_LARGE if len(batch) > 1:
                raise BatchTooLarge("413")
            case Answer.PERMANENT:
                raise PermanentFailure("access denied")
        share = 0.5 if answer in (Answer.THROTTLE, Answer.PARTIAL) else 0.0
        later = [index for index in range(len(batch)) if self._rng.random() < share]
        report = self._apply(batch, [index for index in range(len(batch)) if index not in later])
        if answer is Answer.KILL_AFTER:
            self._life.end()
        if answer is Answer.LOST_AFTER:
            raise TransientFailure("connection reset before the answer was read")
        if answer is Answer.MISCOUNT:
            return WriteReport(written=len(batch) - 1)
        return WriteReport(
            written=report.written,
            refusals=report.refusals,
            retry=later,
            throttled=answer is Answer.THROTTLE,
        )

    def _apply(self, batch: Batch, indices: Sequence[int]) -> WriteReport:
        refusals = []
        for index in indices:
            body = batch.bodies[index]
            reason = self._refuse(body)
            if reason:
                refusals.append(Refusal(index=index, reason=reason))
            else:
                self.table[self._key_of(body)] = body
        return WriteReport(written=len(indices) - len(refusals), refusals=refusals)

    def _check_size(self, batch: Batch) -> None:
        limits = self._limits
        size = sum(map(len, batch.bodies)) + limits.overhead * len(batch)
        if len(batch) > limits.count or (len(batch) > 1 and size > limits.bytes):
            raise PermanentFailure(f"{len(batch)} items of {size} bytes are more than a request may hold")
        if len({self._key_of(body) for body in batch.bodies}) < len(batch):
            raise PermanentFailure("one key twice in a request")
