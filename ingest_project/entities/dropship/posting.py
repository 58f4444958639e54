"""OrderSink: order ids in, orders and journal entries out: made of all lines and put where they differ.

A core.ports.Sink, so that the Loader keeps requests in flight, tries again, counts and resumes. Where lines
and books lie is behind a port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Inexact
from typing import Any, Protocol, TypeVar

import msgspec

from ingest_project.core.delivering import Offload
from ingest_project.core.errors import LeaseLost
from ingest_project.core.limits import BatchLimits
from ingest_project.core.model import Batch, Claim, Counts, Position, Refusal, WriteReport
from ingest_project.core.ports import Clock, Ledger
from ingest_project.entities.dropship.books import Item, journal_of, order_of, same, sides
from ingest_project.formats.attribute_values import typed_attributes
from ingest_project.formats.json_tree import Refused

LIMITS = BatchLimits(count=25, bytes=64 * 1024)
"""As many orders at once as one request can write."""

MOST_LINES = 10_000
"""Of one order; what has more is refused, so that one id cannot fill the memory."""

ORDERS, JOURNAL = "orders", "journal"

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


class TooManyLines(ValueError):
    """An order has more than MOST_LINES lines."""


class Shelf(Protocol):
    """Where lines and books lie."""

    async def identity(self) -> str:
        """Names all tables as they stand."""
        ...

    async def lines(self, code: str) -> Sequence[Item]:
        """All lines of an order as they stand now (a consistent read). Raises TooManyLines."""
        ...

    async def books(self, kind: str, codes: Sequence[str]) -> Mapping[str, Item]:
        """The stored ``orders`` or ``journal`` entries of these ids; those that are missing are left out."""
        ...

    async def put(self, kind: str, bodies: Sequence[bytes]) -> WriteReport:
        """Write items (``{"Item":{...}}``); one outcome each, as of core.ports.Sink."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What an order's lines make of it; nothing when there are none, or when it is refused."""

    order: Item = field(default_factory=dict)
    journal: Item = field(default_factory=dict)
    refused: str = ""


class SlotLock:
    """One slot of the order space, held in the ledger by one pass at a time, whatever date it is of.

    Reading an order's lines and writing its books is not one step: two passes that did it at once could leave
    the books of the older lines. The lock is looked at before each read and before each write.

    Args:
        claim: Of the slot; its lease began now.
    """

    def __init__(
        self,
        ledger: Ledger,
        claim: Claim,
        *,
        lease: float,
        clock: Clock,
        offload: Offload = asyncio.to_thread,
    ) -> None:
        self._ledger, self._claim, self._lease, self._clock = ledger, claim, lease, clock
        self._offload, self._renewed = offload, clock()
        self._turn = asyncio.Lock()

    async def hold(self) -> None:
        """Make sure that the slot is held for two thirds of a lease more.

        Raises:
            LeaseLost: Somebody else has it.
        """
        async with self._turn:
            asked = self._clock()
            if asked - self._renewed < self._lease / 3:
                return
            if asked - self._renewed >= self._lease:
                raise LeaseLost(f"{self._claim.work.chunk.target}: the lease ran out")
            await self._offload(self._renew)
            self._renewed = asked

    def _renew(self) -> None:
        self._ledger.advance(self._claim, Position(), Counts(), (), lease=self._lease)


class OrderSink:
    """Writes the books of orders whose ids it is given; what stands there already is unchanged.

    Memory: the lines of 25 orders for each batch in flight.
    """

    def __init__(self, shelf: Shelf, lock: SlotLock) -> None:
        self._shelf, self._lock = shelf, lock

    @property
    def limits(self) -> BatchLimits:
        return LIMITS

    async def identity(self) -> str:
        return await self._shelf.identity()

    async def flush(self) -> None:
        """Puts are durable when they are answered: nothing to do."""

    async def write(self, batch: Batch) -> WriteReport:
        """See core.ports.Sink. An id is written when its order or its journal entry was, and superseded when
        its lines are still to come, with a later date."""
        await self._lock.hold()
        codes = [body.decode() for body in batch.bodies]
        made = await together([self._make(code) for code in codes])
        orders, journals = await together([self._shelf.books(kind, codes) for kind in (ORDERS, JOURNAL)])
        refused = {at: one.refused for at, one in enumerate(made) if one.refused}
        absent = {at for at, one in enumerate(made) if not one.order and not one.refused}
        again, touched = set[int](), set[int]()
        await self._lock.hold()
        for kind, stored in ((ORDERS, orders), (JOURNAL, journals)):
            wanted = [one.order if kind == ORDERS else one.journal for one in made]
            changed = [
                at
                for at, item in enumerate(wanted)
                if item and at not in refused and at not in again and not same(stored.get(codes[at]), item)
            ]
            touched.update(changed)
            left, bad = await self._put(kind, changed, wanted)
            again |= left
            refused |= bad
        retry = sorted(again - refused.keys())
        written = len(touched - again - refused.keys())
        return WriteReport(
            written=written,
            superseded=len(absent),
            unchanged=len(codes) - written - len(absent) - len(refused) - len(retry),
            refusals=[Refusal(index=at, reason=refused[at]) for at in sorted(refused)],
            retry=retry,
            throttled=bool(retry),
        )

    async def _make(self, code: str) -> Made:
        try:
            lines = await self._shelf.lines(code)
        except TooManyLines as error:
            return Made(refused=str(error))
        return made_of(lines) if lines else Made()

    async def _put(
        self, kind: str, places: Sequence[int], items: Sequence[Item]
    ) -> tuple[set[int], dict[int, str]]:
        """Places that were not taken this time, and those refused with the reason."""
        if not places:
            return set(), {}
        bodies = [_encode({"Item": typed_attributes(items[at])}) for at in places]
        report = await self._shelf.put(kind, bodies)
        bad = {places[refusal.index]: f"{kind}: {refusal.reason}" for refusal in report.refusals}
        return {places[at] for at in report.retry}, bad


def made_of(lines: Sequence[Item]) -> Made:
    """Order and journal entry of these lines; nothing that is not balanced or not exact comes out."""
    try:
        order = order_of(lines)
        journal = journal_of(order)
        typed_attributes(order)
        typed_attributes(journal)
    except (Refused, Inexact, KeyError, TypeError, ValueError) as error:
        return Made(refused=f"its lines make no order: {error!r}")
    debit, credit = sides(journal)
    if debit != credit:
        return Made(refused=f"debits {debit} are not credits {credit}")
    return Made(order=order, journal=journal)


async def together(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All of them at once; the first failure, in their order, is raised when every one has ended."""
    ended = await asyncio.gather(*calls, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException):
            raise one
    return [one for one in ended if not isinstance(one, BaseException)]
