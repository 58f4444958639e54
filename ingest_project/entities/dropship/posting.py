"""BookSink: ids in, books out (orders, journal entries, settlements): made anew and put where they differ.

A core.ports.Sink, so that the Loader keeps requests in flight, tries again, counts and resumes. What a book
is made of is said by its maker, and where books lie is behind a port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
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
from ingest_project.formats.attribute_values import Value, typed_attributes
from ingest_project.formats.json_tree import Refused

LIMITS = BatchLimits(count=25, bytes=64 * 1024)
"""As many books of a kind at once as one request can write."""

MOST_LINES = 10_000
"""Of one order; what has more is refused, so that one id cannot fill the memory."""

ORDERS, JOURNAL, INVOICES, SETTLEMENTS = "orders", "journal", "invoices", "settlements"
KEYS: Mapping[str, tuple[str, ...]] = {
    ORDERS: ("kode_pesanan",),
    JOURNAL: ("kode_pesanan",),
    INVOICES: ("kode_invoice_channel", "kode_pesanan"),
    SETTLEMENTS: ("kode_invoice_channel",),
}
"""Kinds of books and the attributes of their keys, texts all of them. ``invoices`` leads from the channel's
code to the orders that bear it."""

ORDER_BOOKS = (INVOICES, ORDERS, JOURNAL)
"""In the order of writing: an order is found by its code as soon as it is there."""

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


class TooManyLines(ValueError):
    """An order has more than MOST_LINES lines."""


class Shelf(Protocol):
    """Where books lie."""

    async def identity(self) -> str:
        """Names all tables as they stand."""
        ...

    async def books(self, kind: str, items: Sequence[Item]) -> Mapping[str, Item]:
        """The stored books that have the keys of these items, by ``name_of``; missing ones are left out."""
        ...

    async def put(self, kind: str, bodies: Sequence[bytes]) -> WriteReport:
        """Write items (``{"Item":{...}}``); one outcome each, as of core.ports.Sink."""
        ...


class LineShelf(Protocol):
    """Where lines lie."""

    async def lines(self, code: str) -> Sequence[Item]:
        """All lines of an order as they stand now (a consistent read). Raises TooManyLines."""
        ...


class OrderShelf(Shelf, LineShelf, Protocol):
    """Both: what the books of orders need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The books of one id, by kind; none when nothing is there to make them of, or when it is refused."""

    books: Mapping[str, Item] = field(default_factory=dict)
    refused: str = ""


Maker = Callable[[str], Coroutine[Any, Any, Made]]
"""Reads what an id's books are made of, as it stands now, and makes them."""


def name_of(kind: str, item: Mapping[str, Value]) -> str:
    """The key of a book as one text; of a key of one attribute it is that."""
    return "\0".join(str(item[name]) for name in KEYS[kind])


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


class BookSink:
    """Writes the books of the ids it is given; what stands there already is unchanged.

    Memory: what 25 ids are made of, for each batch in flight.

    Args:
        kinds: Of the maker's books, in the order of writing.
    """

    def __init__(self, shelf: Shelf, lock: SlotLock, make: Maker, kinds: Sequence[str]) -> None:
        self._shelf, self._lock, self._make, self._kinds = shelf, lock, make, kinds

    @property
    def limits(self) -> BatchLimits:
        return LIMITS

    async def identity(self) -> str:
        return await self._shelf.identity()

    async def flush(self) -> None:
        """Puts are durable when they are answered: nothing to do."""

    async def write(self, batch: Batch) -> WriteReport:
        """See core.ports.Sink. An id is written when one of its books was, and superseded when what they are
        made of is still to come, with a later date."""
        await self._lock.hold()
        made = await together([self._make(body.decode()) for body in batch.bodies])
        stored = await together([self._stored(kind, made) for kind in self._kinds])
        refused = {at: one.refused for at, one in enumerate(made) if one.refused}
        absent = {at for at, one in enumerate(made) if not one.books and not one.refused}
        again, touched = set[int](), set[int]()
        await self._lock.hold()
        for kind, known in zip(self._kinds, stored, strict=True):
            changed = [
                at
                for at, one in enumerate(made)
                if at not in refused and at not in again and _differs(kind, one, known)
            ]
            touched.update(changed)
            left, bad = await self._put(kind, changed, made)
            again |= left
            refused |= bad
        retry = sorted(again - refused.keys())
        written = len(touched - again - refused.keys())
        return WriteReport(
            written=written,
            superseded=len(absent),
            unchanged=len(made) - written - len(absent) - len(refused) - len(retry),
            refusals=[Refusal(index=at, reason=refused[at]) for at in sorted(refused)],
            retry=retry,
            throttled=bool(retry),
        )

    async def _stored(self, kind: str, made: Sequence[Made]) -> Mapping[str, Item]:
        return await self._shelf.books(kind, [one.books[kind] for one in made if kind in one.books])

    async def _put(
        self, kind: str, places: Sequence[int], made: Sequence[Made]
    ) -> tuple[set[int], dict[int, str]]:
        """Places that were not taken this time, and those refused with the reason."""
        if not places:
            return set(), {}
        bodies = [_encode({"Item": typed_attributes(made[at].books[kind])}) for at in places]
        report = await self._shelf.put(kind, bodies)
        bad = {places[refusal.index]: f"{kind}: {refusal.reason}" for refusal in report.refusals}
        return {places[at] for at in report.retry}, bad


def _differs(kind: str, made: Made, stored: Mapping[str, Item]) -> bool:
    book = made.books.get(kind)
    return book is not None and not same(stored.get(name_of(kind, book)), book)


def order_maker(shelf: LineShelf) -> Maker:
    """The books of orders, made of all their lines."""

    async def make(code: str) -> Made:
        try:
            lines = await shelf.lines(code)
        except TooManyLines as error:
            return Made(refused=str(error))
        return made_of(lines) if lines else Made()

    return make


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
    code = order.get("kode_invoice_channel")
    invoice: dict[str, Item] = {}
    if code is not None:
        invoice[INVOICES] = {"kode_invoice_channel": code, "kode_pesanan": order["kode_pesanan"]}
    return Made(books={**invoice, ORDERS: order, JOURNAL: journal})


async def together(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All of them at once; the first failure, in their order, is raised when every one has ended."""
    ended = await asyncio.gather(*calls, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException):
            raise one
    return [one for one in ended if not isinstance(one, BaseException)]
