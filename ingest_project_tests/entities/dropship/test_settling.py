"""Settlements: orders, payouts and commissions of one code, in whatever order they come, make one item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from ingest_project.entities.dropship.auditing import audit_settlements
from ingest_project.entities.dropship.book_checks import reconciliation
from ingest_project.entities.dropship.books import Item
from ingest_project.entities.dropship.passes import BookPass, PassReport
from ingest_project.entities.dropship.posting import SETTLEMENTS, BookSink, SlotLock
from ingest_project.entities.dropship.settling import (
    AGREED,
    NO_ORDER,
    OVERPAID,
    UNPAID,
    made_of,
    settlement_maker,
    settlement_of,
)
from ingest_project.entities.dropship.touched import rank_of
from ingest_project.testing.doubles import FakeClock, InMemoryLedger, inline
from ingest_project_tests.entities.dropship.bench import KNOBS, MemoryShelf

CODES = ("INV1", "INV2", "INV3")


def order(code: str, sale: str) -> Item:
    return {"kode_pesanan": code, "total_harga_channel": Decimal(sale)}


def payout(amount: str) -> Item:
    return {"total_penghasilan": Decimal(amount)}


def commission(amount: str) -> Item:
    return {"pengeluaran_rp": Decimal(amount)}


def test_a_settlement_is_the_sum_of_its_orders_payouts_and_commissions() -> None:
    found = settlement_of(
        "INV1",
        [order("PS-2", "100.50"), order("PS-1", "20")],
        [payout("90"), payout("10.25"), payout("-1.5")],
        [commission("5"), commission("0.75")],
    )
    assert found == {
        "kode_invoice_channel": "INV1",
        "state": AGREED,
        "orders": ["PS-1", "PS-2"],
        "payouts": 3,
        "commissions": 2,
        "total_harga_channel": Decimal("120.5"),
        "settled": Decimal("98.75"),
        "kept": Decimal("21.75"),
        "commission": Decimal("5.75"),
    }


@pytest.mark.parametrize(
    ("orders", "payouts", "state"),
    [
        (["10"], ["10"], AGREED),
        (["10"], ["10.01"], OVERPAID),
        (["10"], [], UNPAID),
        ([], ["10"], NO_ORDER),
        ([], [], NO_ORDER),
    ],
)
def test_a_settlement_says_what_is_odd_with_it(orders: list[str], payouts: list[str], state: str) -> None:
    sold = [order(f"PS-{at}", sale) for at, sale in enumerate(orders)]
    assert state == settlement_of("INV1", sold, [payout(one) for one in payouts], [commission("1")])["state"]


def test_a_sum_of_more_than_38_digits_is_refused() -> None:
    found = made_of("INV1", [], [payout("1" + "0" * 37), payout("0.01")], [])
    assert ({}, True) == (found.books, "38" in found.refused)


@dataclass(slots=True)
class MemoryTables(MemoryShelf):
    """settling.SettlementShelf over lists."""

    orders: list[tuple[str, Item]] = field(default_factory=list)
    paid: list[tuple[str, Item]] = field(default_factory=list)
    fees: list[tuple[str, Item]] = field(default_factory=list)

    async def sold(self, code: str) -> Sequence[Item]:
        return [item for mine, item in self.orders if mine == code]

    async def payouts(self, code: str) -> Sequence[Item]:
        return [item for mine, item in self.paid if mine == code]

    async def commissions(self, code: str) -> Sequence[Item]:
        return [item for mine, item in self.fees if mine == code]


@dataclass(slots=True)
class Settled:
    """Tables, and passes over the codes that some files touched."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    tables: MemoryTables = field(default_factory=MemoryTables)
    ledger: InMemoryLedger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = InMemoryLedger(self.clock)

    def run(self, mark: str, codes: Sequence[str]) -> PassReport:
        def sink(lock: SlotLock) -> BookSink:
            return BookSink(self.tables, lock, settlement_maker(self.tables), (SETTLEMENTS,))

        work = BookPass(
            stage=SETTLEMENTS,
            sink=sink,
            ledger=self.ledger,
            owner="test",
            knobs=KNOBS,
            folder=self.folder / "ids",
            clock=self.clock,
            rng=Random(0),
            sleep=self.clock.sleep,
            offload=inline,
        )
        return self.clock.run(work.run("2026-11-02", mark, [ranked(codes)]))

    @property
    def items(self) -> Mapping[str, Item]:
        return self.tables.written[SETTLEMENTS]


def ranked(codes: Sequence[str]) -> tuple[list[int], list[bytes]]:
    names = [code.encode() for code in codes]
    return [rank_of(name) for name in names], names


@pytest.mark.parametrize("seed", range(12))
def test_lines_payouts_and_commissions_may_come_in_any_order_and_again(seed: int, tmp_path: Path) -> None:
    rng = Random(seed)
    events = [("orders", code, order(f"PS-{code}-{at}", f"{at}7.5")) for code in CODES for at in (1, 2)]
    events += [("paid", code, payout(f"{at}.25")) for code in CODES[:2] for at in (1, 2)]
    events += [("fees", CODES[0], commission("0.5"))]
    whole = Settled(tmp_path / "whole")
    for kind, code, item in events:
        getattr(whole.tables, kind).append((code, item))
    whole.run("once", CODES)
    bit_by_bit = Settled(tmp_path / "bits")
    rng.shuffle(events)
    for at, (kind, code, item) in enumerate(events):
        getattr(bit_by_bit.tables, kind).append((code, item))
        bit_by_bit.run(f"mark {at}", [code, *rng.sample(CODES, rng.randrange(3))])
    assert whole.items == bit_by_bit.items
    assert set(CODES[:2]) == set(whole.items), "nothing was paid for the third"


def test_a_pass_that_finds_what_is_there_writes_nothing(tmp_path: Path) -> None:
    bench = Settled(tmp_path)
    bench.tables.paid.append(("INV1", payout("1")))
    assert (1, 1) == ((first := bench.run("a", CODES)).counts.written, len(bench.items))
    assert 2 == first.counts.superseded, "codes under which nothing was paid yet"
    again = bench.run("b", CODES)
    assert (0, 1, 1) == (again.counts.written, again.counts.unchanged, bench.tables.puts)


def test_the_audit_names_what_is_odd_and_what_is_wrong(tmp_path: Path) -> None:
    bench = Settled(tmp_path)
    bench.tables.paid += [("INV1", payout("1")), ("INV2", payout("9")), ("INV3", payout("2"))]
    bench.tables.orders += [("INV2", order("PS-2", "3")), ("INV3", order("PS-3", "3"))]
    bench.run("a", CODES)
    found = bench.clock.run(audit_settlements(bench.tables, [ranked(CODES)], tmp_path / "audit"))
    assert ["INV1 (no order)", "INV2 (overpaid)"] == sorted(found.named)
    told = reconciliation([found])
    assert (True, [], 2) == (told.passed, list(told.wrong), len(told.odd))
    assert ("6", "12", 1) == (
        told.numbers["channel_total"],
        told.numbers["settled_total"],
        told.numbers["settled"],
    )
    bench.tables.paid.append(("INV3", payout("0.5")))
    late = bench.clock.run(audit_settlements(bench.tables, [ranked(CODES)], tmp_path / "audit"))
    assert (["INV3"], False) == (late.wrong, reconciliation([late]).passed)
