"""The contract of dropship: what a good row is and the order line that it becomes. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from ingest_project.core.indexing import Date, Field, IndexContract, Keyword, Text
from ingest_project.core.indexing import Value as Plain
from ingest_project.core.model import Chunk, KeySchema
from ingest_project.core.ports import Admission
from ingest_project.entities.dropship.layouts import AMOUNTS
from ingest_project.entities.dropship.values import invoice, moment, money, whole
from ingest_project.formats.attribute_values import Value
from ingest_project.formats.csv_admission import BadValue, RowAdmission

LINES = "dropship-lines"
"""Table and index of the order lines."""

KEYS = KeySchema(parts=(("kode_pesanan", "S"), ("line", "S")))

NEEDED = ("kode_pesanan", "kode_transaksi", "sku", "status", "nama_toko")
"""Texts that no good row lacks."""

TEXTS = (
    "nama_produk",
    "jenis_channel",
    "dibuat_oleh",
    "gudang",
    "ekspedisi",
    "cashless",
    "resi",
    "provinsi",
    "kota",
    "seller_username",
    "nama_penerima",
)
_NOTHING = ("", "-")

T = TypeVar("T")


def line_rule(row: Mapping[str, str], channels: frozenset[str] = frozenset()) -> dict[str, Value]:
    """The order line of one row.

    Args:
        channels: Of jenis_channel, in lower case: rows of others are left out, by name; empty: all are taken.

    Raises:
        BadValue: A column is empty that must not be, or is no number or time.
    """
    made: dict[str, Value] = {name: needed(row, name) for name in NEEDED}
    channel = row.get("jenis_channel", "").strip()
    if channels and channel.casefold() not in channels:
        wanted = ", ".join(sorted(channels))
        raise BadValue("jenis_channel", f"filtered: {channel[:40]!r} is none of {wanted}")
    made["line"] = f"{_escaped(str(made['kode_transaksi']))}#{_escaped(str(made['sku']))}"
    made["waktu_pesanan"] = read(row, "waktu_pesanan_terbuat", moment)
    made["qty"] = read(row, "qty", whole)
    for name in AMOUNTS:
        made[name] = read(row, name, money)
    if row.get("waktu_pengiriman", "").strip() not in _NOTHING:
        made["waktu_pengiriman"] = read(row, "waktu_pengiriman", moment)
    code = invoice(row.get("kode_invoice_channel", ""))
    if code not in _NOTHING:
        made["kode_invoice_channel"] = code
    for name in TEXTS:
        text = row.get(name, "").strip()
        if text not in _NOTHING:
            made[name] = text
    return made


def admission(chunk: Chunk, channels: frozenset[str] = frozenset()) -> Admission:
    """The contract for one chunk."""
    return RowAdmission(chunk, partial(line_rule, channels=channels))


def target_of(uri: str) -> str:
    """All files hold lines of the one table: an order's lines may stand in any of them."""
    return LINES


def index(keys: KeySchema) -> IndexContract:
    """How order lines are searched: codes as words, money and time by value, the product's name as text."""
    fields: dict[str, Field] = {
        name: Keyword() for name in (*NEEDED, *TEXTS, "line", "kode_invoice_channel") if name != "nama_produk"
    }
    fields["nama_produk"] = Text(keyword=256)
    fields |= {name: Plain(kind="double") for name in AMOUNTS}
    fields["qty"] = Plain(kind="long")
    fields |= {name: Date(formats=("strict_date_hour_minute_second",)) for name in _TIMES}
    return IndexContract(fields=fields)


_TIMES = ("waktu_pesanan", "waktu_pengiriman")


def needed(row: Mapping[str, str], name: str) -> str:
    """A text that must not be empty. Raises BadValue."""
    text = row.get(name, "").strip()
    if not text:
        raise BadValue(name, "it is empty")
    return text


def read(row: Mapping[str, str], name: str, parse: Callable[[str], T]) -> T:
    """A column as ``parse`` reads it. Raises BadValue, naming the column."""
    try:
        return parse(row.get(name, ""))
    except ValueError as error:
        raise BadValue(name, str(error)) from None


def _escaped(text: str) -> str:
    """Without the sign that stands between the two halves of a line's key."""
    return text.replace("%", "%25").replace("#", "%23")
