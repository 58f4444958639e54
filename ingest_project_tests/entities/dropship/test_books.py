"""Order = f(lines), journal = f(order): sums, sides, samples, and no order among lines."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest_project.core.layouts import heading
from ingest_project.entities.dropship.books import Item, journal_of, order_of, sides
from ingest_project.entities.dropship.contract import line_rule
from ingest_project.entities.dropship.posting import made_of
from ingest_project_tests.entities.dropship.rows import row

AMOUNTS = st.decimals(min_value=-(10**12), max_value=10**12, places=2, allow_nan=False).map(str)


def line(**words: str) -> Item:
    named = {heading(name): text for name, text in row(**words).items()}
    return line_rule(named)


def amounts_of(journal: Item) -> dict[str, tuple[object, object]]:
    found: dict[str, tuple[object, object]] = {}
    entries = journal["entries"]
    assert isinstance(entries, list)
    for entry in entries:
        assert isinstance(entry, dict)
        found[str(entry["account"])] = (entry["debit"], entry["credit"])
    return found


def test_the_order_of_the_domain_page_is_the_sum_of_its_two_lines() -> None:
    order = order_of([line(), line(SKU="SKU2", Qty="1", Total_Harga="10.25", Total_Harga_Channel="12.5")])
    found = [order[name] for name in ("kode_pesanan", "lines", "qty", "total_harga", "total_harga_channel")]
    assert found == ["PS-200", 2, 3, Decimal("41.75"), Decimal("44")]
    assert (order["nama_toko"], order["status"], order["kode_invoice_channel"]) == (
        "MyShop",
        "selesai",
        "INV1",
    )


def test_a_sale_is_booked_on_five_accounts() -> None:
    journal = journal_of(order_of([line()]))
    assert amounts_of(journal) == {
        "5001": (Decimal("31.5"), 0),
        "52007": (Decimal("0.5"), 0),
        "11009": (0, Decimal("32")),
        "pending receivable": (Decimal("31.5"), 0),
        "4001": (0, Decimal("31.5")),
    }
    assert (journal["kind"], journal["date"], journal["debit"]) == ("sale", "2025-01-01", Decimal("63.5"))


def test_free_samples_are_booked_as_samples_and_never_as_sales() -> None:
    journal = journal_of(order_of([line(Nama_Toko="MR eStore Free Sample")]))
    assert amounts_of(journal) == {
        "samples": (Decimal("31.5"), 0),
        "52007": (Decimal("0.5"), 0),
        "11009": (0, Decimal("32")),
    }
    assert journal["kind"] == "samples"


def test_an_order_is_found_by_the_channels_code_where_it_has_one() -> None:
    assert made_of([line()]).books["invoices"] == {"kode_invoice_channel": "INV1", "kode_pesanan": "PS-200"}
    assert made_of([line(Kode_Invoice_Channel="-")]).books.keys() == {"orders", "journal"}


def test_lines_that_disagree_name_the_fields() -> None:
    order = order_of([line(SKU="A", Status="selesai"), line(SKU="B", Status="dikirim", Kota="Bogor")])
    assert (order["status"], order["differing"]) == ("selesai", ["status", "kota"])


def test_lines_of_two_orders_make_none() -> None:
    with pytest.raises(ValueError, match="lines of 2 orders make no order"):
        order_of([line(), line(Kode_Pesanan="PS-201")])


def test_a_sum_of_more_than_38_digits_is_refused_and_not_rounded() -> None:
    huge = line(SKU="A", Total_Harga="1" + "0" * 37)
    tiny = line(SKU="B", Total_Harga="0.01")
    made = made_of([huge, tiny])
    assert made.books == {}
    assert "38" in made.refused


@settings(max_examples=40)
@given(st.lists(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), min_size=1, max_size=8), st.booleans(), st.randoms())
def test_books_balance_whatever_the_amounts_and_the_order_of_lines(
    amounts: list[tuple[str, str, str]], free: bool, rng: Random
) -> None:
    store = "MR eStore Free Sample" if free else "MyShop"
    lines = [
        line(
            SKU=f"SKU{at}",
            Total_Harga=goods,
            Biaya_Mitra_Jakmall=fee,
            Total_Harga_Channel=sale,
            Nama_Toko=store,
        )
        for at, (goods, fee, sale) in enumerate(amounts)
    ]
    journal = journal_of(order_of(lines))
    debit, credit = sides(journal)
    assert debit == credit == journal["debit"] == journal["credit"]
    shuffled = list(lines)
    rng.shuffle(shuffled)
    assert journal_of(order_of(shuffled)) == journal
