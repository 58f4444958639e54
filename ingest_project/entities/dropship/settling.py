"""Settlement = f(the orders of one invoice code, what the channel paid out for it, its commissions). Pure,
and the same in whatever order these come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Inexact
from typing import Protocol

from ingest_project.entities.dropship.books import Item, sum_of
from ingest_project.entities.dropship.posting import SETTLEMENTS, Made, Maker, Shelf, TooManyLines, together
from ingest_project.entities.dropship.related import COMMISSION, SETTLED
from ingest_project.entities.dropship.values import EXACT, plain
from ingest_project.formats.attribute_values import Value, typed_attributes
from ingest_project.formats.json_tree import Refused

AGREED, OVERPAID, UNPAID, NO_ORDER = "settled", "overpaid", "unpaid", "no order"
"""What a settlement can be: paid out for known orders, at most what their lines sold for; more than that; a
commission alone; or for a code that no order bears."""

SALE = "total_harga_channel"


class SettlementShelf(Shelf, Protocol):
    """Where settlements lie, and what they are made of; all reads are consistent."""

    async def sold(self, code: str) -> Sequence[Item]:
        """The orders that bear the channel's code. Raises TooManyLines."""
        ...

    async def payouts(self, code: str) -> Sequence[Item]:
        """What was paid out for it, of the income files. Raises TooManyLines."""
        ...

    async def commissions(self, code: str) -> Sequence[Item]:
        """Its commissions, of the affiliate files. Raises TooManyLines."""
        ...


def settlement_maker(shelf: SettlementShelf) -> Maker:
    """Settlements, made of all orders, payouts and commissions of a code; none before something was paid."""

    async def make(code: str) -> Made:
        try:
            payouts, commissions = await together([shelf.payouts(code), shelf.commissions(code)])
            orders = await shelf.sold(code) if payouts or commissions else ()
        except TooManyLines as error:
            return Made(refused=str(error))
        return made_of(code, orders, payouts, commissions) if payouts or commissions else Made()

    return make


def made_of(code: str, orders: Sequence[Item], payouts: Sequence[Item], commissions: Sequence[Item]) -> Made:
    """The settlement of these; nothing that is not exact comes out."""
    try:
        settlement = settlement_of(code, orders, payouts, commissions)
        typed_attributes(settlement)
    except (Refused, Inexact, KeyError, TypeError, ValueError) as error:
        return Made(refused=f"these make no settlement: {error!r}")
    return Made(books={SETTLEMENTS: settlement})


def settlement_of(
    code: str,
    orders: Sequence[Mapping[str, Value]],
    payouts: Sequence[Mapping[str, Value]],
    commissions: Sequence[Mapping[str, Value]],
) -> Item:
    """What was sold under the code beside what was paid out for it.

    ``kept`` is what the channel kept of the sale: its fees, and what is still to be paid out.
    """
    sale, settled = sum_of(orders, SALE), sum_of(payouts, SETTLED)
    codes: list[Value] = [*sorted(str(order["kode_pesanan"]) for order in orders)]
    return {
        "kode_invoice_channel": code,
        "state": _state(bool(orders), bool(payouts), settled > sale),
        "orders": codes,
        "payouts": len(payouts),
        "commissions": len(commissions),
        SALE: plain(sale),
        "settled": plain(settled),
        "kept": plain(EXACT.subtract(sale, settled)),
        "commission": plain(sum_of(commissions, COMMISSION)),
    }


def _state(sold: bool, paid: bool, more: bool) -> str:
    if not sold:
        return NO_ORDER
    if not paid:
        return UNPAID
    return OVERPAID if more else AGREED
