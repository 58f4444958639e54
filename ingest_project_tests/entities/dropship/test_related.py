"""Settlements from a workbook's sheet and commissions from the affiliate file, as items under their keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from openpyxl import Workbook

from ingest_project.core.entity import EntitySpec
from ingest_project.core.planning import Binding, plan
from ingest_project.core.ports import Source
from ingest_project.core.validating import Validator
from ingest_project.entities.dropship.related import AFFILIATE, AFFILIATE_SPEC, INCOME_SPEC, commission_rule
from ingest_project.formats.csv_admission import BadValue
from ingest_project.sources.dumps import list_files
from ingest_project.sources.rows import RowSource
from ingest_project.sources.sheets import SheetSource
from ingest_project.testing.doubles import FakeClock, InMemoryLedger, InMemoryPartStore

DAY = "2026-11-02"


def loaded(spec: EntitySpec, source: Source, path: Path) -> tuple[list[dict[str, object]], list[str]]:
    """Items of a file, and the reasons of what was refused."""
    (file,) = list_files(path.as_uri())
    index = RowSource(spec.layouts).index(file) if spec.sheet is None else source.index(file)
    binding = Binding(index=index, target=spec.target_of(file.uri), keys=spec.default_keys)
    chunks = plan(None, [binding], entity=spec.name, date=DAY, slots=spec.slots).chunks
    clock, parts = FakeClock(), InMemoryPartStore()
    ledger = InMemoryLedger(clock)
    items, reasons = list[dict[str, object]](), list[str]()
    for chunk in chunks:
        Validator(source=source, admission=spec.admission, parts=parts, ledger=ledger, clock=clock).validate(
            chunk, "test"
        )
        for info in parts.parts(chunk):
            items += [json.loads(line)["Item"] for lines in parts.lines(chunk, info) for line in lines]
        reasons += [letter.reason for letter in ledger.rejections(chunk, "validated")]
    return items, reasons


def workbook(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    """Five sheets, the settlements' headings in row 6."""
    book = Workbook()
    for name in ("Summary", "Income", "Service Fee Details", "Adjustment", "Shipping Fee Discrepancy"):
        book.create_sheet(name)
    book.remove(book.worksheets[0])
    sheet = book["Income"]
    for _ in range(5):
        sheet.append(["Laporan Penghasilan"])
    sheet.append(["No.", "No. Pesanan", "Tanggal Dana Dilepaskan", "Harga Asli Produk", "Total Penghasilan"])
    for row in rows:
        sheet.append(list(row))
    book.save(path)
    return path


def test_settlements_are_read_from_their_sheet_by_name(tmp_path: Path) -> None:
    rows = [[1, "'250101ABC", "2025-01-09", 31500, 29075.5], [2, "250101DEF", "2025-01-09", 5, "-"]]
    path = workbook(tmp_path / "income.xlsx", rows)
    assert INCOME_SPEC.sheet is not None
    source = SheetSource(INCOME_SPEC.sheet, INCOME_SPEC.layouts)
    items, reasons = loaded(INCOME_SPEC, source, path)
    assert items == [
        {
            "sheet_row": {"S": "7"},
            "no_pesanan": {"S": "250101ABC"},
            "tanggal_dana_dilepaskan": {"S": "2025-01-09"},
            "harga_asli_produk": {"N": "31500"},
            "total_penghasilan": {"N": "29075.5"},
        }
    ]
    assert reasons == ["row 8, column total_penghasilan: '-' is not a number"]


def test_commissions_have_the_key_of_order_product_and_commission(tmp_path: Path) -> None:
    assert len(AFFILIATE.columns) == 39
    header = [
        "Kode Pesanan",
        "Kode Produk",
        "ID Komisi Pesanan",
        "Pengeluaran(Rp)",
        "Nama Produk",
        "Catatan Produk",
    ]
    lines = [",".join(header), "INV1,77,K1,150.5,Lampu,-", "INV1,77,K2,0,Lampu,", "INV1,78,,1,Lampu,"]
    path = tmp_path / "affiliate.csv"
    path.write_text("\n".join(lines))
    items, reasons = loaded(AFFILIATE_SPEC, RowSource(AFFILIATE_SPEC.layouts), path)
    assert [item["commission"] for item in items] == [{"S": "77#K1"}, {"S": "77#K2"}]
    assert items[0]["pengeluaran_rp"] == {"N": "150.5"}
    assert "catatan_produk" not in items[0]
    assert reasons == ["row 4, column id_komisi_pesanan: it is empty"]


def test_a_commission_without_its_amount_is_refused() -> None:
    row = {"kode_pesanan": "INV1", "kode_produk": "7", "id_komisi_pesanan": "K", "pengeluaran_rp": "-"}
    with pytest.raises(BadValue, match="column pengeluaran_rp: '-' is not a number"):
        commission_rule(row)
