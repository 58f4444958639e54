"""Keeps the ledger in step with one load: advances in steps, renews the lease, seals or hands back (laws 5,
8).

One advance at a time, off the event loop. Sends nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from ingest_project.core.accounting import Prefix
from ingest_project.core.delivering import Offload, Sleep
from ingest_project.core.errors import CountLost, LeaseLost, PermanentFailure
from ingest_project.core.limits import Cut
from ingest_project.core.model import Claim, Counts
from ingest_project.core.ports import Clock, Ledger, Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSettings:
    """How a loader keeps its account.

    Attributes:
        lease: Seconds of a claim; renewed with each advance, at the latest after a third of it. Nothing is
            sent in its last tenth.
        step_seconds: The ledger advances this often while there is news,
        step_items: or as soon as so many items are durable,
        step_bytes: or the rejections that wait have this size; at eight times of it nothing new is sent.
    """

    lease: float = 60.0
    step_seconds: float = 1.0
    step_items: int = 50_000
    step_bytes: int = 1 << 20


class Steps:
    """The only one who advances a claim.

    After an advance that raised, nobody knows whether the ledger took it: there is no second one, the claim
    is handed back, and the next owner reads the ledger.

    Attributes:
        prefix: The account behind the ledger's position.
        new: What became durable under this claim, as the ledger knows it.

    Args:
        started: When the claim was asked for.
        abort: Told when an advance failed; ``moved``: when one succeeded.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        claim: Claim,
        settings: LoadSettings,
        clock: Clock,
        sleep: Sleep,
        offload: Offload,
        progress: Progress | None,
        started: float,
        abort: Callable[[BaseException], None],
        moved: Callable[[], None],
    ) -> None:
        self.prefix, self.new = Prefix(claim.position), Counts()
        self._ledger, self._claim, self._settings = ledger, claim, settings
        self._clock, self._sleep, self._offload = clock, sleep, offload
        self._progress, self._abort, self._moved = progress, abort, moved
        self._started = self._renewed = started
        self._advancing: asyncio.Task[None] | None = None
        self._unsure = False

    def check(self) -> None:
        """Raises LeaseLost when the claim is about to run out."""
        if self._clock() >= self._renewed + 0.9 * self._settings.lease:
            raise LeaseLost(f"{self._claim.owner} could not renew chunk {self._claim.work.chunk.id} in time")

    @property
    def full(self) -> bool:
        """So many rejections wait for the ledger that nothing new must be sent."""
        return self.prefix.weight >= 8 * self._settings.step_bytes

    def settle(self, cut: Cut) -> None:
        """The cut is done; advances when enough has come together."""
        cut.done = True
        prefix, settings = self.prefix, self._settings
        prefix.settle()
        if prefix.fresh >= settings.step_items or prefix.weight >= settings.step_bytes:
            self._soon()

    async def beat(self) -> None:
        """Keeps ledger and lease fresh while requests come and go."""
        settings = self._settings
        while True:
            await self._sleep(min(settings.step_seconds, settings.lease / 3))
            stale = self._clock() - self._renewed >= settings.lease / 3
            if self.prefix.fresh or stale:
                self._soon()

    def _soon(self) -> None:
        if self._advancing is None and not self._unsure:
            self._advancing = asyncio.create_task(self._advance())

    async def _advance(self) -> None:
        """One step of the ledger. After a failed one no second try: see the class."""
        asked, lease = self._clock(), self._settings.lease
        try:
            position, counts, rejections = self.prefix.take()
            await self._offload(
                lambda: self._ledger.advance(self._claim, position, counts, rejections, lease=lease)
            )
        except BaseException as error:
            self._unsure = True
            self._abort(error)
            return
        finally:
            self._advancing = None
        self._renewed = asked
        self.new += counts
        self._moved()
        self._tell(position.ordinal)

    def _tell(self, done: int) -> None:
        if self._progress is None:
            return
        work = self._claim.work
        try:
            self._progress(work.stage, work.chunk, done, self._claim.counts + self.new)
        except BaseException as error:
            self._abort(error)

    async def quiet(self) -> None:
        """Wait for the advance that is under way."""
        while self._advancing is not None:
            await asyncio.wait((self._advancing,))

    async def rest(self) -> None:
        """Advance over everything that is durable."""
        await self.quiet()
        if not self._unsure and (self.prefix.fresh or self.prefix.traffic.requests):
            await self._advance()

    async def end(self, fault: PermanentFailure | None) -> None:
        """Seal, or mark failed where the input is broken."""
        seconds = self._clock() - self._started
        if fault is None:
            await self._offload(lambda: self._ledger.seal(self._claim, seconds=seconds))
        else:
            await self._offload(lambda: self._ledger.fail(self._claim, str(fault), seconds=seconds))

    async def give_up(self, error: BaseException) -> None:
        """Account for what is durable and hand the chunk back. The first error matters, not a lease lost
        since."""
        if not isinstance(error, LeaseLost):
            await self.rest()
        reason = str(error) or type(error).__name__
        if not isinstance(error, PermanentFailure | CountLost):
            await self._offload(lambda: self._ledger.release(self._claim, reason))
            return
        seconds = self._clock() - self._started
        with suppress(LeaseLost):
            await self._offload(lambda: self._ledger.fail(self._claim, reason, seconds=seconds))
