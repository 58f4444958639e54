"""The warehouse's contract and checks through Dagster: a field changes its type, a person decides, nothing is
lost."""

from __future__ import annotations

from typing import Any

import dagster as dg
import pytest

from ingest_project.core.fields import ACCEPT
from ingest_project.core.syncing import FULL, SINCE
from ingest_project.entities.wms.checks import build_warehouse_checks, orders
from ingest_project.entities.wms.judging import Findings
from ingest_project.entities.wms.spec import table_of
from ingest_project.ledgers.rejections import Selection
from ingest_project.resources.replaying.work import ReplayOptions
from ingest_project_tests.faults.deployed import only_our_warnings
from ingest_project_tests.orchestration.test_synced import ROWS, Mirror, mirror

pytestmark = [pytest.mark.dagster, pytest.mark.slow]
__all__ = ["mirror"]

CHANGED = "task_seq_nbr"
MOMENT = "2025-07-03T10:15:00-03:00"


def looked(mirror: Mirror) -> dict[str, dg.AssetCheckEvaluation]:
    """What the checks say now, by themselves."""
    checks = build_warehouse_checks(mirror.spec)
    keys = [key for check in checks for key in check.check_keys]
    with only_our_warnings():
        job = dg.define_asset_job("looking", selection=dg.AssetSelection.checks(*keys))
        defs = dg.Definitions.merge(mirror.defs, dg.Definitions(asset_checks=checks, jobs=[job]))
        result = defs.resolve_job_def("looking").execute_in_process(instance=mirror.instance)
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def test_a_changed_type_waits_for_a_person_and_its_rows_come_in_after_the_decision(mirror: Mirror) -> None:
    mirror.sync(FULL)
    found = looked(mirror)
    assert {"fields_as_known": True, "fresh": True, "quantities_are_sound": True} == {
        name: one.passed for name, one in found.items()
    }
    assert ROWS == found["quantities_are_sound"].metadata["looked_at"].value
    mirror.warehouse.control("field", entity="allocation", name=CHANGED, kind="string")
    mirror.warehouse.control("field", entity="allocation", name="zone_code", kind="string", new=True)
    mirror.warehouse.control("advance", seconds=600)
    mirror.sync(SINCE)
    refused = mirror.ingest.ledger().dead_letters.count(Selection(entity=mirror.spec.name))
    assert 0 < refused
    failed = looked(mirror)["fields_as_known"]
    assert (False, dg.AssetCheckSeverity.ERROR) == (failed.passed, failed.severity)
    assert f"changed type of {CHANGED}: text, was integer" in str(failed.description)
    assert "new field zone_code" in str(failed.description)
    mirror.ingest.ledger().fields.decide(mirror.spec.name, CHANGED, ACCEPT, by="ana")
    report = mirror.ingest.replay(
        mirror.spec,
        "test",
        ReplayOptions(selection=Selection(reason="changed type"), by="ana"),
        print_nothing,
    )
    assert refused == report.loaded
    truth = mirror.truth()
    assert truth == {row: version for row, version in mirror.standing().items() if row in truth}


def print_nothing(text: str) -> None:
    """Nobody reads along."""


def test_lines_point_to_orders_that_the_table_has_and_that_are_not_deleted(mirror: Mirror) -> None:
    table = table_of("order_hdr")
    mirror.world.dynamodb.create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    try:
        gone: Any = {"id": {"N": "2"}, "deleted": {"BOOL": True}}
        for item in ({"id": {"N": "1"}}, gone):
            mirror.world.dynamodb.put_item(TableName=table, Item=item)
        lines = [
            f'{{"Item":{{"id":{{"N":"{line}"}},"order_id":{{"N":"{order}"}}}}}}'.encode()
            for line, order in ((11, 1), (12, 2), (13, 3))
        ]
        found: Findings = orders(mirror.ingest, [lines])
        assert [
            "order_dtl 12: order_hdr 2 is not there",
            "order_dtl 13: order_hdr 3 is not there",
        ] == found.named
    finally:
        mirror.world.dynamodb.delete_table(TableName=table)
