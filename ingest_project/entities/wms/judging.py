"""The domain's rules over admitted rows: what a sound warehouse never has. Pure; a row that breaks one is
mirrored all the same, as it is in the source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

MOST_NAMED = 20


class _Number(msgspec.Struct, frozen=True):
    N: str | None = None


class _Flag(msgspec.Struct, frozen=True):
    BOOL: bool = False


class _Item(msgspec.Struct):
    id: _Number
    alloc_qty: _Number = _Number()
    packed_qty: _Number = _Number()
    order_id: _Number = _Number()
    deleted: _Flag = _Flag()


class _Line(msgspec.Struct):
    item: _Item = msgspec.field(name="Item")


_decode = msgspec.json.Decoder(_Line).decode


@dataclass(slots=True, kw_only=True)
class Findings:
    """What was looked at and what is wrong with it.

    Attributes:
        wrong: Rows that break the rule; ``named``: the first of them, each with what is wrong.
    """

    looked_at: int = 0
    wrong: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """One that breaks the rule."""
        self.wrong += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(text)


def judge_quantities(lines: Iterable[bytes], found: Findings) -> None:
    """alloc_qty > 0 and 0 <= packed_qty <= alloc_qty, for rows that are not deleted."""
    for line in lines:
        item = _decode(line).item
        if item.deleted.BOOL:
            continue
        found.looked_at += 1
        allocated, packed = _decimal(item.alloc_qty), _decimal(item.packed_qty)
        if allocated is None or not allocated > 0:
            found.add(f"allocation {item.id.N}: alloc_qty is {allocated}")
        elif packed is not None and not 0 <= packed <= allocated:
            found.add(f"allocation {item.id.N}: packed_qty is {packed} of {allocated}")


def orders_of(lines: Iterable[bytes], orders: dict[int, int], found: Findings) -> None:
    """Collects the orders that lines point to, each with one of its lines; a line without one is wrong."""
    for line in lines:
        item = _decode(line).item
        if item.deleted.BOOL:
            continue
        found.looked_at += 1
        if item.order_id.N is None:
            found.add(f"order_dtl {item.id.N}: no order_id")
        else:
            orders.setdefault(int(item.order_id.N), int(item.id.N or 0))


def judge_orders(orders: dict[int, int], standing: set[int], found: Findings) -> None:
    """Every order that a line points to stands."""
    for order, line in orders.items():
        if order not in standing:
            found.add(f"order_dtl {line}: order_hdr {order} is not there")


def _decimal(number: _Number) -> Decimal | None:
    return None if number.N is None else Decimal(number.N)
