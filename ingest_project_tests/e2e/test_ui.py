"""What a user sees and does in Dagster's pages, as on a first day: a dump came broken, and is repaired.

The tests share one deployment and follow one another; what is clicked is found by its role and text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from ingest_project.resources.connect import s3_client
from ingest_project_tests.e2e.dumps import BROKEN, BROKEN_RECORDS, GOOD, TWICE, dump
from ingest_project_tests.e2e.running import Deployment

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

GRID = ("validated", "table", "index")
SLOTS = [f"{slot:02d}" for slot in range(16)]
Picture = Callable[[str], None]


def test_the_sensors_load_what_is_dropped_without_another_word(deployment: Deployment) -> None:
    files = {entry.target: entry for entry in deployment.ledger.files.list("messages")}
    assert dict.fromkeys(GOOD, "consumed") | {BROKEN: "failed"} == {
        table: entry.state for table, entry in files.items()
    }
    assert re.search(r"parcels-dump\.json: byte \d+: expected ", files[BROKEN].reason)
    launched = {run.tags["dagster/sensor_name"] for run in deployment.runs()}
    assert launched == {"messages_local_inbox", "messages_inbox"}
    for summary in deployment.ledger.summary("messages"):
        if summary.target in GOOD:
            assert (summary.read, summary.rejected) == (GOOD[summary.target], 0)
            counts = summary.stages["table"].counts
            assert (counts.written, counts.superseded) == (GOOD[summary.target] - TWICE, TWICE)


def test_the_asset_graph_leads_from_planned_to_table_and_index(
    page: Page, deployment: Deployment, picture: Picture
) -> None:
    page.goto("/locations/ingest_project/asset-groups/messages")
    for name in ("planned", *GRID):
        page.get_by_text(name, exact=True).first.wait_for()
    page.get_by_text("0% filled (1 failed)").nth(2).wait_for()
    picture("asset-graph-failed")
    across = {name: _left_edge(page, name) for name in ("planned", *GRID)}
    assert across["planned"] < across["validated"] < across["table"] == across["index"]


def test_exactly_the_partition_of_the_truncated_file_is_red(
    page: Page, deployment: Deployment, picture: Picture
) -> None:
    (failed,) = deployment.slots("table")["failed"]
    rest = [slot for slot in SLOTS if slot != failed]
    for stage in GRID:
        assert {"materialized": rest, "failed": [failed]} == deployment.slots(stage)
    page.goto("/assets/messages/table?view=partitions")
    page.get_by_text("Failed (1)").wait_for()
    page.get_by_text("Materialized (15)").wait_for()
    page.get_by_text(deployment.day, exact=True).first.click()
    page.get_by_text(failed, exact=True).first.click()
    page.get_by_text("failed, and did not materialize this asset").wait_for()
    picture("partitions-failed")
    page.get_by_role("button", name="View all historical events").click()
    page.get_by_role("dialog").get_by_text(f"{deployment.day}|{failed}", exact=True).click()
    page.get_by_text(f"{BROKEN}-dump.json: byte").first.wait_for()


def test_the_standing_check_tells_which_file_is_broken(page: Page, deployment: Deployment) -> None:
    page.goto("/assets/messages/planned?view=checks")
    page.get_by_text("nothing_left_failed").first.wait_for()
    page.get_by_text(f"{BROKEN}-dump.json: byte").first.wait_for()


def test_the_materialize_button_fills_a_table_that_was_dropped(
    page: Page, deployment: Deployment, picture: Picture, dynamodb_here: Any
) -> None:
    slot = _slot_of(deployment, "messages")
    _make_anew(dynamodb_here, "messages")
    known = deployment.from_ui()
    page.goto("/assets/messages/table")
    page.get_by_role("button", name="Materialize…").click()
    dialog = page.get_by_role("dialog").first
    _choose_date(dialog, deployment.day)
    dialog.get_by_text("Select a partition or create one").click()
    page.get_by_role("menuitem", name=slot).click()
    dialog.get_by_text("Launch runs to materialize").click()
    dialog.get_by_text("1 partition", exact=True).wait_for()
    dialog.get_by_role("button", name="Launch 1 run").click()
    run = deployment.ended_run(known)
    assert (run.status, run.assets) == ("SUCCESS", ["messages/table"])
    assert run.tags["dagster/partition"] == f"{deployment.day}|{slot}"

    page.set_viewport_size({"width": 1360, "height": 1040})
    page.goto("/assets/messages/table?view=events")
    page.get_by_text("materialized in run").wait_for()
    picture("materialization")
    shown = {name: _value(page, name) for name in ("read", "written", "superseded", "rejected", "throttles")}
    written = GOOD["messages"] - TWICE
    assert shown == {"read": 2000, "written": written, "superseded": TWICE, "rejected": 0, "throttles": 0}
    assert _value(page, "items_per_second") > 0
    assert _value(page, "peak_memory_mb") > 0
    assert dynamodb_here.scan(TableName="messages", Select="COUNT")["Count"] == written


def test_a_check_can_be_executed_by_itself(page: Page, deployment: Deployment) -> None:
    known = deployment.from_ui()
    page.goto("/assets/messages/table?view=checks")
    page.get_by_text("table_reads_back").first.click()
    page.get_by_text("Execute", exact=True).last.click()
    assert deployment.ended_run(known).status == "SUCCESS"
    page.reload()
    page.get_by_text("table_reads_back").first.click()
    page.get_by_text("Passed", exact=True).first.wait_for()


def test_numbers_are_plotted_over_partitions(page: Page, deployment: Deployment, picture: Picture) -> None:
    page.goto("/assets/messages/table")
    page.get_by_role("button", name="Plots").click()
    for name in ("written", "items_per_second", "superseded", "seconds", "peak_memory_mb"):
        page.get_by_text(name, exact=True).first.wait_for()
    assert page.locator("canvas").count() >= 10
    page.get_by_text("items_per_second", exact=True).first.scroll_into_view_if_needed()
    picture("plots")


def test_a_backfill_of_the_failed_partition_repairs_the_replaced_file(
    page: Page, deployment: Deployment, picture: Picture, dynamodb_here: Any
) -> None:
    (failed,) = deployment.slots("table")["failed"]
    deployment.stop_inbox_sensor()
    _replace_broken_file(deployment)
    _plan_again(page, deployment)

    known = deployment.from_ui()
    page.goto("/locations/ingest_project/asset-groups/messages")
    page.get_by_text("validated", exact=True).first.wait_for()
    page.locator(".CodeMirror").first.click()
    page.keyboard.type('key:"messages/validated"+')
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Materialize all…").click()
    dialog = page.get_by_role("dialog").first
    dialog.get_by_text("Launch runs to materialize 3 assets").wait_for()
    _choose_date(dialog, deployment.day)
    dialog.get_by_role("button", name="All", exact=True).last.click()
    dialog.get_by_text("Backfill only failed and missing partitions").click()
    dialog.get_by_text("Only 1 failed and missing partition").wait_for()
    picture("backfill-dialog")
    dialog.get_by_role("button", name="Launch 1 run").click()
    run = deployment.ended_run(known)
    assert run.status == "SUCCESS"
    assert sorted(run.assets) == sorted(f"messages/{stage}" for stage in GRID)
    assert run.tags["dagster/partition"] == f"{deployment.day}|{failed}"

    for stage in GRID:
        assert {"materialized": SLOTS, "failed": []} == deployment.slots(stage)
    page.goto(f"/assets/messages/table?view=partitions&partition={deployment.day}|{failed}")
    page.get_by_text("Failed (0)").wait_for()
    page.get_by_text("Materialized (16)").wait_for()
    page.get_by_text("Materialized", exact=True).wait_for()
    picture("backfill-repaired")
    stored = dynamodb_here.scan(TableName=BROKEN, Select="COUNT")["Count"]
    assert stored == BROKEN_RECORDS - TWICE


def test_after_the_repair_the_asset_graph_is_green(
    page: Page, deployment: Deployment, picture: Picture
) -> None:
    deployment.start_inbox_sensor()
    page.goto("/locations/ingest_project/asset-groups/messages")
    page.get_by_text("1 / 1 Passed").wait_for()
    page.get_by_text("2 / 2 Passed").nth(2).wait_for()
    assert page.get_by_text("failed)").count() == 0
    picture("asset-graph")


def _choose_date(dialog: Locator, day: str) -> None:
    field = dialog.get_by_role("textbox").first
    field.fill(day)
    field.press("Tab")


def _left_edge(page: Page, name: str) -> int:
    box = page.get_by_text(name, exact=True).first.bounding_box()
    assert box is not None
    return round(box["x"])


def _slot_of(deployment: Deployment, table: str) -> str:
    (slot,) = {row.slot for row in deployment.ledger.status("messages") if row.target == table}
    return f"{slot:02d}"


def _value(page: Page, name: str) -> float:
    """The number beside a metadata entry's name."""
    row = page.get_by_role("row").filter(has=page.get_by_role("cell", name=name, exact=True)).first
    return float(row.get_by_role("cell").nth(1).inner_text())


def _make_anew(dynamodb: Any, table: str) -> None:
    dynamodb.delete_table(TableName=table)
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def _replace_broken_file(deployment: Deployment) -> None:
    settings = deployment.settings
    key = f"{settings.inbox_prefix}messages/{deployment.day}/{BROKEN}-dump.json"
    s3_client(settings).put_object(Bucket=settings.bucket, Key=key, Body=dump(BROKEN_RECORDS))


def _plan_again(page: Page, deployment: Deployment) -> None:
    known = deployment.from_ui()
    page.goto("/assets/messages/planned")
    page.get_by_role("button", name="Materialize…").click()
    dialog = page.get_by_role("dialog").first
    _choose_date(dialog, deployment.day)
    dialog.get_by_role("button", name="Launch 1 run").click()
    run = deployment.ended_run(known)
    assert (run.status, run.assets) == ("SUCCESS", ["messages/planned"])
