"""Failures of earlier tools (the domain page's numbers): each of these failed there.

The fourth, time left and smaller files first, is tested where these are made (core, resources).
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from ingest_project.core.errors import BadInput
from ingest_project_tests.entities.dropship.bench import Bench
from ingest_project_tests.entities.dropship.rows import DOMAIN_ROW, HEADER, file_of, row

DAY = "2026-11-02"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_1_later_lines_of_an_order_are_kept_and_summed(bench: Bench) -> None:
    second = DOMAIN_ROW.replace("SKU1", "SKU2").replace("1,", "2,", 1)
    content = "\n".join([",".join(HEADER), DOMAIN_ROW, second]).encode()
    assert bench.load(DAY, "a.csv", content) == []
    bench.post(DAY)
    order = bench.books["orders"]["PS-200"]
    assert (order["lines"], order["qty"], order["total_harga"]) == (2, 4, Decimal(63))


def test_1_a_line_in_a_later_file_is_added_to_the_order_that_exists_already(bench: Bench) -> None:
    bench.load(DAY, "a.csv", file_of([row(SKU="A")]))
    bench.post(DAY)
    bench.load("2026-11-03", "b.csv", file_of([row(SKU="B"), row(SKU="C")]))
    bench.post("2026-11-03")
    assert bench.books["orders"]["PS-200"]["lines"] == 3


def test_2_the_status_is_read_by_its_name_and_not_by_its_place(bench: Bench) -> None:
    names = sorted(HEADER)
    bench.load(DAY, "a.csv", file_of([row(Status="dikirim")], header=names))
    bench.post(DAY)
    assert bench.books["orders"]["PS-200"]["status"] == "dikirim"


def test_2_an_unreadable_number_is_refused_with_row_and_column_and_never_becomes_zero(bench: Bench) -> None:
    refused = bench.load(DAY, "a.csv", file_of([row(SKU="A"), row(SKU="B", Total_Harga="3l.50")]))
    assert [letter.reason for letter in refused] == ["row 3, column total_harga: '3l.50' is not a number"]
    bench.post(DAY)
    assert bench.books["orders"]["PS-200"]["total_harga"] == Decimal("31.5")


def test_3_one_bad_row_costs_no_other_row_of_its_thousand(bench: Bench) -> None:
    rows = [row(SKU=f"S{at}", Qty="many" if at == 500 else "1") for at in range(1000)]
    refused = bench.load(DAY, "a.csv", file_of(rows))
    assert len(refused) == 1
    bench.post(DAY)
    assert bench.books["orders"]["PS-200"]["lines"] == 999


def test_3_a_truncated_file_keeps_its_good_rows_and_is_not_complete(bench: Bench) -> None:
    content = file_of([row(SKU="A"), row(SKU="B"), row(SKU="C", Nama_Produk='"open')])
    cut = content[: content.rindex(b'"') - 20]
    bench.load(DAY, "a.csv", cut)
    (chunk,) = bench.chunks[DAY]
    (state,) = {row.state for row in bench.ledger.status() if row.chunk_id == chunk.id}
    assert state == "failed"
    assert chunk.fault is not None
    assert BadInput(uri="a", offset=chunk.fault.offset, expected=chunk.fault.expected)
    bench.post(DAY)
    assert bench.books["orders"]["PS-200"]["lines"] == 2


def test_5_the_same_rows_imported_twice_change_nothing(bench: Bench) -> None:
    content = file_of([row(SKU="A"), row(SKU="B")])
    bench.load(DAY, "a.csv", content)
    bench.post(DAY)
    before, puts = {kind: dict(items) for kind, items in bench.books.items()}, bench.shelf.puts
    bench.load(DAY, "copy of a.csv", content)
    report = bench.post(DAY)
    assert bench.books == before
    assert (report.counts.unchanged, bench.shelf.puts) == (1, puts)


def test_5_two_schedulers_with_one_file_do_the_work_once(bench: Bench) -> None:
    bench.load(DAY, "a.csv", file_of([row()]))
    bench.post(DAY, owner="one")
    calls: list[str] = []
    bench.shelf.before = calls.append
    report = bench.post(DAY, owner="two")
    assert calls == []
    assert (report.counts.sent, report.fresh.sent) == (1, 0)
