"""Brings one cut to its end: sends its batch, sends again what may be sent again, splits, collects refusals.

Several couriers' requests share one gate. Nothing here touches the ledger.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from random import Random
from typing import Any, Protocol, TypeVar

from ingest_project.core.accounting import check_report, part_of
from ingest_project.core.errors import BatchTooLarge, Throttled, TransientFailure
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import BatchLimits, Cut
from ingest_project.core.model import Batch, Refusal, Rejection, WriteReport
from ingest_project.core.ports import Clock, ItemStream, Sink
from ingest_project.core.retrying import Patience, RetryPolicy

T = TypeVar("T")
Offload = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a blocking call without blocking the event loop; ``asyncio.to_thread`` in earnest."""
Sleep = Callable[[float], Coroutine[Any, Any, None]]
Waiting = tuple[asyncio.Future[None], Sequence[bytes]]


class Gate:
    """Lets requests out as the governor's window and pace allow; first come, first served.

    Who is first waits for a place in the window and then for the pace; nobody behind reserves anything, so
    that a change of the pace is felt at once.

    Args:
        limits: The sink's; say what a request costs.

    Attributes:
        progress: Requests of which the target took something.
    """

    def __init__(self, governor: RateGovernor, limits: BatchLimits, sleep: Sleep) -> None:
        self._governor, self._limits, self._sleep = governor, limits, sleep
        self.inside = 0
        self.progress = 0
        self._waiting: deque[Waiting] = deque()
        self._timer: asyncio.Task[None] | None = None

    def try_enter(self, bodies: Sequence[bytes]) -> bool:
        """A place for one request now, or False."""
        governor = self._governor
        if self._waiting or self.inside >= governor.window or governor.delay() > 0.0:
            return False
        self._enter(bodies)
        return True

    async def enter(self, bodies: Sequence[bytes]) -> None:
        """Wait for a place for one request."""
        if self.try_enter(bodies):
            return
        turn = asyncio.get_running_loop().create_future()
        mine = (turn, bodies)
        self._waiting.append(mine)
        self._admit()
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.leave()
            else:
                self._forget(mine)
            raise

    def enter_anyway(self) -> None:
        """Count oneself in without waiting, to leave again at once."""
        self.inside += 1

    def leave(self) -> None:
        self.inside -= 1
        self._admit()

    def report(self, batch: Batch, report: WriteReport, begun: float) -> None:
        """Tell the governor what became of a request; costs are counted only where they count."""
        again, governor = report.retry, self._governor
        if len(again) < len(batch.bodies):
            self.progress += 1
        if not (governor.paced or report.throttled):
            governor.widen(self.inside)
            return
        cost = self._limits.cost(batch.bodies)
        refused = self._limits.cost([batch.bodies[index] for index in again])
        governor.report(cost, refused, begun=begun, inside=self.inside, throttled=report.throttled)

    def _enter(self, bodies: Sequence[bytes]) -> None:
        self.inside += 1
        if self._governor.paced:
            self._governor.spend(self._limits.cost(bodies))

    def _admit(self) -> None:
        """Let in who is next, as far as window and pace allow; at a pace, wake up for the next."""
        while self._waiting and self._timer is None and self.inside < self._governor.window:
            wait = self._governor.delay()
            if wait > 0.0:
                self._timer = asyncio.create_task(self._ring(wait))
            else:
                self._next()

    def _next(self) -> None:
        turn, bodies = self._waiting.popleft()
        if not turn.done():
            self._enter(bodies)
            turn.set_result(None)

    async def _ring(self, seconds: float) -> None:
        try:
            await self._sleep(seconds)
        finally:
            self._timer = None
        if self._waiting and self.inside < self._governor.window:
            self._next()
        self._admit()

    def _forget(self, waiting: Waiting) -> None:
        """Somebody waits no longer; when nobody does, nothing is left running."""
        if waiting in self._waiting:
            self._waiting.remove(waiting)
        if not self._waiting and self._timer is not None:
            self._timer.cancel()


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
        account: Account,
        clock: Clock,
        sleep: Sleep,
        rng: Random,
        offload: Offload,
    ) -> None:
        self._sink, self._stream, self._retry, self._gate = sink, stream, retry, gate
        self._account, self._clock = account, clock
        self._sleep, self._rng, self._offload = sleep, rng, offload

    async def deliver(self, cut: Cut, batch: Batch) -> None:
        """Until every item of the batch has its outcome, which is written into the cut.

        Raises:
            TransientFailure: The retry policy's attempts are used up.
            PermanentFailure, CountLost, LeaseLost: As they come.
        """
        patience: Patience | None = None
        seen = self._gate.progress
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
            excused, seen = report.throttled and self._gate.progress > seen, self._gate.progress
            patience = patience or Patience(self._retry)
            patience.tried(progress=len(report.retry) < len(batch), excused=excused)
            batch = part_of(batch, sorted(report.retry))
            await self._back_off(patience, report, error, batch)

    async def _send(self, batch: Batch) -> tuple[WriteReport | None, TransientFailure | None]:
        """One request. A failed one is told as a report that says: all of it again; a too large one as
        None."""
        self._account.check()
        begun, error = self._clock(), None
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
        self._gate.report(batch, report, begun)
        self._account.sent(len(report.retry), report.throttled)
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
        self, patience: Patience, report: WriteReport, error: TransientFailure | None, batch: Batch
    ) -> None:
        delay = patience.delay(self._rng, report.retry_after)
        if delay is None:
            what = str(error) if error is not None else f"{len(batch)} items were not taken"
            raise TransientFailure(f"gave up after {patience.tries} attempts: {what}") from error
        await self._pause(delay, batch)

    async def _pause(self, seconds: float, batch: Batch) -> None:
        """Sleep outside the gate, unless the load has stopped meanwhile."""
        self._account.check()
        self._gate.leave()
        try:
            await self._account.idle(self._sleep(seconds))
            await self._account.idle(self._gate.enter(batch.bodies))
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
