"""Poster: bodies of many callers into one sink, each call to its end; what is refused is told by its place.

For documents, whose account is kept by their ledger; chunks of files are loaded by loading.Loader.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from random import Random
from typing import TypeVar

from ingest_project.core.delivering import Courier, Gate, Sleep
from ingest_project.core.errors import TransientFailure
from ingest_project.core.governing import RateGovernor
from ingest_project.core.limits import batched
from ingest_project.core.model import ItemBlock, Position, Rejection
from ingest_project.core.ports import Clock, Sink
from ingest_project.core.retrying import RetryPolicy

T = TypeVar("T")


class NotTaken(TransientFailure):
    """The target took it in none of the attempts that the policy allows: not this time any more."""


class Poster:
    """Sends with the window and pace that the target takes; sends again only what may be sent again.

    In flight: at most ``governor.window`` requests of all callers together, each within the sink's limits.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        retry: RetryPolicy,
        governor: RateGovernor,
        clock: Clock,
        sleep: Sleep,
        rng: Random,
    ) -> None:
        self._limits = sink.limits
        self._gate = Gate(governor, sink.limits, sleep)
        self._courier = Courier(
            sink=sink,
            stream=_Places(),
            retry=retry,
            gate=self._gate,
            account=_Unwatched(),
            clock=clock,
            sleep=sleep,
            rng=rng,
            offload=_here,
        )

    async def post(self, bodies: Sequence[bytes]) -> dict[int, str]:
        """Place of each body that the target refused for good -> its reason; all others are taken.

        Raises:
            NotTaken: The policy's attempts are used up; some bodies may have been taken.
            PermanentFailure: Of no use for any body.
        """
        refused: dict[int, str] = {}
        for cut in batched([ItemBlock(first=0, entries=bodies, plain=True)], self._limits):
            if cut.batch is None:
                continue
            await self._gate.enter(cut.batch.bodies)
            try:
                await self._courier.deliver(cut, cut.batch)
            except TransientFailure as error:
                raise NotTaken(str(error), retry_after=error.retry_after) from error
            finally:
                self._gate.leave()
            refused |= {one.ordinal: one.reason for one in cut.rejections}
        return refused


class _Places:
    """core.ports.ItemStream of bodies that are at hand: a refused one is known by its place."""

    def blocks(self, after: Position) -> Iterator[ItemBlock]:
        return iter(())

    def rejection(self, ordinal: int, body: bytes, reason: str) -> Rejection:
        return Rejection(ordinal=ordinal, offset=-1, reason=reason, raw=b"")


class _Unwatched:
    """core.delivering.Account of nobody: the callers keep their own."""

    def check(self) -> None: ...

    def sent(self, again: int, throttled: bool) -> None: ...

    async def idle(self, waiting: Awaitable[T]) -> T:
        return await waiting


async def _here(call: Callable[[], T]) -> T:
    return call()
