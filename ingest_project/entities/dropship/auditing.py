"""What the checks on books look at: books read back from their tables beside what they are made of."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from ingest_project.core.model import Position
from ingest_project.core.ranking import Ranked
from ingest_project.entities.dropship.books import Item, journal_of, order_of, same, sides, sum_of
from ingest_project.entities.dropship.posting import JOURNAL, ORDERS, SETTLEMENTS, OrderShelf, together
from ingest_project.entities.dropship.settling import (
    NO_ORDER,
    OVERPAID,
    SALE,
    SettlementShelf,
    settlement_maker,
)
from ingest_project.entities.dropship.touched import SLOTS, IdStream
from ingest_project.entities.dropship.values import EXACT
from ingest_project.sinks.spills import Spills

Look = Callable[[Sequence[str], Sequence[str]], Coroutine[Any, Any, None]]

COMPARED = 5_000
"""Orders of a date that are made anew of their lines and compared, about; all where there are no more."""
AT_ONCE = 50
HOLD_BYTES = 8 << 20
MOST_NAMED = 20


@dataclass(slots=True, kw_only=True)
class BookAudit:
    """Counts and sums of one date's touched orders.

    Attributes:
        ids: Distinct order ids of the date's lines.
        orders, entries: Of them, those with an order and with a journal entry.
        compared: Orders that were made anew of their lines.
        lines_total, orders_total: Channel totals of the compared orders' lines, and of these orders.
        unbalanced, wrong: Ids with debits other than credits; with books other than their lines make.
    """

    ids: int = 0
    orders: int = 0
    entries: int = 0
    compared: int = 0
    debit: Decimal = Decimal(0)
    credit: Decimal = Decimal(0)
    lines_total: Decimal = Decimal(0)
    orders_total: Decimal = Decimal(0)
    unbalanced: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        return not self.unbalanced and self.debit == self.credit

    @property
    def complete(self) -> bool:
        whole = self.ids == self.orders == self.entries
        return whole and not self.wrong and self.lines_total == self.orders_total


@dataclass(slots=True, kw_only=True)
class SettlementAudit:
    """Counts and sums of the settlements of one date's codes.

    Attributes:
        codes: Distinct codes of the date's lines, payouts and commissions.
        settlements: Of them, those under which something was paid; ``states``: their number by state.
        compared: Settlements that were made anew.
        sale, settled, commission: Sums over the settlements.
        named: Codes of which more was paid out than sold, or which no order bears; ``wrong``: with a
            settlement that is not what it is made of.
    """

    codes: int = 0
    settlements: int = 0
    compared: int = 0
    states: Counter[str] = field(default_factory=Counter)
    sale: Decimal = Decimal(0)
    settled: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    named: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


async def audit(shelf: OrderShelf, ids: Iterable[Ranked], folder: Path) -> BookAudit:
    """Read the books of all these orders, and the lines of a sample of them.

    Memory: as a pass; of wrong orders the first are named.
    """
    found = BookAudit()

    async def look(codes: Sequence[str], sample: Sequence[str]) -> None:
        await _look(shelf, codes, sample, found)

    await _over(ids, folder, look)
    return found


async def audit_settlements(shelf: SettlementShelf, ids: Iterable[Ranked], folder: Path) -> SettlementAudit:
    """Read the settlements of all these codes, and make a sample of them anew. Memory: as ``audit``."""
    found, make = SettlementAudit(), settlement_maker(shelf)

    async def look(codes: Sequence[str], sample: Sequence[str]) -> None:
        stored = await shelf.books(SETTLEMENTS, [{"kode_invoice_channel": code} for code in codes])
        found.codes += len(codes)
        found.settlements += len(stored)
        for code, one in stored.items():
            state = str(one["state"])
            found.states[state] += 1
            _name(found.named, f"{code} ({state})", state in (OVERPAID, NO_ORDER))
        all_stored = list(stored.values())
        found.sale = EXACT.add(found.sale, sum_of(all_stored, SALE))
        found.settled = EXACT.add(found.settled, sum_of(all_stored, "settled"))
        found.commission = EXACT.add(found.commission, sum_of(all_stored, "commission"))
        for code, made in zip(sample, await together([make(code) for code in sample]), strict=True):
            found.compared += SETTLEMENTS in made.books
            _name(found.wrong, code, made.books.get(SETTLEMENTS) != stored.get(code) or bool(made.refused))

    await _over(ids, folder, look)
    return found


async def _over(ids: Iterable[Ranked], folder: Path, look: Look) -> None:
    """All ids, each once, some at a time, with a sample of these."""
    rng = Random(0)
    spills = Spills(folder, SLOTS, hold=HOLD_BYTES)
    try:
        await asyncio.to_thread(spills.fill, ids)
        share = min(1.0, COMPARED / max(1, sum(bucket.records for bucket in spills.buckets)))
        for slot in range(SLOTS):
            for codes in _batches(IdStream(spills=spills, slot=slot)):
                await look(codes, [code for code in codes if rng.random() < share])
    finally:
        spills.discard()


def _batches(ids: IdStream) -> Iterator[list[str]]:
    for block in ids.blocks(Position()):
        codes = [bytes(entry).decode() for entry in block.entries if isinstance(entry, bytes)]
        for at in range(0, len(codes), AT_ONCE):
            yield codes[at : at + AT_ONCE]


async def _look(shelf: OrderShelf, codes: Sequence[str], sample: Sequence[str], found: BookAudit) -> None:
    keys: list[Item] = [{"kode_pesanan": code} for code in codes]
    orders, journal = await together([shelf.books(kind, keys) for kind in (ORDERS, JOURNAL)])
    found.ids += len(codes)
    found.orders += len(orders)
    found.entries += len(journal)
    for code in codes:
        _name(found.wrong, code, code not in orders or code not in journal)
    for code, entry in journal.items():
        debit, credit = sides(entry)
        found.debit, found.credit = EXACT.add(found.debit, debit), EXACT.add(found.credit, credit)
        _name(found.unbalanced, code, debit != credit)
        _name(found.wrong, code, code in orders and not same(entry, journal_of(orders[code])))
    for lines in await together([shelf.lines(code) for code in sample]):
        if lines:
            _compare(lines, orders, found)


def _compare(lines: Sequence[Item], orders: Mapping[str, Item], found: BookAudit) -> None:
    made = order_of(lines)
    stored = orders.get(str(made["kode_pesanan"]))
    found.compared += 1
    found.lines_total = EXACT.add(found.lines_total, sum_of(lines, "total_harga_channel"))
    if stored is not None:
        found.orders_total = EXACT.add(found.orders_total, sum_of([stored], "total_harga_channel"))
    _name(found.wrong, str(made["kode_pesanan"]), not same(stored, made))


def _name(names: list[str], code: str, is_so: bool) -> None:
    if is_so and len(names) < MOST_NAMED and code not in names:
        names.append(code)
