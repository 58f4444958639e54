"""The contract of dropship: values, columns by name in both headers, filter, and the hostile file."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from ingest_project.core.layouts import heading
from ingest_project.entities.dropship.books import Item
from ingest_project.entities.dropship.contract import line_rule, target_of
from ingest_project.entities.dropship.values import invoice, moment, money, untyped, whole
from ingest_project.formats.csv_admission import BadValue
from ingest_project_tests.entities.dropship.bench import Bench
from ingest_project_tests.entities.dropship.rows import HEADER, SELLER_HEADER, file_of, row

GOLDEN = Path(__file__).parent / "golden"
DAY = "2026-11-02"


def lines_of(bench: Bench) -> list[Item]:
    return [item for lines in bench.shelf.stock.values() for _, item in lines.values()]


def named(**words: str) -> dict[str, str]:
    return {heading(name): text for name, text in row(**words).items()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("02 January 2006, 15:04:05", "2006-01-02T15:04:05"),
        ("31 Desember 2025, 00:00:00", "2025-12-31T00:00:00"),
        (" 7 Agustus 2025, 9:05 ", "2025-08-07T09:05:00"),
        ("1 Mei 2025, 10:00:00", "2025-05-01T10:00:00"),
        ("1 OKT 2025, 10:00:00", "2025-10-01T10:00:00"),
        ("29 Februari 2024, 10:00:00", "2024-02-29T10:00:00"),
    ],
)
def test_times_are_read_with_english_and_indonesian_months(text: str, expected: str) -> None:
    assert moment(text) == expected


@pytest.mark.parametrize("text", ["", "2025-01-01", "29 February 2025, 10:00:00", "1 Foo 2025, 10:00:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        moment(text)


def test_money_keeps_its_digits() -> None:
    assert [str(money(text)) for text in ("15.75", " 31.50 ", "-0.10")] == ["15.75", "31.50", "-0.10"]


@pytest.mark.parametrize("text", ["", "-", "abc", "1,5", "1.000.000", "1e3", "NaN", "Rp 5", "٣"])
def test_what_is_no_number_is_refused_and_never_zero(text: str) -> None:
    with pytest.raises(ValueError):
        money(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "two"])
def test_a_quantity_is_a_whole_number_of_at_least_one(text: str) -> None:
    with pytest.raises(ValueError):
        whole(text)


def test_the_apostrophe_before_an_invoice_code_is_stripped() -> None:
    assert [invoice("'250101ABC"), invoice(" INV'1 ")] == ["250101ABC", "INV'1"]


def test_a_line_s_key_tells_its_halves_apart() -> None:
    keys = [
        line_rule(named(Kode_Transaksi=code, SKU=sku))["line"]
        for code, sku in (("a", "b"), ("a#b", "c"), ("a", "b#c"))
    ]
    assert keys == ["a#b", "a%23b#c", "a#b%23c"]


def test_rows_of_other_channels_are_refused_by_name() -> None:
    wanted = frozenset({"online"})
    assert line_rule(named(), wanted)["jenis_channel"] == "online"
    with pytest.raises(BadValue, match="column jenis_channel: filtered: 'offline' is none of online"):
        line_rule(named(Jenis_Channel="offline"), wanted)


def test_every_file_belongs_to_the_one_table_of_lines() -> None:
    assert target_of("s3://b/inbox/dropship/2026-11-02/any.csv") == "dropship-lines"


def test_both_headers_give_the_same_line_but_for_what_only_one_of_them_has(tmp_path: Path) -> None:
    one, other = Bench(tmp_path / "one"), Bench(tmp_path / "other")
    one.load(DAY, "a.csv", file_of([row()]))
    shuffled = [SELLER_HEADER[at] for at in (*range(10, 20), *range(10))]
    other.load(DAY, "a.csv", file_of([row()], header=shuffled))
    (full,), (seller,) = lines_of(one), lines_of(other)
    assert {name: full[name] for name in full.keys() & seller.keys()} == {
        name: seller[name] for name in full.keys() & seller.keys()
    }
    assert full.keys() - seller.keys() == {
        "dibuat_oleh",
        "gudang",
        "ekspedisi",
        "cashless",
        "resi",
        "waktu_pengiriman",
        "provinsi",
        "kota",
    }
    assert seller.keys() - full.keys() == {"seller_username", "nama_penerima"}


def test_the_hostile_file_has_its_golden_outcome(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    refused = bench.load(DAY, "hostile.csv", (GOLDEN / "hostile.csv").read_bytes())
    found = {
        "lines": {
            f"{line['kode_pesanan']}|{line['line']}": str(line["total_harga"]) for line in lines_of(bench)
        },
        "refused": [letter.reason for letter in refused],
    }
    assert found == json.loads((GOLDEN / "hostile.expected.json").read_text())


def test_what_is_read_back_equals_the_file_digit_for_digit(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    exact = "12345678901234567890123456789012345.678"
    bench.load(DAY, "a.csv", file_of([row(Total_Harga=exact)], header=HEADER))
    chunk = bench.chunks[DAY][0]
    (info,) = bench.parts.parts(chunk)
    ((text,),) = bench.parts.lines(chunk, info)
    assert f'"total_harga":{{"N":"{exact}"}}'.encode() in text
    assert untyped(msgspec.json.decode(text)["Item"])["total_harga"] == Decimal(exact)
