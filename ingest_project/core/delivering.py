"""Brings one cut to its end: sends its batch, sends again what may be sent again, splits, collects refusals.

Several couriers' requests share one gate. Nothing here touches the ledger.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any, Protocol, TypeVar

from ingest_project.core.accounting import check_report, part_of
from ingest_project.core.errors import BatchTooLarge, Throttled, TransientFailure
from ingest_project.core.limits import Cut
from ingest_project.core.model import Batch, Refusal, Rejection, WriteReport
from ingest_project.core.ports import ItemStream, Sink
from ingest_project.core.retrying import RateGovernor, RetryPolicy

T = TypeVar("T")
Offload = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a blocking call without blocking the event loop; ``asyncio.to_thread`` in earnest."""
Sleep = Callable[[float], Coroutine[Any, Any, None]]


class Gate:
    """Lets as many requests through as the governor's window is wide; first come, first served."""

    def __init__(self, governor: RateGovernor) -> None:
        self._governor = governor
        self._inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def inside(self) -> int:
        return self._inside

    def try_enter(self) -> bool:
        if self._waiting or self._inside >= self._governor.window:
            return False
        self._inside += 1
        return True

    async def enter(self) -> None:
        if self.try_enter():
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.leave()
            else:
                self._waiting.remove(turn)
            raise

    def enter_anyway(self) -> None:
        """Count oneself in without waiting, to leave again at once."""
        self._inside += 1

    def leave(self) -> None:
        self._inside -= 1
        while self._waiting and self._inside < self._governor.window:
            turn = self._waiting.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(None)


class Account(Protocol):
    """What a courier tells its load about each request."""

    def check(self) -> None:
        """Raises when nothing may be sent any more."""
        ...

    def sent(self, again: int, throttled: bool) -> None:
        """One request was answered; ``again`` of its items go out once more."""
        ...

    async def idle(self, waiting: Awaitable[T]) -> T:
        """Awaits something that may be cut short when the load stops."""
        ...


class Courier:
    """Delivers cuts of one load. Stateless between cuts.

    The caller holds a place in the gate when it calls ``deliver`` and still holds it when the call ends; the
    place is given up while a retry waits.
    """

    def __init__(
        self,
        *,
        sink: Sink,
        stream: ItemStream,
        retry: RetryPolicy,
        gate: Gate,
        governor: RateGovernor,
        account: Account,
        sleep: Sleep,
        rng: Random,
        offload: Offload,
    ) -> None:
        self._sink, self._stream, self._retry, self._gate = sink, stream, retry, gate
        self._governor, self._account = governor, account
        self._sleep, self._rng, self._offload = sleep, rng, offload

    async def deliver(self, cut: Cut, batch: Batch) -> None:
        """Until every item of the batch has its outcome, which is written into the cut.

        Raises:
            TransientFailure: The retry policy's attempts are used up.
            PermanentFailure, CountLost, LeaseLost: As they come.
        """
        attempt = 0
        while True:
            report, error = await self._send(batch)
            if report is None:
                await self._halves(cut, batch)
                return
            cut.written += report.written
            cut.superseded += report.superseded
            cut.unchanged += report.unchanged
            if report.refusals:
                await self._refuse(cut, batch, report.refusals)
            if not report.retry:
                return
            attempt = 1 if len(report.retry) < len(batch) else attempt + 1
            batch = part_of(batch, sorted(report.retry))
            await self._back_off(attempt, report, error, batch)

    async def _send(self, batch: Batch) -> tuple[WriteReport | None, TransientFailure | None]:
        """One request. A failed one is told as a report that says: all of it again; a too large one as
        None."""
        wait = self._governor.delay(len(batch.bodies))
        if wait > 0.0:
            self._account.check()
            await self._account.idle(self._sleep(wait))
        self._account.check()
        error = None
        try:
            report = await self._sink.write(batch)
        except TransientFailure as failure:
            error = failure
            report = WriteReport(
                retry=range(len(batch)),
                retry_after=failure.retry_after,
                throttled=isinstance(failure, Throttled),
            )
        except BatchTooLarge as failure:
            self._account.sent(len(batch) if len(batch) > 1 else 0, False)
            if len(batch) > 1:
                return None, None
            return WriteReport(refusals=(Refusal(index=0, reason=str(failure)),)), None
        check_report(batch, report)
        again = len(report.retry)
        self._governor.report(len(batch.bodies) - again, again, throttled=report.throttled)
        self._account.sent(again, report.throttled)
        return report, error

    async def _halves(self, cut: Cut, batch: Batch) -> None:
        middle = len(batch) // 2
        for indices in (range(middle), range(middle, len(batch))):
            await self.deliver(cut, part_of(batch, indices))

    async def _refuse(self, cut: Cut, batch: Batch, refusals: Any) -> None:
        def letters() -> list[Rejection]:
            return [
                self._stream.rejection(batch.ordinals[r.index], batch.bodies[r.index], r.reason)
                for r in refusals
            ]

        cut.rejections += await self._offload(letters)

    async def _back_off(
        self, attempt: int, report: WriteReport, error: TransientFailure | None, batch: Batch
    ) -> None:
        delay = self._retry.delay(attempt, self._rng, report.retry_after)
        if delay is None:
            what = str(error) if error is not None else f"{len(batch)} items were not taken"
            raise TransientFailure(f"gave up after {attempt} attempts: {what}") from error
        await self.pause(delay)

    async def pause(self, seconds: float) -> None:
        """Sleep outside the gate, unless the load has stopped meanwhile."""
        self._account.check()
        self._gate.leave()
        try:
            await self._account.idle(self._sleep(seconds))
            await self._account.idle(self._gate.enter())
        except BaseException:
            self._gate.enter_anyway()
            raise

    async def flush(self) -> None:
        """The sink's flush, tried as often as a batch."""
        attempt = 0
        while True:
            try:
                return await self._sink.flush()
            except TransientFailure as failure:
                attempt += 1
                delay = self._retry.delay(attempt, self._rng, failure.retry_after)
                if delay is None:
                    raise
                await self._sleep(delay)
