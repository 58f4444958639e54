"""dropship through Dagster on real servers: files in the inbox, both stages, checks, books read back."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import dagster as dg
import pytest

from ingest_project.entities.dropship.book_assets import build_book_defs, ripe
from ingest_project.entities.dropship.spec import SPEC
from ingest_project.io_managers.cells import cell
from ingest_project.io_managers.dynamodb import DynamoDBIOManager
from ingest_project.io_managers.opensearch import OpenSearchIOManager
from ingest_project.io_managers.s3 import S3IOManager
from ingest_project.orchestration.entity import build_entity_defs
from ingest_project_tests.entities.dropship.rows import file_of, row
from ingest_project_tests.faults.deployed import ingest_resource, only_our_warnings
from ingest_project_tests.faults.world import DAY, NEXT_DAY, World
from ingest_project_tests.orchestration.desk import operated

pytestmark = pytest.mark.dagster

SLOTS = 4


class Office:
    """The entity under names of its own, run in this process."""

    def __init__(self, world: World, instance: dg.DagsterInstance) -> None:
        self.world, self.instance = world, instance
        self.stem = f"dropship-{uuid.uuid4().hex[:8]}"
        self.spec = replace(SPEC, slots=SLOTS, target_of=self.target_of)
        self.ingest = ingest_resource()
        ingest = self.ingest
        resources = {
            "ingest": ingest,
            "s3_io": S3IOManager(ingest=ingest),
            "dynamodb_io": DynamoDBIOManager(ingest=ingest),
            "opensearch_io": OpenSearchIOManager(ingest=ingest),
        }
        with only_our_warnings():
            self.defs = dg.Definitions.merge(
                build_entity_defs(self.spec), build_book_defs(self.spec), dg.Definitions(resources=resources)
            )

    def target_of(self, uri: str) -> str:
        return f"{self.stem}-lines"

    def drop(self, day: str, name: str, content: bytes) -> None:
        key = f"inbox/dropship/{day}/{name}"
        self.world.s3.put_object(Bucket=self.world.bucket, Key=key, Body=content)

    def run(self, job: str, day: str, *stages: str) -> dg.ExecuteInProcessResult:
        """A job of a date; of the grid's job these stages, over all slots."""
        tags = {"dagster/partition": day}
        if stages:
            tags = {
                "dagster/asset_partition_range_start": cell(day, 0),
                "dagster/asset_partition_range_end": cell(day, SLOTS - 1),
            }
        keys = [dg.AssetKey(["dropship", stage]) for stage in stages] or None
        with only_our_warnings():
            whole = self.defs.resolve_job_def(f"dropship_{job}")
            return whole.execute_in_process(
                instance=self.instance, tags=tags, asset_selection=keys, raise_on_error=False
            )

    def load(self, day: str) -> list[bool]:
        """Plan, lines into the table, books; whether each succeeded."""
        runs = [self.run("plan", day), self.run("load", day, "validated"), self.run("load", day, "table")]
        return [run.success for run in [*runs, self.run("books", day)]]

    def items(self, kind: str) -> dict[str, dict[str, Any]]:
        found = self.world.dynamodb.scan(TableName=f"{self.stem}-{kind}")["Items"]
        return {
            item["kode_pesanan"]["S"] + item.get("line", {}).get("S", ""): {
                name: next(iter(value.values())) for name, value in item.items()
            }
            for item in found
        }


@pytest.fixture
def office(world: World) -> Iterator[Office]:
    with operated(world) as desk:
        yield Office(world, desk.instance)


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def test_lines_of_one_order_in_files_of_two_days_make_one_order_and_balanced_books(
    office: Office,
) -> None:
    office.drop(DAY, "a.csv", file_of([row(SKU="A"), row(SKU="B", Qty="no"), row(Kode_Pesanan="PS-201")]))
    office.drop(NEXT_DAY, "b.csv", file_of([row(SKU="C"), row(SKU="A", Total_Harga="40")], delimiter=";"))
    assert office.load(DAY) == [True] * 4
    assert office.load(NEXT_DAY) == [True] * 4
    orders, journal = office.items("orders"), office.items("journal")
    assert orders.keys() == journal.keys() == {"PS-200", "PS-201"}
    assert (orders["PS-200"]["lines"], Decimal(orders["PS-200"]["total_harga"])) == ("2", Decimal("71.5"))
    assert all(Decimal(entry["debit"]) == Decimal(entry["credit"]) for entry in journal.values())
    assert {name[:6] for name in office.items("lines")} == {"PS-200", "PS-201"}


def test_a_broken_file_keeps_no_good_line_from_its_order_and_wrong_books_are_seen(office: Office) -> None:
    office.drop(DAY, "good.csv", file_of([row(SKU="A")]))
    office.drop(DAY, "unknown header.csv", b"a,b,c\n1,2,3\n")
    assert office.load(DAY) == [True, False, False, True]
    assert office.items("orders").keys() == {"PS-200"}
    assert ripe(office.spec, office.ingest.ledger()).keys() == {DAY}
    again = office.run("books", DAY)
    assert checks_of(again) == {"books_balance": True, "orders_agree_with_lines": True}
    key = {"kode_pesanan": {"S": "PS-200"}}
    office.world.dynamodb.update_item(
        TableName=f"{office.stem}-journal",
        Key=key,
        UpdateExpression="SET entries[0].debit = :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    wrong = office.run("books", DAY)
    assert checks_of(wrong) == {"books_balance": False, "orders_agree_with_lines": False}
