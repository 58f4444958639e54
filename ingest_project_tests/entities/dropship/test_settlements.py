"""Settlements through Dagster on real servers: lines, an income workbook and an affiliate file, one item."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ingest_project.entities.dropship.book_assets import build_book_defs, ripe_settlements
from ingest_project.entities.dropship.related import AFFILIATE_SPEC, INCOME_SPEC
from ingest_project.io_managers.cells import cell
from ingest_project.orchestration.entity import build_entity_defs
from ingest_project_tests.entities.dropship.rows import file_of, row
from ingest_project_tests.entities.dropship.test_dagster import Office, checks_of, office
from ingest_project_tests.entities.dropship.test_related import workbook
from ingest_project_tests.faults.deployed import only_our_warnings
from ingest_project_tests.faults.world import DAY, NEXT_DAY

pytestmark = pytest.mark.dagster

__all__ = ["office"]

AFFILIATE = "Kode Pesanan,Kode Produk,ID Komisi Pesanan,Pengeluaran(Rp)\n'INV1,77,K1,1.5\n'INV1,77,K2,0.25\n"


class Accountant:
    """An office with the entities whose files come beside the lines."""

    def __init__(self, office: Office) -> None:
        self.office = office
        income = replace(INCOME_SPEC, target_of=lambda uri: f"{office.stem}-income")
        affiliate = replace(AFFILIATE_SPEC, target_of=lambda uri: f"{office.stem}-affiliate")
        with only_our_warnings():
            office.defs = dg.Definitions.merge(
                *(build_entity_defs(spec) for spec in (office.spec, income, affiliate)),
                build_book_defs(office.spec),
                dg.Definitions(resources=office.defs.resources),
            )

    def load(self, entity: str, day: str, name: str, content: bytes) -> None:
        """A file of a related entity into its table."""
        world, office = self.office.world, self.office
        world.s3.put_object(Bucket=world.bucket, Key=f"inbox/{entity}/{day}/{name}", Body=content)
        grid = {
            "dagster/asset_partition_range_start": cell(day, 0),
            "dagster/asset_partition_range_end": cell(day, 3),
        }
        for job, tags in ((f"{entity}_plan", {"dagster/partition": day}), (f"{entity}_load", grid)):
            with only_our_warnings():
                whole = office.defs.resolve_job_def(job)
                assert whole.execute_in_process(instance=office.instance, tags=tags).success

    def settle(self, day: str) -> dg.ExecuteInProcessResult:
        return self.office.run("settle", day)

    def items(self) -> dict[str, dict[str, Any]]:
        found = self.office.world.dynamodb.scan(TableName=f"{self.office.stem}-settlements")["Items"]
        return {
            item["kode_invoice_channel"]["S"]: {
                name: next(iter(value.values())) for name, value in item.items()
            }
            for item in found
        }


def test_what_was_paid_out_stands_beside_what_the_lines_sold_for_whichever_came_first(
    office: Office, tmp_path: Path
) -> None:
    desk, ledger = Accountant(office), office.ingest.ledger()
    book = workbook(tmp_path / "income.xlsx", [[1, "'INV1", "2026-11-02", 5, 29.5], [2, "INV9", "x", 5, 7]])
    assert {} == ripe_settlements(office.spec, ledger)
    desk.load("dropship_income", DAY, "income.xlsx", book.read_bytes())
    desk.load("dropship_affiliate", DAY, "affiliate.csv", AFFILIATE.encode())
    first = ripe_settlements(office.spec, ledger)
    result = desk.settle(DAY)
    assert ({"INV1": "no order", "INV9": "no order"}, {DAY}) == (
        {code: item["state"] for code, item in desk.items().items()},
        set(first),
    )
    (check,) = result.get_asset_check_evaluations()
    assert (False, dg.AssetCheckSeverity.WARN) == (check.passed, check.severity)

    lines = [row(SKU="A"), row(SKU="B", Total_Harga_Channel="8.5"), row(Kode_Pesanan="PS-201")]
    office.drop(NEXT_DAY, "lines.csv", file_of(lines))
    assert office.load(NEXT_DAY) == [True] * 4
    assert {DAY, NEXT_DAY} == ripe_settlements(office.spec, ledger).keys()
    desk.settle(NEXT_DAY)
    settled = desk.items()["INV1"]
    assert ("settled", "1", "2") == (settled["state"], settled["payouts"], settled["commissions"])
    assert [{"S": "PS-200"}, {"S": "PS-201"}] == settled["orders"]
    amounts = {name: Decimal(settled[name]) for name in ("total_harga_channel", "settled", "kept")}
    assert {"total_harga_channel": 71.5, "settled": 29.5, "kept": 42} == amounts
    assert checks_of(desk.settle(DAY)) == {"settled_totals_agree": False}, "INV9 is still for no order"
    assert {"settled_totals_agree": True} == checks_of(desk.settle(NEXT_DAY))
