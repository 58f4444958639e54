"""Order = f(its lines), journal entry = f(order): the whole of the bookkeeping. Pure, and the same in
whatever order the lines come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from ingest_project.entities.dropship.layouts import AMOUNTS
from ingest_project.entities.dropship.values import EXACT, plain, total
from ingest_project.formats.attribute_values import Value

Item = dict[str, Value]

SUMS = tuple(name for name in AMOUNTS if not name.startswith("harga"))
"""What is added up over an order's lines; prices of one piece are not."""

HEADER = (
    "waktu_pesanan",
    "status",
    "jenis_channel",
    "nama_toko",
    "kode_invoice_channel",
    "dibuat_oleh",
    "gudang",
    "ekspedisi",
    "cashless",
    "resi",
    "waktu_pengiriman",
    "provinsi",
    "kota",
    "seller_username",
    "nama_penerima",
)
"""What is said of an order in each of its lines."""

SAMPLES_STORE = "MR eStore Free Sample"

BALANCE, COST, FEE, SALES = "11009", "5001", "52007", "4001"
RECEIVABLE, SAMPLES = "pending receivable", "samples"
"""Accounts. The last two bear names: the domain gives them no number."""


def order_of(lines: Iterable[Mapping[str, Value]]) -> Item:
    """The order that these lines make.

    Header fields are those of the first line, by its key, that has them; where lines disagree, ``differing``
    names the fields.

    Raises:
        ValueError: There is no line, or lines are of several orders.
    """
    known = sorted(lines, key=lambda line: str(line["line"]))
    codes = {str(line["kode_pesanan"]) for line in known}
    if len(codes) != 1:
        raise ValueError(f"lines of {len(codes)} orders make no order")
    order: Item = {"kode_pesanan": codes.pop(), "lines": len(known)}
    differing: list[Value] = []
    for name in HEADER:
        said = [line[name] for line in known if name in line]
        if said:
            order[name] = said[0]
        if any(other != said[0] for other in said):
            differing.append(name)
    for name in ("qty", *SUMS):
        order[name] = plain(total([_number(line, name) for line in known]))
    if differing:
        order["differing"] = differing
    return order


def journal_of(order: Mapping[str, Value]) -> Item:
    """The order's journal entry; debits equal credits by the way it is made.

    Goods and partner fee leave the balance; a sale is receivable until it is settled. Free samples are no
    sale: their goods are booked as samples, and nothing is receivable for them.
    """
    goods, fee = _number(order, "total_harga"), _number(order, "biaya_mitra_jakmall")
    sale = _number(order, "total_harga_channel")
    free = str(order["nama_toko"]).casefold() == SAMPLES_STORE.casefold()
    zero = Decimal(0)
    entries = [
        _entry(SAMPLES if free else COST, goods, zero),
        _entry(FEE, fee, zero),
        _entry(BALANCE, zero, EXACT.add(goods, fee)),
    ]
    if not free:
        entries += [_entry(RECEIVABLE, sale, zero), _entry(SALES, zero, sale)]
    journal: Item = {
        "kode_pesanan": order["kode_pesanan"],
        "date": str(order["waktu_pesanan"])[:10],
        "kind": "samples" if free else "sale",
        "nama_toko": order["nama_toko"],
        "entries": list(entries),
    }
    debit, credit = sides(journal)
    return journal | {"debit": plain(debit), "credit": plain(credit)}


def sides(journal: Mapping[str, Value]) -> tuple[Decimal, Decimal]:
    """Debits and credits of an entry, added up anew from its lines."""
    entries = journal["entries"]
    rows = [row for row in entries if isinstance(row, dict)] if isinstance(entries, list) else []
    return total([_number(row, "debit") for row in rows]), total([_number(row, "credit") for row in rows])


def same(one: Mapping[str, Value] | None, other: Mapping[str, Value]) -> bool:
    """Whether two items are equal, numbers by value."""
    return one is not None and dict(one) == dict(other)


def sum_of(items: Sequence[Mapping[str, Value]], name: str) -> Decimal:
    """One column added up over many items."""
    return total([_number(item, name) for item in items])


def _entry(account: str, debit: Decimal, credit: Decimal) -> Value:
    return {"account": account, "debit": plain(debit), "credit": plain(credit)}


def _number(item: Mapping[str, Value], name: str) -> Decimal:
    value = item[name]
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise TypeError(f"{name} is no number: {value!r}")
    return Decimal(value)
